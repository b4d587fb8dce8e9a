"""`Generator`: NumPy's interface over a key that is split at every call.

For programs outside of traced functions. Inside one its numbers would be the same in each call of
the compiled program, and its state would not move: so it refuses, and says to pass a key.
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from graphc_runtime.forking import ForkLock

from ..locations import refuse
from ..numpy.dispatch import is_tracing, value
from ..ops.formula import Formula
from ..types import F64, broadcast_shapes
from . import continuous, discrete, keys, rejection
from .calling import public
from .keys import plain_check, plain_key, plain_split


def _scaled(sample: Any) -> Any:
    """loc + scale * sample(key, shape, dtype), in one kernel."""

    def scaled(key: Any, loc: Any, scale: Any, shape: Any) -> Any:
        whole, (low, wide) = continuous.spread(shape, F64, loc, scale)
        return (Formula(low) + Formula(wide) * Formula(sample(key, whole, F64))).value

    return public(scaled)


def _gamma(key: Any, a: Any, scale: Any, shape: Any, dtype: Any) -> Any:
    whole, (alpha, wide) = continuous.spread(shape, keys.float_dtype(dtype), a, scale)
    return (Formula(wide) * Formula(rejection.gamma(key, alpha, whole, dtype))).value


def _integers(key: Any, low: Any, high: Any, shape: Any, dtype: Any) -> Any:
    whole = shape
    if shape is None:
        whole = broadcast_shapes(*(value(x).shape for x in (low, high)))
    return discrete.randint(key, whole, low, high, dtype)


normal, exponential = _scaled(continuous.normal), _scaled(continuous.exponential)
laplace, gumbel = _scaled(continuous.laplace), _scaled(continuous.gumbel)
logistic, uniform = _scaled(continuous.logistic), _scaled(continuous.uniform)
standard_uniform = public(continuous.uniform)
standard_normal = public(continuous.normal)
standard_exponential = public(continuous.exponential)
cauchy = public(continuous.cauchy)
gamma, beta = public(_gamma), public(rejection.beta)
_poisson_by, _binomial_by = public(rejection.poisson_by), public(rejection.binomial_by)
integers = public(_integers)
permutation = public(discrete.permutation, count="x")
choice = public(discrete.choice, count="a")


def plain_poisson(key: Any, lam: Any, shape: Any = None, dtype: Any = int) -> Any:
    """`poisson` of means that are known: one branch where all are on one side."""
    return _poisson_by(key, lam, shape, dtype, rejection.side_of(lam))


def plain_binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = int) -> Any:
    """`binomial` of numbers that are known: one branch where all means are on one side."""
    rare = np.minimum(p, np.subtract(1, p))
    return _binomial_by(key, n, p, shape, dtype, rejection.side_of(np.multiply(n, rare)))


poisson = public(rejection.poisson, plain_poisson)
binomial = public(rejection.binomial, plain_binomial)


def _shape(size: Any) -> Any:
    """A size as a shape; None where the parameters decide."""
    if size is None:
        return None
    return (int(size),) if np.ndim(size) == 0 else tuple(map(int, size))


class Generator:
    """Random numbers with state, as numpy.random.Generator gives them (with numbers of its own).

    `seed`: an integer, a key, or None for one from the system's entropy.
    """

    __slots__ = ("_key", "_lock")

    def __init__(self, seed: Any = None):
        if isinstance(seed, np.ndarray) and seed.shape == (2,):
            self._key = plain_check(seed)
        else:
            self._key = plain_key(secrets.randbits(64) if seed is None else seed)
        self._lock = ForkLock()

    def key(self) -> np.ndarray:
        """A new key, which no other call of this generator uses."""
        if is_tracing():
            refuse(
                "a graphc.random.Generator is used inside a traced function: its numbers would be "
                "constants of the compiled program. Pass a key as an argument "
                "(graphc.random.key(seed), or generator.key() outside) and call "
                "graphc.random.normal(key, shape) and the like"
            )
        with self._lock:
            both = plain_split(self._key)
            self._key = both[0]
        return both[1]

    def spawn(self, n_children: int) -> list[Generator]:
        """New generators, independent of this one and of each other."""
        return [Generator(one) for one in plain_split(self.key(), n_children)]

    def __getstate__(self) -> np.ndarray:
        return self._key

    def __setstate__(self, key: np.ndarray) -> None:
        self._key, self._lock = key, ForkLock()

    def __repr__(self) -> str:
        return f"Generator(key {self._key.tolist()})"

    # ------------------------------------------------------------------------------- continuous
    def random(self, size: Any = None, dtype: Any = np.float64) -> Any:
        """Uniform numbers in [0, 1)."""
        return standard_uniform(self.key(), _shape(size) or (), dtype)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Uniform numbers in [low, high)."""
        return uniform(self.key(), low, np.subtract(high, low, dtype=np.float64), _shape(size))

    def standard_normal(self, size: Any = None, dtype: Any = np.float64) -> Any:
        """Normal numbers of mean 0 and deviation 1."""
        return standard_normal(self.key(), _shape(size) or (), dtype)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Normal numbers."""
        return normal(self.key(), loc, scale, _shape(size))

    def standard_exponential(self, size: Any = None, dtype: Any = np.float64) -> Any:
        """Exponential numbers of mean 1."""
        return standard_exponential(self.key(), _shape(size) or (), dtype)

    def exponential(self, scale: Any = 1.0, size: Any = None) -> Any:
        """Exponential numbers of mean `scale`."""
        return exponential(self.key(), 0.0, scale, _shape(size))

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Laplace numbers."""
        return laplace(self.key(), loc, scale, _shape(size))

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Gumbel numbers."""
        return gumbel(self.key(), loc, scale, _shape(size))

    def logistic(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Logistic numbers."""
        return logistic(self.key(), loc, scale, _shape(size))

    def standard_cauchy(self, size: Any = None) -> Any:
        """Cauchy numbers of location 0 and scale 1."""
        return cauchy(self.key(), _shape(size) or ())

    def standard_gamma(self, shape: Any, size: Any = None, dtype: Any = np.float64) -> Any:
        """Gamma numbers of scale 1."""
        return gamma(self.key(), shape, 1.0, _shape(size), dtype)

    def gamma(self, shape: Any, scale: Any = 1.0, size: Any = None) -> Any:
        """Gamma numbers."""
        return gamma(self.key(), shape, scale, _shape(size), np.float64)

    def chisquare(self, df: Any, size: Any = None) -> Any:
        """Sums of the squares of df normal numbers."""
        return self.gamma(np.multiply(df, 0.5), 2.0, size)

    def beta(self, a: Any, b: Any, size: Any = None) -> Any:
        """Beta numbers."""
        return beta(self.key(), a, b, _shape(size), np.float64)

    # --------------------------------------------------------------------------------- discrete
    def integers(
        self,
        low: Any,
        high: Any = None,
        size: Any = None,
        dtype: Any = np.int64,
        endpoint: bool = False,
    ) -> Any:
        """Integers in [low, high), in [0, low) without `high`; `endpoint`: up to the end."""
        low, high = (0, low) if high is None else (low, high)
        high = high + 1 if endpoint else high
        if np.any(np.less_equal(high, low)):
            raise ValueError("low >= high")
        return integers(self.key(), low, high, _shape(size), dtype)

    def poisson(self, lam: Any = 1.0, size: Any = None) -> Any:
        """Poisson numbers."""
        if not np.all(np.greater_equal(lam, 0)):
            raise ValueError("lam < 0 or lam is NaN")
        return poisson(self.key(), lam, _shape(size))

    def binomial(self, n: Any, p: Any, size: Any = None) -> Any:
        """How many of n trials succeed, each with probability p."""
        if np.any(np.less(n, 0)) or not np.all((np.asarray(p) >= 0) & (np.asarray(p) <= 1)):
            raise ValueError("n < 0, or p is not in [0, 1]")
        return binomial(self.key(), n, p, _shape(size))

    def choice(
        self,
        a: Any,
        size: Any = None,
        replace: bool = True,
        p: Any = None,
        axis: int = 0,
        shuffle: bool = True,
    ) -> Any:
        """Elements of a, or numbers below it. They are in random order in either case."""
        chances = None if p is None else np.asarray(p, np.float64)
        if chances is not None and (np.any(chances < 0) or abs(chances.sum() - 1) > 1e-8):
            raise ValueError("probabilities are not below 0 and sum to 1")
        return choice(self.key(), a, _shape(size) or (), replace, chances, axis)

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """The numbers below x in random order, or x in random order along an axis."""
        return permutation(self.key(), x, axis)

    def permuted(self, x: Any, *, axis: int | None = None) -> Any:
        """x with every line along an axis in an order of its own; all of it without an axis."""
        array = np.asarray(x)
        if axis is None:
            return permutation(self.key(), array.reshape(-1)).reshape(array.shape)
        return permutation(self.key(), array, axis, True)

    def shuffle(self, x: Any, axis: int = 0) -> None:
        """Brings an array into random order along an axis, in place."""
        if not isinstance(x, np.ndarray):
            raise TypeError(f"shuffle changes a NumPy array in place, got {type(x).__name__}")
        x[...] = np.take(x, self.permutation(x.shape[axis]), axis)


def default_rng(seed: Any = None) -> Generator:
    """A generator for a seed, a key, or None; a Generator is answered as it is."""
    return seed if isinstance(seed, Generator) else Generator(seed)
