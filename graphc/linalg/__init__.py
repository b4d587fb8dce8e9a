"""graphc.linalg: what numpy.linalg lacks of SciPy's linear algebra, as pure functions of arrays.

They take NumPy arrays and traced values, as `graphc.numpy` does; matrices stand in the last two
axes, and the axes before are a batch. `numpy.linalg` itself needs nothing of this: it is traced.

Loaded when it is first asked for.
"""

from __future__ import annotations

from ..numpy.dispatch import Entry, public
from . import factors

cho_solve = public(Entry("linalg.cho_solve", factors.cho_solve))
cholesky = public(Entry("linalg.cholesky", factors.cholesky))
expm = public(Entry("linalg.expm", factors.expm))
lu = public(Entry("linalg.lu", factors.lu))
lu_factor = public(Entry("linalg.lu_factor", factors.lu_factor))
lu_solve = public(Entry("linalg.lu_solve", factors.lu_solve))
solve_triangular = public(Entry("linalg.solve_triangular", factors.solve_triangular))

__all__ = [
    "cho_solve",
    "cholesky",
    "expm",
    "lu",
    "lu_factor",
    "lu_solve",
    "solve_triangular",
]
