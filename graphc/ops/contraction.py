"""The card of the contraction: matrix products, inner products, batched and over several axes.

What it shares with the convolution (graphc/ops/convolution.py) is here too: which dtype a product
of two dtypes is summed in, and which it may be answered in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..ir import Value
from ..loops.ir import Index, Pair, cast, scalar
from ..opdef import Attrs, Linear, OpDef, Sample, register
from ..types import BOOL, DType, TensorType
from . import batching as bt
from .checks import check_axes
from .define import Element, check_count
from .emission import product
from .formula import cast as cast_value
from .formula import transpose
from .reduction import wide


def free_axes(rank: int, *taken: Sequence[int]) -> tuple[int, ...]:
    """The axes of an operand that are neither contracted nor batched."""
    gone = {axis for axes in taken for axis in axes}
    return tuple(d for d in range(rank) if d not in gone)


# ----------------------------------------------------------------------------------------- dtypes


def product_dtype(op: str, types: Sequence[TensorType], asked: DType | None) -> DType:
    """The dtype of a sum of products: `asked`, or that of the operands.

    A dtype that is asked for holds every number of both operands (NumPy's "safe" cast), and is of
    their kind. Operands have one dtype, or are integers of one width where a dtype is asked for:
    that is what i8 x u8 -> i32 needs.

    Raises:
        TypeMismatch: naming the operand.
    """
    a, b = (t.dtype for t in types)
    mixed = asked is not None and a.is_integer and b.is_integer and a.bits == b.bits
    if b is not a and not mixed:
        raise TypeMismatch(f"{op}: operand 1 is {b}, expected {a}; cast it first")
    if asked is None or asked is a is b:
        return a
    for k, one in enumerate((a, b)):
        if not _holds(one, asked):
            raise TypeMismatch(
                f"{op}: a product of operand {k}, which is {one}, cannot be answered in {asked}; "
                f"expected a dtype of the same kind that holds every {one}"
            )
    return asked


def _holds(dtype: DType, wider: DType) -> bool:
    """Whether every number of a dtype is a number of `wider`, which is of the same kind."""
    if dtype is wider:
        return True
    if dtype.is_integer and wider.is_integer:
        return wider.bits > dtype.bits and (wider.kind == "i" or dtype.kind == "u")
    return dtype.kind == wider.kind and wider.bits > dtype.bits


def accumulator(dtype: DType, result: DType) -> DType:
    """The dtype in which products of `dtype` are made and added for a result of that dtype."""
    return wide(dtype) if dtype is result else result


def converted(element: Element, dtype: DType) -> Element:
    """An element in another dtype of its kind."""
    if isinstance(element, Pair):
        return Pair(cast(element.re, dtype.real), cast(element.im, dtype.real))
    return cast(element, dtype)


# ------------------------------------------------------------------------------------------- dot


def _infer(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("dot", types, 2)
    dtype = product_dtype("dot", types, attrs.get("dtype"))
    a, b = types
    for k, one in enumerate(types):
        check_axes("dot", (*attrs["contract"][k], *attrs["batch"][k]), one.rank, k)
    for what in ("contract", "batch"):
        left, right = attrs[what]
        if len(left) != len(right):
            raise ShapeMismatch(
                f"dot: {what} names axes {tuple(left)} of operand 0 and {tuple(right)} of operand 1"
            )
        for i, j in zip(left, right, strict=True):
            if a.shape[i] != b.shape[j]:
                raise ShapeMismatch(
                    f"dot: {what} axis {i} of operand 0 has extent {a.shape[i]}; "
                    f"axis {j} of operand 1 has {b.shape[j]}"
                )
    shape = [a.shape[d] for d in attrs["batch"][0]]
    for k, one in enumerate(types):
        free = free_axes(one.rank, attrs["contract"][k], attrs["batch"][k])
        shape += [one.shape[d] for d in free]
    return TensorType(dtype, tuple(shape))


def _evaluate(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    arrays = [np.asarray(o) for o in operands]
    own = ty.dtype(arrays[0].dtype)
    dtype: DType = attrs.get("dtype") or own
    inner = accumulator(own, dtype).numpy
    sides, frees, batch = [], [], [arrays[0].shape[d] for d in attrs["batch"][0]]
    for k, x in enumerate(arrays):
        free = free_axes(x.ndim, attrs["contract"][k], attrs["batch"][k])
        x = x.astype(inner).transpose((*attrs["batch"][k], *free, *attrs["contract"][k]))
        nb, nf = len(batch), len(free)
        free_shape, summed = x.shape[nb : nb + nf], x.shape[nb + nf :]
        sizes = [int(np.prod(s)) for s in (batch, free_shape, summed)]
        sides.append(x.reshape(sizes))
        frees += free_shape
    with np.errstate(all="ignore"):
        # a BLAS may make NaN of complex infinities that plain sums keep, so they are summed plainly
        plain = sides[0].dtype.kind == "c" and not all(np.isfinite(s).all() for s in sides)
        if plain:
            found = np.einsum("bik,bjk->bij", *sides)
        else:
            found = sides[0] @ sides[1].transpose(0, 2, 1)
        return found.astype(dtype.numpy).reshape((*batch, *frees))


def _lower(c: Any, index: tuple[Index, ...]) -> Element:
    inner = accumulator(c.types[0].dtype, c.type.dtype)
    contract, batch = c.attrs["contract"], c.attrs["batch"]
    batched, rest = index[: len(batch[0])], index[len(batch[0]) :]
    places: list[dict[int, Index]] = []
    for k in range(2):
        free = free_axes(c.types[k].rank, contract[k], batch[k])
        own = dict(zip(batch[k], batched, strict=True)) | dict(zip(free, rest, strict=False))
        places.append(own)
        rest = rest[len(free) :]

    def factor(k: int, at: tuple[Index, ...]) -> Element:
        place = places[k] | dict(zip(contract[k], at, strict=True))
        return converted(c.operand(k, tuple(place[d] for d in range(c.types[k].rank))), inner)

    def body(at: tuple[Index, ...]) -> Element:
        return multiplied(c, factor(0, at), factor(1, at))

    if not contract[0]:
        found = body(())
    else:
        extents = tuple(c.types[0].shape[d] for d in contract[0])
        found = c.reduce("or" if inner is BOOL else "sum", extents, body)
    return converted(found, c.type.dtype)


def multiplied(c: Any, a: Element, b: Element) -> Element:
    """a*b of two elements of one dtype; of bools their conjunction."""
    if a.dtype is BOOL:
        assert not isinstance(a, Pair) and not isinstance(b, Pair)
        return scalar("and", a, b)
    return product(c.bind(a), c.bind(b)) if isinstance(a, Pair) else product(a, b)


def _transpose(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    """The product of g with the other operand over that one's free axes, in the order of the axes
    of operand k; the order of the factors is the one that leaves the least to transpose.
    """
    contract, batch = attrs["contract"], attrs["batch"]
    other, own = operands[1 - k], operands[k]
    free = [free_axes(v.type.rank, contract[j], batch[j]) for j, v in enumerate(operands)]
    batches = tuple(range(len(batch[0])))
    first = len(batches) + (0 if k else len(free[0]))  # of the other operand's axes in g
    there = tuple(range(first, first + len(free[1 - k])))
    # axes of operand k that the remaining axes of a factor stand for
    mine = list(free[k])
    summed = {b: a for a, b in zip(contract[k], contract[1 - k], strict=True)}
    others = [summed[b] for b in free_axes(other.type.rank, free[1 - k], batch[1 - k])]
    forms = []
    for swapped in (False, True):
        order = [*batch[k], *(others + mine if swapped else mine + others)]
        axes = sorted(range(len(order)), key=order.__getitem__)
        forms.append((axes != list(range(len(axes))), swapped, axes))
    _, swapped, axes = min(forms)
    sides = [(g, there, batches), (cast_value(other, g.dtype), free[1 - k], batch[1 - k])]
    (a, ca, ba), (b, cb, bb) = reversed(sides) if swapped else sides
    found = DOT(a, b, contract=(ca, cb), batch=(ba, bb))
    return cast_value(transpose(found, axes), own.dtype)


_t = ty.parse_type

DOT = register(
    OpDef(
        name="dot",
        doc="result[batch, free a, free b] = sum over contract of a*b; for bool: or of and",
        kind="contraction",
        infer=_infer,
        evaluate=_evaluate,
        lower=_lower,
        source=(
            "numpy.matmul, numpy.tensordot; XLA DotGeneral. f16 and bf16 accumulate in f32, and "
            "`dtype` (a wider one of the same kind) is the accumulator's and the result's"
        ),
        linear=(0, 1),
        batching=bt.multiplying,
        derivative=Linear(_transpose),
        cost=2,
        samples=lambda: (
            Sample(
                (_t("f32[5, 7]"), _t("f32[7, 3]")), {"contract": ((1,), (0,)), "batch": ((), ())}
            ),
            Sample(
                (_t("f64[2, 3, 4]"), _t("f64[2, 5, 4]")),
                {"contract": ((2,), (2,)), "batch": ((0,), (0,))},
            ),
            Sample((_t("i32[6]"), _t("i32[6]")), {"contract": ((0,), (0,)), "batch": ((), ())}),
            Sample((_t("c64[3, 2]"), _t("c64[2]")), {"contract": ((1,), (0,)), "batch": ((), ())}),
            Sample((_t("f16[3]"), _t("f16[4]")), {"contract": ((), ()), "batch": ((), ())}),
            *(
                Sample(
                    (_t(f"{a}[3, 9]"), _t(f"{b}[9, 5]")),
                    {"contract": ((1,), (0,)), "batch": ((), ()), "dtype": ty.DTYPES[wider]},
                )
                for a, b, wider in (
                    ("i8", "i8", "i32"),
                    ("u8", "i8", "i32"),
                    ("f16", "f16", "f32"),
                    ("bf16", "bf16", "f32"),
                    ("f32", "f32", "f64"),
                    ("c64", "c64", "c128"),
                )
            ),
        ),
    )
)
