"""Products of four warps (`ir.GroupMma`) as CUDA C: the instruction for so many columns, and the
descriptors of its tiles.

An asm statement names each of its registers, so there is a function for each dtype and number of
columns; a kernel carries those that it calls, and a translation unit has each once. They need an
architecture with an `a` at its end (`sm_90a`). Called by cuda.py.

Source: PTX ISA, wgmma.mma_async, its matrix descriptor and its strides; CUTLASS calls the layouts
without swizzle INTERLEAVE.
"""

from __future__ import annotations

from ..errors import LoweringError
from ..loops.ir import Buffer
from ..types import BF16, F16, DType

ARCHITECTURES = ("sm_90",)
"""Those that have the instruction, in code for nothing else."""
C_TYPE = {F16: "__half", BF16: "__nv_bfloat16"}
PTX_TYPE = {F16: "f16", BF16: "bf16"}
ROW_BYTES = 16
"""Of a core matrix, which is 8 such rows beside each other."""


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


def strides(tile: Buffer, deep: bool) -> tuple[int, int]:
    """The leading and the stride byte offset of a tile's descriptor.

    Between the two halves of 16 terms, and between 8 rows (columns) and the next 8.

    Raises:
        LoweringError: the descriptor has no room for them.
    """
    first, second = (
        s * tile.dtype.nbytes for s in tile.element_strides()[-3:-1] if isinstance(s, int)
    )
    found = (first, 8 * second) if deep else (8 * second, first)
    if second != ROW_BYTES or any(n % 16 or n >> 4 >= 1 << 14 for n in found):
        raise LoweringError(f"the tile {tile.name} of shape {tile.shape} fits no descriptor")
    return found
