"""Normalization: x less its mean, over its deviation, over some axes; then a scale and a shift.

Variances are those of the elements themselves (divided by their number). f16 and bf16 are computed
in f32. `scale` and `bias` are optional.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import numpy as xp


def _wide(x: Any) -> Any:
    return x.astype("float32") if x.dtype.itemsize == 2 else x


def _standard(x: Any, axes: int | tuple[int, ...], epsilon: float) -> Any:
    """x with mean 0 and variance 1 over the axes."""
    centered = x - xp.mean(x, axes, keepdims=True)
    variance = xp.mean(centered * centered, axes, keepdims=True)
    return centered / xp.sqrt(variance + epsilon)


def _affine(x: Any, scale: Any, bias: Any) -> Any:
    if scale is not None:
        x = x * scale
    return x if bias is None else x + bias


def _along(parameter: Any, axis: int, rank: int) -> Any:
    """A parameter with one element for each channel, against an array of that rank."""
    if parameter is None or axis in (-1, rank - 1):
        return parameter
    shape = [1] * rank
    shape[axis] = parameter.shape[0]
    return xp.reshape(parameter, shape)


def batch_norm(
    x: Any, scale: Any, bias: Any, mean: Any, variance: Any, *, training: bool, axis: int = -1,
    momentum: float = 0.99, epsilon: float = 1e-3,
) -> tuple[Any, tuple[Any, Any]]:  # fmt: skip
    """The normalized x, and the running mean and variance of every channel.

    In training x is normalized over all axes but that of the channels, and the running statistics
    become momentum * old + (1 - momentum) * of this batch. Otherwise x is normalized by the running
    statistics, which stay. `momentum` and `epsilon` are Keras's; torch's are 0.9 (its momentum is
    the complement) and 1e-5, and its running variance is that of a sample (n - 1).

    Shapes: x [n, ..., c], scale, bias, mean, variance [c] -> [n, ..., c], ([c], [c])
    Source: Ioffe and Szegedy, Batch Normalization, 2015
    """
    own, z = x.dtype, _wide(x)
    rank = z.ndim
    if training:
        axes = tuple(a for a in range(rank) if a != axis % rank)
        here = xp.mean(z, axes, keepdims=True)
        centered = z - here
        spread = xp.mean(centered * centered, axes, keepdims=True)
        found = centered / xp.sqrt(spread + epsilon)
        mean = momentum * mean + (1 - momentum) * xp.reshape(here, mean.shape)
        variance = momentum * variance + (1 - momentum) * xp.reshape(spread, variance.shape)
    else:
        shown = xp.sqrt(_along(variance, axis, rank) + epsilon)
        found = (z - _along(mean, axis, rank)) / shown
    found = _affine(found, _along(scale, axis, rank), _along(bias, axis, rank))
    return found.astype(own), (mean, variance)


def layer_norm(
    x: Any, scale: Any = None, bias: Any = None, *, axis: int | Sequence[int] = -1,
    epsilon: float = 1e-5,
) -> Any:  # fmt: skip
    """Normalized over the last axis, or over `axis`; scale and bias broadcast to x.

    Source: Ba et al., Layer Normalization, 2016
    """
    axes = axis if isinstance(axis, int) else tuple(axis)
    return _affine(_standard(_wide(x), axes, epsilon), scale, bias).astype(x.dtype)


def rms_norm(x: Any, scale: Any = None, *, axis: int = -1, epsilon: float = 1e-6) -> Any:
    """x over the root of its mean square along the axis.

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019
    """
    z = _wide(x)
    found = z / xp.sqrt(xp.mean(z * z, axis, keepdims=True) + epsilon)
    return _affine(found, scale, None).astype(x.dtype)


def group_norm(
    x: Any, groups: int, scale: Any = None, bias: Any = None, *, epsilon: float = 1e-5
) -> Any:
    """Normalized over space and the channels of a group: the channels fall into so many groups.

    Shapes: x [n, ..., c], scale, bias [c] -> [n, ..., c]
    Source: Wu and He, Group Normalization, 2018
    """
    channels = x.shape[-1]
    if channels % groups:
        raise ValueError(f"{channels} channels do not fall into {groups} groups")
    z = xp.reshape(_wide(x), (*x.shape[:-1], groups, channels // groups))
    axes = (*range(1, x.ndim - 1), x.ndim)
    found = xp.reshape(_standard(z, axes, epsilon), x.shape)
    return _affine(found, scale, bias).astype(x.dtype)


def instance_norm(x: Any, scale: Any = None, bias: Any = None, *, epsilon: float = 1e-5) -> Any:
    """Normalized over space, every channel of every instance on its own.

    Shapes: x [n, ..., c], scale, bias [c] -> [n, ..., c]
    Source: Ulyanov et al., Instance Normalization, 2016
    """
    axes = tuple(range(1, x.ndim - 1))
    return _affine(_standard(_wide(x), axes, epsilon), scale, bias).astype(x.dtype)


__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"]
