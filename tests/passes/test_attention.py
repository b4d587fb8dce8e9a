"""softmax(q k^T) v as one op: the text, what is matched and what is left, values, memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import graphc_runtime
import numpy as np
import pytest

import graphc
from graphc.compile import ensure_native
from graphc.environment import num_threads
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.passes.attention import attention
from graphc.passes.pipeline import EXACT, PIPELINE, WHOLE, run
from graphc.text import print_graph
from graphc.verify import verify
from tests.random_graphs import random_graph

Program = Callable[..., Any]
BEFORE_FUSE = PIPELINE[:-2]


def normal(*shape: int, dtype: str = "f4", seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(dtype)


def softmax(s: Any, axis: int = -1) -> Any:
    e = np.exp(s - s.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def product(q: Any, k: Any) -> Any:
    return q @ np.swapaxes(k, -1, -2)


def plain(q: Any, k: Any, v: Any) -> Any:
    return softmax(product(q, k) * q.dtype.type(q.shape[-1] ** -0.5)) @ v


def traced(program: Program, *arrays: np.ndarray) -> Any:
    types = [graphc.spec(a.shape, str(a.dtype)) for a in arrays]
    return graphc.jit(program).lower(*types)


def count(graph: Graph) -> int:
    """How many nodes the pass makes; the graph stays valid and is done after one run."""
    before = run(graph, WHOLE[:-2]).graph
    after = verify(attention(before))
    assert attention(after) is after
    if after is before:
        return 0
    return sum(node.op.name == "attention" for node in after.nodes)


def close(found: Any, wanted: Any, rtol: float = 3e-6) -> None:
    """NaN and infinities at the same places; the rest within rtol of the greatest number."""
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    wide, right = found.astype("f8"), wanted.astype("f8")
    finite = np.isfinite(right)
    np.testing.assert_array_equal(wide[~finite], right[~finite])
    scale = np.abs(right[finite]).max(initial=1e-30)
    np.testing.assert_allclose(wide[finite], right[finite], rtol=0, atol=rtol * scale)


def check(program: Program, *arrays: np.ndarray, nodes: int = 1, rtol: float = 3e-6) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the NumPy program, about NaN
        wanted = np.asarray(program(*arrays))
    assert count(traced(program, *arrays).graph) == nodes
    close(graphc.jit(program)(*arrays), wanted, rtol)


# ------------------------------------------------------------------------------------------- text


def test_text() -> None:
    def program(q: Any, k: Any, v: Any, mask: Any) -> Any:
        return softmax(np.where(mask, product(q, k) / 8, -np.inf)) @ v

    shape = (2, 64, 8)
    arrays = (*(normal(*shape, seed=n) for n in range(3)), np.ones((64, 64), bool))
    graph = traced(program, *arrays).graph
    after = run(graph, BEFORE_FUSE).graph
    text = "\n".join(line.split("  #")[0] for line in print_graph(after).splitlines())
    assert text == (
        "graph program(%0 q: f32[2, 64, 8], %1 k: f32[2, 64, 8], %2 v: f32[2, 64, 8], "
        "%3 mask: bool[64, 64]) {\n"
        "  %4: f32[2, 64, 8] = attention(%0, %1, %2, %3){body=graph body(%0 s: f32[2, 64, 64], "
        "%1 x0: f32[2, 64, 8], %2 x1: f32[2, 64, 8], %3 x2: f32[2, 64, 8], "
        "%4 x3: bool[64, 64]) {\n"
        "    %5: bool[2, 64, 64] = broadcast(%4){shape=(2, 64, 64), axes=(1, 2)}\n"
        "    %6: f32[2, 64, 64] = full(){value=0.125, dtype=f32, shape=(2, 64, 64)}\n"
        "    %7: f32[2, 64, 64] = mul(%0, %6)\n"
        "    %8: f32[2, 64, 64] = full(){value=-inf, dtype=f32, shape=(2, 64, 64)}\n"
        "    %9: f32[2, 64, 64] = select(%5, %7, %8)\n"
        "    return %1, %2, %3, %9\n"
        "  }, dtype=f32}\n"
        "  return %4\n"
        "}"
    )
    wanted = evaluate(graph, arrays)[0]
    close(evaluate(after, arrays)[0], wanted)


def test_placement() -> None:
    assert PIPELINE[-4] is attention
    assert attention not in EXACT and attention not in WHOLE


@pytest.mark.parametrize("seed", range(6))
def test_random_graphs_stay(seed: int) -> None:
    graph, _ = random_graph(seed, 30)
    assert attention(graph) is graph


# --------------------------------------------------------------------------------- what is matched


def heads_last(q: Any, k: Any, v: Any) -> Any:
    scores = np.einsum("bqhd,bkhd->bhqk", q, k) / 8
    return np.einsum("bhqk,bkhd->bqhd", softmax(scores), v)


def keys_first(q: Any, k: Any, v: Any) -> Any:
    weights = softmax(np.einsum("bkd,bqd->bkq", k, q), axis=1)
    return np.einsum("bkq,bkd->bqd", weights, v)


def values_first(q: Any, k: Any, v: Any) -> Any:
    return np.einsum("bkd,bqk->bdq", v, softmax(np.einsum("bkd,bqd->bqk", k, q)))


def one_key_head(q: Any, k: Any, v: Any) -> Any:
    scores = np.einsum("bhqd,bkd->bhqk", q, k)
    return np.einsum("bhqk,bkd->bhqd", softmax(scores), v)


def grouped(q: Any, k: Any, v: Any) -> Any:
    return plain(q, np.repeat(k, 2, 1), np.repeat(v, 2, 1))


def divided_last(q: Any, k: Any, v: Any) -> Any:
    s = product(q, k)
    e = np.exp(s - s.max(-1, keepdims=True))
    return (e @ v) / e.sum(-1, keepdims=True)


def logsumexp(q: Any, k: Any, v: Any) -> Any:
    s = product(q * np.float32(0.25), k)
    m = s.max(-1, keepdims=True)
    return np.exp(s - (np.log(np.exp(s - m).sum(-1, keepdims=True)) + m)) @ v


def causal(q: Any, k: Any, v: Any) -> Any:
    s = product(q, k)
    mask = np.tril(np.ones(s.shape[-2:], bool))
    return softmax(np.where(mask, s, -np.inf)) @ v


def capped(q: Any, k: Any, v: Any) -> Any:
    return softmax(np.tanh(product(q, k) / 5) * 5) @ v


def by_distance(q: Any, k: Any, v: Any) -> Any:
    s = product(q, k)
    i, j = (np.arange(n, dtype="f4") for n in s.shape[-2:])
    slope = np.arange(s.shape[0], dtype="f4")[:, None, None]
    return softmax(s - np.abs(i[:, None] - j) * slope) @ v


def split(x: Any, heads: int = 3) -> Any:
    batch, length, width = x.shape
    q, k, v = (
        part.reshape(batch, length, heads, -1).transpose(0, 2, 1, 3)
        for part in np.split(x, 3, axis=-1)
    )
    return plain(q, k, v).transpose(0, 2, 1, 3).reshape(batch, length, width // 3)


THREE = [(2, 70, 12), (2, 90, 12), (2, 90, 10)]
FORMS: list[tuple[Program, list[tuple[int, ...]]]] = [
    (plain, THREE),
    (plain, [s[1:] for s in THREE]),
    (heads_last, [(2, 70, 3, 16), (2, 90, 3, 16), (2, 90, 3, 12)]),
    (keys_first, THREE),
    (values_first, THREE),
    (one_key_head, [(2, 3, 70, 16), (2, 90, 16), (2, 90, 12)]),
    (grouped, [(2, 4, 70, 16), (2, 2, 90, 16), (2, 2, 90, 12)]),
    (divided_last, THREE),
    (logsumexp, THREE),
    (causal, THREE),
    (capped, THREE),
    (by_distance, THREE),
    (split, [(2, 80, 3 * 3 * 8)]),
]


@pytest.mark.parametrize(("program", "shapes"), FORMS, ids=lambda p: getattr(p, "__name__", ""))
def test_forms(program: Program, shapes: list[tuple[int, ...]]) -> None:
    check(program, *(normal(*s, seed=n) for n, s in enumerate(shapes)))


def test_the_layers_of_a_network() -> None:
    def program(x: Any) -> Any:
        for _ in range(2):
            x = x + plain(x, x, x)
        return x

    check(program, normal(2, 70, 12), nodes=2)


def test_f32_softmax_of_f16_scores() -> None:
    def program(q: Any, k: Any, v: Any) -> Any:
        return softmax(product(q, k).astype("f4")).astype("f2") @ v

    check(program, *(normal(*s, dtype="f2") for s in THREE), rtol=3e-3)


# --------------------------------------------------------------------------------- what is left


def weights_returned(q: Any, k: Any, v: Any) -> Any:
    p = softmax(product(q, k))
    return p @ v + p.sum()


def scores_used(q: Any, k: Any, v: Any) -> Any:
    s = product(q, k)
    return softmax(s) @ v + s[..., :1]


def no_maximum(q: Any, k: Any, v: Any) -> Any:
    e = np.exp(product(q, k))
    return (e / e.sum(-1, keepdims=True)) @ v


def another_axis(q: Any, k: Any, v: Any) -> Any:
    return softmax(product(q, k), axis=-2) @ v


def two_products(q: Any, k: Any, v: Any) -> Any:
    return softmax(product(q, k) + product(np.abs(q), k)) @ v


def other_sum(q: Any, k: Any, v: Any) -> Any:
    s = product(q, k)
    e = np.exp(s - s.max(-1, keepdims=True))
    return (e / np.abs(s).sum(-1, keepdims=True)) @ v


@pytest.mark.parametrize(
    "program",
    [weights_returned, scores_used, no_maximum, another_axis, two_products, other_sum],
    ids=lambda p: p.__name__,
)
def test_left_as_written(program: Program) -> None:
    check(program, *(normal(*s, seed=n) for n, s in enumerate(THREE)), nodes=0, rtol=1e-5)


@pytest.mark.parametrize(("queries", "keys"), [(1, 500), (500, 1), (40, 40), (15, 1000)])
def test_few_scores_are_left(queries: int, keys: int) -> None:
    check(plain, normal(2, queries, 8), normal(2, keys, 8), normal(2, keys, 8), nodes=0)


def test_rows_that_no_block_holds_are_left() -> None:
    check(plain, *(normal(64, 3000, seed=n) for n in range(3)), nodes=0, rtol=1e-5)


def test_the_check_for_nan_sees_every_op() -> None:
    q, k, v = (normal(*s) for s in THREE)
    q[0, 3] = 1e30
    with pytest.raises(graphc.NonFiniteError, match="dot"):
        graphc.jit(plain, debug="nan")(q, k * np.float32(1e10), v)


# ------------------------------------------------------------------------------------------ values


def masked(q: Any, k: Any, v: Any, mask: Any) -> Any:
    return softmax(np.where(mask, product(q, k), -np.inf)) @ v


def biased(q: Any, k: Any, v: Any, bias: Any) -> Any:
    return softmax(product(q, k) + bias) @ v


SIZES = [
    ((), 64, 64, 8, 8, "f4"), ((2,), 65, 67, 5, 7, "f4"), ((2, 3), 100, 300, 64, 64, "f4"),
    ((1, 1), 200, 129, 33, 20, "f4"), ((3,), 128, 513, 16, 1, "f4"), ((2,), 17, 1000, 1, 3, "f4"),
    ((2,), 333, 130, 128, 130, "f4"), ((2,), 65, 67, 5, 7, "f8"), ((2,), 150, 300, 64, 64, "f8"),
    ((2,), 65, 67, 5, 7, "f2"), ((2,), 70, 129, 64, 32, "f2"),
]  # fmt: skip
RTOL = {"f4": 3e-6, "f8": 1e-14, "f2": 3e-3}


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes(size: Any) -> None:
    batch, queries, keys, depth, width, dtype = size
    shapes = ((queries, depth), (keys, depth), (keys, width))
    check(plain, *(normal(*batch, *s, dtype=dtype) for s in shapes), rtol=RTOL[dtype])


def patterns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    some = rng.random((70, 90)) < 0.5
    some[3] = False  # nothing to attend to: NaN, as in NumPy
    late = np.zeros((70, 90), bool)
    late[:, 85:] = True
    return {
        "some": some, "late": late, "in each batch": rng.random((2, 70, 90)) < 0.5,
        "of keys": rng.random((2, 1, 90)) < 0.5, "of queries": rng.random((70, 1)) < 0.5,
    }  # fmt: skip


@pytest.mark.parametrize("name", patterns())
def test_masks(name: str) -> None:
    mask = patterns()[name]
    q, k, v = (normal(*s, seed=n) for n, s in enumerate(THREE))
    check(masked, q, k, v, mask)
    check(biased, q, k, v, np.where(mask, 0, -1e9).astype("f4"))
    check(biased, q, k, v, np.where(mask, 0, -np.inf).astype("f4"))


def test_blocks_of_keys_without_scores() -> None:
    """The maximum is -inf until the last block of keys, and their weights are 0 until then."""
    mask = np.zeros((70, 400), bool)
    mask[:, 390:] = True
    check(masked, normal(2, 70, 12), normal(2, 400, 12), normal(2, 400, 8), mask)
    check(masked, normal(2, 70, 12), normal(2, 400, 12), normal(2, 400, 8), mask[:, ::-1].copy())


@pytest.mark.parametrize("dtype", ["bool", "f4", "f2", "i1", "i8"])
@pytest.mark.parametrize("shape", [(128, 208), (2, 128, 208)], ids=str)
def test_masks_in_whole_squares(shape: tuple[int, ...], dtype: str) -> None:
    """Blocks of masks that lie along the keys are turned through registers."""
    rng = np.random.default_rng(8)
    mask = rng.integers(0, 2, shape).astype(dtype)

    def program(q: Any, k: Any, v: Any, mask: Any) -> Any:
        s = product(q, k)
        return softmax(np.where(mask != 0, s, s * 0 - np.inf)) @ v

    arrays = [normal(2, n, 16, seed=n) for n in (128, 208, 208)]
    check(program, *arrays, mask)
    kernel = traced(program, *arrays, mask).stages.kernels[0].scheduled.func
    moved = [s for s in L.statements(kernel.body) if isinstance(s, L.Transpose)]
    assert len(moved) == 3  # q, and the mask in the whole blocks of keys and in the last one


def test_two_masks_in_whole_squares() -> None:
    def program(q: Any, k: Any, v: Any, mask: Any, bias: Any) -> Any:
        return softmax(np.where(mask, product(q, k) + bias, -np.inf)) @ v

    arrays = [normal(2, n, 16, seed=n) for n in (160, 128, 128)]
    mask = np.random.default_rng(8).random((160, 128)) < 0.5
    check(program, *arrays, mask, normal(2, 160, 128))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_special_numbers(value: float, where: int) -> None:
    arrays = [normal(*s, seed=n) for n, s in enumerate(THREE)]
    arrays[where][0, 5, 3] = arrays[where][1, 60, 2] = value
    check(plain, *arrays)


def test_infinite_scores() -> None:
    bias = np.zeros((70, 90), "f4")
    bias[4, 7] = bias[9, 80] = bias[9, 3] = np.inf
    check(biased, *(normal(*s) for s in THREE), bias)


def test_large_scores_do_not_overflow() -> None:
    q, k, v = (normal(*s, seed=n) for n, s in enumerate(THREE))
    check(plain, q * np.float32(1e4), k * np.float32(1e4), v)


def test_the_number_of_threads_does_not_change_bits() -> None:
    q, k, v = (normal(2, 8, n, 64, seed=n) for n in (150, 333, 333))
    function = graphc.jit(plain)
    ensure_native()
    try:
        found = []
        for threads in (1, 2, 1):
            graphc_runtime.set_threads(threads)
            found.append(function(q, k, v))
    finally:
        graphc_runtime.set_threads(num_threads())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("program", [plain, causal, by_distance])
def test_no_matrix_of_scores_is_stored(program: Program) -> None:
    length = 512
    arrays = [normal(8, length, 64, seed=n) for n in range(3)]
    lowered = traced(program, *arrays).stages
    assert len(lowered.kernels) == 1
    assert lowered.peak_bytes == arrays[0].nbytes  # the result, and no arena
    assert lowered.peak_bytes < 8 * length * length


def test_symbolic_extents() -> None:
    function = graphc.jit(plain, dims={"q": "b, n, ...", "k": "b, m, ...", "v": "b, m, ..."})
    specs = [graphc.spec(("b", name, 12), "float32") for name in "nmm"]
    assert count(graphc.jit(plain).lower(*specs).graph) == 1
    for batch, queries, keys in ((2, 70, 90), (1, 1, 1), (3, 64, 128), (2, 1, 300), (0, 5, 5)):
        q, k, v = (normal(batch, n, 12, seed=n) for n in (queries, keys, keys))
        close(function(q, k, v), plain(q, k, v))
    assert function(normal(2, 0, 12), normal(2, 3, 12), normal(2, 3, 12)).shape == (2, 0, 12)
    assert function.cache_info().programs == 1
