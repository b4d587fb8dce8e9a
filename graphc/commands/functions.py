"""Functions and types of arguments, read from the command line."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import GraphcError
from .command import UsageError, UserError

PYTHON_NUMBERS: dict[str, Any] = {"bool": True, "int": 1, "float": 1.0, "complex": 1j}
"""Types of Python numbers in --arg, with a number to trace with."""


def read_argument(text: str) -> tuple[str | None, Any]:
    """(name or None, what to trace with) from `x: f32[b, 784]`, `f32[b, 784]`, `rate: float`.

    Raises:
        UsageError: when the name or the type cannot be read.
    """
    import graphc

    name, colon, type_text = text.rpartition(":")
    name, type_text = name.strip(), type_text.strip()
    if colon and not name.isidentifier():
        raise UsageError(f'--arg "{text}": {name!r} is no name; write for example "x: f32[b, 784]"')
    if type_text in PYTHON_NUMBERS:
        return name or None, PYTHON_NUMBERS[type_text]
    try:
        return name or None, graphc.spec(type_text if "[" in type_text else f"{type_text}[]")
    except GraphcError as error:
        raise UsageError(f'--arg "{text}": {error}') from None


def read_static(text: str) -> tuple[str, Any]:
    """(name, value) from `axis=0`.

    Raises:
        UsageError: when it is no assignment of a Python literal.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise UsageError(f'--static "{text}": write for example "axis=0"')
    try:
        return name.strip(), ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        raise UsageError(
            f'--static "{text}": {value!r} is no Python literal (strings need quotes)'
        ) from None


def find_function(place: str) -> Any:
    """The function at `FILE.py:FUNCTION` or `package.module:function`.

    Raises:
        UsageError: when there is no such file, module or function.
        UserError: when the file cannot be run.
    """
    source, colon, name = place.rpartition(":")
    if not colon or not source or not name:
        raise UsageError(
            f"{place!r} names no function; write FILE.py:FUNCTION, for example model.py:softmax"
        )
    module = _import(source)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = [
                k
                for k, v in vars(module).items()
                if callable(v) and getattr(v, "__module__", None) == module.__name__
            ]
            raise UsageError(
                f"{source} has no function {name!r}; it has {', '.join(known) or 'none'}"
            )
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"{place} is a {type(found).__name__}, not a function")
    return found


def _import(source: str) -> ModuleType:
    path = Path(source)
    looks_like_file = path.suffix == ".py" or os.sep in source
    if looks_like_file and not path.is_file():
        raise UsageError(f"there is no file {source}")
    try:
        if not looks_like_file:
            sys.path.insert(0, os.getcwd())
            return importlib.import_module(source)
        sys.path.insert(0, str(path.resolve().parent))  # as `python FILE.py` would
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module
    except ModuleNotFoundError as error:
        if not looks_like_file and error.name and source.startswith(error.name):
            raise UsageError(
                f"there is no module {source!r}; for a file write {source}.py:..."
            ) from None
        raise UserError(f"{source} cannot be imported: {error}") from None
    except Exception as error:
        raise UserError(f"{source} cannot be imported: {last_line(error)}") from None


def last_line(error: BaseException) -> str:
    """What went wrong and where, of an error in the user's own code."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}:{error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    ours = (str(Path(__file__).parent.parent), "site-packages", "<frozen")
    own = [f for f in frames if not any(part in f.filename for part in ours)]
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{place}"
