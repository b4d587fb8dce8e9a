"""The regions as nodes: the only room here that knows `cond`, `while_loop` and `scan`.

A region was run on parameters of its own. The functions that the control-flow ops get replay what
it computed for their parameters, so the user's code runs once however often they call them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..cell import mark
from ..derivatives.replay import Replay
from ..ir import Value, reachable
from ..ops import build
from ..tracer import Tracer
from .region import Region


def replayed(
    values: Sequence[Value], params: Sequence[Value], given: Sequence[Value]
) -> list[Value]:
    """Values of a region with others in the place of its parameters."""
    walk = Replay(values, params, given)
    for _ in walk:
        pass
    return [walk.of(v) for v in values]


def used(values: Sequence[Value], params: Sequence[Value]) -> list[int]:
    """Which of the parameters the values depend on."""
    read = {v for node in reachable(values) for v in node.operands} | set(values)
    return [k for k, p in enumerate(params) if p in read]


def choose(
    region: Region,
    test: Tracer,
    then: Sequence[Value],
    orelse: Sequence[Value],
    params: Sequence[Value],
    contents: Sequence[Value],
) -> list[Value]:
    """`then` where the test holds, `orelse` elsewhere: values of regions on `params`.

    Where nothing is left to compute, it is a choice between values.
    """
    mark()
    if not then:
        return []
    if not _computes([*then, *orelse], params):
        pairs = zip(
            replayed(then, params, contents), replayed(orelse, params, contents), strict=True
        )
        return [a if a is b else build.select(_spread(test, a), a, b) for a, b in pairs]
    from ..control.branches import cond

    kept = used([*then, *orelse], params)
    own = [params[k] for k in kept]
    trace = region.trace

    def branch(values: Sequence[Value], name: str) -> Any:
        def run(*given: Tracer) -> tuple[Tracer, ...]:
            found = replayed(values, own, [t.value for t in given])
            return tuple(Tracer(trace, v) for v in found)

        run.__name__ = name
        return run

    operands = [Tracer(trace, contents[k]) for k in kept]
    found = cond(test, branch(then, "then"), branch(orelse, "orelse"), *operands)
    return [t.value for t in found]


def _spread(test: Tracer, value: Value) -> Value:
    return build.broadcast_to(test.value, value.shape) if value.shape else test.value


def _computes(values: Sequence[Value], params: Sequence[Value]) -> bool:
    """Whether a region does any work of its own for its results."""
    own = set(params)
    return any(v in own for node in reachable(values) for v in node.operands)


@dataclass(slots=True)
class State:
    """One value that a loop carries: its parameter, its start, what a step makes of it."""

    param: Value
    start: Value
    next: Value


def _carried(states: Sequence[State]) -> tuple[list[State], list[State]]:
    """States that a step changes, and those that stay as they are."""
    changing = [s for s in states if s.next is not s.param]
    return changing, [s for s in states if s.next is s.param]


def repeat_while(
    region: Region, going: Value, states: Sequence[State], most: int | None
) -> list[Value]:
    """The states after the loop, in order.

    Args:
        going: whether there is another step, in terms of the parameters.
        most: steps at most, where that is known.
    """
    from ..control.loops import while_loop

    mark()
    changing, staying = _carried(states)
    params = [s.param for s in changing]
    fixed = [s.param for s in staying]
    starts = [s.start for s in staying]
    trace = region.trace

    def again(state: tuple[Tracer, ...]) -> Tracer:
        (found,) = replayed([going], [*params, *fixed], [*(t.value for t in state), *starts])
        return Tracer(trace, found)

    def step(state: tuple[Tracer, ...]) -> tuple[Tracer, ...]:
        given = [*(t.value for t in state), *starts]
        found = replayed([s.next for s in changing], [*params, *fixed], given)
        return tuple(Tracer(trace, v) for v in found)

    again.__name__, step.__name__ = "test", "body"
    first = tuple(Tracer(trace, s.start) for s in changing)
    found = while_loop(again, step, first, max_steps=most) if most else while_loop(
        again, step, first
    )  # fmt: skip
    return _together(states, changing, [t.value for t in found])


def repeat_over(
    region: Region,
    states: Sequence[State],
    rows: Sequence[tuple[Value, Value]],
    length: Any,
    outputs: Sequence[Value],
) -> list[Value]:
    """The states after as many steps as `length`, then the outputs of all steps, stacked.

    Args:
        rows: the parameter that stands for a row, and the array: a step takes a row of each.
    """
    from ..control.loops import scan

    mark()
    changing, staying = _carried(states)
    if not changing and not outputs:
        return [s.start for s in states]
    results = [*(s.next for s in changing), *outputs]
    rows = [rows[k] for k in used(results, [p for p, _ in rows])]
    params = [*(s.param for s in changing), *(s.param for s in staying), *(p for p, _ in rows)]
    starts = [s.start for s in staying]
    trace = region.trace

    def step(state: tuple[Tracer, ...], xs: tuple[Tracer, ...] | None) -> Any:
        given = [*(t.value for t in state), *starts, *(t.value for t in xs or ())]
        found = [Tracer(trace, v) for v in replayed(results, params, given)]
        return tuple(found[: len(changing)]), tuple(found[len(changing) :])

    step.__name__ = "body"
    first = tuple(Tracer(trace, s.start) for s in changing)
    xs = tuple(Tracer(trace, array) for _, array in rows) or None
    found, stacked = scan(step, first, xs, length)
    last = _together(states, changing, [t.value for t in found])
    return [*last, *(t.value for t in stacked)]


def _together(
    states: Sequence[State], changing: Sequence[State], found: Sequence[Value]
) -> list[Value]:
    new = {id(s): v for s, v in zip(changing, found, strict=True)}
    return [new.get(id(s), s.start) for s in states]


__all__ = ["State", "choose", "repeat_over", "repeat_while", "replayed"]
