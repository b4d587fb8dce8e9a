"""`break`, `continue` and `return` inside of `if` and loops become variables that are asked for.

    while c:                         broken = False
        if a:                        while not broken and c:
            break            ->          if a:
        b                                    broken = True
                                         else:
                                             b

What follows an `if` that jumps goes into its other branch; where it may jump or not, what follows
is guarded. After this pass only the last statement of a function returns.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import TraceError

RETURNED = "_graphc_returned"
RESULT = "_graphc_result"
PREFIX = "_graphc_"
"""Names that begin so are made by this room."""

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_LOOPS = (ast.While, ast.For, ast.AsyncFor)


def lower(body: Sequence[ast.stmt], file: str) -> list[ast.stmt]:
    """The body of a function without jumps, but for a last return."""
    lowering = _Lowering(file, any(_returns(s) for s in body if not isinstance(s, ast.Return)))
    ends = _always(body)
    made = lowering.block(body, None)
    if not lowering.returning:
        return made
    first = body[0]
    start = [_set(RETURNED, False, first), _set(RESULT, _call("no_result", first), first)]
    flag = ast.copy_location(ast.Constant(True), body[-1]) if ends else _load(RETURNED, body[-1])
    last = _call("returned", body[-1], flag, _load(RESULT, body[-1]))
    return [*start, *made, ast.copy_location(ast.Return(last), body[-1])]


def extra_test(loop: ast.For) -> ast.expr | None:
    """What has to hold for a lowered `for` to go on, or None."""
    return getattr(loop, "going", None)


@dataclass(slots=True)
class _Loop:
    breaks: str
    continues: str


@dataclass(slots=True)
class _Lowering:
    file: str
    returning: bool
    """Whether there is a return inside of another statement."""
    count: int = 0

    def block(self, body: Sequence[ast.stmt], loop: _Loop | None) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for position, one in enumerate(body):
            rest = list(body[position + 1 :])
            flags = self._flags(one, loop)
            if rest and flags and isinstance(one, ast.If):
                if _always(one.body):
                    one, rest = _if(one, one.body, [*one.orelse, *rest]), []
                elif _always(one.orelse):
                    one, rest = _if(one, [*one.body, *rest], one.orelse), []
            ends = isinstance(one, (ast.Return, ast.Break, ast.Continue))
            made += self.statement(one, loop)
            if ends or not rest:
                return made
            if flags:
                return [*made, *_unless(flags, self.block(rest, loop))]
        return made

    def statement(self, one: ast.stmt, loop: _Loop | None) -> list[ast.stmt]:
        if isinstance(one, ast.Return):
            if not self.returning:
                return [one]
            value = one.value or ast.copy_location(ast.Constant(None), one)
            return [_set(RESULT, value, one), _set(RETURNED, True, one)]
        if isinstance(one, ast.Break) and loop:
            return [_set(loop.breaks, True, one)]
        if isinstance(one, ast.Continue) and loop:
            return [_set(loop.continues, True, one)]
        if isinstance(one, (ast.While, ast.For)):
            return self._loop(one, loop)
        if isinstance(one, ast.If):
            return [_if(one, self.block(one.body, loop), self.block(one.orelse, loop))]
        if isinstance(one, (ast.Try, getattr(ast, "TryStar", ast.Try))):
            return [self._try(one, loop)]  # type: ignore[arg-type]
        if isinstance(one, ast.With):
            one.body = self.block(one.body, loop)
        elif isinstance(one, ast.Match):
            for case in one.cases:
                case.body = self.block(case.body, loop)
        return [one]

    def _try(self, one: ast.Try, loop: _Loop | None) -> ast.stmt:
        if any(self._flags(s, loop) for s in one.finalbody):
            raise TraceError(
                f"{self.file}:{one.finalbody[0].lineno}: a jump (return, break, continue) in "
                '`finally`, which control_flow="python" does not take'
            )
        flags = sorted({f for s in one.body for f in self._flags(s, loop)})
        after = _unless(flags, self.block(one.orelse, loop))
        one.body, one.orelse = self.block(one.body, loop), after
        for handler in one.handlers:
            handler.body = self.block(handler.body, loop)
        return one

    def _loop(self, one: ast.While | ast.For, around: _Loop | None) -> list[ast.stmt]:
        self.count += 1
        own = _Loop(f"{PREFIX}broken_{self.count}", f"{PREFIX}continued_{self.count}")
        breaks = any(_own(s, ast.Break) for s in one.body)
        continues = any(_own(s, ast.Continue) for s in one.body)
        flags = [own.breaks] * breaks + [RETURNED] * any(_returns(s) for s in one.body)
        body = self.block(one.body, own)
        if continues:
            body = [_set(own.continues, False, one), *body]
        after = _unless(flags, self.block(one.orelse, around))
        one.body, one.orelse = body, []
        if flags and isinstance(one, ast.While):
            both: list[ast.expr] = [_none(flags, one), one.test]
            one.test = ast.copy_location(ast.BoolOp(ast.And(), both), one.test)
        elif flags:
            one.going = _none(flags, one)  # type: ignore[union-attr]
        return [*([_set(own.breaks, False, one)] if breaks else []), one, *after]

    def _flags(self, one: ast.stmt, loop: _Loop | None) -> list[str]:
        """The variables that a statement may set to jump over what follows it."""
        if isinstance(one, _SCOPES):
            return []
        found = [RETURNED] if _returns(one) and self.returning else []
        if loop:
            found += [loop.breaks] * _own(one, ast.Break)
            found += [loop.continues] * _own(one, ast.Continue)
        return found


def _returns(one: ast.stmt) -> bool:
    return _has(one, ast.Return, own=False)


def _own(one: ast.stmt, kind: type) -> bool:
    """Whether a statement of a loop's body holds a jump of that loop."""
    return _has(one, kind, own=True)


