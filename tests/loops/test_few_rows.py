"""Contractions of few rows: lines of small images together, and workers that share the columns."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops import shapes
from graphc.loops.contraction import match, with_more_rows
from graphc.loops.flatten import collapse, flatten
from graphc.loops.lower import lower
from graphc.loops.schedule import schedule, schedule_for
from graphc.loops.verify import verify
from graphc.ops import build
from graphc.types import F32, F64
from tests.compiled import compiled
from tests.loops.running import MACHINES, run_graph, set_limits
from tests.loops.test_contract import WIDE, product
from tests.programs import arguments, conv, dot, op, tensor
from tests.random_graphs import assert_close, tolerances


def small_image(batch: int, size: int, inside: int, outside: int, step: int = 1) -> Graph:
    """A 3x3 convolution of images of a few lines, and what follows it."""
    x = tensor(F32, batch, size, size, inside)
    kernel = tensor(F32, 3, 3, inside, outside, name="kernel")
    bias = tensor(F32, outside, name="bias")
    made = conv(x, kernel, stride=(step, step), low=(1, 1), high=(1, 1))
    biased = op("add", made, build.broadcast_to(bias, made.shape))
    return Graph.of("f", (x, kernel, bias), (op("max", biased, 0.0),))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Small things are treated as large ones are."""
    set_limits(
        monkeypatch,
        MANY_COLUMNS=16,
        in_place_bytes=0,
        DENSE_BYTES=0,
        SLICE_TERMS=8,
        wide_block_bytes=3000,
        group_bytes=4000,
    )
    return monkeypatch


IMAGES = [(1, 5, 4, 32, 1), (2, 3, 3, 40, 1), (3, 7, 2, 70, 2), (1, 1, 4, 33, 1), (2, 9, 5, 16, 2)]


@pytest.mark.parametrize("sizes", IMAGES, ids=str)
def test_small_images(few: pytest.MonkeyPatch, sizes: tuple[int, int, int, int, int]) -> None:
    graph = small_image(*sizes)
    arrays = arguments(graph)
    for machine in MACHINES:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


@pytest.mark.parametrize("sizes", IMAGES, ids=str)
def test_compiled_small_images(sizes: tuple[int, int, int, int, int]) -> None:
    graph = small_image(sizes[0], sizes[1], 8 * sizes[2], 8 * sizes[3], sizes[4])
    arrays = arguments(graph)
    got = compiled(graph)(*arrays)
    assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


@pytest.mark.parametrize("sizes", [(9, 20, 40), (30, 17, 33), (31, 40, 70), (60, 8, 200)], ids=str)
@pytest.mark.parametrize("right", [False, True], ids=["columns", "right.T"])
@pytest.mark.parametrize("conflicts", [False, True], ids=["rows in place", "rows packed"])
def test_workers_share_the_columns(
    few: pytest.MonkeyPatch, sizes: tuple[int, int, int], right: bool, conflicts: bool
) -> None:
    few.setattr(shapes, "conflicts", lambda *_: conflicts)
    graph = product(*sizes, dtype=F64, right=right)
    arrays = arguments(graph)
    for machine in MACHINES:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


def test_the_lines_of_a_small_image_are_rows_together() -> None:
    func = collapse(flatten(lower(small_image(1, 7, 64, 512), "f").func))
    (loop,) = (s for s in func.body if isinstance(s, L.For))
    nest = match(loop)
    assert nest is not None and nest.rows.extent == 7 and len(nest.batch) == 1
    joined = with_more_rows(nest, 12, lambda stem: f"{stem}_1")
    assert joined.rows.extent == 49 and not joined.batch
    assert with_more_rows(nest, 7, lambda stem: stem) is nest, "they are enough"


def test_rows_are_not_joined_where_columns_differ() -> None:
    """Each product of a batch has columns of its own."""
    a, b = tensor(F32, 20, 5, 30), tensor(F32, 20, 30, 64, name="b")
    graph = Graph.of("f", (a, b), (dot(a, b, ((2,), (1,)), 1),))
    func = collapse(flatten(lower(graph, "f").func))
    (loop,) = (s for s in func.body if isinstance(s, L.For))
    nest = match(loop)
    assert nest is not None and nest.rows.extent == 5
    assert with_more_rows(nest, 12, lambda stem: stem) is nest


def test_weights_pass_few_rows_once() -> None:
    """The loops at the top share groups of panels; each runs through all rows."""
    func = verify(schedule(lower(product(100, 512, 2048), "f"), WIDE).func, "cpu")
    loops = [s for s in func.body if isinstance(s, L.For)]
    assert [s.kind for s in loops] == ["parallel", "parallel"], "packing, then the groups"
    assert loops[1].extent == 8
    constant = schedule_for(lower(product(100, 512, 2048), "f"), WIDE, ("x1",))
    assert len(constant.main.func.body) == 1, "packed when the code is loaded"


def test_bits_do_not_depend_on_threads() -> None:
    import graphc_runtime

    graph = small_image(2, 7, 64, 512)
    arrays = arguments(graph)
    function, before = compiled(graph), graphc_runtime.get_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            graphc_runtime.set_threads(threads)
            found.append(np.asarray(function(*arrays)[0]).tobytes())
    finally:
        graphc_runtime.set_threads(before)
    assert found[0] == found[1] == found[2]
