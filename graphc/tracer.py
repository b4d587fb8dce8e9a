"""`Tracer`: what stands in for an array while a function is traced, and behaves as one.

Everything it computes is a function of `graphc.numpy`; what it is (a cell, maybe a view) is in
graphc/cell.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import types as ty
from . import views
from .cell import Cell, as_value, current_trace, mark
from .choosing import chosen
from .elements import Elements
from .indexing import assigned, read, write
from .ir import Value
from .locations import is_library_frame, refuse
from .masks import find, positions
from .operators import Operators
from .ops import build
from .ops.elementwise import BITCAST
from .protocols import call_function, call_ufunc, namespace
from .selection import Selection, read_masked, write_masked
from .types import BOOL, I64, Dim

_ARITHMETIC = frozenset(
    {
        np.add,
        np.subtract,
        np.multiply,
        np.power,
        np.floor_divide,
        np.remainder,
        np.divmod,
        np.negative,
    }
)


def _method(name: str) -> Callable[..., Any]:
    """The function of that name in `graphc.numpy`, as a method."""

    def method(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        mark(2)
        return getattr(namespace(), name)(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"numpy.{name} of the array."
    return method


class Tracer(Elements, Operators):
    """A stand-in for an array: dtype and shape are known, elements are not.

    `value` is the graph's value that it holds now; `weak` says that it stands for a Python number.
    """

    __slots__ = ()
    __hash__ = None
    __array_priority__ = 1000.0

    @property
    def __class__(self) -> type:
        """numpy.ndarray to the user's code, so that `isinstance(x, np.ndarray)` holds there."""
        return type(self) if is_library_frame(sys._getframe(1)) else np.ndarray

    # -- what is known without computing
    @property
    def shape(self) -> tuple[ty.Extent, ...]:
        return self.type.shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        refuse("the shape of a traced array cannot be set in place; write x = x.reshape(...)")

    @property
    def dtype(self) -> np.dtype:
        return self.type.dtype.numpy

    @property
    def ndim(self) -> int:
        return self.type.rank

    @property
    def size(self) -> ty.Extent:
        return self.type.size

    @property
    def itemsize(self) -> int:
        return self.type.dtype.nbytes

    @property
    def nbytes(self) -> ty.Extent:
        return self.type.nbytes

    @property
    def base(self) -> Any:
        """The array whose elements this view shares, or None."""
        return self._base

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def flags(self) -> Any:
        return refuse("the memory layout (flags) of a traced array is not known while tracing")

    strides = data = ctypes = flags

    def __len__(self) -> int:
        if not self.type.shape:
            raise TypeError("len() of unsized object")
        extent = self.type.shape[0]
        if isinstance(extent, Dim):
            refuse(
                f"len() needs the extent {extent} as a number. Use x.shape[0], which may be "
                "symbolic"
            )
        return int(extent)

    def __repr__(self) -> str:
        return f"Tracer {self.type}" + (" (a Python number)" if self.weak else "")

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        known = self.known()
        if known is not None and known.ndim == 0:
            return format(known[()], spec)
        return refuse(
            f"format(x, {spec!r}) of {self!r}: its elements are not known while tracing; print "
            "after the call"
        )

    # -- NumPy's protocols
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        mark(2)
        return call_ufunc(self, ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(issubclass(t, Selection) for t in types):
            return NotImplemented
        mark(2)
        found = chosen(function, args, kwargs)
        return call_function(self, function, args, kwargs) if found is None else found

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return namespace()

    # -- operators
    def _apply(self, ufunc: np.ufunc, *operands: Any) -> Any:
        mark(2)
        weak = all(map(_is_weak, operands))
        if weak and ufunc in _ARITHMETIC:
            operands = tuple(map(_counted, operands))
        if ufunc is np.power and not _is_possible_power(*operands):
            raise ValueError("Integers to negative integer powers are not allowed.")
        found = call_ufunc(self, ufunc, "__call__", operands, {})
        if weak:
            for one in found if isinstance(found, tuple) else (found,):
                one.weak = True
        return found

    def _assign(self, ufunc: np.ufunc, other: Any) -> Any:
        if not self.type.shape:
            # a number, as what NumPy's reductions answer: never changed in place
            return self._apply(ufunc, self, other)
        mark(2)
        if isinstance(other, Selection):
            return NotImplemented
        return call_ufunc(self, ufunc, "__call__", (self, other), {"out": (self,)})

    def __round__(self, digits: int | None = None) -> Any:
        mark()
        return namespace().round(self, digits or 0)

    def __floor__(self) -> Any:
        return self._apply(np.floor, self)

    def __ceil__(self) -> Any:
        return self._apply(np.ceil, self)

    def __trunc__(self) -> Any:
        return self._apply(np.trunc, self)

    # -- indexing
    def __getitem__(self, index: Any) -> Any:
        mark()
        meant = find(self, index)
        return read(self, index) if meant is None else read_masked(self, meant)

    def __setitem__(self, index: Any, value: Any) -> None:
        mark()
        meant = find(self, index)
        if meant is None:
            write(self, index, value)
        else:
            write_masked(self, meant, value)

    def assigned(self, value: Any, shape: Any) -> Value:
        """A value as it is stored into elements of this array."""
        return assigned(value, self, shape)

    @property
    def flat(self) -> Flat:
        """The elements in C order, to read and to write."""
        return Flat(self)

    # -- views
    @property
    def T(self) -> Any:
        mark()
        return views.transpose(self)

    @property
    def mT(self) -> Any:
        mark()
        return views.matrix_transpose(self)

    @property
    def real(self) -> Any:
        mark()
        return views.real(self)

    @real.setter
    def real(self, value: Any) -> None:
        mark()
        views.real(self)[...] = value

    @property
    def imag(self) -> Any:
        mark()
        return views.imag(self)

    @imag.setter
    def imag(self, value: Any) -> None:
        mark()
        views.imag(self)[...] = value

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        """numpy.reshape; a view where NumPy's is one."""
        mark()
        return views.reshape(self, shape[0] if len(shape) == 1 else shape, order, copy=copy)

    def ravel(self, order: str = "C") -> Any:
        """numpy.ravel; a view where NumPy's is one."""
        mark()
        return views.ravel(self, order)

    def flatten(self, order: str = "C") -> Any:
        """A copy in one axis."""
        return self.ravel(order).copy()

    def transpose(self, *axes: Any) -> Any:
        """numpy.transpose, a view."""
        mark()
        given = (
            axes[0]
            if len(axes) == 1 and (axes[0] is None or not hasattr(axes[0], "__index__"))
            else axes
        )
        return views.transpose(self, given or None)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """numpy.swapaxes, a view."""
        mark()
        return views.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Any = None) -> Any:
        """numpy.squeeze, a view."""
        mark()
        return views.squeeze(self, axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """numpy.diagonal, a read-only view."""
        mark()
        return views.diagonal(self, offset, axis1, axis2)

    def view(self, dtype: Any = None, type: Any = None) -> Any:
        """The same elements (no argument), or a copy of their bits read as another dtype."""
        mark()
        if dtype is None or dtype is np.ndarray:
            return self.share()
        target = ty.dtype(dtype)
        if target is self.type.dtype:
            return self.share()
        if target.bits != self.type.dtype.bits:
            refuse(
                f"view({target.numpy_name}) of {self!r} changes the width of elements, which is "
                "not supported"
            )
        return self.fresh(BITCAST(self.value, dtype=target))

    # -- copies and changes in place
    def copy(self, order: str = "C") -> Any:
        """A new array with the same elements."""
        return self.fresh(self.value)

    def astype(
        self,
        dtype: Any,
        order: str = "K",
        casting: str = "unsafe",
        subok: bool = True,
        copy: bool = True,
    ) -> Any:
        """The elements in another dtype; itself with copy=False and the same dtype."""
        mark()
        target = ty.dtype(dtype)
        if not np.can_cast(self.dtype, target.numpy, casting):  # type: ignore[arg-type]
            raise TypeError(
                f"Cannot cast array data from {self.dtype!r} to {target.numpy!r} according to the "
                f"rule {casting!r}"
            )
        if not copy and target is self.type.dtype:
            return self
        return self.fresh(self.assigned_as(target))

    def assigned_as(self, target: ty.DType) -> Value:
        """The elements cast to a dtype; imaginary parts are dropped where it has none."""
        value = self.value
        if value.dtype.is_complex and not target.is_complex and target is not BOOL:
            value = views.Real().read(value)
        return build.cast(value, target)

    def fill(self, value: Any) -> None:
        """Sets every element."""
        mark()
        self.write(self.assigned(value, self.type.shape))

    def sort(
        self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None
    ) -> None:
        """Sorts in place."""
        mark()
        self.write(namespace().sort(self, axis=axis).value)

    def nonzero(self) -> Any:
        """numpy.nonzero: arrays where the elements are known, an index otherwise."""
        mark()
        known = self.known()
        if known is None:
            return positions(self)
        return tuple(self.fresh(build.constant(i)) for i in known.nonzero())

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Any:
        """numpy.compress of the array."""
        mark()
        found = chosen(np.compress, (condition, self, axis), {})
        return namespace().compress(condition, self, axis=axis) if found is None else found

    def put(self, indices: Any, values: Any, mode: str = "raise") -> None:
        """Sets elements by their place in C order."""
        mark()
        flat = views.reshape(self, -1)
        if not flat.is_view:
            refuse("put on a view that is not contiguous; index it instead")
        flat[indices] = values

    def resize(self, *args: Any, **kwargs: Any) -> Any:
        """Refused: an array's extents do not change."""
        return refuse("x.resize() in place cannot be traced; write x = np.resize(x, shape)")

    setflags = byteswap = dump = dumps = tofile = getfield = setfield = resize

    all, any = _method("all"), _method("any")
    argmax, argmin = _method("argmax"), _method("argmin")
    argsort, argpartition = _method("argsort"), _method("argpartition")
    choose, clip = _method("choose"), _method("clip")
    conj, conjugate = _method("conj"), _method("conjugate")
    cumprod, cumsum = _method("cumprod"), _method("cumsum")
    dot, trace = _method("dot"), _method("trace")
    max, min = _method("max"), _method("min")
    mean, std, var = _method("mean"), _method("std"), _method("var")
    prod, sum = _method("prod"), _method("sum")
    ptp = _method("ptp")
    repeat, round, take = _method("repeat"), _method("round"), _method("take")
    searchsorted = _method("searchsorted")


class Flat:
    """`x.flat`: the elements in C order."""

    __slots__ = ("_next", "_x")

    def __init__(self, x: Tracer):
        self._x = x
        self._next = 0

    @property
    def coords(self) -> tuple[int, ...]:
        """The index of the element that `next` answers."""
        place, found = self._next, []
        for n in reversed(self._x.shape):
            place, coordinate = divmod(place, max(int(n), 1))
            found.append(coordinate)
        return tuple(reversed(found))

    def __next__(self) -> Any:
        if self._next >= len(self):
            raise StopIteration
        self._next += 1
        return self._all()[self._next - 1]

    def _all(self) -> Any:
        return self._x.share(views.Reshape((self._x.size,)))

    def __getitem__(self, index: Any) -> Any:
        mark()
        found = self._all()[index]
        return found.copy() if isinstance(found, Tracer) else found

    def __setitem__(self, index: Any, value: Any) -> None:
        mark()
        self._all()[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def copy(self) -> Any:
        """The elements as a new array of one axis."""
        return self._all().copy()


def _is_weak(x: Any) -> bool:
    if isinstance(x, Tracer):
        return x.weak
    return isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic)


def _counted(x: Any) -> Any:
    """A traced Python bool as an int, which it is in Python's arithmetic."""
    if isinstance(x, Tracer) and x.type.dtype is BOOL:
        return x.fresh(build.cast(x.value, I64), weak=True)
    return x


def _is_possible_power(base: Any, exponent: Any) -> bool:
    if not isinstance(exponent, (int, np.integer)) or isinstance(exponent, bool) or exponent >= 0:
        return True
    return not (isinstance(base, Tracer) and base.type.dtype.is_integer)


def wrap(value: Any, weak: bool = False) -> Tracer:
    """A value as a tracer of the active trace.

    Raises:
        TraceError: when no function is being traced on this thread.
    """
    if isinstance(value, Tracer):
        return value
    trace = current_trace()
    if trace is None:
        return refuse("a traced value is made while no function is being traced")
    return Tracer(trace, value, weak)


def is_traced(*xs: Any) -> bool:
    """Whether a tracer is among the arguments (lists and tuples are looked through)."""
    return any(
        isinstance(x, (Cell, Selection)) or (isinstance(x, (list, tuple)) and is_traced(*x))
        for x in xs
    )


__all__ = ["Flat", "Tracer", "as_value", "current_trace", "is_traced", "wrap"]
