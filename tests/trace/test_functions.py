"""Programs as scientists write them, unchanged: plain NumPy against traced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.trace import trace_function

RNG = np.random.default_rng(11)


def finite_differences(u: Any, dx: float) -> Any:
    d = np.zeros_like(u)
    d[1:-1] = (u[2:] - u[:-2]) / (2 * dx)
    d[0] = (u[1] - u[0]) / dx
    d[-1] = (u[-1] - u[-2]) / dx
    return d


def heat(u: Any, steps: int = 4) -> Any:
    u = u.copy()
    for _ in range(steps):
        lap = np.zeros(u.shape)
        lap[1:-1, 1:-1] = (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )
        u += 0.1 * lap
        u[0], u[-1], u[:, 0], u[:, -1] = 1, 0, u[:, 1], u[:, -2]
    return u


def life(board: Any) -> Any:
    for _ in range(3):
        neighbours = sum(
            np.roll(np.roll(board, i, 0), j, 1)
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            if (i, j) != (0, 0)
        )
        board = (neighbours == 3) | (board & (neighbours == 2))
    return board


def mandelbrot(c: Any) -> Any:
    z = np.zeros(c.shape, dtype=complex)
    count = np.zeros(c.shape, dtype=int)
    for _ in range(8):
        alive = np.abs(z) <= 2
        z[alive] = z[alive] ** 2 + c[alive]
        count[alive] += 1
    return count


def running_mean(x: Any, window: int = 3) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, window).mean(axis=-1)


def running_mean_by_cumsum(x: Any, n: int = 3) -> Any:
    total = np.cumsum(np.insert(x, 0, 0.0))
    return (total[n:] - total[:-n]) / n


def polynomial_fit(x: Any, y: Any) -> Any:
    a = np.vander(x, 3)
    return np.linalg.solve(a.T @ a, a.T @ y)


def selections(x: Any) -> Any:
    picked = np.select([x < 2, x < 4], [x, x**2], default=-1.0)
    pieces = np.piecewise(x, [x < 1, x >= 3], [lambda v: -v, lambda v: v * 2, 0.5])
    return picked, pieces, np.where(x > 2, x, 0), np.clip(x, 1, 3), np.heaviside(x - 2, 0.5)


def contractions(a: Any, b: Any) -> Any:
    return (
        np.einsum("ij,jk->ik", a, b),
        np.einsum("ij,kj->", a, a),
        np.tensordot(a, b, axes=1),
        np.einsum("ii->i", a @ a.T),
        np.outer(a[0], b[:, 0]),
        np.inner(a, a),
        np.kron(a[:2, :2], b[:2, :2]),
    )


def histogram(x: Any, bins: int = 6) -> Any:
    counts = np.zeros(bins, dtype=int)
    np.add.at(counts, np.clip((x * bins).astype(int), 0, bins - 1), 1)
    return counts, np.bincount(
        (x * bins).astype(int), minlength=bins
    ) if False else counts / counts.sum()


def convolve(image: Any, kernel: Any) -> Any:
    k, m = kernel.shape
    h, w = image.shape
    out = np.zeros((h - k + 1, w - m + 1))
    for i in range(k):
        for j in range(m):
            out += kernel[i, j] * image[i : i + h - k + 1, j : j + w - m + 1]
    return out


def runge_kutta(y: Any, dt: float) -> Any:
    def f(t: float, y: Any) -> Any:
        position, speed = y
        return np.array([speed, -np.sin(position) - 0.1 * speed + np.cos(t)])

    path = np.empty((6, 2))
    path[0] = y
    t = 0.0
    for i in range(5):
        k1 = f(t, y)
        k2 = f(t + dt / 2, y + dt / 2 * k1)
        k3 = f(t + dt / 2, y + dt / 2 * k2)
        k4 = f(t + dt, y + dt * k3)
        y = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        t += dt
        path[i + 1] = y
    return path


def kmeans_step(points: Any, centres: Any) -> Any:
    distance = ((points[:, None, :] - centres[None]) ** 2).sum(-1)
    label = distance.argmin(axis=1)
    new = np.zeros_like(centres)
    for k in range(len(centres)):
        mine = label == k
        new[k] = (points * mine[:, None]).sum(0) / np.maximum(mine.sum(), 1)
    sums, counts = np.zeros(centres.shape), np.zeros(len(centres))
    np.add.at(sums, label, points)
    np.add.at(counts, label, 1)
    return label, new, sums / np.maximum(counts, 1)[:, None]


def principal_component(x: Any, steps: int = 10) -> Any:
    x = x - x.mean(axis=0)
    cov = x.T @ x / (len(x) - 1)
    v = np.ones(x.shape[1])
    for _ in range(steps):
        v = cov @ v
        v /= np.linalg.norm(v)
    return v, v @ cov @ v


def softmax_network(x: Any, layers: Any) -> Any:
    for w, b in layers[:-1]:
        x = np.maximum(x @ w + b, 0)
    w, b = layers[-1]
    z = x @ w + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def jacobi(a: Any, b: Any) -> Any:
    d = np.diag(a)
    r = a - np.diagflat(d)
    x = np.zeros_like(b)
    for _ in range(10):
        x = (b - r @ x) / d
    return x


def gauss(a: Any, b: Any) -> Any:
    a, b = a.astype(float), b.astype(float)
    n = len(b)
    for i in range(n):
        b[i] /= a[i, i]
        a[i] /= a[i, i]
        for j in range(n):
            if j != i:
                b[j] -= a[j, i] * b[i]
                a[j] -= a[j, i] * a[i]
    return b


def thomas(a: Any, b: Any, c: Any, d: Any) -> Any:
    n = d.size
    c, d, b = c.copy(), d.copy(), b.copy()
    for i in range(1, n):
        w = a[i] / b[i - 1]
        b[i] = b[i] - w * c[i - 1]
        d[i] = d[i] - w * d[i - 1]
    x = np.zeros(n)
    x[-1] = d[-1] / b[-1]
    for i in range(n - 2, -1, -1):
        x[i] = (d[i] - c[i] * x[i + 1]) / b[i]
    return x


def n_body(position: Any, mass: Any) -> Any:
    r = position[None] - position[:, None]
    inverse = (np.sum(r**2, axis=-1) + 1e-3) ** -1.5
    np.fill_diagonal(inverse, 0.0)
    return (r * (mass[None, :] * inverse)[..., None]).sum(axis=1)


def floyd_warshall(d: Any) -> Any:
    d = d.copy()
    for k in range(len(d)):
        d = np.minimum(d, d[:, k, None] + d[None, k])
    return d


def statistics(x: Any) -> Any:
    z = (x - x.mean(0)) / x.std(0, ddof=1)
    return (
        z,
        np.cov(x.T),
        np.corrcoef(x, rowvar=False),
        np.median(x, axis=0),
        np.percentile(x, [10, 50], axis=0),
    )


def logistic_map(r: Any) -> Any:
    x = np.full(r.shape, 0.5)
    seen = []
    for i in range(8):
        x = r * x * (1 - x)
        if i >= 5:
            seen.append(x)
    return np.array(seen)


def sorting(x: Any) -> Any:
    order = np.argsort(x, kind="stable")
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(x))
    return np.sort(x)[::-1], x[order], ranks, np.searchsorted(np.sort(x), x)


def trapezoid(x: Any, y: Any) -> Any:
    return (
        np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2),
        np.trapezoid(y, x),
        np.gradient(y, x),
        np.interp(2.5, x, y),
    )


def game(x: Any) -> Any:
    grid = np.pad(x, 1, mode="edge")
    return grid, np.tile(x, (2, 1)), np.repeat(x, 2, axis=1), np.rot90(x), np.triu(x), np.flipud(x)


PROGRAMS: list[tuple[Any, tuple[Any, ...]]] = [
    (finite_differences, (np.sin(np.arange(9.0)), 0.1)),
    (heat, (RNG.random((6, 7)),)),
    (life, (RNG.random((8, 8)) > 0.5,)),
    (mandelbrot, (np.linspace(-2, 1, 9) + 1j * np.linspace(-1, 1, 7)[:, None],)),
    (running_mean, (RNG.random(10),)),
    (running_mean_by_cumsum, (RNG.random(10),)),
    (polynomial_fit, (np.linspace(0, 1, 8), RNG.random(8))),
    (selections, (np.linspace(0, 5, 11),)),
    (contractions, (RNG.random((3, 4)), RNG.random((4, 3)))),
    (histogram, (RNG.random(40),)),
    (convolve, (RNG.random((8, 9)), RNG.random((3, 2)))),
    (runge_kutta, (np.array([1.0, 0.0]), 0.1)),
    (kmeans_step, (RNG.random((20, 2)), RNG.random((3, 2)))),
    (principal_component, (RNG.random((20, 4)),)),
    (
        softmax_network,
        (
            RNG.random((5, 4)),
            [(RNG.random((4, 6)), RNG.random(6)), (RNG.random((6, 3)), np.zeros(3))],
        ),
    ),
    (jacobi, (np.eye(4) * 5 + RNG.random((4, 4)), RNG.random(4))),
    (gauss, (np.eye(4) * 5 + RNG.random((4, 4)), RNG.random(4))),
    (thomas, (RNG.random(6), 4 + RNG.random(6), RNG.random(6), RNG.random(6))),
    (n_body, (RNG.random((5, 3)), RNG.random(5))),
    (floyd_warshall, (RNG.random((5, 5)),)),
    (statistics, (RNG.random((12, 3)),)),
    (logistic_map, (np.linspace(2.5, 4, 7),)),
    (sorting, (RNG.random(9),)),
    (trapezoid, (np.array([0.0, 1.0, 2.5, 4.0, 5.0]), RNG.random(5))),
    (game, (RNG.random((3, 3)),)),
]


@pytest.mark.parametrize(("program", "args"), PROGRAMS, ids=[p.__name__ for p, _ in PROGRAMS])
def test_program(check: Any, program: Any, args: tuple[Any, ...]) -> None:
    check(program, *args, rtol=1e-9)


@pytest.mark.parametrize(
    ("program", "args"), PROGRAMS[:3] + PROGRAMS[10:13], ids=lambda p: getattr(p, "__name__", "")
)
def test_every_node_knows_its_line(program: Any, args: tuple[Any, ...]) -> None:
    graph = trace_function(program, args).graph
    first = program.__code__.co_firstlineno
    for node in graph.nodes:
        assert node.where is not None, node
        assert node.where.file == __file__, node
        assert first <= node.where.line < first + 30, node
