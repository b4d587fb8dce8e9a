"""What has no CUDA form: said by name, before anything is printed."""

from __future__ import annotations

from ..errors import LoweringError
from ..ir import Node
from ..loops import ir as L


def refuse_calls(node: Node, func: L.LoopFunc) -> None:
    """Raises LoweringError where the loops of a fusion call LAPACK, with the user's lines."""
    if any(isinstance(stmt, L.Call) for stmt in L.statements(func.body)):
        nodes: tuple[Node, ...] = node.attrs["body"].nodes
        ops = ", ".join(f"{n.op.name} ({n.where})" if n.where else n.op.name for n in nodes)
        raise LoweringError(
            f"{ops}: linear algebra runs through LAPACK, on the processor; CUDA has it for "
            "batches of matrices of at most 4 rows alone (solve, cholesky, slogdet, qr). "
            "Compute it on the processor and pass the result in"
        )
