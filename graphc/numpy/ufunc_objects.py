"""The ufuncs as users hold them: callable, with reduce, accumulate, outer and at. The tracer calls
the same objects.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..errors import TraceError
from ..ir import Value
from ..ops import build
from . import dispatch, indexing, nan_reductions, products, reductions, scans, ufuncs

_REDUCTIONS: dict[np.ufunc, Any] = {
    np.add: reductions.sum,
    np.multiply: reductions.prod,
    np.maximum: reductions.max,
    np.minimum: reductions.min,
    np.fmax: nan_reductions.fmax_reduce,
    np.fmin: nan_reductions.fmin_reduce,
    np.logical_and: reductions.all,
    np.logical_or: reductions.any,
    np.logical_xor: reductions.parity,
    np.bitwise_and: reductions.bitwise("and"),
    np.bitwise_or: reductions.bitwise("or"),
    np.bitwise_xor: reductions.bitwise("xor"),
    np.logaddexp: reductions.logaddexp_reduce,
}
_SCANS = {np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min"}
_COMBINES = {
    np.add: "add", np.multiply: "mul", np.maximum: "max", np.minimum: "min", np.subtract: "add",
}  # fmt: skip
GENERALIZED: dict[np.ufunc, Any] = {
    np.matmul: products.matmul,
    np.vecdot: products.vecdot,
    np.matvec: products.matvec,
    np.vecmat: products.vecmat,
}


class Ufunc:
    """A NumPy ufunc that also takes tracers."""

    def __init__(self, ufunc: np.ufunc, raw: Any):
        self.ufunc, self.raw = ufunc, raw
        self.__name__ = self.__qualname__ = ufunc.__name__
        self.__doc__ = ufunc.__doc__
        self.nin, self.nout, self.nargs = ufunc.nin, ufunc.nout, ufunc.nargs
        if ufunc in GENERALIZED:
            self.__signature__ = inspect.signature(raw)
        self.identity, self.signature, self.types = ufunc.identity, ufunc.signature, ufunc.types

    def __repr__(self) -> str:
        return f"<graphc.numpy ufunc {self.__name__!r}>"

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        if not dispatch.is_traced(args) and not dispatch.is_traced((out, *kwargs.values())):
            return (
                self.ufunc(*args, **kwargs) if out is None else self.ufunc(*args, out=out, **kwargs)
            )
        inputs, outs = args[: self.nin], args[self.nin :]
        if out is None and outs:
            out = outs if self.nout > 1 else outs[0]
        kwargs.pop("casting", None)
        kwargs.pop("order", None)
        kwargs.pop("subok", None)
        targets = out if isinstance(out, tuple) else (out,) * self.nout
        if kwargs.get("where", True) is not True:
            kwargs["into"] = targets
        found = self.raw(*inputs, **kwargs)
        if out is None:
            return dispatch.wrap(found)
        results = found if isinstance(found, tuple) else (found,)
        done = [
            dispatch.wrap(r) if o is None else dispatch.assign(o, r, self.__name__)
            for r, o in zip(results, targets, strict=True)
        ]
        return tuple(done) if isinstance(found, tuple) else done[0]

    def _traced(self, *args: Any) -> bool:
        return dispatch.is_traced(args)

    def _finish(self, found: Value, out: Any) -> Any:
        if isinstance(out, tuple):
            out = out[0]
        return dispatch.wrap(found) if out is None else dispatch.assign(out, found, self.__name__)

    def reduce(
        self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None,
        keepdims: bool = False, initial: Any = None, where: Any = True,
    ) -> Any:  # fmt: skip
        """ufunc.reduce."""
        if not self._traced(array, out, initial, where):
            options = {} if initial is None else {"initial": initial}
            theirs: Any = self.ufunc
            return theirs.reduce(array, axis, dtype, out, keepdims, where=where, **options)
        if self.ufunc not in _REDUCTIONS:
            raise TraceError(
                f"numpy.{self.__name__}.reduce cannot be traced; write the reduction out"
            )
        options = {k: v for k, v in (("dtype", dtype), ("initial", initial)) if v is not None}
        if self.ufunc is np.add and dtype is None:
            options["dtype"] = reductions.sum_dtype(dispatch.value(array).dtype)
        found = _REDUCTIONS[self.ufunc](array, axis=axis, keepdims=keepdims, where=where, **options)
        return self._finish(found, out)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """ufunc.accumulate."""
        if not self._traced(array, out):
            return self.ufunc.accumulate(array, axis, dtype, out)
        if self.ufunc not in _SCANS:
            raise TraceError(f"numpy.{self.__name__}.accumulate cannot be traced")
        return self._finish(scans.scan(_SCANS[self.ufunc], array, axis, dtype), out)

    def outer(self, a: Any, b: Any, **kwargs: Any) -> Any:
        """ufunc.outer."""
        if not self._traced(a, b, *kwargs.values()):
            return self.ufunc.outer(a, b, **kwargs)
        x, y = dispatch.value(a), dispatch.value(b)
        spread = build.as_value(x)
        if y.shape:
            from .shaping import reshape

            spread = reshape(x, (*x.shape, *(1,) * len(y.shape)))
        return self(dispatch.wrap(spread), dispatch.wrap(y), **kwargs)

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        """ufunc.at: in place, repeated indices count every time."""
        if not self._traced(a, indices, b):
            return self.ufunc.at(a, indices) if b is None else self.ufunc.at(a, indices, b)
        if self.ufunc not in _COMBINES or b is None:
            raise TraceError(
                f"numpy.{self.__name__}.at cannot be traced; add, subtract, multiply, maximum and "
                "minimum can"
            )
        update = dispatch.value(b, dispatch.value(a).dtype)
        if self.ufunc is np.subtract:
            update = ufuncs.negative(update)
        dispatch.assign(a, indexing.combine_at(a, indices, update, _COMBINES[self.ufunc]), "at")
        return None

    def reduceat(self, *args: Any, **kwargs: Any) -> Any:
        """ufunc.reduceat: on plain arrays only."""
        if self._traced(*args):
            raise TraceError(
                f"numpy.{self.__name__}.reduceat cannot be traced; use ufunc.at with segment "
                "numbers"
            )
        return self.ufunc.reduceat(*args, **kwargs)

    def resolve_dtypes(self, *args: Any, **kwargs: Any) -> Any:
        """ufunc.resolve_dtypes."""
        return self.ufunc.resolve_dtypes(*args, **kwargs)


UFUNCS: dict[np.ufunc, Ufunc] = {
    **{f: Ufunc(f, raw) for f, raw in ufuncs.RAW.items()},
    **{f: Ufunc(f, raw) for f, raw in GENERALIZED.items()},
}
