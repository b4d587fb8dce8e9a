"""Arrays on a CUDA device: what `graphc.jit(device="cuda")` answers and `device_put` makes.

An array is memory on the device with a shape and a dtype, C-contiguous when graphc made it. It has
no arithmetic: programs compute. Other libraries read it without a copy (`__cuda_array_interface__`,
`__dlpack__`), and `numpy()` copies it to the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from graphc_runtime import cuda

from .. import types as ty
from ..errors import DeviceError, OutOfDeviceMemory


class Watch(Protocol):
    """Something that may have gone wrong while an array was made."""

    def check(self) -> None:
        """Raises what went wrong; waits for the device."""
        ...


class DeviceArray:
    """An array in the memory of a device.

    `strides` are in bytes. `owner` keeps the memory alive. `watches` are asked before the host gets
    to see the elements.
    """

    __slots__ = (
        "__weakref__", "device", "donated", "dtype", "owner", "pointer", "shape", "strides",
        "watches",
    )  # fmt: skip
    __array_ufunc__ = None  # NumPy's operators answer NotImplemented instead of fetching elements

    def __init__(
        self, device: cuda.Device, owner: Any, pointer: int, dtype: ty.DType,
        shape: tuple[int, ...], strides: tuple[int, ...] | None = None,
        watches: frozenset[Watch] = frozenset(),
    ):  # fmt: skip
        self.device, self.owner, self.pointer = device, owner, pointer
        self.dtype, self.shape = dtype.numpy, shape
        self.strides = contiguous(shape, dtype.nbytes) if strides is None else strides
        self.watches = watches
        self.donated = False

    # -- looks
    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def is_contiguous(self) -> bool:
        """C-contiguous?"""
        wanted = contiguous(self.shape, self.itemsize)
        return self.size == 0 or all(
            n == 1 or s == w for n, s, w in zip(self.shape, self.strides, wanted, strict=True)
        )

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<DeviceArray {self.dtype}{list(self.shape)} on {self.device.name}>"

    def __getitem__(self, index: Any) -> DeviceArray:
        if index == () or index is Ellipsis:
            return self
        raise TypeError(
            "a device array is not indexed on the host; index it inside a graphc.jit function, or "
            "x.numpy()"
        )

    # -- elements
    def numpy(self) -> np.ndarray:
        """A copy on the host. Waits for the device.

        Raises:
            IndexError, NonFiniteError: what a program that made it met.
            DeviceError: when the device fails.
        """
        self._readable()
        with errors(f"reading {self!r}"):
            if self.is_contiguous:
                found = np.empty(self.shape, self.dtype)
                self.device.download(found, self.pointer)
            else:
                found = self._strided()
        for watch in self.watches:
            watch.check()
        return found

    def _strided(self) -> np.ndarray:
        """The elements through a copy of all bytes between the first and the last."""
        steps = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        low, high = sum(min(s, 0) for s in steps), sum(max(s, 0) for s in steps)
        raw = np.empty(high - low + self.itemsize, np.uint8)
        self.device.download(raw, self.pointer + low)
        view = np.ndarray(self.shape, self.dtype, raw, -low, self.strides)
        return np.ascontiguousarray(view)

    def item(self) -> Any:
        """The only element, as a Python number. Waits for the device."""
        return self.numpy().item()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError("a device array becomes a NumPy array by x.numpy(), which copies it")

    def _readable(self) -> None:
        if self.donated:
            raise DeviceError("the array was donated to a program, which has written over it")

    # -- other libraries
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        self._readable()
        name = ty.dtype(self.dtype).name
        return {
            "shape": self.shape,
            "strides": None if self.is_contiguous else self.strides,
            "typestr": "<V2" if name == "bf16" else self.dtype.str,
            "data": (self.pointer, False),
            "version": 3,
            "stream": self.device.stream.handle,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        from .interchange import CUDA

        return CUDA, self.device.number

    def __dlpack__(self, *, stream: int | None = None, **_: Any) -> Any:
        from .interchange import to_dlpack

        self._readable()
        if stream != -1:  # -1: the consumer sees to the order itself
            self.device.let_wait(1 if stream is None else stream)
        return to_dlpack(self)


def contiguous(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """The strides (bytes) of a C-contiguous array."""
    strides: list[int] = []
    total = itemsize
    for extent in reversed(shape):
        strides.append(total)
        total *= extent
    return tuple(reversed(strides))


class errors:
    """The driver's errors as graphc's, with what was being done."""

    def __init__(self, doing: str):
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, cuda.OutOfDeviceMemory):
            raise OutOfDeviceMemory(f"{self._doing}: {error}") from None
        if isinstance(error, cuda.DeviceError):
            raise DeviceError(f"{self._doing}: {error}") from None


def the_device() -> cuda.Device:
    """The device that programs run on.

    Raises:
        DeviceError: with what is missing.
    """
    try:
        return cuda.device()
    except cuda.DeviceError as error:
        raise DeviceError(
            f'device="cuda" needs pycuda (pip install "graphc[cuda]") and a CUDA driver with a '
            f"device: {error}"
        ) from None


def device_put(array: Any) -> DeviceArray:
    """The array on the device: what is there already (graphc's, CuPy's, torch's...) without a copy,
    anything else copied there.

    Raises:
        DeviceError: no pycuda, no driver or no device (it says which), or no memory.
    """
    from .interchange import is_on_device, view

    if isinstance(array, DeviceArray):
        return array
    device = the_device()
    if is_on_device(array):
        return view(device, array)
    host = np.asarray(array, order="C")
    dtype = ty.dtype(host.dtype)
    with errors(f"device_put of {dtype}{list(host.shape)}"):
        memory = device.allocate(host.nbytes)
        device.upload(int(memory), host)
    return DeviceArray(device, memory, int(memory), dtype, host.shape)
