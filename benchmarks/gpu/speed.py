"""Times of one column: `python -m benchmarks.gpu.speed COLUMN GO SECONDS [--tiny] [--standin]`.

Everything is compiled and run once, then the process waits until the file GO is there, so that
columns can prepare while something else has the device, and prints a line of JSON for each case.
Times are medians of CUDA events around as many runs as fill some milliseconds; those of graphc and
of torch are captured into one CUDA graph, so that no gap between launches is measured. Steps of
training and control flow are timed as a user sees them: by the wall clock, many calls, one wait at
the end.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from . import cases, limits
from .cases import Case
from .columns import COLUMNS

FILL_MS = 4.0
MOST = 40
REPEATS = 7
WALL_S = 0.12
"""So long are the calls of one turn by the wall clock."""
TURNS = 5
TOGETHER = {"graphc": 4, "graphc-generated": 4, "graphc-wgmma": 4}
"""So many cases of a column are compiled at once; the compilers run outside of the interpreter."""


def emit(column: str, name: str, **facts: Any) -> None:
    print(json.dumps({"column": column, "case": name, **facts}), flush=True)


@cache
def host_array(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Random numbers; a large array repeats some millions of them."""
    import graphc.types as ty

    rng = np.random.default_rng(len(shape))
    count = int(np.prod(shape))
    if dtype == "i8":
        base = rng.integers(-100, 100, min(count, 1 << 22)).astype(np.int8)
    else:
        base = rng.standard_normal(min(count, 1 << 22), dtype=np.float32)
        base = base.astype(ty.DTYPES[dtype].numpy)
    return np.resize(base, shape)


# ---------------------------------------------------------------------------------------- timing


def measure(column: Any, run: Callable[[], Any]) -> dict[str, Any]:
    """Milliseconds of a run: the median and the least, and how they were taken."""
    for _ in range(2):
        run()
    column.sync()
    once = max(column.events(run), 1e-3)
    count = int(max(1, min(MOST, FILL_MS / once)))
    how = "graph"
    graph: Callable[[], Any] | None = None
    try:
        graph = column.graph(run, count)
    except Exception as error:
        how = f"calls, no graph: {type(error).__name__} {str(error)[:120]}"

    def calls() -> None:
        for _ in range(count):
            run()

    if graph is None and how == "graph":
        how = "calls"
    repeated = calls if graph is None else graph
    repeated()
    column.sync()
    times = [column.events(repeated) / count for _ in range(REPEATS if once < 50 else 3)]
    return {"ms": statistics.median(times), "least": min(times), "runs": count, "how": how}


