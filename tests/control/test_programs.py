"""What programs with loops share with all others: stages, caches, errors, memory, kernels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphc_runtime.steps import Loop

import graphc
from graphc import compile as road
from graphc.errors import NonFiniteError, VerifyError
from graphc.ir import Graph, make, param
from graphc.opdef import lookup
from graphc.passes.pipeline import run
from graphc.text import parse_graph, print_graph
from graphc.types import F32, F64, I64, TensorType
from graphc.verify import verify
from tests.control.agreement import same
from tests.control.test_loops import lstm, lstm_params

RNG = np.random.default_rng(8)


def decayed(xs: Any, rate: Any) -> Any:
    return graphc.scan(lambda s, x: (s * rate + x, s.sum()), np.zeros(3), xs)


def given() -> tuple[Any, ...]:
    return RNG.normal(size=(5, 3)), 0.5


def test_every_stage_prints() -> None:
    lowered = graphc.jit(decayed).lower(*given())
    for stage in ("graph", "passes", "loops", "schedule", "llvm", "asm"):
        assert lowered.text(stage)
    assert parse_graph(lowered.text()) == lowered.graph
    names = [k.name for k in lowered.kernels]
    assert len(names) == len([n for n in names if n.startswith("k")]) >= 2


def test_passes_work_in_bodies() -> None:
    def f(xs: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            unused = np.exp(x)  # noqa: F841
            same = x * 1.0
            return s + same * same, x * 1.0 - same

        return graphc.scan(step, np.zeros(3), xs)[0]

    graph = run(graphc.jit(f).lower(np.ones((4, 3))).graph).graph
    (scan,) = (node for node in graph.nodes if node.op.name == "scan")
    assert len(scan.results) == 1  # the output is not asked for
    (kernel,) = scan.attrs["body"].nodes
    assert [node.op.name for node in kernel.attrs["body"].nodes] == ["mul", "add"]


def test_what_nobody_needs_is_dropped() -> None:
    def f(xs: Any, w: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            a, b, c = s
            return (a + x, b * w, c), (b, a)

        (a, _, _), (_, ys) = graphc.scan(step, (0.0, 1.0, 2.0), xs)
        return a, ys

    graph = run(graphc.jit(f).lower(np.ones(4), 2.0).graph).graph
    (scan,) = (node for node in graph.nodes if node.op.name == "scan")
    assert scan.attrs["carries"] == 1
    assert len(scan.operands) == 2
    a, ys = graphc.jit(f)(np.arange(4.0), 2.0)
    assert a == 6.0
    np.testing.assert_array_equal(ys, [0.0, 0.0, 1.0, 3.0])


def test_loops_of_one_step_and_of_none_vanish() -> None:
    def f(xs: Any) -> Any:
        return decayed(xs, 0.5)

    for length in (0, 1):
        xs = RNG.normal(size=(length, 3))
        graph = run(graphc.jit(f).lower(xs).graph).graph
        assert all(node.op.name != "scan" for node in graph.nodes)
        same(graphc.jit(f)(xs), graphc.jit(f, debug="evaluate")(xs))


def test_a_step_of_sgd_is_one_kernel_in_place() -> None:
    def epoch(w: Any, b: Any, x: Any, y: Any) -> Any:
        def step(s: Any, xy: Any) -> Any:
            (w, b), (x, y) = s, xy
            e = w * x + b - y
            return (w - 0.002 * e * x, b - 0.002 * e), None

        return graphc.scan(step, (w, b), (x, y))[0]

    x = RNG.normal(size=190)
    lowered = graphc.jit(epoch).lower(0.0, 0.0, x, 3 * x + 1)
    (loop,) = (s for s in lowered.stages.plan.steps if isinstance(s, Loop))  # type: ignore[attr-defined]
    assert len(loop.body) == 1
    assert not loop.turns
    assert lowered.stages.plan.arena == 0  # type: ignore[attr-defined]
    w, b = 0.0, 0.0
    for a, c in zip(x, 3 * x + 1, strict=True):
        e = w * a + b - c
        w, b = w - 0.002 * e * a, b - 0.002 * e
    np.testing.assert_allclose(graphc.jit(epoch)(0.0, 0.0, x, 3 * x + 1), (w, b), rtol=1e-12)


def test_kernels_of_an_lstm(golden: Callable[[str, str], None]) -> None:
    """The kernels, what is packed before the loop, and the places of the states."""
    params = lstm_params(32, 64)
    lowered = graphc.jit(lstm).lower(params, np.zeros((8, 64, 32), np.float32))
    plan = lowered.stages.plan  # type: ignore[attr-defined]
    (loop,) = (s for s in plan.steps if isinstance(s, Loop))
    lines = ["before: " + ", ".join(launch.kernel for launch in loop.before)]
    lines += [f"step:   {launch.kernel}" for launch in loop.body]
    lines += [f"turn:   {turn.first} and {turn.second}" for turn in loop.turns]
    lines += [f"row:    {one.base} + i * {one.step_bytes}" for one in loop.rows]
    golden("lstm.txt", "\n".join(lines) + "\n")


def test_what_is_packed_before_a_loop_is_where_no_kernel_of_it_writes() -> None:
    """The third product's weights were packed into the first one's result, which was free again:
    every iteration wrote over them.
    """
    weights = [RNG.normal(0, 0.3, (32, 32)) for _ in range(3)]
    x = RNG.normal(size=(64, 32))

    def chain(h: Any, weights: Any) -> Any:
        w, v, u = weights
        return np.einsum("nk,mk->nm", np.tanh(np.tanh(h @ w) @ v), u)

    def f(x: Any, weights: Any) -> Any:
        return graphc.scan(lambda h, _: (chain(h, weights), None), x, length=4)[0]

    wanted = x
    for _ in range(4):
        wanted = chain(wanted, weights)
    plan = graphc.jit(f).lower(x, weights).stages.plan  # type: ignore[attr-defined]
    (loop,) = (s for s in plan.steps if isinstance(s, Loop))
    assert sum("packing" in launch.kernel for launch in loop.before) == 1
    np.testing.assert_allclose(graphc.jit(f)(x, weights), wanted, rtol=1e-10)


def test_peak_bytes_do_not_grow_with_the_steps() -> None:
    w = np.zeros((64, 64), np.float32)

    def f(xs: Any) -> Any:
        return graphc.scan(lambda h, x: (np.tanh(h @ w + x) @ w, None), xs[0], xs)[0]

    def bytes_of(steps: int) -> Any:
        lowered = graphc.jit(f).lower(np.zeros((steps, 8, 64), np.float32))
        return lowered.stages.peak_bytes  # type: ignore[attr-defined]

    assert bytes_of(3) == bytes_of(300)


def test_the_disk_cache_serves_loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    graph = graphc.jit(decayed).lower(*given()).graph
    assert road.build_graph(graph).source == "compiled"
    found = road.build_graph(graph)
    assert found.source == "disk cache"
    other = graphc.jit(lambda xs, r: decayed(xs * 2, r)).lower(*given()).graph
    assert road.build_graph(other).source == "compiled"


def test_large_constants_of_a_body() -> None:
    table = RNG.normal(size=(64, 64))  # more than is embedded in the object

    def f(x: Any) -> Any:
        return graphc.fori_loop(0, 3, lambda i, x: np.tanh(x @ table), x)

    x = RNG.normal(size=(4, 64))
    wanted = x
    for _ in range(3):
        wanted = np.tanh(wanted @ table)
    np.testing.assert_allclose(graphc.jit(f)(x), wanted)


def test_the_first_nan_is_reported_in_a_loop() -> None:
    def f(x: Any) -> Any:
        return graphc.fori_loop(0, 5, lambda i, x: np.log(x), x)

    assert np.isnan(graphc.jit(f)(3.0))
    with pytest.raises(NonFiniteError, match=r"log.*test_programs"):
        graphc.jit(f, debug="nan")(3.0)


def test_a_while_loop_ends_at_an_error() -> None:
    def f(x: Any) -> Any:
        def body(s: Any) -> Any:
            return s[0] + 1, s[1] + x[s[0]]

        return graphc.while_loop(lambda s: s[0] >= 0, body, (0, 0.0))  # else it would not end

    with pytest.raises(IndexError):
        graphc.jit(f)(np.ones(3))


def test_cuda_prints_the_kernels_of_a_body() -> None:
    lowered = graphc.jit(decayed).lower(*given())
    assert lowered.text("cuda").count("__global__ void") >= len(lowered.kernels) > 0


def test_sub_graphs_are_checked() -> None:
    row = TensorType(F64, (3,))
    x, s = param(row, "x"), param(row, "s")
    outside = lookup("exp")(x)
    body = Graph.of("body", (s,), (lookup("add")(s, outside),))
    attrs = {"body": body, "carries": 1, "scanned": 0, "length": 2, "reverse": False}
    node = make(lookup("scan"), (x,), attrs)
    with pytest.raises(VerifyError, match="the sub-graph body is invalid"):
        verify(Graph("f", (x,), (node,), node.results))


def test_types_of_bodies_are_checked() -> None:
    row, wide = TensorType(F32, (3,)), TensorType(F64, (3,))
    s = param(row, "s")
    body = Graph.of("body", (s,), (lookup("cast")(s, dtype=F64),))
    attrs = {"body": body, "carries": 1, "scanned": 0, "length": 2, "reverse": False}
    with pytest.raises(TypeError, match=r"makes f64\[3\] of the carried 0, f32\[3\]"):
        make(lookup("scan"), (param(row, "x"),), attrs)
    with pytest.raises(TypeError, match=r"argument 0 of its body is f64\[3\]"):
        make(lookup("scan"), (param(wide, "x"),), attrs)
    one, other = Graph.of("one", (s,), (s,)), Graph.of("other", (s,), (s, s))
    index = param(TensorType(I64, ()), "i")
    with pytest.raises(TypeError, match="branch 1 answers"):
        make(lookup("switch"), (index, param(row, "x")), {"branches": (one, other)})


def test_text_of_symbolic_loops() -> None:
    f = graphc.jit(decayed, dims={"xs": "t, 3"})
    graph = f.lower(graphc.spec(("t", 3)), 0.5).graph
    assert parse_graph(print_graph(graph)) == graph
    verify(graph)
