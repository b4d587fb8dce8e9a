"""`python -m tests.device.on_gpu_control [--standin]`: what a GPU does with loops and choices that
graphs decide, in less than a minute: the tests of this folder, then times.

Times are microseconds by the wall clock, of many calls and one wait at the end; "asked" is the same
program where the host reads each decision. They answer what DESIGN.md estimates: what an iteration
of a loop costs, from which size on states should change places in pairs (PAIR_BYTES), what a choice
costs as one node and as a node for each arm, and how long it takes to make a graph of many nodes.
Results are printed as they come, and written to `$OUT/control.json`.
"""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from graphc_runtime import cuda, cuda_decisions

import graphc
from graphc.device import conditional, loaded
from tests.device import standin

ROOT = Path(__file__).resolve().parent.parent.parent
STANDIN = "--standin" in sys.argv
TESTS_SECONDS, SECONDS = 40, 58
RESULTS: dict[str, Any] = {}


def note(name: str, value: Any) -> None:
    RESULTS[name] = value
    shown = f"{value:10.2f}" if isinstance(value, float) else f"  {value}"
    print(f"{name:58s}{shown}", flush=True)
    out = os.environ.get("OUT")
    if out:
        Path(out, "control.json").write_text(json.dumps(RESULTS, indent=1))


