"""`grad` and `value_and_grad`: derivatives of functions that answer one number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..derivatives.reverse import Pullback
from ..errors import TraceError, TypeMismatch
from ..ir import Value
from ..locations import refuse
from ..ops import build
from ..passes.attention import recognised
from ..tracer import Tracer
from .opened import (
    check_differentiable,
    name_of,
    names_of,
    output_of,
    positions,
    run,
    trace_of,
    traced,
    transformed,
)


def stop_gradient(x: Any) -> Any:
    """x, which derivatives take for a constant; of nested arguments every leaf."""
    from .. import pytrees
    from ..ops.marks import STOP_GRADIENT

    def stop(leaf: Any) -> Any:
        return (
            leaf.fresh(STOP_GRADIENT(leaf.value), leaf.weak) if isinstance(leaf, Tracer) else leaf
        )

    return pytrees.map_leaves(stop, x)


def grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Any:
    """The gradient of a function that returns one number, by the arguments at `argnums`.

    Args:
        argnums: a position, or several: then the answer is a tuple.
        has_aux: the function returns (value, anything else); the answer is (gradient, the rest).
        holomorphic: the function is complex-differentiable: the answer is its derivative. Without
            it, the gradient by a complex argument z = x + iy of a real value is d/dx - i d/dy.

    An argument may be nested (dict, list, tuple, namedtuple, dataclass); the gradient is nested
    like it. Where the function has a kink: min, max and their reductions share the gradient equally
    among what is equal; abs and sign have 0 at 0.
    """
    both = _both(function, argnums, has_aux, holomorphic, "grad")

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(args, kwargs)
        return (found, value[1]) if has_aux else found

    return transformed(function, gradient, "grad")


def value_and_grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Any:
    """What the function returns, and its gradient (see `grad`), from one run of it.

    With has_aux: ((value, the rest), gradient).
    """
    both = _both(function, argnums, has_aux, holomorphic, "value_and_grad")

    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        return both(args, kwargs)

    return transformed(function, value_and_gradient, "value_and_grad")


def _both(
    function: Callable[..., Any],
    argnums: int | Sequence[int],
    has_aux: bool,
    holomorphic: bool,
    what: str,
) -> Callable[[Sequence[Any], Any], tuple[Any, Any]]:
    """The function that computes a value and a gradient."""

    def compute(args: Sequence[Any], kwargs: Any) -> tuple[Any, Any]:
        asked = positions(argnums, args, what)
        names = names_of(function, args)
        opened = run(function, args, kwargs, asked, [names[k] for k in asked])
        check_differentiable(opened, what, holomorphic)
        returned = opened.returned
        if has_aux:
            returned = _pair(function, returned, what)
            aux = output_of(returned[1])
            returned = returned[0]
        loss = _number(function, returned, what, holomorphic)
        results = [loss.value, *(aux.values if has_aux else ())]
        results = recognised(results, opened.params)
        pullback = Pullback(results, opened.params, opened.primals)
        seed: Value = build.full_like(loss.value, 1)
        found = pullback.pull([seed, *(None for _ in results[1:])])
        gradient = opened.nested(found)
        value: Any = Tracer(trace_of(what), pullback.results[0], loss.weak)
        if has_aux:
            value = (value, aux.with_values(pullback.results[1:]))
        return value, gradient[0] if isinstance(argnums, int) else tuple(gradient)

    return compute


def _pair(function: Any, returned: Any, what: str) -> tuple[Any, Any]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        refuse(
            f"{what} with has_aux: {name_of(function)} has to return a pair (value, anything "
            f"else), not a {type(returned).__name__}"
        )
    return returned  # type: ignore[return-value]


def _number(function: Any, returned: Any, what: str, holomorphic: bool) -> Tracer:
    """What the function returned as one number."""
    from .. import pytrees

    name = name_of(function)
    if pytrees.is_container(returned):
        refuse(
            f"{what} is of functions that return one number; {name} returns a "
            f"{type(returned).__name__}. With something beside the number write has_aux=True; "
            "of several results take jacrev or vjp",
            TraceError,
        )
    loss = traced(returned, f"the result of {name}")
    type_ = loss.value.type
    if type_.rank:
        refuse(
            f"{what} is of functions that return one number; {name} returns {type_}. Return its "
            f"sum or mean, or take jacrev({name}), or vjp({name}, ...) for a product with it",
            TraceError,
        )
    if type_.dtype.is_complex != holomorphic or type_.dtype.kind not in "fc":
        wanted = "a complex number" if holomorphic else "a real number"
        hint = (
            ""
            if holomorphic
            else "; for the derivative of a holomorphic function write holomorphic=True"
            if type_.dtype.is_complex
            else "; return a float"
        )
        refuse(f"{what} is of {wanted} here, and {name} returns {type_}{hint}", TypeMismatch)
    return loss
