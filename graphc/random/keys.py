"""Keys and the bits that they give: Threefry-2x32-20 over the element's own position.

A key is u32[2]. Element i of an array is made from the key and the counter i, so it does not
depend on threads, lanes or the target, and is computed inside whatever kernel reads it. `split` and
`fold_in` are the same function, so keys, splits and bits are those of `jax.random` (its default
generator, `jax_threefry_partitionable`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import TypeMismatch
from ..ir import Value
from ..loops.scalar import apply
from ..numpy.dispatch import extents, is_traced, value
from ..numpy.joining import stack
from ..numpy.shaping import at
from ..numpy.ufuncs import result_dtype
from ..ops import build
from ..ops.formula import Formula
from ..ops.logic import OR, SHL, SHR, XOR
from ..ops.random import THREEFRY_FIRST, THREEFRY_SECOND
from ..types import BOOL, F64, I64, U32, U64, Dim, DType, Extent

Shape = tuple[Extent, ...]
Words = tuple[Value, Value]
WORD = 2**32
DRAW_BIT = 28


# ------------------------------------------------------------------------------------ from concrete


def plain_key(seed: Any) -> np.ndarray:
    """`key` of a number."""
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)):
        raise TypeMismatch(f"a seed is an integer, got {type(seed).__name__} {seed!r}")
    number = int(seed)
    if not -(2**63) <= number < 2**64:
        raise OverflowError(f"the seed {number} does not fit 64 bits")
    number &= 2**64 - 1
    return np.array([number >> 32, number % WORD], np.uint32)


def plain_words(key: Any, counters: np.ndarray) -> np.ndarray:
    """u32[..., 2]: both words for counters below 2**64, in NumPy."""
    k0, k1 = plain_check(key)
    low, high = counters.astype(np.uint32), (counters >> np.uint64(32)).astype(np.uint32)
    names = ("threefry_first", "threefry_second")
    return np.stack([apply(name, k0, k1, high, low) for name in names], -1)


def plain_check(key: Any) -> np.ndarray:
    """A key that is no tracer, as an array."""
    found = np.asarray(key)
    if found.dtype != np.uint32 or found.shape != (2,):
        _refuse_key(f"{found.dtype}{list(found.shape)}")
    return found


def plain_split(key: Any, num: Any = 2) -> np.ndarray:
    """`split` of a key that is known."""
    shape = extents(num)
    count = int(np.prod([int(n) for n in shape], dtype=np.int64))  # type: ignore[arg-type]
    return plain_words(key, np.arange(count, dtype=np.uint64)).reshape(*shape, 2)  # type: ignore[arg-type]


def plain_fold_in(key: Any, data: Any) -> np.ndarray:
    """`fold_in` of a key and a number that are known."""
    number = int(data)
    if not -(2**31) <= number < WORD:
        raise OverflowError(f"fold_in takes a number of 32 bits, got {number}")
    return plain_words(key, np.asarray(number % WORD, np.uint64))


def _refuse_key(what: str) -> Any:
    raise TypeMismatch(
        f"a key is u32[2], as graphc.random.key(seed) makes it, and split, fold_in; got {what}. "
        "For many keys at once use graphc.vmap"
    )


# ------------------------------------------------------------------------------------------- traced


def checked(key: Any) -> Value:
    """A key as a value.

    Raises:
        TypeMismatch: for anything else.
    """
    if isinstance(key, (int, np.integer)):
        _refuse_key(f"the number {key}")
    found = value(key)
    if found.dtype is not U32 or found.shape != (2,):
        _refuse_key(str(found.type))
    return found


def counters(shape: Shape) -> tuple[Value, Value]:
    """The positions of the elements of a shape in C order, as two words."""
    size = ty.product(shape)
    if not isinstance(size, Dim) and size <= WORD:
        low = build.iota((size,), 0, U32)
        high = build.zeros((size,), U32)
    else:
        whole = build.iota((size,), 0, U64)
        low = build.cast(whole, U32)
        high = build.cast(shifted(whole, 32), U32)
    return build.reshape(high, shape), build.reshape(low, shape)


def shifted(x: Value, count: int) -> Value:
    """x >> count."""
    return SHR(x, build.full_like(x, count))


@dataclass(frozen=True, slots=True)
class Draws:
    """Independent draws of two words for each element: draw number k of the element at (high, low).

    The number stands in the upper bits of the counter, which positions do not reach.
    """

    key: Value
    high: Value
    low: Value
    first: int = 0

    def __call__(self, k: int = 0) -> Words:
        """Draw number k, below 16."""
        number = self.first + k
        assert number < 1 << (32 - DRAW_BIT)
        high = self.high
        if number:
            high = (Formula(high) + (number << DRAW_BIT)).value
        k0, k1 = (build.broadcast_to(at(self.key, 0, i), self.low.shape) for i in range(2))
        return THREEFRY_FIRST(k0, k1, high, self.low), THREEFRY_SECOND(k0, k1, high, self.low)

    def after(self, count: int) -> Draws:
        """The draws after the first ones."""
        return replace(self, first=self.first + count)


def draws(key: Value, shape: Shape) -> Draws:
    """The draws of every element of a shape."""
    return Draws(key, *counters(shape))


def words(key: Value, shape: Shape) -> Words:
    """The first draw of every element."""
    return draws(key, shape)()


def bits32(pair: Words) -> Value:
    """32 bits an element."""
    return XOR(*pair)


def bits64(pair: Words) -> Value:
    """64 bits an element."""
    high, low = (build.cast(w, U64) for w in pair)
    return OR(SHL(high, build.full_like(high, 32)), low)


# --------------------------------------------------------------------------------- what users call


def key(seed: Any) -> Any:
    """A key for a seed: an integer of 64 bits, traced or not.

    Shapes: seed i64[] -> u32[2]
    """
    if not is_traced(seed):
        return value(plain_key(seed))
    number = value(seed)
    if number.shape or not number.dtype.is_integer:
        raise TypeMismatch(f"a seed is an integer, got {number.type}")
    whole = build.cast(build.cast(number, I64), U64)
    return stack([build.cast(shifted(whole, 32), U32), build.cast(whole, U32)])


def split(key: Any, num: Any = 2) -> Any:
    """New keys, independent of each other and of anything else made with the key, which is not to
    be used again. `num` is their number, or a shape.

    Shapes: key u32[2] -> u32[num, 2]
    """
    return stack(words(checked(key), extents(num)), -1)


def fold_in(key: Any, data: Any) -> Any:
    """A new key for an integer of 32 bits: the number of a step, a layer, a worker.

    Shapes: key u32[2], data u32[] -> u32[2]
    """
    number = value(data)
    if number.shape or not number.dtype.is_integer:
        raise TypeMismatch(f"fold_in takes an integer, got {number.type}")
    low = build.cast(number, U32)
    return stack(Draws(checked(key), build.zeros((), U32), low)())


def bits(key: Any, shape: Any = (), dtype: Any = np.uint32) -> Any:
    """Random bits as unsigned integers (or bool).

    Shapes: key u32[2] -> dtype[shape]
    """
    target = ty.dtype(dtype)
    pair = words(checked(key), extents(shape))
    if target is BOOL:
        return build.cast(shifted(bits32(pair), 31), BOOL)
    if target.kind != "u":
        raise TypeMismatch(f"bits are unsigned integers or bool, not {target}")
    return bits64(pair) if target is U64 else build.cast(bits32(pair), target)


def float_dtype(dtype: Any, *params: Any) -> DType:
    """The float dtype that is asked for, or that of the parameters, or f64."""
    if dtype is None:
        found = result_dtype(*params, 0.0) if params else F64
    else:
        found = ty.dtype(dtype)
    if not found.is_float:
        raise TypeMismatch(f"the dtype of random floats is a float dtype, not {found}")
    return found
