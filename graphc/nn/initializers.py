"""What parameters begin with: functions f(key, shape, dtype="float32"), whose options and defaults
are those of the Keras initializers of these names.

`key` is one of graphc.random; what draws nothing does not look at it. The last two axes of a kernel
are the channels that it takes and gives and those before are of space, as in the layouts "IO" and
"HWIO": from these the fans, the numbers of inputs and outputs of one element, are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import numpy as xp
from .. import random
from .. import types as ty
from ..errors import ShapeMismatch
from ..numpy.dispatch import extents, number
from ..random.calling import public

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")
TRUNCATED = 0.87962566103423978
"""The standard deviation of a standard normal number that lies between -2 and 2."""


def zeros(key: Any, shape: Any, dtype: Any = "float32") -> Any:
    """Zeros: biases."""
    return xp.zeros(extents(shape), ty.dtype(dtype).numpy)


def ones(key: Any, shape: Any, dtype: Any = "float32") -> Any:
    """Ones: scales of normalizations."""
    return xp.ones(extents(shape), ty.dtype(dtype).numpy)


def constant(key: Any, shape: Any, dtype: Any = "float32", *, value: Any = 0.0) -> Any:
    """The value everywhere."""
    return xp.full(extents(shape), value, ty.dtype(dtype).numpy)


def identity(key: Any, shape: Any, dtype: Any = "float32", *, gain: float = 1.0) -> Any:
    """`gain` where the row is the column, else 0.

    Raises:
        ShapeMismatch: unless there are two axes.
    """
    rows, columns = _matrix(shape, "identity", 2)
    return (xp.eye(rows, columns) * gain).astype(ty.dtype(dtype).numpy)


# ------------------------------------------------------------------------------- numbers of a size


@public
def uniform(
    key: Any, shape: Any, dtype: Any = "float32", *, minval: Any = -0.05, maxval: Any = 0.05
) -> Any:
    """Numbers in [minval, maxval)."""
    return random.uniform(key, shape, dtype, minval, maxval)


@public
def normal(
    key: Any, shape: Any, dtype: Any = "float32", *, mean: Any = 0.0, stddev: Any = 0.05
) -> Any:
    """Normal numbers."""
    return mean + stddev * random.normal(key, shape, dtype)


@public
def truncated_normal(
    key: Any, shape: Any, dtype: Any = "float32", *, mean: Any = 0.0, stddev: Any = 0.05
) -> Any:
    """Normal numbers without those that lie more than 2 stddev from the mean; the deviation of what
    is left is 0.88 stddev.
    """
    return mean + stddev * random.truncated_normal(key, -2.0, 2.0, shape, dtype)


# ---------------------------------------------------------------------- numbers of a size that fits


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """The numbers of inputs and outputs of one element of a kernel: the channels times what the
    axes of space hold. A shape of one axis has its extent as both.

    Source: Keras, compute_fans
    """
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    space = 1
    for extent in shape[:-2]:
        space *= extent
    return space * shape[-2], space * shape[-1]


def _scaled(key: Any, shape: Any, dtype: Any, scale: Any, mode: str, distribution: str) -> Any:
    """`variance_scaling` inside a trace."""
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; expected one of {', '.join(MODES)}")
    if distribution not in DISTRIBUTIONS:
        known = ", ".join(DISTRIBUTIONS)
        raise ValueError(f"distribution is {distribution!r}; expected one of {known}")
    whole = tuple(number(e, "an initializer") for e in extents(shape))
    taken, given = fans(whole)
    fan = {"fan_in": taken, "fan_out": given, "fan_avg": (taken + given) / 2}[mode]
    variance = scale / max(1.0, fan)
    if distribution == "uniform":
        limit = (3.0 * variance) ** 0.5
        return random.uniform(key, whole, dtype, -limit, limit)
    if distribution == "untruncated_normal":
        return variance**0.5 * random.normal(key, whole, dtype)
    return variance**0.5 / TRUNCATED * random.truncated_normal(key, -2.0, 2.0, whole, dtype)


@public
def variance_scaling(
    key: Any, shape: Any, dtype: Any = "float32", *, scale: Any = 1.0, mode: str = "fan_in",
    distribution: str = "truncated_normal",
) -> Any:  # fmt: skip
    """Numbers of mean 0 and variance scale/fan, the fan being "fan_in", "fan_out" or their mean,
    "fan_avg". `distribution` is "truncated_normal" (at two deviations, and wider before, so that
    the variance is what it should be), "untruncated_normal" or "uniform".

    Source: Keras, VarianceScaling
    """
    return _scaled(key, shape, dtype, scale, mode, distribution)


@public
def glorot_uniform(key: Any, shape: Any, dtype: Any = "float32") -> Any:
    """Uniform numbers of variance 2/(fan_in + fan_out): what Keras's layers begin with.

    Source: Glorot and Bengio, Understanding the difficulty of training deep networks, 2010
    """
    return _scaled(key, shape, dtype, 1.0, "fan_avg", "uniform")


@public
def glorot_normal(key: Any, shape: Any, dtype: Any = "float32") -> Any:
    """Truncated normal numbers of variance 2/(fan_in + fan_out)."""
    return _scaled(key, shape, dtype, 1.0, "fan_avg", "truncated_normal")


@public
def he_uniform(key: Any, shape: Any, dtype: Any = "float32") -> Any:
    """Uniform numbers of variance 2/fan_in, for layers that `relu` follows.

    Source: He et al., Delving Deep into Rectifiers, 2015
    """
    return _scaled(key, shape, dtype, 2.0, "fan_in", "uniform")


@public
def he_normal(key: Any, shape: Any, dtype: Any = "float32") -> Any:
    """Truncated normal numbers of variance 2/fan_in, for layers that `relu` follows."""
    return _scaled(key, shape, dtype, 2.0, "fan_in", "truncated_normal")


@public
def lecun_uniform(key: Any, shape: Any, dtype: Any = "float32") -> Any:
    """Uniform numbers of variance 1/fan_in.

    Source: LeCun et al., Efficient BackProp, 1998
    """
    return _scaled(key, shape, dtype, 1.0, "fan_in", "uniform")


@public
def lecun_normal(key: Any, shape: Any, dtype: Any = "float32") -> Any:
    """Truncated normal numbers of variance 1/fan_in, for layers that `selu` follows."""
    return _scaled(key, shape, dtype, 1.0, "fan_in", "truncated_normal")


# ---------------------------------------------------------------------------------------- matrices


@public
def orthogonal(key: Any, shape: Any, dtype: Any = "float32", *, gain: Any = 1.0) -> Any:
    """`gain` times a matrix whose columns (or rows, where these are fewer) are orthonormal, drawn
    evenly of all such; all axes but the last one are its rows.

    Raises:
        ShapeMismatch: where there are fewer than two axes.

    Source: Saxe et al., Exact solutions to the nonlinear dynamics of learning, 2014
    """
    whole = _matrix(shape, "orthogonal")
    target = ty.dtype(dtype)
    kind = target.numpy if target in (ty.F32, ty.F64) else ty.F32.numpy
    columns, rows = whole[-1], 1
    for extent in whole[:-1]:
        rows *= extent
    drawn = random.normal(key, (max(rows, columns), min(rows, columns)), kind)
    q, r = xp.linalg.qr(drawn)
    # signs of r's diagonal: else q depends on how the factorization chooses them
    q = q * xp.where(xp.diagonal(r) < 0, -1.0, 1.0).astype(kind)
    q = xp.transpose(q) if rows < columns else q
    return (gain * xp.reshape(q, whole)).astype(target.numpy)


def _matrix(shape: Any, what: str, exactly: int | None = None) -> tuple[int, ...]:
    """A shape with two axes at least, or with so many."""
    whole = tuple(number(e, "an initializer") for e in extents(shape))
    if len(whole) < 2 or len(whole) != (exactly or len(whole)):
        axes = "two axes" if exactly else "two axes or more"
        raise ShapeMismatch(f"{what} makes matrices: the shape needs {axes}, and it is {whole}")
    return whole


__all__ = [
    "constant", "fans", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity",
    "lecun_normal", "lecun_uniform", "normal", "ones", "orthogonal", "truncated_normal", "uniform",
    "variance_scaling", "zeros",
]  # fmt: skip
