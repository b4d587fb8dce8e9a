"""The result of x[mask] with a traced mask: elements whose number is not known while tracing.

`z[mask] = z[mask]**2 + c[mask]` is how NumPy programs update where a condition holds. A `Selection`
keeps the whole view and the mask (graphc/masks.py): elementwise operations compute everywhere, the
assignment back selects, and reductions reduce with `where=`. What needs the number of elements is
refused with the remedy.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from . import types as ty
from .cell import mark
from .indexing import read, write
from .locations import refuse
from .masks import LENGTH_REMEDY, SLICE_REMEDY, Masked, Positions, same
from .operators import Operators
from .ops import build
from .ops.complexes import SELECT
from .ops.logic import AND
from .protocols import call_ufunc, namespace
from .selected import FUNCTIONS, element
from .views import axes_of

_METHODS = ("argmax", "argmin", "dot", "ptp")
_REDUCTIONS = ("sum", "prod", "mean", "std", "var", "any", "all", "max", "min")


class Selection(Operators):
    """x[mask]: `source` is the whole view, `meant` says which elements of it."""

    __slots__ = ("meant", "source")
    __hash__ = None

    def __init__(self, source: Any, meant: Masked):
        self.source = source
        self.meant = meant

    @property
    def what(self) -> str:
        """How it came to be, in the user's terms."""
        return self.meant.what

    def _with(self, source: Any) -> Selection:
        return Selection(source, self.meant)

    @property
    def dtype(self) -> np.dtype:
        return self.source.dtype

    @property
    def ndim(self) -> int:
        return self.source.ndim - self.meant.lost

    @property
    def shape(self) -> tuple[Any, ...]:
        """The number of selected elements, a traced number, and the other axes."""
        covered = self.meant.axes
        if not self._is_counted:
            return self._refuse()
        rest = self.source.shape
        return (*rest[: covered[0]], self._count(), *rest[covered[-1] + 1 :])

    @property
    def _is_counted(self) -> bool:
        """Whether the selected elements are one axis."""
        meant = self.meant
        return meant.lost >= 0 and len(meant.axes) == meant.lost + 1

    def _count(self) -> Any:
        """How many places of the covered axes are selected."""
        mask, covered = self.meant.mask, self.meant.axes
        whole = [n if a in covered else 1 for a, n in enumerate(self.source.type.shape)]
        found = self.source.fresh(build.broadcast_to(mask, whole)).sum()
        found.weak = True
        return found

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
        return self._with(found.source.astype(self.dtype))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        inputs = tuple(map(_selected, inputs))
        if ufunc is np.matmul and method == "__call__" and inputs[0] is self:
            return FUNCTIONS["matmul"](*inputs)
        if method == "reduce" and ufunc in _REDUCE:
            axis = options.pop("axis", 0)
            return self._reduced(_REDUCE[ufunc], *inputs[1:], axis=axis, **_given(options))
        if method != "__call__" or options.get("out") is not None or ufunc.signature is not None:
            return refuse(f"numpy.{ufunc.__name__} of {self.what}: {self.meant.remedy}")
        operands = []
        for one in inputs:
            if isinstance(one, Selection):
                if not self._is_like(one):
                    return refuse(
                        "arrays selected by different traced masks meet: " + self.meant.remedy
                    )
                operands.append(one.source)
            elif np.ndim(one) <= self._rest:
                operands.append(one)
            else:
                return refuse(
                    f"{self.what} meets an array of {np.ndim(one)} axes: {self.meant.remedy}"
                )
        found = call_ufunc(self.source, ufunc, "__call__", operands, options)
        return tuple(map(self._with, found)) if isinstance(found, tuple) else self._with(found)

    @property
    def _rest(self) -> int:
        """How many axes stand behind those that are selected: arrays of them meet each element."""
        return 0 if self.meant.lost < 0 else self.source.ndim - 1 - self.meant.axes[-1]

    def _is_like(self, other: Selection) -> bool:
        a, b = self.meant, other.meant
        return a.axes == b.axes and same(a.mask, b.mask)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name, args = function.__name__, tuple(map(_selected, args))
        name = {"amax": "max", "amin": "min"}.get(name, name)
        if name in ("real", "imag"):
            return getattr(self, name)
        if name in _REDUCTIONS and args and args[0] is self:
            return self._reduced(name, *args[1:], **_given(kwargs))
        if name in ("size", "shape", "ndim") and len(args) == 1:
            return getattr(self, name)
        if name in FUNCTIONS and args and args[0] is self:
            mark(2)
            return FUNCTIONS[name](*args, **_given(kwargs))
        return refuse(f"numpy.{name} of {self.what}: {self.meant.remedy}")

    def astype(self, dtype: Any, **options: Any) -> Selection:
        """The elements in another dtype."""
        return self._with(self.source.astype(dtype))

    def copy(self) -> Selection:
        """The elements again."""
        return self._with(self.source.copy())

    @property
    def real(self) -> Selection:
        return self._with(self.source.real)

    @property
    def imag(self) -> Selection:
        return self._with(self.source.imag)

    @property
    def mask(self) -> Any:
        """The mask over the whole view."""
        return self.source.fresh(build.broadcast_to(self.meant.mask, self.source.type.shape))

    def narrowed(self, also: Any) -> Selection:
        """Those of them where another mask over the whole view holds too."""
        mask = AND(*build.broadcast(self.meant.mask, also.value))
        return Selection(self.source, replace(self.meant, mask=mask))

    def _axes(self, axis: Any) -> tuple[int, ...]:
        """Axes of the selected elements as axes of the view."""
        covered, lost = self.meant.axes, self.meant.lost
        if axis is None:
            return tuple(range(self.source.ndim))
        found: list[int] = []
        for a in axes_of(axis, self.ndim):
            if lost and a == covered[0]:
                found.extend(covered)
            else:
                found.append(a + lost if lost and a > covered[0] else a)
        return tuple(found)

    def _reduced(self, name: str, axis: Any = None, dtype: Any = None, **options: Any) -> Any:
        mark(2)
        if self.meant.lost < 0 or options.keys() - {"keepdims", "ddof", "correction", "initial"}:
            return refuse(f"numpy.{name} of {self.what}: {self.meant.remedy}")
        axes = self._axes(axis)
        if self._is_counted and not set(self.meant.axes) & set(axes) and "keepdims" not in options:
            return self._along(name, axes, dtype, options)
        if not set(self.meant.axes) <= set(axes) or (options.get("keepdims") and self.meant.lost):
            return refuse(
                f"numpy.{name} of {self.what} along other axes than the one whose extent is not "
                f"known: {self.meant.remedy}"
            )
        if dtype is not None:
            options["dtype"] = dtype
        if name in ("max", "min"):
            options.setdefault("initial", _limit(self.dtype, -1 if name == "max" else 1))
        every = len(axes) == self.source.ndim and not options.get("keepdims")
        return getattr(namespace(), name)(
            self.source, axis=None if every else axes, where=self.mask, **options
        )

    def _along(self, name: str, axes: tuple[int, ...], dtype: Any, options: Any) -> Selection:
        """A reduction of each selected element along other axes: still a selection."""
        if dtype is not None:
            options["dtype"] = dtype
        found = getattr(namespace(), name)(self.source, axis=axes, **options)
        kept = [a for a in range(self.source.ndim) if a not in axes]
        shape = (1,) * (self.source.ndim - len(self.meant.mask.shape)) + self.meant.mask.shape
        mask = build.reshape(self.meant.mask, [shape[a] for a in kept])
        covered = tuple(kept.index(a) for a in self.meant.axes)
        whole = (slice(None),) * len(kept)
        return Selection(found, replace(self.meant, index=whole, mask=mask, axes=covered))

    def sum(self, *args: Any, **options: Any) -> Any:
        """The sum of the selected elements."""
        return self._reduced("sum", *args, **options)

    def prod(self, *args: Any, **options: Any) -> Any:
        """The product of the selected elements."""
        return self._reduced("prod", *args, **options)

    def mean(self, *args: Any, **options: Any) -> Any:
        """The mean of the selected elements."""
        return self._reduced("mean", *args, **options)

    def std(self, *args: Any, **options: Any) -> Any:
        """The standard deviation of the selected elements."""
        return self._reduced("std", *args, **options)

    def var(self, *args: Any, **options: Any) -> Any:
        """The variance of the selected elements."""
        return self._reduced("var", *args, **options)

    def any(self, *args: Any, **options: Any) -> Any:
        """Whether a selected element is true."""
        return self._reduced("any", *args, **options)

    def all(self, *args: Any, **options: Any) -> Any:
        """Whether all selected elements are true."""
        return self._reduced("all", *args, **options)

    def max(self, *args: Any, **options: Any) -> Any:
        """The greatest selected element; the dtype's least when there is none (NumPy raises)."""
        return self._reduced("max", *args, **options)

    def min(self, *args: Any, **options: Any) -> Any:
        """The least selected element; the dtype's greatest when there is none (NumPy raises)."""
        return self._reduced("min", *args, **options)

    @property
    def size(self) -> Any:
        """How many elements are selected, a traced number."""
        mark()
        found = namespace().sum(self.mask)
        found.weak = True  # NumPy's size is a Python number
        return found

    def __getitem__(self, k: Any) -> Any:
        """The k-th selected element."""
        mark()
        return element(self, k)

    def __len__(self) -> int:
        more = f"; {SLICE_REMEDY}" if self.meant.remedy is SLICE_REMEDY else ""
        return refuse(f"len() of {self.what}: {LENGTH_REMEDY}{more}")

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        return refuse(f"{self.what} is used as an array: {self.meant.remedy}")

    __array__ = __iter__ = __bool__ = __setitem__ = __index__ = __int__ = __float__ = _refuse
    __contains__ = _refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        function = FUNCTIONS.get(name)
        if function is not None and name in _METHODS:
            return partial(function, self)
        return refuse(f"the attribute {name} of {self.what}: {self.meant.remedy}")

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


