"""Random graphs: NumPy's evaluator against LLVM (and, on request, CUDA C run on the CPU).

Run by hand:

    python -m tests.fuzz --count 100000 --size 20 --start 0

Prints each failing seed with what failed; a seed is a test case (`random_graph(seed, size)`). Exit
status 1 on failure.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
import warnings

import numpy as np

from graphc.evaluate import evaluate
from tests.compiled import compiled
from tests.loops.running import MACHINES, run_graph
from tests.random_graphs import assert_close, random_graph, tolerances
from tests.symbolic_graphs import SIZES, at_extents, symbolic_graph


def check(seed: int, size: int, passes: bool) -> None:
    """Raises unless LLVM's results for the graph of that seed are the evaluator's,
    within the graph's tolerance.
    """
    graph, arrays = random_graph(seed, size)
    expected = evaluate(graph, arrays)
    function = compiled(graph, passes=passes)
    actual = function(*(np.ascontiguousarray(a) if a.ndim else a for a in arrays))
    assert_close(actual, expected, tolerances(graph, arrays))


def check_symbolic(seed: int, size: int, passes: bool) -> None:
    """The same for a graph over symbolic extents: one binary for several sizes, and one for one."""
    graph, make = symbolic_graph(seed, size)
    function = compiled(graph, passes=passes)
    for env in SIZES:
        arrays = make(env)
        expected = evaluate(graph, arrays)
        sized = at_extents(graph, env)
        off = tolerances(sized, arrays)
        assert_close(function(*arrays), expected, off)
        if env is SIZES[1]:  # the loops too, with every access checked
            assert_close(run_graph(graph, arrays, env, MACHINES[seed % 3]), expected, off)
        if env is SIZES[-1]:
            assert_close(compiled(sized, passes=passes)(*arrays), expected, off)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--size", type=int, default=20)
    parser.add_argument(
        "--passes", action="store_true", help="run the whole pipeline before fusion"
    )
    parser.add_argument("--symbolic", action="store_true", help="graphs over symbolic extents")
    options = parser.parse_args()
    run = check_symbolic if options.symbolic else check
    warnings.simplefilter("ignore")
    failures = 0
    started = time.time()
    for seed in range(options.start, options.start + options.count):
        try:
            run(seed, options.size, options.passes)
        except Exception as error:
            failures += 1
            frames = traceback.extract_tb(error.__traceback__)
            last = frames[-1]
            text = str(error).replace("\n", " ")[:300]
            print(
                f"seed {seed}: {type(error).__name__} at {last.filename}:{last.lineno}: {text}",
                flush=True,
            )
        done = seed - options.start + 1
        if done % 1000 == 0:
            print(f"{done} graphs, {failures} failures, {time.time() - started:.0f} s", flush=True)
    print(f"{options.count} graphs, {failures} failures, {time.time() - started:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
