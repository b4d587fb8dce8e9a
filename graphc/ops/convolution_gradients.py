"""Both derivatives of a convolution, which are convolutions.

That of the operand slides over the results, which `stride` spreads; the kernel is reversed and its
channels are exchanged. That of the kernel slides the results over the operand, with batch and
channels exchanged, `dilation` as the stride and `stride` as the dilation: then groups of channels
are groups of the batch, and the other way round. Used by the card (graphc/ops/convolution.py) and,
as functions of their own, by `graphc.nn`.

Source: XLA's ConvGeneralDilated and its transposes, as in jax.lax.conv_general_dilated
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc_runtime.records import dataclass

from ..ir import Value
from ..opdef import lookup
from ..types import Extent
from .formula import reshape, reverse, transpose
from .window import Window

Axes = tuple[int, ...]
Check = Callable[[Sequence[Window]], object]


@dataclass(frozen=True, slots=True)
class Forward:
    """A convolution: what its operand, kernel and result have to do with each other."""

    lhs: Axes
    rhs: Axes
    out: Axes
    windows: tuple[Window, ...]
    groups: Extent
    batch_groups: Extent = 1


def node(a: Value, b: Value, windows: Sequence[Window], **attrs: Any) -> Value:
    """A convolution over these windows."""
    return lookup("conv")(
        a, b,
        stride=tuple(w.stride for w in windows), low=tuple(w.low for w in windows),
        high=tuple(w.high for w in windows), lhs_dilation=tuple(w.spread for w in windows),
        rhs_dilation=tuple(w.dilation for w in windows), **attrs,
    )  # fmt: skip


def _exchanged(kernel: Value, f: Forward) -> tuple[Value, Axes]:
    """The kernel of the gradient of the operand, and its axes: (in, out, space)."""
    kernel = reverse(kernel, f.rhs[2:])
    parts = f.groups if f.batch_groups == 1 else f.batch_groups
    if parts == 1:
        return kernel, (f.rhs[1], f.rhs[0], *f.rhs[2:])
    w = transpose(kernel, f.rhs)
    out, inside, *space = w.shape
    share = out // parts
    w = transpose(reshape(w, (parts, share, inside, *space)), (0, 2, 1, *range(3, 3 + len(space))))
    return reshape(w, (parts * inside, share, *space)), tuple(range(len(f.rhs)))


def _regrouped(x: Value, f: Forward) -> Value:
    """Groups that are in front of the channels become groups in front of the batch."""
    batch, channel = f.lhs[:2]
    n, c = x.shape[batch], x.shape[channel]
    parts = f.batch_groups
    shape = list(x.shape)
    shape[channel : channel + 1] = [parts, c // parts]
    rest = [d + (d > channel) for d in range(len(x.shape))]  # of the axes, in the split shape
    rest[channel] = channel + 1
    order = [
        d for old, new in enumerate(rest) for d in ((channel, new) if old == batch else (new,))
    ]
    final = list(x.shape)
    final[batch], final[channel] = n * parts, c // parts
    return reshape(transpose(reshape(x, shape), order), final)


def input_gradient(
    g: Value, kernel: Value, f: Forward, check: Check | None = None, **attrs: Any
) -> Value:
    """Of a convolution whose results have the gradient g."""
    w, rhs = _exchanged(kernel, f)
    windows = []
    for one, axis in zip(f.windows, f.out[2:], strict=True):
        count, beyond = g.shape[axis], (one.size - 1) * one.dilation
        # the last window starts so far behind the last result as to make `extent` windows
        high = (one.extent - 1) * one.spread - (count - 1) * one.stride + one.low
        low = beyond - one.low
        windows.append(Window(count, one.size, one.spread, low, high, one.dilation, one.stride))
    if check is not None:
        check(windows)
    groups = f.groups if f.batch_groups == 1 else f.batch_groups
    axes = {"lhs": f.out, "rhs": rhs, "out": f.lhs}
    found = node(g, w, windows, groups=groups, batch_groups=1, **axes, **attrs)
    return found if f.batch_groups == 1 else _regrouped(found, f)


def kernel_gradient(
    x: Value, g: Value, f: Forward, check: Check | None = None, **attrs: Any
) -> Value:
    """Of the kernel of a convolution whose results have the gradient g."""
    if _has_few_features(x, g, f):
        return _kernel_gradient_of_few(x, g, f, check, **attrs)
    windows = []
    for one, axis in zip(f.windows, f.out[2:], strict=True):
        count = g.shape[axis]
        high = (
            (one.size - 1) * one.dilation - (one.extent - 1) * one.spread - one.low
            + (count - 1) * one.stride
        )  # fmt: skip
        windows.append(
            Window(one.extent, count, one.dilation, one.low, high, one.stride, one.spread)
        )
    if check is not None:
        check(windows)
    # what is summed over is the batch; a group of channels of x is a group of that batch
    axes = {
        "lhs": (f.lhs[1], f.lhs[0], *f.lhs[2:]),
        "rhs": (f.out[1], f.out[0], *f.out[2:]),
        "out": (f.rhs[1], f.rhs[0], *f.rhs[2:]),
    }
    groups = {"groups": f.batch_groups, "batch_groups": f.groups}
    return node(x, g, windows, **groups, **axes, **attrs)


FEW = 8
"""Fewer features leave lanes empty (32 to 1 channel, 3x3, 128 images of 28x28: 50 ms, exchanged
1 ms)."""


def _has_few_features(x: Value, g: Value, f: Forward) -> bool:
    """And more channels, which can be features instead; a stride would make them meet zeros."""
    channels, features = x.shape[f.lhs[1]], g.shape[f.out[1]]
    return (
        isinstance(channels, int) and isinstance(features, int) and features < FEW <= channels
        and f.groups == 1 and f.batch_groups == 1 and all(w.stride == 1 for w in f.windows)
    )  # fmt: skip


def _kernel_gradient_of_few(
    x: Value, g: Value, f: Forward, check: Check | None, **attrs: Any
) -> Value:
    """The image slides over the results, so that its channels are features of what comes out: the
    kernel, backwards. sum_p x[p + d*k - low] g[p] = sum_m x[m] g[m + low - d*k].
    """
    windows = []
    for one, axis in zip(f.windows, f.out[2:], strict=True):
        count, beyond = g.shape[axis], (one.size - 1) * one.dilation
        low = beyond - one.low
        high = beyond + (one.extent - 1) * one.spread + 1 - count - low
        windows.append(Window(count, one.extent, one.dilation, low, high, one.spread, 1))
    if check is not None:
        check(windows)
    axes = {
        "lhs": (f.out[1], f.out[0], *f.out[2:]),
        "rhs": (f.lhs[1], f.lhs[0], *f.lhs[2:]),
        "out": f.rhs,
    }
    return reverse(node(g, x, windows, groups=1, batch_groups=1, **axes, **attrs), f.rhs[2:])
