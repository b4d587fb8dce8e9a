"""Functions and types of arguments, read from the command line."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import GraphcError
from ..specs import PYTHON_NUMBERS
from .command import UsageError, UserError


def read_argument(text: str, module: ModuleType | None = None) -> tuple[str | None, Any]:
    """(name or None, what to trace with) from `x: f32[b, 784]`, `f32[b, 784]`, `rate: float`.

    Containers are written as Python writes them: `p: {w: f32[784, 10], b: f32[10]}`,
    `(f32[3], f32[])`. `p: like NAME` has the types of what the module calls NAME; a function is
    called without arguments for that.

    Raises:
        UsageError: when the name or the type cannot be read.
    """
    found = re.match(r"\s*([^\s:\[{(]*)\s*:(?!:)", text)
    name, kind = (found[1], text[found.end() :]) if found else ("", text)
    if found and not name.isidentifier():
        raise UsageError(f'--arg "{text}": {name!r} is no name; write for example "x: f32[b, 784]"')
    kind = kind.strip()
    if kind.startswith("like "):
        return name or None, _like(text, kind[5:].strip(), module)
    return name or None, _Types(text, kind).read()


class _Types:
    """Reads a type, or a container of types."""

    def __init__(self, argument: str, text: str):
        self.argument, self.text, self.at = argument, text, 0

    def read(self) -> Any:
        found = self.one()
        self.space()
        if self.at < len(self.text):
            raise self.wrong(f"{self.text[self.at :]!r} is too much")
        return found

    def wrong(self, what: str) -> UsageError:
        return UsageError(f'--arg "{self.argument}": {what}')

    def space(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def sees(self, sign: str) -> bool:
        """Whether this sign comes next; passes it."""
        self.space()
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def one(self) -> Any:
        if self.sees("{"):
            return dict(self.several("}", self.pair))
        if self.sees("("):
            return tuple(self.several(")", self.one))
        if self.sees("["):
            return list(self.several("]", self.one))
        return self.leaf()

    def several(self, end: str, item: Callable[[], Any]) -> list[Any]:
        found: list[Any] = []
        while not self.sees(end):
            if found and not self.sees(","):
                raise self.wrong(f"expected , or {end} at {self.text[self.at :]!r}")
            if found and self.sees(end):
                return found
            found.append(item())
        return found

    def pair(self) -> tuple[Any, Any]:
        self.space()
        key = re.compile(r"'[^']*'|\"[^\"]*\"|[A-Za-z_0-9]+").match(self.text, self.at)
        if key is None:
            raise self.wrong(f"expected a name at {self.text[self.at :]!r}")
        self.at = key.end()
        if not self.sees(":"):
            raise self.wrong(f"expected : after {key[0]}")
        name = key[0].strip("'\"")
        return int(name) if key[0].isdigit() else name, self.one()

    def leaf(self) -> Any:
        import graphc

        self.space()
        found = re.compile(r"[A-Za-z_0-9]*\s*(\[[^\]]*\]?)?").match(self.text, self.at)
        assert found is not None
        kind, self.at = found[0].strip(), found.end()
        if kind in PYTHON_NUMBERS:
            return PYTHON_NUMBERS[kind]
        if not kind:
            raise self.wrong(f"expected a type at {self.text[self.at :]!r}, such as f32[b, 784]")
        try:
            return graphc.spec(kind if "[" in kind else f"{kind}[]")
        except GraphcError as error:
            raise self.wrong(str(error)) from None


def _like(argument: str, name: str, module: ModuleType | None) -> Any:
    """The types of something that a module has."""
    from .. import pytrees, specs

    found: Any = module
    for part in name.removesuffix("()").split("."):
        if module is None or not hasattr(found, part):
            raise UsageError(f'--arg "{argument}": the module has no {name!r}')
        found = getattr(found, part)
    if callable(found):
        try:
            found = found()
        except Exception as error:
            raise UserError(f"{name.removesuffix('()')}() failed: {last_line(error)}") from None
    leaves, structure = pytrees.flatten(found)
    made = [
        specs.spec_of(leaf) if isinstance(leaf, (np.ndarray, np.generic)) else leaf
        for leaf in leaves
    ]
    return structure.unflatten(made)


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


def find_place(place: str) -> tuple[ModuleType, Any]:
    """The module and the function at `FILE.py:FUNCTION` or `package.module:function`.

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
    return module, function_of(module, name, source)


def function_of(module: ModuleType, name: str, source: str) -> Any:
    """A function of a module, which was written as `source`.

    Raises:
        UsageError: when there is no such function.
    """
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
        raise UsageError(f"{source}:{name} is a {type(found).__name__}, not a function")
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
