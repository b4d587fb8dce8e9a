"""graphc as a column of the shared suite `bench`, which is found and patched, never edited.

`register` is called in the process that makes the tables and in every worker. graphc runs the
suite's own NumPy formulas: the program that is compiled is the plain one.
"""

from __future__ import annotations

import functools
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parent.parent
NAME = "graphc"
WORKLOADS = ("elementwise", "calls", "gemm", "conv", "infer")
"""Workloads whose cases graphc runs all; of `train` and `autodiff` those in training.py."""

ABSENT = """The benchmark suite `bench` is not in {folder}; several projects share it.
Set GRAPHC_BENCH to the folder that holds it, or put it beside this repository: ../shared/bench.
Measurements of graphc alone need none: python -m benchmarks.chain, python -m benchmarks.calls"""


def suite_folder() -> Path:
    """The folder that holds `bench`.

    Raises:
        SystemExit: with what to do, when it is not there.
    """
    folder = Path(os.environ.get("GRAPHC_BENCH") or ROOT.parent / "shared").resolve()
    if not (folder / "bench" / "harness.py").is_file():
        raise SystemExit(ABSENT.format(folder=folder))
    return folder


def find_suite() -> None:
    """Makes `bench` importable, here and in processes started from here."""
    paths = [str(ROOT), str(suite_folder())]
    sys.path[:0] = [p for p in paths if p not in sys.path]
    known = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and p not in paths]
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, *known])
    sys.dont_write_bytecode = True  # the suite may lie in a folder that is only read
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def register() -> None:
    """Makes `bench` importable, here and in processes started from here; adds graphc to it."""
    from .programs import register as register_programs
    from .training import register as register_training

    find_suite()
    columns = importlib.import_module("bench.columns")
    if NAME not in columns.COLUMNS:
        columns.COLUMNS[NAME] = column(columns.Column)
    register_programs(
        importlib.import_module("bench.conv").Convolution,
        importlib.import_module("bench.infer").CASES,
    )
    register_training(
        importlib.import_module("bench.train").CASES,
        importlib.import_module("bench.autodiff").CASES,
        NAME,
    )
    for workload in WORKLOADS:
        for case in importlib.import_module(f"bench.{workload}").CASES.values():
            kind = type(case)
            if not hasattr(kind, "graphc"):
                if not hasattr(kind, "numpy"):
                    continue
                kind.graphc = kind.numpy
            if NAME not in case.columns:
                case.columns = (*case.columns, NAME)
    _register_first_calls()
    _start_workers_here()


def column(base: type) -> type:
    """The column, as a class of the suite's."""

    class GraphC(base):  # type: ignore[misc, valid-type]
        """`graphc.jit` of the NumPy formula."""

        name = package = language = NAME

        @classmethod
        def environment(cls, threads: int) -> dict[str, str]:
            # a first call compiles, except where the suite asks for a warm cache
            cache = os.environ.get("GRAPHC_CACHE_DIR", "off")
            return {"GRAPHC_NUM_THREADS": str(threads), "GRAPHC_CACHE_DIR": cache}

        def start(self, threads: int) -> None:
            super().start(threads)
            runtime = importlib.import_module("graphc_runtime")
            importlib.import_module("graphc.compile").ensure_native()
            runtime.set_threads(threads)
            if runtime.get_threads() != threads:
                raise RuntimeError(f"asked for {threads} threads, got {runtime.get_threads()}")

        def compile(self, formula: Callable[..., Any], arrays: Sequence[Any]) -> Callable[..., Any]:
            return self.module.jit(_without_module(formula))

        def jit(self, function: Callable[..., Any]) -> Callable[..., Any]:
            return self.module.jit(function)

    return GraphC


def _without_module(formula: Callable[..., Any]) -> Callable[..., Any]:
    """A formula of (np, *inputs) as a function of the inputs."""
    import numpy

    function = functools.partial(formula, numpy)
    function.__name__ = formula.__qualname__.split(".")[0]  # type: ignore[attr-defined]
    return function


def _register_first_calls() -> None:
    latency = importlib.import_module("bench.latency")
    latency.FIRST_CALLS = tuple(
        (module, case, (*names, NAME) if module in WORKLOADS and NAME not in names else names)
        for module, case, names in latency.FIRST_CALLS
    )
    if not hasattr(latency, "_caches_of_peers"):
        latency._caches_of_peers = latency.caches
        latency.caches = lambda folder: {
            **latency._caches_of_peers(folder), "GRAPHC_CACHE_DIR": f"{folder}/graphc"
        }  # fmt: skip


def _start_workers_here() -> None:
    """The harness starts `python -m bench.worker`; it is to start ours, which registers first."""
    harness = importlib.import_module("bench.harness")

    def start(command: Sequence[str], **options: Any) -> Any:
        ours = ["benchmarks.worker" if part == "bench.worker" else part for part in command]
        return subprocess.Popen(ours, **options)

    harness.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": start})
