"""The register tile of a contraction, by the width of vectors and the number of registers."""

from __future__ import annotations

import re

import pytest

from graphc import types as ty
from graphc.codegen.target import Target
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops.contraction import Contraction, match
from graphc.loops.flatten import collapse, flatten
from graphc.loops.lower import lower
from graphc.loops.machine import Machine
from graphc.loops.shapes import Shape, choose
from graphc.types import C64, F32, F64, I32, DType
from tests.codegen.test_programs import TARGETS
from tests.compiled import lowered_graph
from tests.programs import dot, tensor

TILES = {
    (16, 16): (8, 6),
    (16, 32): (8, 14),
    (32, 16): (16, 6),
    (32, 32): (16, 14),
    (64, 16): (32, 6),
    (64, 32): (32, 14),
}
"""(vector_bytes, registers): (lanes, height) of a product of f32."""
FLAT = {
    (16, 16): (8, 6),
    (16, 32): (16, 6),
    (32, 16): (16, 6),
    (32, 32): (32, 6),
    (64, 16): (32, 6),
    (64, 32): (64, 6),
}
"""The same of a large one, whose rows are read in place."""


def product(n: ty.Extent, k: ty.Extent, m: ty.Extent, dtype: DType) -> Graph:
    a, b = tensor(dtype, n, k), tensor(dtype, k, m, name="b")
    return Graph.of("f", (a, b), (dot(a, b),))


def nest(graph: Graph) -> Contraction:
    (loop,) = (s for s in collapse(flatten(lower(graph, "f").func)).body if isinstance(s, L.For))
    found = match(loop)
    assert found is not None
    return found


def shape(graph: Graph, vector_bytes: int, registers: int) -> Shape:
    found = choose(nest(graph), Machine(vector_bytes, registers))
    assert found is not None
    return found


@pytest.mark.parametrize("machine", TILES, ids=str)
def test_the_tile_fills_the_registers(machine: tuple[int, int]) -> None:
    found = shape(product(1008, 128, 1024, F32), *machine)
    assert (found.lanes, found.height) == TILES[machine]
    found = shape(product(1008, 512, 1024, F32), *machine)
    assert (found.lanes, found.height) == FLAT[machine] and not found.pack_rows


@pytest.mark.parametrize("machine", TILES, ids=str)
@pytest.mark.parametrize("dtype", [F32, F64, I32, C64], ids=str)
@pytest.mark.parametrize(
    "sizes", [(1024, 1024, 1024), (128, 784, 128), (30, 40, 50), (8, 9, 16), (5, 300, 10)], ids=str
)
def test_the_tile_never_spills(
    machine: tuple[int, int], dtype: DType, sizes: tuple[int, int, int]
) -> None:
    vector_bytes, registers = machine
    one = nest(product(*sizes, dtype=dtype))
    found = choose(one, Machine(vector_bytes, registers))
    if found is None:
        return
    width = found.lanes // found.vector
    assert found.vector == max(2, vector_bytes // dtype.real.nbytes)
    assert found.lanes == width * found.vector
    sums, columns, rows = len(one.sums), len(one.column_operands), len(one.row_operands)
    assert sums * width * found.height + columns * width + rows <= registers


SUMS = {"neon": r"\tfmla\t", "avx2": r"\tvfmadd231p", "avx512": r"\tvfmadd231p"}
ON = {
    "neon": Target("aarch64-unknown-linux-gnu", "neoverse-n1", "+neon,+fp-armv8"),
    "avx2": TARGETS["avx2"],
    "avx512": TARGETS["avx512"],
}


@pytest.mark.parametrize("sizes", [(256, 256, 256), (96, 256, 128), (250, 253, 250)], ids=str)
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("name", ON)
def test_the_inner_loop_keeps_its_tile_in_registers(
    name: str, dtype: DType, sizes: tuple[int, int, int]
) -> None:
    """Nothing is stored in it, and nothing but the rows and the columns is loaded. On NEON all
    rows but the first, which is loaded into all lanes, are multiplied from lane 0.
    """
    target = ON[name]
    text = lowered_graph(product(*sizes, dtype), target=target).text("asm")
    blocks = re.split(r"(?m)^\.\w+:|\t(?:b\.|j)\w+\t.*$", text)
    inner = max(blocks, key=lambda block: len(re.findall(SUMS[name], block)))
    found = shape(product(*sizes, dtype), target.isa.vector_bits // 8, target.isa.registers)
    width = found.lanes // found.vector
    assert found.height >= 5
    assert found.height * width + width + 1 <= target.isa.registers
    assert len(re.findall(SUMS[name], inner)) == found.height * width
    assert not re.findall(r"\t(?:str|stp|stur)\t|\[sp|\(%rsp\)|%[xyz]mm\d+, \S*\(", inner), inner
    if name == "neon":
        by_element = re.findall(r"\tfmla\t.*\.[sd]\[0\]", inner)
        assert len(by_element) == (found.height - 1) * width


def test_blocks_follow_the_second_cache() -> None:
    """A larger one holds larger blocks of rows, and groups of sums that wait."""
    one = nest(product(2000, 200, 4096, F32))

    def found(l2_bytes: int) -> Shape:
        shape = choose(one, Machine(64, 32, l2_bytes=l2_bytes))
        assert shape is not None
        return shape

    small, middle, large = (found(l2) for l2 in (256 << 10, 1 << 20, 4 << 20))
    assert small.block_rows < middle.block_rows < large.block_rows
    for shape, l2 in ((small, 256 << 10), (middle, 1 << 20), (large, 4 << 20)):
        assert shape.block_rows * 200 * 4 <= l2 // 2
    one = nest(product(2000, 3000, 4096, F32))
    small, middle, large = (found(l2) for l2 in (256 << 10, 1 << 20, 4 << 20))
    assert small.slice == middle.slice == large.slice > 0, "a matter of accuracy"
    assert small.group < large.group


# ------------------------------------------------------------------------------------ wide ports

WIDE_PORTS = Machine(64, 32, wide_ports=True)


@pytest.mark.parametrize(
    ("sizes", "columns", "block"),
    [
        ((64, 64, 64), "", None),
        ((128, 128, 128), "block", 64),
        ((256, 256, 256), "once", None),
        ((128, 784, 128), "once", None),
        ((16, 256, 256), "", None),
        ((4096, 64, 64), "", None),
        ((2048, 2048, 2048), "once", 1024),
    ],
    ids=str,
)
def test_where_ports_are_wide(sizes: tuple[int, int, int], columns: str, block: int | None) -> None:
    """Flat tiles with rows in place; more than few columns are copied, since loads of NumPy's
    arrays cross lines; larger blocks of rows."""
    found = choose(nest(product(*sizes, F32)), WIDE_PORTS)
    assert found is not None
    assert (found.lanes, found.height, found.pack_rows) == (64, 6, False) or sizes[0] == 16
    assert found.pack_columns == columns
    assert block is None or found.block_rows == block


def test_transposed_rows_where_ports_are_wide() -> None:
    a, b = tensor(F32, 512, 784), tensor(F32, 512, 128, name="b")
    graph = Graph.of("f", (a, b), (dot(a, b, ((0,), (0,))),))
    found, other = choose(nest(graph), WIDE_PORTS), choose(nest(graph), Machine(64, 32))
    assert found is not None and other is not None
    assert found.pack_rows and not other.pack_rows


def test_narrow_columns_where_ports_are_wide() -> None:
    found = choose(nest(product(1024, 64, 32, F32)), WIDE_PORTS)
    assert found is not None and found.lanes == 32
