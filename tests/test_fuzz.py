"""The fuzzer itself: what it blames, what its log remembers, and a few seeds of each kind."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from graphc.codegen import cuda_cpu
from graphc.evaluate import evaluate
from tests import fuzz, fuzz_pool
from tests.control_graphs import control_graph
from tests.random_graphs import assert_agrees, expression, tolerances


def check(seeds: Sequence[int], begin: Callable[[int], None]) -> Iterator[tuple[int, str]]:
    for seed in seeds:
        begin(seed)
        if seed == 105:
            os.kill(os.getpid(), signal.SIGKILL)
        if seed % 10 == 3:
            yield seed, "ends in 3"


def test_a_run_blames_seeds_and_goes_on_after_its_log(tmp_path: Path) -> None:
    shown: list[int] = []
    wanted = {103: "ends in 3", 105: "the process died: SIGKILL", 113: "ends in 3"}

    def run(count: int) -> fuzz_pool.Outcome:
        log = fuzz_pool.Log(tmp_path / "log", "options")
        todo = fuzz_pool.blocks(100, count)
        return fuzz_pool.run(check, todo, 1, lambda seed, _: shown.append(seed), log)

    first = run(20)
    assert (first.wanted, first.earlier, first.checked, first.failures) == (20, 0, 20, wanted)
    assert shown == [103, 105, 113]
    again = run(20)
    assert (again.earlier, again.checked, again.failures) == (20, 0, wanted)


@pytest.mark.parametrize("seed", [0, 23, 24, 26, 47, 49])
def test_seeds_of_the_mixture(seed: int) -> None:
    begun: list[int] = []
    assert list(fuzz.Options(None)([seed], begun.append)) == []
    assert begun == [seed]


@pytest.mark.parametrize("seed", range(12))
def test_seeds_of_loops_and_choices(seed: int) -> None:
    fuzz.check_control(seed)


def test_loops_and_choices_are_in_the_graphs() -> None:
    ops = Counter(node.op.name for seed in range(40) for node in control_graph(seed)[0].nodes)
    assert min(ops[name] for name in ("scan", "while", "switch", "scatter", "update")) > 5


def test_wrong_results_are_no_agreement() -> None:
    graph = expression("f32[3]", "exp(x)")
    arrays = (np.array([0.5, 1.0, 2.0], np.float32),)
    found = [a.copy() for a in evaluate(graph, arrays)]
    assert_agrees(graph, arrays, found, evaluate(graph, arrays))
    found[0][1] *= np.float32(1 + 1e-4)
    with pytest.raises(AssertionError, match="result 0"):
        assert_agrees(graph, arrays, found, evaluate(graph, arrays))


def test_tolerances_know_other_orders_and_branches() -> None:
    """Each is what a seed failed by, where rounding alone decides."""
    big = np.array([1e30, 1.0, -1e30], np.float32)
    total = expression("f32[3]", 'reduce(x, kind="sum", axes=(0,))')
    assert tolerances(total, (big,), thorough=True)[0] >= 1.0  # 0 or 1, by the order
    square = np.array([1e30, np.inf], np.float32), np.array([1e30, -1.0], np.float32)
    both = expression(
        "f32[2];f32[2]", "dot(x, y, contract=((0,), (0,)), batch=((), ()), dtype=f32)"
    )
    assert tolerances(both, square)[0] == np.inf  # -inf in f64; NaN in f32, where 1e60 is infinite
    tame = np.array([1e3, np.inf], np.float32), np.array([1e3, -1.0], np.float32)
    assert tolerances(both, tame)[0] < 1e-30
    below_one = np.array([np.nextafter(1.0, 0.0)])
    step = expression("f64[1]", "floor(tanh(atanh(x)))")
    assert tolerances(step, (below_one,), thorough=True)[0] >= 1.0
    pole = expression("f64[1]", "asin(sin(mul(x, x)))")
    assert tolerances(pole, (np.array([0.3]),), thorough=True)[0] < 1e-13


@pytest.mark.skipif(not cuda_cpu.available(), reason="g++ is not on PATH")
def test_kernels_of_many_seeds_are_compiled_at_once() -> None:
    seeds = [0, 1, 23, 24, 26]
    begun: list[int] = []
    assert list(fuzz.Options(None, cuda=True)(seeds, begun.append)) == []
    assert begun == seeds * 2  # when the kernels are printed, and when they are run


@pytest.mark.parametrize("seed", [0, 23, 24, 26, 47, 49])
def test_seeds_of_the_mixture_on_aarch64(seed: int) -> None:
    begun: list[int] = []
    assert list(fuzz.Options(None, target="aarch64")([seed], begun.append)) == []
    assert begun == [seed]
