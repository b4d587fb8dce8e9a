"""One function of an artifact: a native callable over the entry in the shared library.

Plain arrays of the right types go straight to the entry. Everything else (nested arguments, NumPy
scalars, keywords, other layouts) comes here: it is taken apart, checked, copied where only the
layout is another, or refused with the name of the argument and what was expected.

Who calls it: artifact.py.
"""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import call, nested
from .errors import ArtifactError, ShapeMismatch, TypeMismatch, error_of
from .forking import ForkLock, stored_property
from .manifest import DTYPES, Argument, Function, extent_value
from .records import dataclass
from .specialization import ArgumentSpec, OutputSpec, Specialization

FIRST_MESSAGE = 100
"""The first error code of what programs report themselves; smaller ones are of the interface."""
_SHAPES = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
_PLAIN: Mapping[str, tuple[type, ...]] = {
    "b": (bool,), "i": (int,), "u": (int,), "f": (float, int), "c": (complex, float, int),
    "V": (float, int),
}  # fmt: skip
"""The Python numbers that stand for a number of such a dtype."""


@dataclass(frozen=True, slots=True)
class Code:
    """A function's addresses in the loaded library; `scratch` bytes are needed for each worker."""

    entry: int
    shapes: int
    scratch: int
    strerror: Callable[[int], bytes]
    keep: object


def numpy_dtype(name: str) -> np.dtype[Any]:
    """NumPy's dtype of a name in a manifest.

    Raises:
        ArtifactError: for bfloat16 where ml_dtypes is not installed.
    """
    if name != "bf16":
        return np.dtype(DTYPES[name])
    try:
        import ml_dtypes
    except ImportError:
        raise ArtifactError("an array is bfloat16; install ml_dtypes, which knows it") from None
    return np.dtype(ml_dtypes.bfloat16)


