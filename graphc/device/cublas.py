"""cublas: products of matrices by cuBLASLt, NVIDIA's library, through ctypes.

Who calls: program.py, for the `Product` steps of a plan, and the doctor. Which products these are
is decided in products.py; nothing is chosen here. A `Call` is a product as the library sees it:
matrices by columns, so the rows of NumPy's are its columns.

The library comes with the PyPI packages nvidia-cublas and nvidia-cublas-cu12, or with a CUDA
toolkit; GRAPHC_CUBLASLT names the file instead.
Source: NVIDIA, cuBLAS Library User Guide, "Using the cuBLASLt API"; the numbers of its enumerations
are those of cublasLt.h and library_types.h, versions 12 and 13.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from graphc_runtime import cuda
from graphc_runtime.records import dataclass

from .. import environment
from ..codegen import nvcc
from ..errors import DeviceError
from ..types import BF16, F16, F32, F64, DType

MAJORS = (13, 12)
REMEDY = (
    "pip install nvidia-cublas (for drivers of CUDA 12: nvidia-cublas-cu12), or name the file in "
    "GRAPHC_CUBLASLT"
)
WORKSPACE_BYTES = 32 << 20
"""What the library may use meanwhile; on Hopper its own default for a handle is as much."""
ALIGNMENT = 256
"""More alignment than this no algorithm asks for."""

TYPES: dict[DType, int] = {F32: 0, F64: 1, F16: 2, BF16: 14}
"""cudaDataType"""
_COMPUTE_F32, _COMPUTE_F64, _COMPUTE_TF32 = 68, 70, 77
_TRANSPOSE_A, _TRANSPOSE_B = 3, 4
_BATCH_COUNT, _BATCH_STRIDE = 5, 6
_WORKSPACE, _REDUCTION, _ALIGNED = 1, 3, (5, 6, 7, 8)
_REDUCE_IN_COMPUTE_TYPE = 2
"""Parts of the terms are added in f32 and in order, never in 16 bits: the bits stay the same from
run to run."""


# ------------------------------------------------------------------------------------ the library


class _Algorithm(ctypes.Structure):
    _fields_ = (("data", ctypes.c_uint64 * 8),)


class _Heuristic(ctypes.Structure):
    _fields_ = (
        ("algorithm", _Algorithm), ("workspace", ctypes.c_size_t), ("state", ctypes.c_int),
        ("waves", ctypes.c_float), ("reserved", ctypes.c_int * 4),
    )  # fmt: skip


_P, _I, _Z = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cublasLtCreate": (_P,),
    "cublasLtMatmulDescCreate": (_P, _I, _I),
    "cublasLtMatmulDescDestroy": (_P,),
    "cublasLtMatmulDescSetAttribute": (_P, _I, _P, _Z),
    "cublasLtMatrixLayoutCreate": (_P, _I, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int64),
    "cublasLtMatrixLayoutDestroy": (_P,),
    "cublasLtMatrixLayoutSetAttribute": (_P, _I, _P, _Z),
    "cublasLtMatmulPreferenceCreate": (_P,),
    "cublasLtMatmulPreferenceDestroy": (_P,),
    "cublasLtMatmulPreferenceSetAttribute": (_P, _I, _P, _Z),
    "cublasLtMatmulAlgoGetHeuristic": (_P, _P, _P, _P, _P, _P, _P, _I, _P, _P),
    "cublasLtMatmul": (_P, _P, _P, _P, _P, _P, _P, _P, _P, _P, _P, _P, _P, _P, _Z, _P),
}


class Library:
    """The loaded library.

    Raises:
        OSError: at construction; the file is not there, of another system, or not the library.
    """

    def __init__(self, path: str):
        self.path = path
        self._library = ctypes.CDLL(path)
        try:
            for name, arguments in _SIGNATURES.items():
                function = getattr(self._library, name)
                function.argtypes, function.restype = arguments, ctypes.c_int
            self._library.cublasLtGetVersion.restype = ctypes.c_size_t
            self._library.cublasLtGetStatusName.restype = ctypes.c_char_p
        except AttributeError as error:
            raise OSError(f"{path} is not cuBLASLt: {error}") from None
        number = self._library.cublasLtGetVersion()
        self.version = f"{number // 10000}.{number // 100 % 100}.{number % 100}"

    def call(self, doing: object, name: str, *arguments: Any) -> None:
        """Calls a function of the library.

        Raises:
            cuda.DeviceError: naming the call, the status, and what was being done.
        """
        status = getattr(self._library, name)(*arguments)
        if status:
            words = self._library.cublasLtGetStatusName(status).decode()
            raise cuda.DeviceError(
                f"{name} of cuBLASLt {self.version} failed for {doing}: {words} ({status}); "
                "library=False computes products by graphc's own kernels"
            )

    def new(self, doing: object, name: str, *arguments: Any) -> ctypes.c_void_p:
        """An object that a function of the library makes."""
        made = ctypes.c_void_p()
        self.call(doing, name, ctypes.byref(made), *arguments)
        return made


def files(driver: int | None = None) -> Iterator[str]:
    """Where the library may be, the best first: wheels, toolkits, torch, the loader's own path.
    `driver` is the version of CUDA that the driver is for, as it reports it (13000)."""
    majors = MAJORS
    if driver is not None:  # a library runs on drivers of its own version of CUDA and later ones
        majors = tuple(sorted(MAJORS, key=lambda major: (1000 * major > driver, -major)))
    for major in majors:
        name = f"libcublasLt.so.{major}"
        for folder in _folders(major):
            if (folder / name).exists():
                yield str(folder / name)
        yield name


def _folders(major: int) -> Iterator[Path]:
    spec = importlib.util.find_spec("nvidia")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(place) / f"cu{major}" / "lib"
        yield Path(place) / "cublas" / "lib"
    roots = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    compiler = nvcc.find_nvcc()
    if compiler is not None:
        roots.append(str(Path(compiler).resolve().parent.parent))
    for root in (*roots, "/usr/local/cuda"):
        yield from (Path(root) / lib for lib in ("lib64", "lib"))
    spec = importlib.util.find_spec("torch")  # some of its builds have the library inside
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(place) / "lib"


def find(driver: int | None = None) -> Library:
    """The library of this machine.

    Raises:
        DeviceError: there is none; with what to install.
    """
    return _find(environment.cublaslt_file(), driver)


@lru_cache(maxsize=8)
def _find(named: str | None, driver: int | None) -> Library:
    if named is not None:
        try:
            return Library(named)
        except OSError as error:
            raise DeviceError(f"GRAPHC_CUBLASLT names {named!r}, which fails: {error}") from None
    for path in files(driver):
        try:
            return Library(path)
        except OSError:
            continue  # of another system, or not there: the next one may do
    raise DeviceError(f"cuBLASLt was not found; {REMEDY}")


# -------------------------------------------------------------------------------------- a product


@dataclass(frozen=True, slots=True)
class Matrix:
    """How an operand lies in memory: `rows` contiguous numbers, `columns` of these every `ld`;
    the next matrix of a batch after `stride`. Units: elements."""

    rows: int
    columns: int
    ld: int
    stride: int


@dataclass(frozen=True, slots=True)
class Call:
    """d[m, n] = a b, all by columns; a is (m, k), or (k, m) where `transpose_a`; b (k, n) or
    (n, k)."""

    dtype: DType
    result: DType
    a: Matrix
    b: Matrix
    d: Matrix
    transpose_a: bool
    transpose_b: bool
    batch: int
    tf32: bool = False

    def __str__(self) -> str:
        """As NumPy sees it."""
        depth = self.a.rows if self.transpose_a else self.a.columns
        batch = f"{self.batch}, " if self.batch > 1 else ""
        left, right = f"[{batch}{self.d.columns}, {depth}]", f"[{batch}{depth}, {self.d.rows}]"
        name = "tf32" if self.tf32 else self.dtype.name
        return f"{name}{left} @ {name}{right}"


class _Prepared:
    """The library's descriptors of a call, and the algorithm that it estimates to be the best.

    They are kept as long as the process runs: a captured graph may be replayed at any time, and
    there are few.
    """

    def __init__(self, one: Handle, call: Call, aligned: tuple[int, int, int]):
        self.a, self.b, self.d = (
            self._layout(one.library, call, matrix, dtype)
            for matrix, dtype in ((call.a, call.dtype), (call.b, call.dtype), (call.d, call.result))
        )
        self.description = self._description(one.library, call)
        found, count = _Heuristic(), ctypes.c_int()
        preference = self._preference(one.library, call, aligned)
        try:
            one.library.call(
                call, "cublasLtMatmulAlgoGetHeuristic", one.handle, self.description, self.a,
                self.b, self.d, self.d, preference, 1, ctypes.byref(found), ctypes.byref(count),
            )  # fmt: skip
        finally:
            one.library.call(call, "cublasLtMatmulPreferenceDestroy", preference)
        if not count.value or found.state:
            raise cuda.DeviceError(
                f"cuBLASLt {one.library.version} has no algorithm for {call} of arrays that begin "
                f"at multiples of {aligned} bytes; library=False computes products by graphc's own "
                "kernels"
            )
        self.algorithm, self.workspace_bytes = found.algorithm, found.workspace

    @staticmethod
    def _layout(library: Library, call: Call, matrix: Matrix, dtype: DType) -> ctypes.c_void_p:
        made = library.new(
            call, "cublasLtMatrixLayoutCreate", TYPES[dtype], matrix.rows, matrix.columns, matrix.ld
        )
        if call.batch > 1:
            for attribute, value in (
                (_BATCH_COUNT, ctypes.c_int32(call.batch)),
                (_BATCH_STRIDE, ctypes.c_int64(matrix.stride)),
            ):
                library.call(
                    call, "cublasLtMatrixLayoutSetAttribute", made, attribute, ctypes.byref(value),
                    ctypes.sizeof(value),
                )  # fmt: skip
        return made

    @staticmethod
    def _description(library: Library, call: Call) -> ctypes.c_void_p:
        wide = call.dtype is F64
        compute = _COMPUTE_F64 if wide else _COMPUTE_TF32 if call.tf32 else _COMPUTE_F32
        scale = TYPES[F64 if wide else F32]
        made = library.new(call, "cublasLtMatmulDescCreate", compute, scale)
        for attribute, transposed in (
            (_TRANSPOSE_A, call.transpose_a), (_TRANSPOSE_B, call.transpose_b),
        ):  # fmt: skip
            value = ctypes.c_int32(transposed)
            library.call(
                call, "cublasLtMatmulDescSetAttribute", made, attribute, ctypes.byref(value), 4
            )
        return made

    @staticmethod
    def _preference(
        library: Library, call: Call, aligned: tuple[int, int, int]
    ) -> ctypes.c_void_p:  # fmt: skip
        made = library.new(call, "cublasLtMatmulPreferenceCreate")
        a, b, d = aligned
        values = [
            (_WORKSPACE, ctypes.c_uint64(WORKSPACE_BYTES)),
            (_REDUCTION, ctypes.c_uint32(_REDUCE_IN_COMPUTE_TYPE)),
            *((k, ctypes.c_uint32(n)) for k, n in zip(_ALIGNED, (a, b, d, d), strict=True)),
        ]
        for attribute, value in values:
            library.call(
                call, "cublasLtMatmulPreferenceSetAttribute", made, attribute, ctypes.byref(value),
                ctypes.sizeof(value),
            )  # fmt: skip
        return made


class Handle:
    """The library on a device: a handle and a workspace, which all products share, for they follow
    each other on the device's stream.

    Raises:
        DeviceError: at construction: there is no library, or it does not work with this driver.
        OutOfDeviceMemory: no memory for the workspace.
    """

    _made: ClassVar[dict[cuda.Device, Handle]] = {}
    _lock: ClassVar[Any] = threading.Lock()

    def __init__(self, device: cuda.Device):
        self._device = device
        self.library = find(device.driver_version)
        with device.active():
            self.handle = self.library.new(f"the driver of {device.name}", "cublasLtCreate")
        try:
            self._workspace = device.allocate(WORKSPACE_BYTES)
        except cuda.OutOfDeviceMemory as error:
            raise cuda.OutOfDeviceMemory(
                f"the {WORKSPACE_BYTES} bytes of cuBLASLt's workspace: {error}"
            ) from None
        self._prepared: dict[tuple[Call, tuple[int, int, int]], _Prepared] = {}
        self._ones = {F32: ctypes.c_float(1), F64: ctypes.c_double(1)}
        self._zeros = {F32: ctypes.c_float(0), F64: ctypes.c_double(0)}

    @classmethod
    def of(cls, device: cuda.Device) -> Handle:
        """The library on a device; made at the first call."""
        with cls._lock:
            found = cls._made.get(device)
            if found is None:
                found = cls._made[device] = cls(device)
            return found

    def prepare(self, call: Call, aligned: tuple[int, int, int]) -> _Prepared:
        """What is needed for a call with arrays that begin at multiples of so many bytes. The
        context is current.

        Raises:
            cuda.DeviceError: there is no algorithm for it.
        """
        key = (call, aligned)
        found = self._prepared.get(key)
        if found is None:  # two threads may both make one: then one is used
            found = self._prepared[key] = _Prepared(self, call, aligned)
        return found

    def run(self, call: Call, a: int, b: int, d: int) -> None:
        """Computes on the device's stream, which may be captured: nothing is allocated. The context
        is current.

        Raises:
            cuda.DeviceError: with the call, its status and the shapes.
        """
        prepared = self.prepare(call, (alignment(a), alignment(b), alignment(d)))
        scale = F64 if call.dtype is F64 else F32
        self.library.call(
            call, "cublasLtMatmul", self.handle, prepared.description,
            ctypes.byref(self._ones[scale]), a, prepared.a, b, prepared.b,
            ctypes.byref(self._zeros[scale]), d, prepared.d, d, prepared.d,
            ctypes.byref(prepared.algorithm), int(self._workspace), WORKSPACE_BYTES,
            self._device.target,
        )  # fmt: skip


def alignment(address: int) -> int:
    """The largest power of two up to ALIGNMENT that divides an address."""
    return min(address & -address, ALIGNMENT) or ALIGNMENT
