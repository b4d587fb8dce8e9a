"""Forward mode: tangents go along with values, from the parameters to the results.

    %1 = sin %x          ->   %1 = sin %x
                              %2 = cos %x
                              %3 = mul %t %2      the tangent of %1, where %t is that of %x

Requires: rules on the cards of all ops that a tangent reaches.
Guarantees: what has no tangent costs nothing; zeros are None, never arrays.
Cost: one walk; about twice to three times the function's operations.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import VerifyError
from ..ir import Node, Value, param
from ..opdef import Expansion, Form, Linear, NotDifferentiable, Partials, Rules, Staged, Zero
from ..ops import build
from ..ops.formula import Formula
from .replay import Replay, form_of, has_derivative, linear_operands, refuse

Tangents = Sequence["Value | None"]


def jvp(
    results: Sequence[Value],
    params: Sequence[Value],
    primals: Sequence[Value],
    tangents: Tangents,
    apart: bool = False,
) -> tuple[list[Value], list[Value | None]]:
    """The results for values of the parameters, and their tangents (None: zero).

    A loop computes both at once; `apart`: the results are those of a loop without tangents.

    Raises:
        TraceError: where a tangent reaches an op without a derivative.
    """
    replay = Replay(results, params, primals)
    known = {p: t for p, t in zip(params, tangents, strict=True) if t is not None}
    for node, made in replay:
        given = [known.get(v) for v in node.operands]
        if all(t is None for t in given) or not any(has_derivative(r.dtype) for r in node.results):
            continue
        form = form_of(made)
        if isinstance(form, Staged):
            new, found = form.jvp(made.operands, made.results, made.attrs, given)
            if not apart:
                replay.new.update(zip(node.results, new, strict=True))
        else:
            found = _tangents(made, given)
        for value, tangent in zip(node.results, found, strict=True):
            if tangent is None or not has_derivative(value.dtype):
                continue
            if tangent.type != value.type:
                raise VerifyError(f"the tangent of {value} is {tangent}; a bug of its card")
            known[value] = tangent
    return [replay.of(v) for v in results], [known.get(v) for v in results]


def _tangents(node: Node, tangents: Tangents) -> Sequence[Value | None]:
    """The tangents of a node's results."""
    form: Form = form_of(node)
    if isinstance(form, Partials):
        return [_by_partials(form, node, tangents)]
    if isinstance(form, Linear):
        return [_by_linearity(form, node, tangents)]
    if isinstance(form, Rules):
        return form.jvp(node.operands, node.results, node.attrs, tangents)
    if isinstance(form, Expansion):
        inside = [param(v.type, f"x{k}") for k, v in enumerate(node.operands)]
        found = form.expand(inside, node.attrs)
        made = found if isinstance(found, tuple) else (found,)
        return jvp(made, inside, node.operands, tangents)[1]
    if isinstance(form, NotDifferentiable):
        refuse(node, form)
    assert isinstance(form, (Zero, NotDifferentiable))
    return [None] * len(node.results)


def total(a: Value | None, b: Value | None) -> Value | None:
    """The sum of two derivatives, either of which may be zero."""
    if a is None or b is None:
        return b if a is None else a
    return (Formula(a) + Formula(b)).value


def _by_partials(form: Partials, node: Node, tangents: Tangents) -> Value | None:
    operands = [Formula(v) for v in node.operands]
    found: Value | None = None
    for by, tangent in zip(form.by, tangents, strict=True):
        if by is not None and tangent is not None:
            one = by(Formula(tangent), *operands, Formula(node.results[0]))
            found = total(found, one.value)
    return found


def _by_linearity(form: Linear, node: Node, tangents: Tangents) -> Value | None:
    linear = [k for k in linear_operands(node) if tangents[k] is not None]
    if form.joint:
        if not linear:
            return None
        operands = list(node.operands)
        for k in linear_operands(node):
            operands[k] = tangents[k] or build.full_like(operands[k], 0)
        return node.op(*operands, **node.attrs)
    found: Value | None = None
    for k in linear:
        operands = list(node.operands)
        operands[k] = tangents[k]  # type: ignore[assignment]
        found = total(found, node.op(*operands, **node.attrs))
    return found
