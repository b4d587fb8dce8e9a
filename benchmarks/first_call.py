"""The first call of Black-Scholes, in processes of their own, after the imports.

    python -m benchmarks.first_call              # compiled, then out of the disk cache; medians
    python -m benchmarks.first_call --runs 21 --options 4000000

Tracing and compiling count, or reading the cache; importing NumPy, SciPy and graphc does not, and
is printed beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np


def measure(options: int) -> tuple[float, float]:
    """Seconds of `import graphc` (NumPy is imported) and of the first call, in this process."""
    start = time.perf_counter()
    import graphc

    imported = time.perf_counter() - start
    from scipy.special import erf  # pyright: ignore[reportMissingImports, reportMissingModuleSource]

    rng = np.random.default_rng(0)
    spot, strike = (rng.uniform(10, 50, options).astype(np.float32) for _ in range(2))
    years = rng.uniform(0.2, 2, options).astype(np.float32)

    def black_scholes(
        spot: np.ndarray, strike: np.ndarray, years: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        rate, sigma, half, root = (np.float32(x) for x in (0.05, 0.2, 0.5, 0.5**0.5))
        spread = sigma * np.sqrt(years)
        d1 = (np.log(spot / strike) + (rate + half * sigma * sigma) * years) / spread
        d2 = d1 - spread
        discounted = strike * np.exp(-rate * years)
        call = spot * (half + half * erf(d1 * root)) - discounted * (half + half * erf(d2 * root))
        return call, call - spot + discounted

    function = graphc.jit(black_scholes)
    start = time.perf_counter()
    function(spot, strike, years)
    return imported, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=11, help="processes of each kind")
    parser.add_argument("--options", type=int, default=1000, help="how many options are priced")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(*measure(given.options))
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, cache in (("compiled", "off"), ("out of the disk cache", folder)):
            own = {"GRAPHC_CACHE_DIR": cache, "PYTHONDONTWRITEBYTECODE": ""}
            command = [sys.executable, "-m", "benchmarks.first_call", "--one"]
            command += ["--options", str(given.options)]
            found: list[tuple[float, ...]] = []
            for _ in range(given.runs + 1):  # the first fills the caches
                text = subprocess.run(
                    command, env=os.environ | own, capture_output=True, text=True, check=True
                ).stdout
                found.append(tuple(float(x) for x in text.split()))
            for what, seconds in zip(
                ("import graphc", name), zip(*found[1:], strict=True), strict=True
            ):
                times = sorted(1e3 * s for s in seconds)
                median = statistics.median(times)
                print(f"{what:<24}{median:8.1f} ms  ({times[0]:.1f} to {times[-1]:.1f})")


if __name__ == "__main__":
    main()
