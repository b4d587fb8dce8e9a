"""dots: a contraction of narrow numbers, several terms at a time.

    for k < n: acc += f32(x[i, k]) * f32(z[k, j])               bf16

becomes, where the target has an instruction for it (`Machine.dots`),

    for k < n/2: acc += dot_bf16(join2(x[i, 2k], x[i, 2k + 1]), join2(z[2k, j], z[2k + 1, j]))

and the words on both sides are packed as any operand of `contract` is. The innermost loop of the
reduction is the one that is cut; where its extent is no multiple, the last word ends in zeros.

    bf16 * bf16 -> f32                      dot_bf16, two terms
    i16, i8, u8 -> i32                      dot_i16, two terms, bytes widened
    u8 * i8 -> i32 and i8 * i8 -> i32       dot_u8_i8, four terms

i8 becomes u8 by adding 128: sum (x + 128)*z - 128 * sum z. The last sum belongs to the column, so
`contract` makes it once for each column, when it packs. All of it is exact modulo 2**32. What does
not fit is None: one term at a time serves it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from .. import types as ty
from ..types import BF16, BOOL, F32, I8, I16, I32, U8, U32, Dim, DType
from . import ir as L
from .contraction import Contraction, Operand, stride
from .lower import expr_names

SHIFT = L.Const(0x80808080, U32)
"""128 in every byte of a word."""


def dots(nest: Contraction, available: Collection[str]) -> tuple[Contraction, bool] | None:
    """The nest with the dots that a target has, and whether its rows are 128 too large; None where
    no dot fits or pays.
    """
    factors = _factors(nest)
    if factors is None:
        return None
    row, column = factors
    kind = _kind(row.dtype, column.dtype, nest.sums[0].buffer.dtype, available)
    inner = nest.reduction[-1]
    if kind is None or not isinstance(inner.extent, int) or not isinstance(nest.depth, int):
        return None
    op, count, part = kind
    words = -(-inner.extent // count)
    if 2 * inner.extent < 3 * words:
        return None  # mostly zeros
    shifted = op == "dot_u8_i8" and row.dtype is column.dtype

    def words_of(extent: int) -> list[L.Expr]:
        found = [_joined(f, inner.var, extent, count, part) for f in (row, column)]
        return [L.Scalar("xor", (found[0], SHIFT), U32), found[1]] if shifted else found

    joined, whole = words_of(inner.extent), words_of(words * count)
    # the unsigned factor is the first
    swapped = op == "dot_u8_i8" and row.dtype is I8 and not shifted
    pair = (joined[1], joined[0]) if swapped else (joined[0], joined[1])
    total = replace(nest.sums[0], value=L.Scalar(op, pair, nest.sums[0].buffer.dtype))
    (row_operand,), (column_operand,) = nest.row_operands, nest.column_operands
    placed = (
        _placed(row_operand, row, nest.rows.var, inner.var),
        _placed(column_operand, column, nest.columns.var, inner.var),
    )
    grouped = replace(
        nest,
        reduction=(*nest.reduction[:-1], replace(inner, extent=words)),
        sums=(total,),
        row_operands=(_operand(placed[0], count, joined[0], whole[0]),),
        column_operands=(_operand(placed[1], count, joined[1], whole[1]),),
    )
    return grouped, shifted


def sums_of_columns(
    panel: L.Buffer, begin: L.Buffer, number: L.Index, depth: L.Index, lanes: int,
    fresh: Callable[[str], str],
) -> L.For:  # fmt: skip
    """begin[p, l] = -128 * (sum of column l of panel p): what sums over rows that are 128 too large
    begin at.
    """
    p, lane, term = fresh("p"), fresh("l"), fresh("r")
    place = Dim.symbol(p) * lanes + Dim.symbol(lane)
    depth = ty.product(panel.shape) // (number * lanes)
    word = (Dim.symbol(p) * depth + Dim.symbol(term)) * lanes + Dim.symbol(lane)
    total = L.Buffer(fresh("reg"), I32, (1,), None, "register")
    dot = L.Scalar("dot_u8_i8", (SHIFT, L.Load(panel, (word,))), I32)
    column = (
        L.Alloc(total),
        L.Store(total, (0,), L.const(0, I32)),
        L.For(term, depth, "serial", (L.Accumulate(total, (0,), "add", dot),)),
        L.Store(begin, (place,), L.Scalar("neg", (L.Load(total, (0,)),), I32)),
    )
    return L.For(p, number, "serial", (L.For(lane, lanes, "vector", column),))


def _placed(operand: Operand, factor: L.Expr, own: str, inner: str) -> Operand:
    """The operand with the strides of its factor, which the cast around it hid."""
    if not isinstance(factor, L.Load) or factor.guard is not None:
        return operand
    offset = factor.buffer.offset(factor.index)
    return replace(operand, along=stride(offset, own), deep=stride(offset, inner))


def _operand(operand: Operand, count: int, value: L.Expr, whole: L.Expr) -> Operand:
    other = None if whole == value else whole
    return replace(operand, value=value, dtype_bytes=4, parts=count, whole=other)


def _factors(nest: Contraction) -> tuple[L.Expr, L.Expr] | None:
    """The factors of the rows and of the columns before they were widened."""
    if len(nest.sums) != 1 or nest.sums[0].op != "add":
        return None
    product = nest.sums[0].value
    if not isinstance(product, L.Scalar) or product.op != "mul":
        return None
    narrow = [a.value if isinstance(a, L.Cast) else a for a in product.args]
    names = [expr_names(a) for a in narrow]
    inner = nest.reduction[-1].var
    if not all(inner in n for n in names):
        return None
    row, column = nest.rows.var, nest.columns.var
    for k in range(2):
        if row in names[k] and column in names[1 - k]:
            if column not in names[k] and row not in names[1 - k]:
                return narrow[k], narrow[1 - k]
    return None


def _kind(
    row: DType, column: DType, total: DType, available: Collection[str]
) -> tuple[str, int, DType] | None:
    """(op, parts of a word, their dtype before they are joined)."""
    pair = {row, column}
    if total is F32 and pair == {BF16} and "dot_bf16" in available:
        return "dot_bf16", 2, BF16
    if total is not I32:
        return None
    if pair in ({I8}, {U8, I8}) and "dot_u8_i8" in available:
        return "dot_u8_i8", 4, I8
    if pair <= {I8, U8, I16} and "dot_i16" in available:
        return "dot_i16", 2, I16
    return None


def _joined(value: L.Expr, var: str, extent: int, count: int, part: DType) -> L.Expr:
    """The word number `var` of a factor: terms count*var, count*var + 1, .."""
    words = -(-extent // count)
    own = value.dtype if value.dtype.bits == 32 // count else part
    parts: list[L.Expr] = []
    for k in range(count):
        term = Dim.symbol(var) * count + k
        missing = (words - 1) * count + k >= extent
        one = L.map_expr(value, lambda i, term=term: _at(i, var, term))
        if missing and words == 1:
            one = L.const(0, value.dtype)
        elif missing:
            one = _within(one, L.Scalar("lt", (L.Idx(term), L.Idx(extent)), BOOL))
        parts.append(L.cast(one, own))
    dtypes = {p.dtype for p in parts}
    assert len(dtypes) == 1
    return L.Scalar(f"join{count}", tuple(parts), U32)


def _at(index: L.Index, var: str, term: L.Index) -> L.Index:
    return ty.substitute(index, {var: term}) if isinstance(index, Dim) else index


def _within(value: L.Expr, inside: L.Expr) -> L.Expr:
    """The value where the term is there, else 0; nothing is read outside."""

    def guarded(expr: L.Expr) -> L.Expr:
        if not isinstance(expr, L.Load):
            return expr
        return replace(expr, guard=L.both(expr.guard, inside))

    if isinstance(value, L.Load):
        return guarded(value)
    return L.Select(inside, L.map_expr(value, lambda i: i, guarded), L.const(0, value.dtype))