def _selected(x: Any) -> Any:
    return x.selected if isinstance(x, Positions) else x


def _limit(dtype: np.dtype, sign: int) -> Any:
    if dtype.kind == "b":
        return sign > 0
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min)
    return sign * np.inf if dtype.kind == "f" else complex(sign * np.inf, sign * np.inf)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that say something."""
    quiet = (None, False, np._NoValue)  # type: ignore[attr-defined]
    return {k: v for k, v in options.items() if not any(v is q for q in quiet)}


def read_masked(x: Any, meant: Masked) -> Selection:
    """x[index], where how many elements that is depends on data."""
    view = read(x, meant.index)
    return Selection(view.fresh(view.value), meant)


def write_masked(x: Any, meant: Masked, value: Any) -> None:
    """x[index] = value, where to how many elements depends on data."""
    view = read(x, meant.index)
    shape = view.type.shape
    if isinstance(value, Selection):
        if value.meant.axes != meant.axes or not same(value.meant.mask, meant.mask):
            refuse("x[mask] = y[other] under different traced masks: " + meant.remedy)
        if value.source.type.shape != shape:
            refuse(
                f"x[mask] = y[mask] where x is {view.type} and y is {value.source.type}; the "
                "shapes must be equal"
            )
        value = value.source
    else:
        value = _spread(value, view, meant)
    new = x.assigned(value, shape)
    mask = build.broadcast_to(meant.mask, shape)
    write(x, meant.index, view.fresh(SELECT(mask, new, view.value)))


def _spread(value: Any, view: Any, meant: Masked) -> Any:
    """A value for the selected elements as one that broadcasts to the whole view."""
    given = tuple(value.shape) if hasattr(value, "shape") else np.shape(value)
    if ty.product(given) == 1 or meant.lost < 0:
        return value
    last = view.type.rank - meant.axes[-1]  # how many axes there are from the last masked one on
    wrong = [a for a in meant.axes if len(given) >= (n := view.type.rank - a) and given[-n] != 1]
    if len(given) < last or (not meant.lost and not wrong):
        return value
    if meant.lost and given[-last] == 1:
        return np.expand_dims(value, tuple(len(given) - last + 1 + k for k in range(meant.lost)))
    return refuse(
        f"x[mask] = value with an array of {len(given)} axes: how many elements the traced mask "
        "selects is not known. Write x[mask] = y[mask] for a y of x's shape, or x[...] = "
        "np.where(mask, y, x)"
        if meant.remedy is not SLICE_REMEDY
        else f"x[:n] = value with an array of {len(given)} axes and a traced n: {SLICE_REMEDY}"
    )
