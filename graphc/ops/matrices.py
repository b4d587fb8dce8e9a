"""The words in which cards of linear algebra write derivatives: products, triangles, diagonals.

Values are matrices in their last two axes; the axes before are a batch. Like formula.py this asks
the registry for ops and imports no card.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ir import Value, param
from ..opdef import Attrs, Rules, lookup
from ..types import I64, DType, Extent
from .formula import Formula, broadcast, cast, reduce, select, transpose, zeros


def mm(a: Value, b: Value) -> Value:
    """The product of matrices."""
    rank = len(a.shape)
    lead = tuple(range(rank - 2))
    return lookup("dot")(a, b, contract=((rank - 1,), (rank - 2,)), batch=(lead, lead))


def turned(x: Value) -> Value:
    """The transpose."""
    rank = len(x.shape)
    return transpose(x, (*range(rank - 2), rank - 1, rank - 2))


def conj(x: Value) -> Value:
    return lookup("conj")(x) if x.dtype.is_complex else x


def real(x: Value) -> Value:
    return lookup("real")(x) if x.dtype.is_complex else x


def adjoint(x: Value) -> Value:
    """The conjugate transpose."""
    return conj(turned(x))


def compared(op: str, shape: Sequence[Extent], offset: int = 0) -> Value:
    """bool[..., m, n]: where the row compares with the column + offset."""
    rank = len(shape)
    rows = lookup("iota")(dtype=I64, shape=tuple(shape), axis=rank - 2)
    columns = lookup("iota")(dtype=I64, shape=tuple(shape), axis=rank - 1)
    return lookup(op)(rows, (Formula(columns) + offset).value)


def kept(op: str, x: Value, offset: int = 0) -> Value:
    """x where the row compares with the column (+ offset), else 0: ge is the lower triangle."""
    return select(compared(op, x.shape, offset), x, zeros(x.type))


def identity(shape: Sequence[Extent], dtype: DType) -> Value:
    """Ones on the diagonal."""
    return cast(compared("eq", shape), dtype)


def diagonal(x: Value) -> Value:
    """The diagonal of square matrices."""
    return reduce("sum", kept("eq", x), (len(x.shape) - 1,))


def along_rows(d: Value, rows: Extent) -> Value:
    """[..., rows, n] of [..., n]: every row is d."""
    rank = len(d.shape)
    shape = (*d.shape[:-1], rows, d.shape[-1])
    return broadcast(d, shape, (*range(rank - 1), rank))


def along_columns(d: Value, columns: Extent) -> Value:
    """[..., n, columns] of [..., n]: every column is d."""
    rank = len(d.shape)
    return broadcast(d, (*d.shape, columns), tuple(range(rank)))


def hermitian(x: Value, lower: bool) -> Value:
    """The Hermitian matrices of which one triangle, and the real part of the diagonal, is read."""
    strict = kept("gt" if lower else "lt", x)
    main = cast(real(kept("eq", x)), x.dtype)
    return (Formula(strict) + Formula(adjoint(strict)) + Formula(main)).value


def differences(values: Value) -> Value:
    """1 / (w_j - w_i), 0 on the diagonal."""
    n = values.shape[-1]
    gap = Formula(along_rows(values, n)) - Formula(along_columns(values, n))
    return inverse_off_diagonal(gap.value)


def inverse_off_diagonal(x: Value) -> Value:
    """1 / x off the diagonal, 0 on it."""
    unit = Formula(identity(x.shape, x.dtype))
    return (1 / (Formula(x) + unit) - unit).value


def forward_only(jvp: Callable[..., Sequence[Value | None]]) -> Rules:
    """Rules of which the reverse one is the forward one transposed: it is linear in tangents."""

    def vjp(
        operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Any,
        wanted: Sequence[bool],
    ) -> list[Value | None]:  # fmt: skip
        from ..derivatives.reverse import Pullback  # a rule made of rules; tests/test_layers.py

        late = [param(v.type, f"d{k}") for k, v in enumerate(operands)]
        given = [d if w else None for d, w in zip(late, wanted, strict=True)]
        pairs = [
            (t, g)
            for t, g in zip(jvp(operands, results, attrs, given), cotangents, strict=True)
            if t is not None and g is not None
        ]
        pull = Pullback([t for t, _ in pairs], late, [zeros(v.type) for v in operands])
        found = pull.pull([g for _, g in pairs])
        return [v if w else None for v, w in zip(found, wanted, strict=True)]

    return Rules(jvp, vjp)
