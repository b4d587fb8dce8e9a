"""What one call costs when there is next to nothing to compute: NumPy arrays in, NumPy arrays out.

python -m benchmarks.calls [--seconds S] [--json FILE]
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import graphc_runtime
import numpy as np

import graphc


def tiny(x: Any, y: Any, z: Any) -> Any:
    """One kernel of two ops."""
    return x * y + z


def scaled(x: Any, rate: Any) -> Any:
    """An array and a Python number."""
    return x * rate


def two(x: Any, y: Any) -> Any:
    """A tuple of results."""
    return x + y, x - y


def nested(p: dict[str, Any]) -> Any:
    """Arrays in a dict."""
    return {"sum": p["x"] + p["y"]}


def thirty(*arrays: Any) -> Any:
    """As many arrays as a small model has weights."""
    return [a + np.float32(1) for a in arrays]


def cases() -> dict[str, tuple[Callable[..., Any], Sequence[Any], dict[str, Any]]]:
    """Name -> function, arguments, options of jit."""
    rng = np.random.default_rng(0)
    x, y, z = (rng.standard_normal(8, dtype=np.float32) for _ in range(3))
    many = [rng.standard_normal(8, dtype=np.float32) for _ in range(30)]
    return {
        "x y + z, 8 numbers": (tiny, (x, y, z), {}),
        "the same, 0-d": (tiny, tuple(np.array(a[0]) for a in (x, y, z)), {}),
        "the same, symbolic extent": (tiny, (x, y, z), {"dims": {k: ("n",) for k in "xyz"}}),
        "the same, strided": (tiny, tuple(np.repeat(a, 2)[::2] for a in (x, y, z)), {}),
        "array and Python float": (scaled, (x, 0.5), {}),
        "two results": (two, (x, y), {}),
        "dict in, dict out": (nested, ({"x": x, "y": y},), {}),
        "30 arrays in, 30 out": (thirty, many, {}),
    }


def nanoseconds(function: Callable[..., Any], arguments: Sequence[Any], seconds: float) -> float:
    """Of one call: the least of many rounds."""
    count = 1
    while True:
        if _round(function, arguments, count) > 0.01:
            break
        count *= 4
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        best = min(best, _round(function, arguments, count) / count)
    return best * 1e9


def _round(function: Callable[..., Any], arguments: Sequence[Any], count: int) -> float:
    numbers = range(count)
    gc.disable()
    start = time.perf_counter()
    for _ in numbers:
        function(*arguments)
    spent = time.perf_counter() - start
    gc.enable()
    return spent


def main() -> None:
    """Prints a table beside NumPy. The loop around a call is part of both times (about 20 ns)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="for each cell")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{'ns a call':<28}{'numpy':>10}{'graphc':>10}   calls that took the native path")
    records = {}
    for name, (function, arguments, jit_options) in cases().items():
        theirs = nanoseconds(function, arguments, options.seconds)
        try:
            compiled = graphc.jit(function, **jit_options)
            for _ in range(3):
                compiled(*arguments)
            before = graphc_runtime.call_statistics(compiled)
            compiled(*arguments)
            native = graphc_runtime.call_statistics(compiled)[1] > before[1]
            ours = nanoseconds(compiled, arguments, options.seconds)
        except graphc.GraphcError as error:  # one bad row is no reason to lose the others
            print(f"{name:<28}{theirs:>10.0f}    failed   {error}", flush=True)
            continue
        records[name] = {"numpy_ns": theirs, "graphc_ns": ours, "native": native}
        print(f"{name:<28}{theirs:>10.0f}{ours:>10.0f}   {'all' if native else 'none'}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
