"""Native calls: installs the native object, makes callables, adds specializations, sets threads and
memory limits.

Who calls it: the compiler (`install` once per process, then `compiled_type`, `add_specialization`)
and the code of artifacts. It never compiles anything: the native object comes as bytes, made from
native.ll by whoever has a compiler or a cache.

Every assumption about CPython and NumPy is checked here, against live objects, before native code
relies on it. Where one fails the slower path of `fallback.py` takes over, a warning says so once,
and `path()` gives the reason.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import struct
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import fallback, specialization
from .forking import ForkLock
from .loader import LoadedObject, ObjectError, load, process_address
from .records import dataclass
from .specialization import Specialization

__all__ = [
    "CallPath", "PoolStatistics", "add_specialization", "call_statistics",
    "clear_specializations", "compiled_type", "exported_type", "extension_source",
    "get_threads", "install", "native_object", "native_source", "path", "pool_statistics",
    "runtime_pointer", "set_pool_limit", "set_threads", "threads_source", "trim_pool",
]  # fmt: skip

MAX_THREADS = 1024  # as native_threads.h has it
LARGE_BYTES = 128 * 1024  # from here the pool is faster than malloc, by alignment and by pages kept
SPIN_NS = 50_000
_FUTEX_NUMBER = {"x86_64": 202, "aarch64": 98}
_API_ARRAY_TYPE, _API_RETURN, _API_NEW_FROM_DESCR, _API_SET_HANDLER = 2, 76, 94, 304
_OFFSETS = {"type": 8, "data": 16, "nd": 24, "dims": 32, "strides": 40, "descr": 56, "flags": 64}
_OFF_TYPE_NUM, _OFF_BYTEORDER = 28, 26
_COMPILED_HEAD_BYTES = 16

_i64, _ptr, _object = ctypes.c_int64, ctypes.c_void_p, ctypes.py_object


@dataclass(frozen=True, slots=True)
class CallPath:
    """Which way calls go: `name` "native" or "fallback", and the reason for the latter."""

    name: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """The pool of memory blocks. Units: bytes, and blocks for the last two."""

    cached_bytes: int
    live_bytes: int
    limit_bytes: int
    peak_live_bytes: int
    taken: int
    reused: int


class _Config(ctypes.Structure):
    """`GcConfig` of native.h."""

    _fields_ = (
        ("size_bytes", _i64),
        ("futex_number", _i64),
        ("spin_ns", _i64),
        ("large_bytes", _i64),
        ("array_type", _ptr),
        ("new_from_descr", _ptr),
        ("set_handler", _ptr),
        ("array_return", _ptr),
        ("handler", _ptr),
        *((f"off_{name}", _i64) for name in _OFFSETS),
        ("off_type_num", _i64),
        ("off_byteorder", _i64),
        ("can_register_fork", _i64),
    )


class _Unusable(Exception):
    """Native calls cannot be used here; the message says why."""


class _Native:
    """The installed native object: its functions, typed, and the type that it made."""

    def __init__(self, code: LoadedObject) -> None:
        self.code = code
        # functions that touch Python objects keep the GIL (PYFUNCTYPE); the others release it
        self.setup = ctypes.CFUNCTYPE(_i64, _ptr)(code.address("gc_setup"))
        self.make_type = ctypes.PYFUNCTYPE(_object)(code.address("gc_make_type"))
        self.add = ctypes.PYFUNCTYPE(_i64, _object, ctypes.c_char_p, _i64, _object)(
            code.address("gc_add")
        )
        self.clear = ctypes.PYFUNCTYPE(None, _object)(code.address("gc_clear"))
        self.statistics = ctypes.PYFUNCTYPE(None, _object, _ptr)(code.address("gc_statistics"))
        self.set_threads = ctypes.PYFUNCTYPE(_i64, _i64)(code.address("gc_set_threads"))
        self.get_threads = ctypes.PYFUNCTYPE(_i64)(code.address("gc_get_threads"))
        self.set_spin = ctypes.PYFUNCTYPE(None, _i64)(code.address("gc_set_spin"))
        self.register_fork = ctypes.PYFUNCTYPE(_i64)(code.address("gc_register_fork"))
        self.reset_after_fork = ctypes.PYFUNCTYPE(None)(code.address("gc_reset_after_fork"))
        self.pool_statistics = ctypes.PYFUNCTYPE(None, _ptr)(code.address("gc_pool_statistics"))
        self.pool_limit = ctypes.CFUNCTYPE(None, _i64)(code.address("gc_pool_limit"))
        self.pool_trim = ctypes.CFUNCTYPE(None, _i64)(code.address("gc_pool_trim"))
        self.runtime_now = ctypes.PYFUNCTYPE(None, _ptr)(code.address("gc_runtime_now"))
        self.type: type = object
        self.exported: type | None = None
        self.handler: object = None


_lock = ForkLock()
_native: _Native | None = None
_path = CallPath("fallback", "the native runtime was not installed in this process")
_is_refused = False
"""Whether the native object was tried here and is no use: calls then run on one thread."""


# ---------------------------------------------------------------------------------------- install
def native_source() -> str:
    """The LLVM IR text of the native object; triple and data layout are for the compiler to set
    (reloc 'pic')."""
    return (Path(__file__).parent / "native.ll").read_text(encoding="utf-8")


def threads_source() -> str:
    """The LLVM IR text of the thread pool that libraries may have (threads.c), as native_source."""
    return (Path(__file__).parent / "threads.ll").read_text(encoding="utf-8")


def extension_source() -> str:
    """The LLVM IR text of extension modules (extension.c), as native_source."""
    return (Path(__file__).parent / "extension.ll").read_text(encoding="utf-8")


def native_object() -> bytes | None:
    """The native object that ships for this architecture (baseline instructions), or None:
    compile `native_source`.
    """
    path = Path(__file__).parent / f"native-{platform.machine()}.o"
    return path.read_bytes() if path.is_file() else None


def install(content: bytes) -> CallPath:
    """Loads the native object into this process and checks all that it assumes. A second call
    changes nothing.

    Never raises for an unusual machine: calls then take the fallback, and a warning gives the
    reason.
    """
    global _native, _path, _is_refused
    with _lock:
        if _native is not None:
            return _path
        try:
            _check_platform()
            native = _load_native(content)
            _make_type(native)
            _check_call(native)
        except (_Unusable, ObjectError) as reason:
            _path, _is_refused = CallPath("fallback", str(reason)), True
            warnings.warn(
                f"graphc calls compiled code through a slower path here: {reason}", stacklevel=2
            )
            return _path
        _native, _path = native, CallPath("native")
        fallback.use_runtime(_runtime_now)
        return _path


def path() -> CallPath:
    """Which way calls go in this process."""
    return _path


def _check_platform() -> None:
    if not sys.platform.startswith("linux") or platform.machine() not in _FUTEX_NUMBER:
        raise _Unusable(f"no native calls on {sys.platform} {platform.machine()}")
    if platform.python_implementation() != "CPython":
        raise _Unusable(f"{platform.python_implementation()} has no CPython objects")
    if struct.calcsize("P") != 8 or sys.byteorder != "little":
        raise _Unusable("pointers are not of 64 bits in little-endian order")
    if object.__basicsize__ != _COMPILED_HEAD_BYTES:
        raise _Unusable(
            f"an object's head has {object.__basicsize__} bytes: a debug or free-threaded build"
        )
    _check_array_fields()


def _check_array_fields() -> None:
    """Compares the offsets of array and dtype fields with what Python says of live objects."""
    for array in (np.zeros((3, 5), np.float32), np.zeros((2, 3, 4), np.int64)[::-1, 1:, ::2]):
        at = id(array)
        rank, shape = array.ndim, (_i64 * array.ndim)
        flags = (
            1 * array.flags.c_contiguous
            | 0x100 * array.flags.aligned
            | 0x400 * array.flags.writeable
        )
        found = (
            _ptr.from_address(at + _OFFSETS["type"]).value == id(np.ndarray),
            _ptr.from_address(at + _OFFSETS["data"]).value == array.ctypes.data,
            ctypes.c_int.from_address(at + _OFFSETS["nd"]).value == rank,
            tuple(shape.from_address(_ptr.from_address(at + _OFFSETS["dims"]).value or 0))
            == array.shape,
            tuple(shape.from_address(_ptr.from_address(at + _OFFSETS["strides"]).value or 0))
            == array.strides,
            _ptr.from_address(at + _OFFSETS["descr"]).value == id(array.dtype),
            ctypes.c_int.from_address(at + _OFFSETS["flags"]).value & 0x501 == flags,
        )
        if not all(found):
            wrong = [name for name, ok in zip(_OFFSETS, found, strict=False) if not ok]
            raise _Unusable(f"NumPy {np.__version__} keeps an array's {', '.join(wrong)} elsewhere")
    for dtype in (np.dtype("f4"), np.dtype("c16"), np.dtype(">i2"), np.dtype("?")):
        number = ctypes.c_int.from_address(id(dtype) + _OFF_TYPE_NUM).value
        order = ctypes.c_char.from_address(id(dtype) + _OFF_BYTEORDER).value.decode()
        if number != dtype.num or order != dtype.byteorder:
            raise _Unusable(
                f"NumPy {np.__version__} keeps a dtype's number or byte order elsewhere"
            )


def _load_native(content: bytes) -> _Native:
    externals = {}
    register = process_address("__register_atfork") or process_address("pthread_atfork")
    # without either, the name still has to mean something; native code does not call it then
    externals["gc_register_atfork"] = register or process_address("malloc") or 0
    code = load(content, externals)
    code.pin()  # threads, arrays and fork handlers outlive every Python object
    native = _Native(code)
    layout = (_i64 * 5).from_address(code.address("gc_layout"))
    ours = (specialization.HEAD, specialization.ARGUMENT, specialization.OUTPUT)
    if [*layout[:3], layout[4]] != [*(s.size for s in ours), ctypes.sizeof(_Config)]:
        raise _Unusable("the native object is of another version of graphc_runtime")
    try:
        core = importlib.import_module("numpy._core._multiarray_umath")  # NumPy 2
    except ImportError:
        core = importlib.import_module("numpy.core._multiarray_umath")  # NumPy 1.26
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = _ptr, [_object, ctypes.c_char_p]
    api = ctypes.cast(get_pointer(core._ARRAY_API, None), ctypes.POINTER(_ptr))
    if api[_API_ARRAY_TYPE] != id(np.ndarray):
        raise _Unusable(f"NumPy {np.__version__} has another table of C functions")
    make_capsule = ctypes.pythonapi.PyCapsule_New
    make_capsule.restype, make_capsule.argtypes = _object, [_ptr, ctypes.c_char_p, _ptr]
    native.handler = make_capsule(code.address("gc_handler"), _HANDLER_NAME, None)
    offsets = {f"off_{name}": value for name, value in _OFFSETS.items()}
    config = _Config(
        size_bytes=ctypes.sizeof(_Config),
        futex_number=_FUTEX_NUMBER[platform.machine()],
        spin_ns=SPIN_NS,
        large_bytes=LARGE_BYTES,
        array_type=id(np.ndarray),
        new_from_descr=api[_API_NEW_FROM_DESCR],
        set_handler=api[_API_SET_HANDLER],
        array_return=api[_API_RETURN],
        handler=id(native.handler),
        off_type_num=_OFF_TYPE_NUM,
        off_byteorder=_OFF_BYTEORDER,
        can_register_fork=bool(register),
        **offsets,
    )
    if native.setup(ctypes.addressof(config)):
        raise _Unusable("the native object is of another version of graphc_runtime")
    # arrays keep the capsule's address, and native code the handler's: neither may ever die
    ctypes.pythonapi.Py_IncRef(_object(native.handler))
    if not native.register_fork():
        os.register_at_fork(after_in_child=native.reset_after_fork)
    native.pool_limit(_default_pool_limit())
    _set_native_threads(native, _threads_wanted())
    return native


# the name that NEP 49 asks for; a module global, since the capsule keeps its address
_HANDLER_NAME = b"mem_handler"


def _make_type(native: _Native) -> None:
    native.type = native.make_type()
    if native.type.__basicsize__ != (_i64 * 5).from_address(native.code.address("gc_layout"))[3]:
        raise _Unusable("CPython gave the callable type another size than it was asked for")


def _check_call(native: _Native) -> None:
    """One call that does nothing, with a small and a large output, looked at from Python."""

    def miss(*args: object) -> None:
        return None

    dtype = np.dtype(np.float32)
    spec = Specialization(
        (specialization.ArgumentSpec("array", dtype, ("n",)),),
        (
            specialization.OutputSpec(dtype, ("n",)),
            specialization.OutputSpec(dtype, ("n", LARGE_BYTES // 4)),
        ),
        entry=native.code.address("gc_empty_entry"),
        symbols=("n",),
        result="tuple",
    )
    function = native.type(miss)
    packed = specialization.pack(spec)
    native.add(function, packed, len(packed), spec.held)
    result = function(np.zeros(2, np.float32))
    good = type(result) is tuple and len(result) == 2 and all(type(r) is np.ndarray for r in result)
    if not good or [r.shape for r in result] != [(2,), (2, LARGE_BYTES // 4)]:
        raise _Unusable("a call for trial gave a wrong result")
    if not all(r.flags.owndata and r.flags.c_contiguous and r.dtype == dtype for r in result):
        raise _Unusable("a call for trial gave arrays that are not plain")
    if function(np.zeros((2, 2), np.float32)) is not None:
        raise _Unusable("a call for trial took an argument that it should refuse")


# ------------------------------------------------------------------------------------------ calls
def compiled_type() -> type:
    """The type of compiled callables: `T(miss, error=None)`.

    `miss(*args, **kwargs)` is called where no specialization fits; `error(code, outputs)` where an
    entry gives an error code, and is expected to raise. Instances have a `__dict__` and weak
    references, bind as methods do, and Python functions may be attached to the type. Ask after
    `install`: before it, this is the fallback's type.
    """
    return fallback.Compiled if _native is None else _native.type


def exported_type() -> type:
    """A type like `compiled_type`, for the functions of artifacts: what the compiler attaches to
    its own callables is not for them. It is one for the whole process."""
    with _lock:
        if _native is None:
            return _ExportedFallback
        made = _native.exported
        if made is None:
            made = _native.exported = _native.make_type()
        return made


class _ExportedFallback(fallback.Compiled):
    pass


def add_specialization(function: Any, spec: Specialization) -> None:
    """Makes a callable accept what `spec` describes, before anything that was added earlier.

    Raises:
        TypeError: when `function` is no instance of a compiled type. MemoryError.
    """
    if isinstance(function, fallback.Compiled):
        function.add(spec)
        return
    native = _native_of(function)
    packed = specialization.pack(spec)
    if native.add(function, packed, len(packed), spec.held):
        raise MemoryError(f"no {len(packed)} bytes for a specialization")


def clear_specializations(function: Any) -> None:
    """Takes all specializations out of use; their memory is freed with the callable."""
    if isinstance(function, fallback.Compiled):
        function.clear()
    else:
        _native_of(function).clear(function)


def call_statistics(function: Any) -> tuple[int, int, int]:
    """Specializations in use, calls that one of them took, calls that went to `miss`."""
    if isinstance(function, fallback.Compiled):
        return function.statistics()
    counts = (_i64 * 3)()
    _native_of(function).statistics(function, ctypes.addressof(counts))
    return counts[0], counts[1], counts[2]


def _native_of(function: Any) -> _Native:
    known = () if _native is None else (_native.type, _native.exported or _native.type)
    if _native is None or not isinstance(function, known):
        raise TypeError(f"{type(function).__name__} is no compiled callable")
    return _native


# ---------------------------------------------------------------------------------------- threads
_threads_asked: int | None = None


def default_threads(environment: Callable[[str], str | None] = os.environ.get) -> int:
    """GRAPHC_NUM_THREADS, else OMP_NUM_THREADS (its first number), else the CPUs that this process
    may use."""
    for name in ("GRAPHC_NUM_THREADS", "OMP_NUM_THREADS"):
        text = (environment(name) or "").split(",")[0].strip()
        if text.isdigit() and int(text) > 0:
            return int(text)
    return usable_cpus()


def usable_cpus() -> int:
    """How many processors of this machine the process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _threads_wanted() -> int:
    return min(_threads_asked or default_threads(), MAX_THREADS)


