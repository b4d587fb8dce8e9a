"""Correctness on the device: `python -m benchmarks.gpu.checks GROUP FIRST LAST` runs the checks of
a group from FIRST to before LAST and prints a line of JSON for each.

The checks are those that tests/codegen runs on the processor: the scalar ops of every dtype, every
kind of nest, products, convolutions, attention, cumulative ops, sorts, every sample of every card,
whole random graphs; and programs of whole_checks.py, which `jit` compiles.
A check that fails does not end the run; a device that does no longer answer ends the process, and
whoever started it goes on behind the check that did it (benchmarks/gpu/__main__.py).
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from graphc_runtime import cuda

from graphc import types as ty
from graphc.codegen.cuda import CudaKernel, print_cuda
from graphc.evaluate import evaluate as graph_evaluate
from graphc.ir import Graph
from graphc.loops.evaluate import evaluate as loops_evaluate
from graphc.loops.schedule_cuda import schedule_cuda

from . import running, whole_checks

DEAD = 3
"""The exit status of a process whose device no longer answers."""


@dataclass
class Check:
    """`kernels` are built with those of the group's other checks; `run` compares, and answers the
    largest error as a multiple of what is allowed."""

    name: str
    kernels: Sequence[Sequence[CudaKernel]]
    run: Callable[[Sequence[running.DeviceProgram]], float]


# ------------------------------------------------------------------------------------- comparing


def wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def excess(found: np.ndarray, wanted: np.ndarray, allowed: Any) -> float:
    """The largest error over the allowed one; infinite where one is NaN and the other is not."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if not found.size:
        return 0.0
    x, y = wide(found), wide(wanted)
    with np.errstate(all="ignore"):
        same = (x == y) | (np.isnan(x) & np.isnan(y)) | np.isinf(allowed)
        if x.dtype.kind == "c":
            same |= ~np.isfinite(x) & ~np.isfinite(y)
        ratio = np.abs(x - y) / np.maximum(allowed, 1e-300)
    ratio = np.where(same, 0.0, np.where(np.isnan(ratio), np.inf, ratio))
    return float(ratio.max())


def relative(found: np.ndarray, wanted: np.ndarray, rtol: float, atol: float) -> float:
    if ty.dtype(wanted.dtype).is_float:
        with np.errstate(all="ignore"):
            size = np.abs(wide(wanted))
            return excess(found, wanted, np.where(np.isfinite(size), size, 0) * rtol + atol)
    return excess(found, wanted, 1e-300)


# ---------------------------------------------------------------------------------------- groups


def scalars() -> list[Check]:
    from graphc.loops.scalar import SCALAR_OPS
    from tests.codegen import test_cuda as suite

    def one(dtype: ty.DType, arity: int) -> Check:
        func, names = suite.scalar_func(dtype, arity)

        def run(programs: Sequence[running.DeviceProgram]) -> float:
            args = suite.operands(dtype, arity)
            arrays = {f"x{k}": a for k, a in enumerate(args)}
            arrays |= {
                p.name: np.zeros(p.shape, p.dtype.numpy)  # type: ignore[arg-type]
                for p in func.params
                if p.access == "out"
            }
            assert programs[0].run(arrays) == 0
            rtol = {"f16": 2e-3, "bf16": 2e-2, "f32": 2e-6, "f64": 1e-13}.get(dtype.name, 0)
            least = {"f16": 1e-7, "f64": 1e-300}.get(dtype.name, 1e-30)
            errors = {}
            for name in names:
                with np.errstate(all="ignore"):
                    wanted = np.asarray(SCALAR_OPS[name].numpy(*args))
                errors[name] = relative(arrays[f"out_{name}"], wanted, rtol, least)
            bad = {n: e for n, e in errors.items() if e > 1}
            assert not bad, f"times what is allowed: {bad}"
            return max(errors.values())

        return Check(f"{dtype.name} {arity}", [print_cuda(schedule_cuda(func))], run)

    def casts(dtype: ty.DType) -> Check:
        func = suite.cast_func(dtype)

        def run(programs: Sequence[running.DeviceProgram]) -> float:
            values = suite.cast_values(dtype)
            arrays = {"x": values}
            arrays |= {f"to_{d.name}": np.zeros(len(values), d.numpy) for d in suite.REAL}
            assert programs[0].run(arrays) == 0
            for target in suite.REAL:
                with np.errstate(all="ignore"):
                    wanted = values.astype(target.numpy)
                np.testing.assert_array_equal(arrays[f"to_{target.name}"], wanted, target.name)
            return 0.0

        return Check(f"casts of {dtype.name}", [print_cuda(schedule_cuda(func))], run)

    return [one(*key) for key in suite.OPERANDS] + [casts(d) for d in suite.REAL]


