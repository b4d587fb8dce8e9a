"""`check_grads`: derivatives against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import pytrees
from .products import jvp, vjp

Arrays = list[np.ndarray]


def check_grads(
    function: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: str | Sequence[str] = ("fwd", "rev"),
    *,
    rtol: float | None = None,
    atol: float | None = None,
    eps: float | None = None,
    seed: int = 0,
) -> None:
    """Checks the derivatives of a function at `args`, up to an order, by central differences.

    Forward mode along a random direction must be the difference quotient; reverse mode must be its
    transpose. The second order checks the derivatives' own derivatives. Use float64 where you can:
    float32 has few digits left after a difference, and is checked loosely.

    Raises:
        AssertionError: saying which mode, which order, and by how much they differ.
    """
    asked = (modes,) if isinstance(modes, str) else tuple(modes)
    for mode in asked:
        if mode not in ("fwd", "rev"):
            raise ValueError(f"check_grads: mode {mode!r} is not 'fwd' or 'rev'")
    _check(function, tuple(args), order, asked, np.random.default_rng(seed), (rtol, atol, eps), "")


def _check(
    function: Callable[..., Any], args: tuple[Any, ...], order: int, modes: Sequence[str],
    rng: np.random.Generator, given: Sequence[float | None], path: str,
) -> None:  # fmt: skip
    along = _like(args, rng)
    result = function(*args)
    weights = _like(result, rng)
    own = _tolerances([*_leaves(args), *_leaves(result)])
    rtol, atol, eps = (o if g is None else g for g, o in zip(given, own, strict=True))
    ends = [_leaves(function(*_moved(args, along, sign * eps))) for sign in (1, -1)]
    slope = [(a - b) / (2 * eps) for a, b in zip(*ends, strict=True)]
    wanted = _paired(_leaves(weights), slope)
    for mode in modes:
        if mode == "fwd":
            found = _paired(_leaves(weights), _leaves(jvp(function, args, along)[1]))
        else:
            found = _paired(_leaves(vjp(function, *args)[1](weights)), _leaves(along))
        np.testing.assert_allclose(
            found, wanted, rtol=rtol, atol=atol,
            err_msg=f"check_grads: {path}{mode} is not the difference quotient",
        )  # fmt: skip
    if order < 2:
        return

    def forward(*at: Any) -> Any:
        return jvp(function, at, along)[1]

    def reverse(*at: Any) -> Any:
        return vjp(function, *at)[1](weights)

    for mode, derivative in (("fwd", forward), ("rev", reverse)):
        if mode in modes:
            _check(derivative, args, order - 1, modes, rng, given, f"{path}{mode} of ")


def _leaves(x: Any) -> Arrays:
    return [np.asarray(leaf) for leaf in pytrees.flatten(x)[0]]


def _tolerances(arrays: Arrays) -> tuple[float, float, float]:
    """rtol, atol and step, for the narrowest float in sight."""
    bits = min((a.dtype.itemsize // (1 + (a.dtype.kind == "c")) for a in arrays), default=8)
    if bits >= 8:
        return 1e-5, 1e-5, 1e-5
    return (2e-2, 2e-2, 1e-2) if bits == 4 else (2e-1, 2e-1, 1e-1)


def _like(x: Any, rng: np.random.Generator) -> Any:
    """Random numbers nested like x."""

    def draw(leaf: Any) -> Any:
        array = np.asarray(leaf)
        found = rng.normal(size=array.shape)
        if array.dtype.kind == "c":
            found = found + 1j * rng.normal(size=array.shape)
        return (
            np.asarray(found).astype(array.dtype)[()]
            if array.ndim == 0
            else (found.astype(array.dtype))
        )

    return pytrees.map_leaves(draw, x)


def _moved(args: tuple[Any, ...], along: Any, distance: float) -> tuple[Any, ...]:
    leaves, structure = pytrees.flatten(args)
    steps = pytrees.flatten(along)[0]
    moved = [
        (np.asarray(a) + distance * np.asarray(b)).astype(np.asarray(a).dtype)
        for a, b in zip(leaves, steps, strict=True)
    ]
    return structure.unflatten(moved)


def _paired(a: Arrays, b: Arrays) -> float:
    """The sum of Re(a * b)."""
    return float(sum(np.sum(np.real(x * y)) for x, y in zip(a, b, strict=True)))
