"""Products of four warps (`ir.GroupMma`) as CUDA C: the instruction for so many columns, and the
descriptors of its tiles.

An asm statement names each of its registers, so there is a function for each dtype and number of
columns; a kernel carries those that it calls, and a translation unit has each once. They need an
architecture with an `a` at its end (`sm_90a`). Called by cuda.py.

Source: PTX ISA, wgmma.mma_async, its matrix descriptor and its strides; CUTLASS calls the layouts
without swizzle INTERLEAVE.
"""

from __future__ import annotations

from graphc_runtime.records import dataclass

from ..errors import LoweringError
from ..loops.ir import Buffer
from ..types import BF16, F16, DType
from .cuda_scalar import C_TYPE

ARCHITECTURES = ("sm_90",)
"""Those that have the instruction, in code for nothing else."""
PTX_TYPE = {F16: "f16", BF16: "bf16"}
ROW_BYTES = 16
"""Of a core matrix, which is 8 such rows beside each other."""
SWIZZLED_BYTES = 128
"""Of a line of a swizzled tile, 8 of which are an atom."""


def group_function(dtype: DType, columns: int) -> str:
    """The function that adds a product; its arguments: sums, descriptors of both tiles. Its
    template's: whether they lie along rows and columns (PTX calls that transposed)."""
    count = columns // 2
    lines = [
        f'"+f"(d[{k}])' + ("," if k + 1 < count else "") + ("\n          " if k % 8 == 7 else " ")
        for k in range(count)
    ]
    registers = ", ".join(f"%{k}" for k in range(count))
    kind = PTX_TYPE[dtype]
    return f"""#if !defined(CUDA_CPU)
template <> struct gc_group_mma<{C_TYPE[dtype]}, {columns}> {{
  template <int A, int B>
  GC_DEVICE void add(float* d, unsigned long long a, unsigned long long b) {{
    asm volatile("wgmma.mma_async.sync.aligned.m64n{columns}k16.f32.{kind}.{kind} "
        "{{{registers}}}, "
        "%{count}, %{count + 1}, 1, 1, 1, %{count + 2}, %{count + 3};"
        : {"".join(lines).rstrip()}
        : "l"(a), "l"(b), "n"(A), "n"(B)
        : "memory");
  }}
}};
#endif
"""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a tile's descriptor says besides its address."""

    leading: int
    stride: int
    mode: int
    """0: no swizzle; 1: of 128 bytes."""


def descriptor(tile: Buffer, deep: bool) -> Descriptor:
    """How a tile lies in shared memory. Units: bytes.

    Without swizzle the leading offset lies between the halves of 16 terms and the stride offset
    between 8 rows (columns) and the next 8. With it, along the terms, only the second is there;
    else the leading one lies between 64 rows and the next 64, the stride one between 8 terms.

    Raises:
        LoweringError: there is none for it.
    """
    steps = [s * tile.dtype.nbytes for s in tile.element_strides() if isinstance(s, int)]
    if tile.swizzled:
        found = Descriptor(16 if deep else steps[-4], 8 * SWIZZLED_BYTES, 1)
        fits = tile.align % 1024 == 0 and tile.shape[-3] == 8
        fits = fits and steps[-3:-1] == [ROW_BYTES, SWIZZLED_BYTES]
    else:
        first, second = steps[-3:-1]
        found = Descriptor(first, 8 * second, 0) if deep else Descriptor(8 * second, first, 0)
        fits = second == ROW_BYTES
    if not fits or any(n % 16 or n >> 4 >= 1 << 14 for n in (found.leading, found.stride)):
        raise LoweringError(f"the tile {tile.name} of shape {tile.shape} fits no descriptor")
    return found
