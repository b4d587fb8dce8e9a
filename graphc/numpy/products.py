"""Products of arrays: every one is the contraction `dot` after transposes and broadcasts. einsum
and multi_dot find their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..ops import build
from ..ops.contraction import DOT
from ..types import Extent
from . import reductions as r
from . import ufuncs as u
from .dispatch import axes_of, implements, value
from .indexing import diagonal
from .joining import stack
from .shaping import at, expand, moveaxis, ravel, reshape, transpose

Axes = tuple[Sequence[int], Sequence[int]]
GUESSED_EXTENT = 64
"""What a symbolic extent counts as, where an order of contractions is chosen."""


def contract(
    a: Value, b: Value, axes: Axes, batch: Axes = ((), ()), dtype: ty.DType | None = None
) -> Value:
    """The primitive: result axes are batch, the free ones of a, the free ones of b."""
    return DOT(
        a, b,
        contract=(tuple(axes[0]), tuple(axes[1])), batch=(tuple(batch[0]), tuple(batch[1])),
        **preferred(a, b, dtype),
    )  # fmt: skip


def preferred(a: Value, b: Value, dtype: ty.DType | None) -> dict[str, ty.DType]:
    """The attribute `dtype` of a contraction: left out where it says nothing new."""
    return {} if dtype is None or dtype is a.dtype is b.dtype else {"dtype": dtype}


def operands_of_product(a: Any, b: Any, asked: Any) -> tuple[Value, Value, ty.DType | None]:
    """The operands as they enter a contraction, and the dtype that is asked for.

    They are promoted to one dtype, but for 8-bit integers of both signs where a dtype is asked for.
    """
    dtype = None if asked is None else ty.dtype(asked)
    x, y = value(a), value(b)
    mixed = dtype is not None and {x.dtype, y.dtype} == {ty.I8, ty.U8}
    return (x, y, dtype) if mixed else (*_pair(x, y), dtype)


@implements(name="dot_general")
def dot_general(
    lhs: Any, rhs: Any, dimension_numbers: Any, preferred_element_type: Any = None
) -> Value:
    """The sum of products over any axes, batched over any axes.

    `dimension_numbers` is ((lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch)). Products
    are added in `preferred_element_type` (a dtype that holds the operands', of the same kind) and
    answered in it; f16 and bf16 are added in f32 in any case.

    Shapes: lhs [b, n, k], rhs [b, k, m], ((2,), (1,)), ((0,), (0,)) -> [b, n, m]; the result has
        the batch axes, the other ones of lhs, the other ones of rhs.
    Formula: result[b, n, m] = sum over k of lhs[b, n, k] * rhs[b, k, m]
    Source: jax.lax.dot_general; XLA DotGeneral
    """
    x, y, dtype = operands_of_product(lhs, rhs, preferred_element_type)
    (contracting, batch) = dimension_numbers
    axes = [axes_of(tuple(c), len(v.shape)) for c, v in zip(contracting, (x, y), strict=True)]
    over = [axes_of(tuple(b), len(v.shape)) for b, v in zip(batch, (x, y), strict=True)]
    return contract(x, y, (axes[0], axes[1]), (over[0], over[1]), dtype)


def _pair(a: Any, b: Any, dtype: Any = None) -> tuple[Value, Value]:
    target = u.result_dtype(a, b) if dtype is None else ty.dtype(dtype)
    return value(a, target), value(b, target)


def _scalar(name: str, *values: Value) -> None:
    for k, x in enumerate(values):
        if not x.shape:
            raise ShapeMismatch(f"{name}: operand {k} has no axis; use * instead")


def _matrix_product(a: Value, b: Value) -> Value:
    """a [..., n, k] @ b [..., k, m], the leading axes broadcast."""
    lead = ty.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if len(b.shape) == 2:
        return contract(a, b, ((len(a.shape) - 1,), (0,)))
    a = build.broadcast_to(a, (*lead, *a.shape[-2:]))
    b = build.broadcast_to(b, (*lead, *b.shape[-2:]))
    own = tuple(range(len(lead)))
    return contract(a, b, ((len(lead) + 1,), (len(lead),)), (own, own))


@implements(name="matmul")
def matmul(x1: Any, x2: Any, /, *, dtype: Any = None, **options: Any) -> Value:
    a, b = _pair(x1, x2, dtype)
    _scalar("matmul", a, b)
    if len(a.shape) == 1 and len(b.shape) == 1:
        return contract(a, b, ((0,), (0,)))
    if len(a.shape) == 1:
        return _dropped(_matrix_product(expand(a, (0,)), b), -2)
    if len(b.shape) == 1:
        return contract(a, b, ((len(a.shape) - 1,), (0,)))
    return _matrix_product(a, b)


def _dropped(x: Value, axis: int) -> Value:
    axis %= len(x.shape)
    return reshape(x, (*x.shape[:axis], *x.shape[axis + 1 :]))


def matvec(x1: Any, x2: Any, /, *, dtype: Any = None, **options: Any) -> Value:
    """a [..., n, k], v [..., k] -> [..., n]."""
    a, v = _pair(x1, x2, dtype)
    return _dropped(_matrix_product(a, expand(v, (len(v.shape),))), -1)


def vecmat(x1: Any, x2: Any, /, *, dtype: Any = None, **options: Any) -> Value:
    """conj(v) [..., k], a [..., k, n] -> [..., n]."""
    v, a = _pair(x1, x2, dtype)
    v = u.conjugate(v) if v.dtype.is_complex else v
    return _dropped(_matrix_product(expand(v, (len(v.shape) - 1,)), a), -2)


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, dtype: Any = None, **options: Any) -> Value:
    """sum of conj(a) * b over an axis."""
    a, b = _pair(x1, x2, dtype)
    _scalar("vecdot", a, b)
    a, b = moveaxis(a, axis, -1), moveaxis(b, axis, -1)
    if a.shape[-1] != b.shape[-1]:
        raise ShapeMismatch(f"vecdot: the axes have {a.shape[-1]} and {b.shape[-1]} elements")
    a, b = build.broadcast(u.conjugate(a) if a.dtype.is_complex else a, b)
    last = len(a.shape) - 1
    own = tuple(range(last))
    return contract(a, b, ((last,), (last,)), (own, own))


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Value:
    x, y = _pair(a, b)
    if not x.shape or not y.shape:
        return u.multiply(x, y)
    return contract(x, y, ((len(x.shape) - 1,), (max(len(y.shape) - 2, 0),)))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Value:
    x, y = _pair(a, b)
    if not x.shape or not y.shape:
        return u.multiply(x, y)
    return contract(x, y, ((len(x.shape) - 1,), (len(y.shape) - 1,)))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Value:
    x, y = _pair(a, b)
    x, y = ravel(x), ravel(y)
    return contract(u.conjugate(x) if x.dtype.is_complex else x, y, ((0,), (0,)))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Value:
    x, y = ravel(a), ravel(b)
    return u.multiply(expand(x, (1,)), expand(y, (0,)))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Value:
    x, y = _pair(a, b)
    if isinstance(axes, (int, np.integer)):
        left = list(range(len(x.shape) - int(axes), len(x.shape)))
        right = list(range(int(axes)))
    else:
        left, right = (list(s) if isinstance(s, (list, tuple, np.ndarray)) else [s] for s in axes)
    if len(left) != len(right):
        raise ValueError("shape-mismatch for sum")
    return contract(x, y, (axes_of(tuple(left), len(x.shape)), axes_of(tuple(right), len(y.shape))))


@implements(np.kron)
def kron(a: Any, b: Any) -> Value:
    x, y = value(a), value(b)
    rank = max(len(x.shape), len(y.shape))
    x, y = (reshape(z, (*(1,) * (rank - len(z.shape)), *z.shape)) for z in (x, y))
    wide = u.multiply(
        reshape(x, tuple(e for n in x.shape for e in (n, 1))),
        reshape(y, tuple(e for n in y.shape for e in (1, n))),
    )
    return reshape(wide, tuple(n * m for n, m in zip(x.shape, y.shape, strict=True)))


@implements(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None
) -> Value:
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = _pair(a, b)
    x, y = moveaxis(x, axisa, -1), moveaxis(y, axisb, -1)
    if any(z.shape[-1] not in (2, 3) for z in (x, y)):
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors")
    p = [at(x, -1, k) for k in range(int(x.shape[-1]))]
    q = [at(y, -1, k) for k in range(int(y.shape[-1]))]

    def term(i: int, j: int) -> Value:
        return u.subtract(u.multiply(p[i], q[j]), u.multiply(p[j], q[i]))

    if len(p) == 2 and len(q) == 2:
        return term(0, 1)
    for vector in (p, q):
        if len(vector) == 2:
            vector.append(build.full_like(vector[0], 0))
    return moveaxis(stack(build.broadcast(term(1, 2), term(2, 0), term(0, 1)), -1), -1, axisc)


# ------------------------------------------------------------------------------------------ einsum


def _as_text(operands: Sequence[Any]) -> tuple[str, list[Any]]:
    """Subscripts and arrays, from either of the two ways to call einsum."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), list(operands[1:])
    pairs = list(operands)
    target = pairs.pop() if len(pairs) % 2 else None
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    specs = [*pairs[1::2], *([] if target is None else [target])]
    names = sorted({s for spec in specs for s in spec if s is not Ellipsis})
    letters = {name: alphabet[k] for k, name in enumerate(names)}

    def text(spec: Any) -> str:
        return "".join("..." if s is Ellipsis else letters[s] for s in spec)

    subscripts = ",".join(text(s) for s in pairs[1::2])
    if target is not None:
        subscripts += "->" + text(target)
    return subscripts, pairs[::2]


def _parsed(subscripts: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The labels of every operand and of the result; an ellipsis becomes labels of its own."""
    left, arrow, result = subscripts.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise ValueError(f"einsum: {len(inputs)} subscripts for {len(ranks)} operands")
    used = set(subscripts)
    spare = [chr(c) for c in range(0x391, 0x3F0) if chr(c) not in used]
    widest = 0
    found = []
    for labels, rank in zip(inputs, ranks, strict=True):
        hidden = rank - len(labels.replace("...", ""))
        if ("..." not in labels and hidden) or hidden < 0:
            raise ValueError(f"einsum: subscripts {labels!r} do not fit an operand of {rank} axes")
        widest = max(widest, hidden)
        found.append((labels, hidden))
    ellipsis = "".join(spare[:widest])
    labels_of = [s.replace("...", ellipsis[widest - h :]) for s, h in found]
    if arrow:
        return labels_of, result.replace("...", ellipsis)
    counts = [c for c in "".join(labels_of) if c not in ellipsis]
    return labels_of, ellipsis + "".join(sorted(c for c in set(counts) if counts.count(c) == 1))


def _merged(x: Value, labels: str, keep: set[str]) -> tuple[Value, str]:
    """Diagonals of repeated labels taken, labels that nobody else needs summed."""
    while len(set(labels)) < len(labels):
        c = next(c for c in labels if labels.count(c) > 1)
        i = labels.index(c)
        j = labels.index(c, i + 1)
        x = diagonal(x, 0, i, j)
        labels = "".join(s for k, s in enumerate(labels) if k not in (i, j)) + c
    gone = tuple(k for k, c in enumerate(labels) if c not in keep)
    x = r.reduce("sum" if x.dtype is not ty.BOOL else "or", x, gone)
    return x, "".join(c for k, c in enumerate(labels) if k not in gone)


def _pairwise(a: Value, la: str, b: Value, lb: str, keep: set[str]) -> tuple[Value, str]:
    """One contraction of two operands; an extent of 1 broadcasts against a longer one."""
    a, la = _merged(a, la, keep | set(lb))
    b, lb = _merged(b, lb, keep | set(la))
    shared = [c for c in la if c in lb]
    for c in shared:
        n, m = a.shape[la.index(c)], b.shape[lb.index(c)]
        if n != m and m == 1:
            b, lb = _dropped(b, lb.index(c)), lb.replace(c, "")
        elif n != m and n == 1:
            a, la = _dropped(a, la.index(c)), la.replace(c, "")
    shared = [c for c in la if c in lb]
    summed = [c for c in shared if c not in keep]
    batch = [c for c in shared if c in keep]
    found = contract(
        a, b,
        ([la.index(c) for c in summed], [lb.index(c) for c in summed]),
        ([la.index(c) for c in batch], [lb.index(c) for c in batch]),
    )  # fmt: skip
    labels = (
        "".join(batch)
        + "".join(c for c in la if c not in shared)
        + "".join(c for c in lb if c not in shared)
    )
    return _merged(found, labels, keep)


def _order(
    inputs: Sequence[str], result: str, shapes: Sequence[tuple[Extent, ...]]
) -> list[tuple[int, ...]]:
    """Which operands meet next (Source: opt_einsum's "auto": optimal for few operands, greedy for
    many).
    """
    if len(inputs) < 3:
        return [tuple(range(len(inputs)))]
    import opt_einsum  # only programs with such an einsum pay for this import

    sizes = [tuple(map(_guessed, s)) for s in shapes]
    text = ",".join(inputs) + "->" + result
    return list(opt_einsum.contract_path(text, *sizes, shapes=True, optimize="auto")[0])


def _guessed(extent: Extent) -> int:
    return GUESSED_EXTENT if isinstance(extent, ty.Dim) else extent


@implements(np.einsum)
def einsum(
    *operands: Any,
    out: Any = None,
    dtype: Any = None,
    order: Any = "K",
    casting: Any = "safe",
    optimize: Any = True,
) -> Value:
    subscripts, arrays = _as_text(operands)
    target = u.result_dtype(*arrays) if dtype is None else ty.dtype(dtype)
    values = [value(a, target) for a in arrays]
    inputs, result = _parsed(subscripts, [len(v.shape) for v in values])
    terms = list(zip(values, inputs, strict=True))
    for group in _order(inputs, result, [v.shape for v in values]):
        chosen = [terms[k] for k in group]
        rest = [t for k, t in enumerate(terms) if k not in group]
        keep = set(result).union(*(labels for _, labels in rest))
        x, labels = _merged(*chosen[0], keep.union(*(s for _, s in chosen[1:])))
        for k, (y, other) in enumerate(chosen[1:], 2):
            later = keep.union(*(s for _, s in chosen[k:]))
            x, labels = _pairwise(x, labels, y, other, later)
        terms = [*rest, (x, labels)]
    x, labels = _merged(*terms[0], set(result))
    missing = [c for c in result if c not in labels]
    if missing or len(set(result)) != len(result):
        raise ValueError(
            f"einsum: the result {result!r} repeats a label or names one that no operand has"
        )
    return transpose(x, [labels.index(c) for c in result])


# ----------------------------------------------------------------------------------- powers, chains


def matrix_power(a: Any, n: int) -> Value:
    """Repeated squaring; a negative power takes the inverse first."""
    x = value(a)
    if n < 0:
        from .decompositions import inv

        x, n = inv(x), -n
    size = x.shape[-1]
    if n == 0:
        from .creation import eye

        return build.broadcast_to(eye(size, dtype=x.dtype), x.shape)
    found: Any = None
    while n:
        if n & 1:
            found = x if found is None else matmul(found, x)
        n >>= 1
        if n:
            x = matmul(x, x)
    return found


def multi_dot(arrays: Sequence[Any]) -> Value:
    """A chain of matrices in the order of fewest multiplications; the ends may be vectors."""
    values = [value(a) for a in arrays]
    if len(values) < 2:
        raise ValueError("Expecting at least two arrays.")
    first, last = len(values[0].shape) == 1, len(values[-1].shape) == 1
    if first:
        values[0] = expand(values[0], (0,))
    if last:
        values[-1] = expand(values[-1], (1,))
    for k, x in enumerate(values):
        if len(x.shape) != 2:
            raise np.linalg.LinAlgError(f"{len(x.shape)}-dimensional array {k} given. "
                                        "Array must be two-dimensional")  # fmt: skip
    target = u.result_dtype(*values)
    values = [build.cast(x, target) for x in values]
    sides = [_guessed(n) for n in (*(x.shape[0] for x in values), values[-1].shape[1])]
    cuts = chain_order(sides)

    def product(i: int, j: int) -> Value:
        if i == j:
            return values[i]
        k = cuts[i, j]
        return _matrix_product(product(i, k), product(k + 1, j))

    found = product(0, len(values) - 1)
    kept = [n for n, gone in zip(found.shape, (first, last), strict=True) if not gone]
    return reshape(found, kept)


def chain_order(sides: Sequence[int]) -> dict[tuple[int, int], int]:
    """Where to cut a chain of matrices, matrix k being sides[k] x sides[k + 1].

    `order[i, j]` is the k for which (i...k)(k+1...j) takes the fewest multiplications.

    Source: Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms, 15.2
    """
    count = len(sides) - 1
    cost = {(i, i): 0 for i in range(count)}
    order: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i, j], order[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sides[i] * sides[k + 1] * sides[j + 1], k)
                for k in range(i, j)
            )
    return order
