"""Linear algebra, polynomials, quadrature and search, as scientists write them in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.science.cases import FLOATS, INTEGERS, case


@case(lambda d, n: (d.array(6), d.array(n)), dtypes=(*FLOATS, "i8", "c16"), sizes=(0, 1, 40))
def horner(coefficients: Any, x: Any) -> tuple[Any, Any]:
    y = np.zeros_like(x)
    for c in coefficients:
        y = y * x + c
    return y, np.polyval(coefficients, x)


@case(lambda d, n: (d.array(n, low=0.5, high=9),), sizes=(0, 1, 33))
def newton_square_root(a: Any) -> Any:
    x = a / 2
    for _ in range(6):
        x = 0.5 * (x + a / x)
    return x


@case(lambda d, n: (d.array(n, low=0.5, high=2),), sizes=(1, 20))
def bisection(target: Any) -> Any:
    low, high = np.zeros_like(target), np.full_like(target, 3)
    for _ in range(20):
        middle = (low + high) / 2
        above = middle**3 > target
        high = np.where(above, middle, high)
        low = np.where(above, low, middle)
    return (low + high) / 2


@case(lambda d, n: (d.array(n), d.array(n)), sizes=(5, 12), rtol=1e-6, dtypes=("f8",))
def polynomial_fit(x: Any, y: Any) -> Any:
    a = np.vander(x, 3)
    q, r = np.linalg.qr(a)
    return np.polyval(np.linalg.solve(r, q.T @ y), x)


@case(lambda d, n: (d.array(n),), sizes=(3, 9, 65))
def trapezoid_and_simpson(y: Any) -> tuple[Any, Any]:
    h = 1 / (len(y) - 1)
    simpson = h / 3 * (y[0] + y[-1] + 4 * y[1:-1:2].sum() + 2 * y[2:-1:2].sum())
    return np.trapezoid(y, dx=h), simpson


@case(lambda d, n: (d.array(n), d.array(n, low=4, high=5), d.array(n), d.array(n)), sizes=(2, 9))
def thomas_algorithm(a: Any, b: Any, c: Any, d: Any) -> Any:
    n = len(d)
    cp, dp, x = np.zeros(n), np.zeros(n), np.zeros(n)
    cp[0], dp[0] = c[0] / b[0], d[0] / b[0]
    for i in range(1, n):
        m = b[i] - a[i] * cp[i - 1]
        cp[i] = c[i] / m
        dp[i] = (d[i] - a[i] * dp[i - 1]) / m
    x[-1] = dp[-1]
    for i in range(n - 2, -1, -1):
        x[i] = dp[i] - cp[i] * x[i + 1]
    return x


@case(lambda d, n: (d.array(n, n) + 4 * np.eye(n, dtype=d.dtype),), sizes=(1, 5, 8), rtol=1e-10)
def lu_in_place(a: Any) -> tuple[Any, Any]:
    a = a.copy()
    n = a.shape[0]
    for k in range(n - 1):
        a[k + 1 :, k] /= a[k, k]
        a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
    return np.tril(a, -1) + np.eye(n), np.triu(a)


@case(lambda d, n: (d.array(n + 3, n),), dtypes=(*FLOATS, "c16"), sizes=(1, 4), rtol=1e-9)
def gram_schmidt(a: Any) -> Any:
    q = np.zeros_like(a)
    for j in range(a.shape[1]):
        v = a[:, j].copy()
        for i in range(j):
            v -= (q[:, i].conj() @ v) * q[:, i]
        q[:, j] = v / np.linalg.norm(v)
    return q


@case(lambda d, n: (d.array(n, n), d.array(n)), sizes=(2, 7), rtol=1e-8)
def conjugate_gradient(a: Any, b: Any) -> Any:
    a = a @ a.T + 3 * np.eye(len(b))
    x = np.zeros_like(b)
    r = b - a @ x
    p, rs = r.copy(), r @ r
    for _ in range(4):
        ap = a @ p
        step = rs / (p @ ap + 1e-12)
        x += step * p
        r -= step * ap
        new = r @ r
        p = r + new / (rs + 1e-12) * p
        rs = new
    return x


@case(lambda d, n: (d.array(n, n) / 4,), sizes=(1, 6))
def matrix_exponential(a: Any) -> Any:
    term = total = np.eye(len(a))
    for k in range(1, 8):
        term = term @ a / k
        total = total + term
    return total, np.linalg.matrix_power(a, 3)


@case(lambda d, n: (d.choice(n, n, p=0.4),), sizes=(2, 12))
def page_rank(link: Any) -> Any:
    a = link.astype(float)
    out = a.sum(axis=0)
    a[:, out == 0] = 1
    a = a / a.sum(axis=0)
    rank = np.ones(len(a)) / len(a)
    for _ in range(8):
        rank = 0.85 * (a @ rank) + 0.15 / len(a)
    return rank, np.argsort(-rank, kind="stable")


@case(lambda d, n: (d.array(n, n, low=1, high=9),), dtypes=("f8", "i8"), sizes=(1, 7))
def floyd_warshall(distance: Any) -> Any:
    distance = distance.copy()
    np.fill_diagonal(distance, 0)
    for k in range(len(distance)):
        distance = np.minimum(distance, distance[:, k, None] + distance[None, k, :])
    return distance


@case(
    lambda d, n: (d.array(3 * n), d.integers(n, 3 * n), d.integers(n, 3 * n), d.array(n)),
    sizes=(1, 20),
)
def sparse_matrix_vector(data: Any, row: Any, column: Any, x: Any) -> tuple[Any, Any]:
    y = np.zeros_like(x)
    np.add.at(y, row, data * x[column])
    return y, np.bincount(row, weights=data * x[column], minlength=len(x))


@case(lambda d, n: (n,), dtypes=("i8",), static=("limit",), sizes=(2, 30, 101))
def sieve(limit: int) -> Any:
    prime = np.ones(limit + 1, dtype=bool)
    prime[:2] = False
    for k in range(2, int(limit**0.5) + 1):
        if prime[k]:
            prime[k * k :: k] = False
    return prime, np.flatnonzero(prime)


@case(lambda d, n: (d.array(n),), dtypes=FLOATS, sizes=(1, 30))
def chebyshev_series(x: Any) -> Any:
    x = np.clip(x, -1, 1)
    t0, t1 = np.ones_like(x), x
    total = 0.5 * t0 + 0.25 * t1
    for k in range(2, 6):
        t0, t1 = t1, 2 * x * t1 - t0
        total += t1 / k**2
    return total


@case(lambda d, n: (d.array(n),), dtypes=FLOATS, sizes=(0, 1, 30))
def piecewise_functions(x: Any) -> tuple[Any, Any, Any]:
    return (
        np.select([x < -1, x < 0, x > 1], [-1, x**2, np.sqrt(np.abs(x))], default=0.5),
        np.piecewise(x, [x < 0, x >= 0], [lambda v: -v, lambda v: v**2]),
        np.heaviside(x, 0.5) * np.sign(x),
    )


@case(lambda d, n: (d.array(n), d.array(4)), dtypes=FLOATS, sizes=(1, 30))
def table_lookup(x: Any, values: Any) -> tuple[Any, Any, Any]:
    grid = np.array([-1.5, -0.5, 0.5, 1.5])
    return np.interp(x, grid, values), np.digitize(x, grid), np.searchsorted(grid, x, side="right")


@case(lambda d, n: (d.array(n),), dtypes=(*FLOATS, *INTEGERS), sizes=(1, 6, 31))
def masks_and_places(x: Any) -> tuple[Any, ...]:
    big = x > 1
    a, b, c, d, e = x.copy(), x.copy(), x.copy(), x.copy(), x.copy()
    a[big] = 0
    np.place(b, big, [1, 0])
    np.putmask(c, big, [1, 0, 1])
    np.copyto(d, 1, where=~big)
    np.put(e, [0, -1], [1, 2])
    position = np.where(big)
    f = x.copy()
    f[position] = 0
    f[np.flatnonzero(~big)] = 1
    return a, b, c, d, e, f, big.sum(), x[big].sum(), len(x) - np.count_nonzero(big)


@case(lambda d, n: (d.array(n, 3),), dtypes=(*FLOATS, "i4"), sizes=(0, 1, 9))
def masks_among_indices(x: Any) -> tuple[Any, ...]:
    rows, columns = x[:, 0] > 0, x.sum(axis=0) > 0
    a, b, c, d, e = x.copy(), x.copy(), x.copy(), x.copy(), x.copy()
    a[rows, 0] += 1
    b[:, columns] = 0
    c[rows, 1:] *= 2
    d[..., columns] -= 1
    e[rows] = np.arange(3)
    np.add.at(a, (rows, 2), 5)
    np.add.at(b, rows, 1)
    np.add.at(c, (slice(None), columns), 1)
    np.multiply.at(d, x > 1, 3)
    return a, b, c, d, e


@case(lambda d, n: (d.array(n, 3), d.array(n, 3)), dtypes=(*FLOATS, "c8"), sizes=(1, 12))
def inner_products(a: Any, b: Any) -> tuple[Any, ...]:
    return (
        np.einsum("ij,ij->i", a, b),
        np.tensordot(a, b, axes=([0], [0])),
        np.vdot(a, b),
        np.linalg.norm(a - b, axis=1),
        np.kron(a[:1], b[:1]),
    )
