"""What rewritten functions call, under the name `__graphc__`."""

from __future__ import annotations

from .branches import if_exp, if_stmt, no_result, returned
from .convert import converted
from .iterables import iterable
from .logic import and_, assert_stmt, compare, not_, or_, raised
from .loops import for_stmt, while_stmt
from .region import variables
from .undefined import ld, unbound

__all__ = [
    "and_", "assert_stmt", "compare", "converted", "for_stmt", "if_exp", "if_stmt", "iterable",
    "ld", "no_result", "not_", "or_", "raised", "returned", "unbound", "variables", "while_stmt",
]  # fmt: skip
