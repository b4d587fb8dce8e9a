"""Clipping of gradients, before they are handed to an optimizer."""

from __future__ import annotations

from typing import Any

from .. import numpy as xp
from .. import pytrees


def clip_by_value(gradients: Any, limit: float) -> Any:
    """Every element between -limit and limit."""
    return pytrees.map_leaves(lambda g: xp.clip(g, -limit, limit), gradients)


def _shortened(g: Any, norm: Any, limit: float) -> Any:
    scale = limit / xp.maximum(norm, limit)
    return g * scale.astype(g.dtype)


def clip_by_norm(gradients: Any, limit: float) -> Any:
    """Every array no longer than the limit: those that are longer are scaled."""
    return pytrees.map_leaves(lambda g: _shortened(g, xp.sqrt(xp.sum(g * g)), limit), gradients)


def global_norm(gradients: Any) -> Any:
    """The root of the sum of the squares of all elements."""
    leaves, _ = pytrees.flatten(gradients)
    return xp.sqrt(sum(xp.sum(g * g) for g in leaves))


def clip_by_global_norm(gradients: Any, limit: float) -> Any:
    """All of them together no longer than the limit: else all are scaled by one number.

    Source: Pascanu et al., On the difficulty of training recurrent neural networks, 2013
    """
    norm = global_norm(gradients)
    return pytrees.map_leaves(lambda g: _shortened(g, norm, limit), gradients)


__all__ = ["clip_by_global_norm", "clip_by_norm", "clip_by_value", "global_norm"]
