"""What asks a traced array for its elements: `if x`, `float(x)`, `for row in x`, np.asarray(x).

Answered where the elements depend on no argument of the traced function, refused with the remedy
otherwise.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from typing import Any

import numpy as np

from .cell import Cell
from .locations import refuse, user_frame
from .types import Dim

UNKNOWN = "is asked for while tracing, and depends on the arguments"


class Elements(Cell):
    """The part of `Tracer` that needs elements."""

    __slots__ = ()

    def _element(self, what: str, remedy: str) -> Any:
        known = self.known()
        if known is None:
            return refuse(f"{what} of {self!r} {UNKNOWN}. {remedy}")
        return known

    def __bool__(self) -> bool:
        return bool(
            self._element(
                "the truth value",
                "Instead of `if` write graphc.cond(pred, f, g, ...), which runs one of two "
                "functions, or np.where(cond, a, b) (or graphc.numpy.where) of both branches' "
                "values; instead of `while` graphc.while_loop(cond, body, state); instead of "
                "`and`, `or`, `not`, `min()` and `max()` `&`, `|`, `~`, np.minimum and np.maximum; "
                "an argument that decides the program is named in static_argnames. Or keep the "
                'statements as they are: graphc.jit(f, control_flow="python")',
            )
        )

    def __int__(self) -> int:
        return int(
            self._element("int()", "Use x.astype(int), or name the argument in static_argnames")
        )

    def __index__(self) -> int:
        known = self._element(
            "an integer (range, a shape, the index of a list or of a real array)",
            "Name the argument in static_argnames; to index a NumPy array from outside write "
            "np.take(table, i) or np.asarray(table)[i]",
        )
        return known[()].__index__() if known.ndim == 0 else known.__index__()

    def __float__(self) -> float:
        return float(
            self._element(
                "float()",
                "math.* and float() need a Python number: use the functions of numpy (np.sin, "
                "np.sqrt...), or store the result in an array made inside the function (np.zeros)",
            )
        )

    def __complex__(self) -> complex:
        return complex(
            self._element("complex()", "cmath.* needs a Python number: use the functions of numpy")
        )

    def item(self, *args: Any) -> Any:
        """The element as a Python number, when it is known."""
        return self._element(
            "item()", "Return the array; after the call its elements are numbers"
        ).item(*args)

    def tolist(self) -> Any:
        """The elements as lists, when they are known."""
        return self._element(
            "tolist()", "Return the array and call tolist() on the result"
        ).tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """The bytes, when they are known."""
        return self._element("tobytes()", "Return the array and call it on the result").tobytes(
            order
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        known = self.known()
        if known is not None:
            return known if dtype is None or known.dtype == dtype else known.astype(dtype)
        if _is_indexing():
            return refuse(
                f"a NumPy array from outside of the trace is indexed by {self!r}. Write "
                "np.take(table, i, axis=0), or make the table part of the trace: "
                "np.asarray(table)[i]"
            )
        return refuse(
            f"{self!r} is converted to a NumPy array (by np.asarray in a library, by a real array "
            "that is assigned to, by scipy, by np.vectorize...). Make arrays to be filled inside "
            "the traced function, use the functions of graphc.numpy, or do this step outside of "
            "jit"
        )

    def __iter__(self: Any) -> Iterator[Any]:
        if not self.type.shape:
            raise TypeError("iteration over a 0-d array")
        extent = self.type.shape[0]
        if isinstance(extent, Dim):
            refuse(
                f"a loop over an axis of symbolic extent {extent}: write it with whole arrays, or "
                "give a number"
            )
        return (self[i] for i in range(extent))

    def __contains__(self, element: Any) -> bool:
        return bool((self == element).any())

    def __copy__(self: Any) -> Any:
        return self.copy()

    def __deepcopy__(self: Any, memo: Any) -> Any:
        return self.copy()

    def __reduce__(self) -> Any:
        return refuse("a traced array cannot be pickled or sent to another process")


def _is_indexing() -> bool:
    """Whether the user's line is reading an element of something."""
    frame = user_frame(2)
    if frame is None:
        return False
    *_, last = (i for i in dis.get_instructions(frame.f_code) if i.offset <= frame.f_lasti)
    return "STORE" not in last.opname and ("SUBSCR" in last.opname or "[]" in (last.argrepr or ""))
