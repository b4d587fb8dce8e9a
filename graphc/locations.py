"""Which line of the user's program an op comes from: the innermost frame that is no library's.

Called at every op while tracing, so it is cheap: a code object is judged once, a line is read once.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from types import CodeType, FrameType
from typing import Any

import numpy as np

from .errors import TraceError
from .ir import SourceLine

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_NUMPY = os.path.dirname(os.path.abspath(np.__file__)) + os.sep
_STANDARD = tuple(
    sysconfig.get_path(name) + os.sep
    for name in ("stdlib", "platstdlib")
    if sysconfig.get_path(name)
)
_LIBRARIES = tuple(f"{os.sep}site-packages{os.sep}{name}{os.sep}" for name in ("optree", "scipy"))
_LIMIT = 65536

_foreign: dict[CodeType, bool] = {}
_lines: dict[tuple[CodeType, int], SourceLine] = {}


def is_library(file: str) -> bool:
    """Whether a file belongs to graphc, NumPy, SciPy or the standard library."""
    if file.startswith((_OURS, _NUMPY)) or (file.startswith("<") and "frozen" in file):
        return True
    if "site-packages" in file or "dist-packages" in file:
        return any(part in file for part in _LIBRARIES)
    return file.startswith(_STANDARD)


def is_library_code(code: CodeType) -> bool:
    """`is_library` of the file that a code object comes from."""
    found = _foreign.get(code)
    if found is None:
        if len(_foreign) > _LIMIT:
            _foreign.clear()
        found = _foreign[code] = is_library(code.co_filename)
    return found


def is_library_frame(frame: FrameType) -> bool:
    """Whether a frame runs code of graphc, NumPy, SciPy or the standard library."""
    return is_library_code(frame.f_code)


def user_frame(depth: int = 1) -> FrameType | None:
    """The innermost frame of the user's program, `depth` callers up or further."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None and is_library_code(frame.f_code):
        frame = frame.f_back
    return frame


def user_line(depth: int = 1) -> SourceLine | None:
    """The line of the user's program that is being run."""
    frame = user_frame(depth + 1)
    if frame is None:
        return None
    key = (frame.f_code, frame.f_lasti)
    found = _lines.get(key)
    if found is None:
        if len(_lines) > _LIMIT:
            _lines.clear()
        code = frame.f_code
        found = SourceLine(code.co_filename, frame.f_lineno, code.co_name)
        _lines[key] = found
    return found


def refuse(message: str, error: type[Exception] = TraceError) -> Any:
    """Raises the error with the user's line after the message."""
    line = user_line(2)
    raise error(f"{message} (at {line})" if line else message)
