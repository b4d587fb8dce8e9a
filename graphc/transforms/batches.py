"""`vmap`: a function of single values as one of batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from ..derivatives.batch import batch
from ..errors import ShapeMismatch
from ..ir import Value
from ..locations import refuse
from ..ops.batching import spread, to_front
from ..ops.formula import transpose
from ..tracer import Tracer
from ..types import Extent, TensorType
from .opened import leaves_of, name_of, names_of, run, trace_of, transformed

Axes = Any
"""An int, None (the same for all), or a container of them like the argument or the result."""


def vmap(function: Callable[..., Any], in_axes: Axes = 0, out_axes: Axes = 0) -> Any:
    """The function over batches, as if it were called in a loop and the results were stacked.

    Args:
        in_axes: which axis of each positional argument runs over the batch; None: the argument is
            the same for all. One for all arguments, or a tuple with one for each, after which the
            others (those given by name) have their batch in axis 0; within a nested argument a
            container like it (or like its upper levels).
        out_axes: where the batch is in the results, in the same way; None for what is the same for
            all.

    What does not depend on the batch is computed once.
    """

    def batched(*args: Any, **kwargs: Any) -> Any:
        return _run(function, in_axes, out_axes, args, kwargs)

    return transformed(function, batched, "vmap")


def _run(
    function: Callable[..., Any], in_axes: Axes, out_axes: Axes, args: Sequence[Any],
    kwargs: dict[str, Any],
) -> Any:  # fmt: skip
    name = name_of(function)
    words = tuple(kwargs)
    per_argument = _per_argument(in_axes, len(args), name) + [0] * len(words)
    arguments = [*args, *kwargs.values()]
    names = [*names_of(function, args), *words]
    mapped = [k for k, axes in enumerate(per_argument) if axes is not None]
    axes: list[int | None] = []
    sizes: dict[str, Extent] = {}
    for k in mapped:
        leaves = leaves_of(arguments[k], names[k])
        row = _spread_axes(per_argument[k], arguments[k], names[k], "in_axes")
        for tracer, path, axis in zip(leaves.tracers, leaves.paths, row, strict=True):
            axes.append(None if axis is None else _axis(axis, tracer.value.type.rank, path))
            if axes[-1] is not None:
                sizes[path] = tracer.value.type.shape[axes[-1]]
    if not sizes:
        refuse(f"vmap of {name}: no argument has an axis to run over")
    size = _one_size(sizes, name)
    rest = iter(axes)

    def single(tracer: Tracer, path: str) -> TensorType:
        axis, own = next(rest), tracer.value.type
        if axis is None:
            return own
        return own.with_shape((*own.shape[:axis], *own.shape[axis + 1 :]))

    def called(*given: Any) -> Any:
        named = dict(zip(words, given[len(args) :], strict=True))
        return _plain(function)(*given[: len(args)], **named)

    opened = run(called, arguments, {}, mapped, [names[k] for k in mapped], single)
    values = [
        v if axis is None else to_front(v, axis)
        for v, axis in zip(opened.primals, axes, strict=True)
    ]
    result = leaves_of(opened.returned, "result")
    flags = [axis is not None for axis in axes]
    found = batch(result.values, opened.params, values, flags, size)
    places = _spread_axes(out_axes, opened.returned, "result", "out_axes")
    trace, row = trace_of("vmap"), []
    for (value, flag), tracer, path, place in zip(
        found, result.tracers, result.paths, places, strict=True
    ):
        row.append(
            Tracer(trace, _placed(value, flag, place, size, path), tracer.weak and place is None)
        )
    return result.tree.unflatten(row)


def _plain(function: Any) -> Any:
    """The function as a trace runs it: its captured arrays are traced constants."""
    from ..captures import Captures

    return Captures(trace_of("vmap")).function(function)


def _placed(value: Value, flag: bool, place: int | None, size: Extent, path: str) -> Value:
    """A result with its batch where it is asked for."""
    if place is None:
        if flag:
            refuse(f"out_axes is None for {path}, which differs within the batch")
        return value
    value = spread(value, flag, size)
    rank = len(value.shape)
    place = _axis(place, rank, path)
    rest = iter(range(1, rank))
    return transpose(value, [0 if d == place else next(rest) for d in range(rank)])


def _axis(axis: int, rank: int, path: str) -> int:
    if not -rank <= axis < rank:
        refuse(
            f"vmap: {path} has {rank} axes, and axis {axis} is asked for; None is for what is the "
            "same for all",
            ShapeMismatch,
        )
    return axis % rank


def _one_size(sizes: dict[str, Extent], name: str) -> Extent:
    first, size = next(iter(sizes.items()))
    for path, other in sizes.items():
        if other != size:
            refuse(
                f"vmap of {name}: the batch of {first} has extent {size}, that of {path} {other}",
                ShapeMismatch,
            )
    return size


def _per_argument(in_axes: Axes, count: int, name: str) -> list[Axes]:
    if in_axes is None or isinstance(in_axes, int):
        return [in_axes] * count
    if not isinstance(in_axes, (tuple, list)) or len(in_axes) > count:
        refuse(
            f"vmap of {name}: in_axes is {in_axes!r}; expected an int, None, or a tuple with one "
            f"for each of {count} argument(s)"
        )
    return [*in_axes, *[0] * (count - len(in_axes))]


def _spread_axes(axes: Axes, x: Any, path: str, what: str) -> list[int | None]:
    """The axis of every leaf of x."""
    from .. import pytrees

    if axes is None or isinstance(axes, int):
        return [axes] * len(pytrees.flatten(x)[0])
    parts: list[tuple[Axes, Any, str]]
    if isinstance(axes, dict) and isinstance(x, dict) and axes.keys() == x.keys():
        parts = [(axes[k], x[k], f"{path}[{k!r}]") for k in sorted(x)]
    elif isinstance(axes, (tuple, list)) and isinstance(x, (tuple, list)) and len(axes) == len(x):
        parts = [(a, b, f"{path}[{k}]") for k, (a, b) in enumerate(zip(axes, x, strict=True))]
    elif dataclasses.is_dataclass(axes) and type(axes) is type(x):
        names = [f.name for f in dataclasses.fields(axes)]
        parts = [(getattr(axes, n), getattr(x, n), f"{path}.{n}") for n in names]
    else:
        return refuse(f"vmap: {what} is {axes!r} for {path}, which is built in another way")
    return [axis for part in parts for axis in _spread_axes(*part, what)]