def nests() -> list[Check]:
    from tests.codegen import test_cuda as suite

    def one(name: str) -> Check:
        case = suite.CASES[name]

        def run(programs: Sequence[running.DeviceProgram]) -> float:
            worst = 0.0
            for env in case.symbols:
                wanted, found = suite.inputs(case, env), suite.inputs(case, env)
                loops_evaluate(case.func, wanted, env)
                assert programs[0].run(found, env) == 0
                for p in case.func.params:
                    if p.access == "out":
                        rtol = {16: 2e-2, 32: 2e-5, 64: 1e-11}.get(p.dtype.bits, 0.0)
                        error = relative(found[p.name], wanted[p.name], rtol, rtol)
                        assert error <= 1, f"{p.name} {env}: {error} times what is allowed"
                        worst = max(worst, error)
            return worst

        return Check(name, [suite.printed(name)], run)

    return [one(name) for name in suite.CASES]


def of_graph(
    name: str, graph: Graph, fixed: Graph, arrays: list[np.ndarray], made: Any = None,
    read: list[np.ndarray] | None = None, slack: float = 1.0,
) -> Check:  # fmt: skip
    """A fused graph against its meaning; `made` are its kernels, if they are not the usual ones,
    `read` the arguments as they read them. `slack` times the usual error is allowed."""
    from tests.codegen import cuda_graphs
    from tests.random_graphs import tolerances

    one = made or cuda_graphs.graph_kernels(graph)
    given = arrays if read is None else read

    def run(programs: Sequence[running.DeviceProgram]) -> float:
        found = cuda_graphs.run(one, programs, arrays)  # type: ignore[arg-type]
        with np.errstate(all="ignore"):
            wanted = graph_evaluate(fixed, given)
            allowed = tolerances(fixed, given)
        errors = [excess(f, w, slack * t) for f, w, t in zip(found, wanted, allowed, strict=True)]
        assert max(errors) <= 1, f"{max(errors)} times what is allowed"
        again = cuda_graphs.run(one, programs, arrays)  # type: ignore[arg-type]
        same = all(a.tobytes() == b.tobytes() for a, b in zip(found, again, strict=True))
        assert same, "another run has other bits"
        return max(errors)

    return Check(name, list(one.kernels), run)


def contractions() -> list[Check]:
    from tests.codegen import test_cuda_contract as suite

    def one(name: str) -> Check:
        graph, same = suite.PROGRAMS[name]
        fixed = same or graph
        return of_graph(name, graph, fixed, suite.arguments(fixed))

    return [one(name) for name in suite.PROGRAMS]


def wgmma() -> list[Check]:
    """Products of 16-bit floats by wgmma, each program with each tile. For sm_90 alone."""
    from tests.codegen import test_cuda_wgmma as suite

    def one(name: str, tile: tuple[int, int]) -> Check:
        if cuda.device().arch != suite.ARCH:
            raise ValueError(f"wgmma is for {suite.ARCH}, this device is {cuda.device().arch}")
        graph, same = suite.PROGRAMS[name]
        fixed = same or graph
        made = suite.scheduled(graph, tile)
        return of_graph(f"{name} {suite.TILES[tile]}", graph, fixed, suite.arguments(fixed), made)

    return [
        _Lazy(f"{name} {shape}", lambda name=name, tile=tile: one(name, tile))  # type: ignore[misc]
        for name in suite.PROGRAMS
        for tile, shape in suite.TILES.items()
    ]


def numbers() -> list[Check]:
    """Products and convolutions of f32 that may be rounded to tf32, and of f64, on tensor cores:
    each program, and some with each tile. Against the meaning of what is read, for f32 within
    eight times the error of its sums: tensor cores cut off where they add."""
    from tests.codegen import test_cuda_numbers as suite

    def one(dtype: str, name: str, tile: tuple[int, int] | None, extents: tuple[int, ...]) -> Check:
        made = suite.scheduled(dtype, name, tile)
        fixed = suite.PROGRAMS[dtype, name][0](*extents)
        arrays = suite.arguments(fixed)
        read, slack = suite.as_read(dtype, arrays), 8.0 if dtype == "f32" else 1.0
        title = f"{dtype} {name} {tile or ''} {extents or ''}"
        return of_graph(title, made.graph, fixed, arrays, made, read, slack)

    keys = [(d, name, None, e) for (d, name), (_, every) in suite.PROGRAMS.items() for e in every]
    keys += [(*key, ()) for key in suite.FORCED]
    return [
        _Lazy(" ".join(map(str, key)), lambda key=key: one(*key))  # type: ignore[misc]
        for key in keys
    ]


