"""Schedules: functions of the step, from 0 on, to a rate. `per_epoch` makes them of the epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import numpy as xp

Schedule = Callable[[Any], Any]


def _float(step: Any) -> Any:
    return xp.asarray(step).astype("float64")


def constant(rate: float) -> Schedule:
    """The same rate at every step."""
    return lambda step: rate


def inverse_time(rate: float, decay: float) -> Schedule:
    """rate / (1 + decay * step): the 1/t decay; Keras's `decay`."""
    return lambda step: rate / (1 + decay * _float(step))


def exponential(base: float, rate: float = 1.0) -> Schedule:
    """rate * base**step."""
    return lambda step: rate * base ** _float(step)


def inverse_sqrt(rate: float, k: float = 1.0) -> Schedule:
    """k / sqrt(step) * rate, from step 1 on; step 0 has the rate of step 1."""
    return lambda step: k / xp.sqrt(xp.maximum(_float(step), 1.0)) * rate


def step_decay(rate: float, k: float, every: int = 1) -> Schedule:
    """The rate is divided by k after every so many steps."""
    return lambda step: rate * float(k) ** -_float(xp.asarray(step) // every)


def piecewise(boundaries: Sequence[int], rates: Sequence[float]) -> Schedule:
    """rates[0] before the step boundaries[0], then rates[1], and so on: one rate more."""
    if len(rates) != len(boundaries) + 1:
        raise ValueError(f"{len(boundaries)} boundaries need {len(boundaries) + 1} rates")

    def schedule(step: Any) -> Any:
        found = xp.asarray(float(rates[0]))
        for boundary, rate in zip(boundaries, rates[1:], strict=True):
            found = xp.where(xp.asarray(step) >= boundary, float(rate), found)
        return found

    return schedule


def linear(start: float, end: float, steps: int) -> Schedule:
    """From start to end in so many steps, and then the end."""
    return lambda step: start + (end - start) * xp.minimum(_float(step) / steps, 1.0)


def cosine(rate: float, steps: int, end: float = 0.0) -> Schedule:
    """From the rate to the end along half a cosine, and then the end.

    Source: Loshchilov and Hutter, SGDR, 2017
    """

    def schedule(step: Any) -> Any:
        done = xp.minimum(_float(step) / steps, 1.0)
        return end + (rate - end) * 0.5 * (1 + xp.cos(math.pi * done))

    return schedule


def warm_up(schedule: Schedule, steps: int, start: float = 0.0) -> Schedule:
    """From `start` to the schedule's first rate in so many steps; then the schedule, from its
    step 0 on.
    """

    def warmed(step: Any) -> Any:
        first = schedule(xp.asarray(0))
        rising = start + (first - start) * (_float(step) / steps)
        later = schedule(xp.maximum(xp.asarray(step) - steps, 0))
        return xp.where(xp.asarray(step) < steps, rising, later)

    return warmed


def per_epoch(schedule: Schedule, steps: int) -> Schedule:
    """A schedule of the epoch, which has so many steps."""
    return lambda step: schedule(xp.asarray(step) // steps)


__all__ = [
    "constant", "cosine", "exponential", "inverse_sqrt", "inverse_time", "linear", "per_epoch",
    "piecewise", "step_decay", "warm_up",
]  # fmt: skip
