"""What works on dtypes, shapes and numbers alone: it never makes a node. Tracers stand for their
dtypes and shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ..types import BOOL
from .dispatch import tracer_class, value

PLAIN = (
    "broadcast_shapes",   "isdtype", "issubdtype", "promote_types", "dtype",
    "isscalar",
    "tril_indices", "triu_indices", "diag_indices", "mask_indices", "bartlett", "blackman",
    "hamming", "hanning",
    "kaiser", "errstate", "seterr", "geterr", "get_printoptions", "set_printoptions",
    "printoptions", "s_",
    "index_exp", "pi", "e", "euler_gamma", "inf", "nan", "newaxis", "ndindex", "ndenumerate",
    "little_endian",
    "True_", "False_", "generic", "number", "integer", "signedinteger", "unsignedinteger",
    "inexact", "floating",
    "complexfloating", "ndarray", "typecodes", "ScalarType", "sctypeDict", "seterrcall",
    "geterrcall", "exceptions",
    "typename", "mintypecode", "iterable", "base_repr", "binary_repr", "min_scalar_type",
    "frompyfunc",
    "bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16",
    "float32", "float64", "complex64", "complex128", "byte", "ubyte", "short", "ushort", "intc",
    "uintc", "intp",
    "uintp", "int_", "uint", "long", "ulong", "longlong", "ulonglong", "half", "single", "double",
    "csingle",
    "cdouble", "ufunc", "einsum_path",
)  # fmt: skip
"""Names that are NumPy's own objects."""


def _number_or_dtype(x: Any) -> Any:
    """What stands for an argument in NumPy's promotion."""
    if not isinstance(x, tracer_class()):
        return x
    dtype = x.value.dtype
    if x.weak and dtype is not BOOL:
        return {"i": 0, "u": 0, "f": 0.0, "c": 0j}[dtype.kind]
    return dtype.numpy


def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    return np.result_type(*map(_number_or_dtype, arrays_and_dtypes))


def can_cast(from_: Any, to: Any, /, casting: Any = "safe") -> bool:
    return np.can_cast(_number_or_dtype(from_), to, casting)


def common_type(*arrays: Any) -> Any:
    return np.common_type(*(np.empty(0, value(a).dtype.numpy) for a in arrays))


def _dtype_of(x: Any) -> Any:
    if isinstance(x, tracer_class()):
        return value(x).dtype.numpy
    return x.dtype if isinstance(x, (np.ndarray, np.generic)) else x


def finfo(dtype: Any, /) -> Any:
    """Of a dtype or of an array's dtype; bfloat16 too."""
    found = _dtype_of(dtype)
    if getattr(found, "name", getattr(found, "__name__", "")) == "bfloat16":
        import ml_dtypes

        return ml_dtypes.finfo(found)
    return np.finfo(found)


def iinfo(type: Any, /) -> Any:
    """Of a dtype or of an array's dtype."""
    return np.iinfo(_dtype_of(type))


def shape(a: Any) -> tuple[Any, ...]:
    return value(a).shape


def ndim(a: Any) -> int:
    return len(value(a).shape)


def size(a: Any, axis: Any = None) -> Any:
    x = value(a)
    return x.type.size if axis is None else x.shape[axis]


def iscomplexobj(x: Any) -> bool:
    return value(x).dtype.is_complex


def isrealobj(x: Any) -> bool:
    return not value(x).dtype.is_complex


def isfortran(a: Any) -> bool:
    return False


def shares_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    return a is b


OF_TYPES: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        result_type, can_cast, common_type, finfo, iinfo, shape, ndim, size, iscomplexobj,
        isrealobj, isfortran, shares_memory,
    )
}  # fmt: skip
OF_TYPES["may_share_memory"] = shares_memory


def public(name: str) -> Callable[..., Any]:
    """The function of that name: NumPy's on plain arrays, ours when a tracer is among the
    arguments.
    """
    ours, theirs = OF_TYPES[name], getattr(np, name)
    if isinstance(theirs, type):
        return ours

    @wraps(ours)
    def call(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(a, tracer_class()) for a in (*args, *kwargs.values())):
            return ours(*args, **kwargs)
        return theirs(*args, **kwargs)

    return call


class NamespaceInfo:
    """What `__array_namespace_info__()` answers (Source: Python array API standard 2024.12,
    inspection).
    """

    def capabilities(self) -> dict[str, Any]:
        # a mask as an index and unique need a stated size while tracing
        return {"boolean indexing": True, "data-dependent shapes": False, "max dimensions": 64}

    def default_device(self) -> str:
        return "cpu"

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype]:
        return dict(np.__array_namespace_info__().default_dtypes(device=device))  # type: ignore[arg-type]

    def devices(self) -> list[str]:
        return ["cpu"]

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, np.dtype]:
        return np.__array_namespace_info__().dtypes(device=device, kind=kind)