def _has(one: ast.AST, kind: type, own: bool) -> bool:
    if isinstance(one, kind):
        return True
    if isinstance(one, _SCOPES):
        return False
    inside = one.orelse if own and isinstance(one, _LOOPS) else ast.iter_child_nodes(one)
    return any(_has(child, kind, own) for child in inside)


def _always(body: Sequence[ast.stmt]) -> bool:
    """Whether what follows these statements is never reached from them."""
    for one in body:
        if isinstance(one, (ast.Return, ast.Break, ast.Continue, ast.Raise)):
            return True
        if isinstance(one, ast.If) and _always(one.body) and _always(one.orelse):
            return True
        if isinstance(one, ast.With) and _always(one.body):
            return True
        if isinstance(one, ast.While) and isinstance(one.test, ast.Constant) and one.test.value:
            return not any(_own(s, ast.Break) for s in one.body)
    return False


# ------------------------------------------------------------------------------ small pieces


def _if(like: ast.If, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt]) -> ast.If:
    return ast.copy_location(ast.If(like.test, list(body), list(orelse)), like)


def _unless(flags: Sequence[str], body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements that run where no flag is set."""
    if not flags or not body:
        return body
    return [ast.copy_location(ast.If(_none(flags, body[0]), body, []), body[0])]


def _load(name: str, where: ast.AST) -> ast.expr:
    return ast.copy_location(ast.Name(name, ast.Load()), where)


def _call(name: str, where: ast.AST, *args: ast.expr) -> ast.expr:
    function = ast.Attribute(ast.Name("__graphc__", ast.Load()), name, ast.Load())
    return _located(ast.Call(function, list(args), []), where)


def _set(name: str, value: Any, where: ast.AST) -> ast.stmt:
    given = value if isinstance(value, ast.expr) else ast.Constant(value)
    target = ast.Name(name, ast.Store())
    return _located(ast.Assign([target], given), where)


def _none(flags: Iterable[str], where: ast.AST) -> ast.expr:
    """The expression that holds where no flag is set."""
    loads: list[ast.expr] = [ast.Name(f, ast.Load()) for f in flags]
    any_of = loads[0] if len(loads) == 1 else ast.BoolOp(ast.Or(), loads)
    return _located(ast.UnaryOp(ast.Not(), any_of), where)


def _located(node: Any, where: ast.AST) -> Any:
    """The node and what in it has no place, put where another is."""
    for one in ast.walk(node):
        if isinstance(one, (ast.expr, ast.stmt)) and not hasattr(one, "lineno"):
            ast.copy_location(one, where)
    return node


__all__ = ["PREFIX", "RESULT", "RETURNED", "extra_test", "lower"]
