"""What one compiled entry accepts and makes, and its packed form for the native call path.

Who calls it: the compiler describes each entry that it built with these frozen dataclasses;
`call.py` hands the packed bytes to native code, `fallback.py` reads the dataclasses themselves.
Nothing here calls anything.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from .forking import stored_property
from .records import dataclass

__all__ = [
    "RELEASE_GIL_BYTES", "ArgumentSpec", "OutputSpec", "Specialization", "SpecializationError",
]  # fmt: skip

Extent = int | str | None
"""A constant, the name of a symbol, or None where the shapes function alone knows it (outputs
only)."""

RELEASE_GIL_BYTES = 1 << 16

_KINDS = {"array": 0, "float": 1, "int": 2, "bool": 3, "complex": 4, "static": 5}
_RESULTS = {"single": 0, "tuple": 1, "list": 2}
_CALLABLE = 3
_STRIDED, _DONATED, _SCALAR = 1, 2, 1
# the two C types of one width that NumPy tells apart: long and long long, unsigned long and
# unsigned long long
_SAME_INTEGER = {7: 9, 9: 7, 8: 10, 10: 8} if np.dtype("l").itemsize == 8 else {}
_NO_TYPE_NUMBER = 255

HEAD = struct.Struct("<10q4Qq")
ARGUMENT = struct.Struct("<4BiQiiq")
OUTPUT = struct.Struct("<2BxxiQiiq")


class SpecializationError(ValueError):
    """A specialization that contradicts itself. This is a bug of the compiler, never of the
    user."""


@dataclass(frozen=True, slots=True)
class ArgumentSpec:
    """One argument.

    `kind` "array" takes an exact `numpy.ndarray` of `dtype` and `shape`; the others an exact Python
    scalar, which the entry gets as a pointer to float64, int64, one byte of bool, or two float64.
    "static" takes `value` itself, or an int or str equal to it; the entry gets no buffer for it.
    `strided` takes any strides that are multiples of the item size, and passes them (in elements)
    in the extents. `donated` takes writable memory that no other argument shares.
    """

    kind: Literal["array", "float", "int", "bool", "complex", "static"] = "array"
    dtype: np.dtype[Any] | None = None
    shape: tuple[int | str, ...] = ()
    strided: bool = False
    donated: bool = False
    value: object = None


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One output: fresh and C-contiguous, or (`alias` >= 0) the very argument of that number, which
    is donated.

    `scalar` gives a 0-d result as NumPy's own operations do: as a scalar object.
    """

    dtype: np.dtype[Any]
    shape: tuple[Extent, ...]
    alias: int = -1
    scalar: bool = False


@dataclass(frozen=True)
class Specialization:
    """One entry of native code with what it accepts and makes.

    The extents that the entry gets: the value of each of `symbols` in order, then for each strided
    argument in order its `rank` strides in elements (`stride_slot`).

    `entry`, `shapes`: addresses (0: no shapes function; ABI in native.h). `keep` holds whoever owns
    them. `result`: how the outputs are handed over; a callable gets the list of them.
    `release_gil_bytes`: the GIL is released when inputs and outputs together have at least so many
    bytes; 0 always, -1 never. `arena_bytes` is for a call without `shapes`; `arena_worker_bytes` is
    added once per worker, always. `keywords` names the last arguments: the entry serves calls that
    give just these by keyword, in this order, and the others by position.

    Raises:
        SpecializationError: at construction, when the parts contradict each other.
    """

    arguments: tuple[ArgumentSpec, ...]
    outputs: tuple[OutputSpec, ...]
    entry: int
    shapes: int = 0
    symbols: tuple[str, ...] = ()
    result: Literal["single", "tuple", "list"] | Callable[[list[Any]], Any] = "single"
    arena_bytes: int = 0
    arena_worker_bytes: int = 0
    release_gil_bytes: int = RELEASE_GIL_BYTES
    keep: object = None
    keywords: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.entry == 0:
            raise SpecializationError("the entry's address is 0")
        if self.result == "single" and len(self.outputs) != 1:
            raise SpecializationError(
                f"a single result is asked for, and there are {len(self.outputs)} outputs"
            )
        if not callable(self.result) and self.result not in _RESULTS:
            raise SpecializationError(f"{self.result!r} is no form of result")
        if len(self.keywords) > len(self.arguments):
            raise SpecializationError(f"{self.keywords} are more names than there are arguments")
        # interned, as the names in a call are, so that native code compares identities
        object.__setattr__(self, "keywords", tuple(sys.intern(name) for name in self.keywords))
        bound: set[str] = set()
        for number, argument in enumerate(self.arguments):
            self._check_argument(number, argument)
            bound.update(e for e in argument.shape if isinstance(e, str))
        if bound != set(self.symbols) or len(set(self.symbols)) != len(self.symbols):
            raise SpecializationError(
                f"symbols are {self.symbols}, and the arguments bind {sorted(bound)}"
            )
        for number, output in enumerate(self.outputs):
            self._check_output(number, output)

    def _check_argument(self, number: int, argument: ArgumentSpec) -> None:
        if argument.kind not in _KINDS:
            raise SpecializationError(f"argument {number} has the unknown kind {argument.kind!r}")
        if argument.kind != "array":
            if argument.dtype is not None or argument.shape or argument.strided or argument.donated:
                raise SpecializationError(
                    f"argument {number} is a Python {argument.kind}; it has no array's parts"
                )
        elif argument.dtype is None or not argument.dtype.isnative or argument.dtype.hasobject:
            raise SpecializationError(
                f"argument {number} is an array of {argument.dtype}, not of a native dtype"
            )
        elif any(isinstance(e, int) and e < 0 for e in argument.shape):
            raise SpecializationError(f"argument {number} has a negative extent: {argument.shape}")

    def _check_output(self, number: int, output: OutputSpec) -> None:
        for extent in output.shape:
            if extent is None and not self.shapes and output.alias < 0:
                raise SpecializationError(
                    f"output {number} has an open extent, and there is no shapes function"
                )
            if isinstance(extent, str) and extent not in self.symbols:
                raise SpecializationError(
                    f"output {number} names {extent}, which no argument binds"
                )
            if isinstance(extent, int) and extent < 0:
                raise SpecializationError(f"output {number} has a negative extent: {output.shape}")
        if output.alias < 0:
            return
        if output.alias >= len(self.arguments) or not self.arguments[output.alias].donated:
            raise SpecializationError(
                f"output {number} is argument {output.alias}, which is not donated"
            )
        source = self.arguments[output.alias]
        if source.dtype != output.dtype or source.strided or len(source.shape) != len(output.shape):
            raise SpecializationError(
                f"output {number} differs from argument {output.alias}, which it is"
            )

    @stored_property
    def slots(self) -> int:
        """How many extents the entry gets."""
        return len(self.symbols) + sum(len(a.shape) for a in self.arguments if a.strided)

    def stride_slot(self, number: int) -> int:
        """The slot of the first stride of a strided argument."""
        return len(self.symbols) + sum(len(a.shape) for a in self.arguments[:number] if a.strided)

    @property
    def held(self) -> tuple[object, ...]:
        """What has to live as long as the packed form is in use."""
        arguments = [part for a in self.arguments for part in (a.dtype, a.value)]
        outputs = [o.dtype for o in self.outputs]
        return (*arguments, *outputs, self.result, self.keep, self.keywords)


