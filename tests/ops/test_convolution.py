"""The convolution and the window reduction: against their definitions, lowered and compiled."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from graphc import types as ty
from graphc.codegen import cuda_cpu
from graphc.errors import ShapeMismatch, TypeMismatch
from graphc.evaluate import evaluate
from graphc.ir import Graph, param
from graphc.loops import ir as L
from graphc.loops.lower import lower
from graphc.opdef import lookup
from graphc.ops import build
from graphc.ops.convolution import CONV
from graphc.ops.reduction import identity
from graphc.ops.slicing import PAD
from graphc.ops.window import REDUCE_WINDOW
from graphc.types import DTYPES, TensorType

from ..codegen import cuda_graphs
from ..compiled import compiled
from ..loops.running import MACHINES, run_graph
from .standin import check, check_samples, draw, lowered
from .windows import convolution, random_convolution, random_window_reduction, window_reduction

RNG = np.random.default_rng(31)
RTOL = {"f16": 4e-3, "bf16": 2e-2, "f32": 2e-5, "f64": 1e-12, "c64": 2e-5, "c128": 1e-12}


def attrs(spatial: int, **given: Any) -> dict[str, Any]:
    """Channels first everywhere, and nothing that does anything, but for what is given."""
    axes = tuple(range(spatial + 2))
    ones, none = (1,) * spatial, (0,) * spatial
    return {
        "stride": ones, "low": none, "high": none, "lhs_dilation": ones, "rhs_dilation": ones,
        "groups": 1, "batch_groups": 1, "lhs": axes, "rhs": axes, "out": axes, **given,
    }  # fmt: skip


def close(found: np.ndarray, expected: np.ndarray, dtype: ty.DType) -> None:
    rtol = RTOL.get(dtype.name, 0.0)
    assert found.dtype == dtype.numpy and found.shape == expected.shape
    if dtype.kind in "biu":
        np.testing.assert_array_equal(found, expected)
        return
    size = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
    np.testing.assert_allclose(found.astype(expected.dtype), expected, rtol=rtol, atol=rtol * size)


def reference(arrays: list[np.ndarray], where: dict[str, Any]) -> tuple[np.ndarray, ty.DType]:
    """By the definition, in a dtype at least as wide as the one in which the card adds."""
    dtype = where.get("dtype") or ty.dtype(arrays[0].dtype)
    wide = {"c": np.complex128, "f": np.float64}.get(dtype.kind, dtype.numpy)
    with np.errstate(over="ignore"):
        return convolution(*arrays, where, wide), dtype  # type: ignore[misc]


def graph_of(card: Any, types: list[TensorType], where: dict[str, Any]) -> Graph:
    params = [param(t, f"x{k}") for k, t in enumerate(types)]
    return Graph.of("one", params, [card(*params, **where)])


def test_samples() -> None:
    check_samples(CONV, REDUCE_WINDOW)


@pytest.mark.parametrize("seed", range(120))
def test_convolutions(seed: int) -> None:
    """infer, evaluate and the lowered loops, against the definition."""
    arrays, where = random_convolution(seed)
    expected, dtype = reference(arrays, where)
    found = check(CONV, arrays, where, rtol=RTOL.get(dtype.name, 0.0) * 10)
    close(found, expected, dtype)


@pytest.mark.parametrize("seed", range(1000, 1048))
def test_compiled_convolutions(seed: int) -> None:
    arrays, where = random_convolution(seed)
    expected, dtype = reference(arrays, where)
    graph = graph_of(CONV, [TensorType(ty.dtype(a.dtype), a.shape) for a in arrays], where)
    close(compiled(graph)(*arrays)[0], expected, dtype)
    close(run_graph(graph, arrays, {}, MACHINES[seed % 3])[0], expected, dtype)


def test_kernels_larger_than_the_operand() -> None:
    x, w = draw(RNG, ty.parse_type("f64[2, 3, 2]")), draw(RNG, ty.parse_type("f64[4, 3, 5]"))
    padded = attrs(1, low=(2,), high=(2,))
    close(check(CONV, [x, w], padded, rtol=1e-12), convolution(x, w, padded, float), ty.F64)
    assert check(CONV, [x, w], attrs(1, high=(2,))).shape == (2, 4, 0)  # one short: no window
    assert check(CONV, [x, w], attrs(1, stride=(3,))).shape == (2, 4, 0)
    with pytest.raises(ShapeMismatch, match="a window of 5 elements does not fit window axis 0"):
        CONV.infer([TensorType(ty.F64, a.shape) for a in (x, w)], attrs(1))


def test_an_axis_without_elements() -> None:
    x, w = np.ones((1, 2, 0)), np.ones((3, 2, 2))
    found = check(CONV, [x, w], attrs(1, low=(2,), high=(2,)))
    np.testing.assert_array_equal(found, np.zeros((1, 3, 3)))
    # a kernel without elements, as in the gradient of a convolution without results
    found = check(CONV, [np.ones((1, 2, 4)), w[:, :, :0]], attrs(1))
    np.testing.assert_array_equal(found, np.zeros((1, 3, 5)))


SYMBOLIC = [
    (["f32[b, 3, h, w]", "f32[4, 3, 3, 3]"], attrs(2)),
    (["f32[b, 3, h, w]", "f32[4, 3, 3, 3]"], attrs(2, stride=(2, 2), low=(1, 1), high=(1, 1))),
    (["f32[b, c, h, w]", "f32[o, c, 2, 1]"], attrs(2, rhs_dilation=(2, 1), stride=(3, 1))),
    (["f32[b, c, h]", "f32[c, 1, 3]"], attrs(1, groups=ty.extent("c"), low=(1,), high=(1,))),
    (["f32[b, h, 2]", "f32[k, 2, 4]"],
     attrs(1, lhs=(0, 2, 1), rhs=(2, 1, 0), out=(0, 2, 1), high=(ty.extent("k"),))),
    (["f64[2, c, h]", "f64[c, 2, 2]"], attrs(1, lhs=(1, 0, 2), rhs=(0, 1, 2), lhs_dilation=(2,))),
]  # fmt: skip


@pytest.mark.parametrize("types, where", SYMBOLIC)
def test_symbolic_extents(types: list[str], where: dict[str, Any]) -> None:
    """One program for every size; batch 0 and 1 among them."""
    parsed = [ty.parse_type(t) for t in types]
    graph = graph_of(CONV, parsed, where)
    function = compiled(graph)
    for sizes in ((0, 4, 5, 3, 2, 2), (1, 5, 6, 1, 3, 3), (3, 9, 7, 4, 1, 1)):
        env = dict(zip("bhwcok", sizes, strict=True))
        shapes = [tuple(ty.substitute(n, env) for n in t.shape) for t in parsed]
        arrays = [draw(RNG, TensorType(t.dtype, s)) for t, s in zip(parsed, shapes, strict=True)]
        numbers = {
            k: tuple(ty.substitute(n, env) for n in v) if isinstance(v, tuple)
            else ty.substitute(v, env) for k, v in where.items()
        }  # fmt: skip
        expected = convolution(*arrays, numbers, np.float64)  # type: ignore[misc]
        dtype = parsed[0].dtype
        close(evaluate(graph, arrays)[0], expected, dtype)
        close(function(*arrays)[0], expected, dtype)
        close(run_graph(graph, arrays, env, MACHINES[1])[0], expected, dtype)


def conditions(card: Any, types: list[str], where: dict[str, Any]) -> int:
    """Selects and guarded loads in the loops of a card."""
    func, _ = lowered(card, [ty.parse_type(t) for t in types], where)
    found = 0
    for stmt in L.statements(func.body):
        for expr in L.expressions(stmt):
            found += sum(
                isinstance(e, L.Select) or (isinstance(e, L.Load) and e.guard is not None)
                for e in L.walk(expr)
            )
    return found


def test_windows_without_padding_have_no_guards() -> None:
    for types in (["f32[2, 3, 9, 8]", "f32[4, 3, 3, 3]"], ["f32[b, c, h, w]", "f32[o, c, k, l]"]):
        for stride in ((1, 1), (2, 3)):
            where = attrs(2, stride=stride, rhs_dilation=(2, 1), low=(0, -1), high=(-1, 0))
            assert conditions(CONV, types, where) == 0
    assert conditions(CONV, ["f32[2, 3, 9]", "f32[4, 3, 3]"], attrs(1, low=(1,))) > 0
    plain = {"window": (3,), "stride": (2,), "dilation": (1,), "low": (0,), "high": (0,)}
    assert conditions(REDUCE_WINDOW, ["f32[n]"], {"kind": "max", **plain}) == 0


def test_axes_of_one_element_have_no_loops() -> None:
    """A 1x1 convolution is the loop nest of a matrix product; a depthwise one has no channels."""
    for types, where, loops in (
        (["f32[2, 8, 5, 5]", "f32[4, 8, 1, 1]"], attrs(2), 4 + 1),
        (["f32[2, 8, 5, 5]", "f32[8, 1, 3, 3]"], attrs(2, groups=8), 4 + 2),
        (["f32[2, 8, 5, 5]", "f32[4, 8, 3, 3]"], attrs(2), 4 + 3),
    ):
        func, _ = lowered(CONV, [ty.parse_type(t) for t in types], where)
        assert sum(isinstance(s, L.For) for s in L.statements(func.body)) == loops


def test_infinities_meet_the_zeros_of_the_padding() -> None:
    x, w = np.ones((1, 1, 2)), np.array([[[np.inf, 1.0]]])
    with np.errstate(invalid="ignore"):
        found = check(CONV, [x, w], attrs(1, low=(1,)))
    np.testing.assert_array_equal(found, [[[np.nan, np.inf]]])


def test_conv_refuses() -> None:
    def infer(a: str, b: str, **given: Any) -> Any:
        return CONV.infer([ty.parse_type(a), ty.parse_type(b)], attrs(1, **given))

    assert str(infer("f32[b, 3, n]", "f32[4, 3, 3]", stride=(2,))) == "f32[b, 4, (n - 3)//2 + 1]"
    with pytest.raises(ShapeMismatch, match="has 4 channels; a kernel over 3 channels in 1 groups"):
        infer("f32[1, 4, 9]", "f32[4, 3, 3]")
    with pytest.raises(ShapeMismatch, match="5 channels of the result do not make 2 equal groups"):
        infer("f32[1, 4, 9]", "f32[5, 2, 3]", groups=2)
    with pytest.raises(ShapeMismatch, match="3 elements of the batch do not make 2 equal groups"):
        infer("f32[3, 4, 9]", "f32[4, 4, 3]", batch_groups=2)
    with pytest.raises(ShapeMismatch, match="not both"):
        infer("f32[2, 4, 9]", "f32[4, 2, 3]", batch_groups=2, groups=2)
    with pytest.raises(ShapeMismatch, match="the stride of window axis 0 is 0"):
        infer("f32[2, 4, 9]", "f32[4, 4, 3]", stride=(0,))
    with pytest.raises(ShapeMismatch, match="stride has 2 entries for 1 axes"):
        infer("f32[2, 4, 9]", "f32[4, 4, 3]", stride=(1, 1))
    with pytest.raises(ShapeMismatch, match="named twice"):
        infer("f32[2, 4, 9]", "f32[4, 4, 3]", out=(0, 1, 1))
    with pytest.raises(ShapeMismatch, match="has 4 entries for 3 axes"):
        infer("f32[2, 4, 9]", "f32[4, 4, 3, 3]")
    with pytest.raises(TypeMismatch, match="operand 1 is i8"):
        infer("f32[2, 4, 9]", "i8[4, 4, 3]")


# ------------------------------------------------------------------------------ window reductions


@pytest.mark.parametrize("seed", range(80))
def test_window_reductions(seed: int) -> None:
    x, where = random_window_reduction(seed)
    expected, dtype = reduced(x, where)
    found = check(REDUCE_WINDOW, [x], where, rtol=RTOL.get(dtype.name, 0.0))
    close(found, expected, dtype)


@pytest.mark.parametrize("seed", range(1000, 1030))
def test_compiled_window_reductions(seed: int) -> None:
    x, where = random_window_reduction(seed)
    expected, dtype = reduced(x, where)
    graph = graph_of(REDUCE_WINDOW, [TensorType(dtype, x.shape)], where)
    close(compiled(graph)(x)[0], expected, dtype)
    close(run_graph(graph, [x], {}, MACHINES[seed % 3])[0], expected, dtype)


def reduced(x: np.ndarray, where: dict[str, Any]) -> tuple[np.ndarray, ty.DType]:
    dtype = ty.dtype(x.dtype)
    wide = np.float32 if dtype.name in ("f16", "bf16") else dtype.numpy
    with np.errstate(over="ignore"):
        return window_reduction(x, where, wide, identity(where["kind"], dtype)), dtype


def test_symbolic_windows() -> None:
    where = {
        "kind": "max", "window": (1, 3), "stride": (1, 2), "dilation": (1, 1), "low": (0, 1),
        "high": (0, 1),
    }  # fmt: skip
    graph = graph_of(REDUCE_WINDOW, [ty.parse_type("f32[b, n]")], where)
    assert str(graph.results[0].type) == "f32[b, (n - 1)//2 + 1]"
    function = compiled(graph)
    for shape in ((0, 4), (1, 1), (3, 8), (2, 9)):
        x = draw(RNG, TensorType(ty.F32, shape))
        expected, dtype = reduced(x, where)
        close(evaluate(graph, [x])[0], expected, dtype)
        close(function(x)[0], expected, dtype)


def test_windows_outside_hold_the_identity_and_nan_stays() -> None:
    plain = {"window": (2,), "stride": (2,), "dilation": (1,), "low": (2,), "high": (0,)}
    x = np.array([np.nan, 1.0])
    for kind, first in (("max", -np.inf), ("min", np.inf), ("sum", 0.0)):
        found = check(REDUCE_WINDOW, [x], {"kind": kind, **plain})
        np.testing.assert_array_equal(found, [first, np.nan])
    found = check(REDUCE_WINDOW, [np.array([3, 4], np.int8)], {"kind": "max", **plain})
    np.testing.assert_array_equal(found, [-128, 4])


def test_reduce_window_refuses() -> None:
    plain = {"window": (2,), "stride": (1,), "dilation": (1,), "low": (0,), "high": (0,)}

    def infer(text: str, **given: Any) -> Any:
        return REDUCE_WINDOW.infer([ty.parse_type(text)], {"kind": "sum", **plain, **given})

    assert str(infer("f32[n]")) == "f32[n - 1]"
    with pytest.raises(ShapeMismatch, match="the window of axis 0 has extent 0"):
        infer("f32[4]", window=(0,))
    with pytest.raises(ShapeMismatch, match="does not fit window axis 0"):
        infer("f32[2]", window=(4,))
    with pytest.raises(TypeMismatch, match="max does not take"):
        infer("c64[4]", kind="max")
    with pytest.raises(ShapeMismatch, match="low has 2 entries"):
        infer("f32[4]", low=(0, 0))


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_every_dtype(name: str) -> None:
    dtype = DTYPES[name]
    x, w = (draw(RNG, TensorType(dtype, s)) for s in ((1, 2, 6), (3, 2, 3)))
    where = attrs(1, low=(1,), high=(1,))
    wide = {"b": bool, "c": np.complex128, "f": np.float64}.get(dtype.kind, dtype.numpy)
    with np.errstate(over="ignore"):
        expected = convolution(x, w, where, wide)
    close(check(CONV, [x, w], where, rtol=RTOL.get(name, 0.0) * 10), expected, dtype)
    close(compiled(graph_of(CONV, [TensorType(dtype, x.shape), TensorType(dtype, w.shape)], where))(
        x, w)[0], expected, dtype)  # fmt: skip


# ------------------------------------------------------------------------------------------- CUDA


@pytest.mark.skipif(not cuda_cpu.available(), reason="g++ is not on PATH")
def test_cuda() -> None:
    """The kernels of a few convolutions and pools, run on the CPU, threads in both orders."""
    graphs, arguments, expected = [], [], []
    for seed in range(2000, 2016):
        arrays, where = random_convolution(seed)
        graphs.append(
            graph_of(CONV, [TensorType(ty.dtype(a.dtype), a.shape) for a in arrays], where)
        )
        arguments.append(arrays)
        expected.append(reference(arrays, where))
    for seed in range(2000, 2012):
        x, where = random_window_reduction(seed)
        graphs.append(graph_of(REDUCE_WINDOW, [TensorType(ty.dtype(x.dtype), x.shape)], where))
        arguments.append([x])
        expected.append(reduced(x, where))
    printed = [cuda_graphs.graph_kernels(graph) for graph in graphs]
    built = cuda_graphs.build(printed)
    for one, programs, arrays, (values, dtype) in zip(
        printed, built, arguments, expected, strict=True
    ):
        for reverse in (False, True):
            close(cuda_graphs.run(one, programs, arrays, reverse)[0], values, dtype)


def selects(graph: Graph) -> int:
    func = lower(graph, "f").func
    found = (e for s in L.statements(func.body) for x in L.expressions(s) for e in L.walk(x))
    return sum(isinstance(e, L.Select) for e in found)


def test_a_padded_operand_stays_a_load() -> None:
    """The form that the schedule of contractions knows: acc += x[...] (guarded) * w[...]."""
    last = {"lhs": (0, 3, 1, 2), "rhs": (3, 2, 0, 1), "out": (0, 3, 1, 2)}
    for dtype in ("f32", "f16", "i8"):
        types = [ty.parse_type(f"{dtype}[2, 8, 8, 3]"), ty.parse_type(f"{dtype}[3, 3, 3, 4]")]
        assert not selects(graph_of(CONV, types, attrs(2, low=(1, 1), high=(1, 1), **last)))


@pytest.mark.parametrize("value, mapped, expected", [(0, 0, 0), (-0.0, 0, 1), (1, 0, 1), (0, 1, 1)])
def test_only_the_zero_of_a_load_needs_no_select(value: float, mapped: int, expected: int) -> None:
    """A Load whose guard is false is +0; -0 and a map of 0 are other numbers."""
    x = param(ty.parse_type("f64[2, 9]"), "x")
    inside = build.elementwise(lookup("exp"), x) if mapped else x
    edges = {"low": (0, 1), "high": (0, 2), "interior": (0, 0)}
    graph = Graph.of("one", (x,), (PAD(inside, build.full((), value, ty.F64), **edges),))
    assert selects(graph) == expected
    array = draw(RNG, x.type)
    found = run_graph(graph, [array], {}, None)[0]
    assert found.tobytes() == evaluate(graph, [array])[0].tobytes()


def test_the_cards_are_loaded_when_they_are_asked_for() -> None:
    program = """
import sys, graphc
from graphc.opdef import cards, lookup
from graphc.passes import canonicalize
assert not {"graphc.ops.convolution", "graphc.ops.window"} & set(sys.modules)
assert lookup("reduce_window").name == "reduce_window"
assert "graphc.ops.convolution" not in sys.modules
assert {"conv", "reduce_window"} <= {c.name for c in cards()}
"""
    subprocess.run([sys.executable, "-c", program], check=True)
