"""The result of x[mask] with a traced mask: elements whose number is not known while tracing.

`z[mask] = z[mask]**2 + c[mask]` is how NumPy programs update where a condition holds. A `Selection`
keeps the whole array and the mask: elementwise operations compute everywhere, the assignment back
selects, and reductions reduce with `where=`. What needs the number of elements is refused with the
remedy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import types as ty
from .cell import Cell, mark
from .indexing import MASK_REMEDY, over
from .ir import Value
from .locations import refuse
from .operators import Operators
from .ops import build
from .ops.complexes import SELECT
from .protocols import call_ufunc, namespace

_REDUCTIONS = ("sum", "prod", "mean", "std", "var", "any", "all")


class Selection(Operators):
    """x[mask]: `source` is the whole array, `mask` says which elements are meant."""

    __slots__ = ("mask", "source")
    __hash__ = None

    def __init__(self, source: Any, mask: Value):
        self.source = source
        self.mask = mask

    @property
    def dtype(self) -> np.dtype:
        return self.source.dtype

    @property
    def ndim(self) -> int:
        return 1 + self.source.ndim - len(self.mask.shape)

    def _apply(self, ufunc: np.ufunc, *operands: Any, **options: Any) -> Any:
        mark(2)
        return self.__array_ufunc__(ufunc, "__call__", *operands, **options)

    def _assign(self, ufunc: np.ufunc, other: Any) -> Any:
        mark(2)
        found = self.__array_ufunc__(ufunc, "__call__", self, other)
        if not np.can_cast(found.dtype, self.dtype, "same_kind"):
            raise TypeError(
                f"Cannot cast ufunc '{ufunc.__name__}' output from {found.dtype!r} to "
                f"{self.dtype!r} with casting rule 'same_kind'"
            )
        return Selection(found.source.astype(self.dtype), self.mask)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "reduce" and ufunc in _REDUCE:
            return getattr(self, _REDUCE[ufunc])()
        if method != "__call__" or options.get("out") is not None or ufunc.signature is not None:
            return refuse(f"numpy.{ufunc.__name__} of x[mask]: {MASK_REMEDY}")
        operands = []
        for one in inputs:
            if isinstance(one, Selection):
                if not same(one.mask, self.mask):
                    return refuse("arrays selected by different traced masks meet: " + MASK_REMEDY)
                operands.append(one.source)
            elif np.ndim(one) == 0:
                operands.append(one)
            else:
                return refuse(f"x[mask] meets an array of {np.ndim(one)} axes: {MASK_REMEDY}")
        found = call_ufunc(self.source, ufunc, "__call__", operands, options)
        if isinstance(found, tuple):
            return tuple(Selection(f, self.mask) for f in found)
        return Selection(found, self.mask)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = function.__name__
        plain = (
            len(args) == 1 and args[0] is self and not any(v is not None for v in kwargs.values())
        )
        if plain and name in (*_REDUCTIONS, "max", "min", "amax", "amin", "real", "imag"):
            found = getattr(self, name.removeprefix("a") if name in ("amax", "amin") else name)
            return found() if callable(found) else found
        return refuse(f"numpy.{name} of x[mask]: {MASK_REMEDY}")

    def astype(self, dtype: Any, **options: Any) -> Selection:
        """The elements in another dtype."""
        return Selection(self.source.astype(dtype), self.mask)

    def copy(self) -> Selection:
        """The elements again."""
        return self

    @property
    def real(self) -> Selection:
        return Selection(self.source.real, self.mask)

    @property
    def imag(self) -> Selection:
        return Selection(self.source.imag, self.mask)

    def _reduced(self, name: str, **options: Any) -> Any:
        mark(2)
        where = self.source.fresh(over(self.mask, self.source.type.shape))
        return getattr(namespace(), name)(self.source, where=where, **options)

    def sum(self) -> Any:
        """The sum of the selected elements."""
        return self._reduced("sum")

    def prod(self) -> Any:
        """The product of the selected elements."""
        return self._reduced("prod")

    def mean(self) -> Any:
        """The mean of the selected elements."""
        return self._reduced("mean")

    def std(self) -> Any:
        """The standard deviation of the selected elements."""
        return self._reduced("std")

    def var(self) -> Any:
        """The variance of the selected elements."""
        return self._reduced("var")

    def any(self) -> Any:
        """Whether a selected element is true."""
        return self._reduced("any")

    def all(self) -> Any:
        """Whether all selected elements are true."""
        return self._reduced("all")

    def max(self) -> Any:
        """The greatest selected element; the dtype's least when there is none (NumPy raises)."""
        return self._reduced("max", initial=_limit(self.dtype, -1))

    def min(self) -> Any:
        """The least selected element; the dtype's greatest when there is none (NumPy raises)."""
        return self._reduced("min", initial=_limit(self.dtype, 1))

    @property
    def size(self) -> Any:
        """How many elements are selected, a traced number."""
        mark()
        where = self.source.fresh(over(self.mask, self.source.type.shape))
        found = namespace().sum(where)
        found.weak = True  # NumPy's size is a Python number
        return found

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        return refuse("x[mask] is used as an array: " + MASK_REMEDY)

    __array__ = __iter__ = __len__ = __bool__ = __getitem__ = __setitem__ = __index__ = (
        __float__
    ) = _refuse
    shape = property(_refuse)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return refuse(f"the attribute {name} of x[mask]: {MASK_REMEDY}")

    def __repr__(self) -> str:
        return f"Selection({self.source!r} under a mask)"


_REDUCE = {
    np.add: "sum",
    np.multiply: "prod",
    np.maximum: "max",
    np.minimum: "min",
    np.logical_and: "all",
    np.logical_or: "any",
}


def _limit(dtype: np.dtype, sign: int) -> Any:
    if dtype.kind == "b":
        return sign > 0
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min)
    return sign * np.inf


def same(a: Value, b: Value, depth: int = 12) -> bool:
    """Whether two values are the same expression (compared to a bounded depth)."""
    if a is b:
        return True
    x, y = a.node, b.node
    if depth == 0 or x.op is not y.op or a.index != b.index or a.type != b.type or not x.operands:
        return (
            x.op is y.op
            and not x.operands
            and x.attrs == y.attrs
            and x.op.name in ("full", "constant", "iota")
        )
    if len(x.operands) != len(y.operands) or x.attrs != y.attrs:
        return False
    return all(same(p, q, depth - 1) for p, q in zip(x.operands, y.operands, strict=True))


def write_masked(x: Any, mask: Cell, value: Any) -> None:
    """x[mask] = value under a traced mask."""
    shape = x.type.shape
    chosen = over(mask.value, shape)
    if isinstance(value, Selection):
        if not same(value.mask, mask.value):
            refuse("x[mask] = y[other] under different traced masks: " + MASK_REMEDY)
        if value.source.type.shape != shape:
            refuse(
                f"x[mask] = y[mask] where x is {x.type} and y is {value.source.type}; the shapes "
                "must be equal"
            )
        new = x.assigned(value.source, shape)
    else:
        tail = shape[mask.type.rank :]
        rank = len(getattr(value, "shape", np.shape(value) if not hasattr(value, "shape") else ()))
        if rank > len(tail) and ty.product(np.shape(value)) != 1:
            refuse(
                f"x[mask] = value with an array of {rank} axes: how many elements the traced mask "
                "selects is not known. Write x[mask] = y[mask] for a y of x's shape, or x[...] = "
                "np.where(mask, y, x)"
            )
        new = x.assigned(value, shape)
    x.write(SELECT(build.broadcast_to(chosen, shape), new, x.value))
