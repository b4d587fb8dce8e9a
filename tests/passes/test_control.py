"""passes/control.py"""

from __future__ import annotations

import numpy as np

from graphc.evaluate import evaluate
from graphc.ir import Graph, Value, param
from graphc.opdef import lookup
from graphc.passes.control import control
from graphc.types import F64, TensorType
from graphc.verify import verify

ROW = TensorType(F64, (3,))


def test_an_operand_that_stands_twice_and_is_needed_the_second_time() -> None:
    """The first one, which nothing read, was taken for it (found by `tests.fuzz --control`)."""
    state, first, second = (param(ROW, name) for name in ("state", "first", "second"))
    body = Graph.of("body", (state, first, second), (lookup("add")(state, second),))
    x, v = param(ROW, "x"), param(ROW, "v")
    made: Value = lookup("scan")(
        x, v, v, body=body, carries=1, scanned=0, length=4, reverse=False
    )  # fmt: skip
    graph = Graph.of("f", (x, v), (made,))
    found = control(graph)
    verify(found)
    assert len(found.nodes[0].operands) == 2
    arrays = (np.ones(3), np.arange(3.0))
    np.testing.assert_array_equal(evaluate(found, arrays)[0], [1, 5, 9])
