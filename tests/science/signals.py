"""Images, signals and sequences, as scientists write them in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.science.cases import FLOATS, INTEGERS, case


@case(lambda d, n: (d.array(n, n + 2, low=0, high=9),), dtypes=("f4", "f8", "u1"), sizes=(3, 8, 21))
def box_and_median_filter(image: Any) -> tuple[Any, Any]:
    windows = sliding_window_view(image, (3, 3))
    return windows.mean(axis=(2, 3)), np.median(windows, axis=(-2, -1))


@case(lambda d, n: (d.array(n, n, low=0, high=100),), dtypes=(*FLOATS, "i4"), sizes=(3, 16))
def sobel_edges(image: Any) -> Any:
    kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    padded = np.pad(image, 1, mode="edge")
    windows = sliding_window_view(padded, kernel.shape)
    gx = np.einsum("ijkl,kl->ij", windows, kernel)
    gy = np.einsum("ijkl,kl->ij", windows, kernel.T)
    return np.hypot(gx, gy), np.arctan2(gy, gx)


@case(lambda d, n: (d.array(n, n + 5),), sizes=(4, 11))
def gaussian_blur(image: Any) -> Any:
    kernel = np.exp(-0.5 * (np.arange(-2, 3) / 1.2) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        image = np.apply_along_axis(np.convolve, axis, image, kernel, mode="same")
    return image


@case(lambda d, n: (d.integers(256, n, n, 3, dtype="u1"),), dtypes=("u1",), sizes=(1, 9))
def equalise_histogram(rgb: Any) -> Any:
    gray = (rgb @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    counts = np.bincount(gray.ravel(), minlength=256)
    cdf = counts.cumsum()
    table = np.round(255 * cdf / cdf[-1]).astype(np.uint8)
    return table[gray], gray > gray.mean()


@case(lambda d, n: (d.array(n, low=0, high=256),), dtypes=("i8", "u1"), sizes=(4, 60))
def otsu_threshold(gray: Any) -> Any:
    p = np.bincount(gray, minlength=256) / gray.size
    omega = np.cumsum(p)
    mu = np.cumsum(p * np.arange(256))
    between = (mu[-1] * omega - mu) ** 2 / np.maximum(omega * (1 - omega), 1e-12)
    return np.argmax(between)


@case(
    lambda d, n: (d.array(n, n), d.array(7, low=0, high=1.9), d.array(7, low=0, high=1.9)),
    sizes=(3, 12),
)
def bilinear_interpolation(image: Any, y: Any, x: Any) -> Any:
    y0, x0 = np.floor(y).astype(int), np.floor(x).astype(int)
    y1 = np.minimum(y0 + 1, image.shape[0] - 1)
    x1 = np.minimum(x0 + 1, image.shape[1] - 1)
    fy, fx = y - y0, x - x0
    top = image[y0, x0] * (1 - fx) + image[y0, x1] * fx
    bottom = image[y1, x0] * (1 - fx) + image[y1, x1] * fx
    return top * (1 - fy) + bottom * fy


@case(lambda d, n: (d.array(n), 3), static=("keep",), dtypes=FLOATS, sizes=(8, 15, 60), rtol=1e-9)
def fft_low_pass(x: Any, keep: int) -> tuple[Any, Any]:
    spectrum = np.fft.rfft(x)
    frequency = np.fft.rfftfreq(len(x))
    spectrum[keep:] = 0
    power = np.abs(np.fft.fftshift(np.fft.fft(x))) ** 2 / len(x)
    return np.fft.irfft(spectrum, n=len(x)), power, frequency


@case(lambda d, n: (d.array(n, n),), sizes=(8, 12), rtol=1e-9)
def fft_poisson_solver(f: Any) -> Any:
    n = f.shape[0]
    k = 2 * np.pi * np.fft.fftfreq(n)
    k2 = k[:, None] ** 2 + k[None, :] ** 2
    k2[0, 0] = 1
    u = -np.fft.fft2(f) / k2
    u[0, 0] = 0
    return np.fft.ifft2(u).real


@case(lambda d, n: (d.array(n), d.array(5)), dtypes=(*FLOATS, "i8", "c16"), sizes=(5, 33))
def correlate_and_convolve(x: Any, h: Any) -> tuple[Any, Any, Any]:
    return (
        np.convolve(x, h),
        np.correlate(x, h, mode="valid"),
        np.convolve(x, h[::-1], mode="same"),
    )


@case(lambda d, n: (d.array(n),), sizes=(16, 50), rtol=1e-9)
def short_time_fourier(x: Any) -> Any:
    frames = sliding_window_view(x, 8)[::4]
    return np.abs(np.fft.rfft(frames * np.hanning(8), axis=1))


@case(lambda d, n: (d.array(n),), sizes=(5, 30))
def autocorrelation(x: Any) -> Any:
    x = x - x.mean()
    found = np.correlate(x, x, mode="full")[len(x) - 1 :]
    return found / found[0]


@case(lambda d, n: (d.array(n),), sizes=(3, 20, 65))
def zero_crossings_and_peaks(x: Any) -> tuple[Any, ...]:
    sign = np.signbit(x)
    crossings = np.count_nonzero(sign[1:] != sign[:-1])
    peak = np.r_[False, x[1:] > x[:-1]] & np.r_[x[:-1] > x[1:], False]
    marked = np.zeros(len(x))
    marked[np.where(peak)] = 1
    marked[np.nonzero(sign)] -= 2
    return crossings, peak, marked


@case(lambda d, n: (d.array(n, 3), d.array(3, 3), d.array(3)), sizes=(1, 7), rtol=1e-10)
def viterbi(emission: Any, transition: Any, prior: Any) -> Any:
    score = prior + emission[0]
    back = []
    for t in range(1, len(emission)):
        options = score[:, None] + transition
        back.append(options.argmax(axis=0))
        score = options.max(axis=0) + emission[t]
    state = score.argmax()
    path = [state]
    for pointer in reversed(back):
        state = pointer[state]
        path.append(state)
    return np.array(path[::-1]), score.max()


@case(lambda d, n: (d.array(n, 3, low=0.1, high=1), d.array(3, 3, low=0.1, high=1)), sizes=(1, 6))
def hidden_markov_forward(likelihood: Any, transition: Any) -> Any:
    transition = transition / transition.sum(axis=1, keepdims=True)
    alpha = likelihood[0] / likelihood.shape[1]
    total = 0.0
    for row in likelihood[1:]:
        scale = alpha.sum()
        total += np.log(scale)
        alpha = (alpha / scale) @ transition * row
    return total + np.log(alpha.sum())


@case(lambda d, n: (d.integers(4, n), d.integers(4, n + 1)), dtypes=("i8",), sizes=(0, 1, 5))
def edit_distance(a: Any, b: Any) -> Any:
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    table[:, 0] = np.arange(len(a) + 1)
    table[0, :] = np.arange(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            change = table[i - 1, j - 1] + (a[i - 1] != b[j - 1])
            table[i, j] = np.minimum(change, np.minimum(table[i - 1, j], table[i, j - 1]) + 1)
    return table[-1, -1]


@case(lambda d, n: (d.array(n), d.integers(max(n - 4, 1))), dtypes=(*FLOATS, "i4"), sizes=(5, 40))
def cut_at_a_traced_place(x: Any, start: Any) -> tuple[Any, ...]:
    window = x[start : start + 4]
    out = np.zeros_like(x)
    out[start : start + 4] = window[::-1]
    out[start : start + 4 : 2] += 1
    out[:start] = -1
    out[start + 4 :] *= 2
    return window.sum(), out, x[:start].sum()


@case(lambda d, n: (d.array(n),), dtypes=INTEGERS, sizes=(0, 1, 33))
def bits_and_random_numbers(x: Any) -> tuple[Any, Any]:
    state = x.astype(np.uint32) + np.uint32(1)
    for _ in range(2):
        state ^= state << np.uint32(13)
        state ^= state >> np.uint32(17)
        state ^= state << np.uint32(5)
    gray = x ^ (x >> 1)
    return state, gray, (state % 1000) / 1000.0


@case(lambda d, n: (d.array(n),), dtypes=("i4", "i8"), sizes=(1, 24))
def run_lengths(x: Any) -> tuple[Any, Any]:
    change = np.concatenate(([True], x[1:] != x[:-1]))
    label = np.cumsum(change) - 1
    return label, np.bincount(label, minlength=len(x)), np.add.reduce(change)


@case(lambda d, n: (d.array(n, 2, low=0, high=90),), sizes=(1, 18), rtol=1e-9)
def haversine_matrix(degrees: Any) -> Any:
    lat, lon = np.deg2rad(degrees).T
    dlat, dlon = lat[:, None] - lat, lon[:, None] - lon
    a = np.sin(dlat / 2) ** 2 + np.cos(lat[:, None]) * np.cos(lat) * np.sin(dlon / 2) ** 2
    return 2 * 6371 * np.arcsin(np.sqrt(np.clip(a, 0, 1)))


@case(lambda d, n: (d.array(n), d.array(n, n)), sizes=(6, 40))
def first_crossing(x: Any, image: Any) -> tuple[Any, ...]:
    level = np.sort(x)[len(x) // 2]
    first = np.where(x >= level)[0][0]
    last = np.flatnonzero(x >= level)[-1]
    bright = np.nonzero(image == image.max())
    return first, last, x[first], (x[first:] * 2).sum(), bright[0][0], bright[1][0]
