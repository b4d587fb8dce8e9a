"""Functions with their control flow rewritten: once for each code object, when first called."""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import types
from collections.abc import Callable
from typing import Any

from ..captures import Captures
from ..cell import current_trace
from ..locations import is_library_code
from .jumps import PREFIX
from .rewrite import OPERATORS, THUNK, rewrite
from .source import is_readable, tree_of

_FUTURE = functools.reduce(
    lambda a, b: a | b, (getattr(__future__, n).compiler_flag for n in __future__.all_feature_names)
)
_HIGHER = (map, filter, functools.reduce)
"""Builtins whose functions are rewritten too."""

_made: dict[int, tuple[types.CodeType, types.CodeType]] = {}
"""id of a code object -> itself and the rewritten one; which is its own."""


def python_control_flow(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose Python control flow may depend on traced values.

    `if`, `while`, `for`, `break`, `continue`, `return`, `and`, `or`, `not`, conditional expressions
    and chained comparisons become graphc's `cond`, `while_loop` and `scan` where what they ask for
    is known only at run time, and stay Python elsewhere. So do the functions that it calls, where
    they are the user's own. Outside of a traced function it is the function itself.

    Raises:
        TraceError: when it is called inside a trace and its source cannot be read.
    """
    if not callable(function):
        raise TypeError(f"python_control_flow takes a function, got {type(function).__name__}")

    @functools.wraps(function)
    def converted_function(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None:
            return function(*args, **kwargs)
        made = _rewritten(function)
        if isinstance(made, types.FunctionType):
            made = Captures(trace).function(made)
        return made(*args, **kwargs)

    return converted_function


def _rewritten(function: Any) -> Any:
    """What is run instead of the function that was asked for, which has to have a source."""
    inner = getattr(function, "__func__", function)
    if type(inner) is types.FunctionType and not is_library_code(inner.__code__):
        made = convert(inner)
        return made if inner is function else types.MethodType(made, function.__self__)
    return converted(function)


def converted(function: Any) -> Any:
    """What is called instead of a function that is called in a rewritten one.

    User's functions, methods, partial applications and objects with `__call__` are rewritten.
    Functions of graphc, NumPy and the standard library, classes, generators, and what has no
    source stay as they are.
    """
    kind = type(function)
    if kind is types.FunctionType:
        if _is_ours(function):
            return _with_functions(function)
        return convert(function) if _is_convertible(function) else function
    if kind is types.MethodType:
        inner = function.__func__
        if type(inner) is types.FunctionType and _is_convertible(inner):
            return types.MethodType(convert(inner), function.__self__)
        return function
    if kind is functools.partial:
        inner = converted(function.func)
        if inner is function.func:
            return function
        return functools.partial(inner, *function.args, **function.keywords)
    if any(function is one for one in _HIGHER):
        return _with_functions(function)
    replaced = _replaced(function)
    if replaced is not None:
        return replaced
    call = _attribute(kind, "__call__")
    if type(call) is types.FunctionType and _is_convertible(call):
        return types.MethodType(convert(call), function)
    return function


def _attribute(kind: type, name: str) -> Any:
    """What a class, or one that it inherits from, has under a name; not bound."""
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)


def _replaced(function: Any) -> Any:
    """What stands for a builtin that would ask a traced number for its value, or None."""
    from .builtins import REPLACED

    if type(function) not in (type, types.BuiltinFunctionType):
        return None
    return next((new for old, new in REPLACED if old is function), None)


def _is_ours(function: types.FunctionType) -> bool:
    """Whether it is one of graphc's functions that take functions."""
    module = function.__module__ or ""
    return module.startswith(("graphc.transforms", "graphc.control"))


def _with_functions(function: Any) -> Any:
    """The function called with its arguments that are user's functions rewritten."""

    @functools.wraps(function, assigned=("__name__", "__doc__"), updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(_argument, args), **{k: _argument(v) for k, v in kwargs.items()})

    return call


def _argument(x: Any) -> Any:
    if isinstance(x, (types.FunctionType, types.MethodType, functools.partial)):
        return converted(x)
    return type(x)(map(_argument, x)) if type(x) in (tuple, list) else x


def _is_convertible(function: types.FunctionType) -> bool:
    code = function.__code__
    known = _made.get(id(code))
    if known is None:
        if not is_library_code(code) and is_readable(code, function.__globals__):
            return True
        known = _made[id(code)] = (code, code)
    return known[1] is not code


def convert(function: types.FunctionType) -> types.FunctionType:
    """The function rewritten, with the same globals, closure, defaults and attributes.

    Raises:
        TraceError: where there is no source, or it is no plain function.
    """
    code = function.__code__
    known = _made.get(id(code))
    if known is None:
        known = (code, _code(function))
        _made[id(code)] = known
        _register(known[1])
    new = known[1]
    if new is code:
        return function
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    cells[OPERATORS] = _operators()
    closure = tuple(cells[name] for name in new.co_freevars)
    made = types.FunctionType(
        new, function.__globals__, function.__name__, function.__defaults__, closure
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__, made.__module__ = function.__qualname__, function.__module__
    made.__dict__ = function.__dict__
    return made


@functools.lru_cache(maxsize=1)
def _operators() -> types.CellType:
    from . import operators

    return types.CellType(operators)


def _code(function: types.FunctionType) -> types.CodeType:
    """The rewritten code of a function."""
    old = function.__code__
    node = copy.deepcopy(tree_of(old, function.__globals__))
    owner = function.__qualname__.rpartition(".")[0].rpartition(".")[2]
    owner = "" if owner == "<locals>" else owner
    made = rewrite(node, old.co_freevars, old.co_filename, owner)
    statement = made if isinstance(made, ast.FunctionDef) else ast.Return(made)
    name = "<lambda>"
    if isinstance(made, ast.FunctionDef):
        made.name = name = f"{PREFIX}function"  # else it would hide the global of its own name
    around = ast.FunctionDef(
        name="around",
        args=ast.arguments(
            posonlyargs=[], args=[ast.arg(n) for n in (OPERATORS, *old.co_freevars)],
            kwonlyargs=[], kw_defaults=[], defaults=[], vararg=None, kwarg=None,
        ),
        body=[statement],
        decorator_list=[],
    )  # fmt: skip
    if hasattr(ast, "type_param"):
        around.type_params = []  # type: ignore[attr-defined]
    module = ast.Module([ast.copy_location(around, node)], [])
    whole = compile(
        ast.fix_missing_locations(module), old.co_filename, "exec",
        flags=old.co_flags & _FUTURE, dont_inherit=True,
    )  # fmt: skip
    (outer,) = _inner_codes(whole)
    found = [c for c in _inner_codes(outer) if c.co_name == name]
    return _named(found[-1], old.co_name, old.co_qualname)


def _inner_codes(code: types.CodeType) -> list[types.CodeType]:
    return [c for c in code.co_consts if isinstance(c, types.CodeType)]


def _named(code: types.CodeType, name: str, qualified: str) -> types.CodeType:
    """The code under a name, and the functions that were made inside of it under the same.

    So a traceback, and graphc's own messages, name the function that the user wrote.
    """
    constants = []
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            made = one.co_name.startswith(PREFIX) or THUNK in one.co_varnames
            if made:
                one = _named(one, name, qualified)
            else:
                one = _named(one, one.co_name, f"{qualified}.<locals>.{one.co_name}")
        constants.append(one)
    return code.replace(co_consts=tuple(constants), co_name=name, co_qualname=qualified)


def _register(code: types.CodeType) -> None:
    """Remembers that a code, and those inside of it, are rewritten already."""
    _made[id(code)] = (code, code)
    for one in _inner_codes(code):
        if "__module__" in one.co_names and "__qualname__" in one.co_names:
            continue  # the body of a class, whose methods are not
        _register(one)


__all__ = ["convert", "converted", "python_control_flow"]
