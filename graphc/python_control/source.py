"""The syntax tree of a function, found in its file by the place that its code object names."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from types import CodeType
from typing import Any

from ..errors import TraceError

Function = ast.FunctionDef | ast.Lambda

_trees: dict[str, tuple[list[str], ast.Module]] = {}


def tree_of(code: CodeType, names: dict[str, Any]) -> Function:
    """The definition of a function; not a copy.

    Args:
        names: the globals of the function, through which a loader may give the source.

    Raises:
        TraceError: where the source cannot be read, or is not what was compiled; for generators,
            coroutines, and functions that set globals.
    """
    found = [one for one in _functions(_module(code, names)) if _is_place(one, code)]
    if len(found) > 1:
        found = [min(found, key=_span)]
    if not found:
        raise TraceError(
            f"{_where(code)}: the file does not hold the function that runs; was it changed "
            "after it was imported?"
        )
    node = found[0]
    _check(node, code)
    assert not isinstance(node, ast.AsyncFunctionDef)
    return node


def is_readable(code: CodeType, names: dict[str, Any]) -> bool:
    """Whether `tree_of` answers."""
    try:
        tree_of(code, names)
    except TraceError:
        return False
    return True


def _where(code: CodeType) -> str:
    return f"{code.co_filename}:{code.co_firstlineno} in {code.co_name}"


def _module(code: CodeType, names: dict[str, Any]) -> ast.Module:
    file = code.co_filename
    lines = linecache.getlines(file, names)
    if not lines:
        raise TraceError(
            f'{_where(code)}: control_flow="python" reads the source of a function, and there is '
            f"none for {file}; write the function into a file (or a notebook's cell)"
        )
    known = _trees.get(file)
    if known is None or known[0] != lines:
        known = _trees[file] = (list(lines), ast.parse("".join(lines), file))
    return known[1]


def _functions(tree: ast.Module) -> Iterator[Any]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return (node for node in ast.walk(tree) if isinstance(node, kinds))


def _is_place(node: Any, code: CodeType) -> bool:
    """Whether a definition is the one that a code object was compiled from."""
    if isinstance(node, ast.Lambda):
        if code.co_name != "<lambda>" or node.lineno != code.co_firstlineno:
            return False
        return _parameters(node.args) == code.co_varnames[: _count(code)] and _holds(node, code)
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return node.name == code.co_name and first == code.co_firstlineno


def _count(code: CodeType) -> int:
    return (
        code.co_argcount
        + code.co_kwonlyargcount
        + bool(code.co_flags & 4)  # *args
        + bool(code.co_flags & 8)  # **kwargs
    )


def _parameters(args: ast.arguments) -> tuple[str, ...]:
    """The names of parameters, in the order of a code object."""
    plain = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    return (*plain, *(a.arg for a in (args.vararg, args.kwarg) if a is not None))


def _holds(node: ast.Lambda, code: CodeType) -> bool:
    """Whether the instructions of a lambda stand inside of it."""
    start, stop = _ends(node.body)
    for line, end_line, column, end_column in code.co_positions():
        if line is None or end_line is None or column is None or end_column is None:
            continue
        if (line, column) == (code.co_firstlineno, 0) and end_column == 0:
            continue  # the instruction that every function begins with
        if (line, column) < start or (end_line, end_column) > stop:
            return False
    return True


def _ends(node: ast.expr) -> tuple[tuple[int, int], tuple[int, int]]:
    return (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)


def _span(node: Any) -> tuple[int, int]:
    return (node.end_lineno - node.lineno, node.end_col_offset - node.col_offset)


def _check(node: Any, code: CodeType) -> None:
    """Raises TraceError for a function that is no plain one."""
    if isinstance(node, ast.AsyncFunctionDef):
        raise TraceError(f"{_where(code)}: a coroutine (async def) cannot be traced")
    for inner in own_nodes(node):
        where = f"{code.co_filename}:{getattr(inner, 'lineno', 0)} in {code.co_name}"
        if isinstance(inner, (ast.Yield, ast.YieldFrom, ast.Await)):
            raise TraceError(
                f'{where}: control_flow="python" takes plain functions, and this is a generator; '
                "return an array or a list"
            )
        if isinstance(inner, ast.Global):
            raise TraceError(
                f"{where}: `global {', '.join(inner.names)}` inside of a function with "
                'control_flow="python"; a compiled program does not change globals: pass values '
                "in and return them"
            )


def own_nodes(function: Any) -> Iterator[ast.AST]:
    """The nodes of a function's body, those of functions and classes inside of it left out."""
    waiting: list[ast.AST] = list(function.body if isinstance(function.body, list) else ())
    if not isinstance(function.body, list):
        waiting = [function.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))


__all__ = ["Function", "is_readable", "own_nodes", "tree_of"]
