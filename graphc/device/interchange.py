"""Arrays of other libraries on the same device, without a copy: both protocols, both ways.

`__cuda_array_interface__` is read where it says on which stream the array is made; DLPack where it
does not (torch), or where there is no typestr for the dtype (bfloat16). Source: Numba, CUDA Array
Interface version 3; DLPack, dlpack.h version 0.8.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np
from graphc_runtime import cuda

from .. import types as ty
from ..errors import DeviceError, TypeMismatch
from ..types import DType, TensorType
from .array import DeviceArray

CUDA = 2
"""kDLCUDA"""
_KINDS = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}
_BFLOAT = 4


class _DLTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64),
    )  # fmt: skip


class _DLManaged(ctypes.Structure):
    pass


_Deleter = ctypes.CFUNCTYPE(None, ctypes.POINTER(_DLManaged))
_DLManaged._fields_ = (("tensor", _DLTensor), ("context", ctypes.c_void_p), ("deleter", _Deleter))
_api = ctypes.pythonapi
_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", _api)
)
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_IsValid", _api)
)
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _api)
)
_rename = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_SetName", _api)
)
_NAME, _USED = b"dltensor", b"used_dltensor"
_lent: dict[int, tuple[Any, ...]] = {}
"""What a consumer of a capsule still reads, by the address of its DLManagedTensor. The capsule is
the last item: a destructor of its own in Python would be called while an exception is raised, which
Python does not allow."""


def _references(lent: tuple[Any, ...]) -> int:
    return sys.getrefcount(lent[-1])


_UNSEEN = _references((object(),))
"""So many has a capsule that nobody but `_lent` holds."""


@_Deleter
def _delete(managed: Any) -> None:
    _lent.pop(ctypes.addressof(managed.contents), None)


def _forget() -> None:
    """Drops what was lent to nobody: capsules that were refused, or never taken."""
    for address, lent in list(_lent.items()):
        if _references(lent) == _UNSEEN and _is_valid(lent[-1], _NAME):
            _lent.pop(address, None)


def to_dlpack(array: DeviceArray) -> Any:
    """A capsule that lends the array."""
    _forget()
    dtype = ty.dtype(array.dtype)
    code = _BFLOAT if dtype.name == "bf16" else _KINDS[array.dtype.kind]
    shape = (ctypes.c_int64 * array.ndim)(*array.shape)
    strides = (ctypes.c_int64 * array.ndim)(*(s // array.itemsize for s in array.strides))
    tensor = _DLTensor(
        array.pointer, CUDA, array.device.number, array.ndim, code, 8 * array.itemsize, 1,
        ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64)),
        ctypes.cast(strides, ctypes.POINTER(ctypes.c_int64)), 0,
    )  # fmt: skip
    managed = _DLManaged(tensor, None, _delete)
    address = ctypes.addressof(managed)
    capsule = _new(address, _NAME, None)
    _lent[address] = (managed, shape, strides, array, capsule)
    return capsule


def is_on_device(x: Any) -> bool:
    """Does an array of some library live on a CUDA device?"""
    if isinstance(x, DeviceArray):
        return True
    if isinstance(x, (np.ndarray, np.generic)):
        return False
    where = getattr(type(x), "__dlpack_device__", None)
    if where is not None:
        try:
            return where(x)[0] == CUDA
        except (TypeError, ValueError, RuntimeError, BufferError):
            return False  # a library's array that cannot say where it is: read it as before
    return hasattr(x, "__cuda_array_interface__")


def type_of(x: Any) -> TensorType:
    """The type of an array on the device."""
    if isinstance(x, DeviceArray):
        return TensorType(ty.dtype(x.dtype), x.shape)
    if "bfloat16" in str(getattr(x, "dtype", "")):
        return TensorType(ty.BF16, tuple(x.shape))
    facts = getattr(x, "__cuda_array_interface__", None)
    if facts is not None:
        return TensorType(_interface_dtype(facts), tuple(facts["shape"]))
    return TensorType(ty.dtype(str(x.dtype).rpartition(".")[2]), tuple(x.shape))


def view(device: cuda.Device, x: Any) -> DeviceArray:
    """An array of another library as one of ours; it keeps the other alive.

    Raises:
        DeviceError: it is on another device or in another context, or lies as none of ours may.
        TypeMismatch: its dtype is none of ours.
    """
    if isinstance(x, DeviceArray):
        return x
    found = _from_interface(device, x)
    if found is None:
        found = _from_dlpack(device, x)
    if not found.size:
        return found
    if found.pointer % found.itemsize:
        raise DeviceError(
            f"the array begins at address {found.pointer:#x}, which is no multiple of its "
            f"{found.itemsize} bytes an element; copy it first"
        )
    why = device.cannot_read(found.pointer)
    if why:
        raise DeviceError(f"the {type(x).__name__} {why}")
    return found


class _Lent:
    """An array of another library that our stream may still read when the other takes its memory
    back: the other's stream waits for ours then."""

    __slots__ = ("_array", "_device", "_stream")

    def __init__(self, device: cuda.Device, array: Any, stream: int):
        self._device, self._array, self._stream = device, array, stream

    def __del__(self) -> None:
        if not self._device.closed:
            self._device.let_wait(self._stream)


