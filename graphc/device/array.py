"""Arrays on a CUDA device: what `graphc.jit(device="cuda")` answers and `device_put` makes.

An array is memory on the device with a shape and a dtype, C-contiguous when graphc made it. It has
no arithmetic: programs compute. Other libraries read it without a copy (`__cuda_array_interface__`,
`__dlpack__`), and `numpy()` copies it to the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

import numpy as np
from graphc_runtime import cuda

from .. import types as ty
from ..errors import DeviceError, OutOfDeviceMemory, TypeMismatch


class Watch(Protocol):
    """Something that may have gone wrong while an array was made; the earlier one has the smaller
    `number`."""

    number: int

    @property
    def failed(self) -> bool | None:
        """Has it? None as long as that is not known; does not wait."""
        ...

    def check(self) -> None:
        """Raises what went wrong; waits for the device."""
        ...


class DeviceArray:
    """An array in the memory of a device.

    `strides` are in bytes. `owner` keeps the memory alive. `watches` are asked before the host gets
    to see the elements. Other libraries may lend arrays that are `read_only`.
    """

    __slots__ = (
        "__weakref__", "device", "donated", "dtype", "owner", "pointer", "read_only", "shape",
        "strides", "watches",
    )  # fmt: skip
    __array_ufunc__ = None  # NumPy's operators answer NotImplemented instead of fetching elements

    def __init__(
        self, device: cuda.Device, owner: Any, pointer: int, dtype: ty.DType,
        shape: tuple[int, ...], strides: tuple[int, ...] | None = None,
        watches: frozenset[Watch] = frozenset(), read_only: bool = False,
    ):  # fmt: skip
        self.device, self.owner, self.pointer = device, owner, pointer
        self.dtype, self.shape = dtype.numpy, shape
        self.strides = contiguous(shape, dtype.nbytes) if strides is None else strides
        self.watches = watches
        self.read_only = read_only
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
            IndexError, NonFiniteError, LinAlgError: what a program that made it met.
            DeviceError: when the device fails.
        """
        self._readable()
        with errors(f"reading {self!r}"):
            if self.is_contiguous:
                found = np.empty(self.shape, self.dtype)
                self.device.download(found, self.pointer)
            else:
                found = self._strided()
        for watch in sorted(self.watches, key=lambda watch: watch.number):
            watch.check()
        return found

    def _strided(self) -> np.ndarray:
        """The elements through a copy of all bytes between the first and the last."""
        low, nbytes = self._span()
        raw = np.empty(nbytes, np.uint8)
        self.device.download(raw, self.pointer + low)
        view = np.ndarray(self.shape, self.dtype, raw, -low, self.strides)
        return np.ascontiguousarray(view)

    def _span(self) -> tuple[int, int]:
        """Where the bytes begin that have elements, from `pointer` on, and how many there are."""
        if not self.size:
            return 0, 0
        steps = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        low, high = sum(min(s, 0) for s in steps), sum(max(s, 0) for s in steps)
        return low, high - low + self.itemsize

    def item(self) -> Any:
        """The only element, as a Python number. Waits for the device."""
        return self._only("item()").item()

    def _only(self, what: str) -> np.ndarray:
        if self.size != 1:
            raise TypeError(
                f"{what} of a device array of {self.size} elements; only a single one is a number"
            )
        return self.numpy()

    def __bool__(self) -> bool:
        return bool(self._only("bool()").item())

    def __int__(self) -> int:
        return int(self._only("int()").item())

    def __float__(self) -> float:
        return float(self._only("float()").item())

    def __complex__(self) -> complex:
        return complex(self._only("complex()").item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and not self.shape else format(repr(self), spec)

    def __index__(self) -> int:
        if self.shape or self.dtype.kind not in "iu":
            raise TypeError(f"{self!r} is no index; only a 0-d array of integers is one")
        return int(self)

    # -- no arithmetic
    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if hasattr(other, "dtype") or isinstance(other, (int, float, complex)):
            self._computes_nothing("==")
        return NotImplemented

    __hash__ = object.__hash__

    def _computes_nothing(self, what: str) -> NoReturn:
        raise TypeError(
            f"{what} of a device array on the host or of one from outside a traced function; pass "
            'the array to a graphc.jit(device="cuda") function as an argument and compute there, '
            "or take x.numpy()"
        )

    # -- copies
    def copy(self) -> DeviceArray:
        """A copy on the device, made after what the stream has to do before.

        Raises:
            OutOfDeviceMemory.
        """
        self._readable()
        low, nbytes = self._span()
        with errors(f"copying {self!r}"):
            memory = self.device.allocate(nbytes)
            self.device.copy(int(memory), self.pointer + low, nbytes)
        return DeviceArray(
            self.device, memory, int(memory) - low, ty.dtype(self.dtype), self.shape, self.strides,
            self.watches,
        )  # fmt: skip

    def __copy__(self) -> DeviceArray:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> DeviceArray:
        return self.copy()

    def __reduce__(self) -> Any:
        raise TypeError(
            "a device array is not pickled: its memory is that of a device of this process; pickle "
            "x.numpy(), and graphc.device_put it where it is read"
        )

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
            "data": (self.pointer if self.size else 0, self.read_only),
            "version": 3,
            "stream": self.device.stream.handle,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        from .interchange import CUDA

        return CUDA, self.device.number

    def __dlpack__(
        self, *, stream: int | None = None, max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None, copy: bool | None = None,
    ) -> Any:  # fmt: skip
        """A capsule of DLPack before 1.0, which every consumer takes.

        Raises:
            BufferError: for another device, or for what such a capsule cannot say.
        """
        from .interchange import to_dlpack

        self._readable()
        here = self.__dlpack_device__()
        if dl_device is not None and tuple(dl_device) != here:
            raise BufferError(
                f"the array is on DLPack device {here} and is not brought to {tuple(dl_device)}; "
                "x.numpy() copies it to the host"
            )
        if self.read_only and not copy:
            raise BufferError("the array is read-only, and a capsule would not say so; copy it")
        lent = self.copy() if copy else self
        if stream != -1:  # -1: the consumer sees to the order itself
            self.device.let_wait(1 if stream is None else stream)
        return to_dlpack(lent)


def _refused(name: str) -> Callable[..., NoReturn]:
    def method(self: DeviceArray, *_: Any) -> NoReturn:
        self._computes_nothing(name)

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow", "matmul", "and",
              "or", "xor", "lshift", "rshift"):  # fmt: skip
    for _prefix in ("", "r") if _name != "divmod" else ("",):
        setattr(DeviceArray, f"__{_prefix}{_name}__", _refused(_name))
