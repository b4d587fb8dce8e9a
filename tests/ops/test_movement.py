"""Movement cards: NumPy's meaning, the loops they lower to, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import types as ty
from graphc.errors import ShapeMismatch, TypeMismatch
from graphc.loops.text import print_loops
from graphc.ops import movement as m
from graphc.types import DTYPES, Dim, TensorType

from .standin import check, check_samples, draw, lowered

N, K = Dim.symbol("n"), Dim.symbol("k")
RNG = np.random.default_rng(3)
CARDS = (
    m.BROADCAST,
    m.RESHAPE,
    m.TRANSPOSE,
    m.SLICE,
    m.PAD,
    m.CONCATENATE,
    m.UPDATE,
    m.DYNAMIC_SLICE,
    m.DYNAMIC_UPDATE,
)


def array(*shape: Any, dtype: str = "float32") -> np.ndarray:
    return (np.arange(int(np.prod(shape))) + 1).reshape(shape).astype(dtype)


def infer(card: Any, types: list[str], **attrs: Any) -> str:
    return str(card.infer([ty.parse_type(t) for t in types], attrs))


def test_samples() -> None:
    check_samples(*CARDS)


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_every_dtype(name: str) -> None:
    x = draw(RNG, TensorType(DTYPES[name], (5, 4)), 0.0, 9.0)
    value, u = x[0, 0], x[:2, :2]
    check(m.BROADCAST, [x], {"shape": (3, 5, 4), "axes": (1, 2)})
    check(m.RESHAPE, [x], {"shape": (2, 10)})
    check(m.TRANSPOSE, [x], {"axes": (1, 0)})
    check(m.SLICE, [x], {"start": (4, 1), "shape": (2, 3), "step": (-3, 1)})
    check(m.PAD, [x, value], {"low": (1, -1), "high": (0, 2), "interior": (1, 0)})
    check(m.CONCATENATE, [x, u[:, :1].repeat(4, 1)], {"axis": 0})
    check(m.UPDATE, [x, u], {"start": (3, 0), "step": (-2, 2)})
    check(m.DYNAMIC_SLICE, [x, np.int64(9), np.int64(1)], {"shape": (2, 2)})
    check(m.DYNAMIC_UPDATE, [x, u, np.int64(-4), np.int64(1)], {})


# ---------------------------------------------------------------------------------- broadcast


def test_broadcast_of_symbolic_extents() -> None:
    attrs = {"shape": (K, N, 3), "axes": (1, 2)}
    found = check(m.BROADCAST, [array(4, 1)], attrs, ["f32[n, 1]"], {"n": 4, "k": 2})
    np.testing.assert_array_equal(found, np.broadcast_to(array(4, 1), (2, 4, 3)))
    check(m.BROADCAST, [array()], {"shape": (0, N), "axes": ()}, ["f32[]"], {"n": 3})


def test_broadcast_refuses() -> None:
    with pytest.raises(
        ShapeMismatch, match=r"axis 0 of operand 0 has extent 3; axis 1 .* expects n"
    ):
        infer(m.BROADCAST, ["f32[3]"], shape=(2, N), axes=(1,))
    with pytest.raises(ShapeMismatch, match="increasing"):
        infer(m.BROADCAST, ["f32[3, 2]"], shape=(2, 3), axes=(1, 0))
    with pytest.raises(TypeMismatch, match="takes 1"):
        infer(m.BROADCAST, ["f32[3]", "f32[3]"], shape=(3,), axes=(0,))


# ------------------------------------------------------------------------------------ reshape

RESHAPES = [
    ((6,), (2, 3)),
    ((2, 3), (6,)),
    ((2, 3, 4), (6, 4)),
    ((6, 4), (2, 3, 4)),
    ((4, 6), (3, 8)),  # neither merges nor splits: through the flat index
    ((2, 1, 3), (1, 2, 3, 1)),
    ((1, 1), ()),
    ((), (1,)),
    ((0, 3), (5, 0)),
    ((2, 3, 4, 5), (2, 12, 5)),
    ((2, 6, 10), (4, 3, 2, 5)),
    ((1,), (1, 1, 1)),
]


@pytest.mark.parametrize("source, target", RESHAPES)
def test_reshape(source: tuple[int, ...], target: tuple[int, ...]) -> None:
    found = check(m.RESHAPE, [array(*source)], {"shape": target})
    np.testing.assert_array_equal(found, array(*source).reshape(target))


@pytest.mark.parametrize(
    "source, target",
    [
        ((N, 3, 4), (3 * N, 4)),
        ((3 * N, 4), (N, 3, 4)),
        ((N, K), (N * K,)),
        ((N * K,), (N, K)),
        ((N, K, 2), (K * N, 2)),
        ((4, N), (2 * N, 2)),
        ((N, 1, 6), (1, N, 2, 3)),
    ],
)
@pytest.mark.parametrize("n, k", [(2, 3), (1, 1), (0, 2)])
def test_reshape_of_symbolic_extents(source: Any, target: Any, n: int, k: int) -> None:
    env = {"n": n, "k": k}
    x = array(*(ty.substitute(e, env) for e in source))
    check(m.RESHAPE, [x], {"shape": target}, [TensorType(ty.F32, source)], env)


@pytest.mark.parametrize(
    "source, target, index",
    [
        ("f32[n, 12]", (N, 3, 4), "x0[i1, 4*i2 + i3]"),  # a split is affine
        ("f32[n, 1, 4]", (1, N, 4, 1), "x0[i2, 0, i3]"),
        ("f32[n, k]", (N * K,), "x0[i1//k, i1%k]"),
        ("f32[2, 3, n]", (6, N), "x0[i1//3, i1%3, i2]"),
    ],
)
def test_reshape_index(source: str, target: Any, index: str) -> None:
    func, _ = lowered(m.RESHAPE, [ty.parse_type(source)], {"shape": target})
    assert f"= {index}\n" in print_loops(func)


def test_reshape_groups_are_short() -> None:
    groups = list(m.reshape_groups((2, 1, 3, N, 8), (6, N, 1, 4, 2)))
    assert groups == [([0, 2], [0]), ([3], [1]), ([4], [3, 4])]


def test_reshape_refuses() -> None:
    with pytest.raises(ShapeMismatch, match=r"\(2, n\) has 2\*n elements; the result \(n, 3\)"):
        infer(m.RESHAPE, ["f32[2, n]"], shape=(N, 3))


# ---------------------------------------------------------------------------------- transpose


def test_transpose() -> None:
    x = array(2, 3, 4)
    found = check(m.TRANSPOSE, [x], {"axes": (2, 0, 1)})
    np.testing.assert_array_equal(found, x.transpose(2, 0, 1))
    check(m.TRANSPOSE, [x], {"axes": (1, 2, 0)}, ["f32[n, 3, k]"], {"n": 2, "k": 4})
    check(m.TRANSPOSE, [array()], {"axes": ()})


def test_transpose_refuses() -> None:
    with pytest.raises(ShapeMismatch, match="axis 2 is not an axis of operand 0"):
        infer(m.TRANSPOSE, ["f32[3, 2]"], axes=(0, 2))
    with pytest.raises(ShapeMismatch, match="twice"):
        infer(m.TRANSPOSE, ["f32[3, 2]"], axes=(0, 0))


# ------------------------------------------------------------------------------ slice, update


@pytest.mark.parametrize(
    "start, count, step", [(0, 9, 1), (8, 9, -1), (7, 3, -3), (1, 2, 5), (4, 0, 1)]
)
def test_slice_and_update(start: int, count: int, step: int) -> None:
    x, u = array(9), -array(count)
    places = start + step * np.arange(count)
    attrs = {"start": (start,), "shape": (count,), "step": (step,)}
    np.testing.assert_array_equal(check(m.SLICE, [x], attrs), x[places])
    expected = x.copy()
    expected[places] = u
    found = check(m.UPDATE, [x, u], {"start": (start,), "step": (step,)})
    np.testing.assert_array_equal(found, expected)


def test_slice_of_symbolic_extents() -> None:
    x = array(7, 3)
    for n in (7, 6, 1, 0):
        attrs = {"start": (N - 1, 0), "shape": (N, 3), "step": (-1, 1)}
        check(m.SLICE, [x[:n]], attrs, ["f32[n, 3]"], {"n": n})
        attrs = {"start": (0, 1), "shape": ((N + 1) // 2, 1), "step": (2, 1)}
        check(m.SLICE, [x[:n]], attrs, ["f32[n, 3]"], {"n": n})
        check(
            m.UPDATE,
            [x, -x[:n]],
            {"start": (7 - N, 0), "step": (1, 1)},
            ["f32[7, 3]", "f32[n, 3]"],
            {"n": n},
        )


def test_slice_refuses() -> None:
    ok = {"start": (0,), "shape": (3,), "step": (1,)}
    for wrong in ({"start": (3,)}, {"shape": (6,)}, {"step": (-1,)}, {"start": (-1,)}):
        with pytest.raises(ShapeMismatch, match="axis 0 of operand 0 has extent 5"):
            infer(m.SLICE, ["f32[5]"], **(ok | wrong))
    with pytest.raises(ShapeMismatch, match="expected a number but 0"):
        infer(m.SLICE, ["f32[5]"], **(ok | {"step": (0,)}))
    with pytest.raises(ShapeMismatch, match="start has 2 entries for 1 axes"):
        infer(m.SLICE, ["f32[5]"], **(ok | {"start": (0, 0)}))
    with pytest.raises(TypeMismatch, match="operand 1 is f64, expected f32"):
        infer(m.UPDATE, ["f32[5]", "f64[2]"], start=(0,), step=(1,))
    with pytest.raises(ShapeMismatch, match="elements 4 to 5"):
        infer(m.UPDATE, ["f32[5]", "f32[2]"], start=(4,), step=(1,))


# ---------------------------------------------------------------------------------------- pad


@pytest.mark.parametrize("low", [-3, -1, 0, 2])
@pytest.mark.parametrize("high", [-2, 0, 1])
@pytest.mark.parametrize("interior", [0, 1, 2])
def test_pad(low: int, high: int, interior: int) -> None:
    x = array(5)
    spread = np.zeros(5 + 4 * interior, np.float32)
    spread[:: interior + 1] = x
    ends = [np.full(max(e, 0), 7.0) for e in (low, high)]
    kept = spread[max(-low, 0) : len(spread) - max(-high, 0)]
    expected = np.concatenate([ends[0], np.where(kept == 0, 7.0, kept), ends[1]])
    attrs = {"low": (low,), "high": (high,), "interior": (interior,)}
    found = check(m.PAD, [x, np.float32(7)], attrs)
    np.testing.assert_array_equal(found, expected)
    check(m.PAD, [x, np.float32(7)], attrs, ["f32[n]", "f32[]"], {"n": 5})


def test_pad_undoes_a_strided_slice_of_any_extent() -> None:
    """The transpose of x[::3] gives x's extent back from symbols, also where it is 0."""
    count = (N + 2) // 3
    for n in (0, 1, 2, 3, 7):
        x = array((n + 2) // 3)
        attrs = {"low": (0,), "high": (N - (count - 1) * 3 - 1,), "interior": (2,)}
        types = [TensorType(ty.F32, (count,)), "f32[]"]
        found = check(m.PAD, [x, np.float32(0)], attrs, types, {"n": n})
        assert found.shape == (n,)


def test_pad_refuses() -> None:
    with pytest.raises(ShapeMismatch, match="would have -1"):
        infer(m.PAD, ["f32[3]", "f32[]"], low=(-2,), high=(-2,), interior=(0,))
    with pytest.raises(ShapeMismatch, match=r"operand 1 is f32.1.; expected a scalar"):
        infer(m.PAD, ["f32[3]", "f32[1]"], low=(0,), high=(0,), interior=(0,))
    with pytest.raises(ShapeMismatch, match="at least 0"):
        infer(m.PAD, ["f32[3]", "f32[]"], low=(0,), high=(0,), interior=(-1,))


# -------------------------------------------------------------------------------- concatenate


def test_concatenate() -> None:
    parts = [array(2, 3), array(2, 0), -array(2, 4), array(2, 1)]
    found = check(m.CONCATENATE, parts, {"axis": 1})
    np.testing.assert_array_equal(found, np.concatenate(parts, axis=1))
    types = ["f32[k, n]", "f32[k, 0]", "f32[k, 4]", "f32[k, 1]"]
    check(m.CONCATENATE, parts, {"axis": 1}, types, {"n": 3, "k": 2})
    check(m.CONCATENATE, parts[:1], {"axis": 0})


def test_concatenate_refuses() -> None:
    with pytest.raises(ShapeMismatch, match="axis 1 of operand 1 has extent 4; operand 0 has 3"):
        infer(m.CONCATENATE, ["f32[2, 3]", "f32[2, 4]"], axis=0)
    with pytest.raises(TypeMismatch, match="operand 1 is i32"):
        infer(m.CONCATENATE, ["f32[2, 3]", "i32[2, 3]"], axis=0)
    with pytest.raises(TypeMismatch, match="at least 1"):
        infer(m.CONCATENATE, [], axis=0)


# ------------------------------------------------------------- slices whose starts are operands


@pytest.mark.parametrize("start", [-(2**62), -1, 0, 2, 4, 5, 2**62])
def test_dynamic_slice_and_update_clamp(start: int) -> None:
    x, u, s = array(7, 2), -array(3, 2), np.int64(start)
    at = max(0, min(start, 4))
    found = check(m.DYNAMIC_SLICE, [x, s, np.int64(1)], {"shape": (3, 2)})
    np.testing.assert_array_equal(found, x[at : at + 3])
    expected = x.copy()
    expected[at : at + 3] = u
    found = check(m.DYNAMIC_UPDATE, [x, u, s, np.int64(0)], {})
    np.testing.assert_array_equal(found, expected)
    env = {"n": 7, "k": 3}
    check(m.DYNAMIC_SLICE, [x, s, s], {"shape": (K, 2)}, ["f32[n, 2]", "i64[]", "i64[]"], env)
    types = ["f32[n, 2]", "f32[k, 2]", "i64[]", "i64[]"]
    check(m.DYNAMIC_UPDATE, [x, u, s, s], {}, types, env)


def test_dynamic_slice_refuses() -> None:
    with pytest.raises(TypeMismatch, match="operand 1 is i32, expected i64"):
        infer(m.DYNAMIC_SLICE, ["f32[3]", "i32[]"], shape=(2,))
    with pytest.raises(ShapeMismatch, match="axis 0 of operand 0 has extent 3, the slice 4"):
        infer(m.DYNAMIC_SLICE, ["f32[3]", "i64[]"], shape=(4,))
    with pytest.raises(TypeMismatch, match="takes 3"):
        infer(m.DYNAMIC_UPDATE, ["f32[3]", "f32[2]"])
