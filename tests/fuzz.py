"""Random graphs: NumPy's evaluator against LLVM, or against CUDA C run on the CPU. LLVM's code may
be for another processor: an older one of this kind, or an aarch64 in an emulator.

Run by hand:

    python -m tests.fuzz --mix --start 0 --count 100000 --jobs 2 --log fuzz.log
    python -m tests.fuzz --size 20 --passes --start 4711 --count 1
    python -m tests.fuzz --mix --cuda --count 10000 --jobs 2
    python -m tests.fuzz --mix --target aarch64 --count 10000 --jobs 2
    python -m tests.fuzz --derivatives --count 5000 --jobs 2
    python -m tests.fuzz --control --count 5000 --jobs 2

A seed is a test case: it stands for the same graph until `random_graphs.py`, `symbolic_graphs.py`
or `control_graphs.py` changes. Each failing seed is printed when it is found, with the command that
runs it alone. Exit status 1 when any failed.

A run may be stopped at any time: started again with the same `--log`, it goes on after the blocks
of seeds that the log holds.
"""

from __future__ import annotations

import argparse
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from graphc.codegen import cuda_cpu
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.passes import pipeline
from tests import fuzz_pool
from tests.codegen import arm, cuda_graphs
from tests.codegen.test_programs import TARGETS
from tests.compiled import compiled
from tests.control_graphs import control_graph
from tests.derivatives.random import check_derivatives
from tests.loops.running import MACHINES, run_graph
from tests.random_graphs import assert_agrees, random_graph
from tests.symbolic_graphs import SIZES, at_extents, symbolic_graph

MIX = (5, 12, 20) * 7 + (5, 12, 60, 0)
"""Sizes by the last digits of a seed in the mixture; 0 is a graph of symbolic extents."""

COMPILERS: dict[str, Callable[..., Any]] = {
    "host": compiled,
    "aarch64": arm.compiled,
    **{name: partial(compiled, target=target) for name, target in TARGETS.items()},
}


@dataclass(frozen=True, slots=True)
class Kind:
    """Which graph a seed stands for, and what it goes through."""

    size: int
    passes: bool = False
    symbolic: bool = False

    def __str__(self) -> str:
        words = [f"--size {self.size}", "--passes" * self.passes, "--symbolic" * self.symbolic]
        return " ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Options:
    """What is checked of each seed; the kind is None for the mixture."""

    kind: Kind | None
    cuda: bool = False
    target: str = "host"
    derivatives: bool = False
    control: bool = False

    def of(self, seed: int) -> Kind:
        """The kind of a seed."""
        return mixed(seed) if self.kind is None else self.kind

    def __str__(self) -> str:
        if self.derivatives:
            return "--derivatives"
        if self.control:
            return "--control"
        target = f" --target {self.target}" * (self.target != "host")
        return f"{self.kind or '--mix'}{' --cuda' * self.cuda}{target}"

    def __call__(
        self, seeds: Sequence[int], begin: Callable[[int], None]
    ) -> Iterator[tuple[int, str]]:
        """The seeds that fail, with what happened. Calls `begin` before each one is worked on."""
        warnings.simplefilter("ignore")
        if self.cuda:
            yield from check_cuda(seeds, self.of, begin)
            return
        compile_graph = COMPILERS[self.target]
        for seed in seeds:
            begin(seed)
            kind = self.of(seed)
            check_kind = check_symbolic if kind.symbolic else check
            try:
                if self.derivatives:
                    check_derivatives(seed)
                    continue
                if self.control:
                    check_control(seed)
                    continue
                check_kind(seed, kind.size, kind.passes, compile_graph)
            except Exception as error:
                yield seed, described(error)


def mixed(seed: int) -> Kind:
    """A seed of the mixture: all sizes, with and without the passes, a few of symbolic extents."""
    size, passes = MIX[seed % len(MIX)], seed // len(MIX) % 2 == 1
    return Kind(size or 12, passes, symbolic=size == 0)


def check(seed: int, size: int, passes: bool, compile_graph: Callable[..., Any] = compiled) -> None:
    """Raises unless LLVM's results for the graph of that seed are the evaluator's,
    within the graph's tolerance.
    """
    graph, arrays = random_graph(seed, size)
    function = compile_graph(graph, passes=passes)
    actual = function(*(np.ascontiguousarray(a) if a.ndim else a for a in arrays))
    compare(graph, arrays, actual, passes)


def compare(
    graph: Graph, arrays: Sequence[np.ndarray], actual: Sequence[np.ndarray], passes: bool
) -> None:
    """Raises unless the results are the evaluator's; after passes, for the graph as `stability`
    made it, where it changed one: it is there to give other values.
    """
    try:
        assert_agrees(graph, arrays, actual, evaluate(graph, arrays))
    except AssertionError:
        if not passes:
            raise
        outcome = pipeline.run(graph, stop_after="stability")
        if not outcome.records[-1].changed:
            raise
        assert_agrees(outcome.graph, arrays, actual, evaluate(outcome.graph, arrays))