class Exported:
    """The Python side of one function."""

    def __init__(self, facts: Function, code: Code):
        self.facts, self.code = facts, code
        self.names = tuple(p.name for p in facts.parameters)
        self.callable: Any = call.exported_type()(self._first, self._fail)
        """What the user calls."""
        self._lock = ForkLock()
        self._ready = False

    def _first(self, *args: Any, **kwargs: Any) -> Any:
        """The first call, and later ones that native code did not take: whoever imports an artifact
        does not wait for the preparations of all its functions."""
        if not self._ready:
            with self._lock:
                if not self._ready:
                    if self._is_flat and not self.facts.requirements:
                        call.add_specialization(self.callable, self._spec)
                    self._ready = True
        return (self._flat if self._is_flat else self._nested)(*args, **kwargs)

    @stored_property
    def _is_flat(self) -> bool:
        """Whether the arguments are the leaves."""
        return [p.structure for p in self.facts.parameters] == [*range(len(self.names))]

    @stored_property
    def _dtypes(self) -> tuple[np.dtype[Any], ...]:
        return tuple(numpy_dtype(a.dtype) for a in self.facts.arguments)

    @stored_property
    def _prepared(self) -> Any:
        """Takes leaves that were prepared."""
        return self._made(self._refuse_prepared, self._spec)

    @stored_property
    def _leaves(self) -> Any:
        """Takes leaves."""
        return self._made(self._run, None if self.facts.requirements else self._spec)

    @stored_property
    def _unpack(self) -> Callable[..., tuple[Any, ...] | None]:
        return nested.unpacker([p.structure for p in self.facts.parameters])

    def _made(self, miss: Callable[..., Any], spec: Specialization | None) -> Any:
        made: Any = call.exported_type()(miss, self._fail)
        if spec is not None:
            call.add_specialization(made, spec)
        return made

    # ------------------------------------------------------------------------------ what it takes
    @stored_property
    def _spec(self) -> Specialization:
        facts, code = self.facts, self.code
        result, scalars = self._result()
        arguments = tuple(
            ArgumentSpec("array", dtype, a.shape, False, a.inout)
            if a.kind == "array"
            else ArgumentSpec(a.kind)  # type: ignore[arg-type]
            for a, dtype in zip(facts.arguments, self._dtypes, strict=True)
        )
        outputs = tuple(
            OutputSpec(
                numpy_dtype(o.dtype), tuple(e if isinstance(e, int) else None for e in o.shape),
                o.alias, k in scalars,
            )
            for k, o in enumerate(facts.outputs)
        )  # fmt: skip
        arena = 0
        if not facts.symbols:
            dims = (ctypes.c_int64 * max(1, sum(len(o.shape) for o in facts.outputs)))()
            arena = _SHAPES(code.shapes)(None, ctypes.addressof(dims))
            known = [e for o in facts.outputs for e in o.shape]
            if arena < 0 or dims[: len(known)] != known:
                raise ArtifactError(f"{facts.name} has other results than the manifest says")
        return Specialization(
            arguments, outputs, code.entry, code.shapes if facts.symbols else 0, facts.symbols,
            result, arena, code.scratch, keep=code.keep,
        )  # fmt: skip

    def _result(self) -> tuple[Any, frozenset[int]]:
        """How native code hands the results over, and which of them as NumPy scalars."""
        results, structure = self.facts.results, self.facts.structure
        in_order = [r.output for r in results] == list(range(len(self.facts.outputs)))
        if in_order and all(r.form in ("array", "scalar") for r in results):
            scalars = frozenset(k for k, r in enumerate(results) if r.form == "scalar")
            if structure == 0:
                return "single", scalars
            if structure in ({"tuple": [*range(len(results))]}, {"list": [*range(len(results))]}):
                return next(iter(structure)), scalars
            return nested.packer(structure), scalars
        pack = nested.packer(structure)

        def assemble(arrays: Sequence[Any]) -> Any:
            return pack([leaf_of(r.form, r.value, arrays, r.output) for r in results])

        return assemble, frozenset()

    # -------------------------------------------------------------------------------------- calls
    def _flat(self, *args: Any, **kwargs: Any) -> Any:
        """A call of plain arguments that native code did not take."""
        return self._run(*self._bound(args, kwargs))

    def _nested(self, *args: Any, **kwargs: Any) -> Any:
        """A call of nested arguments."""
        if not kwargs and len(args) == len(self.names):
            leaves = self._unpack(*args)
            if leaves is not None:
                return self._leaves(*leaves)
        leaves = self._taken_apart(args, kwargs)  # first: what is wrong here is said first
        return self._leaves(*leaves)

    def _taken_apart(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The leaves of a call."""
        found: dict[int, Any] = {}
        given = self._bound(args, kwargs)
        for parameter, value in zip(self.facts.parameters, given, strict=True):
            nested.leaves_of(parameter.structure, value, parameter.name, found)
        return [found[k] for k in range(len(found))]

    def _bound(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """One value for each parameter."""
        name, names = self.facts.name, self.names
        if len(args) > len(names):
            raise TypeError(f"{name}() takes {len(names)} arguments, and {len(args)} were given")
        values = dict(zip(names, args, strict=False))
        for key, value in kwargs.items():
            if key not in names:
                raise TypeError(f"{name}() has no argument {key!r}; it takes {', '.join(names)}")
            if key in values:
                raise TypeError(f"{name}() got two values for the argument {key!r}")
            values[key] = value
        lacking = [n for n in names if n not in values]
        if lacking:
            raise TypeError(f"{name}() lacks the argument {', '.join(lacking)}")
        return [values[n] for n in names]

    def _run(self, *leaves: Any) -> Any:
        """Checks and prepares the leaves, then runs."""
        return self._prepared(*self._apart(self._checked(leaves)[0]))

    def _checked(self, leaves: Sequence[Any]) -> tuple[list[Any], dict[str, int]]:
        """The leaves as arrays and numbers of the right types, and the values of the extents."""
        facts = self.facts
        if len(leaves) != len(facts.arguments):
            raise TypeError(f"{facts.name}() takes {len(facts.arguments)} arrays")
        values: dict[str, int] = {}
        owners: dict[str, str] = {}
        prepared = [
            self._array(a, dtype, leaf, values, owners) if a.kind == "array" else _number(a, leaf)
            for a, dtype, leaf in zip(facts.arguments, self._dtypes, leaves, strict=True)
        ]
        for tree, text, line in facts.requirements:
            value = extent_value(tree, values)
            if value < 0:
                where = f" (at {line})" if line else ""
                given = ", ".join(f"{k} = {v}" for k, v in values.items())
                raise ShapeMismatch(f"{facts.name} needs {text} >= 0, and it is {value} for {given}"
                                    f"{where}")  # fmt: skip
        return prepared, values

    def _apart(self, leaves: list[Any]) -> list[Any]:
        """Arrays that are written over share no memory with others, and may be written."""
        for k, argument in enumerate(self.facts.arguments):
            if not argument.inout:
                continue
            own = leaves[k]
            others = (x for i, x in enumerate(leaves) if i != k and isinstance(x, np.ndarray))
            if not own.flags.writeable or any(np.may_share_memory(own, x) for x in others):
                leaves[k] = own.copy()
        return leaves

    def _array(
        self, argument: Argument, dtype: np.dtype[Any], leaf: Any, values: dict[str, int],
        owners: dict[str, str],
    ) -> Any:  # fmt: skip
        expected = f"{self.facts.name}: {argument.path} is {{}}; expected {argument.type}"
        array = _as_array(leaf, dtype, len(argument.shape), expected)
        if array.dtype != dtype or not array.dtype.isnative:
            found = f"{_shown(array)}"
            raise TypeMismatch(f"{expected.format(found)}. Write {argument.name}.astype("
                               f"{DTYPES[argument.dtype]!r})")  # fmt: skip
        if array.ndim != len(argument.shape):
            raise ShapeMismatch(expected.format(_shown(array)))
        for axis, (extent, wanted) in enumerate(zip(array.shape, argument.shape, strict=True)):
            if isinstance(wanted, int):
                if extent != wanted:
                    raise ShapeMismatch(expected.format(_shown(array)))
                continue
            if values.setdefault(wanted, extent) != extent:
                raise ShapeMismatch(
                    f"{expected.format(_shown(array))}, and {wanted} is {values[wanted]} by "
                    f"{owners[wanted]}"
                )
            owners.setdefault(wanted, f"axis {axis} of {argument.path}")
        if not (array.flags.c_contiguous and array.flags.aligned):
            array = np.array(array, order="C")
        return array

    # ------------------------------------------------------------------------------------- errors
    def _refuse_prepared(self, *leaves: Any) -> Any:
        shown = ", ".join(_shown(x) for x in leaves)
        raise ArtifactError(
            f"{self.facts.name} does not take {shown}: its extents do not fit together"
        )

    def _fail(self, code: int, outputs: Any) -> Any:
        """What native code calls with an error code."""
        text = self.code.strerror(code).decode()
        raise error_of(text) if code >= FIRST_MESSAGE else ArtifactError(text)


def leaf_of(form: str, value: Any, arrays: Sequence[Any], output: int) -> Any:
    """A leaf of what a function returns, from the arrays of its outputs."""
    if form == "static":
        return value
    array = arrays[output]
    if form == "array":
        return array
    return array[()] if form == "scalar" else array.item()


def _as_array(leaf: Any, dtype: np.dtype[Any], rank: int, expected: str) -> np.ndarray[Any, Any]:
    """The array that a leaf is, or stands for."""
    kind = type(leaf)
    if kind is np.ndarray:
        return leaf
    if isinstance(leaf, (np.ma.MaskedArray, np.matrix)):
        raise TypeMismatch(f"{expected.format(f'a {kind.__name__}')}: pass a plain array")
    if isinstance(leaf, np.ndarray):
        return leaf.view(np.ndarray)
    if isinstance(leaf, np.generic):
        return np.asarray(leaf)
    if rank == 0 and kind in _PLAIN[dtype.kind]:
        try:
            return np.array(leaf, dtype)
        except OverflowError:
            raise TypeMismatch(f"{expected.format(leaf)}, which is too small for it") from None
    if hasattr(leaf, "__cuda_array_interface__"):
        raise TypeMismatch(f"{expected.format('on a CUDA device')}; copy it to the host")
    if hasattr(leaf, "__array__") or hasattr(leaf, "__array_interface__"):
        return np.asarray(leaf)
    shown = f"the Python number {leaf!r}" if kind in (bool, int, float, complex) else (
        f"a {kind.__name__}"
    )  # fmt: skip
    raise TypeMismatch(f"{expected.format(shown)}. Write np.asarray(...)")


def _number(argument: Argument, leaf: Any) -> Any:
    """A Python number, from one that means the same."""
    kind = argument.kind
    expected = f"{argument.path} is {leaf!r}; expected a Python {kind}"
    truth = isinstance(leaf, (bool, np.bool_))
    if truth != (kind == "bool"):
        raise TypeMismatch(expected)
    if truth:
        return bool(leaf)
    if kind == "int" and isinstance(leaf, (int, np.integer)):
        value = operator.index(leaf)
        if not -(2**63) <= value < 2**63:
            raise TypeMismatch(f"{expected} of 64 bits")
        return value
    try:
        if kind == "float" and isinstance(leaf, (int, float, np.integer, np.floating)):
            return float(leaf)
        if kind == "complex" and isinstance(leaf, (int, float, complex, np.number)):
            return complex(leaf)
    except OverflowError:
        raise TypeMismatch(f"{expected}, and it is too large") from None
    raise TypeMismatch(expected)


def _shown(x: Any) -> str:
    """The type of an argument, for messages."""
    if isinstance(x, np.ndarray):
        return f"{x.dtype}[{', '.join(map(str, x.shape))}]"
    return repr(x)
