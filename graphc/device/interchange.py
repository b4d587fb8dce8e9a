"""Arrays of other libraries on the same device, without a copy: both protocols, both ways.

`__cuda_array_interface__` is read where it is spoken; DLPack where it is not (torch has no typestr
for bfloat16). Source: Numba, CUDA Array Interface version 3; DLPack, dlpack.h version 0.8.
"""

from __future__ import annotations

import ctypes
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
_Destructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
_api = ctypes.pythonapi
_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, _Destructor)(
    ("PyCapsule_New", _api)
)
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_IsValid", _api)
)
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _api)
)
_NAME = b"dltensor"
_lent: dict[int, tuple[Any, ...]] = {}
"""What a consumer of a capsule still reads, by the address of its DLManagedTensor."""


@_Deleter
def _delete(managed: Any) -> None:
    _lent.pop(ctypes.addressof(managed.contents), None)


@_Destructor
def _destroy(capsule: int) -> None:
    if _is_valid(capsule, _NAME):  # nobody took it
        _lent.pop(_pointer(capsule, _NAME), None)


def to_dlpack(array: DeviceArray) -> Any:
    """A capsule that lends the array."""
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
    _lent[address] = (managed, shape, strides, array)
    return _new(address, _NAME, _destroy)


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
        return TensorType(ty.dtype(np.dtype(facts["typestr"])), tuple(facts["shape"]))
    return TensorType(ty.dtype(str(x.dtype).rpartition(".")[2]), tuple(x.shape))


def view(device: cuda.Device, x: Any) -> DeviceArray:
    """An array of another library as one of ours; it keeps the other alive."""
    if isinstance(x, DeviceArray):
        return x
    if "bfloat16" not in str(getattr(x, "dtype", "")):
        facts = getattr(x, "__cuda_array_interface__", None)
        if facts is not None:
            stream = facts.get("stream")
            if stream is not None:
                device.wait_for(stream)
            dtype = ty.dtype(np.dtype(facts["typestr"]))
            strides = facts.get("strides")
            return DeviceArray(
                device, x, facts["data"][0] or 0, dtype, tuple(facts["shape"]),
                None if strides is None else tuple(strides),
            )  # fmt: skip
    return _from_dlpack(device, x)


def _from_dlpack(device: cuda.Device, x: Any) -> DeviceArray:
    kind, number = x.__dlpack_device__()
    if kind != CUDA or number != device.number:
        raise DeviceError(f"the array is on DLPack device {(kind, number)}, programs run on CUDA 0")
    capsule = x.__dlpack__(stream=1)
    address = _pointer(id(capsule), _NAME)
    tensor = _DLManaged.from_address(address).tensor
    dtype = _dtype_of(tensor)
    shape = tuple(tensor.shape[k] for k in range(tensor.ndim))
    strides = None
    if tensor.strides:
        strides = tuple(tensor.strides[k] * dtype.nbytes for k in range(tensor.ndim))
    pointer = (tensor.data or 0) + tensor.byte_offset
    # the capsule stays ours, and returns what it lends when it is dropped
    return DeviceArray(device, (capsule, x), pointer, dtype, shape, strides)


def _dtype_of(tensor: _DLTensor) -> DType:
    if tensor.code == _BFLOAT and tensor.bits == 16:
        return ty.BF16
    for dtype in ty.DTYPES.values():
        if dtype is not ty.BF16 and _KINDS[dtype.numpy.kind] == tensor.code:
            if 8 * dtype.nbytes == tensor.bits and tensor.lanes == 1:
                return dtype
    raise TypeMismatch(f"DLPack's type {tensor.code} of {tensor.bits} bits has no dtype here")
