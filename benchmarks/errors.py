"""Prints the errors of contractions next to OpenBLAS's (NumPy's), on the same numbers.

    python -m benchmarks.errors

Products of square matrices, a dense layer and a convolution of standard normal numbers, in f32 and
f64. An error is |result - exact| / sum|a||b|, the greatest over the results, in units of the
dtype's last place (2**-24, 2**-53). Exact is f64 for f32 and long double for f64, over ROWS rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc
import graphc.nn as gnn

ROWS = 24
"""Rows of a product that are compared: long doubles are slow."""
SIZES = (64, 128, 256, 512, 1024, 2048)
Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One contraction: what graphc compiles, what NumPy computes, and the rows of its product."""

    name: str
    graphc: Function
    numpy: Function
    shapes: tuple[tuple[int, ...], ...]
    product: Callable[..., tuple[np.ndarray, np.ndarray]]
    """The matrices whose product the result is, from the arguments."""


def _windows(x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The patches of images (3 x 3, not padded) as rows, and the kernel as a matrix."""
    views = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    rows = views.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 9 * x.shape[3])
    return np.ascontiguousarray(rows), w.reshape(-1, w.shape[3])


def _flat_convolution(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    a, b = _windows(x, w)
    return a @ b


def _convolution(x: Any, w: Any) -> Any:
    return gnn.conv(x, w, layout="NHWC", kernel_layout="HWIO")


def _with_one(x: np.ndarray, w: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A dense layer as a product: a column of ones, a row of biases."""
    one = np.ones((x.shape[0], 1), x.dtype)
    return np.concatenate([x, one], 1), np.concatenate([w, bias[None]])


def _dense(x: Any, w: Any, bias: Any) -> Any:
    return x @ w + bias


def cases() -> list[Case]:
    """Every case, for both dtypes."""
    found = [
        Case(f"product {n}", np.matmul, np.matmul, ((n, n), (n, n)), lambda a, b: (a, b))
        for n in SIZES
    ]
    for n, k, m in ((32, 784, 512), (64, 4096, 1024)):
        shapes = ((n, k), (k, m), (m,))
        found.append(Case(f"dense {n} x {k} x {m}", _dense, _dense, shapes, _with_one))
    for size, c, o in ((30, 64, 64), (16, 256, 128)):
        shapes = ((1, size, size, c), (3, 3, c, o))
        name = f"convolution 3 x 3, {size} x {size} x {c} to {o}"
        found.append(Case(name, _convolution, _flat_convolution, shapes, _windows))
    return found


def errors(case: Case, dtype: Any, seed: int = 0) -> list[float]:
    """The greatest errors of graphc and of NumPy, in units of the last place."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(s).astype(dtype) for s in case.shapes]
    a, b = case.product(*arrays)
    rows = np.unique(np.linspace(0, a.shape[0] - 1, ROWS).astype(int))
    wide = np.float64 if dtype == np.float32 else np.longdouble
    x, y = a[rows].astype(wide), b.astype(wide)
    exact = x @ y
    scale = np.abs(x) @ np.abs(y)
    unit = np.finfo(dtype).eps / 2
    found = []
    for function in (graphc.jit(case.graphc), case.numpy):
        got = np.asarray(function(*arrays)).reshape(a.shape[0], -1)[rows]
        found.append(float((np.abs(got - exact) / scale).max() / unit))
    return found


def table(names: Sequence[str] = ()) -> str:
    """The errors as a table of Markdown."""
    lines = [
        "| | f32 graphc | f32 OpenBLAS | f64 graphc | f64 OpenBLAS |",
        "|---|---|---|---|---|",
    ]
    for case in cases():
        if names and case.name not in names:
            continue
        cells = [f"{e:.2f}" for d in (np.float32, np.float64) for e in errors(case, d)]
        lines.append(f"| {case.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
