"""Every function of numpy.linalg, compiled, against NumPy: sizes, batches, dtypes, strides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.thinned import thinned

LIMITS = {"f": 2e-4, "F": 2e-4, "d": 1e-11, "D": 1e-11}
SIZES = (0, 1, 2, 3, 5, 17, 64, 150)


def data(*shape: int, dtype: str = "d", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed + sum(shape))
    x = rng.normal(size=shape)
    if dtype in "FD":
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def adjoint(x: np.ndarray) -> np.ndarray:
    return np.conj(np.swapaxes(x, -1, -2))


def positive(x: np.ndarray) -> np.ndarray:
    n = x.shape[-1]
    return (x @ adjoint(x) / max(n, 1) + np.eye(n)).astype(x.dtype)


def near(found: Any, wanted: Any, limit: float) -> None:
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    scale = max(1.0, float(np.max(np.abs(wanted), initial=0.0)))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=limit * scale)


def agrees(function: Callable[..., Any], *arrays: np.ndarray, limit: float = 1e-11) -> None:
    found, wanted = graphc.jit(function)(*arrays), function(*arrays)
    if not isinstance(wanted, tuple):
        found, wanted = (found,), (wanted,)
    for a, b in zip(found, wanted, strict=True):
        near(np.asarray(a), np.asarray(b), limit)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("code", "dF")
def test_equations(code: str, n: int) -> None:
    limit = LIMITS[code] * 10
    a = data(n, n, dtype=code) + (2 + 2 * np.sqrt(n)) * np.eye(n, dtype=code)
    agrees(np.linalg.solve, a, data(n, dtype=code), limit=limit)
    agrees(np.linalg.solve, a, data(n, 3, dtype=code), limit=limit)
    agrees(np.linalg.inv, a, limit=limit)
    agrees(np.linalg.slogdet, a, limit=limit * max(n, 1))
    agrees(np.linalg.det, a / (2 + 2 * np.sqrt(n)), limit=limit * max(n, 1))
    agrees(np.linalg.cholesky, positive(data(n, n, dtype=code)), limit=limit)
    agrees(lambda x: np.linalg.cholesky(x, upper=True), positive(a), limit=limit)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1), (2, 5), (17, 4), (64, 64)])
@pytest.mark.parametrize("code", "fdFD")
def test_orthogonal_factors(code: str, shape: tuple[int, int]) -> None:
    limit, a = LIMITS[code] * 10, data(*shape, dtype=code)
    for mode in ("reduced", "complete"):
        agrees(lambda x, m=mode: tuple(np.linalg.qr(x, m)), a, limit=limit)
        q, upper = graphc.jit(lambda x, m=mode: np.linalg.qr(x, m))(a)
        near(q @ upper, a, limit)
        near(adjoint(q) @ q, np.eye(q.shape[1], dtype=code), limit)
        np.testing.assert_array_equal(upper, np.triu(upper))
    agrees(lambda x: np.linalg.qr(x, "r"), a, limit=limit)


SHAPES = [(0, 0), (0, 3), (3, 0), (1, 1), (2, 5), (17, 4), (150, 64)]


@pytest.mark.parametrize(
    "code, shape", thinned([(c, s) for k, s in enumerate(SHAPES) for c in ("fDdF", "DfFd")[k % 2]])
)
def test_singular_values(code: str, shape: tuple[int, int]) -> None:
    limit, a = LIMITS[code] * 10, data(*shape, dtype=code)
    few = min(shape)
    for full in (True, False):
        u, s, vh = graphc.jit(lambda x, f=full: np.linalg.svd(x, f))(a)
        near(s, np.linalg.svd(a, compute_uv=False), limit)
        assert (u.shape, vh.shape) == tuple(np.linalg.svd(a, full)[k].shape for k in (0, 2))
        near(((u[:, :few] * s) @ vh[:few]).astype(code), a, limit)
        near(adjoint(u) @ u, np.eye(u.shape[1], dtype=code), limit)
        near(vh @ adjoint(vh), np.eye(vh.shape[0], dtype=code), limit)
    agrees(np.linalg.svdvals, a, limit=limit)
    agrees(np.linalg.pinv, a, limit=limit * 100)
    if few:
        agrees(lambda x: np.asarray(np.linalg.matrix_rank(x)), a)
        agrees(lambda x: np.linalg.cond(x), a, limit=limit * 100)
        for order in (2, -2, "nuc"):
            agrees(lambda x, o=order: np.linalg.norm(x, o), a, limit=limit)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("code", "fdFD")
def test_eigenvalues_of_hermitian_matrices(code: str, n: int) -> None:
    limit, a = LIMITS[code] * 10, data(n, n, dtype=code)
    for uplo in "LU":
        agrees(lambda x, t=uplo: np.linalg.eigvalsh(x, t), a, limit=limit)
        w, v = graphc.jit(lambda x, t=uplo: np.linalg.eigh(x, t))(a)
        part = np.tril(a, -1) if uplo == "L" else adjoint(np.triu(a, 1))
        whole = part + adjoint(part) + np.diag(np.diag(a).real).astype(code)
        near(v @ (w[:, None] * adjoint(v)).astype(code), whole, limit)
        near(adjoint(v) @ v, np.eye(n, dtype=code), limit)


@pytest.mark.parametrize(
    "n, code", thinned([(n, c) for k, n in enumerate(SIZES) for c in ("fDdF", "DfFd")[k % 2]])
)
def test_eigenvalues(code: str, n: int) -> None:
    limit, a = LIMITS[code] * 100, data(n, n, dtype=code)
    w, v = graphc.jit(np.linalg.eig)(a)
    wide = np.result_type(code, "F")
    assert w.dtype == v.dtype == wide
    near(a @ v, v * w, limit)
    np.testing.assert_allclose(np.linalg.norm(v, axis=0), 1, rtol=limit)
    only = graphc.jit(np.linalg.eigvals)(a)
    wanted = np.linalg.eigvals(a).astype(wide)
    for x in (w, only):  # in any order
        gaps = np.abs(np.asarray(x)[:, None] - wanted)
        assert np.all(gaps.min(axis=0, initial=np.inf) < limit * max(n, 1) if n else True)


@pytest.mark.parametrize("shape", [(5, 5), (9, 4), (4, 9), (64, 17)])
@pytest.mark.parametrize("code", "fdD")
def test_least_squares(code: str, shape: tuple[int, int]) -> None:
    limit, a = LIMITS[code] * 100, data(*shape, dtype=code)
    for b in (data(shape[0], dtype=code), data(shape[0], 3, dtype=code)):
        x, rest, rank, s = graphc.jit(np.linalg.lstsq)(a, b)
        wanted = np.linalg.lstsq(a, b)
        near(x, wanted[0], limit)
        near(rest, wanted[1], limit)
        assert rank == wanted[2]
        near(s, wanted[3], limit)
    if code == "f":  # NumPy takes the precision of f64, and divides by what is nearly 0
        return
    low = a[:, :2] @ data(2, shape[1], dtype=code)
    x, _, rank, _ = graphc.jit(np.linalg.lstsq)(low, data(shape[0], dtype=code))
    near(x, np.linalg.lstsq(low, data(shape[0], dtype=code))[0], limit)
    assert rank == 2


@pytest.mark.parametrize("lead", [(1,), (7,), (3, 4), (0,), (2, 0), (2, 1, 3), (40,), (33, 2)])
def test_batches(lead: tuple[int, ...]) -> None:
    a, b = data(*lead, 6, 6), data(*lead, 6, 2, seed=3)
    z = data(*lead, 5, 5, dtype="D")
    agrees(np.linalg.solve, a, b, limit=1e-9)
    agrees(np.linalg.inv, z, limit=1e-9)
    agrees(np.linalg.slogdet, z)
    agrees(np.linalg.cholesky, positive(z))
    agrees(np.linalg.eigvalsh, a)
    agrees(np.linalg.svdvals, z)
    agrees(lambda x: tuple(np.linalg.qr(x)), z)
    w, v = graphc.jit(np.linalg.eig)(a)
    near(a @ v, v * w[..., None, :], 1e-10)
    u, s, vh = graphc.jit(np.linalg.svd)(a)
    near(u * s[..., None, :] @ vh, a, 1e-11)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("code", "fD")
def test_batches_of_small_matrices(n: int, code: str) -> None:
    """These are written out."""
    limit = LIMITS[code] * 100
    a = (data(50, n, n, dtype=code) / 2 + 2 * np.eye(n)).astype(code)
    agrees(np.linalg.solve, a, data(50, n, 2, dtype=code), limit=limit)
    agrees(np.linalg.inv, a, limit=limit)
    agrees(np.linalg.det, a, limit=limit)
    agrees(np.linalg.slogdet, a, limit=limit)
    agrees(np.linalg.cholesky, positive(a), limit=limit)
    agrees(lambda x: tuple(np.linalg.qr(x)), a, limit=limit)
    text = graphc.jit(np.linalg.inv).lower(a).stages.text("passes")
    assert "solve(" not in text


def test_batches_of_large_matrices() -> None:
    a = data(3, 100, 100)
    agrees(np.linalg.inv, a, limit=1e-8)
    agrees(np.linalg.eigvalsh, a)


def test_one_side_is_broadcast() -> None:
    a, b = data(5, 5), data(3, 5, 2)
    agrees(np.linalg.solve, a, b, limit=1e-9)
    agrees(np.linalg.solve, data(4, 1, 5, 5), b, limit=1e-9)


def test_strided_arguments() -> None:
    wide = data(2, 20, 30)
    for view in (wide[:, ::2, 10:20], wide[:, 5:15, ::-3], np.swapaxes(wide[:, :10, :10], 1, 2)):
        square = view if view.shape[-1] == view.shape[-2] else view[..., :10, :10]
        agrees(np.linalg.inv, square, limit=1e-8)
        agrees(np.linalg.svdvals, view)
        agrees(np.linalg.eigvalsh, square)
        agrees(lambda x: tuple(np.linalg.qr(x)), view)
        agrees(np.linalg.slogdet, square)


def test_integers_are_computed_in_f64() -> None:
    a = np.array([[2, 1, 0, 1], [1, 3, 1, 0], [0, 1, 4, 1], [1, 0, 1, 5]])
    agrees(np.linalg.solve, a, np.arange(4))
    agrees(np.linalg.det, a)
    agrees(np.linalg.eigvalsh, a)


def test_powers() -> None:
    a = data(20, 20) / 5
    for k in (-3, -1, 0, 1, 6):
        agrees(lambda x, k=k: np.linalg.matrix_power(x, k), a, limit=1e-7)


def test_norms_and_condition() -> None:
    a = data(3, 20, 20)
    for p in (None, 2, -2, 1, -1, np.inf, -np.inf, "fro"):
        agrees(lambda x, p=p: np.linalg.cond(x, p), a, limit=1e-9)
    singular = np.ones((2, 20, 20))
    singular[1] += np.eye(20)
    found = graphc.jit(lambda x: np.linalg.cond(x, 1))(singular)
    np.testing.assert_allclose(found, np.linalg.cond(singular, 1))


def test_symbolic_extents() -> None:
    solve = graphc.jit(lambda a, b: np.linalg.solve(a, b), dims={"a": "b, n, n", "b": "b, n, k"})
    values = graphc.jit(lambda a: np.linalg.eigvalsh(a), dims={"a": "b, n, n"})
    tall = graphc.jit(lambda a: tuple(np.linalg.qr(a)), dims={"a": "n, n"})
    least = graphc.jit(lambda a: np.linalg.svdvals(a), dims={"a": ("b", None, None)})
    for b, n, k in ((1, 1, 1), (3, 5, 2), (2, 80, 3), (0, 4, 1), (2, 0, 3), (70, 3, 1)):
        a, right = data(b, n, n) + 9 * np.eye(n), data(b, n, k)
        near(solve(a, right), np.linalg.solve(a, right) if n else right, 1e-10)
        near(values(a), np.linalg.eigvalsh(a), 1e-11)
        z = data(n, n, dtype="D")
        for x, y in zip(tall(z), np.linalg.qr(z), strict=True):
            near(x, y, 1e-11)
        f = data(b, 7, 4, dtype="f")
        near(least(f), np.linalg.svdvals(f), 1e-5)
