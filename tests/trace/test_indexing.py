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


@pytest.mark.parametrize("dtype", ["f8", "i4", "c8", "?"])
def test_masks_among_other_indices(check: Any, dtype: str) -> None:
    def program(x: Any, i: Any) -> Any:
        rows, columns, all_of = x[:, 0, 0] > 1, x[0, :, 0] > 1, x[..., 0] > 1
        found = [x.copy() for _ in range(12)]
        found[0][rows, 0] = 1
        found[1][:, columns] = 0
        found[2][rows, 1:, ::2] = 1
        found[3][..., all_of[0], 1] = 1
        found[4][all_of, 1] = 1
        found[5][0, columns] = x[1, 0]
        found[6][:, columns, i] = 1
        found[7][:, columns] = x[:, :1]
        found[8][rows] = x[0]
        found[9][x[0, 0, 0] > 1] = 1
        found[10][all_of, :2] = x[all_of, 1:]
        found[11][None, rows, 0, None] = 0
        return found, x[:, columns].sum(), x[rows, 0].max(initial=0), x[rows].sum(axis=0)

    values = np.arange(2 * 4 * 3).reshape(2, 4, 3) % 5
    check(program, values.astype(dtype), 1, numpy=program)


def test_reductions_of_masked_axes(check: Any) -> None:
    def program(x: Any) -> Any:
        rows, both = x[:, 0] > 0, x > 0
        part = x[rows]
        return (
            part.mean(axis=0), np.std(part, axis=0), part.sum(axis=(0, 1)), np.max(part, axis=-2),
            np.mean(x[both]), np.add.reduce(part), np.multiply.reduce(x[both], axis=None),
            x[rows].sum(axis=0, keepdims=True), part.ndim, x[both].ndim, np.size(x[both]),
        )  # fmt: skip

    check(program, np.array([[1.0, 2, -3], [-1, 5, 6], [2, 2, 4]]))


def test_ufunc_at_with_masks_and_slices(check: Any) -> None:
    def program(x: Any) -> Any:
        rows = x[:, 0] > 2
        a, b, c, d = x.copy(), x.copy(), x.copy(), x.copy()
        np.add.at(a, (rows, 1), 5)
        np.multiply.at(b, x > 3, 2)
        np.hypot.at(c, (slice(1, None), rows[:2]), 2.0)
        np.subtract.at(d, (slice(None, None, 2), [0, 0, 1]), 1)
        return a, b, c, d

    check(program, np.arange(6.0).reshape(3, 2))


def test_positions_of_nonzero_elements_are_an_index(check: Any) -> None:
    def program(x: Any) -> Any:
        a, b, c, d = x.copy(), x.copy(), x.copy(), x.ravel().copy()
        where = np.nonzero(x > 2)
        a[where] = 0
        b[np.where(x > 2)] += x[where]
        c[x[:, 0].nonzero()] = 7
        d[np.flatnonzero(x)] *= -1
        known = np.arange(4) % 2
        return a, b, c, d, where[0].size, np.flatnonzero(known), np.where(known), known.nonzero()

    check(program, np.arange(6.0).reshape(2, 3))


def test_the_first_and_the_last_position(check: Any) -> None:
    def program(x: Any) -> Any:
        rows, columns = np.where(x > 2)
        flat = np.flatnonzero(x > 2)
        first = flat[0]
        return (
            first, flat[-1], flat[1], flat[-2], rows[0], columns[0], rows[-1], columns[-1],
            x.ravel()[first], x[rows[0], columns[0]], np.nonzero(x)[1][2],
        )  # fmt: skip

    check(program, np.array([[1.0, 0, 4], [5, 2, 3], [0, 1, 0]]))


def test_a_position_that_is_not_there() -> None:
    compiled = graphc.jit(lambda x: np.flatnonzero(x > 2)[1])
    assert compiled(np.array([3.0, 1, 3])) == 2
    with pytest.raises(IndexError, match="out of bounds"):
        compiled(np.array([3.0, 1, 1]))


def test_numbered_elements(check: Any) -> None:
    def program(x: Any) -> Any:
        total, found = 0.0, np.zeros(x.shape[::-1])
        for (i, j), value in np.ndenumerate(x):
            found[j, i] = value * (i + 1)
        for value in x.flat:
            total = total + value
        return total, found, [i for i, _ in np.ndenumerate(x[:, :0])]

    check(program, np.arange(6.0).reshape(2, 3))


def test_places_and_puts(check: Any) -> None:
    def program(x: Any) -> Any:
        found = [x.copy() for _ in range(7)]
        np.place(found[0], x > 1, [7, 8])
        np.putmask(found[1], x > 1, [7, 8, 9])
        np.putmask(found[2], x > 1, x * 2)
        np.copyto(found[3], 5, where=x > 1)
        np.put(found[4], [0, -1], [5, 6])
        np.put(found[5], x.astype(int)[0], [1, 2], mode="clip")
        found[6].put([1, 2], 9)
        return found

    check(program, np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("start", [0, 2, 3, -7, -4, np.int8(1), np.uint8(2)])
def test_windows_at_a_traced_place(check: Any, start: Any) -> None:
    def program(x: Any, i: Any) -> Any:
        window = x[i : i + 3]
        a, b, c, d = x.copy(), x.copy(), x.T.copy(), x.copy()
        a[i : i + 3] = window[::-1]
        view = b[i : 2 + i, 1:]
        view += 1
        c[:, i : i + 3 : 2] *= 2
        d[i + 1 : i + 3, 0] = [7, 8]
        return window, a, b, c, d, x[i : i + 3 : 2, [0, 1, 0]], x[i + 2 : i], x[2 * i : i + i]

    check(program, np.arange(21.0).reshape(7, 3), start)


def test_a_window_that_leaves_the_axis(check: Any) -> None:
    compiled = graphc.jit(lambda x, i: x[i : i + 3])
    x = np.arange(7.0)
    for i in (0, 4, -7, -4):
        np.testing.assert_array_equal(compiled(x, i), x[i : i + 3])
    for i in (5, 7, -8, -3, -1, 2**40):
        with pytest.raises(IndexError, match=rf"out of bounds.*{__file__}.*<lambda>"):
            compiled(x, i)


@pytest.mark.parametrize("bound", [0, 1, 4, 5, 9, -1, -5, -9])
def test_slices_of_unknown_extent(check: Any, bound: int) -> None:
    def program(x: Any, k: Any) -> Any:
        found = [x.copy() for _ in range(7)]
        found[0][:k] = 1
        found[1][k:] += 10
        found[2][:, :k] = x[:, :1]
        found[3][1:k:2] = 0
        found[4][k::2, 0] = 0
        found[5][:k, k:] = 0
        found[6][:k] = x[:k] ** 2 + x[:k]
        return found, x[:k].sum(), x[k:].sum(axis=0), x[2:k, 1].sum(), np.sum(x[:k, ::2])

    check(program, np.arange(20.0).reshape(5, 4), bound)


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
