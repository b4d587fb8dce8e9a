"""Reverse mode: cotangents go back from the results to the parameters.

    %1 = sin %x          ->   %1 = sin %x
                              %2 = cos %x
                              %3 = mul %g %2      the cotangent of %x, where %g is that of %1

The graph is walked twice: forwards, to make it for values and to learn what depends on the
parameters in a differentiable way, and backwards, where each node gives its operands what it got.
Forward mode with its linear part transposed would give the same graph: the cards' forms are both
already (an elementwise derivative is its own transpose, a linear op says its transpose), so the
detour over a linear graph buys nothing. The pairing of complex numbers is
Re(cotangent * tangent), as in JAX: the gradient of |z|² is 2 conj(z).

Requires: rules on the cards of all ops that a cotangent reaches.
Guarantees: what no cotangent reaches costs nothing; zeros are None, never arrays.
Cost: two walks; two to three times the function's operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import VerifyError
from ..ir import Node, Value, at, param
from ..opdef import Expansion, Form, Linear, NotDifferentiable, Partials, Rules, Staged, Zero
from ..ops.formula import Formula
from .forward import total
from .replay import Replay, form_of, has_derivative, linear_operands, refuse

Cotangents = Sequence["Value | None"]


class Pullback:
    """A function at a point: `results` there, and `pull`, from cotangents of the results to those
    of the parameters.
    """

    def __init__(self, results: Sequence[Value], params: Sequence[Value], primals: Sequence[Value]):
        self._params, self._results = tuple(params), tuple(results)
        active = {p for p in params if has_derivative(p.dtype)}
        self._tape: list[tuple[Node, Node, tuple[bool, ...], Any]] = []
        replay = Replay(results, params, primals)
        for node, made in replay:
            wanted = self._wanted(node, active)
            if not any(wanted):
                continue
            floats = [r for r in node.results if has_derivative(r.dtype)]
            if floats:
                active.update(floats)
                form, remembered = form_of(made), None
                if isinstance(form, Staged):
                    given = (made.operands, made.results, made.attrs, wanted)
                    new, remembered = form.forward(*given)
                    replay.new.update(zip(node.results, new, strict=True))
                self._tape.append((node, made, wanted, remembered))
        self.results = [replay.of(v) for v in results]

    @staticmethod
    def _wanted(node: Node, active: set[Value]) -> tuple[bool, ...]:
        """Which operands hand a derivative on."""
        form = form_of(node)
        reached = [v in active for v in node.operands]
        if isinstance(form, Zero):
            return (False,) * len(reached)
        if isinstance(form, Partials):
            return tuple(r and by is not None for r, by in zip(reached, form.by, strict=True))
        if isinstance(form, Linear):
            linear = linear_operands(node)
            return tuple(r and k in linear for k, r in enumerate(reached))
        return tuple(reached)

    def pull(self, cotangents: Cotangents) -> list[Value | None]:
        """The cotangents of the parameters (None: zero).

        Raises:
            TraceError: where a cotangent reaches an op without a derivative.
        """
        known: dict[Value, Value | None] = {}
        for value, cotangent in zip(self._results, cotangents, strict=True):
            if cotangent is not None:
                known[value] = total(known.get(value), cotangent)
        for node, made, wanted, remembered in reversed(self._tape):
            given = [known.pop(r, None) for r in node.results]
            if all(g is None for g in given):
                continue
            with at(node.where):
                form = form_of(made)
                if isinstance(form, Staged):
                    found = form.backward(remembered, given)
                else:
                    found = _cotangents(made, given, wanted)
                for k, cotangent in enumerate(found):
                    if cotangent is None or not wanted[k]:
                        continue
                    value = node.operands[k]
                    if cotangent.type != value.type:
                        raise VerifyError(
                            f"the cotangent of operand {k} of {node} is {cotangent}; a bug of "
                            "its card"
                        )
                    known[value] = total(known.get(value), cotangent)
        return [known.get(p) for p in self._params]


def _cotangents(
    node: Node, cotangents: Cotangents, wanted: Sequence[bool]
) -> Sequence[Value | None]:
    """The cotangents of a node's operands."""
    form: Form = form_of(node)
    if isinstance(form, Partials):
        operands = [Formula(v) for v in node.operands]
        g, y = Formula(cotangents[0]), Formula(node.results[0])  # type: ignore[arg-type]
        return [
            by(g, *operands, y).value if want and by is not None else None
            for by, want in zip(form.by, wanted, strict=True)
        ]
    if isinstance(form, Linear):
        g = cotangents[0]
        assert g is not None
        return [
            form.transpose(k, g, node.operands, node.attrs) if want else None
            for k, want in enumerate(wanted)
        ]
    if isinstance(form, Rules):
        found = list(form.vjp(node.operands, node.results, node.attrs, cotangents, wanted))
        return found + [None] * (len(wanted) - len(found))
    if isinstance(form, Expansion):
        inside = [param(v.type, f"x{k}") for k, v in enumerate(node.operands)]
        found = form.expand(inside, node.attrs)
        made = found if isinstance(found, tuple) else (found,)
        return Pullback(made, inside, node.operands).pull(cotangents)
    assert isinstance(form, NotDifferentiable)
    refuse(node, form)
    raise AssertionError("refuse raises")
