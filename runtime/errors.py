"""The errors that compiled code raises, artifacts and devices with it; graphc/errors.py has the
others."""

from __future__ import annotations

import numpy as np

NON_FINITE = "made a NaN or an infinity out of finite numbers"
"""Ends a message that means `NonFiniteError`."""
LINALG = " raised LinAlgError: "
"""Stands between the place and the text of a message that means numpy.linalg.LinAlgError."""


class GraphcError(Exception):
    """The root of all errors of graphc; catch it to catch whatever it refuses."""


class TypeMismatch(GraphcError, TypeError):
    """An op or a compiled function was given dtypes or a number of operands that it does not
    take."""


class ShapeMismatch(TypeMismatch, ValueError):
    """Extents do not fit: broadcasting, contraction, indexing, or a declared dimension."""


class NonFiniteError(GraphcError, FloatingPointError):
    """`jit(debug="nan")`: an op made the first NaN or infinity.

    Names the op and the user's line.
    """


class ArtifactError(GraphcError):
    """An artifact is damaged, was made for another machine or by a newer graphc, or is none."""


class DeviceError(RuntimeError):
    """What the CUDA driver refused, in its words."""


class OutOfDeviceMemory(DeviceError, MemoryError):
    """The device has not the bytes that were asked for."""


def error_of(message: str) -> Exception:
    """The exception that a message of a program means."""
    if LINALG in message:
        where, _, text = message.partition(LINALG)
        error = np.linalg.LinAlgError(text)
        error.add_note(f"in {where}")
        return error
    return NonFiniteError(message) if NON_FINITE in message else IndexError(message)