def attention() -> list[Check]:
    from tests.codegen import cuda_graphs
    from tests.codegen import test_cuda_attention as suite

    def one(name: str) -> Check:
        graph = suite.PROGRAMS[name]
        made = cuda_graphs.graph_kernels(graph, passes=True)

        def run(programs: Sequence[running.DeviceProgram]) -> float:
            worst = 0.0
            for env in suite.EXTENTS if "symbols" in name else [{}]:
                given = suite.arrays(graph, env)
                found = cuda_graphs.run(made, programs, given)[0]  # type: ignore[arg-type]
                wanted = graph_evaluate(made.graph, given)[0]
                error = excess(found, wanted, suite.RTOL[graph.results[0].dtype.name])
                assert error <= 1, f"{env}: {error} times what is allowed"
                worst = max(worst, error)
            return worst

        return Check(name, list(made.kernels), run)

    return [one(name) for name in suite.PROGRAMS]


def cards() -> list[Check]:
    from tests.ops import test_cards as suite

    found = []
    for card in suite.CARDS:
        for number, sample in enumerate(card.samples()):
            graph = suite.one_node(card, sample)
            if graph.symbols:
                continue
            found.append((f"{card.name} {number}", graph, suite.operands(sample)))
    return [_Later(*one) for one in found]  # type: ignore[list-item]


class _Later:
    """A check whose kernels are printed when they are needed: there are many."""

    def __init__(self, name: str, graph: Graph, arrays: list[np.ndarray]):
        self.name, self._graph, self._arrays = name, graph, arrays

    def made(self) -> Check:
        return of_graph(self.name, self._graph, self._graph, self._arrays)


def programs() -> list[Check]:
    """The shared programs with symbols, at several extents."""
    from tests.codegen import cuda_graphs
    from tests.programs import PROGRAMS, M, N, arguments
    from tests.random_graphs import tolerances

    def one(name: str) -> Check:
        program = PROGRAMS[name]
        made = cuda_graphs.graph_kernels(program.graph(N, M))

        def run(loaded: Sequence[running.DeviceProgram]) -> float:
            worst = 0.0
            for n, m in program.sizes():
                fixed = program.graph(n, m)
                given = arguments(fixed)
                found = cuda_graphs.run(made, loaded, given)  # type: ignore[arg-type]
                with np.errstate(all="ignore"):
                    wanted, allowed = graph_evaluate(fixed, given), tolerances(fixed, given)
                for f, w, t in zip(found, wanted, allowed, strict=True):
                    error = excess(f, w, t)
                    assert error <= 1, f"{(n, m)}: {error} times what is allowed"
                    worst = max(worst, error)
            return worst

        return Check(name, list(made.kernels), run)

    return [_Lazy(name, lambda name=name: one(name)) for name in PROGRAMS]  # type: ignore[misc]


class _Lazy:
    def __init__(self, name: str, make: Callable[[], Check]):
        self.name, self._make = name, make

    def made(self) -> Check:
        return self._make()


def graphs() -> list[Check]:
    from tests.random_graphs import random_graph

    def one(seed: int) -> Check:
        graph, arrays = random_graph(seed, 15)
        return of_graph(f"seed {seed}", graph, graph, arrays)

    return [_Lazy(f"seed {s}", lambda s=s: one(s)) for s in range(120)]  # type: ignore[misc]


def cumulatives() -> list[Check]:
    """Kernels of the suite, then whole programs."""
    from tests.codegen import test_cuda_scan as suite

    def one(name: str, special: bool) -> Check:
        func, env = suite.loops(name), suite.CASES[name][5]

        def run(programs: Sequence[running.DeviceProgram]) -> float:
            wanted, found = (suite.arrays(func, env, special) for _ in range(2))
            loops_evaluate(func, wanted, env)
            assert programs[0].run(found, env) == 0
            for p in func.params:
                if p.access == "out":
                    suite.compare(name, found[p.name], wanted[p.name])
            return 0.0

        return Check(f"{name}{' with NaN' * special}", [suite.printed(name)], run)

    pairs = [(name, special) for name in suite.CASES for special in (False, True)]
    made = [_Lazy(name, lambda n=name, s=special: one(n, s)) for name, special in pairs]
    return made + of_programs(whole_checks.cumulatives())  # type: ignore[return-value, operator]


