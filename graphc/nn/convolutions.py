"""Convolutions and what is derived from them: every one is the card `conv`, or a view before it.

Both gradients of a convolution are convolutions. That of the operand slides over the results, which
`stride` spreads; the kernel is reversed and its channels are exchanged. That of the kernel slides
the results over the operand, with batch and channels exchanged, `dilation` as the stride and
`stride` as the dilation. A transposed convolution is the gradient of the operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..numpy.dispatch import extents, number, value
from ..numpy.products import operands_of_product, preferred
from ..numpy.shaping import reshape, transpose
from ..ops.convolution import CONV
from ..ops.movement import SLICE
from ..ops.window import Window
from ..types import Extent
from .layouts import (
    Axes,
    check_ranks,
    convolution_axes,
    image_layout,
    padded,
    per_axis,
    require,
    span,
)

Shape = Sequence[Extent]


@dataclass(frozen=True, slots=True)
class Forward:
    """A convolution: what its operand, kernel and result have to do with each other."""

    lhs: Axes
    rhs: Axes
    out: Axes
    windows: tuple[Window, ...]
    groups: Extent


def _node(a: Value, b: Value, dtype: Any, windows: Sequence[Window], **attrs: Any) -> Value:
    require(windows)
    return CONV(
        a, b,
        stride=tuple(w.stride for w in windows), low=tuple(w.low for w in windows),
        high=tuple(w.high for w in windows), lhs_dilation=tuple(w.spread for w in windows),
        rhs_dilation=tuple(w.dilation for w in windows), **attrs, **preferred(a, b, dtype),
    )  # fmt: skip


def _forward(
    shape: Shape, kernel: Shape, stride: Any, padding: Any, dilation: Any, spread: Any,
    groups: Any, layouts: tuple[str | None, str | None, str | None],
) -> Forward:  # fmt: skip
    """From the arguments of `conv`, and the shapes of its operand and kernel."""
    check_ranks(len(shape), len(kernel))
    lhs, rhs, out = convolution_axes(len(shape), *layouts)
    rows = zip(
        (shape[a] for a in lhs[2:]), (kernel[a] for a in rhs[2:]),
        per_axis(stride, len(lhs) - 2, "stride"), per_axis(dilation, len(lhs) - 2, "dilation"),
        per_axis(spread, len(lhs) - 2, "input_dilation"), strict=True,
    )  # fmt: skip
    windows = [Window(n, k, s, 0, 0, d, e) for n, k, s, d, e in rows]
    return Forward(lhs, rhs, out, padded(windows, padding), ty.extent(groups))


def conv(
    x: Any, kernel: Any, stride: Any = 1, padding: Any = "valid", *, dilation: Any = 1,
    input_dilation: Any = 1, groups: Any = 1, layout: str | None = None,
    kernel_layout: str | None = None, result_layout: str | None = None, dtype: Any = None,
    precision: str | None = None,
) -> Value:  # fmt: skip
    """The convolution of images in 1, 2, 3 or more dimensions (the kernel is not reversed).

    `padding` is "valid", "same", "same_lower", a number, or numbers or pairs for each axis of
    space; negative ones cut. `dilation` spreads the kernel, `input_dilation` the images. With
    `groups` the channels fall into so many groups, and a kernel sees one of them. `dtype`: what
    products are added and answered in, a wider dtype of the same kind; f16 and bf16 are added in
    f32 in any case. `precision`: "direct" adds every product as it is written, None may multiply
    less where that is faster (docs/numerics.md).

    Shapes: x [n, h, w, groups*i], kernel [k, l, i, o] -> [n, p, q, o], in the default layouts
    Source: jax.lax.conv_general_dilated; torch.nn.functional.conv2d; tf.nn.convolution
    """
    a, b, wide = operands_of_product(x, kernel, dtype)
    f = _forward(
        a.shape, b.shape, stride, padding, dilation, input_dilation, groups,
        (layout, kernel_layout, result_layout),
    )  # fmt: skip
    if precision not in (None, "direct"):
        raise TypeError(f"conv: precision is {precision!r}; expected None or 'direct'")
    named: dict[str, Any] = {"lhs": f.lhs, "rhs": f.rhs, "out": f.out}
    if precision is not None:
        named["precision"] = precision
    return _node(a, b, wide, f.windows, groups=f.groups, batch_groups=1, **named)


def depthwise_conv(
    x: Any, kernel: Any, stride: Any = 1, padding: Any = "valid", *, dilation: Any = 1,
    layout: str | None = None, kernel_layout: str | None = None, result_layout: str | None = None,
    dtype: Any = None,
) -> Value:  # fmt: skip
    """A convolution of every channel on its own.

    I of the kernel counts the channels of x, O the results of each: they are neighbours.

    Shapes: x [n, h, w, c], kernel [k, l, c, m] -> [n, p, q, c*m], in the default layouts
    Source: tf.nn.depthwise_conv2d
    """
    w = value(kernel)
    rank = len(w.shape)
    layout = layout or image_layout(rank)
    _, rhs, _ = convolution_axes(rank, layout, kernel_layout, result_layout)
    # as a kernel of `conv` in as many groups: [channels * results of each, 1, space...]
    w = transpose(w, (rhs[1], rhs[0], *rhs[2:]))
    channels, each, *space = w.shape
    w = reshape(w, (channels * each, 1, *space))
    letters = "".join(c for c in layout if c not in "NC")
    return conv(
        x, w, stride, padding, dilation=dilation, groups=channels, layout=layout,
        kernel_layout=f"OI{letters}", result_layout=result_layout, dtype=dtype,
    )  # fmt: skip


# --------------------------------------------------------------------------------------- gradients


def _exchanged(kernel: Value, f: Forward) -> tuple[Value, Axes]:
    """The kernel of the gradient of the operand, and its axes: (in, out, space)."""
    start, step = [0] * len(kernel.shape), [1] * len(kernel.shape)
    reverse: list[Extent] = list(start)
    for axis in f.rhs[2:]:
        if kernel.shape[axis] != 1:
            reverse[axis], step[axis] = kernel.shape[axis] - 1, -1
    if -1 in step:
        kernel = SLICE(kernel, start=tuple(reverse), shape=kernel.shape, step=tuple(step))
    if f.groups == 1:
        return kernel, (f.rhs[1], f.rhs[0], *f.rhs[2:])
    w = transpose(kernel, f.rhs)
    out, inside, *space = w.shape
    share = out // f.groups
    w = transpose(
        reshape(w, (f.groups, share, inside, *space)), (0, 2, 1, *range(3, 3 + len(space)))
    )
    return reshape(w, (f.groups * inside, share, *space)), tuple(range(len(f.rhs)))


def _input_gradient(g: Value, kernel: Value, f: Forward, dtype: Any) -> Value:
    """Of a convolution whose results have the gradient g."""
    w, rhs = _exchanged(kernel, f)
    windows = []
    for one, axis in zip(f.windows, f.out[2:], strict=True):
        count, beyond = g.shape[axis], (one.size - 1) * one.dilation
        # the last window starts so far behind the last result as to make `extent` windows
        high = (one.extent - 1) * one.spread - (count - 1) * one.stride + one.low
        low = beyond - one.low
        windows.append(Window(count, one.size, one.spread, low, high, one.dilation, one.stride))
    named = {"lhs": f.out, "rhs": rhs, "out": f.lhs}
    return _node(g, w, dtype, windows, groups=f.groups, batch_groups=1, **named)


def conv_input_gradient(
    g: Any, kernel: Any, shape: Any, stride: Any = 1, padding: Any = "valid", *, dilation: Any = 1,
    input_dilation: Any = 1, groups: Any = 1, layout: str | None = None,
    kernel_layout: str | None = None, result_layout: str | None = None, dtype: Any = None,
) -> Value:  # fmt: skip
    """The gradient of sum(g * conv(x, kernel, ...)) with respect to x, which has that shape.

    The other arguments are those of the `conv`. The gradient is linear in g and the kernel, so
    complex ones are not conjugated.

    Source: tf.raw_ops.Conv2DBackpropInput; torch.nn.grad.conv2d_input
    """
    a, b, wide = operands_of_product(g, kernel, dtype)
    shape = extents(shape)
    f = _forward(
        shape, b.shape, stride, padding, dilation, input_dilation, groups,
        (layout, kernel_layout, result_layout),
    )  # fmt: skip
    _check_result(a, f, shape[f.lhs[0]], b.shape[f.rhs[0]])
    return _input_gradient(a, b, f, wide)


def conv_kernel_gradient(
    x: Any, g: Any, shape: Any, stride: Any = 1, padding: Any = "valid", *, dilation: Any = 1,
    input_dilation: Any = 1, groups: Any = 1, layout: str | None = None,
    kernel_layout: str | None = None, result_layout: str | None = None, dtype: Any = None,
) -> Value:  # fmt: skip
    """The gradient of sum(g * conv(x, kernel, ...)) with respect to the kernel of that shape.

    The other arguments are those of the `conv`. The gradient is linear in x and g, so complex ones
    are not conjugated.

    Source: tf.raw_ops.Conv2DBackpropFilter; torch.nn.grad.conv2d_weight
    """
    a, b, wide = operands_of_product(x, g, dtype)
    shape = extents(shape)
    f = _forward(
        a.shape, shape, stride, padding, dilation, input_dilation, groups,
        (layout, kernel_layout, result_layout),
    )  # fmt: skip
    _check_result(b, f, a.shape[f.lhs[0]], shape[f.rhs[0]])
    windows = []
    for one, axis in zip(f.windows, f.out[2:], strict=True):
        count = b.shape[axis]
        high = (
            (one.size - 1) * one.dilation - (one.extent - 1) * one.spread - one.low
            + (count - 1) * one.stride
        )  # fmt: skip
        windows.append(
            Window(one.extent, count, one.dilation, one.low, high, one.stride, one.spread)
        )
    # what is summed over is the batch; a group of channels of x is a group of that batch
    lhs, rhs = (f.lhs[1], f.lhs[0], *f.lhs[2:]), (f.out[1], f.out[0], *f.out[2:])
    out = (f.rhs[1], f.rhs[0], *f.rhs[2:])
    named = {"lhs": lhs, "rhs": rhs, "out": out}
    return _node(a, b, wide, windows, groups=1, batch_groups=f.groups, **named)


def _check_result(g: Value, f: Forward, batch: Extent, features: Extent) -> None:
    """Raises ShapeMismatch unless g has the shape of the convolution's result."""
    shape: list[Extent] = [0] * len(f.out)
    for axis, n in zip(f.out, (batch, features, *(w.count for w in f.windows)), strict=True):
        shape[axis] = n
    if g.shape != tuple(shape):
        expected = ", ".join(map(str, shape))
        raise ShapeMismatch(f"the result of the convolution is ({expected}); its gradient {g.type}")


