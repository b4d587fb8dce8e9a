"""products: which products of matrices are computed by cuBLASLt, and how it sees them.

The planner asks here (`Chosen.parts`); what comes out is a `Product` step, which program.py hands
to cublas.py. Whether there is a library is not asked: who plans knows.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphc_runtime.records import dataclass

from .. import types as ty
from ..loops import products as loops
from ..loops.factors import SUMS
from ..loops.ir import LoopFunc
from ..types import BF16, F16, F32, DType, Extent
from .cublas import Call, Matrix, alignment

LEAST_WORK = 1 << 30
"""Multiply-adds of the smallest product that was measured (1024^3)."""
LEAST_ROWS = 128
"""Rows and columns of products of f32 and f64: those of few were not measured."""
LEAST_ROWS_OF_TILES = 16
"""The same of products on tensor cores (16 x 8192 x 8192 was measured)."""
LEAST_TERMS = 512
"""The fewest that were measured (64 products of 512^3)."""
LARGEST = 2**31 - 1
"""Of an extent, for the library."""


def chooses_library(
    dtype: DType, m: Extent, n: Extent, k: Extent, batch: Extent = 1, tf32: bool = False
) -> bool:
    """Whether cuBLASLt computes batch products (m, k) @ (k, n) sooner than graphc's own kernels do.

    The rule is the table of docs/cuda.md (an H100), and no further than that was measured: cuBLAS
    took 0.2 to 0.7 of the time for f16 and bf16, 0.3 for f64, and 0.5 to 0.9 for f32; operands that
    may be rounded to tf32 are multiplied on tensor cores only by it. i8 was faster here, and so is
    a matrix times a vector. Symbolic extents may be small: they stay here.
    """
    if dtype not in SUMS:
        return False
    if not (
        isinstance(m, int) and isinstance(n, int) and isinstance(k, int) and isinstance(batch, int)
    ):
        return False
    tensor_cores = dtype in (F16, BF16) or (dtype is F32 and tf32)
    return (
        min(m, n) >= (LEAST_ROWS_OF_TILES if tensor_cores else LEAST_ROWS)
        and k >= LEAST_TERMS
        and m * n * k * batch >= LEAST_WORK
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who takes the products of a program: the library all that it can where `always`, else by the
    rule. `tf32`: operands of f32 may be rounded to tf32."""

    always: bool = False
    tf32: bool = False

    def parts(self, func: LoopFunc) -> tuple[LoopFunc | loops.Product, ...] | None:
        """A function with what the library computes of it taken out; None where that is nothing."""
        return loops.parts(func, self._takes)

    def _takes(self, found: loops.Product) -> bool:
        if not _can(found):
            return False
        if self.always:
            return True
        extents = found.m, found.n, found.k, found.batch
        return chooses_library(found.dtype, *extents, self.tf32) and _pays(found)


def _pays(found: loops.Product) -> bool:
    """Is what is gained more than what it takes to bring factors that are computed into memory?"""
    assert isinstance(found.m, int) and isinstance(found.n, int)
    return not found.before or min(found.m, found.n) >= LEAST_TERMS


def _can(found: loops.Product) -> bool:
    """Can the library do it? An outer product has no sum, and is the only one that may be written
    over an operand of its own; inner products alone are reductions; no terms leave zeros, which we
    write (`Product.is_dense`)."""
    extents = found.m, found.n, found.k, found.batch
    if any(isinstance(e, int) and not 0 < e <= LARGEST for e in extents):
        return False
    if found.k == 1 or found.m == found.n == 1:
        return False
    return isinstance(found.k, int) or found.is_dense


def call_of(found: loops.Product, env: Mapping[str, int], tf32: bool) -> Call | None:
    """The product as the library sees it: by columns, so result.T = right.T @ left.T where the
    result has contiguous rows. None where there is nothing to compute."""

    def number(extent: Extent) -> int:
        value = ty.substitute(extent, env)
        assert isinstance(value, int), (extent, env)
        return value

    m, n, k, batch = (number(e) for e in (found.m, found.n, found.k, found.batch))
    if 0 in (m, n, k, batch):
        return None
    left, right, result = (
        (number(s.row), number(s.column), number(s.batch))
        for s in (found.left, found.right, found.result)
    )
    if is_turned(found):
        a, transpose_a = _matrix(m, k, *left)
        b, transpose_b = _matrix(k, n, *right)
        d, transposed = _matrix(m, n, *result)
    else:
        a, transpose_a = _matrix(n, k, right[1], right[0], right[2])
        b, transpose_b = _matrix(k, m, left[1], left[0], left[2])
        d, transposed = _matrix(n, m, result[1], result[0], result[2])
    assert not transposed
    dtype = found.dtype
    return Call(
        dtype, found.result.buffer.dtype, a, b, d, transpose_a, transpose_b, batch,
        tf32 and dtype is F32,
    )  # fmt: skip


def is_turned(found: loops.Product) -> bool:
    """Has the result contiguous columns, so that the library's a is the left operand?"""
    return not (found.result.column == 1 or found.n == 1)


def _matrix(rows: int, columns: int, row: int, column: int, batch: int) -> tuple[Matrix, bool]:
    """A matrix with these strides as columns of contiguous numbers, and whether it is the
    transposed one that lies so."""
    if row == 1 or rows == 1:
        return Matrix(rows, columns, column if columns > 1 else rows, batch), False
    return Matrix(columns, rows, row, batch), True


def least_alignments(found: loops.Product, least: int) -> tuple[int, int, int]:
    """What the addresses of a, b and d are multiples of, in bytes, at least, in buffers that begin
    at multiples of `least`."""

    def of(one: loops.Strided) -> int:
        nbytes = one.buffer.dtype.nbytes
        return alignment(one.offset * nbytes | least) if isinstance(one.offset, int) else nbytes

    sides = (found.left, found.right) if is_turned(found) else (found.right, found.left)
    a, b, d = (of(one) for one in (*sides, found.result))
    return a, b, d


def is_symbolic(found: loops.Product) -> bool:
    """Is something only known when the program is called?"""
    matrices = found.left, found.right, found.result
    steps = [s for one in matrices for s in (one.offset, one.row, one.column, one.batch)]
    return not all(isinstance(s, int) for s in (*steps, found.m, found.n, found.k, found.batch))
