"""x[index] and x[index] = value: the same elements as NumPy, and the same errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc

X = np.arange(120.0).reshape(4, 5, 6)
INDICES: list[Any] = [
    0,
    -1,
    np.int32(2),
    slice(None),
    slice(1, 3),
    slice(None, None, -1),
    slice(3, 0, -2),
    slice(10, 20),
    slice(-2, None),
    Ellipsis,
    None,
    (0, 1, 2),
    (0, 1),
    (Ellipsis, 0),
    (0, Ellipsis),
    (slice(None), None, 2),
    (None, Ellipsis, None),
    (slice(1, 2), slice(None, None, 2), slice(4, 1, -1)),
    True,
    (True, 0),
    False,
    [0, 2],
    [-1, 1, 1],
    [],
    np.array([[0, 1], [2, 3]]),
    (slice(None), [0, 2]),
    (slice(None), slice(None), [0, 2, 5]),
    ([0, 2], [1, 3]),
    ([0, 2], slice(None), [1, 3]),
    (slice(None), [0, 2], [1, 3]),
    ([0, 2], [1, 3], slice(1, 4)),
    (0, slice(None), [1, 3]),
    (0, [1, 3]),
    (slice(None), 0, [1, 3]),
    ([[0], [2]], [1, 3]),
    (None, [0, 1], None, [1, 0]),
    (Ellipsis, [0, 1]),
    (np.array(1), slice(None)),
    np.ix_([0, 3], [1, 2], [0, 5]),
    X[:, 0, 0] > 40,
    (slice(None), X[0, :, 0] > 12),
    X > 60,
    (X[:, :, 0] > 60),
    (X[:, 0, 0] > 40, 0),
    (slice(None, None, 2), np.array([1, 2], np.uint8)),
    np.zeros(4, bool),
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_read(check: Any, index: Any) -> None:
    check(lambda x: x[index] * 1, X)


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_write(check: Any, index: Any) -> None:
    def program(x: Any) -> Any:
        y, z, w = x.copy(), x.copy(), x.copy()
        y[index] = -1
        z[index] = np.ones(x[index].shape) * 2
        w[index] += 3
        return y, z, w

    check(program, X)


TRACED: list[Any] = [
    lambda x, i: x[i],
    lambda x, i: x[i[0]],
    lambda x, i: x[:, i],
    lambda x, i: x[i, 0],
    lambda x, i: x[i, :, i],
    lambda x, i: x[:, i, i],
    lambda x, i: x[i[:, None], i],
    lambda x, i: x[..., i[0]],
    lambda x, i: x[0, i],
    lambda x, i: x[1:3, i[0], ::2],
    lambda x, i: x[[i[0], i[1]]],
    lambda x, i: x[-i],
    lambda x, i: x[i[0], i[1], i[2]],
    lambda x, i: x[None, i[0]],
]


@pytest.mark.parametrize("read", TRACED)
def test_traced_indices(check: Any, read: Any) -> None:
    check(read, X, np.array([1, 3, 0]))
    check(read, X, np.array([1, 2, 2], np.int8))


def test_traced_writes(check: Any) -> None:
    def program(x: Any, i: Any) -> Any:
        a, b, c, d = x.copy(), x.copy(), x.copy(), x.copy()
        a[i] = 0
        b[:, i[0]] = x[:, 0] + 1
        c[i, :, i] = np.arange(5.0)
        d[i, i, 0] += 100
        d[i[1]] *= 2
        return a, b, c, d

    check(program, X, np.array([1, 3, 0]))


def test_repeated_writes_keep_the_last(check: Any) -> None:
    def program(x: Any, i: Any) -> Any:
        y = x.copy()
        y[i] = np.arange(4.0)
        return y

    check(program, np.zeros(3), np.array([0, 1, 0, 1]))


def test_traced_number_as_index(check: Any) -> None:
    check(lambda x, n: (x[n], x[n, 1:], x[:, n + 1]), X, 2)


def test_assignment_casts_as_numpy(check: Any) -> None:
    def program(x: Any) -> Any:
        n = np.zeros(5, int)
        n[1:4] = x[:3] + 0.7
        n[0] = 2.9
        c = np.zeros(5, complex)
        c[:] = x
        b = np.zeros(5, bool)
        b[:] = x
        f = np.zeros((2, 5), np.float32)
        f[:] = x[None, None]
        return n, c, b, f

    check(program, np.arange(5.0) - 1)


def test_traced_masks(check: Any) -> None:
    def program(x: Any, y: Any) -> Any:
        mask = x > 2
        a, b, c, d = x.copy(), x.copy(), x.copy(), x.copy()
        a[mask] = 0
        b[mask] = y[mask] ** 2 + x[mask]
        c[mask] += 10
        c[~mask] -= 1
        d[x > 3] = -d[x > 3]
        rows = x.copy()
        rows[x[:, 0] > 2] = np.arange(3.0)
        return a, b, c, d, rows, x[mask].sum(), x[mask].mean(), np.max(x[mask]), x[mask].size

    check(program, np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3) * 2)


def test_known_masks_and_numbers(check: Any) -> None:
    def program(x: Any) -> Any:
        i = np.arange(5)
        total = x[i % 2 == 0].sum()
        for k in np.arange(3):
            if k > 1:
                total = total + x[k]
        return total, x[np.arange(5)[::-1]], np.zeros(int(i[3]))

    check(program, np.arange(5.0))


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (4, "index 4 is out of bounds for axis 0 with size 4"),
        ((0, 0, -7), "index -7 is out of bounds for axis 2 with size 6"),
        ([0, 9], "index 9 is out of bounds for axis 0 with size 4"),
        ((0, 0, 0, 0), "too many indices for array"),
        ((Ellipsis, Ellipsis), "single ellipsis"),
        (1.5, "only integers, slices"),
        (np.zeros(3, bool), "boolean index did not match indexed array along axis 0"),
        (([0, 1], [0, 1, 2]), "could not be broadcast together"),
    ],
)
def test_index_errors(index: Any, message: str) -> None:
    with pytest.raises(IndexError, match=message):
        X[index]
    with pytest.raises(IndexError, match=message):
        graphc.jit(lambda x: x[index], debug="evaluate")(X)


def test_out_of_range_at_run_time() -> None:
    f = graphc.jit(lambda x, i: x[i], debug="evaluate")
    assert f(X, np.array([-4]))[0, 0, 0] == 0
    with pytest.raises(IndexError, match="index 4 is out of bounds for axis 0 with size 4"):
        f(X, np.array([4]))


def test_symbolic_slices() -> None:
    def program(x: Any) -> Any:
        return x[1:], x[:-1], x[::2], x[-1], x[::-1], x[1:-1] - x[:-2]

    f = graphc.jit(program, dims={"x": "n"}, debug="evaluate")
    for n in (3, 4, 9):
        x = np.arange(float(n)) ** 2
        for a, b in zip(program(x), f(x), strict=True):
            np.testing.assert_array_equal(a, b)
    assert f.cache_info().programs == 1
    with pytest.raises(graphc.ShapeMismatch, match=r"needs n - 1 >= 0|needs n - 2 >= 0"):
        f(np.zeros(0))


def test_random_basic_indices(check: Any) -> None:
    rng = np.random.default_rng(3)

    def part(n: int) -> Any:
        if rng.random() < 0.2:
            return int(rng.integers(-n, n))
        a, b = rng.integers(-n - 2, n + 3, 2)
        return slice(int(a), int(b), int(rng.choice([-3, -2, -1, 1, 2, 3])))

    for _ in range(60):
        index = tuple(part(n) for n in X.shape[: rng.integers(1, 4)])

        def program(x: Any, index: Any = index) -> Any:
            y = x.copy()
            y[index] = x[index] * 2 + 1
            return y, x[index]

        check(program, X)
