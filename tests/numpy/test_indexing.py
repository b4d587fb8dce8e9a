"""Choosing, placing, sorting and sets, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc.numpy as gnp
from graphc.errors import TraceError

from .tracing import ALL, check, data, same, traced


def test_where_take_choose_select() -> None:
    x, y, m = data(3, 4), data(4, dtype="f"), data(3, 4, dtype="?")
    check(np.where, m, x, y)
    check(np.where, m, y, 0)
    check(np.where, m, 1, 2.5)
    i = np.array([[0, -1], [2, 1]])
    for axis in (None, 0, 1, -1):
        check(np.take, x, i, axis=axis)
    check(np.take, x, np.array([5, -7, 2]), axis=1, mode="wrap")
    check(np.take, x, np.array([5, -7, 2]), axis=1, mode="clip")
    check(np.take, x, 2, axis=1)
    with pytest.raises(IndexError):
        traced(lambda v, k: gnp.take(v, k), x, np.array([99]))
    with pytest.raises(IndexError):
        traced(gnp.take, x, np.array([0.5]))
    order = np.argsort(x, axis=1)
    check(np.take_along_axis, x, order, 1)
    check(np.take_along_axis, x, order[:, :1], 1)
    check(np.take_along_axis, x, np.array([3, 0]), None)
    check(np.choose, np.array([2, 0, 1, 0]), [y, y + 1, 7.0])
    check(np.choose, np.array([5, -1]), np.arange(6).reshape(3, 2), mode="clip")
    check(np.select, [x > 1, x < 0], [x, x * 2], 9)
    check(np.select, [x > 1, x < 0], [1, 2])
    same(traced(lambda v: gnp.piecewise(v, [v < 0, v > 1], [lambda t: -t, 5, lambda t: t * t]), x),
         np.piecewise(x, [x < 0, x > 1], [lambda t: -t, 5, lambda t: t * t]))  # fmt: skip
    check(np.extract, [True, False, True, True], y)
    same(traced(lambda v: gnp.compress([True, False, True], v, 0), x), x[[0, 2]])
    with pytest.raises(TraceError, match="depends on data"):
        traced(gnp.compress, m[0], y)


def test_diagonals() -> None:
    for x in (data(3, 4), data(4, 3, 2), data(3, 3)):
        for offset in (-2, -1, 0, 1, 2, 5):
            check(np.diagonal, x, offset)
            check(np.trace, x, offset, tolerance=1e-12)
    check(np.diagonal, data(2, 3, 4), 1, -1, 0)
    check(np.trace, data(3, 3, dtype="B"))
    same(traced(gnp.diagonal, data(3, 3), symbolic=True), np.diagonal(data(3, 3)))


def _in_place(function: Any, *args: Any) -> None:
    def ours(x: Any, *rest: Any) -> Any:
        made = gnp.array(x)
        assert getattr(gnp, function.__name__)(made, *rest) is None
        return made

    first, *rest = args
    expected = first.copy()
    function(expected, *rest)
    same(traced(ours, first, *rest), expected)


def test_writes() -> None:
    x = data(3, 4)
    m = x > 0
    _in_place(np.put, x, np.array([0, -1, 5]), np.array([7.0, 8.0]))
    _in_place(np.put_along_axis, x, np.argsort(x, 1)[:, :2], 9.0, 1)
    _in_place(np.copyto, x, x[0] + 1)
    _in_place(np.putmask, x, m, np.array([1.0, 2.0, 3.0]))
    _in_place(np.place, x, m, np.array([1.0, 2.0, 3.0]))
    _in_place(np.fill_diagonal, x, 5.0)
    _in_place(np.fill_diagonal, data(3, 3, 3), np.array([1.0, 2.0]))
    same(
        traced(lambda v, k: [gnp.copyto(w := gnp.array(v), 0.0, where=k), w][1], x, m),
        np.where(m, 0.0, x),
    )
    with pytest.raises(TraceError, match="outlives"):
        traced(lambda v: gnp.copyto(x, v), x)


def test_positions() -> None:
    i = np.array([0, 5, 11])
    check(np.unravel_index, i, (3, 4))
    check(np.unravel_index, i, (3, 4), order="F")
    parts = (np.array([0, 2]), np.array([3, 1]))
    check(np.ravel_multi_index, parts, (3, 4))
    check(
        np.ravel_multi_index, (np.array([4, -2]), np.array([3, 9])), (3, 4), mode=("wrap", "clip")
    )
    check(np.tril_indices_from, data(3, 4))
    check(np.diag_indices_from, data(3, 3))
    x = np.array([[0, 3, 0], [1, 0, 2]])
    same(traced(lambda v: gnp.nonzero(v, size=3), x), np.nonzero(x))
    same(
        traced(lambda v: gnp.flatnonzero(v, size=5, fill_value=-1), x), np.array([1, 3, 5, -1, -1])
    )
    same(traced(lambda v: gnp.where(v > 0, size=2), x), (np.array([0, 1]), np.array([1, 0])))
    same(traced(lambda v: gnp.argwhere(v, size=3), x), np.argwhere(x))
    with pytest.raises(TraceError, match="size=n"):
        traced(gnp.nonzero, x)


@pytest.mark.parametrize("code", ALL)
def test_sorting(code: str) -> None:
    x = data(4, 6, dtype=code)
    for axis in (None, 0, -1):
        check(np.sort, x, axis=axis)
        check(np.argsort, x, axis=axis, kind="stable")
    same(np.sort(traced(gnp.partition, x, 2), axis=-1), np.sort(x, axis=-1))
    line = np.sort(x.ravel())
    for side in ("left", "right"):
        check(np.searchsorted, line, x, side=side)
    check(np.sort_complex, x[0])
    check(np.isin, x, x[0, :2])
    check(np.isin, x, np.tile(x[0], 4), invert=True)


def test_sorting_more() -> None:
    x = data(3, 5)
    x[1, 2] = np.nan
    check(np.sort, x)
    check(np.argsort, x, kind="stable")
    same(traced(lambda v: gnp.sort(v, descending=True), data(4)), np.sort(data(4))[::-1])
    same(
        traced(lambda v: gnp.argsort(v, descending=True), np.array([1, 3, 1, 3])),
        np.array([1, 3, 0, 2]),
    )
    check(np.lexsort, (data(9, dtype="i"), data(9, dtype="i", seed=4)))
    check(np.lexsort, data(2, 9, dtype="i"))
    y = data(6)
    check(np.searchsorted, y, 0.5, sorter=np.argsort(y))
    check(np.searchsorted, np.array([1, 3]), 2.5)


def test_sets() -> None:
    x = np.array([[3, 1, 3], [2, 1, 7]])
    found = traced(lambda v: gnp.unique(v, True, True, True, size=4), x)
    same(found, np.unique(x, True, True, True))
    same(traced(lambda v: gnp.unique(v, size=6, fill_value=-1), x), np.array([1, 2, 3, 7, -1, -1]))
    same(traced(lambda v: gnp.unique(v, size=2), x), np.array([1, 2]))
    f = np.array([np.nan, 1.0, np.nan, 0.0])
    same(traced(lambda v: gnp.unique(v, size=3), f), np.unique(f))
    same(traced(lambda v: gnp.unique_values(v, size=4), f), np.sort(f))
    counts = traced(lambda v: gnp.unique_counts(v, size=4), x)
    same(tuple(counts), tuple(np.unique_counts(x)))
    same(
        traced(lambda v: gnp.unique_all(v, size=4), x).inverse_indices,
        np.unique_all(x).inverse_indices,
    )
    a, b = np.array([1, 5, 2, 5]), np.array([5, 2, 9])
    same(traced(lambda u, v: gnp.union1d(u, v, size=4), a, b), np.union1d(a, b))
    same(traced(lambda u, v: gnp.intersect1d(u, v, size=2), a, b), np.intersect1d(a, b))
    same(traced(lambda u, v: gnp.setdiff1d(u, v, size=1), a, b), np.setdiff1d(a, b))
    same(traced(lambda u, v: gnp.setxor1d(u, v, size=2), a, b), np.setxor1d(a, b))
    with pytest.raises(TraceError, match="size=n"):
        traced(gnp.unique, x)
