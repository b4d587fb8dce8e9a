"""What a step of a native loop costs, one core: python benchmarks/control_flow.py

The shortest of many calls; a loop of no work (the state plus one), one-sample SGD for a line over
190 rows, a Newton iteration, a choice in a loop, an element set in the state, an edit distance, an
LSTM of 64 rows, and what Python needs for the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import graphc_runtime
import numpy as np

import graphc


def shortest(call: Callable[[], Any], seconds: float = 1.0) -> float:
    """Seconds of the shortest call."""
    call()
    best, end = 1e9, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def line(w: Any, b: Any, x: Any, y: Any) -> Any:
    def step(state: Any, row: Any) -> Any:
        (w, b), (x, y) = state, row
        error = w * x + b - y
        return (w - 0.002 * error * x, b - 0.002 * error), None

    return graphc.scan(step, (w, b), (x, y))[0]


def count(n: Any) -> Any:
    return graphc.fori_loop(0, n, lambda i, s: s + 1, 0)


def root(a: Any) -> Any:
    def goes_on(s: Any) -> Any:
        return s[1] < 1000

    return graphc.while_loop(goes_on, lambda s: ((s[0] + a / s[0]) / 2, s[1] + 1), (a, 0))[0]


def choices(xs: Any) -> Any:
    def step(s: Any, x: Any) -> Any:
        return graphc.cond(x > 0, lambda s: s + x, lambda s: s * x, s), None

    return graphc.scan(step, 0.0, xs)[0]


def running(x: Any) -> Any:
    """Sets each element of the state by the one before it."""

    def step(i: Any, s: Any) -> Any:
        s = s.copy()
        s[i] = s[i - 1] * 0.9 + s[i]
        return s

    return graphc.fori_loop(1, x.shape[0], step, x)


def distance(a: Any, b: Any) -> Any:
    """The edit distance of two words, by the table."""
    table = np.zeros((a.shape[0] + 1, b.shape[0] + 1), np.int64)
    table[:, 0] = np.arange(a.shape[0] + 1)
    table[0] = np.arange(b.shape[0] + 1)

    def row(i: Any, table: Any) -> Any:
        def column(j: Any, table: Any) -> Any:
            least = np.minimum(table[i, j + 1], table[i + 1, j]) + 1
            table = table.copy()
            table[i + 1, j + 1] = np.minimum(least, table[i, j] + (a[i] != b[j]))
            return table

        return graphc.fori_loop(0, b.shape[0], column, table)

    return graphc.fori_loop(0, a.shape[0], row, table)[-1, -1]


def cell(params: Any, state: Any, x: Any) -> Any:
    (w, u, b), (h, c) = params, state
    i, f, g, o = np.split(x @ w + h @ u + b, 4, axis=-1)
    c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
    return np.tanh(c) / (1 + np.exp(-o)), c


def lstm(params: Any, xs: Any) -> Any:
    zeros = np.zeros((xs.shape[1], params[1].shape[0]), np.float32)

    def step(state: Any, x: Any) -> Any:
        state = cell(params, state, x)
        return state, state[0]

    return graphc.scan(step, (zeros, zeros), xs)


def report(what: str, seconds: float, steps: int) -> None:
    print(f"{what:<44}{seconds / steps * 1e9:12.1f} ns a step")


def main() -> None:
    graphc_runtime.set_threads(1)
    rng = np.random.default_rng(0)
    jitted = graphc.jit(count)
    report("state + 1", shortest(lambda: jitted(100_000)), 100_000)
    x = rng.normal(size=190)
    y = 3 * x + 1
    fit = graphc.jit(line)
    report("SGD of a line, 190 rows", shortest(lambda: fit(0.0, 0.0, x, y)), 190)
    newton = graphc.jit(root)
    report("Newton, 1000 steps of a while loop", shortest(lambda: newton(2.0)), 1000)
    xs = rng.normal(size=1000)
    either = graphc.jit(choices)
    report("a choice in each of 1000 steps", shortest(lambda: either(xs)), 1000)
    for n in (100, 10_000):
        state, each = rng.normal(size=n), graphc.jit(running)
        report(f"one element of {n} is set", shortest(lambda: each(state)), n - 1)  # noqa: B023
    words, edits = rng.integers(0, 4, (2, 500)), graphc.jit(distance)
    report("edit distance, 500 x 500", shortest(lambda: edits(*words)), 500 * 500)
    params = (
        rng.normal(0, 0.1, (128, 512)).astype(np.float32),
        rng.normal(0, 0.1, (128, 512)).astype(np.float32),
        np.zeros(512, np.float32),
    )
    rows = rng.normal(size=(64, 64, 128)).astype(np.float32)
    recurrent, one = graphc.jit(lstm), graphc.jit(cell)
    report("LSTM, 64 rows, 128 -> 128", shortest(lambda: recurrent(params, rows)), 64)

    def stepwise() -> None:
        state = (np.zeros((64, 128), np.float32), np.zeros((64, 128), np.float32))
        for row in rows:
            state = one(params, state, row)

    report("  the same, a jitted cell called from Python", shortest(stepwise), 64)
    loss = graphc.jit(graphc.grad(lambda p, xs: (lstm(p, xs)[1] ** 2).sum()))
    report("  its gradient", shortest(lambda: loss(params, rows)), 64)


if __name__ == "__main__":
    main()
