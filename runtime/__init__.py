"""graphc_runtime: loads and calls compiled code. Standard library and NumPy only; knows nothing of
the compiler."""

from .call import (
    CallPath,
    PoolStatistics,
    add_specialization,
    call_statistics,
    clear_specializations,
    compiled_type,
    get_threads,
    install,
    native_object,
    native_source,
    path,
    pool_statistics,
    runtime_pointer,
    set_pool_limit,
    set_threads,
    trim_pool,
)
from .loader import Image, LoadedObject, ObjectError, link, load, process_address
from .specialization import (
    RELEASE_GIL_BYTES,
    ArgumentSpec,
    OutputSpec,
    Specialization,
    SpecializationError,
)

__all__ = [
    "RELEASE_GIL_BYTES",
    "ArgumentSpec",
    "CallPath",
    "Image",
    "LoadedObject",
    "ObjectError",
    "OutputSpec",
    "PoolStatistics",
    "Specialization",
    "SpecializationError",
    "add_specialization",
    "call_statistics",
    "clear_specializations",
    "compiled_type",
    "get_threads",
    "install",
    "link",
    "load",
    "native_object",
    "native_source",
    "path",
    "pool_statistics",
    "process_address",
    "runtime_pointer",
    "set_pool_limit",
    "set_threads",
    "trim_pool",
]
