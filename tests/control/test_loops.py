"""scan, while_loop, fori_loop and map against the evaluator and against Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ShapeMismatch, TraceError, TypeMismatch
from tests.control.agreement import agree, same

RNG = np.random.default_rng(5)


def cell(params: Any, h: Any, x: Any) -> Any:
    """An LSTM cell."""
    w, u, b = params
    h, c = h
    z = x @ w + h @ u + b
    i, f, g, o = np.split(z, 4, axis=-1)
    c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
    h = np.tanh(c) / (1 + np.exp(-o))
    return h, c


def lstm(params: Any, xs: Any) -> Any:
    rows, hidden = xs.shape[1], params[1].shape[0]
    zeros = np.zeros((rows, hidden), np.float32)

    def step(h: Any, x: Any) -> Any:
        h = cell(params, h, x)
        return h, h[0]

    return graphc.scan(step, (zeros, zeros), xs)


def lstm_params(inputs: int, hidden: int) -> Any:
    return (
        RNG.normal(0, 0.3, (inputs, 4 * hidden)).astype(np.float32),
        RNG.normal(0, 0.3, (hidden, 4 * hidden)).astype(np.float32),
        RNG.normal(0, 0.3, (4 * hidden,)).astype(np.float32),
    )


@pytest.mark.parametrize("steps", [1, 2, 5, 8])
@pytest.mark.parametrize("reverse", [False, True])
def test_state_and_outputs(steps: int, reverse: bool) -> None:
    def f(init: Any, xs: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            return 0.5 * s + x, (s, x.sum())

        return graphc.scan(step, init, xs, reverse=reverse)

    agree(f, RNG.normal(size=3), RNG.normal(size=(steps, 3)))


@pytest.mark.parametrize("rows,inputs,hidden,steps", [(1, 1, 1, 3), (3, 5, 7, 4), (64, 32, 48, 3)])
def test_an_lstm(rows: int, inputs: int, hidden: int, steps: int) -> None:
    xs = RNG.normal(size=(steps, rows, inputs)).astype(np.float32)
    agree(lstm, lstm_params(inputs, hidden), xs, rtol=1e-4)


def test_captured_weights_are_packed_once() -> None:
    params = lstm_params(32, 64)
    xs = RNG.normal(size=(3, 16, 32)).astype(np.float32)
    agree(lambda xs: lstm(params, xs), xs, rtol=1e-4)


def test_states_that_change_places() -> None:
    def f(a: Any, b: Any, c: Any) -> Any:
        return graphc.fori_loop(0, 5, lambda i, s: (s[1], s[2], s[0]), (a, b, c))

    agree(f, np.arange(3.0), np.ones(3), np.full(3, 7.0))


def test_fibonacci() -> None:
    def f(n: int) -> Any:
        return graphc.fori_loop(0, n, lambda i, s: (s[1], s[0] + s[1]), (0, 1))

    assert agree(f, 30)[0] == 832040
    assert graphc.jit(f, static_argnames="n")(30)[0] == 832040


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 11])
def test_a_loop_that_ends_when_its_condition_says(n: int) -> None:
    def f(n: Any, x: Any) -> Any:
        def goes_on(s: Any) -> Any:
            return s[0] < n

        def body(s: Any) -> Any:
            i, x, y = s
            return i + 1, x[::-1] + i, x * y

        return graphc.while_loop(goes_on, body, (0, x, np.ones_like(x)))

    agree(f, n, RNG.normal(size=5))


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 9])
def test_a_loop_with_a_bound(limit: int) -> None:
    def f(x: Any) -> Any:
        return graphc.while_loop(lambda x: x.sum() < 100.0, lambda x: 2 * x, x, max_steps=limit)

    agree(f, np.ones(3))


def test_newton_until_it_converges() -> None:
    def root(a: Any) -> Any:
        def goes_on(s: Any) -> Any:
            return np.abs(s[0] - s[1]) > 1e-12

        return graphc.while_loop(goes_on, lambda s: ((s[0] + a / s[0]) / 2, s[0]), (a, a + 1.0))[0]

    assert agree(root, 2.0) == pytest.approx(2**0.5)


def test_nested_scans() -> None:
    def f(xs: Any) -> Any:
        def outer(s: Any, row: Any) -> Any:
            def inner(t: Any, x: Any) -> Any:
                return t * 0.9 + x * s, t

            t, ts = graphc.scan(inner, s, row)
            return np.tanh(t), ts

        return graphc.scan(outer, 1.0, xs)

    agree(f, RNG.normal(size=(4, 6)))


def test_a_choice_in_a_loop_in_a_choice() -> None:
    def f(flag: Any, x: Any) -> Any:
        def looped(x: Any) -> Any:
            def body(s: Any) -> Any:
                i, x = s
                even = i % 2 == 0
                return i + 1, graphc.cond(even, lambda v: v * 2, lambda v: v + x, x)

            return graphc.while_loop(lambda s: s[0] < 7, body, (0, x))[1]

        return graphc.cond(flag, looped, lambda x: -x, x)

    for flag in (True, False):
        agree(f, flag, RNG.normal(size=(3, 2)))


def test_loop_in_loop_in_loop_shares_its_memory() -> None:
    def f(x: Any, w: Any) -> Any:
        def step(i: Any, x: Any) -> Any:
            inner = graphc.fori_loop(0, 3, lambda j, y: np.tanh(y @ w) + j, x)
            return graphc.fori_loop(0, 2, lambda j, y: y[::-1] + inner.sum(), inner)

        return graphc.fori_loop(0, 4, step, x)

    agree(f, RNG.normal(size=(4, 4)), RNG.normal(size=(4, 4)))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8", "u1", "c8", "c16", "f2", "?"])
def test_dtypes(dtype: str) -> None:
    def f(init: Any, xs: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            s = (s ^ x) if dtype == "?" else s + x * x
            return s, s

        return graphc.scan(step, init, xs)

    agree(f, np.ones(3).astype(dtype), RNG.integers(0, 3, (5, 3)).astype(dtype), rtol=1e-3)


def test_one_binary_for_every_length_and_batch() -> None:
    def f(xs: Any, w: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = np.tanh(h @ w + x)
            return h, h.sum(axis=-1)

        return graphc.scan(step, np.zeros_like(xs[0]), xs)

    dims = {"xs": "t, b, 4"}
    compiled, evaluated = graphc.jit(f, dims=dims), graphc.jit(f, dims=dims, debug="evaluate")
    w = RNG.normal(size=(4, 4))
    for t, b in ((1, 1), (2, 3), (7, 1), (4, 17), (3, 0)):
        xs = RNG.normal(size=(t, b, 4))
        same(compiled(xs, w), evaluated(xs, w))
    assert compiled.cache_info().programs == 1


def test_symbolic_trip_counts() -> None:
    def f(x: Any) -> Any:
        return graphc.fori_loop(0, x.shape[0], lambda i, s: s + x[i] * i, 0.0)

    compiled = graphc.jit(f, dims={"x": "n"})
    for n in (0, 1, 2, 9):
        x = RNG.normal(size=n)
        np.testing.assert_allclose(compiled(x), (x * np.arange(n)).sum(), rtol=1e-12)


def test_no_steps() -> None:
    def f(xs: Any) -> Any:
        return graphc.scan(lambda s, x: (s + x, s * x), np.ones(3), xs)

    state, ys = agree(f, np.zeros((0, 3)), python=False)
    np.testing.assert_array_equal(state, np.ones(3))
    assert ys.shape == (0, 3)


def test_nothing_in_a_row() -> None:
    def f(xs: Any) -> Any:
        return graphc.scan(lambda s, x: (s + x, s * x), np.ones(0), xs)

    agree(f, np.zeros((4, 0)))


def test_strided_arrays_are_read_in_place() -> None:
    def f(xs: Any, w: Any, init: Any) -> Any:
        return graphc.scan(lambda s, x: (s @ w + x, s), init, xs)

    big = RNG.normal(size=(64, 130, 130))
    xs, w, init = big[::-2, :, ::2][:, :65], big[0, 64::-1, ::2], big[1, ::2, 3:68]
    jitted = graphc.jit(f)
    small = np.ascontiguousarray
    for _ in range(3):
        same(jitted(xs, w * 0.01, init), jitted(small(xs), small(w * 0.01), small(init)), 1e-9)


def test_numbers_take_the_dtype_of_what_they_meet() -> None:
    def f(xs: Any) -> Any:
        return graphc.scan(lambda s, x: (s + x, 2 * s), 0, xs)

    state, ys = agree(f, np.arange(5, dtype=np.float32), python=False)
    assert state.dtype == ys.dtype == np.float32


def test_python_numbers_stay_python_numbers() -> None:
    def f(n: Any) -> Any:
        return graphc.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] * 1.5), (0, 1))

    found = graphc.jit(f)(3)
    assert found == (3, 3.375)
    assert [type(x) for x in found] == [int, float]


def test_nested_states_keep_their_structure() -> None:
    def f(p: Any) -> Any:
        def step(s: Any, _: Any) -> Any:
            return {"a": [s["a"][0] * 2], "b": (s["b"][0] + s["a"][0], None)}, None

        return graphc.scan(step, p, None, length=3)

    agree(f, {"a": [np.ones(2)], "b": (np.zeros(2), None)})


@pytest.mark.parametrize("unroll", [1, 2, 3, 4, 7, 30, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_unrolled(unroll: int | bool, reverse: bool) -> None:
    def f(init: Any, xs: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            return s * 0.5 + x, (s, x[0])

        return graphc.scan(step, init, xs, reverse=reverse, unroll=unroll)

    agree(f, RNG.normal(size=2), RNG.normal(size=(7, 2)))


def test_map() -> None:
    def f(xs: Any) -> Any:
        return graphc.map(lambda x: (x @ x, x + 1), xs)

    agree(f, RNG.normal(size=(5, 3)))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 13])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(n: int, reverse: bool) -> None:
    def f(x: Any) -> Any:
        return graphc.associative_scan(np.add, x, reverse=reverse, axis=1)

    x = RNG.normal(size=(2, n))
    wanted = np.cumsum(x[:, ::-1], 1)[:, ::-1] if reverse else np.cumsum(x, 1)
    np.testing.assert_allclose(agree(f, x), wanted)


def test_associative_scan_of_matrices() -> None:
    def f(ms: Any) -> Any:
        return graphc.associative_scan(lambda a, b: b @ a, ms)

    ms = RNG.normal(size=(6, 3, 3))
    found = agree(f, ms)
    wanted = [ms[0]]
    for m in ms[1:]:
        wanted.append(m @ wanted[-1])
    np.testing.assert_allclose(found, np.stack(wanted))


def test_donated_states_are_written_over() -> None:
    def f(x: Any, y: Any) -> Any:
        return graphc.fori_loop(0, 4, lambda i, s: (s[1] + 1, s[0] * 2), (x, y))

    jitted = graphc.jit(f, donate=("x", "y"))
    for n in (3, 1000):
        x, y = RNG.normal(size=n), RNG.normal(size=n)
        wanted = f(x.copy(), y.copy())
        same(jitted(x, y), wanted)


@pytest.mark.parametrize("threads", [1, 2])
def test_results_do_not_depend_on_threads(threads: int) -> None:
    import graphc_runtime

    params = lstm_params(64, 128)
    xs = RNG.normal(size=(3, 64, 64)).astype(np.float32)
    jitted = graphc.jit(lstm)
    before = graphc_runtime.get_threads()
    first = jitted(params, xs)
    graphc_runtime.set_threads(threads)
    second = jitted(params, xs)
    graphc_runtime.set_threads(before)
    same(first, second, 0.0)


# --------------------------------------------------------------------------------------- refused


def refused(error: type[Exception], function: Any, *args: Any) -> str:
    with pytest.raises(error) as caught:
        graphc.jit(function)(*args)
    return str(caught.value)


def test_a_state_that_changes_its_type_is_named() -> None:
    def f(x: Any) -> Any:
        return graphc.scan(lambda s, _: ({"h": s["h"].sum()}, None), {"h": x}, None, length=3)

    text = refused(TypeMismatch, f, np.ones(3))
    assert "init['h'] is f64[3] and becomes f64[]" in text
    assert "test_loops.py" in text

    def g(x: Any) -> Any:
        return graphc.while_loop(lambda s: s.sum() < 9, lambda s: s * np.float64(2), x)

    text = refused(TypeMismatch, g, np.ones(3, np.float32))
    assert "init_val is f32[3] and becomes f64[3]" in text


def test_other_structures_are_refused() -> None:
    def f(x: Any) -> Any:
        return graphc.scan(lambda s, _: ((s, s), None), x, None, length=3)

    assert "structure" in refused(TypeMismatch, f, np.ones(3))

    def g(x: Any) -> Any:
        return graphc.scan(lambda s, _: s, x, None, length=3)

    assert "has to return a pair" in refused(TraceError, g, np.ones(3))


def test_lengths_that_differ_are_refused() -> None:
    def f(x: Any, y: Any) -> Any:
        return graphc.scan(lambda s, xy: (s, None), 0, (x, y))

    text = refused(ShapeMismatch, f, np.ones(3), np.ones(4))
    assert "xs[1], f64[4], is 4" in text

    def g(x: Any) -> Any:
        return graphc.scan(lambda s, _: (s, None), x)

    assert "length=" in refused(TraceError, g, np.ones(3))


def test_conditions_of_many_elements_are_refused() -> None:
    def f(x: Any) -> Any:
        return graphc.while_loop(lambda s: s < 3, lambda s: s + 1, x)

    assert ".any() or .all()" in refused(ShapeMismatch, f, np.ones(3))


def test_the_state_is_not_changed_in_place() -> None:
    def f(x: Any) -> Any:
        def step(i: Any, s: Any) -> Any:
            s[0] = i
            return s

        return graphc.fori_loop(0, 3, step, x)

    assert "copy it first" in refused(TraceError, f, np.ones(3))


def test_the_truth_value_error_names_the_way_out() -> None:
    def f(x: Any) -> Any:
        while x > 0:
            x = x - 1
        return x

    text = refused(TraceError, f, 3.0)
    assert "graphc.cond" in text
    assert "graphc.while_loop" in text
    assert "np.where" in text
