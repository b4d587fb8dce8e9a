"""Functions with derivatives of their own (`custom_jvp`, `custom_vjp`), and functions that reverse
mode computes again (`checkpoint`).

Called outside a trace they are the plain function. Inside, each call is one node whose sub-graphs
are the function and its rules.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from .. import pytrees
from ..captures import Captures
from ..cell import current_trace
from ..derivatives.split import closed
from ..errors import TraceError
from ..ir import Value
from ..locations import refuse
from ..opdef import OpDef
from ..ops import build
from ..ops.calls import CHECKPOINT, CUSTOM_JVP, CUSTOM_VJP, Rule
from ..tracer import Tracer
from .opened import Leaves, Opened, leaves_of, name_of, names_of, run, trace_of


def _called(rule: Any, *args: Any) -> Any:
    """What a rule that the user wrote answers; it sees traced constants as a function does."""
    return Captures(trace_of(name_of(rule))).function(rule)(*args)


def _wrapped(leaves: Leaves, node: Any) -> Any:
    """The results of a node, nested and weak as the function's own."""
    values = node if isinstance(node, tuple) else (node,)
    trace = trace_of("a call")
    row = [Tracer(trace, v, t.weak) for v, t in zip(values, leaves.tracers, strict=True)]
    return leaves.tree.unflatten(row)


class _Custom:
    """A function of which some arguments (`nondiff_argnums`) are part of the program."""

    def __init__(self, function: Callable[..., Any], nondiff_argnums: Sequence[int]):
        functools.update_wrapper(self, function)
        self.function = function
        self.nondiff = tuple(nondiff_argnums)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current_trace() is None:
            return self.function(*args, **kwargs)
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            refuse(f"{name_of(self.function)} has arguments that are given by name only")
        return self._node(bound.args)

    def _node(self, args: Sequence[Any]) -> Any:
        raise NotImplementedError

    def _split(self, args: Sequence[Any]) -> tuple[list[Any], Opened]:
        """The arguments that are part of the program, and a run on parameters for the others."""
        smooth = [k for k in range(len(args)) if k not in self.nondiff]
        names = names_of(self.function, args)
        opened = run(self.function, args, {}, smooth, [names[k] for k in smooth])
        return [args[k] for k in self.nondiff], opened


def _renested(leaves: Sequence[Leaves], values: Sequence[Value]) -> list[Any]:
    """Values nested as the arguments are."""
    trace, rest = trace_of("a rule"), iter(values)
    return [
        one.tree.unflatten([Tracer(trace, next(rest), t.weak) for t in one.tracers])
        for one in leaves
    ]


def _node(card: OpDef, name: str, opened: Opened, result: Leaves, rule: Rule) -> Any:
    """The call as a node, and its results nested as the function's."""
    body, captured = closed(name, opened.params, result.values)
    count = len(opened.params)
    return _wrapped(result, card(*opened.primals, *captured, body=body, rule=rule, count=count))


def _matching(found: Any, like: Leaves, what: str) -> list[Value]:
    """The derivatives that a rule returned, of the types of what they belong to; only smooth ones.

    Raises:
        TraceError: where the structure or a type is another.
    """
    own = leaves_of(found, what)
    if own.tree != like.tree:
        refuse(f"{what} has the structure {own.tree}; expected {like.tree}")
    row = []
    for tracer, other, path in zip(own.tracers, like.tracers, own.paths, strict=True):
        value, wanted = tracer.value, other.value.type
        if wanted.dtype.kind not in "fc":
            continue
        if tracer.weak:
            value = build.broadcast_to(build.cast(value, wanted.dtype), wanted.shape)
        if value.type != wanted:
            refuse(f"{path} is {value.type}; expected {wanted}")
        row.append(value)
    return row


