"""Contractions in machine code for narrower processors: SSE2 only, AVX2 only, AVX-512 without dots,
and all that this one has. Their values, and that their register tiles fit.
"""

from __future__ import annotations

import numpy as np
import pytest

from graphc.codegen.llvm_values import Isa
from graphc.codegen.target import Target, host_target
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops.contract import Scheduled as Blocks
from graphc.passes import winograd as winograd_pass
from graphc.types import BF16, F32, F64, I8, I32, DType
from tests.codegen.test_programs import TARGETS, X86, has
from tests.compiled import compiled, lowered_graph
from tests.loops import test_dots
from tests.loops.test_dots import arrays_of
from tests.programs import arguments, conv, dot, op, reduce, tensor
from tests.random_graphs import assert_close, tolerances

ALL_TARGETS = {**TARGETS, "host": host_target()}
NEON = Target("aarch64-unknown-linux-gnu", "neoverse-n1", "+neon,+fp-armv8")
PRODUCTS: dict[str, tuple[DType, DType]] = {
    "f32": (F32, F32), "f64": (F64, F64), "bf16": (BF16, F32), "i8": (I8, I32),
}  # fmt: skip
SIZES = [(64, 64, 64), (37, 29, 43), (9, 801, 33), (200, 40, 300)]
"""The last: rows and columns of several blocks and panels, with edges."""


def product(dtype: str, sizes: tuple[int, int, int]) -> Graph:
    given, to = PRODUCTS[dtype]
    return test_dots.product(*sizes, given, given, to)


def image(stride: int, outside: int) -> Graph:
    x, w = tensor(F32, 2, 13, 11, 5), tensor(F32, 3, 3, 5, outside, name="w")
    made = conv(x, w, stride=(stride, stride), low=(1, 1), high=(1, 1))
    return Graph.of("f", (x, w), (op("max", made, 0.0),))


def attention(masked: bool) -> Graph:
    q, k, v = (tensor(F32, 2, n, 16, name=s) for s, n in (("q", 70), ("k", 67), ("v", 67)))
    scores = op("mul", dot(q, k, ((2,), (2,)), 1), 0.25)
    params = [q, k, v]
    if masked:
        params.append(tensor(F32, 2, 70, 67, name="mask"))
        scores = op("add", scores, params[-1])
    e = op("exp", op("sub", scores, reduce(scores, "max", 2, keep=True)))
    p = op("div", e, reduce(e, "sum", 2, keep=True))
    return Graph.of("f", params, (dot(p, v, ((2,), (1,)), 1),))


def blocks_of(graph: Graph, target: Target, passes: bool = False) -> list[Blocks]:
    """The contractions of a graph that are written in blocks."""
    kernels = lowered_graph(graph, passes=passes, target=target).kernels
    return [k.schedule.blocks for k in kernels if k.schedule.blocks is not None]


def assert_right(
    graph: Graph, target: Target, arrays: list[np.ndarray] | None = None, passes: bool = False
) -> None:
    """Of what this processor can run."""
    arrays = arguments(graph) if arrays is None else arrays
    got = compiled(graph, target=target, passes=passes)(*arrays)
    assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


def runnable(name: str) -> Target:
    if not has(ALL_TARGETS[name]):
        pytest.skip(f"this processor does not run {name}")
    return ALL_TARGETS[name]


@X86
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("dtype", PRODUCTS)
@pytest.mark.parametrize("target", ALL_TARGETS)
def test_products(target: str, dtype: str, sizes: tuple[int, int, int]) -> None:
    graph = product(dtype, sizes)
    assert_right(graph, runnable(target), arrays_of(graph))


@X86
@pytest.mark.parametrize("outside", [7, 40])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("target", ALL_TARGETS)
def test_convolutions(target: str, stride: int, outside: int) -> None:
    assert_right(image(stride, outside), runnable(target))


@X86
@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("target", ALL_TARGETS)
def test_winograd(target: str, m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd_pass, "edge", lambda *sizes: m)
    graph = image(1, 19)
    assert "tiles(" in str(lowered_graph(graph, passes=True).text("passes"))
    arrays = arguments(graph)
    got = compiled(graph, target=runnable(target), passes=True)(*arrays)
    (wanted,) = evaluate(graph, arrays)
    np.testing.assert_allclose(got[0], wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


@X86
@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("target", ALL_TARGETS)
def test_attention(target: str, masked: bool) -> None:
    graph = attention(masked)
    assert "attention(" in lowered_graph(graph, passes=True).text("passes")
    arrays = arguments(graph)
    got = compiled(graph, target=runnable(target), passes=True)(*arrays)
    np.testing.assert_allclose(got[0], evaluate(graph, arrays)[0], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("dtype", PRODUCTS)
@pytest.mark.parametrize("target", [*TARGETS.values(), NEON], ids=[*TARGETS, "neon"])
def test_the_tile_fits_the_registers_of_the_target(target: Target, dtype: str) -> None:
    """As wide as its vectors, as tall as its registers allow."""
    (blocks,) = blocks_of(product(dtype, (1008, 512, 1024)), target)
    nest, shape, isa = blocks.nest, blocks.shape, target.isa
    width = shape.lanes // shape.vector
    sums = len(nest.sums) * width * shape.height
    assert shape.vector == isa.vector_bits // (64 if dtype == "f64" else 32)
    assert sums + len(nest.column_operands) * width + len(nest.row_operands) <= isa.registers
    assert sums >= isa.registers * 2 // 3, "most registers hold sums"


def test_avx2_without_the_name_of_avx_has_vectors_of_256_bits() -> None:
    """LLVM takes +avx2 for +avx too; the tests of AVX2 ran in halves of registers before."""
    assert Isa.of("x86_64", "+avx2,+fma").vector_bits == 256
    assert Isa.of("x86_64", "+sse4.2").vector_bits == 128


def test_wider_targets_have_larger_tiles() -> None:
    tiles = []
    for target in TARGETS.values():
        (blocks,) = blocks_of(product("f32", (1008, 512, 1024)), target)
        tiles.append((blocks.shape.height, blocks.shape.lanes))
    assert tiles == [(6, 8), (6, 16), (6, 64)]