def _from_interface(device: cuda.Device, x: Any) -> DeviceArray | None:
    """By the CUDA array interface; None where DLPack serves better."""
    if "bfloat16" in str(getattr(x, "dtype", "")):
        return None
    facts = getattr(x, "__cuda_array_interface__", None)
    if facts is None or ("stream" not in facts and hasattr(type(x), "__dlpack__")):
        return None
    if facts.get("mask") is not None:
        raise DeviceError("the array has a mask, which programs do not heed; fill it first")
    dtype = _interface_dtype(facts)
    (pointer, read_only), strides = facts["data"], facts.get("strides")
    shape, stream = tuple(facts["shape"]), facts.get("stream")
    if stream is not None:
        device.wait_for(stream)
    return DeviceArray(
        device, x if stream is None else _Lent(device, x, stream), pointer or 0, dtype, shape,
        None if strides is None else tuple(strides), read_only=bool(read_only),
    )  # fmt: skip


def _interface_dtype(facts: dict[str, Any]) -> DType:
    there = np.dtype(facts["typestr"])
    if not there.isnative:
        raise TypeMismatch(
            f"the array's bytes are in the other order ({facts['typestr']}); convert it first"
        )
    return ty.dtype(there)


class _Taken:
    """What a capsule lent, which is given back when this goes."""

    __slots__ = ("_array", "managed")

    def __init__(self, capsule: Any, array: Any):
        self.managed = _DLManaged.from_address(_pointer(capsule, _NAME))
        self._array = array
        _rename(capsule, _USED)

    def __del__(self) -> None:
        if self.managed.deleter:
            self.managed.deleter(ctypes.byref(self.managed))


def _from_dlpack(device: cuda.Device, x: Any) -> DeviceArray:
    kind, number = x.__dlpack_device__()
    if kind != CUDA or number != device.number:
        raise DeviceError(
            f"the array is on DLPack device {(kind, number)}; programs run on CUDA device "
            f"{device.number}, so bring it there first"
        )
    capsule = x.__dlpack__(stream=1)
    taken = _Taken(capsule, x)
    tensor = taken.managed.tensor
    dtype = _dtype_of(tensor)
    shape = tuple(tensor.shape[k] for k in range(tensor.ndim))
    strides = None
    if tensor.strides:
        strides = tuple(tensor.strides[k] * dtype.nbytes for k in range(tensor.ndim))
    pointer = (tensor.data or 0) + tensor.byte_offset
    return DeviceArray(device, taken, pointer, dtype, shape, strides)


def _dtype_of(tensor: _DLTensor) -> DType:
    if tensor.code == _BFLOAT and tensor.bits == 16:
        return ty.BF16
    for dtype in ty.DTYPES.values():
        if dtype is not ty.BF16 and _KINDS[dtype.numpy.kind] == tensor.code:
            if 8 * dtype.nbytes == tensor.bits and tensor.lanes == 1:
                return dtype
    raise TypeMismatch(f"DLPack's type {tensor.code} of {tensor.bits} bits has no dtype here")
