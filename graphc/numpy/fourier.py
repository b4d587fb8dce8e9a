"""numpy.fft over values: mixed-radix Cooley-Tukey, composed of reshapes, twiddle constants and
small DFT matrices.

An extent n = p*q is transformed as p-point transforms of q interleaved parts, twiddles, and q-point
transforms. A prime up to DIRECT is one matrix product; a greater one goes through Bluestein's
convolution of a power of two. Results are c64 for f16, f32 and c64, c128 for everything else, as in
NumPy 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .. import types as ty
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast
from ..types import BF16, C64, C128, F16, F32
from . import ufuncs as u
from .creation import pad_by
from .dispatch import axis_of, implements, number, static, value
from .joining import concatenate
from .products import contract
from .rearranging import flip, roll
from .shaping import moveaxis, part, reshape, transpose

RADIX = 16
"""The greatest composite extent that is transformed by one matrix."""
DIRECT = 512
"""The greatest prime extent that is transformed by one matrix."""


@lru_cache(maxsize=256)
def _factor(n: int) -> int:
    """The factor to split off: the greatest divisor up to RADIX; n itself when it is small or
    prime.
    """
    if n <= RADIX:
        return n
    for p in range(RADIX, 1, -1):
        if n % p == 0:
            return p
    p = RADIX + 1
    while p * p <= n:
        if n % p == 0:
            return p
        p += 1
    return n


@lru_cache(maxsize=256)
def _roots(rows: int, columns: int, n: int, sign: int) -> np.ndarray:
    """exp(sign * 2 pi i j k / n) for j < rows, k < columns, each from its angle in the first
    turn.
    """
    turns = np.outer(np.arange(rows), np.arange(columns)) % n
    return np.exp(sign * 2j * np.pi * turns / n)


def _constant(array: np.ndarray, dtype: ty.DType) -> Value:
    return build.constant(array.astype(dtype.numpy))


def transform(x: Value, sign: int) -> Value:
    """The unscaled transform of a complex value along its last axis."""
    n = number(x.shape[-1], "a Fourier transform")
    if n <= 1:
        return x
    p = _factor(n)
    if p == n:
        if n > DIRECT:
            return _bluestein(x, n, sign)
        matrix = _constant(_roots(n, n, n, sign), x.dtype)
        return contract(x, matrix, ((len(x.shape) - 1,), (0,)))
    q = n // p
    lead = x.shape[:-1]
    rank = len(lead)
    grid = reshape(x, (*lead, p, q))  # element j = q*a + b stands at [a, b]
    columns = transpose(grid, (*range(rank), rank + 1, rank))  # [b, a]
    inner = transform(columns, sign)  # [b, k1]
    inner = e.MUL(*build.broadcast(inner, _constant(_roots(q, p, n, sign), x.dtype)))
    outer = transform(transpose(inner, (*range(rank), rank + 1, rank)), sign)  # [k1, k2]
    # the result k = k1 + p*k2 stands at [k2, k1]
    return reshape(transpose(outer, (*range(rank), rank + 1, rank)), (*lead, n))


def _bluestein(x: Value, n: int, sign: int) -> Value:
    """A prime extent as a convolution: jk = (j**2 + k**2 - (k - j)**2) / 2."""
    m = 1 << (2 * n - 2).bit_length()
    squares = (np.arange(n, dtype=np.int64) ** 2) % (2 * n)
    chirp = np.exp(sign * 1j * np.pi * squares / n)
    kernel = np.zeros(m, np.complex128)
    kernel[:n] = np.conj(chirp)
    kernel[m - n + 1 :] = np.conj(chirp[1:])[::-1]
    spread = e.MUL(*build.broadcast(x, _constant(chirp, x.dtype)))
    padded = pad_by(spread, 0, m - n, axis=len(x.shape) - 1)
    spectrum = transform(padded, -1)
    product = e.MUL(*build.broadcast(spectrum, _constant(np.fft.fft(kernel) / m, x.dtype)))
    found = part(transform(product, 1), -1, 0, n)
    return e.MUL(*build.broadcast(found, _constant(chirp, x.dtype)))


# ---------------------------------------------------------------------------------------- one axis


def _complex_of(dtype: ty.DType) -> ty.DType:
    return C64 if dtype in (F16, BF16, F32, C64) else C128


def _fitted(x: Value, n: Any, axis: int) -> Value:
    """The axis cut or filled with zeros to n elements."""
    have = x.shape[axis]
    if n is None or n == have:
        return x
    n, have = int(static(n, "n")), number(have, "a Fourier transform")
    if n < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    return part(x, axis, 0, n) if n < have else pad_by(x, 0, n - have, axis)


def _scale(norm: Any, forward: bool, n: int) -> float:
    if norm not in (None, "backward", "ortho", "forward"):
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    if norm == "ortho":
        return 1.0 / float(np.sqrt(n))
    return 1.0 / n if (norm == "forward") == forward else 1.0


def _along(a: Any, n: Any, axis: int, norm: Any, forward: bool) -> Value:
    x = value(a)
    axis = axis_of(axis, len(x.shape))
    x = _fitted(cast(x, _complex_of(x.dtype)), n, axis)
    count = number(x.shape[axis], "a Fourier transform")
    if count < 1:
        raise ValueError(f"Invalid number of FFT data points ({count}) specified.")
    found = transform(moveaxis(x, axis, -1), -1 if forward else 1)
    factor = _scale(norm, forward, count)
    if value(a).dtype is F16:
        factor = float(np.float16(factor))  # NumPy scales in the dtype of the operand
    found = found if factor == 1.0 else u.multiply(found, factor)
    return moveaxis(found, -1, axis)


@implements(np.fft.fft, name="fft.fft")
def fft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Value:
    return _along(a, n, axis, norm, True)


@implements(np.fft.ifft, name="fft.ifft")
def ifft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Value:
    return _along(a, n, axis, norm, False)


@implements(np.fft.rfft, name="fft.rfft")
def rfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Value:
    x = value(a)
    if x.dtype.is_complex:
        raise TypeError("rfft takes real numbers")
    found = _along(x, n, axis, norm, True)
    axis = axis_of(axis, len(x.shape))
    return part(found, axis, 0, int(found.shape[axis]) // 2 + 1)


@implements(np.fft.irfft, name="fft.irfft")
def irfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Value:
    """Real: the missing half is the conjugate of what is given."""
    x = value(a)
    axis = axis_of(axis, len(x.shape))
    x = cast(x, _complex_of(x.dtype))
    count = 2 * (number(x.shape[axis], "irfft") - 1) if n is None else int(static(n, "n"))
    if count < 1:
        raise ValueError(f"Invalid number of FFT data points ({count}) specified.")
    half = _fitted(x, count // 2 + 1, axis)
    mirrored = u.conjugate(flip(part(half, axis, 1, (count + 1) // 2), axis))
    found = e.REAL(_along(concatenate((half, mirrored), axis), None, axis, norm, False))
    return cast(found, F16) if value(a).dtype is F16 else found


_SWAPPED = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def _swapped(norm: Any) -> Any:
    if norm not in _SWAPPED:
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    return _SWAPPED[norm]


@implements(np.fft.hfft, name="fft.hfft")
def hfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Value:
    return irfft(u.conjugate(value(a)), n, axis, _swapped(norm))


@implements(np.fft.ihfft, name="fft.ihfft")
def ihfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Value:
    return u.conjugate(rfft(a, n, axis, _swapped(norm)))


# ------------------------------------------------------------------------------------ several axes


def _plan(x: Value, s: Any, axes: Any) -> list[tuple[int, Any]]:
    """The axes in order, each with its stated extent (None: as it is)."""
    rank = len(x.shape)
    if axes is None:
        chosen = list(range(rank)) if s is None else list(range(rank - len(s), rank))
    else:
        chosen = [axis_of(a, rank) for a in axes]
    lengths: Sequence[Any] = [None] * len(chosen) if s is None else list(s)
    if len(lengths) != len(chosen):
        raise ValueError("Shape and axes have different lengths.")
    return [(a, None if n == -1 else n) for a, n in zip(chosen, lengths, strict=True)]


def _along_all(a: Any, s: Any, axes: Any, norm: Any, forward: bool) -> Value:
    x = value(a)
    x = cast(x, _complex_of(x.dtype))
    for axis, n in reversed(_plan(x, s, axes)):
        x = _along(x, n, axis, norm, forward)
    return x


@implements(np.fft.fftn, name="fft.fftn")
def fftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Value:
    return _along_all(a, s, axes, norm, True)


@implements(np.fft.ifftn, name="fft.ifftn")
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Value:
    return _along_all(a, s, axes, norm, False)


@implements(np.fft.fft2, name="fft.fft2")
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Value:
    return _along_all(a, s, axes, norm, True)


@implements(np.fft.ifft2, name="fft.ifft2")
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Value:
    return _along_all(a, s, axes, norm, False)


@implements(np.fft.rfftn, name="fft.rfftn")
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Value:
    x = value(a)
    plan = _plan(x, s, axes)
    axis, n = plan[-1]
    x = rfft(x, n, axis, norm)
    for one, length in reversed(plan[:-1]):
        x = _along(x, length, one, norm, True)
    return x


@implements(np.fft.irfftn, name="fft.irfftn")
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Value:
    x = value(a)
    plan = _plan(x, s, axes)
    for one, length in plan[:-1]:
        x = _along(x, length, one, norm, False)
    axis, n = plan[-1]
    return irfft(x, n, axis, norm)


@implements(np.fft.rfft2, name="fft.rfft2")
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Value:
    return rfftn(a, s, axes, norm)


@implements(np.fft.irfft2, name="fft.irfft2")
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Value:
    return irfftn(a, s, axes, norm)


# ------------------------------------------------------------------------------------- frequencies


def _shifted(x: Any, axes: Any, forward: bool) -> Value:
    z = value(x)
    if axes is None:
        chosen = list(range(len(z.shape)))
    else:
        chosen = [axes] if isinstance(axes, (int, np.integer)) else list(axes)
    for axis in chosen:
        n = number(z.shape[axis], "fftshift")
        z = roll(z, n // 2 if forward else -(n // 2), axis)
    return z


@implements(np.fft.fftshift, name="fft.fftshift")
def fftshift(x: Any, axes: Any = None) -> Value:
    return _shifted(x, axes, True)


@implements(np.fft.ifftshift, name="fft.ifftshift")
def ifftshift(x: Any, axes: Any = None) -> Value:
    return _shifted(x, axes, False)


@implements(np.fft.fftfreq, name="fft.fftfreq", creation=True)
def fftfreq(n: int, d: Any = 1.0, device: Any = None, *, dtype: Any = None) -> Value:
    found = u.divide(np.fft.fftfreq(n), d)
    return found if dtype is None else cast(found, ty.dtype(dtype))


@implements(np.fft.rfftfreq, name="fft.rfftfreq", creation=True)
def rfftfreq(n: int, d: Any = 1.0, device: Any = None, *, dtype: Any = None) -> Value:
    found = u.divide(np.fft.rfftfreq(n), d)
    return found if dtype is None else cast(found, ty.dtype(dtype))
