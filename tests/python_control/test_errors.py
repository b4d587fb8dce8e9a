"""What cannot be traced: messages name the variable, the types, and the user's lines.

`{+2}` in a message stands for the second line below the program's `def`, `{name}` for the program.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc

CASES: list[tuple[Callable[..., Any], tuple[Any, ...], type[Exception], str]] = []
LOG: list[Any] = []
TOTAL = 0


def case(message: str, *args: Any, error: type[Exception] = graphc.TraceError) -> Any:
    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append((function, args, error, message))
        return function

    return add


def text(function: Any, message: str) -> str:
    """A message with its lines filled in."""
    code = function.__code__
    lines, first = inspect.getsourcelines(function)
    first += next(k for k, one in enumerate(lines) if one.startswith("def "))

    def line(found: re.Match[str]) -> str:
        return f"{code.co_filename}:{first + int(found.group(1))}"

    return re.sub(r"\{\+(\d+)\}", line, message).replace("{name}", function.__name__)


@case(
    "y is assigned in one branch only of the `if` at {+1}, whose condition depends on the "
    "arguments; assign it before, or in both branches (at {+3} in {name})",
    1.0,
)
def one_branch(x):
    if x > 0:
        y = x
    return y


@case(
    "k is assigned only inside of the `while` at {+1}, which may not run at all; assign it before "
    "(at {+4} in {name})",
    9.0,
)
def only_in_the_loop(x):
    while x > 1:
        x = x / 2
        k = x
    return k


@case(
    "y is the Python float in one branch and f64[3] in the other branch of the `if` at {+1}, whose "
    "condition depends on the arguments; both have to have the same dtype and shape "
    "(at {+5} in {name})",
    1.0,
)
def two_types(x):
    if x > 0:
        y = x
    else:
        y = np.zeros(3)
    return y


@case(
    "s is f32[] before the `while` at {+2} and becomes f64[] in it; a variable that a traced loop "
    "changes keeps its dtype and shape: start with the type it becomes, or cast "
    "(at {+4} in {name})",
    9.0,
)
def another_dtype(x):
    s = np.float32(0)
    while x > 1:
        x = x / 2
        s = s + np.float64(1)
    return s


@case(
    "s is the Python int 0 before the `while` at {+2} and becomes f64[3] in it; a variable that a "
    "traced loop changes keeps its dtype and shape: start with the type it becomes, or cast "
    "(at {+3} in {name})",
    9.0,
)
def another_shape(x):
    s = 0
    while x > 1:
        s = s + np.ones(3)
        x = x / 2
    return s


@case(
    "mode is 'a' before the `while` at {+2} and becomes 'b' in it; a variable that a traced loop "
    "changes keeps its dtype and shape: start with the type it becomes, or cast "
    "(at {+4} in {name})",
    9.0,
)
def another_word(x):
    mode = "a"
    while x > 1:
        x = x - 1
        mode = "b" if mode == "a" else "a"
    return x


@case(
    "pair is (the Python float, the Python float) before the `while` at {+2} and becomes (the "
    "Python float, the Python float, the Python float) in it; a variable that a traced loop "
    "changes keeps its dtype and shape: start with the type it becomes, or cast "
    "(at {+4} in {name})",
    9.0,
)
def another_structure(x):
    pair = (x, x)
    while x > 1:
        x = x - 1
        pair = (*pair, x)
    return pair


@case(
    "cannot access local variable 'z' where it is not associated with a value (at {+2} in {name})",
    1.0,
    error=UnboundLocalError,
)
def used_too_early(x):
    if x > 0:
        x = x + z  # noqa: F821
    z = 1.0
    return x * z


class Counter:
    def __init__(self):
        self.total = 0.0


@case(
    "counter.total is set inside of the `for` at {+2}, which is part of the compiled program: the "
    "object would hold a value of one step or branch. Assign to a variable there, and set the "
    "attribute afterwards (at {+2} in {name})",
    1.0,
)
def attribute(x):
    counter = Counter()
    for _ in range(100):
        counter.total = counter.total + x
    return counter.total


@case(
    "the list ys gets another length inside of the `while` at {+2}, which is part of the compiled "
    "program. Make an array before (np.zeros) and assign to its elements; or go over list(...), "
    "which is written out step by step (at {+2} in {name})",
    1.0,
)
def growing_list(x):
    ys = []
    while x < 100:
        x = x * 2
        ys.append(x)
    return ys


@case(
    "'a' is appended to the list ys in the `for` at {+2}; only arrays and numbers can be, in a "
    "traced loop (at {+2} in {name})",
    1.0,
)
def list_of_words(x):
    ys = []
    for _ in range(100):
        x = x * 2
        ys.append("a")
    return x, ys


@case(
    "the list LOG gets another length inside of the `if` at {+1}, which is part of the compiled "
    "program. Make an array before (np.zeros) and assign to its elements; or go over list(...), "
    "which is written out step by step (at {+1} in {name})",
    1.0,
)
def global_list(x):
    if x > 0:
        LOG.append(x)
    return x


@case(
    "the dict d gets other keys inside of the `if` at {+2}, which is part of the compiled program; "
    "make them before (at {+2} in {name})",
    1.0,
)
def new_key(x):
    d = {}
    if x > 0:
        d["x"] = x
    return d


@case(
    "ValueError: negative is raised inside of the `if` at {+1}, whose condition depends on the "
    "arguments; a compiled program cannot raise it: check before the call, or return the condition "
    "(at {+2} in {name})",
    1.0,
)
def raising(x):
    if x < 0:
        raise ValueError("negative")
    return x


@case(
    "the condition of an `assert` depends on the arguments, and a compiled program cannot raise "
    "AssertionError: check before or after the call, or return the condition (at {+1} in {name})",
    1.0,
)
def asserting(x):
    assert x > 0
    return x


@case(
    "the function returns a value on some paths and reaches its end, where it returns None, on "
    "others; which depends on the arguments. Return a value on all paths (at {+1} in {name})",
    1.0,
)
def returns_sometimes(x):
    if x > 0:
        return x


@case(
    "what the function returns is the Python float in one branch and f64[3] in the other branch of "
    "the `if` at {+1}, whose condition depends on the arguments; both have to have the same dtype "
    "and shape (at {+3} in {name})",
    1.0,
)
def returns_two_types(x):
    if x > 0:
        return x
    return np.zeros(3)


@case(
    "40 conditions and loops stand inside one another: does the function call itself, until a "
    "condition holds that depends on the arguments? Only a loop can do that (at {+1} in {name})",
    5,
)
def recursive(n):
    if n < 2:
        return n
    return recursive(n - 1) + recursive(n - 2)


@case(
    '{+1} in {name}: `global TOTAL` inside of a function with control_flow="python"; a compiled '
    "program does not change globals: pass values in and return them",
    1.0,
)
def sets_a_global(x):
    global TOTAL
    TOTAL = x
    return x


@case(
    '{+1} in {name}: control_flow="python" takes plain functions, and this is a generator; return '
    "an array or a list",
    1.0,
)
def generator(x):
    yield x


@case(
    "the truth value of an array of bool[3] is ambiguous: use x.any() or x.all() for all elements, "
    "np.where for each (at {+1} in {name})",
    np.ones(3),
)
def ambiguous(x):
    if x > 0:
        return x
    return -x


@case(
    "nothing that the `while` at {+1} asks for changes in it: it would never end "
    "(at {+1} in {name})",
    1.0,
)
def endless(x):
    while x > 0:
        y = 1  # noqa: F841
    return x


@case(
    "the value is 'no' in one branch and the Python float in the other branch of the `and` at "
    "{+1}, whose condition depends on the arguments; both have to have the same dtype and shape "
    "(at {+1} in {name})",
    1.0,
)
def a_word_or_a_number(x):
    return x and "no"


@case(
    '{+1}: locals() inside of a function with control_flow="python", whose variables it would not '
    "see",
    1.0,
)
def looks_at_its_variables(x):
    return locals()


@case(
    '{+5}: a jump (return, break, continue) in `finally`, which control_flow="python" does not '
    "take",
    1.0,
)
def jump_in_finally(x):
    for _ in range(3):
        try:
            x = x + 1
        finally:
            break  # noqa: B012
    return x


@case(
    "argument x is changed in place; NumPy would change the caller's array, a compiled program "
    "does not. Copy it first (x = x.copy()), or write jit(..., donate='x') to give the array up "
    "(at {+2} in {name})",
    np.ones(3),
)
def argument_in_place(x):
    for i in range(100):
        x[0] = i
    return x


@case(
    "a row of y, over which a traced loop goes, is changed in place; assign to y by its index, for "
    "i in range(len(y)) (at {+3} in {name})",
    np.ones((30, 3)),
)
def row_in_place(x):
    y = x.copy()
    for row in y:
        row += 1
    return y


@case(
    "y is changed in the `for` at {+3}, which goes over its rows; go over its indices: for i in "
    "range(len(y)) (at {+3} in {name})",
    np.ones((30, 3)),
)
def array_of_the_loop(x):
    y = x.copy()
    s = 0.0
    for row in y:
        y[0] = row
        s = s + row.sum()
    return s


@case(
    "y is both assigned and changed in place in the `while` at {+3}, and z holds the same array; "
    "copy it before: y = y.copy() (at {+3} in {name})",
    9.0,
)
def two_names(x):
    y = np.zeros(3)
    z = y
    while x > 1:
        y += 1
        y = y * 2
        x = x / 2
    return y + z


@case(
    "the step of a range depends on the arguments; it has to be a number (at {+1} in {name})",
    2,
)
def traced_step(n):
    for i in range(0, 10, n):
        n = n + i
    return n


@pytest.mark.parametrize(
    ("function", "args", "error", "message"), CASES, ids=[c[0].__name__ for c in CASES]
)
def test_what_cannot_be_traced_is_refused(
    function: Any, args: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as found:
        graphc.jit(function, control_flow="python")(*args)
    assert type(found.value) is error
    assert str(found.value) == text(function, message)


async def coroutine(x):
    return x


def test_a_coroutine_is_refused() -> None:
    line = coroutine.__code__.co_firstlineno
    with pytest.raises(graphc.TraceError) as found:
        graphc.jit(coroutine, control_flow="python")(1.0)
    wanted = f"{__file__}:{line} in coroutine: a coroutine (async def) cannot be traced"
    assert str(found.value) == wanted


def test_a_function_without_source_is_refused() -> None:
    names: dict[str, Any] = {}
    exec("def f(x):\n    return x if x > 0 else -x", names)
    with pytest.raises(graphc.TraceError) as found:
        graphc.jit(names["f"], control_flow="python")(1.0)
    assert str(found.value) == (
        '<string>:1 in f: control_flow="python" reads the source of a function, and there is none '
        "for <string>; write the function into a file (or a notebook's cell)"
    )


def test_a_file_that_was_changed_is_refused(tmp_path: Any) -> None:
    path = tmp_path / "changed.py"
    path.write_text("def f(x):\n    return x\n")
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    path.write_text("# a new line\ndef f(x):\n    return x\n")
    with pytest.raises(graphc.TraceError) as found:
        graphc.jit(names["f"], control_flow="python")(1.0)
    assert str(found.value) == (
        f"{path}:1 in f: the file does not hold the function that runs; was it changed after it "
        "was imported?"
    )


def test_a_loop_variable_that_has_to_be_known_is_explained() -> None:
    weights = [1.0, 2.0] * 50

    def program(x):
        for i in range(100):
            x = x + weights[i]
        return x

    with pytest.raises(graphc.TraceError, match="index of a list") as found:
        graphc.jit(program, control_flow="python")(1.0)
    line = program.__code__.co_firstlineno + 1
    assert found.value.__notes__ == [
        f"the `for` at {__file__}:{line} has 100 steps and is one loop of the compiled program; "
        "over list(...) of the same it is written out, and its variable is known"
    ]


def test_a_traceback_shows_the_users_lines_under_the_users_names() -> None:
    def program(x):
        if x > 0:
            x = x @ x
        return x

    with pytest.raises(ValueError) as found:
        graphc.jit(program, control_flow="python")(1.0)
    first = program.__code__.co_firstlineno
    frames = traceback.extract_tb(found.value.__traceback__)
    own = [(f.name, f.lineno - first) for f in frames if f.filename == __file__][1:]
    assert own == [("program", 1), ("program", 2)]


def test_the_truth_value_of_a_traced_array_names_this_way_out() -> None:
    with pytest.raises(graphc.TraceError, match=r'jit\(f, control_flow="python"\)'):
        graphc.jit(lambda x: x if x > 0 else -x)(1.0)


def test_an_unknown_kind_of_control_flow_is_refused() -> None:
    with pytest.raises(TypeError) as found:
        graphc.jit(lambda x: x, control_flow="autograph")
    assert str(found.value) == "control_flow is 'autograph'; expected one of None, 'python'"


def test_only_functions_are_taken() -> None:
    with pytest.raises(TypeError, match="python_control_flow takes a function, got int"):
        graphc.python_control_flow(3)  # type: ignore[arg-type]
