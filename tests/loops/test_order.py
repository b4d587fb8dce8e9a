"""Loops of a reduction in the order of memory, and loops that are made one."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops.contraction import joined, match
from graphc.loops.flatten import collapse, flatten
from graphc.loops.lower import lower
from graphc.loops.order import in_memory_order
from graphc.loops.schedule import schedule
from graphc.loops.verify import verify
from graphc.types import F32, Dim
from tests.compiled import compiled
from tests.loops.running import MACHINES, run_graph, set_limits
from tests.loops.test_contract import WIDE
from tests.programs import arguments, conv, reduce, tensor
from tests.random_graphs import assert_close, tolerances


def kernel_gradient(batch: int, size: int, inside: int, outside: int, groups: int = 1) -> Graph:
    """As nn.conv_kernel_gradient writes it: the batch is what is summed over last."""
    x, upstream = tensor(F32, batch, size, size, inside), tensor(F32, batch, size, size, outside)
    made = conv(
        x, upstream, low=(1, 1), high=(1, 1), lhs=(3, 0, 1, 2), rhs=(3, 0, 1, 2), out=(2, 3, 0, 1),
        batch_groups=groups,
    )  # fmt: skip
    return Graph.of("f", (x, upstream), (made,))


def nest_of(func: L.LoopFunc) -> L.For:
    (loop,) = (s for s in func.body if isinstance(s, L.For))
    return loop


def test_the_longest_steps_are_outside() -> None:
    func = collapse(flatten(lower(kernel_gradient(5, 6, 20, 30), "f").func))
    before, after = match(nest_of(func)), match(nest_of(in_memory_order(func)))
    assert before is not None and after is not None
    assert [loop.extent for loop in before.reduction] == [6, 6, 5]
    assert [loop.extent for loop in after.reduction] == [5, 6, 6]
    verify(in_memory_order(func), "cpu")


def test_a_sum_over_columns_then_rows_keeps_its_value() -> None:
    x = tensor(F32, 4, 30, 7)
    graph = Graph.of("f", (x,), (reduce(x, "sum", 0, 2), reduce(x, "max", 0, 1)))
    arrays = arguments(graph)
    for machine in MACHINES:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


def test_extents_that_depend_on_each_other_stay() -> None:
    """A triangle has one order."""
    source = L.Buffer("x", F32, (400,), None, "global", "in", 4)
    total = L.Buffer("acc", F32, (1,), None, "register", "temp", 4)
    result = L.Buffer("y", F32, (1,), None, "global", "out", 4)
    i, j = Dim.symbol("i"), Dim.symbol("j")
    add = L.Accumulate(total, (0,), "add", L.Load(source, (i + 20 * j,)))
    nest = L.For("i", 20, "serial", (L.For("j", i + 1, "serial", (add,)),))
    body = (
        L.Alloc(total), L.Store(total, (0,), L.const(0.0, F32)), nest,
        L.Store(result, (0,), L.Load(total, (0,))),
    )  # fmt: skip
    func = L.LoopFunc("f", (source, result), (), body)
    assert in_memory_order(func) == func
    square = L.For("i", 20, "serial", (L.For("j", 20, "serial", (add,)),))
    func = L.LoopFunc("f", (source, result), (), (*body[:2], square, body[3]))
    (turned,) = (s for s in in_memory_order(func).body if isinstance(s, L.For))
    assert turned.var == "j"


def test_slices_and_tasks_are_made_of_several_loops() -> None:
    func = in_memory_order(collapse(flatten(lower(kernel_gradient(5, 30, 20, 30), "f").func)))
    nest = match(nest_of(func))
    assert nest is not None
    names = iter("abcdefgh")
    one = joined(nest, 100, 16, lambda stem: f"{stem}_{next(names)}")
    assert [loop.extent for loop in one.reduction] == [150, 30]
    assert [loop.extent for loop in one.batch] == [9], "3 x 3 places of the kernel"


GRADIENTS = [(3, 4, 6, 17), (2, 3, 3, 16)]


@pytest.mark.parametrize("sizes", GRADIENTS, ids=str)
def test_kernel_gradients(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, int, int, int]
) -> None:
    set_limits(
        monkeypatch,
        SLICE_TERMS=8,
        block_bytes=4000,
        group_bytes=2000,
    )
    graph = kernel_gradient(*sizes)
    arrays = arguments(graph)
    for machine in MACHINES:
        got = run_graph(graph, arrays, {}, machine)
        assert_close(got, evaluate(graph, arrays), tolerances(graph, arrays))


@pytest.mark.parametrize("sizes", [(8, 28, 64, 64), (3, 17, 5, 40)], ids=str)
def test_compiled_kernel_gradients(sizes: tuple[int, int, int, int]) -> None:
    graph = kernel_gradient(*sizes)
    arrays = arguments(graph)
    assert_close(compiled(graph)(*arrays), evaluate(graph, arrays), tolerances(graph, arrays))


def test_the_loops_of_a_depthwise_gradient_are_shared() -> None:
    """3 x 3 places are nine tasks, not three; lanes run along the channels."""
    graph = kernel_gradient(4, 20, 64, 64, groups=64)
    func = verify(schedule(lower(graph, "f"), WIDE).func, "cpu")
    assert nest_of(func).kind == "parallel" and nest_of(func).extent == 9
    arrays = arguments(graph)
    assert_close(compiled(graph)(*arrays), evaluate(graph, arrays), tolerances(graph, arrays))
    assert np.isfinite(compiled(graph)(*arrays)[0]).all()
