"""What an entry does, step by step: kernels are launched, and loops and branches around them, which
are those of `graphc_runtime.steps`.

Step   = Launch(kernel, arguments, symbols) | Loop | Branch
Place  = ("buffer", k)      the entry's k-th buffer: inputs, then results
       | ("arena", offset) | ("kept", offset)        bytes from a block's start
       | ("constant", symbol) | ("table", k)
       | ("local", name)    what a loop around binds: a state, or an element along an axis
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc_runtime import steps as control
from graphc_runtime.records import dataclass
from graphc_runtime.steps import Place, work

from ..loops import ir as L


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel call: the places of its buffers, and the symbols that it takes."""

    kernel: str
    arguments: tuple[Place, ...]
    symbols: tuple[str, ...]


Step = control.Step[Launch, L.Index]
Loop = control.Loop[Launch, L.Index]
Turn = control.Turn[Launch, L.Index]
Row = control.Row[L.Index]
Until = control.Until[Launch, L.Index]
Branch = control.Branch[Launch, L.Index]


def places(steps: Sequence[Step]) -> Iterator[Place]:
    """Every place that the steps name."""
    for step in steps:
        if isinstance(step, Launch):
            yield from step.arguments
        elif isinstance(step, control.Branch):
            yield step.index
            for arm in step.arms:
                yield from places(arm)
        else:
            for turn in step.turns:
                yield from (turn.first, turn.second, *turn.copy.arguments)
            yield from (one.base for one in step.rows)
            if step.until is not None:
                yield step.until.answer
            yield from places((*step.before, *step.repeated))


def indices(steps: Sequence[Step]) -> Iterator[L.Index]:
    """Every length and stride, which may be symbolic."""
    for step in steps:
        if isinstance(step, control.Branch):
            for arm in step.arms:
                yield from indices(arm)
        elif isinstance(step, control.Loop):
            if step.length is not None:
                yield step.length
            yield from (one.step_bytes for one in step.rows)
            yield from indices((*step.before, *step.repeated))


def looped(steps: Sequence[Step]) -> Iterator[Launch]:
    """The kernel calls that a loop repeats."""
    for step in steps:
        if isinstance(step, control.Loop):
            yield from work(step.repeated)
        elif isinstance(step, control.Branch):
            for arm in step.arms:
                yield from looped(arm)
