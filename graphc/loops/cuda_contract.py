"""Tiles of a contraction on CUDA: shared memory, registers, tensor cores.

    for i: for j: acc = 0; for k: acc += f(x[i, k], z[k, j]); y[i, j] = g(acc)

    for by: for bx in block:                                    a tile of the result
        for warp(8): for lane(32) in thread:
            acc[...] = 0; fetch slice 0
            for s: fill the tiles; barrier; fetch slice s + 1
                for k of the slice: acc[u, v] += f(left[k, u], right[k, v]); barrier
            for u: for v: if inside: y[i + u, j + v] = g(acc[u, v])

The nest is taken apart by contraction.py, as for the CPU. Loops around that one side does not
depend on join the other side's axis (the places of an image are rows of its convolution), the rest
is the grid's z. Each thread sums 8 x 8, 8 x 4, 4 x 8 or 4 x 4 results, term by term in order, so
the bits are those of the naive loops but for the fused multiply-add. Where both sides are 16-bit
floats that are summed in f32, or signed bytes that are summed in i32, or numbers that are summed in
f64, or in f32 if they may be rounded to tf32, warps multiply on tensor cores (`ir.Mma`), 8 to 32
terms at a time.

Few results of many terms would leave processors without a tile: then the terms are cut into parts,
tiles of which go to workspace, and a second kernel adds these in order and ends with g.

The kernels: cuda_writers.py, of 16-bit floats cuda_staged.py, of f32 and f64 cuda_numbers.py, on
sm_90 cuda_wgmma.py. How slices come to shared memory: cuda_tiles.py. Small products keep their
threads: None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .. import types as ty
from ..types import BF16, F16, F32, F64, I8, I32, Dim
from . import contraction
from . import cuda_access as A
from . import ir as L
from .contraction import Contraction
from .cuda_nests import Names, ceil_div, neutral_of, symbol
from .cuda_numbers import Doubles, Tf32
from .cuda_staged import Staged
from .cuda_tiles import Axis
from .cuda_wgmma import Grouped
from .cuda_writers import PART, Bytes, Parts, Plain, Writer
from .ir import Accumulate, Alloc, Expr, For, Index, Load, Stmt, Store

LEAST = 16
"""Rows and columns below this keep one thread for each result."""
LEAST_TERMS = 8
PROCESSORS = 108
"""Of an A100; an H100 has 132."""
EFFICIENCY = {(8, 8): 1.0, (8, 4): 0.8, (4, 8): 0.8, (4, 4): 0.6}
"""Of a tile with so many rows and columns to a thread: what it reads of shared memory for its
sums."""
STAGED_EFFICIENCY = {(8, 16): 1.0, (8, 8): 0.8, (8, 4): 0.6, (4, 8): 0.6, (4, 4): 0.45}
"""The same of 16-bit floats and tf32 on tensor cores."""
DOUBLE_EFFICIENCY = {(8, 8): 1.0, (4, 8): 0.9, (8, 4): 0.85, (4, 4): 0.75}
"""The same of f64: products take so long that shared memory waits for them; what is lost is read
again from the second cache."""
DOUBLES = ("sm_80", "sm_90", "sm_100")
"""Architectures whose tensor cores multiply f64 at least as fast as their multiply-adds do. Others
have few units of f64 for either: on sm_120 ptxas leaves 584 cycles to a product of m8n8k4, and 64
to the multiply-add of a warp, eight of which are as much."""
STAGED_PROCESSORS = 132
GROUPED_EFFICIENCY = {(8, 16): 2.4, (8, 8): 1.8, (8, 4): 1.1}
"""The same of products of four warps, in the same unit: guesses, for none has run yet."""
GROUPED = ("sm_90",)
"""Architectures that have them."""
PART_TERMS = 256
"""Terms below this are not worth a part of their own."""
ACCUMULATORS = 64
"""32-bit registers that a thread sums in."""


def contract_cuda(
    names: Names, loop: For, arch: str | None = None, tf32: bool = False
) -> tuple[For, For | None] | None:
    """The kernel of a parallel nest that is a contraction, and the nest that follows it where the
    terms were cut into parts; None where it is none, or too small. With `arch` it may need what
    that architecture has and others have not; with `tf32` operands of f32 may be rounded to it."""
    found = (_parts(nest, tf32) for nest in _nests(names, loop))
    parts = next(filter(None, found), None)
    if parts is None:
        return None
    writer = next((w for w in _writers(names, parts, arch) if w.fits), None)
    if writer is None:
        return None
    count = writer.count
    after: For | None = None
    if count > 1:
        writer.parts, after = _split(names, parts, count)
    return writer.kernel(), after


# ------------------------------------------------------------------------------------- the nest


def _nests(names: Names, loop: For) -> Iterator[Contraction]:
    """What the nest is as a contraction: as it stands, then with its groups in a loop of their own
    and another loop as the rows (in an image with channels first, the last two are places)."""
    nest = contraction.match(loop)
    if nest is not None:
        yield nest
    loops, core = _grouped(names, *A.chain(A.perfect(loop), names.symbols, mapped=True))
    for k in reversed(range(len(loops) - 1)):
        made = core
        for one in reversed((*loops[:k], *loops[k + 1 : -1], loops[k], loops[-1])):
            made = (replace(one, body=made),)
        (whole,) = made
        nest = contraction.match(whole) if isinstance(whole, For) else None
        if nest is not None:
            yield nest


def _grouped(
    names: Names, loops: tuple[For, ...], core: tuple[Stmt, ...]
) -> tuple[tuple[For, ...], tuple[Stmt, ...]]:
    """The nest with each loop that is divided by a number as two: its groups, and the places in a
    group."""
    found: list[For] = []
    for loop in loops:
        divisors = _divisors(core, loop.var)
        size = divisors.pop() if len(divisors) == 1 else 0
        if not isinstance(loop.extent, int) or not 1 < size < loop.extent or loop.extent % size:
            found.append(loop)
            continue
        group = names.fresh("group")
        known: A.Known = {loop.var: (0, size - 1), group: (0, loop.extent // size - 1)}
        env = {loop.var: size * symbol(group) + symbol(loop.var)}
        core = tuple(
            L.map_stmt(L.substitute(s, env), lambda i, known=known: A.shortened(i, known))
            for s in core
        )
        found += [
            replace(loop, var=group, extent=loop.extent // size),
            replace(loop, extent=size, kind="serial"),
        ]
    return tuple(found), core


def _divisors(core: tuple[Stmt, ...], var: str) -> set[int]:
    """What a variable is divided by."""
    found: set[int] = set()

    def look(index: Index) -> Index:
        for monomial, _ in index.terms if isinstance(index, Dim) else ():
            for atom in monomial:
                if not isinstance(atom, str):
                    if atom[1] == symbol(var) and isinstance(atom[2], int):
                        found.add(atom[2])
                    look(atom[1])
        return index

    for stmt in core:
        L.map_stmt(stmt, look)
    return found


def _parts(nest: Contraction, tf32: bool) -> Parts | None:
    """The nest sorted; None where this file has no place for something of it."""
    sides = [
        frozenset().union(*(A.expression_names(o.value) for o in side))
        for side in (nest.row_operands, nest.column_operands)
    ]
    rows, columns, batch = [], [], []
    for loop in nest.batch:
        left, right = (loop.var in side for side in sides)
        (batch if left == right else rows if left else columns).append(loop)
    sums = {s.buffer.name: s for s in nest.sums}
    starts: dict[str, L.Const] = {}
    rest: list[Stmt] = []
    for stmt in nest.before:
        if isinstance(stmt, Alloc) and stmt.buffer.name in sums:
            continue
        if isinstance(stmt, Store) and stmt.buffer.name in sums:
            if not isinstance(stmt.value, L.Const):
                return None
            starts[stmt.buffer.name] = stmt.value
            continue
        rest.append(stmt)
    if len(sums) != len(nest.sums) or starts.keys() != sums.keys():
        return None
    if any(isinstance(s, Store) and s.buffer.name in sums for s in nest.after):
        return None
    if any(set(s.buffer.shape) != {1} or not _is_closed(nest, s.value) for s in nest.sums):
        return None
    loops = (*rows, nest.rows, *columns, nest.columns, *batch, *nest.reduction)
    inner = {loop.var for loop in loops}
    if any(ty.symbols(loop.extent) & inner for loop in loops):
        return None
    return Parts(
        nest, tuple(batch), Axis((*rows, nest.rows)), Axis((*columns, nest.columns)),
        Axis(nest.reduction), starts, (*rest, *nest.after), _paired(nest, tf32),
    )  # fmt: skip


def _is_closed(nest: Contraction, value: Expr) -> bool:
    """Is a sum's expression made of operands and constants alone?"""
    operands = {o.value for o in (*nest.row_operands, *nest.column_operands)}

    def visit(expr: Expr) -> bool:
        if expr in operands or isinstance(expr, L.Const):
            return True
        return bool(L.children(expr)) and not isinstance(expr, Load) and all(
            map(visit, L.children(expr))
        )  # fmt: skip

    return visit(value)


