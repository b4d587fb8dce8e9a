"""Cards of functions that keep together until a program is compiled, because derivatives treat them
as a whole: with derivatives of their own, or computed again instead of remembered.

`passes.inline` puts the bodies in their place. `barrier` is what stays of the last kind: it keeps
what is computed again apart from what was computed before, and later than the cotangents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import TraceError, TypeMismatch
from ..evaluate import evaluate
from ..ir import Graph, Node, Value, param
from ..loops.ir import Index, Stmt
from ..opdef import Attrs, OpDef, Rules, Sample, lookup, register
from ..types import F32, F64, TensorType
from .batching import all_spread, waiting
from .emission import load, nest, store
from .formula import zeros

Values = Sequence["Value | None"]


def _check_body(name: str, graph: Any, types: Sequence[TensorType], what: str) -> None:
    if not isinstance(graph, Graph):
        raise TypeMismatch(f"{name}: the attribute {what} is {graph!r}, not a graph")
    if len(types) != len(graph.params):
        raise TypeMismatch(
            f"{name}: its {what} has {len(graph.params)} parameters, got {len(types)}"
        )
    for position, (type, value) in enumerate(zip(types, graph.params, strict=True)):
        if type != value.type:
            raise TypeMismatch(
                f"{name}: parameter {position} of its {what} is {value.type}, not {type}"
            )


def _body_of(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...]:
    _check_body("call", attrs.get("body"), types, "body")
    return tuple(value.type for value in attrs["body"].results)


def _evaluate(operands: Sequence[Any], attrs: Attrs) -> Any:
    results = evaluate(attrs["body"], list(operands))
    return results[0] if len(results) == 1 else tuple(results)


def _filled(values: Values, likes: Sequence[Value]) -> list[Value]:
    """Derivatives with zeros where there is none."""
    return [zeros(u.type) if v is None else v for v, u in zip(values, likes, strict=True)]


def _own(attrs: Attrs, values: Sequence[Any]) -> Sequence[Any]:
    return values[: attrs["count"]]


class Rule(str):
    """The name of a rule that is Python code; in the program that traced it, `make` runs it.

    A rule may call the function that it belongs to, so it is run when it is asked for and not
    before: its graph would have no end.
    """

    make: Callable[..., Any] | None

    def __new__(cls, name: str, make: Callable[..., Any] | None = None) -> Rule:
        found = super().__new__(cls, name)
        found.make = make
        return found


def _run(attrs: Attrs, *given: Any) -> Any:
    make = getattr(attrs["rule"], "make", None)
    if make is None:
        raise TraceError(
            f"the derivative of {attrs['body'].name} is the Python function {attrs['rule']}, which "
            "a graph that was read from text does not have"
        )
    return make(*given)


def _infer_custom(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...]:
    results = _body_of(types, attrs)
    if not isinstance(attrs.get("rule"), str):
        raise TypeMismatch(f"a call: the attribute rule is {attrs.get('rule')!r}, not a name")
    return results


def _check_captured(attrs: Attrs, known: Sequence[Any]) -> None:
    """Raises TraceError where something is differentiated by what a function captured."""
    if any(known[attrs["count"] :]):
        raise TraceError(
            f"{attrs['body'].name} uses a value of its closure by which is differentiated, and its "
            "own rule knows its arguments only; pass the value as an argument"
        )


# ------------------------------------------------------------------------------------- custom_jvp


def _jvp_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    _check_captured(attrs, [t is not None for t in tangents])
    own = _own(attrs, operands)
    found = iter(_run(attrs, own, _filled(_own(attrs, tangents), own)))
    return [next(found) if r.dtype.kind in "fc" else None for r in results]


def _jvp_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Values,
    wanted: Sequence[bool],
) -> Values:  # fmt: skip
    """The rule is linear in the tangents: it is transposed."""
    from ..derivatives.reverse import Pullback  # a rule made of rules; see tests/test_layers.py

    _check_captured(attrs, wanted)
    own = _own(attrs, operands)
    late = [param(v.type, f"d{k}") for k, v in enumerate(own)]
    found = _run(attrs, own, late)
    smooth = [g for g, r in zip(cotangents, results, strict=True) if r.dtype.kind in "fc"]
    return Pullback(found, late, [zeros(v.type) for v in own]).pull(smooth)


# ------------------------------------------------------------------------------------- custom_vjp


def _vjp_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    raise TraceError(
        f"{attrs['body'].name} has a custom_vjp, which is for reverse mode; forward mode (jvp, "
        "linearize, jacfwd, hvp) needs a custom_jvp, which serves both"
    )


def _vjp_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Values,
    wanted: Sequence[bool],
) -> Values:  # fmt: skip
    _check_captured(attrs, wanted)
    return _run(attrs, _own(attrs, operands), _filled(cotangents, results))


# ------------------------------------------------------------------------------------- checkpoint


def _checkpoint_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    from ..derivatives.forward import jvp

    body: Graph = attrs["body"]
    given = [t for t in tangents if t is not None]
    inside = [None if t is None else param(t.type, f"d{k}") for k, t in enumerate(tangents)]
    _, found = jvp(body.results, body.params, body.params, inside)
    params = [*body.params, *(t for t in inside if t is not None)]
    moved = [v for v in found if v is not None]
    if not moved:
        return found
    made = Node(
        CHECKPOINT, (*operands, *given), {"body": Graph.of(body.name, params, moved)},
        tuple(v.type for v in moved), None,
    )  # fmt: skip
    rest = iter(made.results)
    return [None if v is None else next(rest) for v in found]


def _checkpoint_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Values,
    wanted: Sequence[bool],
) -> Values:  # fmt: skip
    from ..derivatives.reverse import Pullback

    body: Graph = attrs["body"]
    late = [g for g in cotangents if g is not None]
    found = BARRIER(*operands, *late, count=len(operands))
    again = found if isinstance(found, tuple) else (found,)
    return Pullback(body.results, body.params, again).pull(cotangents)


# ---------------------------------------------------------------------------------------- batches


def _batched_body(
    operands: Sequence[Value], batched: Sequence[bool], attrs: Attrs, size: Any
) -> Graph:
    """The body for operands that are all batches."""
    from ..derivatives.batch import batch

    body: Graph = attrs["body"]
    params = [
        param(v.type if b else v.type.with_shape((size, *v.shape)), p.node.attrs["name"])
        for v, b, p in zip(operands, batched, body.params, strict=True)
    ]
    found = batch(body.results, body.params, params, [True] * len(params), size)
    results = all_spread([v for v, _ in found], [b for _, b in found], size)
    return Graph.of(body.name, params, results)


def _batched_checkpoint(
    operands: Sequence[Value], batched: Sequence[bool], attrs: Attrs, size: Any
) -> Any:
    body = _batched_body(operands, batched, attrs, size)
    return CHECKPOINT(*all_spread(operands, batched, size), body=body)


def _batched_rule(attrs: Attrs, size: Any) -> Rule:
    """The rule for batches: run for single values, and batched."""

    def make(primals: Sequence[Value], late: Sequence[Value]) -> Any:
        from ..derivatives.batch import batch

        given = [*primals, *late]
        single = [param(v.type.with_shape(v.shape[1:]), f"b{k}") for k, v in enumerate(given)]
        count = len(primals)
        found = _run(attrs, single[:count], single[count:])
        row = batch([v for v in found if v is not None], single, given, [True] * len(given), size)
        values = iter(all_spread([v for v, _ in row], [b for _, b in row], size))
        return [None if v is None else next(values) for v in found]

    return Rule(str(attrs["rule"]), make)


def _batched_custom(name: str) -> Any:
    def rule(operands: Sequence[Value], batched: Sequence[bool], attrs: Attrs, size: Any) -> Any:
        body = _batched_body(operands, batched, attrs, size)
        new = {"body": body, "rule": _batched_rule(attrs, size), "count": attrs["count"]}
        return lookup(name)(*all_spread(operands, batched, size), **new)

    return rule


# ---------------------------------------------------------------------------------------- barrier


def _infer_barrier(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...]:
    count = attrs.get("count")
    if not isinstance(count, int) or not 0 < count <= len(types):
        raise TypeMismatch(f"barrier: count is {count!r}; expected 1 to {len(types)}")
    return tuple(types[:count])


def _emit_barrier(c: Any) -> tuple[Stmt, ...]:
    stmts: tuple[Stmt, ...] = ()
    for k, type in enumerate(c.types[: c.attrs["count"]]):

        def copy(i: tuple[Index, ...], k: int = k, type: TensorType = type) -> tuple[Stmt, ...]:
            return store(c.result(k), i, load(c.buffer(k), type.dtype, i))

        stmts += nest(c, type.shape, copy)
    return stmts


def _evaluate_barrier(operands: Sequence[Any], attrs: Attrs) -> Any:
    found = tuple(np.array(x) for x in operands[: attrs["count"]])
    return found[0] if len(found) == 1 else found


def _barrier_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    return tangents[: attrs["count"]]


def _barrier_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Values,
    wanted: Sequence[bool],
) -> Values:  # fmt: skip
    return cotangents


# ------------------------------------------------------------------------------------------ cards


def _product() -> tuple[tuple[TensorType, ...], Graph]:
    types = (TensorType(F64, (3, 2)), TensorType(F64, (3, 2)))
    x, y = param(types[0], "x"), param(types[1], "y")
    return types, Graph.of("product", (x, y), (lookup("mul")(x, lookup("exp")(y)),))


def _custom_samples() -> Iterable[Sample]:
    types, body = _product()
    yield Sample(types, {"body": body, "rule": Rule("rule"), "count": 2})


def _checkpoint_samples() -> Iterable[Sample]:
    types, body = _product()
    yield Sample(types, {"body": body})


def _card(name: str, doc: str, source: str, **given: Any) -> OpDef:
    return register(
        OpDef(
            name=name, doc=doc, kind="call", evaluate=_evaluate, source=source, cost=0, **given
        )
    )  # fmt: skip


CUSTOM_JVP = _card(
    "custom_jvp",
    "body(a, ...), whose tangents a rule computes for the first `count` operands",
    "jax.custom_jvp",
    infer=_infer_custom,
    derivative=Rules(_jvp_jvp, _jvp_vjp),
    batching=_batched_custom("custom_jvp"),
    samples=_custom_samples,
)
CUSTOM_VJP = _card(
    "custom_vjp",
    "body(a, ...), of which a rule computes the cotangents of the first `count` operands",
    "jax.custom_vjp",
    infer=_infer_custom,
    derivative=Rules(_vjp_jvp, _vjp_vjp),
    batching=_batched_custom("custom_vjp"),
    samples=_custom_samples,
)
CHECKPOINT = _card(
    "checkpoint",
    "body(a, ...), of which reverse mode remembers the operands alone",
    "jax.checkpoint; Griewank and Walther, Revolve, 2000",
    infer=_body_of,
    derivative=Rules(_checkpoint_jvp, _checkpoint_vjp),
    batching=_batched_checkpoint,
    samples=_checkpoint_samples,
)
BARRIER = register(
    OpDef(
        name="barrier",
        doc="the first `count` operands, for what must not run before the others are there",
        kind="opaque",
        infer=_infer_barrier,
        evaluate=_evaluate_barrier,
        lower=_emit_barrier,
        source="XLA OptimizationBarrier",
        derivative=Rules(_barrier_jvp, _barrier_vjp),
        batching=waiting,
        cost=0,
        pure=False,
        samples=lambda: (
            Sample((TensorType(F64, (3,)), TensorType(F32, (2, 2))), {"count": 1}),
            Sample((TensorType(F64, (3,)), TensorType(F32, (2, 2))), {"count": 2}),
        ),
    )
)

__all__ = ["BARRIER", "CHECKPOINT", "CUSTOM_JVP", "CUSTOM_VJP"]
