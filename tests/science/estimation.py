"""Statistics, finance, filtering and learning, as scientists write them in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import erf

from tests.science.cases import case


@case(lambda d, n: (d.array(n, 2), d.number(0.1), d.number(0.5)), sizes=(1, 4), rtol=1e-10)
def kalman_filter(measured: Any, q: Any, r: Any) -> tuple[Any, Any]:
    f = np.array([[1.0, 1.0], [0.0, 1.0]])
    h = np.eye(2)
    x, p = np.zeros(2), np.eye(2)
    path = []
    for z in measured:
        x, p = f @ x, f @ p @ f.T + q * np.eye(2)
        s = h @ p @ h.T + r * np.eye(2)
        gain = p @ h.T @ np.linalg.inv(s)
        x = x + gain @ (z - h @ x)
        p = (np.eye(2) - gain @ h) @ p
        path.append(x)
    return np.array(path), p


@case(lambda d, n: (d.array(n, low=50, high=150), d.array(n, low=50, high=150)), sizes=(0, 1, 33))
def black_scholes(spot: Any, strike: Any) -> tuple[Any, Any]:
    r, sigma, t = 0.03, 0.2, 0.75
    d1 = (np.log(spot / strike) + (r + sigma**2 / 2) * t) / (sigma * np.sqrt(t))
    d2 = d1 - sigma * np.sqrt(t)
    cdf = lambda z: 0.5 * (1 + erf(z / np.sqrt(2)))  # noqa: E731
    call = spot * cdf(d1) - strike * np.exp(-r * t) * cdf(d2)
    return call, call - spot + strike * np.exp(-r * t)


@case(lambda d, n: (d.number(100), d.number(95), n), static=("steps",), sizes=(1, 2, 12))
def binomial_american_put(spot: Any, strike: Any, steps: int) -> Any:
    dt = 1 / steps
    up = np.exp(0.3 * np.sqrt(dt))
    p = (np.exp(0.02 * dt) - 1 / up) / (up - 1 / up)
    level = np.arange(steps + 1)
    value = np.maximum(strike - spot * up ** (2.0 * level - steps), 0)
    for n in range(steps - 1, -1, -1):
        price = spot * up ** (2.0 * np.arange(n + 1) - n)
        value = np.exp(-0.02 * dt) * (p * value[1:] + (1 - p) * value[:-1])
        value = np.maximum(value, strike - price)
    return value[0]


@case(lambda d, n: (d.normal(n, 12),), sizes=(1, 40, 65))
def monte_carlo_asian(normal: Any) -> tuple[Any, Any]:
    dt = 1 / normal.shape[1]
    steps = np.exp((0.02 - 0.5 * 0.25**2) * dt + 0.25 * np.sqrt(dt) * normal)
    paths = 100 * np.cumprod(steps, axis=1)
    payoff = np.maximum(paths.mean(axis=1) - 100, 0)
    return payoff.mean(), payoff.std(ddof=0)


@case(lambda d, n: (d.array(n, low=1, high=2),), sizes=(1, 2, 50))
def drawdown(price: Any) -> tuple[Any, Any, Any]:
    peak = np.maximum.accumulate(price)
    down = 1 - price / peak
    returns = np.diff(np.log(price))
    return down.max(), down.argmax(), np.concatenate([[0], np.cumsum(returns)])


@case(lambda d, n: (d.array(n),), dtypes=("f4", "f8", "i4"), sizes=(1, 3, 41))
def welford(x: Any) -> tuple[Any, Any]:
    mean, m2 = 0.0, 0.0
    for k, value in enumerate(x[:10]):
        delta = value - mean
        mean += delta / (k + 1)
        m2 += delta * (value - mean)
    return mean, m2


@case(lambda d, n: (d.array(n), 4), static=("width",), sizes=(4, 9, 50), rtol=1e-9)
def rolling_statistics(x: Any, width: int) -> tuple[Any, Any, Any]:
    total = np.cumsum(np.insert(x, 0, 0))
    mean = (total[width:] - total[:-width]) / width
    windows = np.lib.stride_tricks.sliding_window_view(x, width)
    return mean, windows.std(axis=-1), np.median(windows, axis=-1)


@case(lambda d, n: (d.array(n),), sizes=(1, 2, 20))
def exponential_average(x: Any) -> Any:
    out = np.zeros_like(x)
    out[0] = x[0]
    for i in range(1, min(len(x), 12)):
        out[i] = 0.3 * x[i] + 0.7 * out[i - 1]
    return out


@case(
    lambda d, n: (d.array(n, low=-5, high=5), 7),
    static=("bins",),
    dtypes=("f4", "f8", "i8"),
    sizes=(0, 1, 100),
)
def histogram_by_add_at(x: Any, bins: int) -> tuple[Any, Any]:
    edges = np.linspace(-5, 5, bins + 1)
    index = np.clip(((x + 5) / 10 * bins).astype(int), 0, bins - 1)
    counts = np.zeros(bins, dtype=int)
    np.add.at(counts, index, 1)
    sums = np.zeros(bins)
    np.add.at(sums, index, x)
    return counts, sums / np.maximum(counts, 1), edges


@case(lambda d, n: (d.array(n), d.array(n)), sizes=(0, 1, 77))
def histogram_in_two_axes(x: Any, y: Any) -> tuple[Any, Any]:
    i = np.floor((x + 2) * 2).astype(int)
    j = np.floor((y + 2) * 2).astype(int)
    table = np.zeros((8, 8), dtype=np.int64)
    np.add.at(table, (i, j), 1)
    return table, np.bincount(i * 8 + j, minlength=64).reshape(8, 8) - table


@case(lambda d, n: (d.integers(4, n), d.integers(4, n)), dtypes=("i8",), sizes=(0, 5, 60))
def confusion_matrix(wanted: Any, got: Any) -> tuple[Any, Any, Any]:
    matrix = np.zeros((4, 4), int)
    np.add.at(matrix, (wanted, got), 1)
    recall = np.diag(matrix) / np.maximum(matrix.sum(axis=1), 1)
    return matrix, recall, np.trace(matrix)


@case(lambda d, n: (d.array(n, 4), d.array(n)), sizes=(6, 25), rtol=1e-8)
def normal_equations(x: Any, y: Any) -> tuple[Any, Any]:
    a = np.column_stack([np.ones(len(x)), x])
    beta = np.linalg.solve(a.T @ a + 1e-3 * np.eye(a.shape[1]), a.T @ y)
    residual = y - a @ beta
    return beta, 1 - residual @ residual / np.sum((y - y.mean()) ** 2)


@case(lambda d, n: (d.array(n, 5), d.integers(3, n), d.array(5, 3)), sizes=(1, 8, 33))
def softmax_regression(x: Any, labels: Any, w: Any) -> tuple[Any, Any]:
    n = x.shape[0]
    target = np.zeros((n, 3))
    target[np.arange(n), labels] = 1
    for _ in range(3):
        z = x @ w
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(axis=1, keepdims=True)
        loss = -np.mean(np.log(p[np.arange(n), labels]))
        w = w - 0.1 * (x.T @ (p - target) / n)
    return loss, w


@case(lambda d, n: (d.array(n, 3), d.choice(n)), sizes=(1, 30))
def logistic_regression(x: Any, y: Any) -> Any:
    w = np.zeros(3)
    for _ in range(4):
        p = 1 / (1 + np.exp(-(x @ w)))
        w -= 0.5 * x.T @ (p - y) / len(y)
    return w


@case(lambda d, n: (d.array(n, 6), d.array(6, 8), d.array(8), d.array(8, 2)), sizes=(1, 19))
def two_layers_by_hand(x: Any, w1: Any, b1: Any, w2: Any) -> tuple[Any, ...]:
    h = x @ w1 + b1
    a = np.maximum(h, 0)
    out = a @ w2
    d_out = 2 * out / out.size
    d_a = d_out @ w2.T
    d_a[h <= 0] = 0
    return (out**2).mean(), x.T @ d_a, d_a.sum(axis=0), a.T @ d_out


@case(lambda d, n: (d.array(n, 2), d.array(3, 2)), sizes=(3, 40), rtol=1e-10)
def k_means(x: Any, centers: Any) -> tuple[Any, Any]:
    centers = centers.copy()
    for _ in range(3):
        distance = ((x[:, None, :] - centers[None]) ** 2).sum(-1)
        label = distance.argmin(axis=1)
        for k in range(3):
            member = label == k
            count = member.sum()
            total = (x * member[:, None]).sum(axis=0)
            centers[k] = np.where(count > 0, total / np.maximum(count, 1), centers[k])
    return centers, label


@case(lambda d, n: (d.array(n, 5), d.array(4, 5)), sizes=(4, 21))
def nearest_neighbours(points: Any, queries: Any) -> tuple[Any, Any]:
    d2 = np.sum(queries**2, 1)[:, None] + np.sum(points**2, 1)[None] - 2 * queries @ points.T
    order = np.argsort(d2, axis=1)[:, :3]
    return np.take_along_axis(d2, order, axis=1), points[order].mean(axis=1)


@case(lambda d, n: (d.array(n, 4),), sizes=(5, 30), rtol=1e-7)
def principal_component(x: Any) -> tuple[Any, Any]:
    x = x - x.mean(axis=0)
    c = x.T @ x / (len(x) - 1)
    v = np.ones(4) / 2
    for _ in range(10):
        v = c @ v
        v = v / np.linalg.norm(v)
    return v @ c @ v, np.corrcoef(x, rowvar=False)


@case(lambda d, n: (d.array(n), d.choice(n, p=0.3)), sizes=(2, 17))
def impute_and_standardise(x: Any, missing: Any) -> tuple[Any, Any]:
    x = np.where(missing, np.nan, x)
    mean = np.nanmean(np.append(x, 0.5))
    filled = x.copy()
    filled[np.isnan(filled)] = mean
    z = (filled - filled.mean()) / (filled.std() + 1e-9)
    z[z > 1] = 1
    np.putmask(z, z < -1, -1)
    return z, np.count_nonzero(missing)


@case(lambda d, n: (d.array(n),), dtypes=("f4", "f8", "i4"), sizes=(1, 5, 40))
def ranks_and_quantiles(x: Any) -> tuple[Any, ...]:
    order = np.argsort(x, kind="stable")
    rank = np.empty(len(x), dtype=int)
    rank[order] = np.arange(len(x))
    return rank, np.percentile(x, [25, 50, 75]), np.median(x), np.sort(x)[::-1]


@case(lambda d, n: (d.array(n), d.array(n), d.integers(5, n)), sizes=(1, 50))
def group_means(x: Any, weight: Any, group: Any) -> tuple[Any, Any]:
    total = np.bincount(group, weights=x, minlength=5)
    count = np.bincount(group, minlength=5)
    best = np.full(5, -np.inf)
    np.maximum.at(best, group, weight)
    return np.where(count > 0, total / np.maximum(count, 1), 0), best


@case(lambda d, n: (d.array(n, 3),), sizes=(2, 24))
def gaussian_log_density(x: Any) -> Any:
    mean = x.mean(axis=0)
    covariance = np.cov(x, rowvar=False) + np.eye(3)
    lower = np.linalg.cholesky(covariance)
    z = np.linalg.solve(lower, (x - mean).T)
    log_det = 2 * np.log(np.diag(lower)).sum()
    return -0.5 * ((z**2).sum(axis=0) + log_det + 3 * np.log(2 * np.pi))


@case(lambda d, n: (d.array(n, 4), d.array(n, 4), d.array(n, 4)), sizes=(1, 13))
def attention(q: Any, k: Any, v: Any) -> Any:
    score = np.einsum("id,jd->ij", q, k) / np.sqrt(q.shape[-1])
    score[np.triu_indices(len(q), 1)] = -np.inf
    weight = np.exp(score - score.max(axis=-1, keepdims=True))
    return (weight / weight.sum(axis=-1, keepdims=True)) @ v
