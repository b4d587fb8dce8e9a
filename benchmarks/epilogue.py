"""What a bias and a relu cost behind a product: the dense layer and the bare product in turn.

    python -m benchmarks.epilogue                          # one and two threads
    python -m benchmarks.epilogue --threads 1 --rounds 40  # fewer rounds of measuring

The two run alternately, and the quotient of each pair of neighbours is kept: a machine that others
use slows both alike. The median of the quotients is printed, with its quartiles.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import graphc_runtime
import numpy as np

import graphc

SIZES = ((512, 784, 128), (512, 1024, 1024), (1024, 1024, 1024), (2048, 1024, 512))
"""(rows, terms, columns): the dense layers of the gemm family, and larger ones."""
LEAST = 0.02
"""Seconds of one measurement."""


def product(x: np.ndarray, w: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return x @ w


def dense(x: np.ndarray, w: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.maximum(x @ w + bias, 0)


def seconds(call: Callable[[], object], count: int) -> float:
    """Of `count` calls."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - start


def compare(size: tuple[int, int, int], rounds: int) -> tuple[float, list[float]]:
    """(seconds of one bare product, dense layer / product in each round)."""
    rows, terms, columns = size
    rng = np.random.default_rng(0)
    x, w, bias = (
        rng.standard_normal(shape, dtype=np.float32)
        for shape in ((rows, terms), (terms, columns), (columns,))
    )
    functions = [graphc.jit(f) for f in (product, dense)]
    calls = [lambda f=f: f(x, w, bias) for f in functions]
    for call in calls:
        call()
    count = max(1, round(LEAST / seconds(calls[0], 3) * 3))
    bare, quotients = [], []
    for turn in range(rounds):
        order = calls if turn % 2 == 0 else calls[::-1]
        found = {id(call): seconds(call, count) for call in order}
        bare.append(found[id(calls[0])] / count)
        quotients.append(found[id(calls[1])] / found[id(calls[0])])
    return statistics.median(bare), quotients


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=60, help="pairs of measurements")
    given = parser.parse_args()
    for threads in given.threads:
        graphc_runtime.set_threads(threads)
        for size in SIZES:
            bare, quotients = compare(size, given.rounds)
            low, middle, high = statistics.quantiles(quotients, n=4)
            name = " x ".join(map(str, size))
            print(
                f"{threads} thread{'s' * (threads > 1)}  {name:20}  product {bare * 1e3:7.3f} ms  "
                f"dense / product {middle:.3f}  ({low:.3f} to {high:.3f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
