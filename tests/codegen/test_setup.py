"""What depends on constants only runs once, when the code is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.loops.evaluate import evaluate as run_loops
from graphc.loops.verify import verify
from graphc.passes import fold

RNG = np.random.default_rng(20)
WEIGHT = RNG.standard_normal((700, 300)).astype(np.float32)
BACK = RNG.standard_normal((700, 300)).astype(np.float32)
MATRICES = RNG.standard_normal((5, 70, 40)).astype(np.float32)


@pytest.fixture(autouse=True)
def _nothing_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is with constants too large to compute with at compile time."""
    monkeypatch.setattr(fold, "MOST_ELEMENTS", 0)


def plan_of(function: Any, *args: Any) -> Any:
    return graphc.jit(function).lower(*args).stages.plan


def image(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-5 * abs(expected).max())


def layers(x: Any) -> Any:
    return np.maximum(x @ WEIGHT, 0) @ BACK.T


def test_constant_columns_are_packed_once() -> None:
    x = image(64, 700)
    plan = plan_of(layers, x)
    assert plan.kept >= WEIGHT.nbytes + BACK.nbytes
    assert [launch.kernel for launch in plan.setup] == [f"{k.name}_packing" for k in plan.kernels]
    assert not plan.setup_kernels, "packing is no kernel of its own"
    function = graphc.jit(layers)
    for _ in range(2):
        assert_close(function(x), layers(x))


def test_loops_of_packing() -> None:
    """The loops themselves: what packs, then what multiplies, in the interpreter."""
    x = image(20, 70)
    (kernel,) = plan_of(lambda x: x @ (2 * MATRICES[:, ::-1]), x).kernels
    packing, main = kernel.functions
    verify(packing, "cpu")
    verify(main, "cpu")
    assert not [b for b in packing.params if b.name == main.params[0].name], "reads constants only"
    buffers = {b.name: np.zeros(tuple(b.shape), b.dtype.numpy) for b in main.params}
    inputs = [b for b in kernel.scheduled.inputs if b not in packing.params]
    (weights,) = (b for b in packing.params if b in kernel.scheduled.inputs)
    buffers[inputs[0].name][...] = x.reshape(buffers[inputs[0].name].shape)
    buffers[weights.name][...] = np.reshape(MATRICES, buffers[weights.name].shape)
    run_loops(packing, {b.name: buffers[b.name] for b in packing.params}, {})
    run_loops(main, buffers, {})
    (result,) = kernel.scheduled.outputs
    expected = x @ (2 * MATRICES[:, ::-1])
    assert_close(buffers[result.name].reshape(expected.shape), expected)


@pytest.mark.parametrize("transposed", [False, True])
def test_columns_of_a_batch(transposed: bool) -> None:
    """Matrices that a loop around moves: each has its own panels."""

    def multiply(v: Any) -> Any:
        return v @ (MATRICES.transpose(0, 2, 1) if transposed else MATRICES)

    v = image(5, 90, 40 if transposed else 70)
    assert_close(graphc.jit(multiply)(v), multiply(v))
    assert (plan_of(multiply, v).kept > 0) == transposed, "read in place where that is as fast"


def test_any_number_of_rows() -> None:
    function = graphc.jit(layers)
    function.lower(graphc.spec(("b", 700), "float32"))
    for rows in (1, 7, 64):
        x = image(rows, 700)
        assert_close(function(x), layers(x))


def test_kernels_over_constants_run_when_loaded() -> None:
    def function(x: Any) -> Any:
        scale = np.sqrt((WEIGHT * WEIGHT).sum(axis=0))
        return x / scale

    x = image(8, 300)
    plan = plan_of(function, x)
    assert len(plan.setup_kernels) == 1 and len(plan.kernels) == 1
    assert plan.kept >= 300 * 4
    assert_close(graphc.jit(function)(x), function(x))


def test_results_are_never_kept() -> None:
    def function(x: Any) -> Any:
        return x + 1, WEIGHT.sum(axis=1)

    x = image(4)
    assert plan_of(function, x).kept == 0
    first, second = graphc.jit(function)(x), graphc.jit(function)(x)
    assert first[1] is not second[1]
    assert_close(second[1], WEIGHT.sum(axis=1))


def test_what_would_grow_too_much_is_made_in_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphc.codegen import walk as room

    def function(x: Any) -> Any:
        outer = np.tanh(WEIGHT[:, 0, None] * WEIGHT[None, :, 0])
        return (outer * np.exp(outer)).sum(axis=0).cumsum() + x

    x = image(700)
    assert plan_of(function, x).kept > 0
    monkeypatch.setattr(room, "KEPT_BYTES", 0)
    monkeypatch.setattr(room, "KEPT_GROWTH", 0)
    assert plan_of(function, x).kept == 0


def test_searching_for_nan_keeps_nothing() -> None:
    def function(x: Any) -> Any:
        return x @ np.sqrt(WEIGHT)  # of negative numbers

    x = image(64, 700)
    assert plan_of(function, x).kept > 0
    with pytest.raises(graphc.NonFiniteError):
        graphc.jit(function, debug="nan")(x)


def test_a_failing_index_is_reported_by_the_call() -> None:
    table = np.arange(6000)

    def function(x: Any) -> Any:
        return x + WEIGHT[table, 0].sum()

    with pytest.raises(IndexError):
        graphc.jit(function)(image(4))


def test_from_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    x = image(64, 700)
    expected = graphc.jit(layers)(x)
    again = graphc.jit(layers)
    assert again(x).tobytes() == expected.tobytes()
    assert any(tmp_path.rglob("*"))


def test_the_same_weights_are_packed_once() -> None:
    square = image(300, 300)

    def function(x: Any) -> Any:
        for _ in range(4):
            x = np.maximum(x @ square, 0)
        return x

    x = image(64, 300)
    plan = plan_of(function, x)
    assert len(plan.kernels) == 4
    assert len(plan.setup) <= 2, "the last layer is another kernel"
    assert_close(graphc.jit(function)(x), function(x))