def _set_native_threads(native: _Native, threads: int) -> int:
    # more workers than CPUs: whoever spins takes the CPU from the one that it waits for
    native.set_spin(SPIN_NS if threads <= usable_cpus() else 0)
    return native.set_threads(threads)


def set_threads(threads: int) -> int:
    """Sets how many threads one call may use, the calling one included; gives the number that
    calls have from now on: 1 to 1024, and 1 where the native runtime is of no use.

    Raises:
        ValueError: below 1.
    """
    global _threads_asked
    if threads < 1:
        raise ValueError(f"a call needs at least one thread, not {threads}")
    _threads_asked = threads
    return get_threads() if _native is None else _set_native_threads(_native, threads)


def get_threads() -> int:
    """How many threads one call may use. Before the first call, how many that will have; 1 where
    the native runtime is of no use."""
    if _native is not None:
        return _native.get_threads()
    return 1 if _is_refused else _threads_wanted()


def _runtime_now() -> fallback.Runtime:
    runtime = fallback.serial_runtime()
    if _native is not None:
        _native.runtime_now(ctypes.addressof(runtime))
    return runtime


def runtime_pointer() -> tuple[int, object, int]:
    """The address of a `GcRuntime` (native.h) for code that is called by other ways, its owner to
    keep alive, and its number of workers, which is the one in force now.
    """
    runtime = _runtime_now()
    return ctypes.addressof(runtime), runtime, runtime.workers


# ----------------------------------------------------------------------------------------- memory
def _default_pool_limit() -> int:
    """At least 1 GiB, at most an eighth of the machine's memory beyond that."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        memory = 0
    return max(1 << 30, memory // 8)


def set_pool_limit(limit_bytes: int) -> None:
    """Bounds the bytes that the pool keeps for reuse; live outputs do not count. 0 keeps nothing.

    Raises:
        ValueError: below 0.
    """
    if limit_bytes < 0:
        raise ValueError(f"a limit of {limit_bytes} bytes is below 0")
    if _native is not None:
        _native.pool_limit(limit_bytes)


def trim_pool(keep_bytes: int = 0) -> None:
    """Gives cached blocks back to the system, the oldest first, until at most `keep_bytes` are
    cached."""
    if _native is not None:
        _native.pool_trim(keep_bytes)


def pool_statistics() -> PoolStatistics:
    """What the pool holds now; all zero where the native runtime is not installed."""
    counts = (_i64 * 6)()
    if _native is not None:
        _native.pool_statistics(ctypes.addressof(counts))
    return PoolStatistics(*counts)
