"""What random numbers cost: graphc.random beside NumPy's generators, and JAX where it is installed.

    python -m benchmarks.random_numbers                    # 2^24 numbers, one thread
    python -m benchmarks.random_numbers --count 65536 --threads 2

Everybody answers fresh arrays; the least of the rounds is printed, in ms.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import graphc_runtime
import numpy as np

from graphc import random

Case = tuple[str, str, Callable[[], Any]]
"""The sampler, whose it is, and a call."""
DTYPES = (np.float32, np.float64)


def ours(count: int) -> Iterator[Case]:
    key, shape = random.key(1), (count,)
    for dtype in DTYPES:
        name = np.dtype(dtype).name
        for draw in (random.uniform, random.normal, random.exponential):
            yield f"{draw.__name__} {name}", "graphc", lambda f=draw, d=dtype: f(key, shape, d)
        yield f"gamma(2.5) {name}", "graphc", lambda d=dtype: random.gamma(key, 2.5, shape, d)
    yield "integers(0, 1000)", "graphc", lambda: random.randint(key, shape, 0, 1000)
    for mean in (5.0, 20.0):
        yield f"poisson({mean:g})", "graphc", lambda m=mean: random.poisson(key, m, shape)
    yield "permutation", "graphc", lambda: random.permutation(key, count)


def numpys(count: int) -> Iterator[Case]:
    for kind in (np.random.PCG64, np.random.SFC64):
        g, whose = np.random.Generator(kind(1)), f"NumPy {kind.__name__}"
        for dtype in DTYPES:
            name = np.dtype(dtype).name
            yield f"uniform {name}", whose, lambda g=g, d=dtype: g.random(count, d)
            yield f"normal {name}", whose, lambda g=g, d=dtype: g.standard_normal(count, d)
            yield (
                f"exponential {name}", whose, lambda g=g, d=dtype: g.standard_exponential(count, d)
            )  # fmt: skip
            yield f"gamma(2.5) {name}", whose, lambda g=g, d=dtype: g.standard_gamma(2.5, count, d)
        yield "integers(0, 1000)", whose, lambda g=g: g.integers(0, 1000, count)
        for mean in (5.0, 20.0):
            yield f"poisson({mean:g})", whose, lambda g=g, m=mean: g.poisson(m, count)
        yield "permutation", whose, lambda g=g: g.permutation(count)


def jaxs(count: int) -> Iterator[Case]:
    jax = import_module("jax")  # no requirement of graphc
    key = jax.random.PRNGKey(1)
    for name in ("uniform", "normal", "exponential"):
        sampler = getattr(jax.random, name)
        draw = jax.jit(lambda k, f=sampler: f(k, (count,)))
        yield f"{name} float32", "JAX, all threads", lambda f=draw: f(key).block_until_ready()


def least(call: Callable[[], Any], rounds: int) -> float:
    """ms of the fastest call."""
    call()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found) * 1e3


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=2**24)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    graphc_runtime.set_threads(asked.threads)
    cases = [*ours(asked.count), *numpys(asked.count)]
    if find_spec("jax"):
        cases += jaxs(asked.count)
    for name, whose, call in sorted(cases, key=lambda case: case[0]):
        print(f"{name:24} {whose:18} {least(call, asked.rounds):9.2f} ms")


if __name__ == "__main__":
    main()
