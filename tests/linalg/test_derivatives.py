"""Derivatives of linear algebra: finite differences of functions that do not depend on signs and
phases, in both modes, compiled; and batches by vmap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import linalg
from graphc.errors import TraceError
from tests.thinned import thinned

from .test_numpy import adjoint, data, near, positive

Function = Callable[..., Any]


def square(n: int, code: str) -> np.ndarray:
    return data(n, n, dtype=code) / np.sqrt(n) + 2 * np.eye(n, dtype=code)


def weighted(x: Any, seed: int = 7) -> Any:
    """A real number of an array: the real part of a fixed random sum."""
    shape = tuple(int(n) for n in x.shape)
    rng = np.random.default_rng(seed)
    w = rng.normal(size=shape) + (1j * rng.normal(size=shape) if x.dtype.kind == "c" else 0)
    return np.sum(np.real(w * x))


def symmetric(x: Any) -> Any:
    return x + np.conj(np.swapaxes(x, -1, -2))


def spectral_function(x: Any) -> Any:
    """A function of a Hermitian matrix through its eigenvectors, whatever their phases."""
    w, v = np.linalg.eigh(symmetric(x))
    return weighted((v * np.sin(w)) @ np.conj(np.swapaxes(v, -1, -2)))


def singular_function(x: Any) -> Any:
    u, s, vh = np.linalg.svd(x, False)
    return weighted((u * np.sin(s)) @ vh)


def eigen_function(x: Any) -> Any:
    w, v = np.linalg.eig(x)
    lengths = np.sum(np.abs(v) ** 4, axis=0)  # of no phase
    return np.sum(np.real(w) * np.array([1.0, 2.0, -1.0, 0.5])[: x.shape[-1]] * lengths)


CASES: dict[str, Function] = {
    "solve": lambda a: weighted(np.linalg.solve(a, a[:, :2] ** 2)),
    "inv": lambda a: weighted(np.linalg.inv(a)),
    "det": lambda a: np.real(np.linalg.det(a) * (1 - 0.5j)),
    "sign and size": lambda a: weighted(np.linalg.slogdet(a)[0]) + np.linalg.slogdet(a)[1],
    "cholesky": lambda a: weighted(np.linalg.cholesky(a @ adjoint(a) + np.eye(a.shape[0]))),
    "upper cholesky": lambda a: weighted(np.linalg.cholesky(symmetric(a), upper=True)),
    "qr": lambda a: weighted(np.linalg.qr(a)[0]) + weighted(np.linalg.qr(a)[1], 8),
    "tall qr": lambda a: weighted(np.linalg.qr(a[:, :2])[0]),
    "r": lambda a: weighted(np.linalg.qr(a[:, :3], "r")),
    "eigvalsh": lambda a: weighted(np.linalg.eigvalsh(a, "U")),
    "eigh": spectral_function,
    "svdvals": lambda a: weighted(np.linalg.svdvals(a[:, :3])),
    "svd": singular_function,
    "tall svd": lambda a: singular_function(a[:, :2]),
    "wide svd": lambda a: singular_function(a[:2]),
    "eigvals": lambda a: np.sum(np.imag(np.linalg.eigvals(a) ** 3) ** 2) + weighted(
        np.sum(np.linalg.eigvals(a) ** 2)
    ),
    "eig": eigen_function,
    "pinv": lambda a: weighted(np.linalg.pinv(a[:, :2])) + weighted(np.linalg.pinv(a[:2])),
    "pinv of low rank": lambda a: weighted(np.linalg.pinv(a[:, :2] @ a[:2], 1e-8)),
    "lstsq": lambda a: weighted(np.linalg.lstsq(a[:, :2], a[:, 2:] ** 2)[0]),
    "lstsq s": lambda a: weighted(np.linalg.lstsq(a[:, :2], a)[3]) + np.sum(
        np.linalg.lstsq(a[:, :2], a)[1]
    ),
    "norms": lambda a: np.linalg.norm(a, 2) + np.linalg.norm(a, "nuc") + np.linalg.norm(a, -2),
    "cond": lambda a: np.linalg.cond(a) + np.linalg.cond(a, 1),
    "power": lambda a: weighted(np.linalg.matrix_power(a, -2)),
}  # fmt: skip
OURS: dict[str, Function] = {
    "solve_triangular": lambda a: weighted(linalg.solve_triangular(a, a**2, 1, lower=True)),
    "unit triangle": lambda a: weighted(linalg.solve_triangular(a, a[0], "C", False, True)),
    "lu": lambda a: sum(weighted(x, k) for k, x in enumerate(linalg.lu(a)[1:])),
    "tall lu": lambda a: sum(weighted(x, k) for k, x in enumerate(linalg.lu(a[:, :2])[1:])),
    "wide lu": lambda a: sum(weighted(x, k) for k, x in enumerate(linalg.lu(a[:2])[1:])),
    "lu_solve": lambda a: weighted(linalg.lu_solve(linalg.lu_factor(a), a[:, 0])),
    "cho_solve": lambda a: weighted(
        linalg.cho_solve((linalg.cholesky(symmetric(a) @ symmetric(a)), True), a)
    ),
    "expm": lambda a: weighted(linalg.expm(a)),
}


def moved(function: Function, x: np.ndarray, along: np.ndarray, step: float = 1e-4) -> float:
    """The derivative along a direction, of sixth order."""
    total = 0.0
    for k, weight in ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60)):
        ends = [float(function(x + s * k * step * along)) for s in (1, -1)]
        total += weight * (ends[0] - ends[1]) / step
    return total


NAMES = (*CASES, *OURS)


@pytest.mark.parametrize(
    "name, code",
    [*((name, "d") for name in NAMES), *thinned([(name, "D") for name in NAMES], 3)],
)
def test_finite_differences(name: str, code: str) -> None:
    function = {**CASES, **OURS}[name]
    a, along = square(4, code), data(4, 4, dtype=code, seed=5)
    if name == "upper cholesky":
        a = positive(a)
    wanted = moved(graphc.jit(function) if name in OURS else function, a, along)
    gradient = graphc.jit(graphc.grad(function))(a)
    assert gradient.dtype == a.dtype and gradient.shape == a.shape
    backward = np.sum(np.real(gradient * along))
    forward = graphc.jit(lambda x, d: graphc.jvp(function, (x,), (d,))[1])(a, along)
    scale = max(1.0, abs(wanted))
    assert abs(backward - wanted) < 2e-7 * scale, (backward, wanted)
    assert abs(forward - wanted) < 2e-7 * scale, (forward, wanted)


@pytest.mark.parametrize("name", ["solve", "cholesky", "qr", "eigh", "svdvals", "sign and size"])
def test_second_derivatives(name: str) -> None:
    a, along = square(4, "d"), data(4, 4, seed=5)
    first = graphc.grad(CASES[name])

    def slope(x: Any) -> Any:
        return np.sum(first(x) * along)

    wanted = moved(graphc.jit(slope), a, along)
    found = np.sum(graphc.jit(graphc.grad(slope))(a) * along)
    assert abs(found - wanted) < 1e-6 * max(1.0, abs(wanted))


def test_large_matrices_have_small_gradients() -> None:
    """The program of a gradient does not grow with the matrix."""
    function = graphc.jit(graphc.grad(lambda a: np.linalg.slogdet(a)[1]))
    a = square(120, "d")
    near(function(a), np.linalg.inv(a).T, 1e-11)
    assert len(function.lower(a).graph.nodes) < 40


@pytest.mark.parametrize("name", ["solve", "inv", "cholesky", "qr", "eigvalsh", "svd", "pinv"])
def test_batches(name: str) -> None:
    function, a = CASES[name], np.stack([square(4, "d") + k * np.eye(4) for k in range(3)])
    near(graphc.jit(graphc.vmap(function))(a), np.stack([function(x) for x in a]), 1e-11)
    found = graphc.jit(graphc.vmap(graphc.grad(function)))(a)
    near(found, np.stack([graphc.jit(graphc.grad(function))(x) for x in a]), 1e-9)


def test_one_matrix_serves_a_batch_of_right_hand_sides() -> None:
    a, b = square(20, "d"), data(6, 20)
    function = graphc.jit(graphc.vmap(lambda x, y: np.linalg.solve(x, y), in_axes=(None, 0)))
    near(function(a, b), np.linalg.solve(a, b.T).T, 1e-12)
    text = str(function.lower(a, b).graph)
    assert "solve(" in text and "f64[6, 20, 20]" not in text


def test_what_has_no_derivative_says_so() -> None:
    for function in (
        lambda a: np.sum(np.linalg.svd(a[:2])[2]),
        lambda a: np.sum(np.linalg.qr(a[:2])[0]),
        lambda a: np.sum(np.linalg.qr(a[:, :2], "complete")[0]),
    ):
        with pytest.raises(TraceError, match="derivative"):
            graphc.jit(graphc.grad(function))(square(4, "d"))
