"""Convolutions and what is derived from them: every one is the card `conv`, or a view before it.

Both gradients of a convolution are convolutions (graphc/ops/convolution_gradients.py). A transposed
convolution is the gradient of the operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..numpy.dispatch import extents, number, value
from ..numpy.products import operands_of_product, preferred
from ..numpy.shaping import reshape, transpose
from ..ops.convolution_gradients import Forward, input_gradient, kernel_gradient, node
from ..ops.window import Window
from ..types import Extent
from .layouts import (
    check_ranks,
    convolution_axes,
    image_layout,
    padded,
    per_axis,
    require,
    span,
)

Shape = Sequence[Extent]


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
    require(f.windows)
    named |= preferred(a, b, wide)
    return node(a, b, f.windows, groups=f.groups, batch_groups=1, **named)


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
    return input_gradient(a, b, f, require, **preferred(a, b, wide))


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
    return kernel_gradient(a, b, f, require, **preferred(a, b, wide))


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
    f = Forward(lhs, rhs, out, tuple(windows), ty.extent(groups))
    return input_gradient(a, b, f, require, **preferred(a, b, wide))


def _beyond(one: Window) -> int:
    """How far a window reaches beyond its stride."""
    return max(number(span(one), "padding 'valid' of conv_transpose") - one.stride, 0)
