"""Every error that graphc raises on purpose.

Any layer may raise them; they know nothing of the others.
"""

from __future__ import annotations


class GraphcError(Exception):
    """The root of all errors below; catch it to catch whatever graphc refuses."""


class TraceError(GraphcError, TypeError):
    """The traced Python function did something that a graph cannot hold."""


class TypeMismatch(GraphcError, TypeError):
    """An op was given dtypes or a number of operands that it does not take."""


class ShapeMismatch(TypeMismatch, ValueError):
    """Extents do not fit: broadcasting, contraction, indexing, or a declared dimension."""


class VerifyError(GraphcError):
    """An IR breaks one of its invariants. This is a bug of graphc, never of the user."""


class LoweringError(GraphcError):
    """A graph cannot be turned into loops, or loops cannot be printed for a target."""


class BuildError(GraphcError):
    """LLVM, a linker or a CUDA compiler refused what we gave it, or is not there."""


class NonFiniteError(GraphcError, FloatingPointError):
    """`jit(debug="nan")`: an op made the first NaN or infinity.

    Names the op and the user's line.
    """


class DeviceError(GraphcError, RuntimeError):
    """The CUDA device, its driver or pycuda is not there, or refused what a program asked for."""


class OutOfDeviceMemory(DeviceError, MemoryError):
    """A program needs more memory than the device has free."""
