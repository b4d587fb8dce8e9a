"""What has no CUDA form: said by name, before anything is printed."""

from __future__ import annotations

from ..errors import LoweringError
from ..ir import Graph, Node
from ..loops import ir as L


def refuse_control(graph: Graph) -> None:
    """Raises LoweringError for a loop or a choice: an artifact's launches are a list."""
    for node in graph.nodes:
        if node.op.kind == "control":
            where = f" (at {node.where})" if node.where else ""
            raise LoweringError(
                f"{node.op.name} is a loop or a choice around kernels, which artifacts for a GPU "
                f"do not have yet (jit(device='cuda') has); a scan is written out with "
                f"unroll=True, and a choice with np.where{where}"
            )


def refuse_calls(node: Node, func: L.LoopFunc) -> None:
    """Raises LoweringError where the loops of a fusion call LAPACK."""
    if any(isinstance(stmt, L.Call) for stmt in L.statements(func.body)):
        ops = ", ".join(n.op.name for n in node.attrs["body"].nodes)
        raise LoweringError(
            f"{ops}: linear algebra runs through LAPACK, on the processor; CUDA has it for "
            "batches of matrices of at most 4 rows alone (solve, cholesky, slogdet, qr). "
            "Compute it on the processor and pass the result in"
        )
