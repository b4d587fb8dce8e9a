"""Indices whose number of elements depends on data, as a mask over a view that is known.

They are traced boolean masks (`x[mask]`, `x[mask, 0]`, `x[:, mask]`), the positions that np.nonzero
answers of them, and slices with traced bounds (`x[:k]`). Reading gives a `Selection`
(graphc/selection.py), writing is a select.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from . import types as ty
from .cell import Cell
from .ir import Value
from .locations import refuse
from .operators import Operators
from .ops import build
from .ops.logic import AND
from .ops.movement import RESHAPE
from .types import BOOL, I64, Extent
from .windows import is_traced, same, slice_mask, span_of

MASK_REMEDY = (
    "how many elements a traced mask selects is not known while tracing. Write np.where(mask, a, "
    "b) to choose elementwise, x[mask].sum() and the like to reduce, x[mask] = value to assign, "
    "x[mask] = f(y[mask]), x[mask].size for their number; or state how many: "
    "graphc.numpy.compress(mask, x, size=n, fill_value=v)"
)
SLICE_REMEDY = (
    "a bound of a slice is traced: the extent of the result would depend on data. Assign to such "
    "a slice or reduce it (x[:k] = 0, x[:k].sum()); for a window of known length write "
    "x[i : i + length] or np.take(x, i + np.arange(length), axis=0); or make the bound static "
    "(static_argnames)"
)
NONZERO_REMEDY = (
    "how many elements are nonzero depends on data. State it: graphc.numpy.nonzero(x, size=n, "
    "fill_value=k); np.count_nonzero(x) is their number. Or use the positions as an index "
    "(x[np.nonzero(mask)] = 0), reduce them, or use np.where(mask, x, y) over the whole array"
)
LENGTH_REMEDY = (
    "a Python number is needed, and how many there are is not known while tracing. Write .size (or "
    "np.size, .shape[0], np.count_nonzero(mask)), which is a traced number"
)


class Positions(Operators):
    """What np.nonzero answers of a traced array, for one axis: an index, whose k-th element can be
    read. To everything else it is the places along that axis, selected by the mask.
    """

    __slots__ = ("axis", "mask")
    __hash__ = None

    def __init__(self, mask: Cell, axis: int):
        self.mask = mask
        self.axis = axis

    @property
    def size(self) -> Any:
        """How many there are, a traced number."""
        found = self.mask.sum()  # type: ignore[attr-defined] # a Tracer
        found.weak = True
        return found

    @property
    def shape(self) -> tuple[Any]:
        """(size,)"""
        return (self.size,)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.int64)

    def __getitem__(self, k: Any) -> Any:
        """The k-th position, as in np.nonzero(mask)[0][0]: the first place where mask holds.

        Where there are fewer, the program raises IndexError, as NumPy does.
        """
        if isinstance(k, (bool, Cell)) or not hasattr(k, "__index__"):
            return self._refuse()
        from .protocols import namespace  # it is built on this module

        place = place_of(self.mask, int(k))
        return namespace().unravel_index(place, self.mask.type.shape)[self.axis]

    @property
    def selected(self) -> Any:
        """The places along the axis as a Selection."""
        from .selection import Selection  # it is built on this module

        shape, rank = self.mask.type.shape, self.mask.type.rank
        places = self.mask.fresh(build.iota(shape, self.axis, I64))
        axes = tuple(range(rank))
        what = "the positions of nonzero elements"
        whole = (slice(None),) * rank
        return Selection(
            places, Masked(whole, self.mask.value, axes, rank - 1, NONZERO_REMEDY, what)
        )

    def _apply(self, ufunc: np.ufunc, *operands: Any) -> Any:
        return self.__array_ufunc__(ufunc, "__call__", *operands)

    def _assign(self, ufunc: np.ufunc, other: Any) -> Any:
        return self.__array_ufunc__(ufunc, "__call__", self, other)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        whole = self.selected
        given = [whole if i is self else i for i in inputs]
        return whole.__array_ufunc__(ufunc, method, *given, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        whole = self.selected
        given = tuple(whole if i is self else i for i in args)
        return whole.__array_function__(function, types, given, kwargs)

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        return refuse(f"the positions of nonzero elements are used as an array: {NONZERO_REMEDY}")

    def __len__(self) -> int:
        return refuse(f"len() of the positions of nonzero elements: {LENGTH_REMEDY}")

    __array__ = __iter__ = __bool__ = __setitem__ = __index__ = __int__ = __float__ = _refuse
    __contains__ = _refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.selected, name)


def place_of(mask: Any, k: Any) -> Any:
    """The place in C order of the k-th element where a mask holds; IndexError where there are
    fewer.
    """
    from .protocols import namespace  # it is built on this module

    np_ = namespace()
    line = mask.reshape(-1)
    seen = line if k >= 0 else line[::-1]
    many, n = k + 1 if k >= 0 else -k, line.shape[0]
    if many == 1:
        place = np_.where(seen.any(), seen.argmax(), n)
    else:
        place = np_.flatnonzero(seen, size=many, fill_value=n)[many - 1]
    place = np_.arange(n)[place]
    return place if k >= 0 else n - 1 - place


def positions(x: Any) -> tuple[Positions, ...]:
    """numpy.nonzero of a traced array."""
    if not x.type.rank:
        raise ValueError(
            "Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() "
            "instead."
        )
    hit = x.fresh(build.cast(x.value, BOOL))  # now: later writes to x do not change positions
    return tuple(Positions(hit, axis) for axis in range(x.type.rank))


@dataclass(frozen=True, slots=True)
class Masked:
    """An index with a traced mask in it.

    Attributes:
        index: of the whole view, with full slices where the mask stood.
        mask: which elements of that view are meant; broadcasts to its shape.
        axes: the axes of the view that became one, of unknown extent.
        lost: by how many axes x[index] has more than x[the index that was asked for].
        remedy: what to say to whom wants the number of elements.
        what: how it came to be, in the user's terms.
    """

    index: tuple[Any, ...]
    mask: Value
    axes: tuple[int, ...]
    lost: int
    remedy: str
    what: str = "x[mask]"


def _given(index: Any) -> list[Any]:
    """The items of an index; positions of all axes of one mask are that mask."""
    items = list(index) if isinstance(index, tuple) else [index]
    found: list[Any] = []
    while items:
        one = items.pop(0)
        if isinstance(one, Positions):
            group = [one]
            while items and isinstance(items[0], Positions) and items[0].mask is one.mask:
                group.append(items.pop(0))
            if [p.axis for p in group] != list(range(one.mask.type.rank)):
                refuse(
                    "the positions of some axes of a traced mask are used as an index; use those "
                    f"of all axes together: {NONZERO_REMEDY}"
                )
            one = one.mask
        found.append(one)
    return found


def _is_mask(item: Any) -> bool:
    return isinstance(item, Cell) and item.type.dtype is BOOL and item.known() is None


def _is_number(item: Any) -> bool:
    if isinstance(item, Cell):
        return not item.type.rank and item.type.dtype is not BOOL
    if isinstance(item, (bool, np.bool_)):
        return False
    return isinstance(item, (int, np.integer, ty.Dim)) or (
        isinstance(item, np.ndarray) and not item.ndim and item.dtype.kind in "iu"
    )


def _width(item: Any) -> int:
    """How many axes an item of an index takes."""
    if item is None or item is Ellipsis or isinstance(item, (bool, np.bool_)):
        return 0
    if _is_mask(item):
        return item.type.rank
    if isinstance(item, np.ndarray) and item.dtype == np.bool_:
        return item.ndim
    return 1


def find(x: Cell, index: Any) -> Masked | None:
    """What an index means whose number of elements depends on data; None for any other index."""
    items = _given(index)
    if not any(_is_mask(i) or (isinstance(i, slice) and is_traced(i)) for i in items):
        return None
    rank = x.type.rank
    used = sum(map(_width, items))
    if used > rank:
        raise IndexError(
            f"too many indices for array: array is {rank}-dimensional, but {used} were indexed"
        )
    dots = [k for k, i in enumerate(items) if i is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    rest = rank - used
    at = dots[0] if dots else len(items)
    spread = [*items[:at], *(slice(None),) * rest, *items[at + 1 :]]
    return _masked(x, items, spread)


def _masked(x: Cell, items: list[Any], spread: list[Any]) -> Masked | None:
    whole: list[Any] = []
    parts: list[tuple[int, Value]] = []  # axis of the view, mask over the axes from there
    axis = place = 0
    masks = [i for i in spread if _is_mask(i)]
    covered: tuple[int, ...] = ()
    for item in spread:
        if _is_mask(item):
            wide = item.type.rank
            if item.type.shape != x.type.shape[axis : axis + wide]:
                raise IndexError(
                    f"boolean index did not match indexed array: the array is {x.type}, the mask "
                    f"{item.type}, at axis {axis}"
                )
            parts.append((place, item.value))
            covered = (*covered, *range(place, place + wide))
            whole.extend((slice(None),) * wide)
            axis, place = axis + wide, place + wide
            continue
        if isinstance(item, slice):
            n = x.type.shape[axis]
            if is_traced(item) and span_of(item) is None:
                parts.append((place, slice_mask(item, n)))
                covered = (*covered, place)
                item = slice(None)
            place += 1
        elif item is None:
            place += 1
        elif not _is_number(item):
            if masks:
                refuse(f"a traced boolean mask stands among index arrays: {MASK_REMEDY}")
            place += len(np.shape(item)) if not isinstance(item, Cell) else item.type.rank
        whole.append(item)
        axis += _width(item)
    if not parts:
        return None
    if len(masks) > 1:
        refuse(f"two traced boolean masks stand in one index: {MASK_REMEDY}")
    if masks:
        _check_adjacent(items)
    mask = _together(parts, place)
    lost = masks[0].type.rank - 1 if masks else 0
    if masks:
        return Masked(tuple(whole), mask, covered, lost, MASK_REMEDY)
    return Masked(tuple(whole), mask, covered, lost, SLICE_REMEDY, "x[:n] of a traced n")


def _check_adjacent(items: list[Any]) -> None:
    """Numbers beside a mask are index arrays to NumPy: apart from it they move its axis."""
    places = [k for k, i in enumerate(items) if _is_mask(i) or _is_number(i)]
    if places != list(range(places[0], places[0] + len(places))):
        refuse(
            "a traced boolean mask and numbers stand apart in one index, which moves the axis of "
            "the mask to the front. Index in two steps: x[:, i][mask], x[i][:, mask]"
        )


def _together(parts: list[tuple[int, Value]], rank: int) -> Value:
    """All the masks of a view of that rank as one that broadcasts to it."""
    found: Value | None = None
    for place, mask in parts:
        lead: tuple[Extent, ...] = (1,) * place
        tail = (1,) * (rank - place - len(mask.shape))
        one = RESHAPE(mask, shape=(*lead, *mask.shape, *tail)) if lead or tail else mask
        found = one if found is None else AND(*build.broadcast(found, one))
    assert found is not None
    return found


__all__ = [
    "LENGTH_REMEDY", "MASK_REMEDY", "NONZERO_REMEDY", "SLICE_REMEDY", "Masked", "Positions", "find",
    "place_of", "positions", "same",
]  # fmt: skip