def wall(column: Any, run: Callable[[], Any]) -> dict[str, Any]:
    """Milliseconds of a call by the wall clock: many calls, and one wait at the end."""
    for _ in range(8):  # graphs are captured at the addresses that come again
        run()
    column.sync()

    def turn(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            run()
        column.sync()
        return (time.perf_counter() - started) / count

    once = turn(3)
    count = int(max(3, min(3000, WALL_S / max(once, 1e-9))))
    times = [1e3 * turn(count) for _ in range(TURNS if once < 0.2 else 2)]
    return {"ms": statistics.median(times), "least": min(times), "runs": count, "how": "wall clock"}


def by_events(column: Any, run: Callable[[], Any]) -> dict[str, float]:
    """The same between two events on the device."""
    once = max(column.events(run), 1e-3)
    count = int(max(1, min(MOST, 10 * FILL_MS / once)))

    def repeated() -> None:
        for _ in range(count):
            run()

    times = [column.events(repeated) / count for _ in range(TURNS)]
    return {"ms by events": statistics.median(times)}


def host_time(column: Any, run: Callable[[], Any]) -> dict[str, float]:
    """Microseconds of a call until it returns, when nothing waits: a few calls, far from filling
    the queue of the device; and with what the device does."""
    for _ in range(8):
        run()
    column.sync()
    few, returns, first, whole = 5, [], [], []
    until = time.perf_counter() + 1.5
    while len(first) < 3 or (len(first) < 60 and time.perf_counter() < until):
        started = time.perf_counter()
        run()
        first.append(time.perf_counter() - started)
        for _ in range(few - 1):
            run()
        returns.append((time.perf_counter() - started) / few)
        column.sync()
        whole.append((time.perf_counter() - started) / few)
    return {
        "us a call": 1e6 * statistics.median(returns),
        "us a call, least": 1e6 * min(returns),
        "us of the first call": 1e6 * statistics.median(first),
        "us with the device": 1e6 * statistics.median(whole),
    }


def checked(case: Case, host: list[np.ndarray], result: Any) -> float | None:
    """The largest error of some rows, relative to the largest element; graphc's column only."""
    if not case.check:
        return None
    found = result.numpy()
    rows = np.unique(np.array([0, 1, len(found) // 2, len(found) - 1]))
    if case.check == "product":
        wanted = host[0][rows].astype("f8") @ host[1].astype("f8")
    else:
        with np.errstate(all="ignore"):
            wanted = np.asarray(case.run(np, *(a[rows] for a in host)))
    off = np.abs(found[rows].astype("f8") - wanted.astype("f8"))
    return float(off.max() / max(np.abs(wanted.astype("f8")).max(), 1e-30))


def small(case: Case) -> Case:
    """The case with extents that a processor can do in a moment."""
    if case.tiny is not None:
        return replace(case.tiny, name=case.name, bytes=0, flops=0)

    def less(shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(min(n, 16) for n in shape)

    inputs = tuple((less(s), d) for s, d in case.inputs)
    return replace(case, inputs=inputs, bytes=0, flops=0)


def inputs(case: Case) -> list[np.ndarray]:
    found = [host_array(*one) for one in case.inputs]
    return found if case.scale == 1 else [a * a.dtype.type(case.scale) for a in found]


class Prepared:
    """A case in a column: a function of arrays, or a call that has its own (`Case.start`)."""

    def __init__(self, column: Any, case: Case, first: bool):
        self.column, self.case = column, case
        self.facts: dict[str, Any] = {}
        before = column.counters() if column.name == "torch-compile" else None
        self.call: Callable[[], Any] | None = None
        self.function: Any = None
        if case.start is not None:
            self.call = case.start(column)
            self.facts = dict(self.call.__dict__.get("facts", {}))
            self.function = self.call.__dict__.get("function")
        else:
            self.function = column.make(case)
        if first:
            self.bound()()
            column.sync()
            if before is not None and case.start is None:
                self.facts |= column.compiled_since(before)
            column.tidy()

    def bound(self) -> Callable[[], Any]:
        if self.call is not None:
            return self.call
        args, function = [self.column.put(one) for one in inputs(self.case)], self.function
        return lambda: function(*args)


def timed(one: Prepared) -> dict[str, Any]:
    """The facts of a row."""
    column, case = one.column, one.case
    run = one.bound()
    before = column.counters() if column.name == "torch-compile" else None
    result = run()
    column.sync()
    facts: dict[str, Any] = dict(one.facts)
    if before is not None and "graphs compiled" not in facts:
        facts |= column.compiled_since(before)
    if column.name.startswith("graphc"):
        facts["error"] = checked(case, inputs(case), result)
        facts["kernels"] = column.launches(one.function)
    del result
    settled = column.counters() if before is not None else None
    if case.wall:
        facts |= wall(column, run) | by_events(column, run) | host_time(column, run)
    else:
        facts |= measure(column, run)
        if case.name == "30 kernels":
            facts |= host_time(column, run) | {"ms by the wall clock": wall(column, run)["ms"]}
    if settled is not None:  # a program that is compiled again and again would be no peer
        facts["graphs compiled while timed"] = column.counters()[0] - settled[0]
    if case.bytes:
        facts["gbs"] = case.bytes / facts["ms"] / 1e6
    if case.flops:
        facts["tflops"] = case.flops / facts["ms"] / 1e9
    if case.peak:
        facts["peak"] = case.peak
    return facts


def measured_limits(column: Any, tiny: bool) -> None:
    """Rows of what the device allows."""
    try:
        sizes = (1 << 10, 1 << 11) if tiny else limits.COPIES
        name, facts = limits.copies(column, measure, sizes)
        emit("limit", name, **facts)
        if column.name == "torch":
            for name, facts in limits.products(column, measure, 64 if tiny else limits.EXTENT):
                emit("limit", name, **facts)
    except Exception as error:
        emit("limit", f"copy by {column.name}", failed=failure(error))


def prepared(column: Any, chosen: list[Case], go: Path) -> list[Prepared]:
    """The cases that compile, in their order; what does not is reported."""

    def one(case: Case) -> Prepared | None:
        first = column.name.startswith("graphc") or column.name in ("torch-compile", "jax")
        try:
            with column.timing(case):
                return Prepared(column, case, first and not go.exists())
        except Exception as error:
            emit(column.name, case.name, failed=failure(error))
            return None

    with ThreadPoolExecutor(TOGETHER.get(column.name, 1)) as pool:
        return [found for found in pool.map(one, chosen) if found is not None]


def main(name: str, go: Path, seconds: float, tiny: bool, some: str) -> None:
    started = time.perf_counter()
    column: Any = COLUMNS[name]()
    chosen = [c for c in cases.timed() if name in c.columns and re.search(some, c.name)]
    if tiny:
        chosen = [small(c) for c in chosen]
    if name == "graphc-generated" and column.same:
        for case in chosen:
            emit(name, case.name, same="graphc")
        chosen = []
    ready = prepared(column, chosen, go)
    print(json.dumps({"column": name, "ready": time.perf_counter() - started}), flush=True)
    while not go.exists():
        time.sleep(0.05)
    started = time.perf_counter()
    if name in ("torch", "graphc"):
        measured_limits(column, tiny)
    for one in ready:
        if time.perf_counter() - started > seconds:
            emit(name, one.case.name, failed="no time was left")
            continue
        try:
            with column.timing(one.case):
                emit(name, one.case.name, **timed(one))
        except Exception as error:
            emit(name, one.case.name, failed=failure(error))
        column.tidy()
    note(f"{name}: timed after {time.perf_counter() - started:.1f} s")


def failure(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({last[0].filename.rsplit('/', 1)[-1]}:{last[0].lineno})" if last else ""
    return f"{type(error).__name__}: {str(error)[:400]}{where}"


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    if "--standin" in sys.argv:
        from tests.device import standin

        standin.install()
    (*_, some) = ("", *(a.removeprefix("--cases=") for a in sys.argv if a.startswith("--cases=")))
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), "--tiny" in sys.argv, some)
    sys.stdout.flush()
    os._exit(0)
