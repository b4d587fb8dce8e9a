"""The columns: how a framework takes arrays, compiles, waits, and repeats a call on the device."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from .cases import Case


class Graphc:
    name = "graphc"

    def __init__(self) -> None:
        import graphc
        from graphc.device.array import the_device

        self.graphc = graphc
        self.options: dict[str, Any] = {}

        self.device = the_device()
        self.driver = self.device._driver

    def put(self, array: np.ndarray) -> Any:
        return self.graphc.device_put(array)

    def make(self, case: Case) -> Callable[..., Any]:
        functions = {
            1: lambda x: case.run(np, x), 2: lambda x, z: case.run(np, x, z),
            3: lambda x, y, z: case.run(np, x, y, z),
            5: lambda x, y, z, u, v: case.run(np, x, y, z, u, v),
        }  # fmt: skip
        options: dict[str, Any] = {"precision": "tf32"} if case.tf32 else {}
        if case.dims is not None:
            options["dims"] = case.dims
        return self.jit(functions[len(case.inputs)], **options)

    def jit(self, function: Callable[..., Any], **options: Any) -> Any:
        return self.graphc.jit(function, device="cuda", **self.options, **options)

    def sync(self) -> None:
        self.device.synchronize()

    @contextmanager
    def timing(self, case: Case) -> Iterator[None]:
        with self.device.active():  # what pycuda frees in another thread needs the context there
            yield

    def tidy(self) -> None:
        """Gives memory back that nobody needs."""
        self.device.free_held()

    def launches(self, function: Any) -> int:
        from graphc.device.steps import work

        (program,) = function.__dict__["_front"]._programs.values()
        return len(list(work(program.executable._variant(()).plan.steps)))

    def graph(self, run: Callable[[], Any], count: int) -> Callable[[], None] | None:
        """Runs of a call as one graph: its launches, at the addresses of a first call."""
        device = self.device
        taken: list[Any] = []
        from graphc.device import loaded as room

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
        if one.runner.asks:
            raise ValueError("what is launched depends on what the device finds")
        memory = device.allocate(max(int(one.plan.arena), 1)) if arena else None
        frame = room.Frame(buffers, 0 if memory is None else int(memory), env, {})

        def work() -> None:
            for _ in range(count):
                one.runner.run(one.plan.steps, frame)

        graph = device.capture(work)

        def replay(keep: Any = (kept, memory)) -> None:
            with device.active():
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


class GraphcGenerated(Graphc):
    """Products by kernels that graphc writes itself; where `jit` has no option `library`, there are
    no others."""

    name = "graphc-generated"

    def __init__(self) -> None:
        super().__init__()
        self.same = "library" not in inspect.signature(self.graphc.jit).parameters
        self.options = {} if self.same else {"library": False}


class GraphcWgmma(GraphcGenerated):
    """The same, with products of 16-bit floats by wgmma: the process of this column asks for it."""

    name = "graphc-wgmma"

    def __init__(self) -> None:
        os.environ["GRAPHC_WGMMA"] = "1"
        super().__init__()


class Torch:
    name = "torch"

    def __init__(self, device: str = "cuda") -> None:
        import torch

        self.torch, self.on = torch, device
        torch.set_grad_enabled(False)  # only steps of training enable it
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True

    def put(self, array: np.ndarray) -> Any:
        if array.dtype.name == "bfloat16":
            found = self.torch.from_numpy(array.view(np.int16)).to(self.on)
            return found.view(self.torch.bfloat16)
        return self.torch.from_numpy(array).to(self.on)

    def make(self, case: Case) -> Callable[..., Any]:
        assert case.torch is not None
        torch, plain = self.torch, case.torch

        def function(*args: Any) -> Any:
            return plain(torch, *args)

        return function

    def sync(self) -> None:
        if self.on == "cuda":
            self.torch.cuda.synchronize()

    @contextmanager
    def timing(self, case: Case) -> Iterator[None]:
        matmul = self.torch.backends.cuda.matmul
        matmul.allow_tf32 = case.tf32
        try:
            yield
        finally:
            matmul.allow_tf32 = False

    def strict(self) -> Any:
        """Nothing may be compiled meanwhile."""
        return nullcontext()

    def tidy(self) -> None:
        self.torch.cuda.empty_cache()

    def graph(self, run: Callable[[], Any], count: int) -> Callable[[], None] | None:
        torch = self.torch
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            for _ in range(3):
                run()
        self.sync()
        graph = torch.cuda.CUDAGraph()
        with self.strict(), torch.cuda.graph(graph):
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
    """Everything is one compiled graph: a break is an error, and so is what is not compiled.

    All cases share one code object, so that torch's own limit of programs for it (8) would let most
    of them run eagerly, and say so only in a log.
    """

    name = "torch-compile"

    def __init__(self, device: str = "cuda") -> None:
        super().__init__(device)
        dynamo = self.torch._dynamo
        assert not dynamo.config.suppress_errors
        for limit in ("recompile_limit", "accumulated_recompile_limit"):
            setattr(dynamo.config, limit, 10**6)

    def make(self, case: Case) -> Callable[..., Any]:
        return self.torch.compile(super().make(case), dynamic=False, fullgraph=True)

    def strict(self) -> Any:
        return self.torch.compiler.set_stance("fail_on_recompile")

    def counters(self) -> tuple[int, int]:
        """Graphs that were compiled, and those that were not made CUDA graphs of."""
        known = self.torch._dynamo.utils.counters
        return known["stats"]["unique_graphs"], known["inductor"]["cudagraph_skips"]

    def compiled_since(self, before: tuple[int, int]) -> dict[str, int]:
        """What was compiled.

        Raises:
            RuntimeError: nothing was.
        """
        graphs, skipped = (now - then for now, then in zip(self.counters(), before, strict=True))
        if not graphs:
            raise RuntimeError("torch.compile compiled nothing")
        return {"graphs compiled": graphs, "CUDA graphs skipped": skipped}


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
        def plain(*args: Any) -> Any:
            with self.jax.default_matmul_precision("tensorfloat32" if case.tf32 else "highest"):
                return case.run(self.jnp, *args)

        compiled = self.jax.jit(plain)

        def function(*args: Any) -> Any:
            self.last = compiled(*args)
            return self.last

        return function

    def sync(self) -> None:
        self.jax.block_until_ready(self.last)

    @contextmanager
    def timing(self, case: Case) -> Iterator[None]:
        yield

    def tidy(self) -> None:
        self.last = None

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

    @contextmanager
    def timing(self, case: Case) -> Iterator[None]:
        yield

    def tidy(self) -> None:
        self.cupy.get_default_memory_pool().free_all_blocks()

    def graph(self, run: Callable[[], Any], count: int) -> None:
        return None

    def events(self, run: Callable[[], Any]) -> float:
        first, last = self.cupy.cuda.Event(), self.cupy.cuda.Event()
        first.record()
        run()
        last.record()
        last.synchronize()
        return self.cupy.cuda.get_elapsed_time(first, last)


COLUMNS = {
    c.name: c for c in (Graphc, GraphcGenerated, GraphcWgmma, Torch, TorchCompile, Jax, Cupy)
}
