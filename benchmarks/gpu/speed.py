"""Times of one column: `python -m benchmarks.gpu.speed COLUMN GO SECONDS [--tiny] [--standin]`.

Everything is compiled and run once, then the process waits until the file GO is there, so that
columns can prepare while something else has the device, and prints a line of JSON for each case.
Times are medians of CUDA events around as many runs as fill some milliseconds; graphc's and torch's
runs are captured into one CUDA graph, so that no gap between launches is measured.
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
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from . import cases
from .cases import Case

FILL_MS = 4.0
MOST = 40
REPEATS = 7


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


# --------------------------------------------------------------------------------------- columns


class Graphc:
    name = "graphc"

    def __init__(self) -> None:
        import graphc

        self.graphc = graphc
        from graphc.device.array import the_device

        self.device = the_device()
        self.driver = self.device._driver

    def put(self, array: np.ndarray) -> Any:
        return self.graphc.device_put(array)

    def make(self, case: Case) -> Callable[..., Any]:
        if "conv" in case.name:
            return self.graphc.jit(lambda x, w: case.run(np, x, w), device="cuda")
        functions = {
            1: lambda x: case.run(np, x), 2: lambda x, z: case.run(np, x, z),
            3: lambda x, y, z: case.run(np, x, y, z),
        }  # fmt: skip
        return self.graphc.jit(functions[len(case.inputs)], device="cuda")

    def sync(self) -> None:
        self.device.synchronize()

    def launches(self, function: Any) -> int:
        (program,) = function.__dict__["_front"]._programs.values()
        return len(program.executable._variant(()).plan.launches)

    def graph(self, run: Callable[[], Any], count: int) -> Callable[[], None] | None:
        """Runs of a call as one graph: its launches, at the addresses of a first call."""
        device = self.device
        taken: list[Any] = []
        from graphc.device import program as room

        original = room.LoadedProgram._start

        def start(one: Any, buffers: Any, arena: int, env: Any) -> None:
            taken.append((one, buffers, arena, env))
            original(one, buffers, arena, env)

        room.LoadedProgram._start = start  # type: ignore[method-assign]
        try:
            kept = run()
        finally:
            room.LoadedProgram._start = original  # type: ignore[method-assign]
        ((one, buffers, arena, env),) = taken
        memory = device.allocate(max(int(one.plan.arena), 1)) if arena else None
        base = 0 if memory is None else int(memory)

        def work() -> None:
            for _ in range(count):
                one._launch(one.plan.launches, one._functions, buffers, base, env)

        graph = device.capture(work)

        def replay(keep: Any = (kept, memory)) -> None:
            device.replay(graph)

        return replay

    def events(self, run: Callable[[], Any]) -> float:
        """Milliseconds."""
        with self.device.active():
            first, last = self.driver.Event(), self.driver.Event()
            first.record(self.device.stream)
            run()
            last.record(self.device.stream)
            last.synchronize()
            return first.time_till(last)


class Torch:
    name = "torch"
    compiled = False

    def __init__(self) -> None:
        import torch

        self.torch = torch
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True

    def put(self, array: np.ndarray) -> Any:
        if array.dtype.name == "bfloat16":
            found = self.torch.from_numpy(array.view(np.int16)).cuda()
            return found.view(self.torch.bfloat16)
        return self.torch.from_numpy(array).cuda()

    def make(self, case: Case) -> Callable[..., Any]:
        assert case.torch is not None
        torch, plain = self.torch, case.torch

        def function(*args: Any) -> Any:
            return plain(torch, *args)

        return torch.compile(function, dynamic=False) if self.compiled else function

    def sync(self) -> None:
        self.torch.cuda.synchronize()

    def graph(self, run: Callable[[], Any], count: int) -> Callable[[], None] | None:
        torch = self.torch
        side = torch.cuda.Stream()
        with torch.cuda.stream(side), torch.no_grad():
            for _ in range(3):
                run()
        self.sync()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph), torch.no_grad():
            for _ in range(count):
                run()
        return graph.replay

    def events(self, run: Callable[[], Any]) -> float:
        first = self.torch.cuda.Event(enable_timing=True)
        last = self.torch.cuda.Event(enable_timing=True)
        first.record()
        run()
        last.record()
        last.synchronize()
        return first.elapsed_time(last)


class TorchCompile(Torch):
    name = "torch-compile"
    compiled = True


class Jax:
    name = "jax"

    def __init__(self) -> None:
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp = jax, jnp
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_default_matmul_precision", "highest")
        self.last: Any = None

    def put(self, array: np.ndarray) -> Any:
        return self.jax.device_put(array)

    def make(self, case: Case) -> Callable[..., Any]:
        compiled = self.jax.jit(lambda *args: case.run(self.jnp, *args))

        def function(*args: Any) -> Any:
            self.last = compiled(*args)
            return self.last

        return function

    def sync(self) -> None:
        self.jax.block_until_ready(self.last)

    def graph(self, run: Callable[[], Any], count: int) -> None:
        return None

    def events(self, run: Callable[[], Any]) -> float:
        started = time.perf_counter()
        run()
        self.sync()
        return 1e3 * (time.perf_counter() - started)


class Cupy:
    name = "cupy"

    def __init__(self) -> None:
        import cupy

        self.cupy = cupy

    def put(self, array: np.ndarray) -> Any:
        return self.cupy.asarray(array)

    def make(self, case: Case) -> Callable[..., Any]:
        return lambda *args: case.run(self.cupy, *args)

    def sync(self) -> None:
        self.cupy.cuda.Device().synchronize()

    def graph(self, run: Callable[[], Any], count: int) -> None:
        return None

    def events(self, run: Callable[[], Any]) -> float:
        first, last = self.cupy.cuda.Event(), self.cupy.cuda.Event()
        first.record()
        run()
        last.record()
        last.synchronize()
        return self.cupy.cuda.get_elapsed_time(first, last)


COLUMNS = {c.name: c for c in (Graphc, Torch, TorchCompile, Jax, Cupy)}

# ---------------------------------------------------------------------------------------- timing


def measure(column: Any, run: Callable[[], Any]) -> dict[str, Any]:
    """Milliseconds of a run: the median and the least, and how they were taken."""
    for _ in range(2):
        run()
    column.sync()
    once = max(column.events(run), 1e-3)
    count = int(max(1, min(MOST, FILL_MS / once)))
    repeated: Callable[[], Any] | None = None
    how = "graph"
    try:
        repeated = column.graph(run, count)
    except Exception as error:
        how = f"calls, no graph: {type(error).__name__} {str(error)[:120]}"
    if repeated is None:
        how = how if how != "graph" else "calls"

        def repeated() -> None:
            for _ in range(count):
                run()

    repeated()
    column.sync()
    times = [column.events(repeated) / count for _ in range(REPEATS if once < 50 else 3)]
    return {"ms": statistics.median(times), "least": min(times), "runs": count, "how": how}


def host_time(column: Any, run: Callable[[], Any]) -> dict[str, Any]:
    """Microseconds of a call as Python sees it: until it returns, and with what the device does."""
    for _ in range(5):
        run()
    column.sync()
    returns, whole = [], []
    for _ in range(10):
        started = time.perf_counter()
        for _ in range(20):
            run()
        returns.append((time.perf_counter() - started) / 20)
        column.sync()
        whole.append((time.perf_counter() - started) / 20)
    return {
        "us a call": 1e6 * statistics.median(returns),
        "us with the device": 1e6 * statistics.median(whole),
    }


def limits(column: Torch) -> None:
    """Copy bandwidth, and products of the vendor's library."""
    torch = column.torch
    n = 1 << 30
    found = measure(
        column, partial(torch.empty(n, device="cuda").copy_, torch.ones(n, device="cuda"))
    )
    emit("limit", "copy", ms=found["ms"], gbs=8 * n / found["ms"] / 1e6)
    torch.cuda.empty_cache()
    for name, dtype, tf32 in (
        ("bf16", torch.bfloat16, False), ("tf32", torch.float32, True),
        ("f32", torch.float32, False),
    ):  # fmt: skip
        a, b = (torch.randn(8192, 8192, device="cuda").to(dtype) for _ in "ab")
        torch.backends.cuda.matmul.allow_tf32 = tf32
        found = measure(column, lambda a=a, b=b: a @ b)
        torch.backends.cuda.matmul.allow_tf32 = False
        emit("limit", f"product {name} 8192", ms=found["ms"],
             tflops=2 * 8192**3 / found["ms"] / 1e9)  # fmt: skip


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

    def less(shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(min(n, 16) for n in shape)

    return replace(case, inputs=tuple((less(s), d) for s, d in case.inputs))


def main(name: str, go: Path, seconds: float, tiny: bool, some: str) -> None:
    started = time.perf_counter()
    column = COLUMNS[name]()
    chosen = [c for c in cases.every() if name in c.columns and re.search(some, c.name)]
    if tiny:
        chosen = [small(c) for c in chosen]
    ready: list[tuple[Case, Callable[..., Any]]] = []
    for case in chosen:
        try:
            function = column.make(case)
            host = [host_array(*one) for one in case.inputs]
            if name in ("graphc", "torch-compile", "jax") and not go.exists():
                function(*(column.put(one) for one in host))
                column.sync()
            ready.append((case, function))
        except Exception as error:
            emit(name, case.name, failed=failure(error))
    print(json.dumps({"column": name, "ready": time.perf_counter() - started}), flush=True)
    while not go.exists():
        time.sleep(0.05)
    started = time.perf_counter()
    if name == "torch" and not tiny and not some:
        limits(column)  # type: ignore[arg-type]
    for case, function in ready:
        if time.perf_counter() - started > seconds:
            emit(name, case.name, failed="no time was left")
            continue
        try:
            host = [host_array(*one) for one in case.inputs]
            args = [column.put(one) for one in host]

            def run(function: Any = function, args: Any = args) -> Any:
                return function(*args)

            result = run()
            column.sync()
            facts: dict[str, Any] = {}
            if name == "graphc":
                facts["error"] = checked(case, host, result)
                facts["kernels"] = column.launches(function)
            del result, host
            facts |= measure(column, run)
            if case.name == "30 kernels":
                facts |= host_time(column, run)
            if case.bytes:
                facts["gbs"] = case.bytes / facts["ms"] / 1e6
            if case.flops:
                facts["tflops"] = case.flops / facts["ms"] / 1e9
            emit(name, case.name, **facts)
            del args, run
        except Exception as error:
            emit(name, case.name, failed=failure(error))
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
