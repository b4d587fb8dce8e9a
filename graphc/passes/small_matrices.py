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

from .. import types as ty
from ..errors import LoweringError
from ..ir import Graph, Node, Value, rewrite
from .everywhere import everywhere

WRITTEN_OUT = frozenset({"solve", "triangular_solve", "slogdet", "cholesky", "qr"})
SMALL, MANY = 4, 32
"""Although there is LAPACK, these cards are written out up to SMALL rows and columns, in batches of
at least MANY (or of a symbolic extent). 20 000 matrices on two threads, ns each, LAPACK against
written out: solve of 3 rows 140 and 66, 4 rows 198 and 101, 6 rows 484 and 895; qr of 4 rows 718
and 253; eigvalsh of 3 rows 937 and 3730. One matrix is not worth a compilation ten times as long.
"""
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

    form, type = FORMS.get(node.op.name), operands[0].type
    extents = [n for n in type.shape[-2:] if isinstance(n, int)]
    if lapack.available():
        batch = ty.product(type.shape[:-2])
        many = not isinstance(batch, int) or batch >= MANY
        small = len(extents) == 2 and max(extents) <= SMALL and node.op.name in WRITTEN_OUT
        return form(operands, node.attrs) if form is not None and small and many else None
    if form is not None and len(extents) == 2 and min(extents) <= MOST:
        return form(operands, node.attrs)
    rest = f" (without it, matrices of up to {MOST} rows can be compiled)" if form else ""
    raise LoweringError(
        f"{node.op.name} of {type} needs the LAPACK of SciPy, which is not installed; "
        f"{lapack.REMEDY}{rest}"
    )
