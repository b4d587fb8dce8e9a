"""Value and gradient of attention, block by block and with the matrix of scores, in turn.

    python -m benchmarks.attention                     # one and two threads
    python -m benchmarks.attention --rounds 20         # more rounds of measuring

Written in plain NumPy, the loss is recognised before it is differentiated
(`graphc.passes.attention.recognised`); the other program is made without that step. The least time
of each is printed, with the speed of its products (seven, and six) and the megabytes that a call
needs beside its arguments.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import graphc_runtime
import numpy as np

import graphc
from graphc.transforms import gradients

SIZES = ((8, 12, 256, 64), (8, 12, 512, 64), (2, 8, 1024, 64), (1, 2, 2048, 64))
"""(batch, heads, positions, numbers of a head)."""
PRODUCTS = {"blocks": 7, "matrix": 6}


def loss(q: Any, k: Any, v: Any, w: Any) -> Any:
    s = q @ np.swapaxes(k, -1, -2) * q.dtype.type(q.shape[-1] ** -0.5)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return ((e / e.sum(axis=-1, keepdims=True)) @ v * w).sum()


def program(name: str, arrays: list[np.ndarray]) -> tuple[Callable[[], Any], float]:
    """The program of a name, and the megabytes of a call."""
    known = gradients.recognised
    if name == "matrix":
        gradients.recognised = lambda results, params: list(results)
    function = graphc.jit(graphc.value_and_grad(loss, argnums=(0, 1, 2)))
    specs = [graphc.spec(a.shape, str(a.dtype)) for a in arrays]
    nbytes = function.lower(*specs).stages.peak_bytes
    function(*arrays)
    gradients.recognised = known
    return lambda: function(*arrays), nbytes / 1e6


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--dtype", default="float32")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    for size in SIZES:
        arrays = [rng.standard_normal(size).astype(given.dtype) for _ in range(4)]
        programs = {name: program(name, arrays) for name in PRODUCTS}
        batch, heads, length, width = size
        one = 2e-9 * batch * heads * length * length * width
        for threads in given.threads:
            graphc_runtime.set_threads(threads)
            best = dict.fromkeys(PRODUCTS, float("inf"))
            for _ in range(given.rounds):
                for name, (call, _) in programs.items():
                    best[name] = min(best[name], seconds(call))
            found = "  ".join(
                f"{name} {best[name] * 1e3:6.1f} ms {count * one / best[name]:4.0f} GFLOP/s "
                f"{programs[name][1]:6.1f} MB"
                for name, count in PRODUCTS.items()
            )
            print(f"{threads} thread{'s' * (threads > 1):1}  {size!s:18}  {found}", flush=True)


if __name__ == "__main__":
    main()
