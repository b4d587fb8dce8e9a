"""Functions that make, move, join and pad arrays, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import graphc.numpy as gnp
from graphc.errors import GraphcError, TraceError
from graphc.types import extent

from .tracing import ALL, SHAPES, check, data, same, traced


def test_reshape_and_axes() -> None:
    x = data(2, 3, 4)
    for shape in (24, (6, 4), (-1,), (3, -1), (2, -1, 2)):
        check(np.reshape, x, shape)
        check(np.reshape, x, shape, order="F")
    check(np.ravel, x)
    check(np.ravel, x, order="F")
    check(np.transpose, x)
    check(np.transpose, x, (1, -1, 0))
    check(np.moveaxis, x, (0, 1), (-1, 0))
    check(np.swapaxes, x, 0, -1)
    check(np.rollaxis, x, 2)
    check(np.rollaxis, x, 0, 3)
    check(np.matrix_transpose, x)
    check(np.expand_dims, x, (0, -1))
    check(np.squeeze, x[:, :1])
    check(np.squeeze, x[:, :1], axis=1)
    check(np.broadcast_to, x[0, 0], (3, 4))
    check(np.broadcast_arrays, x, x[0])
    for shape in SHAPES:
        for function in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
            check(function, data(*shape))
    check(np.atleast_2d, x, x[0, 0])
    with pytest.raises(ValueError):
        traced(gnp.reshape, x, (5, -1))
    same(traced(lambda v: gnp.reshape(v, (-1,)), x, symbolic=True), x.ravel())


def test_join_and_split() -> None:
    x, y = data(2, 3), data(2, 3, dtype="f", seed=4)
    k = data(2, 3, dtype="i")
    for function in (np.concatenate, np.stack, np.vstack, np.hstack, np.dstack, np.column_stack):
        for parts in ((x, y), [x, k], (k, y, x)):
            check(function, parts)
            if function not in (np.dstack, np.vstack, np.hstack, np.column_stack):
                check(function, parts, axis=-1)
        check(function, (x[0], y[1]))
    check(np.concatenate, (x, y), axis=None)
    check(np.concatenate, (x, k), dtype=np.float32, casting="same_kind")
    check(np.append, x, y)
    check(np.append, x, y, axis=1)
    same(traced(gnp.block, [[x, y], [k, k]]), np.block([[x, y], [k, k]]))
    same(traced(gnp.block, [x[0], y[0]]), np.block([x[0], y[0]]))
    z = data(7, 6)
    for where in (3, [2, 5], [4, 2], [-2]):
        check(np.array_split, z, where)
        check(np.array_split, z, where, axis=1)
    check(np.split, z, 2, axis=1)
    check(np.hsplit, z, 3)
    check(np.vsplit, z, [1, 2])
    check(np.dsplit, data(2, 2, 4), 2)
    check(np.unstack, z, axis=1)
    with pytest.raises(ValueError):
        traced(gnp.split, z, 4)


def test_repeat_turn_and_edit() -> None:
    x = data(3, 4)
    check(np.tile, x, 2)
    check(np.tile, x, (2, 1, 3))
    check(np.repeat, x, 3)
    check(np.repeat, x, [1, 0, 2], axis=0)
    check(np.repeat, x, 2, axis=-1)
    for axis in (None, 0, -1, (0, 1)):
        check(np.flip, x, axis)
    check(np.flipud, x)
    check(np.fliplr, x)
    for k in range(-1, 5):
        check(np.rot90, x, k)
    for shift, axis in ((1, None), (-5, 0), ((1, 2), (0, 1)), (3, (0, 1)), (0, 1)):
        check(np.roll, x, shift, axis)
    same(traced(lambda v, s: gnp.roll(v, s, 1), x, np.array(2)), np.roll(x, 2, 1))
    check(np.resize, x, (5, 3))
    check(np.delete, x, 1, axis=1)
    check(np.delete, x, [0, 2], axis=0)
    check(np.delete, x, slice(1, 3))
    check(np.insert, x, 1, 9.0, axis=1)
    check(np.insert, x, 1, x[:, 0], axis=1)
    check(np.insert, x, [3, 0], 7.0)
    check(np.insert, x[0], [1, 1, 3], x[1, :3])
    same(traced(gnp.ix_, np.array([0, 2]), np.array([1, 3])), np.ix_([0, 2], [1, 3]))
    same(traced(lambda v: gnp.apply_along_axis(lambda r: r.sum(), 1, v), x), x.sum(1), 1e-12)
    same(
        traced(lambda v: gnp.apply_along_axis(lambda r: r[:2] * 2, 0, v), x),
        np.apply_along_axis(lambda r: r[:2] * 2, 0, x),
    )
    same(
        traced(lambda v: gnp.apply_over_axes(gnp.sum, v, (0, 1)), x),
        np.apply_over_axes(np.sum, x, (0, 1)),
        1e-12,
    )


@pytest.mark.parametrize(
    "mode",
    [
        "constant",
        "edge",
        "reflect",
        "symmetric",
        "wrap",
        "linear_ramp",
        "maximum",
        "mean",
        "median",
        "minimum",
    ],
)
def test_pad(mode: str) -> None:
    for x in (data(4, 5), data(3, 4, dtype="i"), data(6, dtype="f")):
        rank = x.ndim
        for width in (2, (1, 3), [(2, 1)] * rank, 0, 7):
            check(np.pad, x, width, mode, tolerance=1e-5)
    options = {
        "constant": {"constant_values": (4, 6)},
        "linear_ramp": {"end_values": (-1, 2)},
        "mean": {"stat_length": 2},
        "maximum": {"stat_length": (1, 3)},
    }
    if mode in options:
        check(np.pad, data(4, 5), ((2, 3), (1, 2)), mode, tolerance=1e-12, **options[mode])


def test_windows() -> None:
    x = data(6, 5)
    theirs = np.lib.stride_tricks.sliding_window_view
    check(theirs, x, (3, 2))
    check(theirs, x, 3, axis=1)
    same(
        traced(lambda v: gnp.lib.stride_tricks.sliding_window_view(v, 2, 0), x, symbolic=True),
        theirs(x, 2, 0),
    )


def test_creation_in_a_trace() -> None:
    made = (
        lambda m: m.zeros((2, 3)),
        lambda m: m.ones(4, np.float32),
        lambda m: m.full((2,), 3),
        lambda m: m.full((2, 2), 1.5, np.float32),
        lambda m: m.arange(5),
        lambda m: m.arange(1, 7, 2.5),
        lambda m: m.arange(3, dtype=np.uint8),
        lambda m: m.linspace(0, 1, 5),
        lambda m: m.logspace(0, 2, 4),
        lambda m: m.geomspace(1, 100, 3),
        lambda m: m.eye(3, 4, 1),
        lambda m: m.eye(3, k=-1, dtype=int),
        lambda m: m.identity(3),
        lambda m: m.tri(3, 4, -1),
        lambda m: m.indices((2, 3)),
        lambda m: m.array([[1, 2], [3, 4]]),
        lambda m: m.array(2.5, ndmin=2),
        lambda m: m.fromfunction(lambda i, j: i * 2 + j, (2, 3)),
        lambda m: m.fft.fftfreq(5, 0.1),
        lambda m: m.indices((2, 3), sparse=True),
        lambda m: m.linspace(1, 2, 4, endpoint=False, retstep=True),
    )
    for k, make in enumerate(made):
        same(traced(lambda f=make: f(gnp)), make(np), what=str(k))


def test_like_and_matrices() -> None:
    for code in ALL:
        x = data(3, 4, dtype=code)
        check(np.zeros_like, x)
        check(np.ones_like, x)
        check(np.full_like, x, 1)
        check(np.tril, x)
        check(np.triu, x, 1)
        check(np.diag, x, -1)
        check(np.diag, x[0], 2)
        check(np.vander, x[0], 3, tolerance=1e-5)
    check(np.diag, data(3), -2)
    check(np.zeros_like, data(3), np.int32, shape=(2, 2))
    check(np.diagflat, data(2, 2), 1)
    check(np.vander, data(4), increasing=True)
    check(np.tril, data(2, 3, 4), -1)
    check(np.meshgrid, data(3), data(4), data(2))
    check(np.meshgrid, data(3), data(4), indexing="ij", sparse=True)
    check(np.linspace, data(3), data(3, seed=2), 5)
    check(np.linspace, np.array(1.0), np.array(4.0), 4, endpoint=False)
    check(np.linspace, data(2), 3.0, 4, axis=-1)
    check(np.linspace, data(2), 9, 4, dtype=int)
    check(np.geomspace, np.array(1.0), np.array(64.0), 4)
    check(np.logspace, np.array(0.0), np.array(2.0), 3)
    check(np.astype, data(3), np.int8)


def test_nested_lists_with_traced_entries() -> None:
    x = data(3)
    same(traced(lambda v: gnp.array([v[0], 1, 2.5]), x), np.array([x[0], 1, 2.5]))
    same(
        traced(lambda v: gnp.asarray([[v[0], v[1]], [0, 1]], dtype=np.float32), x),
        np.array([[x[0], x[1]], [0, 1]], np.float32),
    )
    same(traced(lambda v: gnp.stack([v, v * 2, np.ones(3)]), x), np.stack([x, x * 2, np.ones(3)]))
    with pytest.raises(GraphcError):
        traced(lambda v: gnp.array([v, v[:2]]), x)


def test_symbolic_shapes() -> None:
    n = extent("n3")

    def made(v: object) -> object:
        return (
            gnp.zeros((n, 2)),
            gnp.arange(n),
            gnp.eye(n),
            gnp.full(n + 1, 2.0),
            gnp.linspace(0, 1, n),
        )

    found = traced(made, data(3), symbolic=True)
    same(found, (np.zeros((3, 2)), np.arange(3), np.eye(3), np.full(4, 2.0), np.linspace(0, 1, 3)))
    with pytest.raises(TraceError):
        traced(lambda v: gnp.repeat(v, np.array([1, 2, 3])), data(3), symbolic=True)
