"""What an entry does, step by step: kernels are launched, and loops and branches around them.

Step   = Launch(kernel, arguments, symbols)
       | Loop(length | (condition, answer), states, slices, before, body, after)
       | Branch(index, arms)
Place  = ("buffer", k)      the entry's k-th buffer: inputs, then results
       | ("arena", offset) | ("kept", offset)        bytes from a block's start
       | ("constant", symbol) | ("table", k)
       | ("local", name)    what a loop around binds: a state, or an element along an axis
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc_runtime.records import dataclass

from ..loops import ir as L

Place = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel call: the places of its buffers, and the symbols that it takes."""

    kernel: str
    arguments: tuple[Place, ...]
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """A state that is read from one place and written to another, in turn.

    `now` and `next` name the two; after the loop the state is at `first`.
    """

    now: str
    next: str
    first: Place
    second: Place
    copy: Launch
    """From `now` to `first`, where the loop ended at the other place."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Element i along the first axis of an array: `name` is at base + i * step_bytes."""

    name: str
    base: Place
    step_bytes: L.Index


@dataclass(frozen=True, slots=True)
class Loop:
    """Runs `before`, then `body` so often as `length` says, or while `condition` leaves true at
    `answer` (at most `limit` times, and not after an error).

    With a length, states begin where they have to, so as to end at `first`.
    """

    turns: tuple[Turn, ...]
    slices: tuple[Slice, ...]
    before: tuple[Step, ...]
    body: tuple[Step, ...]
    length: L.Index | None = None
    reverse: bool = False
    condition: tuple[Step, ...] = ()
    answer: Place | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """Runs the arm that the i64 at `index` says; an index outside is the nearest one."""

    index: Place
    arms: tuple[tuple[Step, ...], ...]


Step = Launch | Loop | Branch


def launches(steps: Sequence[Step]) -> Iterator[Launch]:
    """Every kernel call, inside loops and branches too."""
    for step in steps:
        if isinstance(step, Launch):
            yield step
        elif isinstance(step, Branch):
            for arm in step.arms:
                yield from launches(arm)
        else:
            yield from launches((*step.before, *step.condition, *step.body))
            yield from (turn.copy for turn in step.turns)


def places(steps: Sequence[Step]) -> Iterator[Place]:
    """Every place that the steps name."""
    for step in steps:
        if isinstance(step, Launch):
            yield from step.arguments
        elif isinstance(step, Branch):
            yield step.index
            for arm in step.arms:
                yield from places(arm)
        else:
            for turn in step.turns:
                yield from (turn.first, turn.second, *turn.copy.arguments)
            yield from (one.base for one in step.slices)
            if step.answer is not None:
                yield step.answer
            yield from places((*step.before, *step.condition, *step.body))


def indices(steps: Sequence[Step]) -> Iterator[L.Index]:
    """Every length and stride, which may be symbolic."""
    for step in steps:
        if isinstance(step, Branch):
            for arm in step.arms:
                yield from indices(arm)
        elif isinstance(step, Loop):
            if step.length is not None:
                yield step.length
            yield from (one.step_bytes for one in step.slices)
            yield from indices((*step.before, *step.condition, *step.body))


def looped(steps: Sequence[Step]) -> Iterator[Launch]:
    """The kernel calls that a loop repeats."""
    for step in steps:
        if isinstance(step, Loop):
            yield from launches((*step.condition, *step.body))
        elif isinstance(step, Branch):
            for arm in step.arms:
                yield from looped(arm)
