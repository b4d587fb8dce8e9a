"""Attention: softmax(q k^T / sqrt(d)) v. The pass `attention` makes one kernel of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .. import numpy as xp
from .activations import softmax
from .layers import dense


def attention(
    query: Any, key: Any, value: Any, *, mask: Any = None, causal: bool = False,
    scale: float | None = None,
) -> Any:  # fmt: skip
    """The values, weighted by how well their keys fit the query.

    `mask` broadcasts to [..., t, s]: booleans (False: not seen), or numbers that are added.
    `causal`: a query sees the keys up to its own place. `scale` is 1/sqrt(d) unless given.

    Shapes: query [..., t, d], key [..., s, d], value [..., s, e] -> [..., t, e]
    Source: Vaswani et al., Attention Is All You Need, 2017
    """
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1])
    scores = query @ xp.swapaxes(key, -1, -2) * scale
    if mask is not None:
        mask = xp.asarray(mask)
        # finite, so that a row without any key is no NaN
        hidden = float(xp.finfo(scores.dtype).min) / 2
        scores = xp.where(mask, scores, hidden) if mask.dtype == bool else scores + mask
    if causal:  # the first key is seen by all
        rows, columns = xp.arange(query.shape[-2]), xp.arange(key.shape[-2])
        scores = xp.where(rows[:, None] >= columns, scores, -math.inf)
    return softmax(scores) @ value


def multi_head_attention(
    query: Any, key: Any, value: Any, parameters: Mapping[str, Any], heads: int, *,
    mask: Any = None, causal: bool = False,
) -> Any:  # fmt: skip
    """Attention of several heads: each sees its part of the projected features.

    `parameters` has the matrices "query", "key", "value" and "output", and may have biases of the
    names "query_bias" and so on. `mask` broadcasts to [n, heads, t, s].

    Shapes: query [n, t, i], key, value [n, s, i], matrices [i, heads*d], output [heads*d, o]
        -> [n, t, o]
    """

    def split(x: Any, name: str) -> Any:
        projected = dense(x, parameters[name], parameters.get(f"{name}_bias"))
        n, length, features = projected.shape
        if features % heads:
            raise ValueError(f"{features} features do not fall into {heads} heads")
        parts = xp.reshape(projected, (n, length, heads, features // heads))
        return xp.transpose(parts, (0, 2, 1, 3))

    found = attention(
        split(query, "query"), split(key, "key"), split(value, "value"), mask=mask, causal=causal
    )
    n, _, length, features = found.shape
    joined = xp.reshape(xp.transpose(found, (0, 2, 1, 3)), (n, length, heads * features))
    return dense(joined, parameters["output"], parameters.get("output_bias"))


def positions(length: int, features: int, base: float = 10000.0) -> Any:
    """Sines and cosines that tell places apart: sines in the even features.

    Shapes: -> f32[length, features]
    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.5
    """
    if features % 2:
        raise ValueError(f"features is {features}; sines and cosines come in pairs")
    angles = xp.arange(length)[:, None] / base ** (xp.arange(0, features, 2) / features)
    found = xp.stack([xp.sin(angles), xp.cos(angles)], axis=-1)
    return xp.reshape(found, (length, features)).astype("float32")


__all__ = ["attention", "multi_head_attention", "positions"]
