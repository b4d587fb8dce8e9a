"""graphc.random: random numbers as pure functions of keys.

    key = random.key(0)
    key, own = random.split(key)
    x = random.normal(own, (3, 4), np.float32)

A key is u32[2]. The same key gives the same numbers on every target and number of threads, and must
not be used twice: `split` it, or `fold_in` the number of a step. Inside a traced function the
numbers are made in the kernels that use them; outside each function is compiled at its first call
for a shape. `Generator` (`default_rng`) keeps a key and splits it at each call, as NumPy's does.

Loaded when it is first asked for.
"""

from __future__ import annotations

from . import continuous, discrete, keys, rejection
from .calling import public
from .generator import Generator, binomial, default_rng, poisson

key = public(keys.key, keys.plain_key)
split = public(keys.split, keys.plain_split)
fold_in = public(keys.fold_in, keys.plain_fold_in)
bits = public(keys.bits)

cauchy = public(continuous.cauchy)
exponential = public(continuous.exponential)
gumbel = public(continuous.gumbel)
laplace = public(continuous.laplace)
logistic = public(continuous.logistic)
normal = public(continuous.normal)
truncated_normal = public(continuous.truncated_normal)
uniform = public(continuous.uniform)

bernoulli = public(discrete.bernoulli)
categorical = public(discrete.categorical)
choice = public(discrete.choice, count="a")
permutation = public(discrete.permutation, count="x")
randint = public(discrete.randint)

beta = public(rejection.beta)
gamma = public(rejection.gamma)

__all__ = [
    "Generator",
    "bernoulli",
    "beta",
    "binomial",
    "bits",
    "categorical",
    "cauchy",
    "choice",
    "default_rng",
    "exponential",
    "fold_in",
    "gamma",
    "gumbel",
    "key",
    "laplace",
    "logistic",
    "normal",
    "permutation",
    "poisson",
    "randint",
    "split",
    "truncated_normal",
    "uniform",
]
