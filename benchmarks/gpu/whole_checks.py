"""Programs of cumulative ops, sorts, control flow and products by the library for checks.py: whole,
by `jit(device="cuda")`, against the evaluator, at extents and with numbers that need care."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import graphc

SLOW = "GRAPHC_CHECKS_SMALL"
"""Set where a stand-in runs the kernels: long arrays are short then."""


@dataclass(frozen=True)
class Whole:
    """A function, and the arguments of several calls of one program."""

    name: str
    function: Callable[..., Any]
    calls: Callable[[], Sequence[tuple[Any, ...]]]
    options: dict[str, Any] = field(default_factory=dict)
    rtol: float = 0.0
    there: dict[str, Any] = field(default_factory=dict)
    """Options on the device alone."""

    def excess(self) -> float:
        """The largest error over what is allowed, of every call, twice."""
        from graphc import pytrees

        on_device = graphc.jit(self.function, device="cuda", **self.options, **self.there)
        meaning = graphc.jit(self.function, debug="evaluate", **self.options)
        worst, put = 0.0, []
        for arguments in self.calls():
            wanted = pytrees.flatten(meaning(*arguments))[0]
            put = _put(arguments, put)
            for _ in range(3):  # launched, captured, replayed
                found = pytrees.flatten(on_device(*put))[0]
                pairs = zip(found, wanted, strict=True)
                shown = [np.shape(a) for a in arguments]
                error = max(self._compare(_host(f), np.asarray(w), shown) for f, w in pairs)
                worst = max(worst, error)
        return worst

    def _compare(self, found: np.ndarray, wanted: np.ndarray, shown: Any) -> float:
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), shown
        if not found.size:
            return 0.0
        if not self.rtol:
            np.testing.assert_array_equal(found, wanted, f"{shown}")
            return 0.0
        wide = np.complex128 if found.dtype.kind == "c" else np.float64
        x, y = found.astype(wide), wanted.astype(wide)
        finite = np.abs(y[np.isfinite(y)])
        allowed = self.rtol * max(1.0, float(finite.max(initial=0.0)))
        with np.errstate(all="ignore"):
            same = (x == y) | (np.isnan(x) & np.isnan(y))
            ratio = np.where(same, 0.0, np.abs(x - y) / allowed)
        error = float(np.where(np.isnan(ratio), np.inf, ratio).max())
        assert error <= 1, f"{shown}: {error} times what is allowed"
        return error


def _put(arguments: Sequence[Any], before: Sequence[Any]) -> list[Any]:
    """The arguments on the device; at the addresses of a call before where they fit, so that a
    graph of that call is replayed with other numbers."""
    found: list[Any] = []
    for k, argument in enumerate(arguments):
        if not isinstance(argument, np.ndarray | np.generic):
            found.append(argument)
            continue
        array = np.asarray(argument, order="C")
        last = before[k] if k < len(before) else None
        fits = getattr(last, "shape", None) == array.shape
        if isinstance(last, graphc.DeviceArray) and fits and last.dtype == array.dtype:
            last.device.upload(last.pointer, array)
            found.append(last)
        else:
            found.append(graphc.device_put(array))
    return found


def _host(found: Any) -> np.ndarray:
    """A Python number that went through a program is one still."""
    return found.numpy() if hasattr(found, "numpy") else np.asarray(found)


def long(n: int) -> int:
    return min(n, 9000) if SLOW in os.environ else n


def numbers(*shape: int, dtype: Any = "f4", special: bool = False, seed: int = 0) -> np.ndarray:
    """Random numbers, some of them equal; with NaN, infinities and both zeros where `special`."""
    rng = np.random.default_rng([seed, *shape])
    kind = np.dtype(dtype)
    if kind.kind in "iub":
        return rng.integers(0, 2 if kind.kind == "b" else 60, shape).astype(kind)
    found = rng.standard_normal(shape)
    if kind.kind == "c":
        found = found + 1j * rng.standard_normal(shape)
    if special:
        some = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5])
        found = np.where(rng.random(shape) < 0.1, rng.choice(some, shape), found)
    return found.astype(kind)


# ---------------------------------------------------------------------------------- cumulative ops


def cumulatives() -> list[Whole]:
    def one(name: str, axis: int, *shapes: tuple[int, ...], function: Any = np.cumsum,
            dtype: str = "f4", special: bool = False, rtol: float = 2e-5,
            **options: Any) -> Whole:  # fmt: skip
        def calls() -> list[tuple[Any, ...]]:
            return [(numbers(*shape, dtype=dtype, special=special),) for shape in shapes]

        return Whole(name, lambda x: function(x, axis=axis), calls, options, rtol)

    exact = {"function": np.maximum.accumulate, "rtol": 0.0}
    lengths = [(n,) for n in (0, 1, 31, 32, 33, 1023, 1024, 1025, 4097, long(100_003))]
    return [
        one("row of a million", 0, (long(1_000_003),)),
        one("row of a million f64", 0, (long(1_000_003),), dtype="f8", rtol=1e-12),
        one("row of halves", 0, (long(1 << 14),), dtype="f2", rtol=3e-2),
        one("row of bytes", 0, (long(300_001),), dtype="i1", rtol=0.0),
        one("row of complex", 0, (long(100_001),), dtype="c8"),
        one("rows", -1, (long(3000), 1024)), one("odd rows", -1, (17, 5003)),
        one("rows of 2", -1, (long(20_000), 2)), one("rows of 33", -1, (501, 33), dtype="f8"),
        one("rows with NaN", -1, (70, 3001), special=True),
        one("columns", 0, (long(5000), 333)), one("short columns", 0, (30, 4000)),
        one("columns with NaN", 0, (1500, 70), special=True),
        one("middle axis", 1, (7, 900, 33)), one("one column", 0, (long(100_000), 1)),
        one("greatest of a row", 0, (long(1_000_003),), **exact),
        one("greatest of rows with NaN", -1, (70, 3001), special=True, **exact),
        one("greatest of columns", 0, (3000, 77), special=True, **exact),
        one("products", -1, (50, 60), function=np.cumprod, dtype="f8", rtol=1e-10),
        one("integers", 0, (long(200_000),), dtype="i8", rtol=0.0),
        one("symbolic row", 0, *lengths, dims={"x": "n"}),
        one("symbolic rows", -1, (0, 5), (3, 1), (5, 77), (2, 4099), (9, 0),
            dims={"x": ("n", "m")}),
        one("symbolic columns", 0, (0, 40), (1, 40), (257, 40), (4001, 40),
            dims={"x": ("n", None)}),
        one("symbolic greatest", 0, *lengths, special=True, dims={"x": "n"}, **exact),
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------- sorts


def sorts() -> list[Whole]:
    def one(name: str, *shapes: tuple[int, ...], axis: int = -1, places: bool = False,
            dtype: str = "f4", special: bool = True, **options: Any) -> Whole:  # fmt: skip
        def sort(x: Any) -> Any:
            if places:
                return np.argsort(x, axis=axis, kind="stable")
            return np.sort(x, axis=axis)

        def calls() -> list[tuple[Any, ...]]:
            return [(numbers(*shape, dtype=dtype, special=special),) for shape in shapes]

        return Whole(name, sort, calls, options)

    lengths = [
        (n,) for n in (0, 1, 2, 3, 33, 64, 65, 1024, 1025, 4096, 4099, long(70_001), long(1 << 20))
    ]
    rows = [(0, 7), (3, 0), (40, 50), (9, 1000), (2, long(9001)), (3, long(40_000))]
    return [
        one("rows of 1024", (long(2000), 1024)), one("odd rows", (30, 1023)),
        one("rows of 2", (long(10_000), 2)), one("rows of 5003", (9, 5003)),
        one("row of a million", (long(1 << 20),)), one("odd row", (long(1_000_003),)),
        one("row of a million f64", (long(1 << 20),), dtype="f8"),
        one("row of integers", (long(300_007),), dtype="i8"),
        one("row of bytes", (long(100_001),), dtype="u1"), one("halves", (50, 700), dtype="f2"),
        one("columns", (777, 60), axis=0), one("middle axis", (5, 300, 7), axis=1),
        one("positions in rows", (long(1000), 1024), places=True),
        one("positions in a row", (long(1 << 20),), places=True),
        one("positions of equal bytes", (long(200_003),), places=True, dtype="u1"),
        one("positions in columns", (1025, 33), places=True, axis=0),
        one("bools", (9, 1000), places=True, dtype="?"),
        one("symbolic rows", (0, 33), (1, 33), (500, 33), dims={"x": ("n", None)}),
        one("symbolic length", *lengths, dims={"x": "n"}),
        one("symbolic rows of any length", *rows, dims={"x": ("m", "n")}),
        one("symbolic positions of halves", *rows, places=True, dtype="f2", dims={"x": ("m", "n")}),
        one("symbolic positions", *lengths, places=True, dims={"x": "n"}),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------ control flow


def _recurrent(h: Any, xs: Any, w: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = np.tanh(h @ w + x)
        return h, h.sum(axis=-1)

    return graphc.scan(step, h, xs)


def _reversed(h: Any, xs: Any) -> Any:
    return graphc.scan(lambda h, x: (h * np.float32(0.5) + x, h), h, xs, reverse=True)


def _in_a_scan(s: Any, xs: Any) -> Any:
    def step(s: Any, x: Any) -> Any:
        s = graphc.cond(x.sum() > 0, lambda s, x: s + x, lambda s, x: s * x, s, x)
        return s, s.max()

    return graphc.scan(step, s, xs)


def _newton(a: Any) -> Any:
    def goes_on(state: Any) -> Any:
        x, k = state
        return (k < 50) & (abs(x * x - a).max() > np.float32(1e-4))

    def body(state: Any) -> Any:
        x, k = state
        return (x + a / x) * np.float32(0.5), k + 1

    return graphc.while_loop(goes_on, body, (a, 0))


def _whiles_in_a_while(x: Any) -> Any:
    def inner(x: Any) -> Any:
        return graphc.while_loop(lambda y: y.sum() < 50, lambda y: y * 2, x)

    return graphc.while_loop(lambda x: x.max() > 3, lambda x: inner(x * 0.5) * 0.125, x)


def _limited(x: Any) -> Any:
    return graphc.while_loop(lambda s: s.sum() < 100, lambda s: s + 1, x, max_steps=3)


def _stepwise(x: Any) -> Any:
    return graphc.while_loop(lambda x: x[3, 4] < 5, lambda x: x + 1, x)


def _whiles_in_a_scan(s: Any, xs: Any) -> Any:
    def step(s: Any, x: Any) -> Any:
        s = graphc.while_loop(lambda s: s.max() < x[0], lambda s: s * 2 + 1, s)
        return s * np.float32(0.25), s.sum()

    return graphc.scan(step, s, xs)


def _choices_in_a_while(x: Any) -> Any:
    def body(y: Any) -> Any:
        return graphc.cond(y[0] > y[1], lambda y: y + y[::-1], lambda y: y * 3 + 1, y)

    return graphc.while_loop(lambda y: y.max() < 40, body, x)


def _fori(x: Any, n: Any) -> Any:
    return graphc.fori_loop(0, n, lambda i, x: x * np.float32(0.9) + i, x)


def _fields(x: Any) -> Any:
    def step(i: Any, s: Any) -> Any:
        s = s.copy()
        s[i] = s[i - 1] * np.float32(0.9) + s[i]
        return s

    return graphc.fori_loop(1, x.shape[0], step, x)


def _choice(x: Any, y: Any) -> Any:
    return graphc.cond(x.sum() > 0, lambda x, y: np.exp(x) @ y, lambda x, y: y - x, x, y)


def _switch(i: Any, x: Any, y: Any) -> Any:
    arms = [lambda x, y: x + y, lambda x, y: (x * y) @ y.T @ x, lambda x, y: y]
    return graphc.switch(i, arms, x, y)


def _loss(w: Any, h: Any, xs: Any) -> Any:
    h, ys = _recurrent(h, xs, w)
    return (h * h).sum() + ys.sum()


def _symbolic(s: Any, xs: Any) -> Any:
    return graphc.scan(lambda s, x: (s + x, s * x), s, xs)


def _sorted_in_a_loop(x: Any) -> Any:
    return graphc.fori_loop(0, 3, lambda i, x: np.sort(np.cumsum(x, axis=-1), axis=-1) * 0.01, x)


def control() -> list[Whole]:
    from graphc import value_and_grad

    def one(name: str, function: Any, *calls: Sequence[Any], rtol: float = 1e-4,
            **options: Any) -> Whole:  # fmt: skip
        return Whole(name, function, lambda: [tuple(c) for c in calls], options, rtol)

    def many(k: int) -> tuple[np.ndarray, ...]:
        return numbers(64, 32), numbers(k, 64, 32), numbers(32, 32) * np.float32(0.2)

    square, other = numbers(33, 33), numbers(33, 33, seed=1)
    positive = abs(numbers(1024)) + np.float32(0.5)
    return [
        one("scan of 256 steps", _recurrent, many(long(256))),
        one("scan of one step", _recurrent, many(1)), one("scan of no step", _recurrent, many(0)),
        one("scan backwards", _reversed, (numbers(7), numbers(9, 7))),
        one("scan of 7 steps, f64", _symbolic,
            (numbers(5, dtype="f8"), numbers(7, 5, dtype="f8")), rtol=1e-11),
        one("scan with NaN", _symbolic, (numbers(50), numbers(6, 50, special=True))),
        one("choice in a scan", _in_a_scan,
            *((numbers(9), numbers(20, 9) * np.float32(k)) for k in (0.3, -0.3, 0))),
        one("while", _newton, (positive,), (positive * 100,), (np.ones(1024, np.float32),)),
        one("while in a while", _whiles_in_a_while, (positive,), (positive * 0.1,),
            (positive * 40,), (positive,)),
        one("while with a limit", _limited, (numbers(4),), (numbers(4) + np.float32(90),),
            (numbers(4) + np.float32(24),)),
        one("while of large states", _stepwise,
            *((np.full((1100, 1000), v, np.float32),) for v in (0, 1, 2, 9))),
        one("while in a scan", _whiles_in_a_scan,
            *((numbers(9), abs(numbers(20, 9)) * np.float32(k)) for k in (1, 30, 0))),
        one("choice in a while", _choices_in_a_while,
            *((np.array(v, np.float32),) for v in ((1, 2), (2, 1), (0, 0), (90, 3)))),
        one("for", _fori, *((numbers(33), np.int64(n)) for n in (0, 1, 2, 40))),
        one("elements that are set", _fields, (numbers(70),)),
        one("choice", _choice, (abs(square), other), (-abs(square), other)),
        one("switch", _switch, *((np.int64(i), square, other) for i in (-1, 0, 1, 2, 7))),
        one("gradient of a scan", value_and_grad(_loss),
            (numbers(8, 8) * np.float32(0.3), numbers(4, 8), numbers(20, 4, 8))),
        one("scan of symbolic length", _symbolic,
            *((numbers(3), numbers(n, 3)) for n in (4, 1, 33, 0)), dims={"xs": "n, ..."}),
        one("scan of symbolic rows", _recurrent,
            *((numbers(b, 8), numbers(5, b, 8), numbers(8, 8) * np.float32(0.3))
              for b in (1, 17, 64)),
            dims={"h": ("b", None), "xs": (None, "b", None)}),
        one("sorts and sums in a loop", _sorted_in_a_loop, (numbers(20, 300),)),
    ]  # fmt: skip


# ------------------------------------------------------------------------- products by the library


def _layer(x: Any, w: Any, b: Any) -> Any:
    return np.maximum(x @ w + b, 0)


def _masked(x: Any, g: Any) -> Any:
    return x.T @ np.where(g > 0, g, 0), g.sum(axis=0)


def products() -> list[Whole]:
    """Every one by cuBLASLt; sums of `k` terms are compared within the rounding of the dtype."""
    rtol = {"f16": 4e-3, "bf16": 3e-2, "f32": 4e-6, "f64": 4e-14}

    def one(name: str, function: Any, *shapes: tuple[int, ...], dtype: str = "f32",
            calls: Sequence[Sequence[tuple[int, ...]]] = (), special: bool = False,
            tolerance: float = 0.0, library: bool | None = True,
            **options: Any) -> Whole:  # fmt: skip
        kind = graphc.types.DTYPES[dtype].numpy  # type: ignore[attr-defined]

        def arrays() -> list[tuple[Any, ...]]:
            return [
                tuple(
                    numbers(*(small(n) for n in s), dtype=kind, special=special, seed=k)
                    for k, s in enumerate(given)
                )
                for given in (calls or [shapes])
            ]

        allowed = tolerance or rtol[dtype]
        there = {"library": library}
        return Whole(f"{name} {dtype}", function, arrays, options, allowed, there)

    def matmul(a: Any, b: Any) -> Any:
        return a @ b

    found: list[Whole] = []
    for dtype in rtol:
        turns = {
            "a b": (matmul, (1000, 777), (777, 1234)),
            "a.T b": (lambda a, b: a.T @ b, (777, 1000), (777, 1234)),
            "a b.T": (lambda a, b: a @ b.T, (1000, 777), (1234, 777)),
            "a.T b.T": (lambda a, b: a.T @ b.T, (777, 1000), (1234, 777)),
            "(a b).T": (lambda a, b: (a @ b).T, (1000, 777), (777, 1234)),
            "1024": (matmul, (1024, 1024), (1024, 1024)),
            "few rows": (matmul, (16, 2048), (2048, 2048)),
            "few columns": (matmul, (2048, 2048), (2048, 3)),
            "deep": (matmul, (33, 20_001), (20_001, 65)),
            "two terms": (matmul, (64, 2), (2, 64)),
            "a row": (matmul, (1, 4096), (4096, 1000)),
            "a column": (matmul, (1000, 4096), (4096, 1)),
            "batch": (matmul, (64, 128, 96), (64, 96, 160)),
            "shared": (matmul, (8, 100, 96), (96, 160)),
            "heads": (lambda a, b: np.einsum("qhd,khd->hqk", a, b), (200, 8, 64), (300, 8, 64)),
            "slices": (lambda a, b: a[3:, 5:] @ b[5:, 1:], (300, 264), (264, 301)),
            "layer": (_layer, (1024, 512), (512, 768), (768,)),
            "masked": (_masked, (1024, 512), (1024, 768)),
            "turned factor": (lambda a, b: np.tanh(a).T @ b[::-1], (512, 300), (512, 200)),
        }  # fmt: skip
        found += [one(name, f, *shapes, dtype=dtype) for name, (f, *shapes) in turns.items()]
    extents = ((300, 200, 100), (1, 2, 3), (5, 0, 7), (0, 3, 4), (64, 512, 33))
    found += [
        one("wide result", lambda a, b: np.matmul(a, b, dtype=np.float32), (300, 512), (512, 200),
            dtype="f16", tolerance=1e-5),
        one("special", matmul, (64, 30), (30, 64), special=True),
        one("special", matmul, (64, 30), (30, 64), special=True, dtype="f16"),
        one("chosen by the rule", matmul, (1024, 1024), (1024, 1024), dtype="bf16", library=None),
        one("chosen by the rule", _layer, (2048, 1024), (1024, 1024), (1024,), dtype="f16",
            library=None),
        one("rounded to tf32", matmul, (512, 700), (700, 300), tolerance=2e-3, precision="tf32"),
        *(
            one(f"rounded to tf32 here, {name}", function, *shapes, tolerance=2e-3,
                precision="tf32", library=False)
            for name, function, *shapes in (
                ("a b", matmul, (512, 700), (700, 300)),
                ("a.T b.T", lambda a, b: a.T @ b.T, (700, 512), (301, 700)),
                ("layer", _layer, (1024, 512), (512, 768), (768,)),
            )
        ),
        *(
            one(f"f64 here, {name}", function, *shapes, dtype="f64", library=False)
            for name, function, *shapes in (
                ("a b", matmul, (2048, 700), (700, 2050)),
                ("1024", matmul, (1024, 1024), (1024, 1024)),
            )
        ),
        one("symbolic", matmul, calls=[((n, k), (k, m)) for n, k, m in extents],
            dims={"a": ("n", "k"), "b": ("k", "m")}),
        one("in a scan", lambda h, xs, w: _recurrent(h, xs, w * np.float32(0.02)), (64, 96),
            (12, 64, 96), (96, 96), tolerance=1e-4),
        one("of constants", lambda x: x @ (np.eye(small(96), dtype=np.float32) * 2),
            (64, 96)),
    ]  # fmt: skip
    return found


def small(n: int) -> int:
    return min(n, 40) if SLOW in os.environ else n
