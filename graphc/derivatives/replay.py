"""What both modes begin with: the nodes that depend on the parameters, made again for values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import TraceError
from ..ir import Node, Value, at, make, reachable
from ..opdef import Form, NotDifferentiable
from ..types import DType


def has_derivative(dtype: DType) -> bool:
    """Whether numbers of a dtype can be differentiated by and have derivatives."""
    return dtype.kind in "fc"


def form_of(node: Node) -> Form:
    """The derivative of a node's op for its operands."""
    return node.op.form([v.type for v in node.operands], node.attrs)


def linear_operands(node: Node) -> tuple[int, ...]:
    """The operands in which an op with the form `Linear` is linear."""
    return node.op.linear or tuple(range(len(node.operands)))


def refuse(node: Node, form: NotDifferentiable) -> None:
    """Raises TraceError: an op without a derivative stands where one is asked for."""
    line = f" (at {node.where})" if node.where else ""
    raise TraceError(
        f"{node.op.name} has no derivative: {form.why}. If none should flow through it, write "
        f"graphc.stop_gradient around its operand{line}"
    )


class Replay:
    """Walks from parameters to results, with values in the place of the parameters.

    `new` maps what depends on the parameters to what it is for the values; use `of`.
    """

    def __init__(self, results: Sequence[Value], params: Sequence[Value], primals: Sequence[Value]):
        self.order = reachable(results)
        self.new: dict[Value, Value] = dict(zip(params, primals, strict=True))

    def of(self, value: Value) -> Value:
        """What a value of the function is for the values."""
        return self.new.get(value, value)

    def __iter__(self) -> Iterator[tuple[Node, Node]]:
        """Every node that depends on the parameters, and the same node for the values.

        What is made in the loop's body comes from the node's line.
        """
        for node in self.order:
            if not any(v in self.new for v in node.operands):
                continue
            with at(node.where):
                operands = tuple(self.of(v) for v in node.operands)
                same = operands == node.operands
                made = node if same else make(node.op, operands, node.attrs, node.where)
                self.new.update(zip(node.results, made.results, strict=True))
                yield node, made
