"""How the functions of this package meet their callers: on plain arrays, inside a trace, and from
the tracer.

A room (`reductions`, `shaping`...) holds *raw* functions: they take tracers, values, arrays and
Python numbers, and answer a `graphc.ir.Value` or a tuple or list of them. `implements` enters a raw
function in ENTRIES; `public` makes the function that users call:

    no tracer among the arguments     NumPy's own function runs (a raw one without such is evaluated
                                      at once)
    a tracer among them               the raw function runs, and its values come back as tracers
    creation functions                also inside a trace without a tracer argument, so that the
                                      result can be filled

Static data (axes, shapes, dtypes, modes) stay Python objects all the way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from .. import types as ty
from ..cell import mark
from ..errors import TraceError, TypeMismatch
from ..evaluate import evaluate
from ..ir import Graph, Value
from ..ops import build

Raw = Callable[..., Any]
Shape = tuple[ty.Extent, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One implemented function.

    Attributes:
        name: as in the namespace; "linalg.norm" in a submodule.
        raw: the function over values.
        numpy: NumPy's callables of that meaning, the first of which runs on plain arrays.
        creation: makes an array out of static data.
        inplace: answers the new value of its first argument, which is then assigned to it.
    """

    name: str
    raw: Raw
    numpy: tuple[Any, ...] = ()
    creation: bool = False
    inplace: bool = False


ENTRIES: dict[str, Entry] = {}


def _original(function: Any) -> Any:
    """NumPy's own function: while a function is traced, the tracer's wrappers stand in the numpy
    module.
    """
    if getattr(function, "__globals__", {}).get("__name__", "").startswith("graphc."):
        return function.__wrapped__
    return function


def implements(
    *callables: Any, name: str | None = None, creation: bool = False, inplace: bool = False
) -> Callable[[Raw], Raw]:
    """Enters a raw function in ENTRIES, under its own name unless another is given."""

    def mark(raw: Raw) -> Raw:
        key = name or raw.__name__
        callables_ = tuple(map(_original, callables))
        if key in ENTRIES:
            raise ValueError(f"two functions are named {key!r}")
        ENTRIES[key] = Entry(key, raw, callables_, creation, inplace)
        return raw

    return mark


# ------------------------------------------------------------------------------ values and tracers


def tracer_class() -> type:
    from ..trace import (
        Tracer,  # trace consults this package too; each is complete without the other
    )

    return Tracer


def is_traced(x: Any) -> bool:
    """Is there a tracer or a value in x, lists and tuples looked through?"""
    if isinstance(x, (list, tuple)):
        return any(is_traced(one) for one in x)
    return isinstance(x, (Value, tracer_class()))


def is_tracing() -> bool:
    """Is a function being traced on this thread?"""
    from ..trace import current_trace

    return current_trace() is not None


def wrap(found: Any) -> Any:
    """Values as tracers; through lists, tuples and named tuples; anything else as it is."""
    if isinstance(found, Value):
        from ..trace import wrap as make_tracer

        return make_tracer(found)
    if isinstance(found, (list, tuple)) and any(isinstance(f, (Value, list, tuple)) for f in found):
        parts = [wrap(f) for f in found]
        if isinstance(found, list):
            return parts
        return type(found)(*parts) if hasattr(found, "_fields") else tuple(parts)
    return found


def value(x: Any, dtype: Any = None) -> Value:
    """A tracer, value, array, number, extent, or nested lists of these, as a value."""
    if isinstance(x, tracer_class()):
        x = x.value
    if isinstance(x, (list, tuple)):
        if any(isinstance(one, ty.Dim) for one in x) or is_traced(x):
            from .creation import nested

            x = nested(x)
        else:
            x = np.asarray(x)
    if isinstance(x, (Value, np.ndarray, np.generic, ty.Dim, bool, int, float, complex)):
        return build.as_value(x, dtype)
    if hasattr(x, "__array__") or hasattr(x, "__array_interface__"):
        return build.as_value(np.asarray(x), dtype)
    raise TraceError(
        f"{type(x).__name__} is no array and no number. Convert it before the call, for example "
        "with "
        f"numpy.asarray, or pass it as a static argument"
    )


def static(x: Any, what: str) -> Any:
    """x as a NumPy array or Python number.

    Raises:
        TraceError: when it is traced, saying that `what` decides the shape of the result.
    """
    if is_traced(x):
        raise TraceError(
            f"{what} must be known while tracing, because the result's shape depends on it. "
            f"Pass a number or a NumPy array, or make the argument static"
        )
    return x