class CustomJvp(_Custom):
    """A function with a forward rule of its own."""

    rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Sets the rule: `rule(primals, tangents)` answers (result, tangent of the result).

        Arguments of `nondiff_argnums` come before the two tuples. The tangent must be linear in the
        tangents: reverse mode transposes it.
        """
        self.rule = rule
        return rule

    def _node(self, args: Sequence[Any]) -> Any:
        name = name_of(self.function)
        if self.rule is None:
            refuse(f"{name} is a custom_jvp function without a rule; write @{name}.defjvp")
        rule = self.rule
        static, opened = self._split(args)
        result = leaves_of(opened.returned, "result")

        def make(primals: Sequence[Value], tangents: Sequence[Value]) -> list[Value]:
            moved = tuple(_renested(opened.given, tangents))
            answer = _called(rule, *static, tuple(_renested(opened.given, primals)), moved)
            if not isinstance(answer, tuple) or len(answer) != 2:
                refuse(f"the rule of {name} has to return (result, tangent)")
            return _matching(answer[1], result, f"the tangent that the rule of {name} returns")

        return _node(CUSTOM_JVP, name, opened, result, Rule(name_of(rule), make))


class CustomVjp(_Custom):
    """A function with a reverse rule of its own."""

    forward: Callable[..., Any] | None = None
    backward: Callable[..., Any] | None = None

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Sets the rules.

        `forward(*args)` answers (result, what to remember), and `backward(remembered, cotangent)` a
        tuple with a cotangent for each argument (None: zero). Arguments of `nondiff_argnums` come
        first in `backward`, and get no cotangent.
        """
        self.forward, self.backward = forward, backward

    def _node(self, args: Sequence[Any]) -> Any:
        name = name_of(self.function)
        if self.forward is None or self.backward is None:
            refuse(f"{name} is a custom_vjp function without rules; write {name}.defvjp(fwd, bwd)")
        forward, backward = self.forward, self.backward
        static, opened = self._split(args)
        result = leaves_of(opened.returned, "result")

        def make(primals: Sequence[Value], cotangents: Sequence[Value]) -> list[Value | None]:
            rest = iter(_renested(opened.given, primals))
            inside = [a if k in self.nondiff else next(rest) for k, a in enumerate(args)]
            answer = _called(forward, *inside)
            if not isinstance(answer, tuple) or len(answer) != 2:
                refuse(f"the forward rule of {name} has to return (result, what to remember)")
            (given,) = _renested([result], cotangents)
            return self._cotangents(_called(backward, *static, answer[1], given), opened)

        return _node(CUSTOM_VJP, name, opened, result, Rule(name_of(backward), make))

    def _cotangents(self, given: Any, opened: Opened) -> list[Value | None]:
        name = name_of(self.function)
        if not isinstance(given, (tuple, list)) or len(given) != len(opened.given):
            refuse(
                f"the backward rule of {name} has to return a tuple of {len(opened.given)} "
                "cotangents, one for each argument"
            )
        found: list[Value | None] = []
        for k, (one, like) in enumerate(zip(given, opened.given, strict=True)):
            if one is None:
                found += [None] * len(like.tracers)
                continue
            row = iter(_matching(one, like, f"cotangent {k} of {name}"))
            found += [next(row) if v.dtype.kind in "fc" else None for v in like.values]
        return found


def custom_jvp(
    function: Callable[..., Any] | None = None, *, nondiff_argnums: Sequence[int] = ()
) -> Any:
    """A function whose derivative is given by `defjvp`, for both modes.

    @graphc.custom_jvp
    def f(x): ...

    @f.defjvp
    def f_jvp(primals, tangents):
        (x,), (dx,) = primals, tangents
        return f(x), 2 * x * dx
    """
    if function is None:
        return functools.partial(custom_jvp, nondiff_argnums=nondiff_argnums)
    return CustomJvp(function, nondiff_argnums)


def custom_vjp(
    function: Callable[..., Any] | None = None, *, nondiff_argnums: Sequence[int] = ()
) -> Any:
    """A function whose derivative is given by `defvjp(forward, backward)`, for reverse mode.

    @graphc.custom_vjp
    def f(x): ...

    f.defvjp(lambda x: (f(x), x), lambda x, g: (2 * x * g,))
    """
    if function is None:
        return functools.partial(custom_vjp, nondiff_argnums=nondiff_argnums)
    return CustomVjp(function, nondiff_argnums)


def checkpoint(function: Callable[..., Any]) -> Any:
    """The function, of which reverse mode remembers the arguments alone.

    What it computes on its way is computed again when the cotangents are there: less memory for
    more work. Values are the same to the bit where no pass treats the two runs differently.
    """

    @functools.wraps(function)
    def remembered(*args: Any, **kwargs: Any) -> Any:
        if current_trace() is None:
            return function(*args, **kwargs)
        return _checkpointed(function, args, kwargs)

    return remembered


def _checkpointed(function: Any, args: Sequence[Any], kwargs: Any) -> Any:
    """One call as a node; arguments that are no arrays are part of the program."""
    both = (tuple(args), dict(kwargs))
    leaves, tree = pytrees.flatten(both)
    traced = [one for one in leaves if isinstance(one, Tracer)]

    def inner(*tracers: Any) -> Any:
        rest = iter(tracers)
        row = [next(rest) if isinstance(one, Tracer) else one for one in leaves]
        own_args, own_kwargs = tree.unflatten(row)
        return Captures(trace_of("checkpoint")).function(function)(*own_args, **own_kwargs)

    names = [f"argument {k}" for k in range(len(traced))]
    opened = run(inner, traced, {}, range(len(traced)), names)
    result = leaves_of(opened.returned, "result")
    body, captured = closed(name_of(function), opened.params, result.values)
    operands = [*opened.primals, *captured]
    if not operands:
        raise TraceError(f"{name_of(function)} takes no arrays: there is nothing to remember")
    return _wrapped(result, CHECKPOINT(*operands, body=body))
