"""What a program does, step by step: things that are launched, and loops and choices around them.

    Step = L | Loop(length | until, turns, rows, before, body) | Branch(index, arms)

`L` is what is launched: a kernel of the processor (graphc/codegen/steps.py), a kernel of a GPU or a
copy there (gpu_steps.py). `E` is an extent: a number, or what gives one in a call. A place is where
a buffer begins; who makes the steps says of which kinds they are, and here one kind is known:
("local", name) is what a loop around has bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar, Union, cast

from .records import dataclass

L = TypeVar("L", covariant=True)
E = TypeVar("E", covariant=True)

Place = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Turn(Generic[L, E]):
    """A state of `nbytes`, read at the place named `now` and written at `next`, which change places
    with each iteration. After the loop it is at `first`.
    """

    now: str
    next: str
    first: Place
    second: Place
    copy: L
    """From `now` to `first`, where the loop ended at the other place."""
    nbytes: E


@dataclass(frozen=True, slots=True)
class Row(Generic[E]):
    """Element i along the first axis of an array: `name` is at base + i * step_bytes."""

    name: str
    base: Place
    step_bytes: E


@dataclass(frozen=True, slots=True)
class Until(Generic[L, E]):
    """What ends a loop: `steps` leave at `answer` (a bool) whether there is another iteration, of
    which there are at most `limit`. `count` is for a device to count them (an i64).
    """

    steps: tuple[Step[L, E], ...]
    answer: Place
    limit: int | None
    count: Place | None = None


@dataclass(frozen=True, slots=True)
class Loop(Generic[L, E]):
    """Runs `before`, then `body` so often as `length` says, or as `until` says.

    With a length, states begin where they have to, so as to end at `first`.
    """

    turns: tuple[Turn[L, E], ...]
    rows: tuple[Row[E], ...]
    before: tuple[Step[L, E], ...]
    body: tuple[Step[L, E], ...]
    length: E | None = None
    reverse: bool = False
    until: Until[L, E] | None = None

    @property
    def repeated(self) -> tuple[Step[L, E], ...]:
        """What an iteration runs: what asks whether there is one, and the body."""
        return (*(() if self.until is None else self.until.steps), *self.body)


@dataclass(frozen=True, slots=True)
class Branch(Generic[L, E]):
    """Runs the arm that the i64 at `index` says; an index outside is the nearest one."""

    index: Place
    arms: tuple[tuple[Step[L, E], ...], ...]


Step = Union[L, Loop[L, E], Branch[L, E]]  # noqa: UP007 (`|` would lose the parameters)


def work(steps: Sequence[Step[L, E]]) -> Iterator[L]:
    """Everything that is launched, inside loops and branches too."""
    for step in steps:
        if isinstance(step, Branch):
            for arm in step.arms:
                yield from work(arm)
        elif isinstance(step, Loop):
            loop = cast("Loop[L, E]", step)
            yield from work((*loop.before, *loop.repeated))
            yield from (turn.copy for turn in loop.turns)
        else:
            yield cast("L", step)


def decides(steps: Sequence[Step[L, E]]) -> bool:
    """Whether what is launched depends on what kernels find."""
    return any(
        isinstance(step, Branch)
        or (
            isinstance(step, Loop)
            and (step.until is not None or decides((*step.before, *step.body)))
        )
        for step in steps
    )
