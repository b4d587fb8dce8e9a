"""What control_flow="python" does besides programs: methods, names, runs while tracing."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import python_control_flow
from graphc.python_control.loops import WRITTEN_OUT


def compiled(function: Any, **options: Any) -> Any:
    return graphc.jit(function, control_flow="python", debug="evaluate", **options)


def ops_of(function: Any, *args: Any, **options: Any) -> list[str]:
    graph = compiled(function, **options).trace(*args).graph
    return [node.op.name for node in graph.nodes]


def halve(x):
    while x > 1:
        x = x / 2
    return x


def scaled(x, k):
    return x * k if x > k else x


class Net:
    def __init__(self):
        self.w = np.eye(3) * 0.5

    @python_control_flow
    def run(self, x):
        while x.sum() > 1:
            x = self.w @ x
        return x

    def plain(self, x):
        if x.sum() > 1:
            return x * 2
        return x


# ------------------------------------------------------------------------- what becomes what


def test_a_known_condition_stays_python() -> None:
    def program(x, n):
        if n > 2:
            x = x + 1
        for _ in range(n):
            x = x * 2
        return x

    ops = set(ops_of(program, 1.0, 3, static_argnames="n"))
    assert ops <= {"full", "add", "mul"}, ops


def test_a_long_loop_is_one_scan_and_a_short_one_is_written_out() -> None:
    def program(x, n):
        for i in range(n):
            x = x * i
        return x

    assert "scan" not in ops_of(program, 1.0, WRITTEN_OUT, static_argnames="n")
    assert ops_of(program, 1.0, WRITTEN_OUT + 1, static_argnames="n").count("scan") == 1


def test_over_a_list_everything_is_written_out() -> None:
    def program(x):
        for i in list(range(40)):
            x = x * i
        return x

    ops = ops_of(program, 1.0)
    assert "scan" not in ops
    assert ops.count("mul") == 40


def test_a_loop_over_known_values_alone_is_run_while_tracing() -> None:
    def program(x):
        table = []
        for i in range(100):
            table.append(i * i)
        return x * sum(table)

    assert "scan" not in ops_of(program, 1.0)
    assert compiled(program)(2.0) == 2.0 * sum(i * i for i in range(100))


def test_a_choice_between_values_that_are_there_is_no_branch() -> None:
    def program(x, y):
        if x > y:
            larger = x
        else:
            larger = y
        return larger

    assert "switch" not in ops_of(program, np.float64(1), np.float64(2))


def test_a_variable_that_nobody_reads_is_not_carried() -> None:
    def program(x):
        for i in range(100):
            square = i * i
            x = x + square
        return x

    (scan,) = [n for n in compiled(program).trace(np.float64(1)).graph.nodes if n.op.name == "scan"]
    assert len(scan.results) == 2  # x and the step's number


def test_what_the_branches_of_dead_variables_hold_does_not_matter() -> None:
    def program(x):
        if x > 0:
            part = x
            y = part * 2
        else:
            part = np.zeros(3)
            y = part.sum()
        return y

    assert compiled(program)(3.0) == 6.0


def test_print_prints_while_tracing(capsys: pytest.CaptureFixture[str]) -> None:
    def program(x):
        for i in range(100):
            print("step", i)
            x = x + i
        return x

    f = compiled(program)
    assert f(1.0) == 4951.0
    assert capsys.readouterr().out == "step Tracer i64[] (a Python number)\n"
    assert f(2.0) == 4952.0
    assert capsys.readouterr().out == ""


def test_the_first_step_runs_alone_where_it_changes_the_types() -> None:
    def program(x):
        best, total = None, 0
        for i in range(50):
            value = x * ((i * 7) % 50)
            if best is None or value.sum() > best.sum():
                best = value
            total = total + value
        return best, total

    x = np.array([1.0, -0.5])
    best, total = compiled(program)(x)
    wanted = program(x)
    np.testing.assert_allclose(best, wanted[0])
    np.testing.assert_allclose(total, wanted[1])


def test_and_asks_the_second_operand_only_where_python_does() -> None:
    def program(xs, i):
        return i < len(xs) and xs[i] > 2

    f = graphc.jit(program, control_flow="python")
    xs = np.array([1.0, 3.0])
    assert [bool(f(xs, i)) for i in (0, 1, 2, 5)] == [False, True, False, False]


def test_private_names_and_super_are_those_of_the_class() -> None:
    class Base:
        def value(self, x):
            return x + 1

    class Derived(Base):
        def __init__(self):
            self.__k = 3.0

        def value(self, x):
            if x > 0:
                return super().value(x) * self.__k
            return x

    derived = Derived()
    f = compiled(lambda x: derived.value(x))
    assert (f(1.0), f(-1.0)) == (6.0, -1.0)


def test_functions_with_the_source_of_another_keep_defaults_and_keywords() -> None:
    def outer(k):
        def inner(x, a=2.0, *rest, b=k, **more):
            if x > 0:
                return x * a + b + sum(rest) + more.get("c", 0.0)
            return -x

        return inner

    inner = outer(10.0)
    f = compiled(lambda x: inner(x) + inner(x, 3.0, 1.0, b=2.0, c=5.0))
    for x in (1.0, -2.0):
        assert f(x) == inner(x) + inner(x, 3.0, 1.0, b=2.0, c=5.0)


def test_two_lambdas_on_one_line_are_told_apart() -> None:
    pair = (lambda x: x if x > 0 else -x), (lambda x: x if x < 0 else -x)
    assert [compiled(f)(-3.0) for f in pair] == [3.0, -3.0]


def test_functions_of_no_source_are_called_as_they_are() -> None:
    names: dict[str, Any] = {}
    exec("def double(x):\n    return x * 2", names)
    double = names["double"]

    def program(x):
        return double(x) if x > 0 else x

    assert compiled(program)(2.0) == 4.0


def test_zeros_and_the_like_are_traced_in_a_rewritten_function() -> None:
    from numpy import zeros

    def program(x):
        a, b = np.zeros(3), zeros(3)
        for i in range(3):
            a[i] = x
            b[i] = x * 2
        return a + b

    np.testing.assert_array_equal(compiled(program)(1.0), [3.0, 3.0, 3.0])


def test_the_functions_given_to_map_and_vmap_are_rewritten() -> None:
    def program(xs):
        return sum(map(halve, [xs[0], xs[1]]))

    assert compiled(program)(np.array([6.0, 7.0])) == halve(6.0) + halve(7.0)


# --------------------------------------------------------------------------------- where it acts


def test_outside_of_a_trace_the_function_is_itself() -> None:
    assert python_control_flow(halve)(9.0) == halve(9.0)
    assert type(python_control_flow(halve)(9.0)) is float


def test_methods_partial_applications_and_lambdas() -> None:
    net = Net()
    x = np.ones(3)
    for f in (lambda x: net.run(x), net.run, net.plain, python_control_flow(net.run)):
        np.testing.assert_array_equal(compiled(f)(x), f(x))
    assert compiled(functools.partial(scaled, k=2.0))(3.0) == 6.0
    assert compiled(lambda x: x if x > 0 else -x)(-3.0) == 3.0


def test_one_program_serves_all_extents() -> None:
    def program(x):
        total = 0.0
        for i in range(x.shape[0]):
            total = total + x[i] * i
        for row in x:
            if row > 2:
                total = total + row
        return total

    f = graphc.jit(program, control_flow="python", dims={"x": ("n",)})
    for n in (5, 25, 0):
        assert f(np.arange(float(n))) == program(np.arange(float(n)))
    assert f.cache_info().programs == 1


def test_numbers_and_their_builtins() -> None:
    def program(x):
        n = int(x)
        return n, float(n) / 2, bool(x > 2), min(x, 3.0, n), max(n, 2), x in (1.0, 5.7)

    for x in (5.7, 1.0):
        found, wanted = compiled(program)(x), program(x)
        assert found == wanted
        assert [type(a) for a in found] == [type(b) for b in wanted]


def test_match_and_else_of_loops() -> None:
    def program(x, mode):
        match mode:
            case "a":
                if x > 0:
                    return x
            case _:
                pass
        for i in range(30):
            if x < i:
                break
        else:
            return -1.0
        return i + 0.5

    f = compiled(program, static_argnames="mode")
    for args in ((5.7, "a"), (5.7, "b"), (99.0, "b"), (-1.0, "a")):
        assert f(*args) == program(*args)


def test_returns_out_of_nested_loops() -> None:
    def program(x):
        for i in range(20):
            for j in range(20):
                if i * j > x:
                    return i, j
        return -1, -1

    f = compiled(program)
    for x in (30.0, 1000.0, -1.0):
        assert f(x) == program(x)


def test_nothing_of_a_refused_trace_is_left_behind() -> None:
    class Holder:
        pass

    holder = Holder()
    holder.values = [1.0, 2.0]  # type: ignore[attr-defined]

    def program(x):
        if x > 0:
            holder.values[0] = x  # type: ignore[attr-defined]
            holder.new = x  # type: ignore[attr-defined]
        return x

    with pytest.raises(graphc.TraceError, match=r"holder\.new is set inside of the `if`"):
        compiled(program)(1.0)
    assert vars(holder) == {"values": [1.0, 2.0]}


# ------------------------------------------------------------------------------- transformations


def masked_rnn(w, xs, mask):
    h = np.zeros(3)
    for t in range(xs.shape[0]):
        if mask[t]:
            h = np.tanh(xs[t] + w @ h)
    return (h**2).sum()


def square_root(x):
    guess = x
    for _ in range(50):
        guess = 0.5 * (guess + x / guess)
        if abs(guess * guess - x) < 1e-13:
            break
    return guess


def test_gradients_go_through_loops_of_known_and_bounded_length() -> None:
    rng = np.random.default_rng(0)
    w, xs, mask = rng.normal(size=(3, 3)), rng.normal(size=(20, 3)), rng.random(20) > 0.3
    got = graphc.grad(python_control_flow(masked_rnn))(w, xs, mask)
    same = graphc.grad(compiled(masked_rnn))(w, xs, mask)
    direction = rng.normal(size=(3, 3)) * 1e-6
    change = masked_rnn(w + direction, xs, mask) - masked_rnn(w - direction, xs, mask)
    np.testing.assert_allclose((got * 2 * direction).sum(), change, rtol=1e-4)
    np.testing.assert_allclose(same, got)
    assert abs(graphc.grad(python_control_flow(square_root))(2.0) - 0.5 / np.sqrt(2.0)) < 1e-6


def test_a_while_has_a_forward_derivative_and_no_backward_one() -> None:
    function = python_control_flow(halve)
    value, slope = graphc.jvp(function, (9.0,), (1.0,))
    assert (float(value), float(slope)) == (0.5625, 0.0625)
    with pytest.raises(graphc.TraceError, match="while"):
        graphc.grad(function)(9.0)


def test_under_vmap_every_element_takes_its_own_number_of_steps() -> None:
    xs = np.array([9.0, 3.0, 0.5])
    wanted = [halve(x) for x in xs]
    np.testing.assert_array_equal(graphc.vmap(python_control_flow(halve))(xs), wanted)

    def program(xs):
        return graphc.vmap(halve)(xs)

    np.testing.assert_array_equal(compiled(program)(xs), wanted)


def test_training_in_a_loop() -> None:
    def loss(w, x):
        total = 0.0
        for row in x:
            if row.sum() > 0:
                total = total + ((row @ w - 1) ** 2)
        return total

    def train(w, x):
        for _ in range(30):
            w = w - 0.01 * graphc.grad(loss)(w, x)
        return w

    x = np.random.default_rng(1).normal(size=(20, 2))
    w = np.zeros(2)
    for _ in range(30):
        kept = x[x.sum(axis=1) > 0]
        w = w - 0.01 * 2 * kept.T @ (kept @ w - 1)
    np.testing.assert_allclose(compiled(train)(np.zeros(2), x), w, rtol=1e-9)