def conv_transpose(
    x: Any, kernel: Any, stride: Any = 1, padding: Any = "valid", *, output_padding: Any = 0,
    dilation: Any = 1, groups: Any = 1, layout: str | None = None, kernel_layout: str | None = None,
    result_layout: str | None = None, dtype: Any = None,
) -> Value:  # fmt: skip
    """The transpose of `conv` as a linear map: what a layer of that name is, elsewhere too.

    The kernel is that of the `conv`: O counts the channels of x and I those of the result (in a
    group). With span = (k - 1)*dilation + 1 the result has, along an axis of n elements,
    n*stride elements for "same", n*stride + max(span - stride, 0) for "valid", and for numbers
    (n - 1)*stride - low - high + span + output_padding.

    Shapes: x [n, h, w, o], kernel [k, l, i, o] -> [n, p, q, groups*i], in the default layouts
    Source: torch.nn.functional.conv_transpose2d; tf.nn.conv2d_transpose; jax.lax.conv_transpose
        with transpose_kernel=True
    """
    a, b, wide = operands_of_product(x, kernel, dtype)
    rank = len(a.shape)
    check_ranks(rank, len(b.shape))
    out, rhs, lhs = convolution_axes(rank, layout, kernel_layout, result_layout)
    strides, steps = per_axis(stride, rank - 2, "stride"), per_axis(dilation, rank - 2, "dilation")
    rows = zip(out[2:], rhs[2:], strides, steps, strict=True)
    windows = [Window(a.shape[m], b.shape[k], s, dilation=d) for m, k, s, d in rows]
    more = per_axis(output_padding, rank - 2, "output_padding")
    if isinstance(padding, str):
        if any(more):
            raise ShapeMismatch("output_padding belongs to a padding of numbers")
        beyond = [0 if padding != "valid" else _beyond(w) for w in windows]
        windows = [
            replace(w, extent=w.extent * w.stride + n) for w, n in zip(windows, beyond, strict=True)
        ]
        windows = padded(windows, padding)
    else:
        windows = [
            replace(w, extent=(w.extent - 1) * w.stride - w.low - w.high + span(w) + n)
            for w, n in zip(padded(windows, padding), more, strict=True)
        ]
    return _input_gradient(a, b, Forward(lhs, rhs, out, tuple(windows), ty.extent(groups)), wide)


def _beyond(one: Window) -> int:
    """How far a window reaches beyond its stride."""
    return max(number(span(one), "padding 'valid' of conv_transpose") - one.stride, 0)