def number(extent: ty.Extent, what: str) -> int:
    """An extent that has to be a number.

    Raises:
        TraceError: when it is symbolic.
    """
    if isinstance(extent, ty.Dim):
        raise TraceError(
            f"{what} needs the extent {extent} as a number. Declare that dimension with a number "
            f"in the signature instead of a name"
        )
    return int(extent)


def extents(shape: Any) -> Shape:
    """A shape argument (an extent or a sequence of them) as a tuple of extents."""
    static(shape, "a shape")
    if isinstance(shape, np.ndarray):
        shape = shape.tolist()
    if isinstance(shape, (int, np.integer, ty.Dim)):
        shape = (shape,)
    return tuple(ty.extent(e.__index__() if hasattr(e, "dtype") else e) for e in shape)


def axes_of(axis: Any, rank: int) -> tuple[int, ...]:
    """An axis argument (None: all) as axes that count from 0.

    Raises:
        AxisError, ValueError: as NumPy, for axes that are not there or named twice.
    """
    if axis is None:
        return tuple(range(rank))
    return tuple(np.lib.array_utils.normalize_axis_tuple(static(axis, "an axis"), rank))


def axis_of(axis: Any, rank: int) -> int:
    """One axis that counts from 0."""
    return int(np.lib.array_utils.normalize_axis_index(static(axis, "an axis"), rank))


# --------------------------------------------------------------------------------- public functions


def _argument(raw: Raw, name: str) -> int | None:
    """The position of a parameter that can be given by position, or None."""
    try:
        parameters = list(inspect.signature(raw).parameters.values())
    except (TypeError, ValueError):
        return None
    for place, one in enumerate(parameters):
        if one.name == name and one.kind is one.POSITIONAL_OR_KEYWORD:
            return place
    return None


def assign(target: Any, found: Value, what: str) -> Any:
    """Writes a result into the tracer given as `out`.

    Raises:
        TraceError: when the target is a real array.
        TypeMismatch: when the dtype of the result does not fit (NumPy's same_kind rule).
    """
    if not isinstance(target, tracer_class()):
        raise TraceError(
            f"{what} writes into a NumPy array, which outlives the trace. Write into an array "
            "made by "
            f"graphc.numpy inside the function, or return the result"
        )
    if not np.can_cast(found.dtype.numpy, value(target).dtype.numpy, "same_kind"):
        raise TypeMismatch(f"{what}: {found.dtype} does not fit into {value(target).dtype}")
    target[...] = wrap(build.cast(found, value(target).dtype))
    return target


def eager(raw: Raw) -> Raw:
    """The raw function on plain arrays: a graph of constants, evaluated at once."""

    def run(*args: Any, **kwargs: Any) -> Any:
        return _evaluated(raw(*args, **kwargs))

    return run


def _evaluated(found: Any) -> Any:
    if isinstance(found, Value):
        return evaluate(Graph.of("eager", (), (found,)), ())[0]
    if isinstance(found, (list, tuple)):
        parts = [_evaluated(f) for f in found]
        if isinstance(found, list):
            return parts
        return type(found)(*parts) if hasattr(found, "_fields") else tuple(parts)
    return found


def public(entry: Entry) -> Raw:
    """The function that users call (see the module's text)."""
    raw = entry.raw
    fallback = entry.numpy[0] if entry.numpy else eager(raw)
    out_place = _argument(raw, "out")

    @wraps(raw)
    def call(*args: Any, **kwargs: Any) -> Any:
        traced = is_traced(args) or is_traced(tuple(kwargs.values()))
        if not traced and not (entry.creation and is_tracing()):
            return _plain(fallback, raw, args, kwargs)
        mark(2)
        out = kwargs.pop("out", None)
        if out is None and out_place is not None and len(args) > out_place:
            out = args[out_place]
            args = (*args[:out_place], None, *args[out_place + 1 :])
        found = raw(*args, **kwargs)
        if entry.inplace:
            assign(args[0] if args else next(iter(kwargs.values())), found, entry.name)
            return None
        if out is None:
            return wrap(found)
        if isinstance(found, tuple):
            targets = zip(out, found, strict=True)
            return tuple(wrap(f) if o is None else assign(o, f, entry.name) for o, f in targets)
        return assign(out[0] if isinstance(out, tuple) else out, found, entry.name)

    return call


def _plain(fallback: Raw, raw: Raw, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """NumPy's function; ours where it is asked for what NumPy's does not have, such as `size`."""
    if set(kwargs) & {"size", "fill_value", "length", "descending", "stable", "device", "dtype"}:
        return (
            _evaluated(raw(*args, **kwargs))
            if not _takes(fallback, kwargs)
            else fallback(*args, **kwargs)
        )
    return fallback(*args, **kwargs)


def _takes(function: Raw, kwargs: dict[str, Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    return all(k in parameters for k in kwargs)
