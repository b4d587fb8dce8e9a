"""NumPy's two protocols on tracers: ufuncs with all their methods, and every other function.

What a function means is written in `graphc.numpy` (IMPLEMENTATIONS). Here stands what all of them
share: `out=`, `where=`, views, functions of known values, and the refusal of what cannot be traced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from . import types as ty
from . import views
from .cell import Cell, mark
from .errors import GraphcError, ShapeMismatch, TraceError, TypeMismatch
from .indexing import plan
from .ir import Value
from .locations import refuse
from .masks import find
from .ops import build
from .ops.elementwise import NEG
from .ops.indexing import SCATTER
from .ops.movement import TRANSPOSE
from .types import BOOL


@lru_cache(maxsize=1)
def namespace() -> Any:
    """`graphc.numpy`, which is built on the tracer; hence imported at the first dispatch."""
    from . import numpy as functions

    return functions


def implementation(function: Any) -> Callable[..., Any] | None:
    """Our function of a NumPy callable's meaning."""
    return namespace().IMPLEMENTATIONS.get(function)


REAL_ARRAY = (
    "writes traced values into a NumPy array that was made outside of the trace. Make the array "
    "inside the traced function (np.zeros, np.empty... answer traced arrays there), or copy it "
    "there first: a = np.array(a)"
)


# ------------------------------------------------------------------------------------------ ufuncs


def call_ufunc(
    cell: Any, ufunc: np.ufunc, method: str, inputs: Sequence[Any], options: dict[str, Any]
) -> Any:
    """`__array_ufunc__`."""
    options = dict(options)
    out = options.pop("out", None)
    targets = out if isinstance(out, tuple) or out is None else (out,)
    for target in targets or ():
        if target is not None and not isinstance(target, Cell):
            refuse(f"numpy.{ufunc.__name__} {REAL_ARRAY}")
    if method == "at":
        return _at(cell, ufunc, *inputs)
    if any(_is_foreign(i) for i in inputs):
        return NotImplemented
    operands = [_operand(cell, i) for i in inputs]
    if method == "__call__":
        found = _elementwise(cell, ufunc, operands, options, targets)
    elif method == "outer":
        a, b = (_traced(cell, x) for x in operands)
        a = views.reshape(a, (*a.type.shape, *(1 for _ in b.type.shape)))
        found = _elementwise(cell, ufunc, [a, b], options, targets)
    elif method == "reduce":
        found = _reduce(cell, ufunc, _traced(cell, operands[0]), *operands[1:], **options)
    elif method == "accumulate":
        found = _accumulate(cell, ufunc, _traced(cell, operands[0]), *operands[1:], **options)
    else:
        found = _reduceat(cell, ufunc, _traced(cell, operands[0]), *inputs[1:], **options)
    if targets is None:
        return found
    results = found if isinstance(found, tuple) else (found,)
    casting = options.get("casting", "same_kind")
    written = tuple(
        f if t is None else store(t, f, ufunc.__name__, casting)
        for t, f in zip(targets, results, strict=True)
    )
    return written if isinstance(found, tuple) else written[0]


def _is_foreign(x: Any) -> bool:
    if isinstance(x, (Cell, np.ndarray, np.generic)):
        return type(x) is not np.ndarray and isinstance(x, np.ndarray) and not isinstance(x, Cell)
    return getattr(type(x), "__array_ufunc__", None) is not None


def _operand(cell: Any, x: Any) -> Any:
    """Arrays from outside as constants, one per array; numbers as they are."""
    if isinstance(x, Cell) or not isinstance(x, (np.ndarray, list, tuple)):
        return x
    return cell.fresh(cell.as_value(x))


def _traced(cell: Any, x: Any) -> Any:
    return x if isinstance(x, Cell) else cell.fresh(cell.as_value(x))


def _elementwise(
    cell: Any,
    ufunc: np.ufunc,
    operands: Sequence[Any],
    options: dict[str, Any],
    targets: tuple[Any, ...] | None,
) -> Any:
    where = options.pop("where", True)
    passed = {
        k: v
        for k, v in options.items()
        if k in ("dtype", "axis", "axes", "keepdims") and v is not None
    }
    run = implementation(ufunc)
    if run is None:
        return _on_known(cell, ufunc, operands, options)
    found = run(*operands, **passed)
    if where is True:
        return found
    results = found if isinstance(found, tuple) else (found,)
    kept = tuple(
        _chosen(cell, where, f, None if targets is None else t)
        for f, t in zip(results, targets or (None,) * len(results), strict=True)
    )
    return kept if isinstance(found, tuple) else kept[0]


