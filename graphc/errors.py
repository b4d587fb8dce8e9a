"""Every error that graphc raises on purpose.

Any layer may raise them; they know nothing of the others.
"""

from __future__ import annotations

from graphc_runtime.errors import (
    ArtifactError,
    GraphcError,
    NonFiniteError,
    ShapeMismatch,
    TypeMismatch,
)

__all__ = [
    "ArtifactError",
    "BuildError",
    "DeviceError",
    "GraphcError",
    "LoweringError",
    "NonFiniteError",
    "OutOfDeviceMemory",
    "ShapeMismatch",
    "TraceError",
    "TypeMismatch",
    "VerifyError",
]


class TraceError(GraphcError, TypeError):
    """The traced Python function did something that a graph cannot hold."""


class VerifyError(GraphcError):
    """An IR breaks one of its invariants. This is a bug of graphc, never of the user."""


class LoweringError(GraphcError):
    """A graph cannot be turned into loops, or loops cannot be printed for a target."""


class BuildError(GraphcError):
    """LLVM, a linker or a CUDA compiler refused what we gave it, or is not there."""


class DeviceError(GraphcError, RuntimeError):
    """The CUDA device, its driver or pycuda is not there, or refused what a program asked for."""


class OutOfDeviceMemory(DeviceError, MemoryError):
    """A program needs more memory than the device has free."""