def run_tests() -> None:
    """In a process of their own, which a kernel that hangs cannot keep."""
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=short", "-p", "no:cacheprovider"]
    command += [
        f"tests/device/test_{name}.py" for name in ("decisions", "graphs", "control", "nests")
    ]
    command += ["--maxfail=6", "-k", "not nvcc"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True,
            timeout=None if STANDIN else TESTS_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        print(error.stdout, flush=True)
        note("tests", f"did not end in {TESTS_SECONDS} s")
        return
    if done.returncode:
        print(done.stdout[-6000:], done.stderr[-2000:], flush=True)
    note("tests", (done.stdout.strip().splitlines() or ["no output"])[-1])


# ------------------------------------------------------------------------------------------ times


def microseconds(call: Callable[[], Any], least: float = 0.1) -> float:
    """Of a call, when many follow each other."""
    device = cuda.device()
    for _ in range(6):  # results of one size may change places: two graphs
        call()
    device.synchronize()
    count, taken = 1, 0.0
    while taken < (0.0 if STANDIN else least):
        count *= 2
        begun = time.perf_counter()
        for _ in range(count):
            call()
        device.synchronize()
        taken = time.perf_counter() - begun
    return 1e6 * taken / count


@contextmanager
def asked() -> Iterator[None]:
    """The host decides meanwhile."""
    original = loaded.decisions
    loaded.decisions = lambda _: (None, "")  # type: ignore[assignment]
    try:
        yield
    finally:
        loaded.decisions = original


@contextmanager
def pairs(are: bool) -> Iterator[None]:
    original = cuda_decisions.PAIR_BYTES
    cuda_decisions.PAIR_BYTES = 0 if are else 1 << 60
    try:
        yield
    finally:
        cuda_decisions.PAIR_BYTES = original


def steps(x: Any, n: Any) -> Any:
    """`n` iterations of a body of one kernel, with a condition of one."""
    return graphc.while_loop(lambda s: s[1] > 0, lambda s: (s[0] + 1, s[1] - 1), (x, n))


def put(*arrays: Any) -> list[Any]:
    return [graphc.device_put(a) for a in arrays]


def compiled(function: Callable[..., Any], *given: Any) -> Callable[[], Any]:
    made = graphc.jit(function, device="cuda")
    return lambda: made(*given)


def per_iteration(count: int, elements: int) -> float:
    """The difference between loops of `count` iterations and of none, for each."""
    x = graphc.device_put(np.zeros(elements, np.float32))
    long, none = (compiled(steps, x, graphc.device_put(np.int64(n))) for n in (count, 0))
    return (microseconds(long) - microseconds(none)) / count


def loops() -> None:
    none = compiled(steps, *put(np.zeros(256, np.float32), np.int64(0)))
    note("a loop of no iteration, us", microseconds(none))
    note("an iteration, us", per_iteration(1000, 256))
    with pairs(True):
        note("an iteration, in pairs, us", per_iteration(1000, 256))
    with asked():
        note("an iteration, asked, us", per_iteration(100, 256))
    for mib in (1, 2, 4, 8, 16, 64, 256):
        for are, name in ((False, "brought back"), (True, "in pairs")):
            with pairs(are):
                found = per_iteration(64, mib << 18) if not STANDIN else per_iteration(2, 512)
            note(f"an iteration of {mib} MiB, {name}, us", found)
        with asked():
            found = per_iteration(64, mib << 18) if not STANDIN else per_iteration(2, 512)
        note(f"an iteration of {mib} MiB, asked, us", found)


def nested() -> None:
    def run(x: Any, n: Any) -> Any:
        def body(s: Any) -> Any:
            return steps(s[0], n)[0], s[1] - 1

        return graphc.while_loop(lambda s: s[1] > 0, body, (x, n))

    given = put(np.zeros(256, np.float32), np.int64(10))
    note("10 loops of 10 iterations in a loop, us", microseconds(compiled(run, *given)))
    with asked():
        note("the same, asked, us", microseconds(compiled(run, *given)))


def choices() -> None:
    def one(x: Any) -> Any:
        return graphc.cond(x[0] > 0, lambda x: x + 1, lambda x: x * 2, x)

    def many(i: Any, x: Any) -> Any:
        return graphc.switch(i, [lambda x, k=k: x * k for k in range(8)], x)

    x, i = put(np.ones(256, np.float32), np.int64(5))
    note("two kernels, no choice, us", microseconds(compiled(lambda x: np.sort(x[:8])[0] + x, x)))
    for way in ("one node", "a node for each arm", "asked"):
        device = cuda.device()
        version = device.driver_version
        if way == "a node for each arm":
            device.driver_version = 12040
        try:
            if way == "asked":
                with asked():
                    first, second = (compiled(f, *a) for f, a in ((one, (x,)), (many, (i, x))))
                    times = microseconds(first), microseconds(second)
            else:
                first, second = (compiled(f, *a) for f, a in ((one, (x,)), (many, (i, x))))
                times = microseconds(first), microseconds(second)
        finally:
            device.driver_version = version
        note(f"cond, {way}, us", times[0])
        note(f"switch of 8 arms, {way}, us", times[1])


def many_nodes() -> None:
    """A scan whose steps choose: how long its graph takes to make and to run."""

    def run(s: Any, xs: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            s = graphc.cond(x[0] > 0, lambda s, x: s + x, lambda s, x: s * x, s, x)
            return s, s

        return graphc.scan(step, s, xs)

    for length in (16, 256, 1024) if not STANDIN else (2,):
        rng = np.random.default_rng(0)
        given = put(np.zeros(64, np.float32), rng.standard_normal((length, 64)).astype(np.float32))
        call = compiled(run, *given)
        times = []
        for _ in range(4):
            begun = time.perf_counter()
            call()
            cuda.device().synchronize()
            times.append(1e3 * (time.perf_counter() - begun))
        note(f"scan of {length} choices: asked, made, replayed, ms", [round(t, 3) for t in times])
        note(f"scan of {length} choices, us a step", microseconds(call) / length)


def main() -> None:
    faulthandler.dump_traceback_later(600 if STANDIN else SECONDS, exit=True)
    begun = time.perf_counter()
    if STANDIN:
        standin.install()
    run_tests()
    device = cuda.device()
    note("device", f"{device.name}, {device.arch}, driver {device.driver_version}")
    made, why = conditional.decisions(device)
    note("decisions", why or "by conditional nodes")
    if made is not None:
        for part in (loops, choices, nested, many_nodes):
            try:
                part()
            except Exception as error:
                note(f"{part.__name__} failed", f"{type(error).__name__}: {error}")
    note("seconds", time.perf_counter() - begun)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