def _chosen(cell: Any, where: Any, found: Any, target: Any) -> Any:
    """The result where asked for, what was there elsewhere (0 where NumPy leaves it undefined)."""
    before = build.full((), 0, found.value.dtype) if target is None else target.value
    return cell.fresh(
        build.select(cell.as_value(where), found.value, build.cast(before, found.value.dtype))
    )


def store(target: Any, found: Any, name: str, casting: str = "same_kind") -> Any:
    """Writes a result into the tracer that was given as `out`.

    Raises:
        TypeMismatch, ShapeMismatch: as NumPy, when dtype or shape do not fit.
    """
    value = found.value
    if not np.can_cast(value.dtype.numpy, target.type.dtype.numpy, casting):  # type: ignore[arg-type]
        refuse(
            f"Cannot cast ufunc '{name}' output from {value.dtype.numpy!r} to "
            f"{target.type.dtype.numpy!r} with casting rule '{casting}'",
            TypeMismatch,
        )
    if ty.broadcast_shapes(value.shape, target.type.shape) != target.type.shape:
        refuse(
            f"non-broadcastable output operand with shape {target.type.shape} doesn't match the "
            f"broadcast shape {value.shape}",
            ShapeMismatch,
        )
    target.write(build.broadcast_to(build.cast(value, target.type.dtype), target.type.shape))
    return target


_REDUCED = frozenset(
    {
        np.add,
        np.multiply,
        np.maximum,
        np.minimum,
        np.fmax,
        np.fmin,
        np.logical_and,
        np.logical_or,
        np.logical_xor,
        np.bitwise_and,
        np.bitwise_or,
        np.bitwise_xor,
        np.logaddexp,
    }
)
_SCANNED = frozenset({np.add, np.multiply, np.maximum, np.minimum})
_NO_DEFAULT = np._NoValue  # type: ignore[attr-defined]


def _reduce(
    cell: Any,
    ufunc: np.ufunc,
    x: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = _NO_DEFAULT,
    where: Any = True,
) -> Any:
    start = None if initial is _NO_DEFAULT else initial
    run: Any = implementation(ufunc)
    if run is not None and ufunc in _REDUCED:
        return run.reduce(x, axis, dtype, None, keepdims, start, where)
    if where is not True or isinstance(axis, tuple):
        refuse(
            f"numpy.{ufunc.__name__}.reduce with where= or several axes is not supported; reduce "
            "axis by axis"
        )
    rank = x.type.rank
    rows = _rows(x, views.axis_of(axis, rank) if axis is not None else None, ufunc, "reduce")
    if start is not None:
        rows.insert(0, start)
    if not rows:
        if ufunc.identity is None:
            raise ValueError(
                f"zero-size array to reduction operation {ufunc.__name__} which has no identity"
            )
        return refuse(f"numpy.{ufunc.__name__}.reduce of an empty axis is not supported")
    total = rows[0]
    for row in rows[1:]:
        total = call_ufunc(cell, ufunc, "__call__", (total, row), {})
    return views.expand_dims(total, axis) if keepdims and axis is not None else total


def _rows(x: Any, axis: int | None, ufunc: np.ufunc, method: str) -> list[Any]:
    """The elements along an axis, which has to have a number of them."""
    if axis is None:
        x, axis = views.ravel(x), 0
    if isinstance(x.type.shape[axis], ty.Dim):
        refuse(
            f"numpy.{ufunc.__name__}.{method} along an axis of symbolic extent {x.type.shape[axis]}"
        )
    lead = (slice(None),) * axis
    return [x[(*lead, i)] for i in range(x.type.shape[axis])]


