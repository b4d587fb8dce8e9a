"""What is timed of control flow: a scan of 256 steps, a loop of 100 iterations that asks its data
whether to go on, and a choice. torch has them as Python writes them: its loop and choice wait."""

from __future__ import annotations

import importlib
from typing import Any

from .cases import Case

COLUMNS = ("graphc", "jax", "torch")


def control(xp: Any) -> Any:
    """scan, while_loop and cond: graphc's where `xp` is NumPy, else JAX's."""
    return importlib.import_module("graphc" if xp.__name__ == "numpy" else "jax.lax")


def gru(xp: Any, h: Any, xs: Any, w: Any, u: Any, b: Any) -> Any:
    """A gated recurrent unit; what the inputs contribute is one product before the loop."""

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + xp.exp(-x))

    def step(h: Any, x: Any) -> Any:
        z, r, n = xp.split(x, 3, axis=-1)
        hz, hr, hn = xp.split(h @ u, 3, axis=-1)
        n = xp.tanh(n + sigmoid(r + hr) * hn)
        h = n + sigmoid(z + hz) * (h - n)
        return h, h

    return control(xp).scan(step, h, xs @ w + b)[1]


def gru_torch(t: Any, h: Any, xs: Any, w: Any, u: Any, b: Any) -> Any:
    found = []
    for x in xs @ w + b:
        z, r, n = x.chunk(3, -1)
        hz, hr, hn = (h @ u).chunk(3, -1)
        n = t.tanh(n + t.sigmoid(r + hr) * hn)
        h = n + t.sigmoid(z + hz) * (h - n)
        found.append(h)
    return t.stack(found)


def newton(xp: Any, a: Any) -> Any:
    """Square roots; no residual is negative, which nobody but the device knows."""
    a = abs(a) + a.dtype.type(1)

    def goes_on(state: Any) -> Any:
        x, k = state
        return (k < 100) & (abs(x * x - a).max() >= 0)

    def body(state: Any) -> Any:
        x, k = state
        return (x + a / x) * a.dtype.type(0.5), k + 1

    return control(xp).while_loop(goes_on, body, (a, 0))[0]


def newton_torch(t: Any, a: Any) -> Any:
    a = abs(a) + 1
    x, k = a, 0
    while k < 100 and (x * x - a).abs().max() >= 0:
        x, k = (x + a / x) * 0.5, k + 1
    return x


def choice(xp: Any, x: Any, w: Any) -> Any:
    return control(xp).cond(abs(x).max() > 0, lambda x, w: xp.tanh(x @ w), lambda x, w: x + w, x, w)


def choice_torch(t: Any, x: Any, w: Any) -> Any:
    return t.tanh(x @ w) if x.abs().max() > 0 else x + w


def flows() -> list[Case]:
    h, xs = ((64, 128), "f32"), ((256, 64, 128), "f32")
    w, b, square = ((128, 384), "f32"), ((384,), "f32"), ((1024, 1024), "f32")
    row = ((1024,), "f32")
    less = tuple((shape, "f32") for shape in ((3, 8), (5, 3, 8), (8, 24), (8, 24), (24,)))
    scan = Case("scan of 256 GRU steps", less, gru, gru_torch, columns=COLUMNS, wall=True,
                scale=0.1)  # fmt: skip
    return [
        Case(scan.name, (h, xs, w, w, b), gru, gru_torch, 0, 2 * 2 * 256 * 64 * 128 * 384, COLUMNS,
             peak="f32", wall=True, scale=0.1, tiny=scan),
        Case("while of 100 iterations", (row,), newton, newton_torch, columns=COLUMNS, wall=True),
        Case("cond", (square, square), choice, choice_torch, columns=COLUMNS, wall=True),
    ]  # fmt: skip
