"""How compile time grows: chains of 1 000, 3 000 and 10 000 distinct ops, stage by stage.

    python -m benchmarks.chain [LENGTH ...] [--kind arithmetic|mixed] [--json FILE]

Every op of a chain has a constant of its own, so no pass can make it shorter. "arithmetic" is sums,
products, quotients, minima and maxima; "mixed" has an elementary function in every tenth place.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import graphc

STEPS: tuple[Callable[[Any, float], Any], ...] = (
    lambda x, c: x + c,
    lambda x, c: x * c,
    lambda x, c: c - x,
    lambda x, c: np.minimum(x, c),
    lambda x, c: c / x,
    lambda x, c: x - c,
    lambda x, c: np.maximum(x, -c),
    lambda x, c: x * c,
    lambda x, c: x + c,
)
FUNCTIONS: tuple[Callable[[Any], Any], ...] = (np.sin, np.tanh, np.exp, np.cos, np.arctan)


def chain(length: int, kind: str) -> Callable[[Any], Any]:
    """A function of so many ops, one after another."""
    random = np.random.default_rng(0)
    constants = random.uniform(0.5, 1.5, length).tolist()

    def program(x: Any) -> Any:
        for k in range(length):
            if kind == "mixed" and k % 10 == 9:
                x = FUNCTIONS[k // 10 % len(FUNCTIONS)](x)
            else:
                x = STEPS[k % len(STEPS)](x, constants[k])
        return x

    return program


def measure(length: int, kind: str) -> dict[str, Any]:
    """Seconds of every stage, and what came out."""
    x = np.linspace(0.5, 1.5, 1000)
    program = chain(length, kind)
    lowered = graphc.jit(program).lower
    times: dict[str, float] = {}

    def timed(stage: str, run: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        value = run()
        times[stage] = time.perf_counter() - start
        return value

    traced = timed("trace", lambda: lowered(x))
    stages = traced.stages
    timed("passes", lambda: stages.optimised)
    timed("loops", lambda: stages.plan)
    timed("print", lambda: stages.llvm)
    code = timed("llvm", lambda: stages.object)
    error = float(np.nanmax(np.abs(traced.compile()(x) - program(x)) / np.abs(program(x))))
    return {
        "kind": kind, "length": length, "nodes": len(traced.graph.nodes),
        "kernels": len(stages.kernels), "code_bytes": len(code), "error": error,
        "total": sum(times.values()), **times,
        "passes_detail": {r.name: r.seconds for r in stages.optimised.records},
    }  # fmt: skip


def main() -> None:
    """Prints a table; each length in this same process, the shortest first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("lengths", nargs="*", type=int, default=[1000, 3000, 10_000])
    parser.add_argument("--kind", choices=("arithmetic", "mixed"), default="arithmetic")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    measure(10, options.kind)  # imports LLVM
    stages = ("trace", "passes", "loops", "print", "llvm", "total")
    print(
        f"{'ops':>6} {'kernels':>8}"
        + "".join(f"{s:>9}" for s in stages)
        + "   us an op      code  error"
    )
    records = []
    for length in options.lengths:
        record = measure(length, options.kind)
        records.append(record)
        columns = "".join(f"{record[s]:8.3f}s" for s in stages)
        each = record["total"] / length * 1e6
        print(
            f"{length:>6} {record['kernels']:>8}{columns} {each:10.0f} {record['code_bytes']:>9}"
            f"  {record['error']:.1e}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
