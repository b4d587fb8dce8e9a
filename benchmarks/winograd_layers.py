"""3x3 convolutions of VGG16 and ResNet50, directly and as products of tiles.

    python -m benchmarks.winograd_layers                     one thread, filters as arguments
    python -m benchmarks.winograd_layers --threads 2 --captured

Columns: the direct sum, F(2x2), F(4x4), and what the compiler chooses, in ms; a bias and a
rectifier follow. The constants of graphc/passes/winograd.py come from here.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import graphc_runtime
import numpy as np

import graphc
from graphc import nn
from graphc.compile import ensure_native

from .winograd_errors import tiles

LAYERS = (
    (224, 64, 64), (112, 64, 128), (112, 128, 128), (56, 128, 256), (56, 256, 256),
    (28, 256, 512), (28, 512, 512), (14, 512, 512), (56, 64, 64), (28, 128, 128),
    (14, 256, 256), (7, 512, 512),
)  # fmt: skip
"""Edge of the image, channels, features."""


def best(function: Callable[..., Any], *arrays: np.ndarray) -> float:
    """The shortest call, in seconds."""
    function(*arrays)
    found, start, calls = float("inf"), time.perf_counter(), 0
    while calls < 4 or time.perf_counter() - start < 0.3:
        before = time.perf_counter()
        function(*arrays)
        found, calls = min(found, time.perf_counter() - before), calls + 1
    return found


def times(edge: int, channels: int, features: int, captured: bool) -> list[float]:
    """Of the four ways."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, edge, edge, channels), dtype=np.float32)
    w = rng.standard_normal((3, 3, channels, features), dtype=np.float32)
    b = np.zeros(features, np.float32)

    def layer(x: Any, w: Any, b: Any) -> Any:
        return np.maximum(nn.conv(x, w, padding="same") + b, 0)

    found = []
    for m in (0, 2, 4, None):
        with nullcontext() if m is None else tiles(m):
            if captured:
                found.append(best(graphc.jit(lambda x: layer(x, w, b)), x))
            else:
                found.append(best(graphc.jit(lambda x, w, b: layer(x, w, b)), x, w, b))
    return found


def main() -> None:
    """Prints a line for each layer."""
    parser = argparse.ArgumentParser(description="3x3 convolutions, directly and in tiles")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--captured", action="store_true", help="filters are constants")
    options = parser.parse_args()
    os.environ["GRAPHC_CACHE_DIR"] = "off"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(range(options.threads)))
    ensure_native()
    graphc_runtime.set_threads(options.threads)
    print("layer                    direct   F(2x2)   F(4x4)   chosen")
    for edge, channels, features in LAYERS:
        row = times(edge, channels, features, options.captured)
        name = f"{edge}x{edge} {channels} -> {features}"
        print(f"{name:<22}" + "".join(f"{1e3 * t:9.2f}" for t in row), flush=True)


if __name__ == "__main__":
    main()
