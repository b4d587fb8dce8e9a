"""Python's operators as NumPy's ufuncs. A class says what applying one means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Method = Callable[..., Any]


def _forward(ufunc: np.ufunc) -> Method:
    def operator(self: Any, other: Any) -> Any:
        return NotImplemented if _defers(other) else self._apply(ufunc, self, other)

    return operator


def _reflected(ufunc: np.ufunc) -> Method:
    def operator(self: Any, other: Any) -> Any:
        return NotImplemented if _defers(other) else self._apply(ufunc, other, self)

    return operator


def _in_place(ufunc: np.ufunc) -> Method:
    def operator(self: Any, other: Any) -> Any:
        return self._assign(ufunc, other)

    return operator


def _unary(ufunc: np.ufunc) -> Method:
    def operator(self: Any) -> Any:
        return self._apply(ufunc, self)

    return operator


def _defers(other: Any) -> bool:
    """Whether the other operand asked NumPy not to treat it as an array (NEP 13)."""
    return getattr(type(other), "__array_ufunc__", False) is None or isinstance(other, str)


class Operators:
    """`_apply(ufunc, *operands)` computes, `_assign(ufunc, other)` computes in place."""

    __slots__ = ()

    @property
    def dtype(self) -> Any:
        """NumPy's dtype of the elements."""
        raise NotImplementedError

    def _apply(self, ufunc: np.ufunc, *operands: Any) -> Any:
        raise NotImplementedError

    def _assign(self, ufunc: np.ufunc, other: Any) -> Any:
        raise NotImplementedError

    __add__, __radd__, __iadd__ = _forward(np.add), _reflected(np.add), _in_place(np.add)
    __sub__, __rsub__ = _forward(np.subtract), _reflected(np.subtract)
    __isub__ = _in_place(np.subtract)
    __mul__, __rmul__ = _forward(np.multiply), _reflected(np.multiply)
    __imul__ = _in_place(np.multiply)
    __truediv__, __rtruediv__ = _forward(np.true_divide), _reflected(np.true_divide)
    __itruediv__ = _in_place(np.true_divide)
    __floordiv__, __rfloordiv__ = _forward(np.floor_divide), _reflected(np.floor_divide)
    __ifloordiv__ = _in_place(np.floor_divide)
    __mod__, __rmod__ = _forward(np.remainder), _reflected(np.remainder)
    __imod__ = _in_place(np.remainder)
    __divmod__, __rdivmod__ = _forward(np.divmod), _reflected(np.divmod)
    __ipow__ = _in_place(np.power)
    __matmul__, __rmatmul__ = _forward(np.matmul), _reflected(np.matmul)
    __imatmul__ = _in_place(np.matmul)
    __lshift__, __rlshift__ = _forward(np.left_shift), _reflected(np.left_shift)
    __ilshift__ = _in_place(np.left_shift)
    __rshift__, __rrshift__ = _forward(np.right_shift), _reflected(np.right_shift)
    __irshift__ = _in_place(np.right_shift)
    __and__, __rand__ = _forward(np.bitwise_and), _reflected(np.bitwise_and)
    __iand__ = _in_place(np.bitwise_and)
    __or__, __ror__ = _forward(np.bitwise_or), _reflected(np.bitwise_or)
    __ior__ = _in_place(np.bitwise_or)
    __xor__, __rxor__ = _forward(np.bitwise_xor), _reflected(np.bitwise_xor)
    __ixor__ = _in_place(np.bitwise_xor)
    __lt__, __le__ = _forward(np.less), _forward(np.less_equal)
    __gt__, __ge__ = _forward(np.greater), _forward(np.greater_equal)
    __neg__, __pos__ = _unary(np.negative), _unary(np.positive)
    __abs__, __invert__ = _unary(np.absolute), _unary(np.invert)

    def __pow__(self, other: Any, modulus: Any = None) -> Any:
        if modulus is not None or _defers(other):
            return NotImplemented
        # NumPy's operator takes a square root here, and so do ours: -inf gives NaN, -0.0 stays
        if type(other) is float and other == 0.5 and self.dtype.kind in "fc":
            return self._apply(np.sqrt, self)
        return self._apply(np.power, self, other)

    def __rpow__(self, other: Any, modulus: Any = None) -> Any:
        return (
            NotImplemented
            if modulus is not None or _defers(other)
            else self._apply(np.power, other, self)
        )

    def __eq__(self, other: Any) -> Any:
        return self._apply(np.equal, self, other)

    def __ne__(self, other: Any) -> Any:
        return self._apply(np.not_equal, self, other)
