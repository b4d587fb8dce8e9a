"""The gradient of attention written in plain NumPy: block by block, with the values of the gradient
that stores the matrix of scores.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import graphc_runtime
import ml_dtypes
import numpy as np
import pytest

import graphc
from graphc import types as ty
from graphc.compile import ensure_native
from graphc.environment import num_threads
from graphc.evaluate import evaluate
from graphc.ir import Graph, make
from graphc.loops import ir as L
from graphc.transforms import gradients
from tests.ops.test_attention import one
from tests.passes.test_attention import FORMS, THREE, normal, patterns, plain, product, softmax
from tests.thinned import thinned

from .numbers import assert_near, forward_graph, reverse_graph

Program = Callable[..., Any]
RTOL = {"float64": 1e-12, "float32": 1e-5, "float16": 1e-2, "bfloat16": 6e-2}


def loss_of(program: Program) -> Program:
    """A number that is not linear in the program's result."""

    def loss(*args: Any) -> Any:
        y = program(*args)
        return (y * np.cos(y)).astype("f4" if y.dtype.itemsize < 4 else y.dtype).sum()

    return loss


def gradient(program: Program, count: int) -> Any:
    return graphc.jit(graphc.value_and_grad(loss_of(program), argnums=tuple(range(count))))


def ops_of(function: Any, *arrays: np.ndarray) -> list[str]:
    """Of the graph and the bodies of its loops."""
    specs = [graphc.spec(a.shape, str(a.dtype)) for a in arrays]
    return names_in(function.lower(*specs).graph)


def names_in(graph: Graph) -> list[str]:
    found: list[str] = []
    for node in graph.nodes:
        found.append(node.op.name)
        if node.op.kind == "control":
            for value in node.attrs.values():
                found += names_in(value) if isinstance(value, Graph) else []
    return found


def close(found: Any, wanted: Any, rtol: float) -> None:
    """NaN at the same places; the rest within rtol of the greatest number."""
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    left, right = np.asarray(found).astype("f8"), np.asarray(wanted).astype("f8")
    np.testing.assert_array_equal(np.isfinite(left), np.isfinite(right))
    finite = np.isfinite(right)
    scale = np.abs(right[finite]).max(initial=0.1)
    np.testing.assert_allclose(left[finite], right[finite], rtol=0, atol=rtol * scale)


def check(
    monkeypatch: pytest.MonkeyPatch, program: Program, *arrays: np.ndarray,
    count: int | None = None, nodes: int = 1, rtol: float | None = None,
) -> None:  # fmt: skip
    """Compares value and gradient by the first `count` arguments with those of the whole matrix."""
    count = len(arrays) if count is None else count
    function = gradient(program, count)
    assert ops_of(function, *arrays).count("attention_gradient") == nodes
    found = function(*arrays)
    with monkeypatch.context() as patch:
        patch.setattr(gradients, "recognised", lambda results, params: results)
        whole = gradient(program, count)
        assert "attention_gradient" not in ops_of(whole, *arrays)
        wanted = whole(*arrays)
    rtol = RTOL[str(arrays[0].dtype)] if rtol is None else rtol
    for a, b in zip((found[0], *found[1]), (wanted[0], *wanted[1]), strict=True):
        close(a, b, rtol)


# -------------------------------------------------------------------------------- what is matched


@pytest.mark.parametrize(
    ("program", "shapes"), thinned(FORMS), ids=lambda p: getattr(p, "__name__", "")
)
def test_forms(
    monkeypatch: pytest.MonkeyPatch, program: Program, shapes: list[tuple[int, ...]]
) -> None:
    check(monkeypatch, program, *(normal(*s, seed=n) for n, s in enumerate(shapes)))


