"""How long each kernel of a step of training takes on its own, in order: where to look.

    python -m benchmarks.kernels train autoencoder            # a case of the shared suite
    python -m benchmarks.kernels train mlp-512 --threads 2

A kernel runs alone, on operands of its shapes that stay in the caches where they fit; so the sum
is not the time of the whole. Indices are 0 and 1.
"""

from __future__ import annotations

import argparse
import importlib
from typing import Any

import graphc_runtime

from graphc import compile as road
from graphc import measuring, tuning
from graphc.codegen.plan import Kernel

from .column import register


def seconds(kernel: Kernel, limit: float) -> float:
    """Of a kernel as a program of its own."""
    alone = tuning._alone(kernel.node, (), {}, {})
    lowered = road.Lowered(alone.graph, is_fused=True, is_candidate=True)
    return measuring.race([measuring.trial(lowered, alone.operands())], limit)[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("workload")
    parser.add_argument("case")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each kernel, at most")
    given = parser.parse_args()
    register()
    case = importlib.import_module(f"bench.{given.workload}").CASES[given.case]
    from .training import lowered

    road.ensure_native()
    graphc_runtime.set_threads(given.threads)
    total = 0.0
    for kernel in lowered(case).kernels:
        took = seconds(kernel, given.seconds)
        total += took
        shown: list[Any] = [r.type for r in kernel.node.results]
        print(f"{took * 1e3:9.3f} ms  {kernel.name:32} {', '.join(map(str, shown))}", flush=True)
    print(f"{total * 1e3:9.3f} ms  together")


if __name__ == "__main__":
    main()
