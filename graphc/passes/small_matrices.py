"""Small matrices are taken apart in elementwise ops: LAPACK takes longer to begin than they need.

    %1 = solve(%a: f64[1000, 3, 3], %b)     ->     the steps of the elimination, 1000 at once

Where there is no LAPACK, that is done up to 16 rows, and larger matrices are refused.

Requires: no calls (`inline`): derivatives were taken of whole cards.
Guarantees: the same values but for rounding, signs and phases; the same errors.
Placement: early: what it makes is ordinary ops, which the other passes simplify and fuse.
Cost: one walk where there is nothing to do.
"""

from __future__ import annotations

from graphc_runtime import lapack

from ..errors import LoweringError
from ..ir import Graph, Node, Value, rewrite
from .everywhere import everywhere

LIMITS = {"solve": 3, "triangular_solve": 3, "slogdet": 3, "cholesky": 3}
"""Up to which extent a card is written out although there is LAPACK."""
CARDS = frozenset(
    {"solve", "triangular_solve", "cholesky", "slogdet", "qr", "eigh", "svd", "lu", "eig"}
)


@everywhere
def small_matrices(graph: Graph) -> Graph:
    """The graph with small matrices written out."""
    if not any(node.op.name in CARDS for node in graph.nodes):
        return graph
    return rewrite(graph, _written_out)


def _written_out(node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...] | None:
    if node.op.name not in CARDS:
        return None
    from ..numpy.written_out import FORMS, MOST  # few programs need it

    has_lapack = lapack.available()
    limit = LIMITS.get(node.op.name, 0) if has_lapack else MOST
    form, extents = FORMS.get(node.op.name), operands[0].shape[-2:]
    least = min((n for n in extents if isinstance(n, int)), default=limit + 1)
    if form is not None and least <= limit and all(isinstance(n, int) for n in extents):
        return form(operands, node.attrs)
    if not has_lapack:
        raise LoweringError(
            f"{node.op.name} of {operands[0].type} needs the LAPACK of SciPy, which is not "
            f"installed; {lapack.REMEDY}"
            + (f" (without it, matrices of up to {MOST} rows can be compiled)" if form else "")
        )
    return None
