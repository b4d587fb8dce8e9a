"""What layers compute: dense ones, embeddings, dropout. Parameters are arguments."""

from __future__ import annotations

from typing import Any

from .. import numpy as xp
from ..random import bernoulli


def dense(x: Any, kernel: Any, bias: Any = None) -> Any:
    """x @ kernel + bias.

    Shapes: x [..., i], kernel [i, o], bias [o] -> [..., o]
    """
    found = x @ kernel
    return found if bias is None else found + bias


def embedding(table: Any, index: Any) -> Any:
    """The rows of a table at indices; the gradient by the table adds up at these rows.

    An index that is out of range is an IndexError, and a negative one counts from the end, as in
    NumPy.

    Shapes: table [n, d], index i[...] -> [..., d]
    """
    return xp.take(table, index, axis=0)


def one_hot(index: Any, count: int, dtype: Any = "float32") -> Any:
    """1 at the index along a new last axis, else 0; an index that is out of range has no 1.

    Shapes: index i[...] -> [..., count]
    """
    index = xp.asarray(index)
    return (index[..., None] == xp.arange(count)).astype(dtype)


def dropout(x: Any, rate: float, key: Any, *, training: bool = True, shape: Any = None) -> Any:
    """In training every element is 0 with probability `rate`, and the others are divided by
    1 - rate; otherwise x. `key` is one of graphc.random. `shape`, which broadcasts to that of x, is
    what is drawn: (n, 1, 1, c) drops whole channels of images.

    Source: Srivastava et al., Dropout, 2014
    """
    if not training or rate == 0:
        return x
    if not 0 < rate < 1:
        raise ValueError(f"rate is {rate}; expected 0 <= rate < 1")
    kept = bernoulli(key, 1 - rate, x.shape if shape is None else shape)
    return xp.where(kept, x / (1 - rate), 0)


def flatten(x: Any) -> Any:
    """All axes but the first as one.

    Shapes: x [n, ...] -> [n, m]
    """
    size = 1
    for extent in x.shape[1:]:
        size *= extent
    return xp.reshape(x, (x.shape[0], size))


def global_max_pool(x: Any) -> Any:
    """The greatest element over the axes of space.

    Shapes: x [n, ..., c] -> [n, c]
    """
    return xp.max(x, axis=tuple(range(1, x.ndim - 1)))


def global_avg_pool(x: Any) -> Any:
    """The mean over the axes of space.

    Shapes: x [n, ..., c] -> [n, c]
    """
    return xp.mean(x, axis=tuple(range(1, x.ndim - 1)))


def upsample(x: Any, times: int | tuple[int, ...]) -> Any:
    """Every element of space `times` times along its axis (one number for all axes, or one each).

    Shapes: x [n, h, w, c] -> [n, times*h, times*w, c]
    """
    count = x.ndim - 2
    each = (times,) * count if isinstance(times, int) else tuple(times)
    if len(each) != count:
        raise ValueError(f"times has {len(each)} values for {count} axes of space")
    for axis, n in enumerate(each, 1):
        x = xp.repeat(x, n, axis=axis)
    return x


__all__ = [
    "dense", "dropout", "embedding", "flatten", "global_avg_pool", "global_max_pool", "one_hot",
    "upsample",
]  # fmt: skip
