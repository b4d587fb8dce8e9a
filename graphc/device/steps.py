"""What a program on a device does, step by step: the loops and choices of `graphc_runtime.steps`
around kernels, copies and products of the library.

Step  = Launch | Product | Copy | Loop | Branch
Place = as in `graphc_runtime.gpu_steps`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc_runtime import gpu_steps, steps
from graphc_runtime.records import dataclass
from graphc_runtime.steps import Place

from ..codegen.cuda import CudaKernel
from ..loops import products as loops
from ..types import Extent

Launch = gpu_steps.Launch[CudaKernel]
Copy = gpu_steps.Copy[Extent]


@dataclass(frozen=True, slots=True)
class Product:
    """A product of matrices by cuBLASLt, with the places of left, right and result."""

    shape: loops.Product
    places: tuple[Place, Place, Place]
    tf32: bool
    line: str

    def __str__(self) -> str:
        shape = self.shape
        batch = "" if shape.batch == 1 else f"{shape.batch}, "
        name = "tf32" if self.tf32 else shape.dtype.name
        left, right = f"[{batch}{shape.m}, {shape.k}]", f"[{batch}{shape.k}, {shape.n}]"
        return f"{name}{left} @ {name}{right}"


Work = Launch | Product | Copy
Step = steps.Step[Work, Extent]
Loop = steps.Loop[Work, Extent]
Turn = steps.Turn[Work, Extent]
Row = steps.Row[Extent]


def work(of: Sequence[Step]) -> Iterator[Launch | Product]:
    """Every launch and product, inside loops and branches too."""
    return (one for one in steps.work(of) if not isinstance(one, gpu_steps.Copy))


def stride_symbol(parameter: int, axis: int) -> str:
    """The name of a parameter's stride (elements), where it may be any."""
    return f"x{parameter}_stride{axis}"
