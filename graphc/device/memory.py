"""memory: what a call asks the device for, in words, with the user's lines.

Called by loaded.py where the device has not so much: it is told which result, or of a call's
temporaries, which lie in one block, the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from graphc_runtime.gpu_steps import Launch
from graphc_runtime.steps import Branch, Loop

from .. import types as ty
from ..types import Extent
from .kernels import line_of
from .plan import DevicePlan
from .steps import Product, Step


def result(plan: DevicePlan, k: int) -> str:
    """The k-th result of a program."""
    results = plan.graph.results
    return f"result {k} of {len(results)}{_at(line_of(results[k].node))}"


def temporaries(plan: DevicePlan, number: Callable[[Extent], int]) -> str:
    """The temporaries of a program. `number` gives an extent's value in the call."""
    sizes = [(number(nbytes), line) for nbytes, line in _temporaries(plan.steps)]
    nbytes, line = max(sizes, key=lambda one: one[0], default=(0, ""))  # the first: who writes it
    return f"temporaries, the largest of {nbytes} bytes{_at(line)}" if nbytes else "temporaries"


def _at(line: str) -> str:
    return f" ({line})" if line else ""


def _temporaries(of: Sequence[Step]) -> Iterator[tuple[Extent, str]]:
    """The bytes of what lies in the arena, with the lines of what reads or writes it, in order."""
    for step in of:
        if isinstance(step, Loop):
            for turn in step.turns:
                if "arena" in (turn.first[0], turn.second[0]):
                    copy = turn.copy
                    yield turn.nbytes, copy.line if isinstance(copy, Launch) else ""
            yield from _temporaries((*step.before, *step.repeated))
        elif isinstance(step, Branch):
            for arm in step.arms:
                yield from _temporaries(arm)
        elif isinstance(step, Product):
            matrices = step.shape.left, step.shape.right, step.shape.result
            for matrix, place in zip(matrices, step.places, strict=True):
                if place[0] == "arena":
                    yield _nbytes(matrix.buffer.shape, matrix.buffer.dtype.nbytes), step.line
        elif isinstance(step, Launch):
            buffers = [one for one in step.kernel.params if not isinstance(one, str)]
            for buffer, place in zip(buffers, step.buffers, strict=True):
                if place[0] == "arena":
                    yield _nbytes(buffer.shape, buffer.dtype.nbytes), step.line


def _nbytes(shape: Sequence[Extent], itemsize: int) -> Extent:
    return ty.product(shape) * itemsize
