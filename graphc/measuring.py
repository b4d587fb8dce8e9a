"""Measures programs against each other: operands of the right shapes, and a race between trials.

Called by `tuning`. It decides nothing.
"""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Callable, Mapping, Sequence

import graphc_runtime
import numpy as np
from graphc_runtime.records import dataclass

from . import compile as road
from . import types as ty
from .types import Extent, TensorType

Trial = Callable[[], object]
"""Runs a program once."""

clock = time.perf_counter
ROUNDS = 7
SAMPLE_SECONDS = 0.001
"""Short programs are run so long for one sample."""
LONG_SECONDS = 0.05
"""What takes so long needs no run to get warm."""
NUMPYS_OFFSET = 16
"""Bytes that NumPy's arrays lie behind a line: loads of whole registers then cross lines."""
FAR_BEHIND, FAIR_ROUNDS = 1.25, 2
"""What takes so much longer than the best after some rounds is not run again."""


# ----------------------------------------------------------------------------------------- operands


def sample(
    type: TensorType, env: Mapping[str, int], strides: Sequence[Extent] = (), offset: int = 0
) -> np.ndarray:
    """An array of a type, `offset` bytes behind a line: floats between 0.5 and 1.5, integers 0 and
    1, which are indices too.

    Units: elements (strides).
    """
    shape = _numbers(type.shape, env)
    steps = _numbers(strides, env) if strides else None
    random = np.random.default_rng(0)
    spans = [0] if steps is None else [(n - 1) * s for n, s in zip(shape, steps, strict=True)]
    low, high = (sum(f(0, span) for span in spans) for f in (min, max))
    size = math.prod(shape) if steps is None else high - low + 1
    dtype = type.dtype.numpy
    block = road._aligned(max(1, size) * dtype.itemsize + offset)[offset:].view(dtype)
    # a period of primes: making random numbers would take longer than the measurement
    some = min(block.size, 65521)
    made = random.random(some) + 0.5 if type.dtype.kind in "fcV" else random.integers(0, 2, some)
    block[...] = np.resize(made.astype(dtype), block.size)
    if steps is None:
        return block[:size].reshape(shape)
    nbytes = tuple(s * dtype.itemsize for s in steps)
    return np.lib.stride_tricks.as_strided(block[-low:], shape, nbytes)


def _numbers(extents: Sequence[Extent], env: Mapping[str, int]) -> tuple[int, ...]:
    found = [ty.substitute(e, dict(env)) for e in extents]
    return tuple(e for e in found if isinstance(e, int))


@dataclass(frozen=True, slots=True)
class Operands:
    """What every trial of one program reads and writes: the same memory, so that all are equal."""

    arrays: tuple[np.ndarray, ...]
    """Parameters, then results."""
    env: Mapping[str, int]
    """The numbers of symbolic extents and strides."""


def trial(lowered: road.Lowered, operands: Operands) -> Trial:
    """Builds and loads a program that runs on the operands."""
    built = road._build(lowered)
    entry, _, keep = road.load_entry(built)
    arena = ty.substitute(built.arena, dict(operands.env))
    assert isinstance(arena, int)
    extents = np.zeros(max(1, len(lowered.plan.slots)), np.int64)
    for name, slot in lowered.plan.slots.items():
        extents[slot] = operands.env[name]
    count = len(operands.arrays)
    buffers = (ctypes.c_void_p * count)(*(a.ctypes.data for a in operands.arrays))
    runtime, owner, workers = graphc_runtime.runtime_pointer()
    block = road._aligned(arena + workers * built.scratch)
    run = ctypes.CFUNCTYPE(ctypes.c_int64, *(ctypes.c_void_p,) * 4)(entry)
    arguments = (ctypes.addressof(buffers), extents.ctypes.data, block.ctypes.data, runtime)
    alive = (keep, operands, buffers, extents, block, owner)

    def once(alive: object = alive) -> int:
        return run(*arguments)

    return once


# --------------------------------------------------------------------------------------------- race


def race(trials: Sequence[Trial], seconds: float) -> list[float]:
    """The least seconds that a run of each took, in rounds that take turns.

    `seconds` bounds the time, but each runs twice at least.
    """
    end = clock() + seconds
    best = [timed(run) for run in trials]  # pages, caches and threads
    if min(best) < LONG_SECONDS:
        best = [timed(run) for run in trials]
    repeats = max(1, min(1000, int(SAMPLE_SECONDS / max(min(best), 1e-9))))
    order = list(range(len(trials)))
    for number in range(ROUNDS):
        limit = FAR_BEHIND * min(best)
        order = [k for k in reversed(order) if number < FAIR_ROUNDS or best[k] <= limit]
        for k in order:
            best[k] = min(best[k], timed(trials[k], repeats))
        if clock() > end:
            break
    return best


def timed(run: Trial, repeats: int = 1) -> float:
    """Seconds of a run."""
    start = clock()
    for _ in range(repeats):
        run()
    return (clock() - start) / repeats