def sorts() -> list[Check]:
    """The same; every bit is compared."""
    from tests.codegen import test_cuda_sort as suite

    def one(name: str, case: Any, env: dict[str, int]) -> Check:
        func = suite.loops(name)

        def run(programs: Sequence[running.DeviceProgram]) -> float:
            found = suite.arrays(func, env)
            wanted = suite.sorted_by_the_evaluator(case, found[func.params[0].name])
            assert programs[0].run(found, env) == 0
            out = [p.name for p in func.params if p.access == "out"][-1]
            assert found[out].tobytes() == wanted.tobytes()
            return 0.0

        return Check(f"{name} {env or ''}", [suite.printed(name)], run)

    every = [(name, case, dict(case.extents)) for name, case in suite.CASES.items()]
    for name, (case, extents) in suite.ANY.items():
        every += [(f"any {name}", case, {"b": 3, "n": n}) for n in extents]
    made = [_Lazy(name, lambda given=(name, case, env): one(*given)) for name, case, env in every]
    return made + of_programs(whole_checks.sorts())  # type: ignore[return-value, operator]


def control() -> list[Check]:
    return of_programs(whole_checks.control())


def products() -> list[Check]:
    return of_programs(whole_checks.products())


def of_programs(programs: Sequence[whole_checks.Whole]) -> list[Check]:
    return [Check(one.name, [], lambda loaded, one=one: one.excess()) for one in programs]


GROUPS: dict[str, Callable[[], list[Check]]] = {
    "scalars": scalars, "nests": nests, "contractions": contractions, "numbers": numbers,
    "wgmma": wgmma, "attention": attention,
    "programs": programs, "cumulatives": cumulatives, "sorts": sorts, "control": control,
    "products": products, "graphs": graphs, "cards": cards,
}  # fmt: skip
CHUNK = {"scalars": 3, "nests": 12, "contractions": 10, "numbers": 12, "wgmma": 9, "attention": 4,
         "programs": 8, "cumulatives": 12, "sorts": 9, "control": 5, "products": 20, "graphs": 12,
         "cards": 64}  # fmt: skip
"""How many checks one process runs."""


def count(group: str) -> int:
    """How many checks a group has."""
    if group == "contractions":
        from tests.codegen import test_cuda_contract as contract

        return len(contract.PROGRAMS)
    if group == "attention":
        from tests.codegen import test_cuda_attention as attentions

        return len(attentions.PROGRAMS)
    return len(GROUPS[group]())


def main(group: str, first: int, last: int) -> int:
    """Runs checks; answers the exit status."""
    started = time.perf_counter()
    chosen = GROUPS[group]()[first:last]
    ready: list[tuple[int, Check]] = []
    for number, one in enumerate(chosen, first):
        try:
            ready.append((number, one if isinstance(one, Check) else one.made()))
        except Exception as error:
            report(group, number, one.name, "not printed", message=words(error))
    loaded = loaded_programs(group, ready)
    note(f"{group} {first}: built after {time.perf_counter() - started:.1f} s")
    for number, one in ready:
        if number not in loaded:
            continue
        try:
            error = one.run(loaded[number])
            report(group, number, one.name, "ok", error)
        except AssertionError as failure:
            report(group, number, one.name, "wrong", message=str(failure)[:600])
        except Exception as failure:
            report(group, number, one.name, "failed", message=words(failure))
            if not alive():
                return DEAD
    return 0


def loaded_programs(
    group: str, ready: list[tuple[int, Check]]
) -> dict[int, Sequence[running.DeviceProgram]]:
    """The programs of each check; where the unit of all is refused, each is built alone."""
    try:
        every = running.build([kernels for _, one in ready for kernels in one.kernels])
    except Exception:
        found: dict[int, Sequence[running.DeviceProgram]] = {}
        for number, one in ready:
            try:
                found[number] = running.build(one.kernels)
            except Exception as error:
                report(group, number, one.name, "not built", message=words(error))
        return found
    rest = iter(every)
    return {number: [next(rest) for _ in one.kernels] for number, one in ready}


def alive() -> bool:
    """Does the device still work?"""
    try:
        cuda.device().synchronize()
        memory = cuda.device().allocate(4)
        cuda.device().upload(int(memory), np.zeros(1, np.int32))
    except Exception:
        return False
    return True


def words(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({last[0].filename.rsplit('/', 1)[-1]}:{last[0].lineno})" if last else ""
    return f"{type(error).__name__}: {str(error)[:500]}{where}"


def report(
    group: str, number: int, name: str, outcome: str, error: float = 0.0, message: str = ""
) -> None:
    line = {"group": group, "number": number, "name": name, "outcome": outcome, "error": error}
    print(json.dumps(line | ({"message": message} if message else {})), flush=True)


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    if "--standin" in sys.argv:
        from tests.device import standin

        standin.install()
        os.environ[whole_checks.SLOW] = "1"
    status = main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.flush()
    os._exit(status)  # a device that no longer answers would end the interpreter badly