for _name in ("lt", "le", "gt", "ge", "neg", "pos", "abs", "invert"):
    setattr(DeviceArray, f"__{_name}__", _refused(_name))


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
        TypeMismatch: for a container, or an array that is not a plain one.
    """
    from .interchange import is_on_device, view

    if isinstance(array, DeviceArray):
        return array
    device = the_device()
    if is_on_device(array):
        return view(device, array)
    host = _of_host(array)
    dtype = ty.dtype(host.dtype)
    with errors(f"device_put of {dtype}{list(host.shape)}"):
        memory = device.allocate(host.nbytes)
        device.upload(int(memory), host)
    return DeviceArray(device, memory, int(memory), dtype, host.shape)


def _of_host(array: Any) -> np.ndarray:
    """An array of the host, or what makes one, in order and in the machine's order of bytes."""
    if isinstance(array, (np.ma.MaskedArray, np.matrix)):
        kind = type(array).__name__
        raise TypeMismatch(f"device_put of a {kind}; pass a plain array: np.asarray(x)")
    host = np.asarray(array)
    if host.dtype == object:
        raise TypeMismatch(
            f"device_put takes an array or a number, not a {type(array).__name__}; put the arrays "
            "of a container one by one (optree.tree_map(graphc.device_put, params))"
        )
    return np.asarray(host, ty.dtype(host.dtype).numpy, order="C")
