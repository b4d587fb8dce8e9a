"""Rules by which ops work on batches: the cards name them (`OpDef.batching`).

`rule(operands, batched, attrs, size)` takes operands of which those that are `batched` have a new
axis of that size in front, and answers results that have it. Elementwise ops need no rule. Like
graphc/ops/formula.py this asks the registry and imports no card.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import types as ty
from ..errors import TypeMismatch
from ..ir import Value
from ..opdef import Attrs, lookup
from ..types import I64, Extent
from .formula import Formula, broadcast, full, reduce, reshape, select, transpose, zeros

Flags = Sequence[bool]
Rule = Callable[[Sequence[Value], Flags, Attrs, Extent], Any]


def spread(x: Value, batched: bool, size: Extent) -> Value:
    """An operand with the batch axis, also where it was the same for all."""
    if batched:
        return x
    return broadcast(x, (size, *x.shape), range(1, 1 + len(x.shape)))


def all_spread(operands: Sequence[Value], batched: Flags, size: Extent) -> list[Value]:
    """Every operand with the batch axis."""
    return [spread(x, b, size) for x, b in zip(operands, batched, strict=True)]


def to_front(x: Value, axis: int) -> Value:
    """x with one axis moved to the front."""
    return transpose(x, (axis, *(d for d in range(len(x.shape)) if d != axis)))


def elementwise(name: str) -> Rule:
    """All operands have one shape."""

    def rule(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Any:
        return lookup(name)(*all_spread(operands, batched, size), **attrs)

    return rule


def shifted(name: str, *keys: str, **front: Any) -> Rule:
    """An op along axes: the attributes `keys` name axes and shift by one; `front` says for other
    attributes, one entry an axis, which entry the batch axis gets (None: its size).
    """

    def rule(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Any:
        new = dict(attrs)
        for key in keys:
            axes = attrs[key]
            new[key] = axes + 1 if isinstance(axes, int) else tuple(a + 1 for a in axes)
        for key, entry in front.items():
            new[key] = (size if entry is None else entry, *attrs[key])
        return lookup(name)(*all_spread(operands, batched, size), **new)

    return rule


def broadcasting(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Value:
    axes = (0, *(a + 1 for a in attrs["axes"]))
    return broadcast(operands[0], (size, *attrs["shape"]), axes)


def transposing(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Value:
    return transpose(operands[0], (0, *(a + 1 for a in attrs["axes"])))


def padding(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Value:
    """Padding that differs from one to another is chosen where there is padding."""
    edges = {k: (0, *attrs[k]) for k in ("low", "high", "interior")}
    x = spread(operands[0], batched[0], size)
    if not batched[1]:
        return lookup("pad")(x, operands[1], **edges)
    outside = lookup("pad")(
        full(operands[0].type.with_shape(x.shape).with_dtype(ty.BOOL), False),
        full(x.type.with_shape(()).with_dtype(ty.BOOL), True), **edges,
    )  # fmt: skip
    moved = lookup("pad")(x, zeros(x.type.with_shape(())), **edges)
    return select(outside, broadcast(operands[1], moved.shape, (0,)), moved)


# --------------------------------------------------------------------------------------- indexing


def _positions(shape: Sequence[Extent], axis: int) -> Value:
    return lookup("iota")(dtype=I64, shape=tuple(shape), axis=axis)


def _places(x: Value, part: Sequence[Extent], starts: Sequence[Value], flags: Flags) -> list[Value]:
    """An index for every axis of a batched x: clamped starts and what follows them."""
    shape = (x.shape[0], *part)
    found = [_positions(shape, 0)]
    for axis, (start, batched) in enumerate(zip(starts, flags, strict=True)):
        room = x.shape[axis + 1] - part[axis]
        if isinstance(room, ty.Dim):
            last = broadcast(lookup("extent")(value=room), start.shape, ())
        else:
            last = full(start.type, room)
        clamped = Formula(start).f("min", Formula(last)).f("max", 0)
        there = broadcast(clamped.value, shape, (0,) if batched else ())
        found.append((Formula(there) + Formula(_positions(shape, axis + 1))).value)
    return found


def _every(index: Sequence[Value]) -> dict[str, Any]:
    return {"axes": tuple(range(len(index))), "mode": "promise"}


def _front_start() -> Value:
    return lookup("full")(value=0, dtype=I64, shape=())


def dynamic_slicing(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Value:
    x, *starts = operands
    x = spread(x, batched[0], size)
    if not any(batched[1:]):
        return lookup("dynamic_slice")(x, _front_start(), *starts, shape=(size, *attrs["shape"]))
    index = _places(x, attrs["shape"], starts, batched[1:])
    return lookup("gather")(x, *index, **_every(index))


def dynamic_updating(
    operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent
) -> Value:
    x, u = (spread(v, b, size) for v, b in zip(operands[:2], batched[:2], strict=True))
    starts = operands[2:]
    if not any(batched[2:]):
        return lookup("dynamic_update")(x, u, _front_start(), *starts)
    index = _places(x, u.shape[1:], starts, batched[2:])
    return lookup("scatter")(x, u, *index, combine="set", **_every(index))


def gathering(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Value:
    x, *index = operands
    axes = tuple(a + 1 for a in attrs["axes"]) if batched[0] else attrs["axes"]
    if not any(batched[1:]):
        found = lookup("gather")(x, *index, axes=axes, mode=attrs["mode"])
        return to_front(found, len(index[0].shape))
    index = all_spread(index, batched[1:], size)
    if batched[0]:
        index, axes = [_positions(index[0].shape, 0), *index], (0, *axes)
    return lookup("gather")(x, *index, axes=axes, mode=attrs["mode"])


def scattering(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Value:
    x, u = (spread(v, b, size) for v, b in zip(operands[:2], batched[:2], strict=True))
    index = list(operands[2:])
    axes = tuple(a + 1 for a in attrs["axes"])
    if any(batched[2:]):
        index = all_spread(index, batched[2:], size)
        index, axes = [_positions(index[0].shape, 0), *index], (0, *axes)
    else:
        rank = len(index[0].shape)
        u = transpose(u, (*range(1, rank + 1), 0, *range(rank + 1, len(u.shape))))
    return lookup("scatter")(x, u, *index, **{**attrs, "axes": axes})


def searching(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Value:
    """In several orders: counts what comes before, because `searchsorted` knows one."""
    ordered, values = operands
    if not batched[0]:
        return lookup("searchsorted")(ordered, values, **attrs)
    if ordered.dtype.is_complex:
        raise TypeMismatch("searchsorted of complex numbers in a batch of orders is not supported")
    values = spread(values, batched[1], size)
    shape = (*values.shape, ordered.shape[1])
    there = Formula(broadcast(ordered, shape, (0, len(shape) - 1)))
    wanted = Formula(broadcast(values, shape, range(len(values.shape))))
    before = there.f("lt" if attrs["side"] == "left" else "le", wanted)
    if ordered.dtype.is_float:  # NaN is last
        other = (
            there.f("isnan").f("not")
            if attrs["side"] == "left"
            else there.same(there).f("or", there.f("isnan"))
        )
        before = before.f("or", wanted.f("isnan").f("and", other))
    counted = lookup("cast")(before.value, dtype=I64)
    return reduce("sum", counted, (len(shape) - 1,))


# ------------------------------------------------------------------------- tiles and contractions


def tiling(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Value:
    axes = tuple(a + 1 for a in attrs["axes"])
    return to_front(lookup("tiles")(operands[0], **{**attrs, "axes": axes}), len(axes))


def multiplying(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Value:
    """A batch of both is a batch axis; a batch of one is a free axis of it."""
    contract, batch = (
        [tuple(a + b for a in axes) for axes, b in zip(attrs[k], batched, strict=True)]
        for k in ("contract", "batch")
    )
    if all(batched):
        batch = [(0, *axes) for axes in batch]
    new = {**attrs, "contract": tuple(contract), "batch": tuple(batch)}
    found = lookup("dot")(*operands, **new)
    if all(batched):
        return found
    place = len(batch[0])
    if batched[1]:
        place += len(operands[0].shape) - len(batch[0]) - len(contract[0])
    return to_front(found, place)


def _merged(x: Value, axis: int, parts: Extent) -> Value:
    """The batch axis in front joined to another: between `parts` equal groups and their elements.

    `axis` counts without the batch axis.
    """
    size, rank = x.shape[0], len(x.shape)
    n = x.shape[axis + 1]
    shape = (*x.shape[: axis + 1], parts, n // parts, *x.shape[axis + 2 :])
    x = reshape(x, shape)
    order = [*range(1, axis + 2), 0, *range(axis + 2, rank + 1)]
    x = transpose(x, order)
    rest = list(x.shape)
    return reshape(x, (*rest[:axis], size * n, *rest[axis + 3 :]))


def _parted(x: Value, axis: int, parts: Extent, size: Extent) -> Value:
    """The reverse of `_merged`."""
    n = x.shape[axis] // size
    shape = (*x.shape[:axis], parts, size, n // parts, *x.shape[axis + 1 :])
    x = to_front(reshape(x, shape), axis + 1)
    rest = list(x.shape)
    return reshape(x, (*rest[: axis + 1], n, *rest[axis + 3 :]))


def convolving(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Value:
    """A batch of images joins their batch, of kernels their features; of both, it makes groups."""
    x, w = operands
    lhs, rhs, out = attrs["lhs"], attrs["rhs"], attrs["out"]
    groups, batch_groups = attrs["groups"], attrs["batch_groups"]
    new = dict(attrs)
    if all(batched):
        w = _merged(w, rhs[0], 1)
        if batch_groups == 1:
            x, new["groups"] = _merged(x, lhs[1], 1), groups * size
        else:
            x, new["batch_groups"] = _merged(x, lhs[0], 1), batch_groups * size
        return _parted(lookup("conv")(x, w, **new), out[1], 1, size)
    if batched[0]:
        x = _merged(x, lhs[0], batch_groups)
        return _parted(lookup("conv")(x, w, **new), out[0], 1, size)
    parts = groups * batch_groups
    w = _merged(w, rhs[0], parts)
    return _parted(lookup("conv")(x, w, **new), out[1], parts, size)


def waiting(operands: Sequence[Value], batched: Flags, attrs: Attrs, size: Extent) -> Any:
    """A barrier passes its first operands on."""
    count = attrs["count"]
    first = all_spread(operands[:count], batched[:count], size)
    return lookup("barrier")(*first, *operands[count:], **attrs)
