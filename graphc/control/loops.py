"""`scan`, `while_loop`, `fori_loop` and `map`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import pytrees
from ..cell import current_trace, mark
from ..errors import ShapeMismatch, TypeMismatch
from ..ir import Value
from ..locations import refuse
from ..opdef import lookup
from ..opened import Leaves, Opened, leaves_of, name_of, run, trace_of, traced
from ..ops import build
from ..tracer import Tracer
from ..types import BOOL, Dim, Extent, TensorType
from .bodies import Function, as_type, closed, described, nested, refuse_types, serial

MOST_RUNS = 4
"""How often a body is traced until its Python numbers have found their dtypes."""


# -------------------------------------------------------------------------------------- carries


class _Carried:
    """The state of a loop: leaves whose types stay from step to step.

    A leaf that begins as a Python number takes the dtype that the body gives it.
    """

    def __init__(self, what: str, init: Any, name: str):
        self.what, self.leaves = what, leaves_of(init, name)

    def settle(self, returned: Any) -> list[Value] | None:
        """What the body made of the state, in its types; None where these had to be changed, and
        the body has to be run again.
        """
        found = leaves_of(returned, "the new state")
        own = self.leaves
        if found.tree != own.tree:
            refuse(
                f"{self.what}: the state has the structure {own.tree}, and the body returns "
                f"{found.tree}",
                TypeMismatch,
            )
        values: list[Value] = []
        changed = list(own.tracers)
        for k, (old, new, path) in enumerate(
            zip(own.tracers, found.tracers, own.paths, strict=True)
        ):
            value = None if old.weak and not new.weak else as_type(new, old.value.type)
            if value is None:
                changed[k] = self._widened(old, new, path)
                continue
            values.append(value)
        if len(values) < len(changed):
            self.leaves = Leaves(tuple(changed), own.paths, own.tree)
            return None
        return values

    def _widened(self, old: Tracer, new: Tracer, path: str) -> Tracer:
        """The start of a leaf as the body wants it."""
        if old.weak and old.value.shape == new.value.shape:
            first = as_type(old, new.value.type)
            if first is None and new.weak:
                wide = build.result_type(old.value, new.value)
                first = build.cast(old.value, wide) if wide is new.value.dtype else None
            if first is not None:
                return Tracer(trace_of(self.what), first, new.weak)
        return refuse_types(
            self.what, path, described(old), described(new),
            "the state of a loop keeps its types: start with the larger one, or cast what the "
            "body returns",
        )  # fmt: skip


def _opened(
    function: Any, carried: _Carried, others: Sequence[Any], names: Sequence[str], single: Any,
    take: Callable[[Any], tuple[Any, Any]],
) -> tuple[Opened, list[Value], Any]:  # fmt: skip
    """The body run on parameters: the run, its new state, and what else it returned."""
    for _ in range(MOST_RUNS):
        state = nested(carried.leaves, carried.leaves.values)
        args = (state, *others)
        opened = run(function, args, {}, range(len(args)), names, single)
        new, rest = take(opened.returned)
        values = carried.settle(new)
        if values is not None:
            return opened, values, rest
    return refuse(f"{carried.what}: the state changes its types at every step", TypeMismatch)


def _as_tracers(leaves: Leaves, found: Sequence[Value]) -> Any:
    return nested(leaves, found)


def _results(node: Any) -> tuple[Value, ...]:
    return node if isinstance(node, tuple) else (node,)


# ----------------------------------------------------------------------------------------- scan


def scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: Any = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """The last state and the stacked outputs of `state, y = f(state, x)` for every x of xs.

    Args:
        f: takes the state and the elements of xs along their first axis; answers the new state,
            which has the types of the old one, and anything to be stacked.
        init: the first state, nested as you like.
        xs: arrays with one first axis, nested; None: f gets None, and `length` says how often.
        length: the number of steps, where xs does not say it.
        reverse: begins with the last x; the outputs stand in the order of xs.
        unroll: so many steps are written out in one iteration of the loop; True: all of them.

    Source: jax.lax.scan.
    """
    if current_trace() is None:
        return _python_scan(f, init, xs, length, reverse)
    mark()
    row = leaves_of(xs, "xs")
    steps = _length(row, length)
    name = name_of(f)
    if unroll is not True and (not isinstance(unroll, int) or unroll < 1):
        refuse(f"scan of {name}: unroll is {unroll!r}; expected True or a number from 1 on")
    if unroll is True or (isinstance(steps, int) and 1 < steps <= unroll):
        return _written_out(f, init, xs, steps, reverse)
    if unroll > 1:
        return _unrolled(f, init, row, steps, reverse, int(unroll))
    carried, since = _Carried(f"scan of {name}", init, "init"), serial()

    def single(tracer: Tracer, path: str) -> TensorType:
        own = tracer.value.type
        return own.with_shape(own.shape[1:]) if path.startswith("xs") else own

    def take(returned: Any) -> tuple[Any, Any]:
        return _pair(returned, name)

    opened, state, rest = _opened(f, carried, (xs,), ("init", "xs"), single, take)
    ys = leaves_of(rest, "y")
    function = Function(name, opened.params, (*state, *ys.values), since, hoisted=True)
    (body,), captured = closed(function)
    mark()
    made = _results(
        lookup("scan")(
            *carried.leaves.values, *row.values, *captured, body=body, carries=len(state),
            scanned=len(row.tracers), length=steps, reverse=bool(reverse),
        )
    ) if body.results else ()  # fmt: skip
    stacked = nested(ys, made[len(state) :], [False] * len(ys.tracers))
    return _as_tracers(carried.leaves, made[: len(state)]), stacked


def _pair(returned: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        refuse(
            f"scan of {name}: the function has to return a pair (new state, output), not a "
            f"{type(returned).__name__}; an output that is not needed is None"
        )
    return returned[0], returned[1]


def _length(row: Leaves, length: Any) -> Extent:
    """The number of steps."""
    found: Extent | None = None
    if isinstance(length, Tracer):
        known = length.known()
        if known is None:
            refuse("scan: length depends on the arguments; use while_loop, or a static argument")
        length = int(np.asarray(known))
    if length is not None:
        found = length if isinstance(length, Dim) else int(length)
        if isinstance(found, int) and found < 0:
            refuse(f"scan: length is {found}")
    for tracer, path in zip(row.tracers, row.paths, strict=True):
        shape = tracer.value.shape
        if not shape:
            refuse(f"scan: {path} has no axis to go along", ShapeMismatch)
        if found is not None and shape[0] != found:
            refuse(
                f"scan: the first axis of {path}, {tracer.value.type}, is {shape[0]}, and the "
                f"others' (or length) is {found}",
                ShapeMismatch,
            )
        found = shape[0]
    if found is None:
        refuse("scan: xs has no arrays; say how often with length=")
    return found  # type: ignore[return-value]


def _written_out(f: Any, init: Any, xs: Any, steps: Extent, reverse: bool) -> tuple[Any, Any]:
    """All steps one after another, without a loop."""
    if not isinstance(steps, int):
        refuse(f"scan: unroll=True needs a number of steps, and it is {steps}")
    assert isinstance(steps, int)
    if not steps:
        return scan(f, init, xs, length=steps, reverse=reverse)
    state, outputs = init, []
    for k in range(steps):
        i = steps - 1 - k if reverse else k
        one = pytrees.map_leaves(lambda x, i=i: traced(x, "xs")[i], xs)
        state, y = _pair(f(state, one), name_of(f))
        outputs.append(y)
    return state, _stacked(outputs[::-1] if reverse else outputs)


def _stacked(outputs: Sequence[Any]) -> Any:
    """Outputs of the steps, joined along a new first axis leaf by leaf."""
    from .. import numpy as namespace

    rows = [pytrees.flatten(y) for y in outputs]
    each = zip(*(leaves for leaves, _ in rows), strict=True)
    leaves = [namespace.stack([traced(x, "y") for x in one]) for one in each]
    return rows[0][1].unflatten(leaves)


def _unrolled(
    f: Any, init: Any, row: Leaves, steps: Extent, reverse: bool, many: int
) -> tuple[Any, Any]:
    """A loop of `many` steps at a time, and one for those that are left."""
    if not isinstance(steps, int):
        refuse(f"scan: unroll needs a number of steps, and it is {steps}")
    assert isinstance(steps, int)
    whole = steps // many * many
    # the rest comes last: at the end, or at the beginning when the order is reversed
    first = steps - whole if reverse else 0
    main = [t[first : first + whole].reshape(whole // many, many, *t.shape[1:])
            for t in row.tracers]  # fmt: skip
    rest = [t[:first] if reverse else t[whole:] for t in row.tracers]

    def group(state: Any, xs: Any) -> tuple[Any, Any]:
        return _written_out(f, state, xs, many, reverse)

    group.__name__ = name_of(f)
    state, ys = scan(group, init, row.tree.unflatten(main), whole // many, reverse)
    ys = pytrees.map_leaves(lambda y: y.reshape(whole, *y.shape[2:]), ys)
    if whole == steps:
        return state, ys
    state, more = scan(f, state, row.tree.unflatten(rest), steps - whole, reverse)
    return state, _joined(more, ys) if reverse else _joined(ys, more)


def _joined(a: Any, b: Any) -> Any:
    from .. import numpy as namespace

    left, tree = pytrees.flatten(a)
    right, _ = pytrees.flatten(b)
    return tree.unflatten([namespace.concatenate(p) for p in zip(left, right, strict=True)])


def _python_scan(f: Any, init: Any, xs: Any, length: Any, reverse: bool) -> tuple[Any, Any]:
    """Step by step, on real arrays."""
    leaves, tree = pytrees.flatten(xs)
    arrays = [np.asarray(leaf) for leaf in leaves]
    for array in arrays:
        if not array.ndim or (length is not None and array.shape[0] != length):
            raise ShapeMismatch(f"scan: xs has {array.shape}, and the number of steps is {length}")
        length = array.shape[0]
    if length is None:
        raise TypeError("scan: xs has no arrays; say how often with length=")
    if not length:
        raise ValueError(
            "scan of no steps outside of a jitted function: what its outputs would be is not known"
        )
    state, outputs = init, []
    for k in range(length):
        i = length - 1 - k if reverse else k
        state, y = _pair(f(state, tree.unflatten([a[i] for a in arrays])), name_of(f))
        outputs.append(pytrees.flatten(y))
    rows = outputs[::-1] if reverse else outputs
    stacked = [np.stack(one) for one in zip(*(leaves for leaves, _ in rows), strict=True)]
    return state, rows[0][1].unflatten(stacked)


def map(f: Callable[..., Any], xs: Any) -> Any:
    """The outputs of `f(x)` for every x of xs along its first axis, stacked.

    One after another, with the memory of one: `vmap` computes them together. Source: jax.lax.map.
    """

    def step(state: Any, x: Any) -> tuple[Any, Any]:
        return state, f(x)

    step.__name__ = name_of(f)
    return scan(step, None, xs)[1]


# ---------------------------------------------------------------------------------- while, fori


def while_loop(
    cond_fun: Callable[..., Any], body_fun: Callable[..., Any], init_val: Any, *,
    max_steps: int | None = None,
) -> Any:  # fmt: skip
    """The state after `while cond_fun(state): state = body_fun(state)`.

    With max_steps it ends after so many steps at the latest; then reverse mode (grad, vjp) goes
    through it, and remembers so many states. Source: jax.lax.while_loop.
    """
    if max_steps is not None and (type(max_steps) is not int or max_steps < 0):
        raise TypeError(f"while_loop: max_steps is {max_steps!r}; expected a number of steps")
    if current_trace() is None:
        state, steps = init_val, 0
        while (max_steps is None or steps < max_steps) and bool(cond_fun(state)):
            state, steps = body_fun(state), steps + 1
        return state
    mark()
    name = name_of(body_fun)
    carried, since = _Carried(f"while_loop of {name}", init_val, "init_val"), serial()

    def take(returned: Any) -> tuple[Any, Any]:
        return returned, None

    opened, state, _ = _opened(body_fun, carried, (), ("init_val",), None, take)
    first = nested(carried.leaves, carried.leaves.values)
    asked = run(cond_fun, (first,), {}, (0,), ("init_val",))
    answer = predicate(asked.returned, f"the condition {name_of(cond_fun)} of while_loop")
    graphs, captured = closed(
        Function(name_of(cond_fun), asked.params, (answer,), since, hoisted=True),
        Function(name, opened.params, tuple(state), since, hoisted=True),
    )
    mark()
    if not state:
        refuse(f"while_loop of {name}: the state has no arrays, so nothing can end the loop")
    made = lookup("while")(
        *carried.leaves.values, *captured, cond=graphs[0], body=graphs[1], carries=len(state),
        limit=max_steps,
    )  # fmt: skip
    return nested(carried.leaves, _results(made))


def predicate(x: Any, what: str) -> Value:
    """A number as a bool of no axes."""
    value = traced(x, what).value
    if value.shape:
        refuse(
            f"{what} is {value.type}, an array; a choice for each element is np.where, a choice "
            "for all of them is .any() or .all()",
            ShapeMismatch,
        )
    return build.cast(value, BOOL)


def fori_loop(
    lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any, *,
    unroll: int | bool | None = None,
) -> Any:  # fmt: skip
    """The state after `for i in range(lower, upper): state = body_fun(i, state)`.

    Bounds that are known while tracing (numbers, extents) make a loop of so many steps, through
    which reverse mode goes; others make a `while_loop`. Source: jax.lax.fori_loop.
    """
    if current_trace() is None:
        state = init_val
        for i in range(int(lower), int(upper)):
            state = body_fun(i, state)
        return state
    mark()
    first, last = _bound(lower), _bound(upper)
    name = name_of(body_fun)
    if first is not None and last is not None:
        steps = last - first
        if isinstance(steps, int):
            steps = max(steps, 0)

        def step(carry: Any, _: Any) -> tuple[Any, None]:
            i, state = carry
            return (i + 1, body_fun(i, state)), None

        step.__name__ = name
        start = first if isinstance(first, int) else wrapped(first)
        found, _ = scan(step, (start, init_val), None, steps, unroll=unroll or 1)
        return found[1]
    if unroll not in (None, 1):
        refuse(f"fori_loop of {name}: unroll needs bounds that are known while tracing")
    begin, end = _integer(lower, "lower"), _integer(upper, "upper")

    def more(carry: Any) -> Any:
        return carry[0] < end

    def advance(carry: Any) -> Any:
        return carry[0] + 1, body_fun(carry[0], carry[1])

    more.__name__, advance.__name__ = f"{name}_goes_on", name
    return while_loop(more, advance, (begin, init_val))[1]


def wrapped(extent: Extent) -> Tracer:
    """An extent as a Python number of the program."""
    return Tracer(trace_of("an extent"), build.extent(extent), weak=True)


def _bound(x: Any) -> Extent | None:
    """A bound that is known while tracing, or None."""
    if isinstance(x, Tracer):
        node = x.value.node
        if node.op.name == "extent":
            return node.attrs["value"]
        known = x.known()
        return None if known is None or known.ndim else known[()].__index__()
    return x if isinstance(x, Dim) else x.__index__()


def _integer(x: Any, what: str) -> Any:
    tracer = wrapped(x) if isinstance(x, Dim) else traced(x, what)
    if tracer.value.shape or not tracer.value.dtype.is_integer:
        refuse(f"fori_loop: {what} is {tracer.value.type}; expected an integer", TypeMismatch)
    return x if isinstance(x, int) else tracer


__all__ = ["fori_loop", "map", "predicate", "scan", "while_loop"]
