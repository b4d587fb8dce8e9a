"""What is done with elements whose number depends on data: x[mask], positions, np.unique,
np.compress... where the result's extent is known, and their forms of stated size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
import graphc.numpy as gnp

LINE = np.array([3.0, -1, 0, 2, -5, 2, 7])
ROWS = np.array([[1.0, 2, -3], [-1, 5, 6], [2, 2, 4], [0, 1, 1]])


def test_how_many_are_selected(check: Any) -> None:
    def program(x: Any, y: Any) -> Any:
        chosen, rows, columns = x[x > 0], y[y[:, 0] > 0], y[:, y[0] > 0]
        return (
            chosen.size, chosen.shape[0], np.size(chosen), np.shape(chosen)[0], rows.shape[0],
            rows.shape[1], columns.shape[0], columns.shape[1], rows.size, y[y > 1].shape[0],
            np.count_nonzero(chosen), np.count_nonzero(chosen > 2), chosen.ndim, np.ndim(rows),
            x.sum() / x[x > 0].shape[0],
        )  # fmt: skip

    check(program, LINE, ROWS)


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8"])
def test_reductions_of_selected_elements(check: Any, dtype: str) -> None:
    def program(x: Any, y: Any) -> Any:
        chosen, weights = x[x > 0], y[x > 0]
        return (
            np.ptp(chosen), chosen.argmax(), np.argmin(chosen), np.average(chosen),
            np.average(chosen, weights=weights), np.median(chosen), np.median(x[x < 3]),
            np.quantile(chosen, 0.3), np.percentile(chosen, 25), np.linalg.norm(chosen),
            np.linalg.norm(chosen, 1), np.linalg.norm(x[x < 3], np.inf), np.dot(chosen, weights),
            chosen @ weights, chosen.dot(chosen), np.vdot(chosen, weights),
            np.inner(chosen, chosen), np.argmax(-chosen), (x[x < 0] ** 2).sum(),
        )  # fmt: skip

    values = LINE.astype(dtype)
    check(program, values, values + 1)


def test_numbers_that_are_nan_among_the_selected(check: Any) -> None:
    def program(x: Any, keep: Any) -> Any:
        chosen = x[keep]
        return (
            np.nansum(chosen), np.nanmean(chosen), np.nanmax(chosen), np.nanmin(chosen),
            np.nanstd(chosen), np.nanvar(chosen), np.nanprod(chosen), np.median(chosen),
            np.median(x[~keep]), np.argmax(chosen), np.argmin(x[~keep]), np.max(chosen),
        )  # fmt: skip

    x = np.array([1.0, np.nan, -np.inf, 4, 2, np.nan, -1])
    check(program, x, np.array([True, True, False, True, False, False, True]))


def test_an_extreme_that_stands_among_the_others_too(check: Any) -> None:
    def program(x: Any, keep: Any) -> Any:
        return x[keep].argmax(), x[keep].argmin(), x[keep][0], x[keep][-1], x[keep][2]

    x = np.array([-np.inf, 5, -np.inf, -np.inf, 5, -np.inf])
    check(program, x, np.array([False, False, True, True, False, True]))
    check(program, x, np.array([False, True, True, True, True, False]))


def test_selected_rows_along_their_own_axis_are_still_selected(check: Any) -> None:
    def program(x: Any) -> Any:
        rows, columns = x[x[:, 0] > 0], x[:, x[0] > 0]
        return (
            rows.mean(axis=1).sum(), rows.max(axis=-1).max(), rows.sum(1).size,
            columns.sum(axis=0).prod(), np.std(rows, axis=1).mean(), rows[0], rows[-1],
            rows.mean(axis=1)[1],
        )  # fmt: skip

    check(program, ROWS)


def test_arrays_of_the_other_axes_meet_selected_rows(check: Any) -> None:
    def program(x: Any, v: Any) -> Any:
        a, b, c = x.copy(), x.copy(), x.copy()
        mask = x[:, 0] > 0
        a[mask] += v
        b[mask] = (b[mask] - v) / 2
        c[mask] *= v[0]
        return a, b, c, (x[mask] * v).sum(), (v - x[mask]).max()

    check(program, ROWS, np.array([1.0, 10, 100]))


def test_positions_are_reduced(check: Any) -> None:
    def program(x: Any, y: Any) -> Any:
        flat, (rows, columns) = np.flatnonzero(x > 0), np.nonzero(y > 1)
        where = np.where(x < 0)[0]
        return (
            flat.size, flat.shape[0], flat.sum(), flat.max(), flat.min(), flat.mean(), np.sum(flat),
            (flat + 1).sum(), (2 * flat - where.sum()).max(), rows.max(), columns.sum(),
            (rows * 3 + columns).max(), np.size(rows), (rows == columns).any(), np.median(flat),
        )  # fmt: skip

    check(program, LINE, ROWS)


def test_compress_extract_and_delete_select(check: Any) -> None:
    def program(x: Any, y: Any) -> Any:
        z = x.copy()
        z[np.flatnonzero(x > 2)] = 0
        return (
            np.compress(x > 0, x).sum(), np.extract(y > 1, y).mean(), np.delete(x, x > 0).max(),
            np.compress(y[:, 0] > 0, y, axis=0).sum(0), np.compress(y[0] > 0, y, 1).mean(axis=1),
            np.compress(x[:2] > 0, y, axis=0).sum(), y.compress(y[0] > 0, axis=-1).sum(),
            np.compress(x, x).size, np.delete(y, y[0] > 0, axis=1).sum(), z,
        )  # fmt: skip

    check(program, LINE, ROWS)


@pytest.mark.parametrize("dtype", ["f8", "i4", "?", "c16"])
def test_what_is_asked_of_the_different_elements(check: Any, dtype: str) -> None:
    def program(x: Any) -> Any:
        different = np.unique(x)
        return different.size, different.shape[0], different[0], different[-1], different.sum()

    check(program, np.array([2, 0, 2, 2, 1, 0, 5, 1]).astype(dtype))
    check(program, np.array([[1, 1], [1, 1]]).astype(dtype))


def test_nan_is_one_element_of_unique(check: Any) -> None:
    def program(x: Any) -> Any:
        return np.unique(x).size, np.unique(x, equal_nan=False).size, np.unique(x).min()

    check(program, np.array([1.0, np.nan, 2, np.nan, 1]))


def test_no_element_at_all() -> None:
    @graphc.jit
    def program(x: Any) -> Any:
        chosen = x[x > 10]
        return chosen.size, chosen.sum(), chosen.mean(), np.median(chosen), np.unique(x[:0]).size

    with np.errstate(all="ignore"):
        size, total, mean, median, none = program(LINE)
    assert (size, total, none) == (0, 0, 0) and np.isnan(mean) and np.isnan(median)
    with pytest.raises(IndexError, match="out of bounds"):
        graphc.jit(lambda x: x[x > 10][0])(LINE)
    with pytest.raises(IndexError, match="out of bounds"):
        graphc.jit(lambda x: x[x > 3][-2])(LINE)


def test_forms_of_stated_size() -> None:
    def program(x: Any, y: Any) -> Any:
        return (
            gnp.compress(x > 0, x, size=6, fill_value=-9.0), gnp.extract(y > 1, y, size=4),
            gnp.compress(y[:, 0] > 0, y, axis=0, size=3),
            gnp.argwhere(y > 1, size=8, fill_value=-1),
            gnp.compress(y[0] > 0, y, axis=1, size=1), gnp.nonzero(y > 4, size=3, fill_value=-1),
            gnp.flatnonzero(x > 0, size=2), gnp.unique(x, size=9, fill_value=np.nan),
            gnp.compress(x[:3] > 0, x, size=2), gnp.extract(x > 90, x, size=2, fill_value=1),
        )  # fmt: skip

    found = graphc.jit(program)(LINE, ROWS)
    chosen, rows = LINE[LINE > 0], ROWS[ROWS[:, 0] > 0]
    expected = (
        [*chosen, *[-9.0] * (6 - len(chosen))], ROWS[ROWS > 1][:4], [*rows, [0, 0, 0]],
        [*np.argwhere(ROWS > 1), *[[-1, -1]] * (8 - np.sum(ROWS > 1))],
        ROWS[:, ROWS[0] > 0][:, :1],
        tuple([*p, *[-1] * (3 - len(p))] for p in np.nonzero(ROWS > 4)),
        np.flatnonzero(LINE > 0)[:2],
        [*np.unique(LINE), *[np.nan] * (9 - len(np.unique(LINE)))], [3.0, 0.0], [1, 1],
    )  # fmt: skip
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, wanted)
    np.testing.assert_array_equal(gnp.compress(LINE > 0, LINE), np.compress(LINE > 0, LINE))
    np.testing.assert_array_equal(gnp.extract(ROWS > 1, ROWS, size=2), ROWS[ROWS > 1][:2])


def test_a_reduction_of_selected_elements_is_one_kernel() -> None:
    for reduced in (
        lambda x: x[x > 0].sum(),
        lambda x: np.compress(x > 0, x).max(),
        lambda x: np.flatnonzero(x > 0).sum(),
        lambda x: x[x > 0] @ x[x > 0],
    ):
        assert len(graphc.jit(reduced).lower(np.ones(1000)).kernels) == 1


def test_derivatives_of_reductions_of_selected_elements() -> None:
    found = graphc.grad(lambda x: (x[x > 0] ** 2).mean())(LINE)
    kept = LINE > 0
    np.testing.assert_allclose(found, np.where(kept, 2 * LINE / kept.sum(), 0))
    found = graphc.grad(lambda x: gnp.compress(x > 0, x, size=3).sum())(LINE)
    np.testing.assert_allclose(found, [1, 0, 0, 1, 0, 1, 0])


def test_vmap_over_masks() -> None:
    found = graphc.vmap(lambda x: (x[x > 0].sum(), gnp.compress(x > 0, x, size=2)))(ROWS)
    np.testing.assert_allclose(found[0], np.where(ROWS > 0, ROWS, 0).sum(1))
    np.testing.assert_allclose(found[1], [[1, 2], [5, 6], [2, 2], [1, 1]])
