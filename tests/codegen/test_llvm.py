"""Every card through the whole road:
LLVM's results against the evaluator's, on the card's own samples.
"""

from __future__ import annotations

import numpy as np
import pytest

import graphc.ops  # noqa: F401  importing the cards registers them
from graphc.evaluate import evaluate
from graphc.ir import PARAM
from graphc.opdef import OpDef, cards
from tests.compiled import compiled
from tests.ops.test_cards import one_node, operands
from tests.random_graphs import assert_close, tolerances

CARDS = [c for c in cards() if c is not PARAM and c.name != "fusion"]


@pytest.mark.parametrize("card", CARDS, ids=lambda c: c.name)
def test_card(card: OpDef) -> None:
    count = 0
    for sample in card.samples():
        graph = one_node(card, sample)
        arrays = operands(sample)
        expected = evaluate(graph, arrays)
        actual = compiled(graph)(*(np.ascontiguousarray(a) if a.ndim else a for a in arrays))
        assert_close(actual, expected, tolerances(graph, arrays))
        count += 1
    assert count