def pack(spec: Specialization) -> bytes:
    """The bytes that `gc_add` of native.c takes: Head, arguments, outputs, axis words."""
    slot = {name: i for i, name in enumerate(spec.symbols)}
    axes: list[int] = []
    bound: set[str] = set()
    records: list[bytes] = []
    for number, a in enumerate(spec.arguments):
        first = len(axes)
        for extent in a.shape:
            axes.append(
                extent if isinstance(extent, int) else ~(2 * slot[extent] + (extent in bound))
            )
            if isinstance(extent, str):
                bound.add(extent)
        flags = _STRIDED * a.strided | _DONATED * a.donated
        kind, rank, strides = _KINDS[a.kind], len(a.shape), spec.stride_slot(number)
        if a.dtype is None:
            held = id(a.value) if a.kind == "static" else 0
            records.append(
                ARGUMENT.pack(kind, flags, rank, _NO_TYPE_NUMBER, -1, held, first, strides, 0)
            )
            continue
        # a number stands for a dtype only where NumPy has one dtype of that number: the plain
        # builtin ones
        plain = a.dtype.isbuiltin == 1 and a.dtype.kind in "biufc"
        other = _SAME_INTEGER.get(a.dtype.num, _NO_TYPE_NUMBER) if plain else _NO_TYPE_NUMBER
        number_of_type = a.dtype.num if plain else -1
        records.append(
            ARGUMENT.pack(
                kind,
                flags,
                rank,
                other,
                number_of_type,
                id(a.dtype),
                first,
                strides,
                a.dtype.itemsize,
            )
        )
    for o in spec.outputs:
        first = len(axes)
        axes.extend(
            0 if e is None else e if isinstance(e, int) else ~(2 * slot[e] + 1) for e in o.shape
        )
        flags = _SCALAR * o.scalar
        records.append(
            OUTPUT.pack(flags, len(o.shape), o.alias, id(o.dtype), first, 0, o.dtype.itemsize)
        )
    result = _CALLABLE if callable(spec.result) else _RESULTS[spec.result]
    head = HEAD.pack(
        len(spec.arguments),
        len(spec.outputs),
        spec.slots,
        sum(len(o.shape) for o in spec.outputs),
        any(a.donated for a in spec.arguments),
        result,
        spec.arena_bytes,
        spec.arena_worker_bytes,
        spec.release_gil_bytes,
        sum(a.kind != "static" for a in spec.arguments),
        spec.entry,
        spec.shapes,
        id(spec.result) if callable(spec.result) else 0,
        id(spec.keywords) if spec.keywords else 0,
        len(axes),
    )
    return b"".join([head, *records, struct.pack(f"<{len(axes)}q", *axes)])
