"""Which names statements bind, read, and change in place."""

from __future__ import annotations

import ast
from collections.abc import Iterable

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def bound_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that the nodes bind in the function they stand in."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue
        elif isinstance(node, ast.Lambda):
            continue
        elif isinstance(node, _COMPREHENSIONS):
            found |= {
                one.target.id
                for one in ast.walk(node)
                if isinstance(one, ast.NamedExpr) and isinstance(one.target, ast.Name)
            }
            continue
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(a.asname or a.name).split(".")[0] for a in node.names}
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found.add(node.rest)
        waiting.extend(ast.iter_child_nodes(node))
    return found


def read_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that the nodes, and the functions inside of them, read."""
    found: set[str] = set()
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.add(node.id)
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return found


def changed_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Names of what may be changed in place: `x[i] = y`, `x += y`, `x.a = y`."""
    found: set[str] = set()
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
            elif isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(
                node.ctx, ast.Store
            ):
                inner: ast.AST = node
                while isinstance(inner, (ast.Subscript, ast.Attribute)):
                    inner = inner.value
                if isinstance(inner, ast.Name):
                    found.add(inner.id)
    return found


def assigned_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that are bound by anything but an augmented assignment."""
    found: set[str] = set()
    for top in nodes:
        augmented = {
            id(one.target)
            for one in ast.walk(top)
            if isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name)
        }
        found |= bound_in([top]) if not augmented else _without(top, augmented)
    return found


def _without(top: ast.AST, left_out: set[int]) -> set[str]:
    plain = bound_in([top])
    stored = {
        node.id
        for node in ast.walk(top)
        if isinstance(node, ast.Name)
        and not isinstance(node.ctx, ast.Load)
        and id(node) not in left_out
    }
    only = {
        node.id
        for node in ast.walk(top)
        if isinstance(node, ast.Name) and id(node) in left_out and node.id not in stored
    }
    return plain - only


def parameters(args: ast.arguments) -> set[str]:
    """The names of a function's parameters."""
    plain = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return {a.arg for a in (*plain, args.vararg, args.kwarg) if a is not None}


def outer_names(body: Iterable[ast.AST]) -> set[str]:
    """Names that a function's own statements declare nonlocal."""
    found: set[str] = set()
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Nonlocal):
            found.update(node.names)
        elif not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def captured_in(body: Iterable[ast.AST]) -> set[str]:
    """Names that functions inside of the statements read, at any time."""
    found: set[str] = set()
    for top in body:
        for node in ast.walk(top):
            if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
                inner = node.body if isinstance(node.body, list) else [node.body]
                found |= read_in(inner) | bound_in(inner)
    return found


__all__ = [
    "assigned_in", "bound_in", "captured_in", "changed_in", "outer_names", "parameters", "read_in",
]  # fmt: skip
