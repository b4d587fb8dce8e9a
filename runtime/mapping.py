"""Memory that holds code, and the addresses of names in this process.

Who calls it: `loader.py`. It knows nothing of object files.
"""

from __future__ import annotations

import ctypes
import mmap
import platform

from .forking import ForkLock

__all__ = ["MappingError", "fill", "libc", "map_memory", "process_address"]


class MappingError(Exception):
    """The system gives no memory, or does not let it hold code."""


class _Libc:
    """The few C functions that map memory and find symbols, typed once."""

    def __init__(self) -> None:
        lib = ctypes.CDLL(None, use_errno=True)
        self.mmap = lib.mmap
        self.mmap.restype = ctypes.c_void_p
        self.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        self.munmap = lib.munmap
        self.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self.mprotect = lib.mprotect
        self.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        self.dlsym = lib.dlsym
        self.dlsym.restype = ctypes.c_void_p
        self.dlsym.argtypes = [ctypes.c_void_p, ctypes.c_char_p]


_lock = ForkLock()
_libc_found: _Libc | None = None
_addresses: dict[str, int | None] = {}
_math_handle: int | None = None


def libc() -> _Libc:
    global _libc_found
    if _libc_found is None:
        with _lock:
            _libc_found = _libc_found or _Libc()
    return _libc_found


def process_address(name: str) -> int | None:
    """The address of a symbol in this process or in libm; None when it is in neither. Answers are
    kept."""
    if name in _addresses:
        return _addresses[name]
    global _math_handle
    functions, encoded = libc(), name.encode()
    address = functions.dlsym(None, encoded)
    if not address:
        if _math_handle is None:
            try:
                _math_handle = ctypes.CDLL("libm.so.6")._handle
            except OSError:
                _math_handle = 0
        address = functions.dlsym(_math_handle, encoded) if _math_handle else None
    if address:  # what is missing now may be loaded later, so only finds are kept
        _addresses[name] = address
    return address or None


def map_memory(size: int) -> int:
    private_anonymous = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    base = libc().mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, private_anonymous, -1, 0)
    if base is None or base == 2**64 - 1:
        raise MappingError(
            f"the system gives no memory for an object of {size} bytes (errno {ctypes.get_errno()})"
        )
    return base


def fill(base: int, content: bytearray, code_end: int, constant_end: int) -> None:
    """Copies an image to its mapping and takes the write permission from code and constants."""
    functions, size = libc(), len(content)
    ctypes.memmove(base, (ctypes.c_char * size).from_buffer(content), size)
    parts = (
        (base, code_end, mmap.PROT_READ | mmap.PROT_EXEC),
        (base + code_end, constant_end - code_end, mmap.PROT_READ),
    )
    for start, length, protection in parts:
        if length and functions.mprotect(start, length, protection):
            raise MappingError(
                f"the system refuses to protect {length} bytes of code "
                f"(errno {ctypes.get_errno()}); "
                f"a security policy may forbid code made at run time"
            )
    if platform.machine() in ("aarch64", "arm64") and code_end:
        _clear_instruction_cache(base, code_end)


def _clear_instruction_cache(base: int, size: int) -> None:
    clear = ctypes.CDLL("libgcc_s.so.1")["__clear_cache"]
    clear.argtypes, clear.restype = [ctypes.c_void_p, ctypes.c_void_p], None
    clear(base, base + size)