def self_attention(x: Any, w: Any, out: Any, heads: int = 4) -> Any:
    """A block as a network has it: one projection for q, k and v, heads, one projection back."""
    batch, length, width = x.shape
    parts = (x @ w).reshape(batch, length, 3, heads, width // heads)
    q, k, v = (parts[:, :, n].transpose(0, 2, 1, 3) for n in range(3))
    mask = np.tril(np.ones((length, length), bool))
    scores = np.where(mask, q @ k.transpose(0, 1, 3, 2) / np.sqrt(width / heads), -np.inf)
    mixed = softmax(scores.astype(x.dtype)) @ v
    return x + mixed.transpose(0, 2, 1, 3).reshape(batch, length, width) @ out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_self_attention_block(monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    shapes = ((2, 70, 32), (32, 96), (32, 32))
    arrays = [normal(*s, dtype=dtype, seed=n) / 4 for n, s in enumerate(shapes)]
    check(monkeypatch, self_attention, *arrays)


def test_layers_and_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = graphc.checkpoint(lambda x, w: x + plain(x @ w, x, x))

    def program(x: Any, w: Any) -> Any:
        return layer(layer(plain(x, x, x), w), w)

    check(monkeypatch, program, normal(2, 70, 12) / 2, normal(12, 12) / 4, nodes=3)


def test_layers_in_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    def program(x: Any, w: Any) -> Any:
        def layer(x: Any, w: Any) -> Any:
            return x + plain(x @ w, x, x), None

        return graphc.scan(layer, x, w)[0]

    arrays = [normal(2, 70, 12) / 2, normal(3, 12, 12) / 4]
    check(monkeypatch, program, *arrays)
    lowered = gradient(program, 2).lower(*(graphc.spec(a.shape, "float32") for a in arrays))
    assert lowered.stages.peak_bytes < 2 * 70 * 70 * 4 * 3


def test_a_maximum_that_is_a_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    def program(q: Any, k: Any, v: Any) -> Any:
        s = product(q, k)
        e = np.exp(s - graphc.stop_gradient(s.max(-1, keepdims=True)))
        return (e / e.sum(-1, keepdims=True)) @ v

    check(monkeypatch, program, *(normal(*s, seed=n) for n, s in enumerate(THREE)))


def stopped_sum(q: Any, k: Any, v: Any) -> Any:
    s = product(q, k)
    e = np.exp(s - s.max(-1, keepdims=True))
    return (e / graphc.stop_gradient(e.sum(-1, keepdims=True))) @ v


def stopped_scores(q: Any, k: Any, v: Any) -> Any:
    return softmax(graphc.stop_gradient(product(q, k))) @ v


def stopped_shift(q: Any, k: Any, v: Any) -> Any:
    s = product(q, k)
    m = s.max(-1, keepdims=True)
    total = np.log(np.exp(s - m).sum(-1, keepdims=True)) + graphc.stop_gradient(m)
    return np.exp(s - total) @ v


def weights_used(q: Any, k: Any, v: Any) -> Any:
    p = softmax(product(q, k))
    return p @ v + p.sum()


@pytest.mark.parametrize(
    "program", [stopped_sum, stopped_scores, stopped_shift, weights_used], ids=lambda p: p.__name__
)
def test_left_as_written(monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    arrays = [normal(*s, dtype="f8", seed=n) for n, s in enumerate(THREE)]
    check(monkeypatch, program, *arrays, nodes=0, rtol=1e-10)


def test_weights_that_are_returned_too() -> None:
    def loss(q: Any, k: Any, v: Any) -> Any:
        p = softmax(product(q, k))
        return (p @ v).sum(), p

    arrays = [normal(*s, seed=n) for n, s in enumerate(THREE)]
    found, weights = graphc.grad(loss, has_aux=True)(*arrays)
    assert weights.shape == (2, 70, 90) and found.shape == arrays[0].shape


# ------------------------------------------------------------------------------------------ values


SIZES = [
    ((), 64, 64, 8, 8, "float32"), ((2,), 65, 67, 5, 7, "float32"),
    ((2, 3), 100, 300, 64, 64, "float32"), ((1, 1), 200, 129, 33, 20, "float32"),
    ((3,), 128, 513, 16, 1, "float32"), ((2,), 17, 1000, 1, 3, "float32"),
    ((20,), 65, 70, 16, 16, "float32"), ((2,), 333, 130, 128, 130, "float32"),
    ((2,), 65, 67, 5, 7, "float64"), ((2,), 150, 300, 64, 64, "float64"),
    ((2,), 65, 67, 5, 7, "float16"), ((2,), 70, 129, 64, 32, "bfloat16"),
]  # fmt: skip


@pytest.mark.parametrize("size", thinned([(size,) for size in SIZES]), ids=str)
def test_sizes(monkeypatch: pytest.MonkeyPatch, size: Any) -> None:
    batch, queries, keys, depth, width, dtype = size
    shapes = ((queries, depth), (keys, depth), (keys, width))
    own = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    arrays = [normal(*batch, *s, seed=n).astype(own) for n, s in enumerate(shapes)]
    check(monkeypatch, plain, *arrays)


def test_against_the_formula() -> None:
    q, k, v, w = (normal(*s, dtype="f8", seed=n) for n, s in enumerate((*THREE, (2, 70, 10))))
    found = graphc.grad(lambda q, k, v: (plain(q, k, v) * w).sum(), argnums=(0, 1, 2))(q, k, v)
    scale = 12**-0.5
    p = softmax(q @ k.transpose(0, 2, 1) * scale)
    dp = w @ v.transpose(0, 2, 1)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True)) * scale
    formula = (ds @ k, ds.transpose(0, 2, 1) @ q, p.transpose(0, 2, 1) @ w)
    for a, b in zip(found, formula, strict=True):
        close(a, b, 1e-13)


def masked(q: Any, k: Any, v: Any, mask: Any) -> Any:
    return softmax(np.where(mask, product(q, k), -np.inf)) @ v


def biased(q: Any, k: Any, v: Any, bias: Any) -> Any:
    return softmax(product(q, k) / 3 + bias) @ v


@pytest.mark.parametrize("name", thinned(patterns(), 3))
def test_masks(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    mask = patterns()[name]
    arrays = [normal(*s, seed=n) for n, s in enumerate(THREE)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(monkeypatch, masked, *arrays, mask, count=3)
        check(monkeypatch, biased, *arrays, np.where(mask, 0, -1e9).astype("f4"), count=3)


@pytest.mark.parametrize("dtype", thinned(["bool", "f4", "i1"], 3))
def test_masks_in_whole_squares(monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    mask = np.random.default_rng(8).integers(0, 2, (2, 128, 208)).astype(dtype)

    def program(q: Any, k: Any, v: Any, mask: Any) -> Any:
        s = product(q, k)
        return softmax(np.where(mask != 0, s * s, s - 1e4)) @ v

    check(monkeypatch, program, *(normal(2, n, 16, seed=n) / 2 for n in (128, 208, 208)), mask,
          count=3)  # fmt: skip


def test_rows_of_large_negative_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where -1e9 masks a whole row, the logarithm of the sum must not be lost beside it."""
    bias = np.where(np.arange(70)[:, None] % 3 == 0, -1e9, 0).astype("f4") * np.ones(90, "f4")
    arrays = [normal(*s, seed=n) for n, s in enumerate(THREE)]
    check(monkeypatch, biased, *arrays, bias, count=3)


def test_a_row_without_keys_spoils_what_it_touches() -> None:
    """NaN where the sum of weights is 0, as without blocks: its values get weights that are NaN."""
    mask = np.ones((2, 70, 90), bool)
    mask[1, 3] = False
    arrays = [normal(*s, seed=n) for n, s in enumerate(THREE)]
    _, (dq, dk, dv) = gradient(masked, 3)(*arrays, mask)
    assert np.isfinite(dq).all() and np.isfinite(dk).all() and np.isfinite(dv[0]).all()
    assert np.isnan(dv[1]).all() and not dq[1, 3].any()  # the mask lets no cotangent through


@pytest.mark.parametrize("shape", [(2, 70, 90), (2, 1, 90), (90,)], ids=str)
def test_the_gradient_of_a_bias(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]) -> None:
    """It is made of the matrix of scores, and so are the others then."""
    arrays = [normal(*s, dtype="f8", seed=n) for n, s in enumerate((*THREE, shape))]
    check(monkeypatch, biased, *arrays, nodes=0, rtol=1e-12)


def test_rows_that_no_block_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attention fits, its gradient does not."""
    arrays = [normal(n, 900, dtype="f8", seed=n) / 8 for n in (70, 90, 91)]
    check(monkeypatch, plain, arrays[0], arrays[1], arrays[2][:90], nodes=0)


@pytest.mark.parametrize("heads", [1, 3, 20])
def test_the_number_of_threads_does_not_change_bits(heads: int) -> None:
    arrays = [normal(heads, n, 64, seed=n) for n in (700, 333, 333)]
    function = gradient(plain, 3)
    ensure_native()
    found = []
    try:
        for threads in (1, 2, 3):
            graphc_runtime.set_threads(threads)
            found.append(function(*arrays)[1])
    finally:
        graphc_runtime.set_threads(num_threads())
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_symbolic_extents() -> None:
    dims = {"q": "b, n, ...", "k": "b, m, ...", "v": "b, m, ..."}

    def loss(q: Any, k: Any, v: Any) -> Any:
        y = plain(q, k, v)
        return (y * np.cos(y)).sum()

    function = graphc.jit(graphc.grad(loss, argnums=(0, 1, 2)), dims=dims)
    fixed = graphc.jit(graphc.grad(loss, argnums=(0, 1, 2)))
    specs = [graphc.spec(("b", name, 12), "float32") for name in "nmm"]
    names = [node.op.name for node in function.lower(*specs).graph.nodes]
    assert names.count("attention_gradient") == 1
    for batch, queries, keys in ((2, 70, 90), (1, 1, 1), (3, 64, 128), (2, 1, 300), (0, 5, 5)):
        arrays = [normal(batch, n, 12, seed=s) for s, n in enumerate((queries, keys, keys))]
        for a, b in zip(function(*arrays), fixed(*arrays), strict=True):
            close(a, b, 1e-5)
    nothing = function(normal(2, 0, 12), normal(2, 3, 12), normal(2, 3, 12))
    assert nothing[0].shape == (2, 0, 12) and not nothing[1].any() and not nothing[2].any()
    assert function.cache_info().programs == 1


# ------------------------------------------------------------------------------------------ memory


def lowered(program: Program, length: int, heads: int = 2) -> Any:
    types = [graphc.spec((heads, length, 32), "float32") for _ in range(3)]
    return gradient(program, 3).lower(*types).stages


@pytest.mark.parametrize("heads", [1, 2, 32])
def test_no_matrix_of_scores_is_stored(heads: int) -> None:
    """Every buffer is linear in the number of positions, and so is the memory of a call."""

    def causal(q: Any, k: Any, v: Any) -> Any:
        n = q.shape[-2]
        return softmax(np.where(np.tri(n, dtype=bool), product(q, k) / 6, -np.inf)) @ v

    sizes = []
    for length in (1024, 2048, 4096):
        stages = lowered(causal, length, heads)
        for kernel in stages.kernels:
            for func in kernel.functions:
                for buffer in func.params:
                    assert ty.product(buffer.shape) < length * length * heads, buffer
        sizes.append(stages.peak_bytes)
    assert sizes[1] < 2.01 * sizes[0] and sizes[2] < 2.01 * sizes[1]


def test_all_five_products_are_in_register_tiles() -> None:
    stages = lowered(plain, 256)
    (kernel,) = [
        k for k in stages.kernels
        if any(isinstance(s, L.Alloc) and s.buffer.name.startswith("gt")
               for s in L.statements(k.naive.func.body))
    ]  # fmt: skip
    tiles = [
        loop
        for loop in L.statements(kernel.scheduled.func.body)
        if isinstance(loop, L.For) and loop.kind == "vector"
        for sums in loop.body
        if isinstance(sums, L.For)
        and sum(isinstance(s, L.Accumulate) and s.op == "add" for s in L.statements(sums.body)) > 1
    ]
    assert len(tiles) >= 5


# ----------------------------------------------------------------------------- other derivatives


def test_finite_differences() -> None:
    arrays = [normal(*s, dtype="f8", seed=n) for n, s in enumerate(((66, 3), (65, 3), (65, 2)))]
    graphc.check_grads(loss_of(plain), arrays, order=1)


def test_second_order() -> None:
    """The derivative of the gradient is written out in ordinary ops."""
    q, k, v = (normal(*s, dtype="f8", seed=n) for n, s in enumerate(((66, 3), (65, 3), (65, 2))))
    d = normal(66, 3, dtype="f8", seed=9)

    def loss(q: Any) -> Any:
        return loss_of(plain)(q, k, v)

    def slope(q: Any) -> Any:
        return (graphc.grad(loss)(q) * d).sum()

    step = 1e-5
    gradient = graphc.jit(graphc.grad(loss))
    wanted = (gradient(q + step * d) - gradient(q - step * d)) / (2 * step)
    for found in (
        graphc.jit(graphc.grad(slope))(q),
        graphc.hvp(loss, (q,), (d,))[0],
        graphc.vjp(graphc.grad(loss), q)[1](d)[0],
    ):
        close(found, wanted, 1e-7)


def test_batches_of_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mask that is the same for all is not repeated."""
    mask = np.tri(65, 66, dtype=bool)
    arrays = [normal(*s, dtype="f8", seed=n) for n, s in enumerate(((3, 65, 4), (66, 4), (66, 4)))]

    def program(q: Any, k: Any, v: Any, mask: Any) -> Any:
        each = graphc.grad(lambda q, k, v: loss_of(masked)(q, k, v, mask), argnums=(0, 1, 2))
        return graphc.vmap(each, in_axes=(0, None, None))(q, k, v)

    assert ops_of(graphc.jit(program), *arrays, mask).count("attention_gradient") == 1
    found = program(*arrays, mask)
    single = graphc.jit(graphc.grad(loss_of(masked), argnums=(0, 1, 2)))
    for n in range(3):
        wanted = single(arrays[0][n], *arrays[1:], mask)
        for a, b in zip(found, wanted, strict=True):
            close(a[n], b, 1e-12)


def test_vjp_and_jacrev() -> None:
    q, k, v = (normal(*s, dtype="f8", seed=n) for n, s in enumerate(((66, 3), (65, 3), (65, 2))))
    y, pull = graphc.vjp(plain, q, k, v)
    jacobian = graphc.jacrev(lambda q: plain(q, k, v)[:2])(q)
    forward = graphc.jacfwd(lambda q: plain(q, k, v)[:2])(q)
    close(jacobian, forward, 1e-12)
    g = np.zeros_like(y)
    g[1, 1] = 1.0
    close(pull(g)[0], jacobian[1, 1], 1e-12)


def test_the_logarithm_of_the_sum_has_a_derivative() -> None:
    graph = one((2,), 5, 7, 3, 4, ty.F64)
    (node,) = graph.nodes
    both = make(node.op, graph.params, {**node.attrs, "rows": True})
    graph = Graph.of("rows", graph.params, both.results)
    rng = np.random.default_rng(4)
    arrays = [rng.standard_normal(p.shape) for p in graph.params]
    y, top, log = evaluate(graph, arrays)
    close(evaluate(Graph.of("y", graph.params, node.results), arrays[:4])[0], y, 1e-15)
    q, k, _, m = arrays
    t = q @ k.transpose(0, 2, 1) + m
    close(top, t.max(-1), 0)
    close(top + log, np.log(np.exp(t).sum(-1)), 1e-14)
    back = reverse_graph(graph)
    g = [rng.standard_normal(r.shape) for r in graph.results]
    d = [rng.standard_normal(p.shape) for p in graph.params]
    found = evaluate(back, [*arrays, *g])
    pushed = evaluate(forward_graph(graph), [*arrays, *d])
    left = sum(float((a * b).sum()) for a, b in zip(found, d, strict=True))
    right = sum(float((a * b).sum()) for a, b in zip(pushed, g, strict=True))
    assert_near([np.array(left)], [np.array(right)], 1e-10, "the pairing")


def test_the_check_for_nan() -> None:
    arrays = [normal(*s, seed=n) for n, s in enumerate(THREE)]
    function = graphc.jit(graphc.grad(loss_of(plain)), debug="nan")
    close(function(*arrays), graphc.grad(loss_of(plain))(*arrays), 1e-5)
    arrays[0][0, 3] = 1e30
    with pytest.raises(graphc.NonFiniteError):
        function(arrays[0], arrays[1] * np.float32(1e10), arrays[2])
