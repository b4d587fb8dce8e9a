"""Which variables may still be read after a statement, and where a loop begins anew.

Works on statements without jumps (`jumps.lower`). What is not known is taken to be read: names that
functions inside capture, and whatever a handler of exceptions may read.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .jumps import extra_test
from .scopes import bound_in, captured_in, outer_names, read_in

Names = frozenset[str]


class Liveness:
    """`after[id(statement)]` and, for loops, `head[id(loop)]`."""

    def __init__(self, body: Sequence[ast.stmt]):
        self.after: dict[int, Names] = {}
        self.head: dict[int, Names] = {}
        self._always: Names = frozenset(captured_in(body) | outer_names(body))
        self._block(body, self._always)

    def _block(self, body: Sequence[ast.stmt], out: Names) -> Names:
        for one in reversed(body):
            self.after[id(one)] = out = out | self._always
            out = self._before(one, out)
        return out | self._always

    def _before(self, one: ast.stmt, out: Names) -> Names:
        if isinstance(one, ast.If):
            branches = self._block(one.body, out) | self._block(one.orelse, out)
            return branches | read_in([one.test])
        if isinstance(one, ast.While):
            return self._loop(one, out, read_in([one.test]), frozenset())
        if isinstance(one, ast.For):
            going = extra_test(one)
            asked = read_in([going]) if going is not None else set()
            found = self._loop(one, out, asked, frozenset(bound_in([one.target])))
            return found | read_in([one.iter, one.target])
        if isinstance(one, ast.With):
            inside = self._block(one.body, out)
            return inside | read_in(one.items)
        if isinstance(one, ast.Try):
            return self._try(one, out)
        if isinstance(one, ast.Match):
            found: Names = out
            for case in one.cases:
                found |= self._block(case.body, out) | read_in([case.pattern])
                found |= read_in([case.guard]) if case.guard else set()
            return found | read_in([one.subject])
        if isinstance(one, (ast.Return, ast.Raise)):
            return frozenset(read_in([one]))
        return (out - _killed(one)) | read_in([one])

    def _loop(self, one: ast.While | ast.For, out: Names, asked: set[str], targets: Names) -> Names:
        head = out | asked
        while True:
            inside = self._block(one.body, head) - targets
            if inside <= head:
                break
            head = head | inside
        self.head[id(one)] = head
        return head

    def _try(self, one: ast.Try, out: Names) -> Names:
        last = self._block(one.finalbody, out)
        handled = last
        for handler in one.handlers:
            handled |= self._block(handler.body, last)
            handled |= read_in([handler.type]) if handler.type else set()
        # an exception may leave the body after any of its statements
        before, self._always = self._always, self._always | handled
        found = self._block(one.body, self._block(one.orelse, last))
        self._always = before
        return found | handled


def _killed(one: ast.stmt) -> set[str]:
    """Names whose old value is gone after a simple statement."""
    if isinstance(one, ast.Assign):
        return bound_in(one.targets)
    if isinstance(one, ast.AnnAssign) and one.value is not None:
        return bound_in([one.target])
    if isinstance(one, (ast.Delete, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
        return bound_in([one])
    return set()


__all__ = ["Liveness", "Names"]
