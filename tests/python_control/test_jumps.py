"""The passes over the source: jumps become variables, and liveness knows who reads them."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from graphc.python_control.jumps import lower
from graphc.python_control.liveness import Liveness
from graphc.python_control.scopes import bound_in, changed_in, read_in

CASES = {
    "break": (
        """
        while c:
            if a:
                break
            b()
        """,
        """
        _graphc_broken_1 = False
        while not _graphc_broken_1 and c:
            if a:
                _graphc_broken_1 = True
            else:
                b()
        """,
    ),
    "continue": (
        """
        for i in x:
            with a:
                if b:
                    continue
                c()
            d()
        """,
        """
        for i in x:
            _graphc_continued_1 = False
            with a:
                if b:
                    _graphc_continued_1 = True
                else:
                    c()
            if not _graphc_continued_1:
                d()
        """,
    ),
    "else of a loop": (
        """
        for i in x:
            if a:
                break
        else:
            b()
        """,
        """
        _graphc_broken_1 = False
        for i in x:
            if a:
                _graphc_broken_1 = True
        if not _graphc_broken_1:
            b()
        """,
    ),
    "early return": (
        """
        if a:
            return 1
        return 2
        """,
        """
        _graphc_returned = False
        _graphc_result = __graphc__.no_result()
        if a:
            _graphc_result = 1
            _graphc_returned = True
        else:
            _graphc_result = 2
            _graphc_returned = True
        return __graphc__.returned(True, _graphc_result)
        """,
    ),
    "a last return stays": ("a()\nreturn b", "a()\nreturn b"),
}


@pytest.mark.parametrize("name", CASES)
def test_jumps_become_variables(name: str) -> None:
    before, after = CASES[name]
    made = lower(ast.parse(dedent(before).strip()).body, "file.py")
    text = ast.unparse(ast.fix_missing_locations(ast.Module(made, [])))
    assert text == dedent(after).strip()


def test_a_variable_that_is_assigned_before_it_is_read_is_not_live_in_a_loop() -> None:
    body = ast.parse("while x:\n    t = x * 2\n    x = t - y\nz = x").body
    life = Liveness(body)
    assert life.head[id(body[0])] == {"x", "y"}
    assert life.after[id(body[0])] == {"x"}
    assert life.after[id(body[1])] == set()


def test_what_a_function_inside_or_a_handler_reads_is_always_live() -> None:
    body = ast.parse("def f():\n    return k\nk = 1\ntry:\n    k = g()\nexcept E:\n    h(m)").body
    life = Liveness(body)
    assert all("k" in found for found in life.after.values())
    (assign,) = body[2].body  # type: ignore[attr-defined]
    assert "m" in life.after[id(assign)]


def test_names() -> None:
    body = ast.parse("a = [b for b in c]\nd[e] = f\ng += 1\nh.i = (j := 2)").body
    assert bound_in(body) == {"a", "g", "j"}
    assert read_in(body) == {"b", "c", "d", "e", "f", "g", "h"}
    assert changed_in(body) == {"d", "g", "h"}
