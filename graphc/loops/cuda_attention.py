"""Attention on CUDA: a block of threads for each block of queries of a head.

    for block:                                          queries of one head
        for warp: for lane in thread:
            m = -inf; l = 0; o[...] = 0; fetch the first slice
            for b:                                      blocks of keys
                s[...] = q k^T                          slices through shared memory
                s = map(s); n = max(m, s); a = exp(m - n); m = n
                s = exp(s - n); l = l*a + sum of s; o = o*a
                o += s v                                slices of v through shared memory
            y[...] = o / l

Scores and results stay in registers, and the rows of a thread are the same in both products, so m,
l and a are numbers of the thread; the lanes that share a row meet in `Combine`. What the nest says:
attention.py; how slices come to shared memory: cuda_tiles.py. What stands around the two products
is in cuda_attention_rows.py; the products are tensor cores' (cuda_attention_paired.py, 16-bit
floats) or register tiles' (cuda_attention_plain.py).

Rows too long for registers and shared memory keep the plain schedule: None.
"""

from __future__ import annotations

from ..types import BF16, F16, F32
from . import attention, cuda_attention_paired
from .attention import Attention
from .cuda_attention_paired import Paired
from .cuda_attention_plain import Plain
from .cuda_attention_rows import Writer
from .cuda_nests import Names
from .ir import For


def attention_cuda(names: Names, loop: For) -> For | None:
    """The kernel of an attention; None where the nest is none, or too large."""
    nest = attention.match(loop)
    if nest is None:
        return None
    for writer in _writers(names, nest):
        if writer.fits:
            return writer.kernel()
    return None


def _writers(names: Names, nest: Attention) -> list[Writer]:
    """The ways to write it, the best first."""
    found: list[Writer] = []
    dtypes = {nest.q.dtype, nest.k.dtype, nest.v.dtype}
    if len(dtypes) == 1 and dtypes <= {F16, BF16} and nest.inner is nest.outer is F32:
        few = isinstance(nest.queries, int) and nest.queries <= 64
        forms = cuda_attention_paired.FEW_FORMS if few else cuda_attention_paired.FORMS
        found += [Paired(names, nest, form) for form in forms]
    wide = nest.inner.bits > 32 or nest.outer.bits > 32
    for u, v in ((4, 4), (4, 2), (2, 2)) if not wide else ((2, 4), (2, 2)):
        found.append(Plain(names, nest, u, v))
    return found
