"""Schedules against their formulas, at numbers and traced."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.optim import schedules

CASES: dict[str, tuple[Any, Any]] = {
    "constant": (schedules.constant(0.1), lambda t: 0.1),
    "inverse_time": (schedules.inverse_time(0.1, 0.5), lambda t: 0.1 / (1 + 0.5 * t)),
    "exponential": (schedules.exponential(0.95), lambda t: 0.95**t),
    "exponential of a rate": (schedules.exponential(0.95, 0.1), lambda t: 0.1 * 0.95**t),
    "inverse_sqrt": (schedules.inverse_sqrt(0.1, 2.0), lambda t: 2 / math.sqrt(max(t, 1)) * 0.1),
    "step_decay": (schedules.step_decay(0.1, 2), lambda t: 0.1 / 2**t),
    "step_decay in threes": (schedules.step_decay(0.1, 2, 3), lambda t: 0.1 / 2 ** (t // 3)),
    "piecewise": (
        schedules.piecewise([2, 5], [1.0, 0.5, 0.1]),
        lambda t: 1 if t < 2 else 0.5 if t < 5 else 0.1,
    ),
    "linear": (schedules.linear(1.0, 0.0, 4), lambda t: max(1 - t / 4, 0)),
    "cosine": (
        schedules.cosine(1.0, 6, 0.1),
        lambda t: 0.1 + 0.45 * (1 + math.cos(math.pi * min(t / 6, 1))),
    ),
    "warm_up": (
        schedules.warm_up(schedules.inverse_time(0.8, 1.0), 4),
        lambda t: 0.2 * t if t < 4 else 0.8 / (1 + t - 4),
    ),
    "per_epoch": (
        schedules.per_epoch(schedules.exponential(0.5), 3), lambda t: 0.5 ** (t // 3)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_schedules(name: str) -> None:
    schedule, formula = CASES[name]
    compiled = graphc.jit(lambda t: schedule(t))
    for t in range(9):
        for found in (schedule(t), schedule(np.int64(t)), compiled(np.array(t))):
            assert float(found) == pytest.approx(formula(t), rel=1e-12, abs=1e-15)


def test_piecewise_needs_one_rate_more() -> None:
    with pytest.raises(ValueError, match="2 boundaries need 3 rates"):
        schedules.piecewise([1, 2], [0.1, 0.2])
