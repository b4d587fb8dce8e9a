"""Contractions of narrow numbers, several terms at a time: exact for integers, on every target."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import types as ty
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops.lower import lower
from graphc.loops.machine import Machine
from graphc.loops.schedule import schedule
from graphc.loops.verify import verify
from graphc.opdef import lookup
from graphc.types import BF16, F16, F32, F64, I8, I16, I32, I64, U8, U16, DType
from tests.codegen.test_programs import TARGETS, X86, has
from tests.compiled import compiled, lowered_graph
from tests.loops.running import run_graph, set_limits
from tests.programs import N, tensor
from tests.random_graphs import assert_close, tolerances
from tests.thinned import thinned

DOTS = frozenset({"dot_bf16", "dot_i16", "dot_u8_i8"})
MACHINES = tuple(
    Machine(b, r, dots=d)
    for b, r, d in ((16, 16, frozenset({"dot_i16"})), (32, 16, DOTS), (64, 32, DOTS))
)
PAIRS = [(I8, I8, I32), (U8, I8, I32), (I8, U8, I32), (U8, U8, I32), (I16, I16, I32),
         (BF16, BF16, F32), (BF16, BF16, BF16)]  # fmt: skip
OTHERS = [(F16, F16, F16), (F16, F16, F32), (F32, F32, F32), (F64, F64, F64), (U16, U16, I64),
          (I16, I16, I16), (I8, I8, I8), (I32, I32, I32), (I64, I64, I64),
          (ty.C64, ty.C64, ty.C64), (ty.C128, ty.C128, ty.C128)]  # fmt: skip


def product(
    n: ty.Extent, k: ty.Extent, m: ty.Extent, a: DType, b: DType, to: DType,
    left: bool = False, right: bool = False,
) -> Graph:  # fmt: skip
    """a @ b in the dtype `to`, either operand transposed."""
    x = tensor(a, k, n) if left else tensor(a, n, k)
    y = tensor(b, m, k, name="b") if right else tensor(b, k, m, name="b")
    attrs = {"contract": ((0 if left else 1,), (1 if right else 0,)), "batch": ((), ())}
    if to is not a or a is not b:
        attrs["dtype"] = to  # type: ignore[assignment]
    return Graph.of("f", (x, y), (lookup("dot")(x, y, **attrs),))


def arrays_of(graph: Graph, seed: int = 3) -> list[np.ndarray]:
    """Numbers over the whole range of integers, the extremes often."""
    rng = np.random.default_rng(seed)
    found = []
    for value in graph.params:
        dtype = value.type.dtype
        if dtype.is_integer:
            info = np.iinfo(dtype.numpy)
            x = rng.integers(info.min, info.max, value.shape, dtype.numpy, endpoint=True)
            edge = rng.random(value.shape)
            x[edge < 0.2], x[edge > 0.8] = info.min, info.max
        else:
            x = rng.standard_normal(value.shape).astype(dtype.numpy)
            if dtype.is_complex:
                x = x + 1j * rng.standard_normal(value.shape).astype(dtype.numpy)
        found.append(np.asarray(x, dtype.numpy))
    return found


def used(func: L.LoopFunc) -> set[str]:
    """The dots that a function holds."""
    return {
        e.op
        for s in L.statements(func.body)
        for x in L.expressions(s)
        for e in L.walk(x)
        if isinstance(e, L.Scalar) and e.op.startswith("dot_")
    }


def scheduled(graph: Graph, machine: Machine) -> L.LoopFunc:
    return verify(schedule(lower(graph, "f"), machine).func, "cpu")


@pytest.mark.parametrize("dtypes", thinned([(p,) for p in PAIRS]), ids=str)
def test_products_in_words(
    monkeypatch: pytest.MonkeyPatch, dtypes: tuple[DType, DType, DType]
) -> None:
    set_limits(
        monkeypatch,
        block_bytes=4000,
        SLICE_TERMS=2,
        group_bytes=2000,
    )
    for left, right in ((False, False), (True, False), (False, True)):
        graph = product(21, 19, 33, *dtypes, left=left, right=right)
        arrays = arrays_of(graph)
        for machine in MACHINES if not left and not right else MACHINES[-1:]:
            got = run_graph(graph, arrays, {}, machine)
            assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


def test_which_dots_are_chosen() -> None:
    wide = MACHINES[-1]

    def chosen(*args: ty.Extent | DType, machine: Machine = wide) -> set[str]:
        return used(scheduled(product(*args), machine))  # type: ignore[arg-type]

    assert chosen(64, 64, 64, BF16, BF16, F32) == {"dot_bf16"}
    assert chosen(64, 64, 64, I16, I16, I32) == {"dot_i16"}
    assert chosen(64, 64, 64, U8, U8, I32) == {"dot_i16"}
    assert chosen(64, 64, 64, I8, I8, I32) == {"dot_u8_i8"}
    assert chosen(N, 64, 64, U8, I8, I32) == {"dot_u8_i8"}
    assert chosen(64, 64, N, I8, U8, I32) == {"dot_u8_i8"}
    assert chosen(64, 64, 64, I8, I8, I32, machine=MACHINES[0]) == {"dot_i16"}
    assert chosen(64, 64, 64, I8, I8, I32, machine=Machine()) == set()
    assert chosen(64, N, 64, I8, I8, I32) == set()  # how many terms there are is not known
    assert chosen(64, 2, 64, I8, I8, I32) == set()  # one word is no sum
    assert chosen(64, 64, 64, F16, F16, F16) == set()
    assert chosen(64, 64, 64, I32, I32, I32) == set()


@X86
@pytest.mark.parametrize("target", [None, *TARGETS.values()], ids=["host", *TARGETS])
@pytest.mark.parametrize("dtypes", [*PAIRS, *OTHERS], ids=str)
def test_every_dtype_on_every_target(target: object, dtypes: tuple[DType, DType, DType]) -> None:
    """Integers are exact, floats within n units of the accumulator's last place."""
    for n, k, m in ((70, 67, 65), (9, 4101, 17))[: 2 if dtypes in PAIRS else 1]:
        graph = product(n, k, m, *dtypes)
        if target is not None and not has(target):  # type: ignore[arg-type]
            assert "define" in lowered_graph(graph, target=target).llvm
            continue
        arrays = arrays_of(graph)
        (got,) = compiled(graph, target=target)(*arrays)
        assert_product(got, arrays, dtypes[2])


