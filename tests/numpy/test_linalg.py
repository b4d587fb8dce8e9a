"""Products, einsum, linear algebra and Fourier transforms, against NumPy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import graphc.numpy as gnp
from graphc.numpy import IMPLEMENTATIONS
from graphc.trace import trace_function

from .tracing import ALL, check, data, same, traced


@pytest.mark.parametrize("code", ALL)
def test_products(code: str) -> None:
    limit = {"e": 1e-2, "f": 1e-5, "F": 1e-5}.get(code, 1e-12)
    a, b = data(3, 4, dtype=code), data(4, 5, dtype=code, seed=1)
    v, w = data(4, dtype=code, seed=2), data(4, dtype=code, seed=3)
    check(np.matmul, a, b, tolerance=limit)
    check(np.dot, a, b, tolerance=limit)
    check(np.inner, a, v, tolerance=limit)
    check(np.vdot, v, w, tolerance=limit)
    check(np.outer, v, w, tolerance=limit)
    check(np.kron, a, b[:2], tolerance=limit)
    check(np.tensordot, a, b, 1, tolerance=limit)
    check(np.einsum, "ij,jk->ki", a, b, tolerance=limit)
    if code != "?":
        check(np.vecdot, v, w, tolerance=limit)
        check(np.cross, a[:, :3], b[:3, :3], tolerance=limit)


def test_shapes_of_products() -> None:
    for s, t in (
        ((4,), (4,)),
        ((4,), (4, 3)),
        ((3, 4), (4,)),
        ((2, 3, 4), (4, 5)),
        ((3, 4), (2, 4, 5)),
        ((2, 1, 3, 4), (5, 4, 3)),
        ((4,), (2, 4, 3)),
        ((2, 3, 4), (4,)),
        ((0, 4), (4, 3)),
        ((3, 0), (0, 2)),
    ):
        check(np.matmul, data(*s), data(*t), tolerance=1e-12)
        if s[-1] == t[max(len(t) - 2, 0)]:
            check(np.dot, data(*s), data(*t), tolerance=1e-12)
    check(np.dot, data(2, 3), 2.0)
    check(np.inner, data(2, 3), data(4, 3), tolerance=1e-12)
    check(np.matvec, data(2, 3, 4), data(4), tolerance=1e-12)
    check(np.vecmat, data(3, dtype="D"), data(2, 3, 4), tolerance=1e-12)
    check(np.vecdot, data(2, 3), data(2, 3), axis=0, tolerance=1e-12)
    check(np.tensordot, data(3, 4, 5), data(4, 3, 2), ((0, 1), (1, 0)), tolerance=1e-12)
    check(np.tensordot, data(3), data(4), 0)
    check(np.kron, data(3), data(2, 2), tolerance=1e-12)
    check(np.cross, data(2, 3), data(3), tolerance=1e-12)
    check(np.cross, data(3, 2), data(3, 2, seed=2), axis=0, tolerance=1e-12)
    same(traced(gnp.matmul, data(2, 3), data(3, 4), symbolic=True), data(2, 3) @ data(3, 4), 1e-12)
    with pytest.raises(ValueError):
        traced(gnp.matmul, data(2, 3), data(2, 3))


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("ij->ji", [(2, 3)]),
        ("ii", [(3, 3)]),
        ("ii->i", [(3, 3)]),
        ("ij->", [(2, 3)]),
        ("i,i", [(4,), (4,)]),
        ("i,j->ij", [(2,), (3,)]),
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
        ("...ij,...jk", [(2, 3, 4), (4, 5)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
        ("ij,ij->ij", [(2, 3), (2, 3)]),
        ("iij->j", [(3, 3, 2)]),
        ("ij,kj->", [(2, 3), (4, 3)]),
        ("a...,a...->...", [(2, 3), (2, 3)]),
        ("abc,cd,bd->a", [(2, 3, 4), (4, 5), (3, 5)]),
        ("ij,j", [(2, 3), (3,)]),
        (",ij", [(), (2, 3)]),
        ("ij,jk->ik", [(2, 1), (3, 4)]),
        ("b...", [(2, 3)]),
    ],
)
def test_einsum(text: str, shapes: list[tuple[int, ...]]) -> None:
    check(np.einsum, text, *(data(*s, seed=k) for k, s in enumerate(shapes)), tolerance=1e-12)


def test_einsum_by_lists() -> None:
    a, b = data(2, 3), data(3, 4)
    same(traced(lambda x, y: gnp.einsum(x, [0, 1], y, [1, 2], [2, 0]), a, b), (a @ b).T, 1e-12)


def test_einsum_of_many_operands_keeps_to_the_order_of_opt_einsum() -> None:
    text, sides = "ij,jk,kl,lm->im", [(2, 30), (30, 3), (3, 40), (40, 2)]
    arrays = [data(*s, seed=k) for k, s in enumerate(sides)]
    found = traced(lambda *xs: gnp.einsum(text, *xs), *arrays)
    same(found, np.einsum(text, *arrays, optimize=True), 1e-10)
    work = _work(lambda *xs: gnp.einsum(text, *xs), *arrays)
    assert work == 3 * 40 * 2 + 2 * 30 * 3 + 2 * 3 * 2


def _work(function: Any, *arrays: np.ndarray) -> int:
    """The multiplications of all contractions of a traced function."""
    total = 0
    for node in trace_function(function, arrays).graph.nodes:
        if node.op.name == "dot":
            a = node.operands[0].shape
            summed = [int(a[d]) for d in node.attrs["contract"][0]]
            total += int(np.prod([int(n) for n in node.results[0].shape])) * int(np.prod(summed))
    return total


def test_multi_dot_takes_the_fewest_multiplications() -> None:
    sides = [30, 35, 15, 5, 10, 20, 25]  # the example of Cormen et al., 15.2
    arrays = [data(n, m, seed=k) for k, (n, m) in enumerate(pairwise(sides))]
    assert _work(lambda *xs: gnp.linalg.multi_dot(xs), *arrays) == 15125
    same(traced(gnp.linalg.multi_dot, arrays), np.linalg.multi_dot(arrays), 1e-9)
    for ends in ((0, 1), (1, 0), (1, 1)):
        chain = [data(6) if ends[0] else data(2, 6), *(data(6, 6, seed=k) for k in range(5))]
        chain.append(data(6, seed=9) if ends[1] else data(6, 2, seed=9))
        same(traced(gnp.linalg.multi_dot, chain), np.linalg.multi_dot(chain), 1e-9)
        same(traced(gnp.linalg.multi_dot, chain, symbolic=True), np.linalg.multi_dot(chain), 1e-9)
    with pytest.raises(np.linalg.LinAlgError, match="3-dimensional array 1"):
        traced(gnp.linalg.multi_dot, [data(2, 2), data(2, 2, 2), data(2, 2)])


@pytest.mark.parametrize(
    "a, b, result", [("b", "b", "i"), ("B", "b", "i"), ("e", "e", "f"), ("f", "f", None)]
)
def test_dot_general(a: str, b: str, result: str | None) -> None:
    x, y = data(3, 2, 5, 4, dtype=a, high=90), data(4, 5, 6, 2, dtype=b, seed=1, low=-90)
    numbers = (((2, 3), (1, 0)), ((1,), (3,)))
    wide = np.dtype(result or a)
    wanted = np.einsum("nbij,jimb->bnm", x.astype(wide), y.astype(wide))
    arguments = {} if result is None else {"preferred_element_type": wide}
    for symbolic in (False, True):
        found = traced(gnp.dot_general, x, y, numbers, symbolic=symbolic, **arguments)
        same(found, wanted, 1e-5 if wide.kind == "f" else None)
    same(gnp.dot_general(x, y, numbers, **arguments), wanted, 1e-5 if wide.kind == "f" else None)
    negative = (((-2, -1), (1, 0)), ((1,), (-1,)))
    same(traced(gnp.dot_general, x, y, negative, **arguments), wanted, 1e-4)


def test_products_over_symbolic_extents() -> None:
    """Batch, free and contracted axes whose lengths the graph does not know."""
    a, b, v = data(2, 3, 4), data(2, 4, 5, seed=1), data(4, seed=2)
    m = data(3, 4, seed=3)
    for function, arrays in (
        (np.matmul, (a, b)),
        (np.matmul, (a, v)),
        (np.matmul, (m, b)),
        (np.dot, (a, b)),
        (np.dot, (v, v)),
        (np.inner, (a, m)),
        (np.vecdot, (a, v)),
        (np.matvec, (a, v)),
        (np.vecmat, (v, b)),
        (np.vdot, (a, a)),
        (np.outer, (v, m)),
        (np.kron, (m, a[0])),
        (np.tensordot, (a, b[0], 1)),
    ):
        expected = function(*arrays)
        same(traced(IMPLEMENTATIONS[function], *arrays, symbolic=True), expected, 1e-12)
    for text, arrays in (
        ("bik,bkj->bij", (a, b)),
        ("bik,bkj,k->j", (a, b, v)),
        ("bik,ik->", (a, m)),
        ("...k,k->...", (a, v)),
    ):
        found = traced(lambda *xs, t=text: gnp.einsum(t, *xs), *arrays, symbolic=True)
        same(found, np.einsum(text, *arrays), 1e-12)


def test_norms() -> None:
    for x in (data(5), data(5, dtype="D"), data(5, dtype="i"), data(5, dtype="f")):
        for order in (None, 2, 1, 0, np.inf, -np.inf, 3, 0.5, -1):
            check(np.linalg.norm, x, order, tolerance=1e-5)
            if order is not None:
                check(np.linalg.vector_norm, x, ord=order, tolerance=1e-5)
    m = data(3, 4)
    for order in ("fro", 1, -1, np.inf, -np.inf):
        check(np.linalg.norm, m, order, tolerance=1e-12)
        check(np.linalg.norm, data(2, 3, 4), order, axis=(2, 0), keepdims=True, tolerance=1e-12)
        check(np.linalg.matrix_norm, data(2, 3, 4), ord=order, tolerance=1e-12)
    check(np.linalg.norm, m, axis=1, tolerance=1e-12)
    check(np.linalg.norm, data(2, 3, 4), tolerance=1e-12)
    check(np.linalg.vector_norm, data(2, 3, 4), axis=(0, 2), keepdims=True, tolerance=1e-12)


@pytest.mark.parametrize("code", ["f", "d", "F", "D"])
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_decompositions(code: str, n: int) -> None:
    limit = 2e-3 if code in "fF" else 1e-10
    a = data(2, n, n, dtype=code) + 4 * np.eye(n, dtype=code) * np.array([1, -1])[
        :, None, None
    ].astype(code)
    check(np.linalg.inv, a, tolerance=limit)
    check(np.linalg.det, a, tolerance=limit)
    check(np.linalg.slogdet, a, tolerance=limit)
    check(np.linalg.solve, a, data(2, n, 3, dtype=code), tolerance=limit)
    check(np.linalg.solve, a, data(n, dtype=code), tolerance=limit)
    spd = a @ np.conj(np.swapaxes(a, -1, -2)) + np.eye(n, dtype=code)
    check(np.linalg.cholesky, spd, tolerance=limit)
    check(np.linalg.cholesky, spd, upper=True, tolerance=limit)
    for shape in ((2, n, n), (n, 3), (3, n)):
        m = data(*shape, dtype=code)
        for mode in ("reduced", "complete"):
            check(np.linalg.qr, m, mode, tolerance=limit)
        check(np.linalg.qr, m, "r", tolerance=limit)


def test_more_linear_algebra() -> None:
    a = data(4, 4)
    for k in (-2, -1, 0, 1, 2, 5):
        check(np.linalg.matrix_power, a, k, tolerance=1e-9)
    same(
        traced(gnp.linalg.multi_dot, [a, data(4, 2), data(2, 5)]),
        a @ data(4, 2) @ data(2, 5),
        1e-11,
    )
    same(traced(gnp.linalg.multi_dot, [data(4), a, data(4)]), data(4) @ a @ data(4), 1e-11)
    check(np.linalg.det, np.ones((3, 3)))
    check(np.linalg.det, data(3, 3, dtype="i"), tolerance=1e-10)
    check(np.linalg.slogdet, np.zeros((2, 2)))
    check(np.linalg.det, np.zeros((0, 0)))
    check(np.linalg.inv, np.zeros((2, 0, 0)))
    check(np.linalg.diagonal, data(2, 3, 4), offset=1)
    check(np.linalg.trace, data(2, 3, 4), tolerance=1e-12)
    check(np.linalg.cross, data(2, 3), data(2, 3, seed=3), tolerance=1e-12)
    check(np.linalg.outer, data(2), data(3))
    check(np.linalg.cond, a, 1, tolerance=1e-9)
    check(np.linalg.tensorsolve, data(2, 3, 6), data(2, 3), tolerance=1e-9)
    check(np.linalg.tensorinv, data(4, 2, 2), ind=1, tolerance=1e-9)
    check(np.linalg.inv, np.eye(17))


TRANSFORMS = (np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.ihfft)


@pytest.mark.parametrize("function", TRANSFORMS, ids=lambda f: f.__name__)
def test_fourier_of_one_axis(function: Any) -> None:
    real = function in (np.fft.rfft, np.fft.ihfft)
    for n in (*range(1, 22), 30, 31, 37, 64, 97, 100, 360, 521):
        if n == 1 and function in (np.fft.irfft, np.fft.hfft):
            continue
        check(function, data(n, dtype="d" if real else "D"), tolerance=1e-12 * max(n, 10))
    x = data(3, 12, dtype="d" if real else "D")
    for norm in ("backward", "ortho", "forward"):
        check(function, x, norm=norm, tolerance=1e-12)
        check(function, x, 7, 0, norm, tolerance=1e-12)
        check(function, x, 9, tolerance=1e-12)
    for code in ("e", "f", "i") if real else ("e", "f", "i", "F"):
        check(function, data(12, dtype=code), tolerance=2e-3 if code == "e" else 3e-5)


def test_fourier_of_several_axes() -> None:
    x, z = data(4, 6, 5), data(4, 6, 5, dtype="D")
    for function in (
        np.fft.fft2,
        np.fft.ifft2,
        np.fft.fftn,
        np.fft.ifftn,
        np.fft.irfft2,
        np.fft.irfftn,
    ):
        check(function, z, tolerance=1e-12)
        check(function, z, (3, 8), (0, 2), tolerance=1e-12)
    for function in (np.fft.rfft2, np.fft.rfftn):
        check(function, x, tolerance=1e-12)
        check(function, x, (3, 8), (0, 2), "ortho", tolerance=1e-12)
    for function in (np.fft.fftshift, np.fft.ifftshift):
        check(function, x)
        check(function, x, 1)
        check(function, x, (0, 2))


@pytest.mark.parametrize("code", ["d", "F"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_spectra(code: str, n: int) -> None:
    limit = 2e-4 if code in "fF" else 1e-11
    a = data(2, n, n, dtype=code)
    h = a + np.conj(np.swapaxes(a, -1, -2))
    for uplo in ("L", "U"):
        check(np.linalg.eigvalsh, h, uplo, tolerance=limit * n)
    w, v = traced(gnp.linalg.eigh, h)
    assert w.dtype == np.linalg.eigvalsh(h).dtype and v.dtype == h.dtype
    same(h @ v, v * w[:, None, :].astype(code), limit * 10)
    same(
        np.conj(np.swapaxes(v, -1, -2)) @ v, np.broadcast_to(np.eye(n, dtype=code), v.shape), limit
    )
    for m in (a, data(n, n + 3, dtype=code), data(n + 4, n, dtype=code)):
        check(np.linalg.svdvals, m, tolerance=limit * n)
        for full in (True, False):
            left, lengths, right = traced(gnp.linalg.svd, m, full)
            expected = np.linalg.svd(m, full)
            same(lengths, expected[1], limit * n)
            assert left.shape == expected[0].shape and right.shape == expected[2].shape
            few = lengths.shape[-1]
            product = (left[..., :few] * lengths[..., None, :].astype(code)) @ right[..., :few, :]
            same(product.astype(code), m, limit * 10)
            for q in (
                np.conj(np.swapaxes(left, -1, -2)) @ left,
                right @ np.conj(np.swapaxes(right, -1, -2)),
            ):
                same(
                    q.astype(code),
                    np.broadcast_to(np.eye(q.shape[-1], dtype=code), q.shape),
                    limit * 10,
                )
        check(np.linalg.pinv, m, tolerance=limit * 300)
        check(np.linalg.matrix_rank, m)
    for order in (2, -2, "nuc"):
        check(np.linalg.norm, a[0], order, tolerance=limit * 10)
        check(np.linalg.matrix_norm, a, ord=order, keepdims=True, tolerance=limit * 10)


def test_spectra_of_greater_matrices() -> None:
    a = data(8, 8)
    check(np.linalg.eigvalsh, a + a.T, tolerance=1e-11)
    check(np.linalg.svdvals, data(9, 16, dtype="f"), tolerance=1e-4)


def test_singular_and_degenerate_matrices() -> None:
    for m in (
        np.ones((3, 3)),
        np.zeros((4, 2)),
        np.diag([1e200, 1e190, 0.0]),
        np.eye(4),
        data(4, 1) @ data(1, 5),
    ):
        left, lengths, _ = traced(gnp.linalg.svd, m, False)
        same(lengths, np.linalg.svdvals(m), 1e-12 * max(1.0, np.abs(m).max()))
        same(left.T @ left, np.eye(left.shape[1]), 1e-12)
        check(np.linalg.matrix_rank, m)
    check(np.linalg.cond, data(4, 4), tolerance=1e-8)
    x = np.linspace(-1, 2, 30)
    check(np.polyfit, x, data(30), 3, tolerance=1e-10)
    check(np.polyfit, x, data(30, 2), 2, w=np.abs(data(30)) + 1, tolerance=1e-10)
    check(np.linalg.eigvalsh, np.diag([2.0, 2.0, -1.0]))
