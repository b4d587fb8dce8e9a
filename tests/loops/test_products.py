"""Nests that are products of matrices: what is made before, the product by NumPy, and what is left,
together make what the nest makes. For every program of the tests that has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pytest

import graphc
from graphc import types as ty
from graphc.compile import lower_graph
from graphc.device.products import call_of, is_turned
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops.evaluate import evaluate
from graphc.loops.factors import SUMS
from graphc.loops.lower import lower
from graphc.loops.products import Product, Strided, parts
from graphc.loops.verify import verify
from graphc.passes.fuse import fuse
from tests.codegen.test_cuda_contract import PROGRAMS as CONTRACTIONS
from tests.programs import PROGRAMS, M, N

Arrays = dict[str, np.ndarray]
ENV = {"n": 6, "m": 5, "k": 7, "b": 3}


def functions(graph: Graph) -> Iterator[L.LoopFunc]:
    for k, node in enumerate(graph.nodes):
        if node.op.name == "fusion":
            yield lower(node.attrs["body"], f"k{k}").func


def number(extent: ty.Extent, env: Mapping[str, int]) -> int:
    value = ty.substitute(extent, dict(env))
    assert isinstance(value, int)
    return value


def array(buffer: L.Buffer, env: Mapping[str, int], rng: np.random.Generator) -> np.ndarray:
    shape = tuple(number(e, env) for e in buffer.shape)
    if buffer.access != "in":
        return np.zeros(shape, buffer.dtype.numpy)
    return (rng.integers(-4, 5, shape) / 4).astype(buffer.dtype.numpy)


def view(matrix: Strided, arrays: Arrays, shape: tuple[int, int, int], env: Mapping[str, int],
         ) -> np.ndarray:  # fmt: skip
    """The batch of matrices; every element is inside the buffer."""
    flat = arrays[matrix.buffer.name].reshape(-1)
    steps = [number(s, env) for s in (matrix.batch, matrix.row, matrix.column)]
    first = number(matrix.offset, env)
    last = first + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    assert 0 <= first <= last < flat.size
    nbytes = tuple(s * flat.itemsize for s in steps)
    return np.lib.stride_tricks.as_strided(flat[first:], shape, nbytes)


def by_columns(found: Product, arrays: Arrays, env: Mapping[str, int]) -> None:
    """The product as a library sees it (`call_of`): buffers as matrices by columns."""
    call = call_of(found, env, False)
    assert call is not None
    sources = (found.left, found.right) if is_turned(found) else (found.right, found.left)

    def columns(strided: Strided, matrix: object) -> np.ndarray:
        flat = arrays[strided.buffer.name].reshape(-1)[number(strided.offset, env) :]
        rows, width, ld, stride = (getattr(matrix, n) for n in ("rows", "columns", "ld", "stride"))
        assert ld >= rows
        size = flat.itemsize
        return np.lib.stride_tricks.as_strided(
            flat, (call.batch, rows, width), (stride * size, size, ld * size)
        )

    a, b = columns(sources[0], call.a), columns(sources[1], call.b)
    a = a.transpose(0, 2, 1) if call.transpose_a else a
    b = b.transpose(0, 2, 1) if call.transpose_b else b
    inner = SUMS[call.dtype].numpy
    columns(found.result, call.d)[...] = (a.astype(inner) @ b.astype(inner)).astype(
        call.result.numpy
    )


def by_rows(found: Product, arrays: Arrays, env: Mapping[str, int]) -> None:
    """The product as NumPy sees it."""
    m, n, k, batch = (number(e, env) for e in (found.m, found.n, found.k, found.batch))
    inner = SUMS[found.dtype].numpy
    left = view(found.left, arrays, (batch, m, k), env).astype(inner)
    right = view(found.right, arrays, (batch, k, n), env).astype(inner)
    result = view(found.result, arrays, (batch, m, n), env)
    result[...] = (left @ right).astype(result.dtype)


def open_(func: L.LoopFunc) -> L.LoopFunc:
    """With what it allocates as parameters."""
    own = tuple(s.buffer for s in func.body if isinstance(s, L.Alloc))
    body = tuple(s for s in func.body if not isinstance(s, L.Alloc))
    return L.LoopFunc(func.name, (*func.params, *own), func.symbols, body)


def run(whole: Sequence[L.LoopFunc | Product], arrays: Arrays, env: Mapping[str, int],
        multiply: Callable[..., None]) -> None:  # fmt: skip
    """Everything that the function does, in parts."""
    for func in whole:
        for stmt in func.body if isinstance(func, L.LoopFunc) else ():
            if isinstance(stmt, L.Alloc):
                shape = tuple(number(e, env) for e in stmt.buffer.shape)
                assert stmt.buffer.name not in arrays
                arrays[stmt.buffer.name] = np.full(shape, 77, stmt.buffer.dtype.numpy)
    for part in whole:
        if isinstance(part, Product):
            multiply(part, arrays, env)
        else:
            evaluate(verify(open_(part)), arrays, env)


def check(func: L.LoopFunc) -> int:
    """Compares the nest with its parts; so many of them are products."""
    whole = parts(func, lambda found: True)
    if whole is None:
        return 0
    env = {name: ENV.get(name, 4) for name in func.symbols}
    products = [one for one in whole if isinstance(one, Product)]
    work = sum(number(one.m * one.n * one.k * one.batch, env) for one in products)
    if work > 60_000:
        return 0  # the evaluator of loops is slow
    rng = np.random.default_rng(0)
    wanted = {b.name: array(b, env, rng) for b in func.params}
    kept = {name: a.copy() for name, a in wanted.items()}
    evaluate(func, wanted, env)
    for multiply in (by_rows, by_columns):
        arrays = {name: a.copy() for name, a in kept.items()}
        run(whole, arrays, env, multiply)
        for buffer in func.params:
            rtol = {"f16": 2e-2, "bf16": 1e-1, "f32": 1e-4}.get(buffer.dtype.name, 1e-9)
            a, b = (one[buffer.name].astype(np.complex128) for one in (arrays, wanted))
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol, err_msg=f"{buffer.name}\n{func}")
    return len(products)


def test_contractions() -> None:
    found = [
        name
        for name, (graph, _) in CONTRACTIONS.items()
        for f in functions(fuse(graph))
        if check(f)
    ]
    assert len(found) > 20
    assert not [name for name in found if "i8" in name or "i32" in name]


def test_programs() -> None:
    graphs = (lower_graph(program.graph(N, M)).optimised.graph for program in PROGRAMS.values())
    assert sum(check(f) for graph in graphs for f in functions(graph)) > 3


@pytest.mark.parametrize("gradient", [False, True])
def test_a_network(gradient: bool) -> None:
    def loss(w, x, y):
        h = np.tanh(x @ w[0] + w[1])
        h = np.maximum(h @ w[2], 0)
        return ((h @ w[3] - y) ** 2).mean() + (h.T @ h).sum() + np.exp(h @ w[2].T).sum(axis=1).max()

    sizes = ((9, 12), (12,), (12, 10), (10, 6))
    specs = (
        [graphc.spec(s, "f32") for s in sizes],
        *(graphc.spec(s, "f32") for s in ((8, 9), (8, 6))),
    )
    function = graphc.jit(graphc.grad(loss) if gradient else loss)
    graph = lower_graph(function.lower(*specs).graph).optimised.graph
    assert sum(check(f) for f in functions(graph)) == (11 if gradient else 5)