def assert_product(got: np.ndarray, arrays: list[np.ndarray], to: DType) -> None:
    """Against f64 (f64 against long doubles); integers against 64 bits that wrap."""
    assert got.dtype == to.numpy
    a, b = arrays
    if to.is_integer:
        expected = (a.astype(np.int64) @ b.astype(np.int64)).astype(to.numpy)
        np.testing.assert_array_equal(got, expected)
        return
    wide = np.clongdouble if to.is_complex else np.longdouble
    exact = np.einsum("ik,kj->ij", a.astype(wide), b.astype(wide))
    scale = np.abs(a.astype(wide)) @ np.abs(b.astype(wide))
    unit = {"f64": 2.0**-53, "c128": 2.0**-53}.get(to.name, 2.0**-24)
    last = {"f16": 2.0**-11, "bf16": 2.0**-8}.get(to.name, 0.0)
    allowed = (a.shape[1] + 2) * unit * scale + last * np.abs(exact)
    assert np.all(np.abs(got.astype(wide) - exact) <= allowed)


@pytest.mark.parametrize("dtypes", PAIRS, ids=str)
def test_batches_images_and_what_follows(dtypes: tuple[DType, DType, DType]) -> None:
    """The words of a batch are packed in the batch; the words of an image run along channels."""
    a, b, to = dtypes
    x, y = tensor(a, 3, 20, 30), tensor(b, 3, 30, 40, name="y")
    attrs = {"contract": ((2,), (1,)), "batch": ((0,), (0,))}
    extra = {} if to is a is b else {"dtype": to}
    graph = Graph.of("f", (x, y), (lookup("dot")(x, y, **attrs, **extra),))
    arrays = arrays_of(graph)
    assert_close(compiled(graph)(*arrays), evaluate(graph, arrays), tolerances(graph, arrays))
    image, kernel = tensor(a, 2, 9, 9, 7), tensor(b, 3, 3, 7, 20, name="kernel")
    windows = {
        "stride": (1, 1), "low": (1, 1), "high": (1, 1), "lhs_dilation": (1, 1),
        "rhs_dilation": (1, 1), "groups": 1, "batch_groups": 1,
        "lhs": (0, 3, 1, 2), "rhs": (3, 2, 0, 1), "out": (0, 3, 1, 2),
    }  # fmt: skip
    node = lookup("conv")(image, kernel, **windows, **extra)
    graph = Graph.of("f", (image, kernel), (node,))
    arrays = arrays_of(graph)
    assert_close(compiled(graph)(*arrays), evaluate(graph, arrays), tolerances(graph, arrays))


def test_subnormal_numbers_may_count_as_zero_in_sums_of_bf16() -> None:
    """What AVX512-BF16 does; nothing else is lost."""
    graph = product(40, 32, 40, BF16, BF16, F32)
    arrays = [
        np.full(p.shape, v, BF16.numpy) for p, v in zip(graph.params, (1e-39, 1.0), strict=True)
    ]
    (got,) = compiled(graph)(*arrays)
    exact = 32 * float(arrays[0][0, 0])
    assert np.all((got == 0) | (np.abs(got - exact) <= 1e-6 * exact))
    arrays[0][...] = np.inf
    (got,) = compiled(graph)(*arrays)
    assert np.all(np.isposinf(got))
    arrays[1][...] = 0
    (got,) = compiled(graph)(*arrays)
    assert np.all(np.isnan(got))


@pytest.mark.parametrize("dtypes", PAIRS, ids=str)
def test_transposed_operands(dtypes: tuple[DType, DType, DType]) -> None:
    """Columns that run along the terms go through squares, the last of which may end in zeros."""
    for k in (64, 67, 130):
        for left, right in ((False, True), (True, False), (True, True)):
            graph = product(40, k, 70, *dtypes, left=left, right=right)
            arrays = arrays_of(graph)
            (got,) = compiled(graph)(*arrays)
            a, b = (x.T if t else x for x, t in zip(arrays, (left, right), strict=True))
            assert_product(got, [a, b], dtypes[2])
