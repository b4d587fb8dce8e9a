"""Few sums of many terms that read the same memory: the gradient of a depthwise kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops.lower import lower
from graphc.loops.machine import Machine
from graphc.loops.schedule import schedule
from graphc.passes.fuse import fuse
from graphc.types import F32, F64, I32, DType
from tests.compiled import compiled
from tests.loops.running import run_graph
from tests.programs import arguments, op, reduce, tensor
from tests.random_graphs import assert_close, tolerances
from tests.thinned import thinned


def machines(shape: tuple[int, ...], nbytes: int = 4) -> list[Machine]:
    """Those an eighth of whose second cache holds a line of both images, or a whole image if there
    are enough of them.
    """
    images, lines, places, channels = shape
    line = 2 * nbytes * channels * places
    held = (1, lines) if images >= 16 else (1,)
    return [
        Machine(b, r, l2_bytes=8 * line * n)
        for b, r in ((16, 16), (32, 16), (64, 32))
        for n in held
    ]


def gradient(
    shape: tuple[int, int, int, int], size: int, dtype: DType = F32, moved: bool = False
) -> Graph:
    """Of a depthwise kernel of size x size."""
    channels = shape[3]
    spec = graphc.spec(shape, str(dtype))

    @graphc.jit
    def f(x: Any, g: Any) -> Any:
        found = nn.conv_kernel_gradient(
            x, g, (size, size, 1, channels), padding="same", groups=channels
        )
        return found.transpose(0, 1, 3, 2) if moved else found

    return f.trace(spec, spec).graph


def in_parts(graph: Graph, machine: Machine) -> bool:
    """Whether the sums were cut into parts."""
    (node,) = fuse(graph).nodes
    func = schedule(lower(node.attrs["body"], "f"), machine).func
    return any(p.name.startswith("part") for p in func.params)


SHAPES = [(3, 6, 7, 8), (2, 9, 5, 13), (35, 2, 3, 8), (67, 1, 4, 9)]


@pytest.mark.parametrize("shape, size", thinned([(s, n) for n in (2, 3) for s in SHAPES], 3))
def test_depthwise_gradients(shape: tuple[int, int, int, int], size: int) -> None:
    """More images than parts, parts of two images, and a last part of one."""
    graph = gradient(shape, size)
    arrays = arguments(graph)
    for machine in machines(shape):
        assert in_parts(graph, machine)
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))
    assert_close(compiled(graph)(*arrays), evaluate(graph, arrays), tolerances(graph, arrays))


def test_an_axis_of_one_behind_the_channels() -> None:
    """As TensorFlow's kernels have it: what is stored is a loop of one iteration."""
    graph = gradient((3, 6, 7, 8), 3, moved=True)
    arrays = arguments(graph)
    for machine in machines((3, 6, 7, 8)):
        assert in_parts(graph, machine)
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


@pytest.mark.parametrize("dtype", [F64, I32], ids=str)
def test_dtypes(dtype: DType) -> None:
    graph = gradient((3, 6, 7, 8), 3, dtype)
    arrays = arguments(graph)
    machine, *_ = machines((3, 6, 7, 8), dtype.nbytes)
    assert in_parts(graph, machine)
    got = run_graph(graph, arrays, {}, machine)
    assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


def test_maxima_and_what_follows() -> None:
    """Any reduction whose parts can be joined; what follows it is done once."""
    x, scale = tensor(F32, 1, 6, 5, 7, 16), tensor(F32, 3, 1, 1, 1, 1, name="scale")
    value = op("exp", op("neg", reduce(op("mul", x, scale), "max", 1, 2, 3)))
    graph = Graph.of("f", (x, scale), (value,))
    arrays = arguments(graph)
    for machine in (Machine(64, 32, l2_bytes=4000), Machine(32, 16, l2_bytes=4000)):
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


def test_nan_and_infinity_pass_through() -> None:
    graph = gradient((3, 6, 7, 8), 3)
    arrays = arguments(graph)
    arrays[0][1, 2, 3, 4], arrays[1][2, 4, 6, 7] = np.nan, np.inf
    got = run_graph(graph, arrays, {}, machines((3, 6, 7, 8))[0])
    np.testing.assert_array_equal(np.isfinite(got[0]), np.isfinite(evaluate(graph, arrays)[0]))


def test_what_stays_in_the_caches_is_left() -> None:
    assert not in_parts(gradient((3, 6, 7, 8), 3), Machine(64, 32))
    assert in_parts(gradient((32, 56, 56, 64), 3), Machine(64, 32))
    assert not in_parts(gradient((2, 56, 56, 4), 3), Machine(64, 32, l2_bytes=9000)), "few lanes"


def test_the_order_of_parts_is_fixed() -> None:
    """The workers' loop writes parts, which are added in order behind it."""
    func = schedule(lower(gradient((64, 56, 56, 64), 3), "f"), Machine(64, 32)).func
    shared = [s for s in func.body if isinstance(s, L.For) and s.kind == "parallel"]
    assert len(shared) == 1 and shared[0].extent == 32
    (part,) = (p for p in func.params if p.name.startswith("part"))
    assert part.shape == (32 * 9 * 64,)