def _paired(nest: Contraction, tf32: bool) -> ty.DType | None:
    """f16 or bf16 when the nest is a plain sum of products of such numbers in f32; i8 when in
    i32; f64 when in f64, and f32 when in f32 if that may be rounded."""
    if len(nest.sums) != 1 or len(nest.row_operands) != 1 or len(nest.column_operands) != 1:
        return None
    (total,) = nest.sums
    a, b = nest.row_operands[0].value, nest.column_operands[0].value
    product = total.value
    if total.op != "add" or not isinstance(product, L.Scalar) or product.op != "mul":
        return None
    if product.args not in ((a, b), (b, a)) or product.dtype not in (F32, F64, I32):
        return None
    if isinstance(a, L.Cast) and isinstance(b, L.Cast) and product.dtype is not F64:
        dtype = a.value.dtype
        fits = dtype in (F16, BF16) if product.dtype is F32 else dtype is I8
        if fits and b.value.dtype is dtype:
            return dtype
    whole = product.dtype is F64 or (product.dtype is F32 and tf32)
    return product.dtype if whole else None


def _writers(names: Names, parts: Parts, arch: str | None) -> Iterator[Writer]:
    """The ways to write it, the best first; none where the plain schedule is right."""
    rows, columns, depth = (axis.extent for axis in (parts.rows, parts.columns, parts.terms))
    if any(isinstance(e, int) and e < LEAST for e in (rows, columns)):
        return
    if isinstance(depth, int) and depth < LEAST_TERMS:
        return
    kinds = _staged(parts.paired, arch)
    if not kinds:
        kind = Bytes if parts.paired is I8 else Plain
        for _, u, v in _tiles(parts, EFFICIENCY, PROCESSORS, ACCUMULATORS)[:1]:
            yield kind(names, parts, u, v, _count(parts, u, v))
        return
    ways = [
        (time * _waste(depth, kind.slice), kind, u, v)
        for kind, table in kinds
        for time, u, v in _tiles(parts, table, STAGED_PROCESSORS, 2 * ACCUMULATORS)
    ]
    for _, kind, u, v in sorted(ways, key=lambda way: way[0]):
        yield kind(names, parts, u, v, _count(parts, u, v))