def check_symbolic(
    seed: int, size: int, passes: bool, compile_graph: Callable[..., Any] = compiled
) -> None:
    """The same for a graph over symbolic extents: one binary for several sizes, and one for one."""
    graph, make = symbolic_graph(seed, size)
    function = compile_graph(graph, passes=passes)
    for env in SIZES:
        arrays = make(env)
        sized = at_extents(graph, env)
        compare(sized, arrays, function(*arrays), passes)
        if env is SIZES[1]:  # the loops too, with every access checked
            found = run_graph(graph, arrays, env, MACHINES[seed % 3])
            compare(sized, arrays, found, passes=False)
        if env is SIZES[-1]:
            compare(sized, arrays, compile_graph(sized, passes=passes)(*arrays), passes)


def check_control(seed: int) -> None:
    """Raises unless LLVM's results for a graph with loops and choices are the evaluator's; with the
    passes and without them, and with results where donated parameters were.
    """
    graph, arrays, aliases = control_graph(seed)
    wanted = evaluate(graph, arrays)
    for passes in (False, True):
        function = compiled(graph, passes=passes, aliases=aliases)
        found = function(*(a.copy() for a in arrays))
        for k, (one, other) in enumerate(zip(found, wanted, strict=True)):
            message = f"result {k}, {'with' if passes else 'without'} passes"
            np.testing.assert_array_equal(one, other, message)


# -------------------------------------------------------------------------------------------- CUDA


@dataclass(frozen=True, slots=True)
class _CudaCase:
    seed: int
    kernels: cuda_graphs.GraphKernels
    runs: tuple[tuple[Graph, list[np.ndarray]], ...]
    """Graphs whose extents are numbers, with arguments."""
    passes: bool


def check_cuda(
    seeds: Sequence[int], kind_of: Callable[[int], Kind], begin: Callable[[int], None]
) -> Iterator[tuple[int, str]]:
    """The seeds whose CUDA kernels, compiled at once and run on the CPU, do not give the
    evaluator's results in both orders of the threads.
    """
    cases: list[_CudaCase] = []
    for seed in seeds:
        begin(seed)
        try:
            cases.append(_cuda_case(seed, kind_of(seed)))
        except Exception as error:
            yield seed, described(error)
    yield from _run_cuda(cases, begin)


def _cuda_case(seed: int, kind: Kind) -> _CudaCase:
    if not kind.symbolic:
        graph, arrays = random_graph(seed, kind.size)
        runs: tuple[tuple[Graph, list[np.ndarray]], ...] = ((graph, arrays),)
        return _CudaCase(seed, cuda_graphs.graph_kernels(graph, kind.passes), runs, kind.passes)
    graph, make = symbolic_graph(seed, kind.size)
    runs = tuple((at_extents(graph, env), make(env)) for env in SIZES)
    return _CudaCase(seed, cuda_graphs.graph_kernels(graph, kind.passes), runs, kind.passes)


def _run_cuda(
    cases: Sequence[_CudaCase], begin: Callable[[int], None]
) -> Iterator[tuple[int, str]]:
    try:
        with cuda_graphs.built([case.kernels for case in cases]) as programs:
            for case, some in zip(cases, programs, strict=True):
                begin(case.seed)
                try:
                    _compare_cuda(case, some)
                except Exception as error:
                    yield case.seed, described(error)
    except cuda_cpu.BuildError as error:
        if len(cases) == 1:
            yield cases[0].seed, described(error)
        for case in cases if len(cases) > 1 else ():  # which of them g++ does not take
            yield from _run_cuda([case], begin)


def _compare_cuda(case: _CudaCase, programs: Sequence[cuda_cpu.CpuProgram]) -> None:
    for graph, arrays in case.runs:
        found, backwards = (
            cuda_graphs.run(case.kernels, programs, arrays, order) for order in (False, True)
        )
        compare(graph, arrays, found, case.passes)
        for a, b in zip(found, backwards, strict=True):
            assert a.tobytes() == b.tobytes(), "the result depends on the order of the threads"


# ---------------------------------------------------------------------------------------- the run


def described(error: Exception) -> str:
    """An exception in one line, with the innermost place."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {text}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1000, help="how many seeds")
    parser.add_argument("--size", type=int, default=20, help="ops in a graph")
    parser.add_argument(
        "--passes", action="store_true", help="run the whole pipeline before fusion"
    )
    parser.add_argument("--symbolic", action="store_true", help="graphs over symbolic extents")
    parser.add_argument("--mix", action="store_true", help="all of these, by the seed")
    parser.add_argument("--cuda", action="store_true", help="CUDA C on the CPU instead of LLVM")
    parser.add_argument("--target", choices=COMPILERS, default="host", help="the processor")
    parser.add_argument("--derivatives", action="store_true", help="of smooth graphs")
    parser.add_argument("--control", action="store_true", help="loops and choices, of integers")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seconds", type=float, help="begin no block of seeds after this time")
    parser.add_argument("--progress", type=float, default=60, help="seconds between two lines")
    parser.add_argument("--log", type=Path, help="a file of the blocks that were run")
    given = parser.parse_args()
    kind = None if given.mix else Kind(given.size, given.passes, given.symbolic)
    options = Options(kind, given.cuda, given.target, given.derivatives, given.control)

    def show(seed: int, text: str) -> None:
        alone = replace(options, kind=options.of(seed))
        print(f"seed {seed} ({alone} --start {seed} --count 1): {text}", flush=True)

    outcome = fuzz_pool.run(
        options,
        fuzz_pool.blocks(given.start, given.count),
        given.jobs,
        show,
        fuzz_pool.Log(given.log, str(options)),
        given.seconds,
        given.progress,
    )
    print(f"{options}: {outcome}", flush=True)
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
