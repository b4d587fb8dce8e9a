"""Views share their elements with the base, as NumPy's do; copies do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc

VIEWS: list[Any] = [
    lambda y: y[1:3],
    lambda y: y[::-1, ::2],
    lambda y: y[2],
    lambda y: y[:, 1],
    lambda y: y[None, ..., 0],
    lambda y: y[1, ...],
    lambda y: y.T,
    lambda y: y.reshape(-1),
    lambda y: y.reshape(2, 2, 6)[:, 1],
    lambda y: y.ravel()[5:9],
    lambda y: y.T.reshape(-1),  # a copy in NumPy
    lambda y: y[:, :3].reshape(-1),  # a copy
    lambda y: y[:, :3].ravel(),  # a copy
    lambda y: y[:2].reshape(3, 4),
    lambda y: y.flatten(),
    lambda y: y.copy(),
    lambda y: y[[0, 1]],
    lambda y: y.swapaxes(0, 1)[1],
    lambda y: y[:, None].squeeze(),
    lambda y: np.expand_dims(y, 1)[:, 0, 2],
    lambda y: np.moveaxis(y, 0, 1)[2:],
    lambda y: np.rollaxis(y, 1)[2:],
    lambda y: np.flip(y, 1)[0],
    lambda y: np.split(y, 2)[1],
    lambda y: np.array_split(y, 3, axis=1)[2],
    lambda y: np.transpose(y)[0],
    lambda y: np.asarray(y)[1],
    lambda y: np.array(y)[1],
    lambda y: y.reshape(4, 6, order="F")[0],
    lambda y: y.ravel(order="F"),
    lambda y: y.view()[0],
    lambda y: np.atleast_1d(y)[0],
]


@pytest.mark.parametrize("number", range(len(VIEWS)))
def test_writes_through_a_view(check: Any, number: int) -> None:
    def program(x: Any) -> Any:
        y = x.copy()
        other = y[1:, 1:]
        view = VIEWS[number](y)
        view[...] = -5.0
        first = y.copy()
        view += np.arange(view.shape[-1])
        return first, y, view, other

    check(program, np.arange(24.0).reshape(4, 6))


@pytest.mark.parametrize("number", range(len(VIEWS)))
def test_writes_to_the_base(check: Any, number: int) -> None:
    def program(x: Any) -> Any:
        y = x.copy()
        view = VIEWS[number](y)
        y[1] = 100
        y *= 2
        return view, view * 1, y

    check(program, np.arange(24.0).reshape(4, 6))


def test_real_and_imag(check: Any) -> None:
    def program(x: Any) -> Any:
        z = x.copy()
        z.real[1:] = 0
        z.imag += 2
        z.imag[0] = 7
        w = x.copy()
        w.real = 1
        return z, w, np.real(x), np.imag(x), x.real.imag

    check(program, np.arange(4) + 1j)


def test_views_of_views(check: Any) -> None:
    def program(x: Any) -> Any:
        y = x.copy()
        a = y[1:]
        b = a.T
        c = b[::2]
        c[:, 0] = -1
        a[0] += 10
        d = c.reshape(c.shape)
        d[0] = 3
        return y, a, b, c

    check(program, np.arange(20.0).reshape(4, 5))


def test_swap_rows(check: Any) -> None:
    def program(x: Any) -> Any:
        y = x.copy()
        y[0], y[1] = y[1].copy(), y[0].copy()
        z = x.copy()
        z[[0, 2]] = z[[2, 0]]
        return y, z

    check(program, np.arange(9.0).reshape(3, 3))


def test_overlapping_update(check: Any) -> None:
    def program(x: Any) -> Any:
        y = x.copy()
        y[1:] = y[:-1]
        y[1:] += y[:-1]
        return y

    check(program, np.arange(6.0))


def test_loop_over_rows(check: Any) -> None:
    def program(x: Any) -> Any:
        y = x.copy()
        for row in y:
            row /= row.sum()
        for i, row in enumerate(y.T):
            row[0] = i
        return y

    check(program, np.arange(1.0, 13).reshape(3, 4))


def test_list_of_views(check: Any) -> None:
    def program(x: Any) -> Any:
        state = np.zeros((3, 4))
        position, speed, force = state
        position[:] = x
        speed += 2 * position
        force[1:] = speed[:-1]
        return state

    check(program, np.arange(4.0))


def test_diagonal(check: Any) -> None:
    def program(x: Any) -> Any:
        y = x.copy()
        np.fill_diagonal(y, 0)
        y.flat[:: y.shape[1] + 1] += 3
        return y, y.diagonal(), np.diagonal(x, 1), x.diagonal(-1), np.diag(x)

    check(program, np.arange(12.0).reshape(3, 4))


def test_aliases_are_one_array(check: Any) -> None:
    def program(x: Any) -> Any:
        y = x.copy()
        z = y
        z += 1
        z[0] = 9
        return y

    check(program, np.arange(4.0))


def test_sharing_is_answered(check: Any) -> None:
    check(
        lambda x: [np.shares_memory(x, x[1:]), np.shares_memory(x, x.copy()), x.T.base is x],
        np.zeros((2, 2)),
    )


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (lambda x: np.broadcast_to(x, (2, 3)).__setitem__(0, 1), "broadcast_to is read-only"),
        (lambda x: np.broadcast_to(x, (2, 3))[0].__setitem__(0, 1), "broadcast_to is read-only"),
        (lambda x: np.diagonal(np.outer(x, x)).__setitem__(0, 1), "diagonal is read-only"),
        (lambda x: x.__setitem__(0, 1), "argument x is changed in place.*x = x.copy()"),
        (lambda x: x[1:].__setitem__(0, 1), "argument x is changed in place.*donate='x'"),
        (lambda x: x.imag.__setitem__(0, 1), "imaginary part of a real array is read-only"),
    ],
)
def test_refused_writes(program: Any, message: str) -> None:
    with pytest.raises(graphc.TraceError, match=message):
        graphc.jit(program, debug="evaluate")(np.ones(3))


def test_donated_arguments_may_change() -> None:
    def program(x: Any) -> Any:
        x[0] = 7
        x *= 2
        return x

    f = graphc.jit(program, donate="x", debug="evaluate")
    np.testing.assert_array_equal(f(np.ones(3)), [14, 2, 2])
