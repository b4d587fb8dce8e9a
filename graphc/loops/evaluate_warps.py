"""What the lanes of a warp, or of four warps, do together, for the evaluator of loops.

Each is one lane's part, a generator that stops where all lanes must have come: they meet on a
`board` that belongs to them. Called by evaluate.py.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from ..types import F32, F64, DType


def mma(
    board: dict[int, Any], lane: int, dtype: DType, target: list[Any], a: list[Any],
    b: list[Any],
) -> Generator[None, None, list[Any]]:  # fmt: skip
    """One lane's part in an Mma: it shows its registers, and answers its part of the result."""
    board[lane] = (target, a, b)
    yield
    if lane == 0:
        board[-1] = _product(board, dtype)
    yield
    q, t = divmod(lane, 4)
    return [board[-1][q + 8 * (k // 2), 2 * t + k % 2] for k in range(4)]


def fragments(
    board: dict[int, Any], lane: int, row: list[Any], transposed: bool
) -> Generator[None, None, list[Any]]:
    """One lane's part in Fragments: it shows its row, and answers its words of the four
    matrices."""
    board[lane] = np.array(row)
    yield
    q, t = divmod(lane, 4)
    words = []
    for m in range(4):
        matrix = np.stack([board[8 * m + i] for i in range(8)])
        if matrix.dtype == np.float32:
            words.append(matrix[q, t])
            continue
        matrix = matrix.view(np.uint16)
        low, high = (matrix.T if transposed else matrix)[q, 2 * t : 2 * t + 2]
        words.append(np.uint32(int(low) | int(high) << 16))
    yield
    return words


def combine(
    board: dict[int, Any], lane: int, lanes: int, op: Callable[..., Any], value: Any
) -> Generator[None, None, Any]:
    """One lane's part in a Combine: it shows its number, and answers that of its group."""
    board[lane] = value
    yield
    first = lane - lane % lanes
    found = [board[first + k] for k in range(lanes)]
    yield
    while len(found) > 1:
        half = len(found) // 2
        found = [op(a, b) for a, b in zip(found[:half], found[half:], strict=True)]
    return found[0]


def _product(board: dict[int, Any], dtype: DType) -> np.ndarray:
    """The sum of all lanes' Mma, from what each shows."""
    per = max(1, 4 // dtype.nbytes)
    total = np.int32 if dtype.is_integer else np.float64 if dtype is F64 else np.float32
    half = 4 * per
    c, a, b = (np.empty(shape, total) for shape in ((16, 8), (16, 2 * half), (2 * half, 8)))
    for lane in range(32):
        q, t = divmod(lane, 4)
        target, left, right = board[lane]
        left, right = (_numbers(words, dtype).astype(total) for words in (left, right))
        for h in range(2):
            c[q + 8 * h, 2 * t : 2 * t + 2] = target[2 * h : 2 * h + 2]
            first = half * h + per * t
            b[first : first + per, q] = right[per * h : per * h + per]
            for k in range(2):
                word, first = per * (2 * k + h), half * k + per * t
                a[q + 8 * h, first : first + per] = left[word : word + per]
    for k in range(2 * half):
        c += a[:, k : k + 1] * b[k : k + 1]
    return c


def _numbers(words: list[Any], dtype: DType) -> np.ndarray:
    """What the words of a lane hold; of f32 what tensor cores read, which are 10 bits after the
    point."""
    if dtype is F32:
        bits = np.array(words, np.float32).view(np.uint32)
        return (bits & np.uint32(0xFFFFE000)).view(np.float32)
    if dtype is F64:
        return np.array(words, np.float64)
    return np.array(words, np.uint32).view(dtype.numpy)


def group_mma(
    board: dict[int, Any], lane: int, columns: int, target: list[Any],
    a: np.ndarray, a_index: tuple[int, ...], a_deep: bool, a_swizzled: bool,
    b: np.ndarray, b_index: tuple[int, ...], b_deep: bool, b_swizzled: bool,
) -> Generator[None, None, np.ndarray]:  # fmt: skip
    """One lane's part in a GroupMma: it shows its sums, and answers what they are then.

    Raises:
        IndexError: a tile reaches out of its buffer.
    """
    w, q, t = lane // 32, lane % 32 // 4, lane % 4
    rows = 16 * w + q + np.array([0, 0, 8, 8])
    own = (8 * np.arange(columns // 8)[:, None] + 2 * t + np.array([0, 1, 0, 1])).ravel()
    place = (np.tile(rows, columns // 8), own)
    board[lane] = (place, target)
    yield
    if lane == 0:
        total = np.empty((64, columns), np.float32)
        for k in range(128):
            total[board[k][0]] = board[k][1]
        left = _tile(a, a_index, 64, a_deep, a_swizzled)
        right = _tile(b, b_index, columns, b_deep, b_swizzled)
        for k in range(16):
            total += left[:, k : k + 1] * right[:, k]
        board[-1] = total
    yield
    return board[-1][place]


def _tile(
    array: np.ndarray, index: tuple[int, ...], extent: int, deep: bool, swizzled: bool
) -> np.ndarray:
    """Rows (or columns) by 16 terms of a tile, as f32."""
    if swizzled and not deep:  # row // 64 and row // 8 % 8 as one axis
        array = array.reshape(*array.shape[:-4], -1, *array.shape[-2:])
        index = (*index[:-4], 8 * index[-4] + index[-3], *index[-2:])
    *outer, first, second, _ = index
    counts = (2, extent) if deep else (extent // 8, 16)
    ends = (*(i + 1 for i in outer), first + counts[0], second + counts[1])
    if min(index) < 0 or any(e > n for e, n in zip(ends, array.shape[:-1], strict=True)):
        raise IndexError(f"a tile at {index} reaches out of its buffer {array.shape}")
    found = array[(*outer, slice(first, ends[-2]), slice(second, ends[-1]))].astype(np.float32)
    return found.transpose((1, 0, 2) if deep else (0, 2, 1)).reshape(extent, 16)
