"""Batching: a function of single values becomes one of batches.

    %1 = dot(%x, %w){...}     ->     %1 = dot(%xs, %w){...}     for a batch xs of x, and one w
    %2 = tanh %1                     %2 = tanh %1

Values that differ within the batch get a new axis in front; what is the same for all stays as it
is, and is computed once. The rules stand on the cards (`OpDef.batching`).

Requires: rules on the cards of all ops that a batch reaches.
Guarantees: the values are those of a loop over the batch.
Cost: one walk.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import TraceError, VerifyError
from ..ir import Value, at, make, reachable
from ..ops import batching
from ..types import Extent


def batch(
    results: Sequence[Value],
    params: Sequence[Value],
    values: Sequence[Value],
    batched: Sequence[bool],
    size: Extent,
) -> list[tuple[Value, bool]]:
    """The results for values in the place of the parameters, and which of them are batches."""
    known: dict[Value, tuple[Value, bool]] = {
        p: (v, b) for p, v, b in zip(params, values, batched, strict=True)
    }
    for node in reachable(results):
        if not any(v in known for v in node.operands):
            continue
        pairs = [known.get(v, (v, False)) for v in node.operands]
        operands, flags = [v for v, _ in pairs], [b for _, b in pairs]
        with at(node.where):
            if not any(flags):
                made = make(node.op, operands, node.attrs, node.where).results
                known.update((r, (m, False)) for r, m in zip(node.results, made, strict=True))
                continue
            rule = node.op.batching
            if rule is None and node.op.kind == "elementwise":
                rule = batching.elementwise(node.op.name)
            if rule is None:
                line = f" (at {node.where})" if node.where else ""
                raise TraceError(f"{node.op.name} has no rule for batches (vmap){line}")
            found = rule(operands, flags, node.attrs, size)
        made = found if isinstance(found, tuple) else (found,)
        for result, value in zip(node.results, made, strict=True):
            if value.type == result.type:  # of a loop: what is the same for all
                known[result] = value, False
                continue
            if value.type != result.type.with_shape((size, *result.type.shape)):
                raise VerifyError(f"the batch of {result} is {value}; a bug of its card")
            known[result] = value, True
    return [known.get(v, (v, False)) for v in results]