def _staged(
    dtype: ty.DType | None, arch: str | None
) -> list[tuple[type[Staged], dict[tuple[int, int], float]]]:
    """What multiplies floats on tensor cores, and how well from each tile."""
    if dtype is F64:
        return [] if arch is not None and arch not in DOUBLES else [(Doubles, DOUBLE_EFFICIENCY)]
    if dtype is F32:
        return [(Tf32, STAGED_EFFICIENCY)]
    if dtype not in (F16, BF16):
        return []
    grouped = [(Grouped, GROUPED_EFFICIENCY)] if arch in GROUPED else []
    return [*grouped, (Staged, STAGED_EFFICIENCY)]


def _waste(depth: Index, size: int) -> float:
    """Terms that are multiplied for each that is there."""
    if not isinstance(depth, int):
        return 1.0
    whole = ceil_div(depth, size)
    assert isinstance(whole, int)
    return size * whole / depth


def _tiles(
    parts: Parts, table: dict[tuple[int, int], float], processors: int, most: int
) -> list[tuple[float, int, int]]:
    """The time of an estimate, rows and columns of a thread (of 16 by 16 threads); the best first.
    A thread sums in `most` words."""
    words = sum(max(1, s.buffer.dtype.nbytes // 4) for s in parts.nest.sums)
    batch = Axis(parts.batch).extent
    count = batch if isinstance(batch, int) else 1
    found: list[tuple[float, int, int]] = []
    for (u, v), efficiency in table.items():
        if u * v * words > most:
            continue
        blocks = count
        for extent, size in ((parts.rows.extent, 16 * u), (parts.columns.extent, 16 * v)):
            if isinstance(extent, int):
                blocks *= ceil_div(extent, size)
            elif size > 64:
                blocks = 0  # of an unknown number of rows there may be few
        if blocks:
            found.append((ceil_div(blocks, processors) * u * v / efficiency, u, v))
    return sorted(found)


# ------------------------------------------------------------------------------ parts of the terms


def _count(parts: Parts, u: int, v: int) -> int:
    """How many parts the terms are cut into."""
    rows, columns, depth = (axis.extent for axis in (parts.rows, parts.columns, parts.terms))
    batch = Axis(parts.batch).extent
    if not all(isinstance(e, int) for e in (rows, columns, depth, batch)):
        return 1
    blocks = ceil_div(rows, 16 * u) * ceil_div(columns, 16 * v) * batch
    if not isinstance(blocks, int) or not isinstance(depth, int) or blocks == 0:
        return 1
    return max(1, min(PROCESSORS // blocks, depth // PART_TERMS))


def _split(names: Names, parts: Parts, count: int) -> tuple[Parts, For]:
    """The contraction that sums each part into workspace, and the nest that joins them.

    The part is the last axis of the grid, so its sums lie behind all of the part before.
    """
    nest = parts.nest
    loops = (*nest.batch, nest.rows, nest.columns)
    place = tuple(symbol(loop.var) for loop in loops)
    shape = (count, *(loop.extent for loop in loops))
    part = names.fresh("part")
    store: list[Stmt] = []
    join: list[Stmt] = []
    starts: dict[str, L.Const] = {}
    for total in nest.sums:
        held = names.temp(f"{total.buffer.name}_parts", total.buffer.dtype, shape)
        value = Load(total.buffer, total.index)
        store.append(Store(held, (symbol(PART), *place), value))
        value = Load(held, (symbol(part), *place))
        join.append(Accumulate(total.buffer, total.index, total.op, value))
        starts[total.buffer.name] = neutral_of(total.op, total.buffer)
    body: tuple[Stmt, ...] = (
        *nest.before, For(part, count, "serial", tuple(join)), *nest.after
    )  # fmt: skip
    for loop in reversed(loops):
        body = (replace(loop, body=body),)
    (after,) = body
    assert isinstance(after, For)
    return replace(parts, starts=starts, rest=tuple(store)), after