def _accumulate(
    cell: Any, ufunc: np.ufunc, x: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Any:
    run: Any = implementation(ufunc)
    if run is not None and ufunc in _SCANNED:
        return run.accumulate(x, axis, dtype)
    place = views.axis_of(axis, x.type.rank)
    rows = _rows(x, place, ufunc, "accumulate")
    for i in range(1, len(rows)):
        rows[i] = call_ufunc(cell, ufunc, "__call__", (rows[i - 1], rows[i]), {})
    return namespace().stack(rows, axis=place) if rows else x.copy()


def _reduceat(
    cell: Any,
    ufunc: np.ufunc,
    x: Any,
    indices: Any,
    axis: int = 0,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    known = indices.known() if isinstance(indices, Cell) else np.asarray(indices)
    if known is None:
        return refuse(f"numpy.{ufunc.__name__}.reduceat needs indices that are known while tracing")
    place = views.axis_of(axis, x.type.rank)
    lead = (slice(None),) * place
    parts = []
    ends = [*known[1:].tolist(), x.type.shape[place]]
    for a, b in zip(known.tolist(), ends, strict=True):
        part = x[(*lead, slice(a, b))] if a < b else x[(*lead, slice(a, a + 1))]
        parts.append(_reduce(cell, ufunc, part, axis=place, dtype=dtype))
    return namespace().stack(parts, axis=place)


_SCATTERS = {
    np.add: "add",
    np.subtract: "add",
    np.multiply: "mul",
    np.maximum: "max",
    np.minimum: "min",
    np.logical_or: "max",
    np.logical_and: "min",
}


def _at(cell: Any, ufunc: np.ufunc, x: Any, index: Any, value: Any = None) -> None:
    """`ufunc.at(x, index, value)`: an element that is named twice is changed twice."""
    if not isinstance(x, Cell):
        refuse(f"numpy.{ufunc.__name__}.at {REAL_ARRAY}")
    found = None if find(x, index) is not None else plan(index, x.type.shape, x.owner)
    if found is None or not found.axes:
        operands = (x[index],) if value is None else (x[index], value)  # type: ignore[index]
        x[index] = ufunc(*operands)  # type: ignore[index]
        return
    combine = _SCATTERS.get(ufunc)
    if combine is None or (ufunc in (np.logical_or, np.logical_and) and x.type.dtype is not BOOL):
        known = ", ".join(f.__name__ for f in _SCATTERS)
        refuse(
            f"numpy.{ufunc.__name__}.at with an index array is not supported; supported are {known}"
        )
    if x.type.dtype is BOOL and ufunc in (np.add, np.multiply):
        combine = "max" if ufunc is np.add else "min"
    target = x.share(*found.steps) if found.steps else x
    dtype = build.result_type(target.value, value.value if isinstance(value, Cell) else value)
    if not np.can_cast(dtype.numpy, x.type.dtype.numpy, "same_kind"):
        refuse(
            f"Cannot cast ufunc '{ufunc.__name__}' output from {dtype.numpy!r} to "
            f"{x.type.dtype.numpy!r} with casting rule 'same_kind'",
            TypeMismatch,
        )
    indexed = found.index[0].shape
    rest = tuple(e for a, e in enumerate(target.type.shape) if a not in found.axes)
    shape = (*rest[: found.place], *indexed, *rest[found.place :])
    updates = x.assigned(value, shape)  # type: ignore[attr-defined]
    if found.place and indexed:
        many, place, rank = len(indexed), found.place, len(shape)
        order = (*range(place, place + many), *range(place), *range(place + many, rank))
        updates = TRANSPOSE(updates, axes=order)
    if ufunc is np.subtract:
        updates = NEG(updates)
    target.write(
        SCATTER(
            target.value, updates, *found.index, axes=found.axes, combine=combine, mode=found.mode
        )
    )


# --------------------------------------------------------------------------------------- functions


def call_function(cell: Any, function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """`__array_function__`."""
    name = f"{getattr(function, '__module__', 'numpy')}.{getattr(function, '__name__', function)}"
    view = views.FUNCTIONS.get(function)
    if view is not None and args and isinstance(args[0], Cell):
        return view(*args, **kwargs)
    special = _SPECIAL.get(function)
    if special is not None:
        return special(*args, **kwargs)
    out = kwargs.get("out")
    if out is not None and any(
        not isinstance(t, Cell)
        for t in (out if isinstance(out, tuple) else (out,))
        if t is not None
    ):
        refuse(f"{name} {REAL_ARRAY}")
    run = implementation(function)
    if run is None:
        return _on_known(cell, function, args, kwargs, name)
    try:
        return run(*args, **kwargs)
    except TraceError:  # the shape of the result depends on data, which may be known
        if not all(map(_is_known, (*args, *kwargs.values()))):
            raise
        return _on_known(cell, function, args, kwargs, name)


def _on_known(
    cell: Any, function: Any, args: Sequence[Any], kwargs: dict[str, Any], name: str = ""
) -> Any:
    """The real function, when all tracers among the arguments are known while tracing."""
    if not all(map(_is_known, (*args, *kwargs.values()))):
        shown = name or f"numpy.{function.__name__}"
        reason = namespace().REFUSED.get(shown.removeprefix("numpy."))
        if reason:
            refuse(f"{shown} cannot be traced: {reason}")
        return refuse(
            f"{shown} has no meaning in graphc yet. Write it with the functions of graphc.numpy, "
            "compute it outside and pass the result in, or make its arguments static"
        )
    options = {k: _known(v) for k, v in kwargs.items()}
    return _constants(cell, function(*map(_known, args), **options))


def _is_known(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return all(map(_is_known, x))
    return not isinstance(x, Cell) or x.known() is not None


def _known(x: Any) -> Any:
    if isinstance(x, Cell):
        array = x.known()
        return array[()] if array is not None and not array.ndim else array
    if isinstance(x, (list, tuple)) and type(x) in (list, tuple):
        return type(x)(_known(i) for i in x)
    return x


def _constants(cell: Any, found: Any) -> Any:
    if isinstance(found, np.ndarray) and found.dtype.kind in "biufc":
        return cell.fresh(build.constant(found))
    if isinstance(found, (tuple, list)):
        parts = [_constants(cell, f) for f in found]
        return type(found)(*parts) if hasattr(found, "_fields") else type(found)(parts)
    return found


def _dtype_of(x: Any) -> Any:
    if not isinstance(x, Cell):
        return x
    if x.weak and x.type.dtype is not BOOL:
        return {"i": 0, "u": 0, "f": 0.0, "c": 0j}[x.type.dtype.kind]
    return x.type.dtype.numpy


def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """numpy.copyto."""
    if not isinstance(dst, Cell):
        refuse(f"numpy.copyto {REAL_ARRAY}")
    source = src if isinstance(src, Cell) else None
    if source is not None and not np.can_cast(
        source.type.dtype.numpy,
        dst.type.dtype.numpy,
        casting,  # type: ignore[arg-type]
    ):
        refuse(
            f"Cannot cast array data from {source.type.dtype} to {dst.type.dtype} according to "
            f"the rule {casting!r}",
            TypeMismatch,
        )
    new: Value = dst.assigned(src, dst.type.shape)  # type: ignore[attr-defined]
    if where is not True:
        chosen = build.broadcast_to(build.as_value(dst.as_value(where), BOOL), dst.type.shape)
        new = build.select(chosen, new, dst.value)
    dst.write(new)


def _nonzero(a: Any) -> Any:
    """numpy.nonzero: without a size, of a traced array, something that is only an index."""
    return a.nonzero()


def _flatnonzero(a: Any) -> Any:
    """numpy.flatnonzero, likewise."""
    return views.ravel(a).nonzero()[0]


def _where(condition: Any, *branches: Any) -> Any:
    """numpy.where; of one argument, numpy.nonzero."""
    if not branches and isinstance(condition, Cell):
        return _nonzero(condition)
    return namespace().where(condition, *branches)


def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """numpy.fill_diagonal of a matrix."""
    if not isinstance(a, Cell):
        refuse(f"numpy.fill_diagonal {REAL_ARRAY}")
    if a.type.rank != 2 or wrap:
        refuse("numpy.fill_diagonal is supported for matrices, without wrap")
    views.diagonal_view(a)[...] = val


_SPECIAL: dict[Any, Callable[..., Any]] = {
    np.shape: lambda a: a.type.shape if isinstance(a, Cell) else np.shape(a),
    np.ndim: lambda a: a.type.rank if isinstance(a, Cell) else np.ndim(a),
    np.iscomplexobj: lambda x: x.type.dtype.is_complex,
    np.isrealobj: lambda x: not x.type.dtype.is_complex,
    np.result_type: lambda *xs: np.result_type(*map(_dtype_of, xs)),
    np.can_cast: lambda a, to, casting="safe": np.can_cast(_dtype_of(a), to, casting),  # type: ignore[arg-type]
    np.shares_memory: lambda a, b, max_work=None: _share(a, b),
    np.may_share_memory: lambda a, b, max_work=None: _share(a, b),
    np.copyto: _copyto,
    np.nonzero: _nonzero,
    np.flatnonzero: _flatnonzero,
    np.where: _where,
    np.fill_diagonal: _fill_diagonal,
}


def _share(a: Any, b: Any) -> bool:
    if not isinstance(a, Cell) or not isinstance(b, Cell):
        return False
    return (a if a._base is None else a._base) is (b if b._base is None else b._base)


def located(error: GraphcError, line: Any) -> None:
    """Adds the user's line to an error that does not name one."""
    if line is not None and str(line) not in str(error):
        error.add_note(f"at {line}")


__all__ = ["call_function", "call_ufunc", "implementation", "located", "mark", "namespace", "store"]
