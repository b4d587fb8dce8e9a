"""The schedules that are measured: all of them, and any other Choice, are right."""

from __future__ import annotations

import random
from typing import Any

import pytest

from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import shapes
from graphc.loops.candidates import Kernel
from graphc.loops.choice import ESTIMATE, LIMITS, WORDS, Choice
from graphc.loops.lower import lower
from graphc.loops.machine import Machine
from graphc.loops.schedule import schedule_for
from graphc.loops.verify import verify
from graphc.types import F32, F64, I8, I32, Dim
from tests.loops.running import run
from tests.loops.test_contract import product
from tests.loops.test_few_rows import small_image
from tests.programs import arguments, dot, op, tensor
from tests.random_graphs import assert_close, tolerances
from tests.thinned import thinned

MACHINES = (
    Machine(16, 16, dots=frozenset({"dot_i16"})),
    Machine(64, 32, dots=frozenset({"dot_i16", "dot_u8_i8", "dot_bf16"})),
)


def batched() -> Graph:
    a, b = tensor(F32, 3, 9, 20), tensor(F32, 3, 20, 18, name="b")
    return Graph.of("f", (a, b), (dot(a, b, ((2,), (1,)), 1),))


def integers() -> Graph:
    a, b = tensor(I8, 13, 21), tensor(I8, 21, 18, name="b")
    return Graph.of("f", (a, b), (dot(op("cast", a, dtype=I32), op("cast", b, dtype=I32)),))


def exponential() -> Graph:
    x = tensor(F64, 70)
    return Graph.of("f", (x,), (op("exp", x),))


GRAPHS = {
    "product": product(17, 12, 33),
    "deep": product(8, 140, 16),
    "f64": product(13, 40, 18, F64, left=True),
    "transposed": product(13, 40, 18, right=True),
    "rows of any number": product(Dim.symbol("n"), 20, 40),
    "batched": batched(),
    "integers": integers(),
    "image": small_image(1, 5, 3, 33),
    "map": exponential(),
}


def assert_right(graph: Graph, machine: Machine, choices: list[Choice]) -> None:
    """Every choice gives loops that verify, and the values of the graph."""
    env = {"n": 19} if graph.symbols else {}
    arrays = arguments(graph, env)
    wanted, limits = evaluate(graph, arrays), tolerances(graph, arrays)
    naive = lower(graph, "f")
    seen: list[Any] = []
    for choice in choices:
        made = schedule_for(naive, machine, (), choice).main
        if made.func in seen:
            continue
        seen.append(made.func)
        verify(made.func, "cpu")
        assert_close(run(made, arrays, graph.results, env), wanted, limits)


EACH = [(name, machine) for machine in MACHINES for name in GRAPHS]


@pytest.mark.parametrize("name, machine", thinned(EACH))
def test_every_candidate_is_right(name: str, machine: Machine) -> None:
    graph = GRAPHS[name]
    kernel = Kernel(lower(graph, "f"), machine, ())
    choices = [c for step in kernel.steps() for c in kernel.candidates(step, ESTIMATE)]
    assert choices or name == "map"
    assert_right(graph, machine, choices)


@pytest.mark.parametrize("name, machine", thinned(EACH, first=1))
def test_any_choice_is_right(name: str, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry of the cache may say anything that parses."""
    monkeypatch.setattr(shapes, "SUM_TERMS", 8)
    random_ = random.Random(name)
    choices = [
        Choice(
            **{k: random_.choice((0, 1, 2, n // 2, n)) for k, n in LIMITS.items()},
            **{k: random_.choice(words) for k, words in WORDS.items()},
        )
        for _ in range(8)
    ]
    assert_right(GRAPHS[name], machine, choices)


@pytest.mark.parametrize("machine", MACHINES, ids=["narrow", "wide"])
@pytest.mark.parametrize("name", ["product", "f64", "integers", "image"])
def test_candidates_keep_their_tiles_in_registers(name: str, machine: Machine) -> None:
    kernel = Kernel(lower(GRAPHS[name], "f"), machine, ())
    shapes_ = set()
    for choice in kernel.candidates(kernel.tiles, ESTIMATE):
        blocks = kernel.scheduled(choice).blocks
        assert blocks is not None
        nest, shape = blocks.nest, blocks.shape
        width = shape.lanes // shape.vector
        assert (width, shape.height) == (choice.width, choice.height)
        used = len(nest.sums) * width * shape.height + len(nest.column_operands) * width
        assert used + len(nest.row_operands) <= machine.registers
        shapes_.add((width, shape.height))
        assert not shape.pack_rows or choice.rows != "in place"
    assert len(shapes_) >= 2


def test_slices_of_floats_only_become_shorter() -> None:
    for dtype, most in ((F32, shapes.SUM_TERMS), (I32, 4096)):
        kernel = Kernel(lower(product(64, 8192, 64, dtype), "f"), MACHINES[1], ())
        found = []
        for choice in (*kernel.candidates(kernel.slices, ESTIMATE), Choice(terms=4096)):
            blocks = kernel.scheduled(choice).blocks
            assert blocks is not None
            found.append(blocks.shape.slice)
        assert (min(found), max(found)) == (128, min(most, 373 if dtype is F32 else most))


def test_a_candidate_is_named_once() -> None:
    kernel = Kernel(lower(product(64, 900, 64), "f"), MACHINES[1], ())
    seen = [ESTIMATE]
    for step in kernel.steps():
        for choice in kernel.candidates(step, ESTIMATE):
            assert choice not in seen
            seen.append(choice)
    assert len({str(c) for c in seen}) == len(seen) > 6


def test_choices_print_and_come_back() -> None:
    full = Choice(2, 14, "once", "packed", 4, 192, "columns", 2)
    assert str(full) == (
        "tile of 14 rows x 2 registers, columns packed, rows packed, blocks of 4 tiles, slices of "
        "192 terms, workers share columns, 2 registers of lanes"
    )
    assert str(ESTIMATE) == "the estimate" and ESTIMATE.as_meta() == {}
    assert Choice.from_meta(full.as_meta()) == full
    for wrong in (None, 3, {"width": 5}, {"height": -1}, {"terms": 1.0}, {"share": "all"},
                  {"more": 1}, {"lanes": True}, {"rows": ["packed"]}):  # fmt: skip
        assert Choice.from_meta(wrong) is None
