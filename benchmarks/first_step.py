"""The time to the first step of training programs: traced, differentiated, compiled and run.

    python -m benchmarks.first_step                        # graphc and JAX, all programs
    python -m benchmarks.first_step mlp-128 cyclegan --peers
    python -m benchmarks.first_step --peer-python ../peers/bin/python --json first_step.json

Every measurement has a process of its own, the columns taking turns, with empty caches on disk.
Imports, JAX's choice of a device, the weights and the optimizer's state are there before the clock
starts; the clock stops when the loss is a Python number. The programs are the suite's steps of
training (benchmarks/training.py), and the course's CycleGAN.
"""

from __future__ import annotations

import argparse
import compileall
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import cyclegan
from .column import NAME, ROOT, find_suite, register

CYCLEGAN = "cyclegan"


def cases() -> dict[str, Any]:
    """The suite's steps of training by name; graphc has a program for each."""
    return importlib.import_module("bench.train").CASES


def program(column: str, name: str, threads: int) -> Callable[[], Any]:
    """The call of a program that has not run yet."""
    columns = importlib.import_module("bench.columns")
    columns.pin(threads)
    own = columns.COLUMNS[column]()
    own.start(threads)
    if column == "jax":
        own.module.devices()
    rng = np.random.default_rng(0)
    if name == CYCLEGAN:
        return cyclegan.PROGRAMS[column](*cyclegan.inputs(rng))
    case = cases()[name]
    return case.build(own, case.inputs(rng))


def measure(column: str, name: str, threads: int) -> tuple[float, list[float]]:
    """Seconds of the first call in this process, and what it answered."""
    call = program(column, name, threads)
    start = time.perf_counter()
    value = call()
    value = [float(np.reshape(v, ())) for v in (value if isinstance(value, Sequence) else [value])]
    return time.perf_counter() - start, value


def fresh(column: str, name: str, threads: int, python: str) -> tuple[float, list[float]]:
    """`measure` in a new process."""
    suite = importlib.import_module("bench.columns")
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    environment |= suite.common_environment(threads)
    environment |= suite.COLUMNS[column].environment(threads)
    environment["GRAPHC_CACHE_DIR"] = "off"
    command = [python if column != NAME else sys.executable, "-m", "benchmarks.first_step"]
    command += ["--one", column, name, "--threads", str(threads)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{column} does not run {name}:\n{done.stderr[-2000:]}")
    seconds, *values = (float(x) for x in done.stdout.split())
    return seconds, values


def compare(name: str, columns: Sequence[str], given: argparse.Namespace) -> dict[str, Any]:
    """The seconds of each column, in turns; the answers must agree."""
    times: dict[str, list[float]] = {column: [] for column in columns}
    answers: dict[str, list[float]] = {}
    for turn in range(given.runs):
        for column in columns if turn % 2 == 0 else reversed(columns):
            seconds, answers[column] = fresh(column, name, given.threads, given.peer_python)
            times[column].append(seconds)
    for column, answer in answers.items():
        if not np.allclose(answer, answers[columns[0]], rtol=1e-3, atol=1e-5):
            raise SystemExit(f"{name}: {column} answers {answer}, not {answers[columns[0]]}")
    return {"program": name, "threads": given.threads, "seconds": times}


def row(record: dict[str, Any]) -> str:
    """A line of the table."""
    times: dict[str, list[float]] = record["seconds"]
    cells = "".join(
        f"{statistics.median(t):8.3f} s ({min(t):.3f} to {max(t):.3f})" for t in times.values()
    )
    ours, *peers = (statistics.median(t) for t in times.values())
    return f"{record['program']:<20}{cells}" + "".join(f"{ours / p:8.2f}" for p in peers)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("programs", nargs="*", help="default: all")
    parser.add_argument("--peers", nargs="*", default=["jax"], help="other columns: jax, or none")
    parser.add_argument("--peer-python", default=sys.executable, help="Python that has the peers")
    parser.add_argument("--runs", type=int, default=3, help="processes of each column")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:  # a peer's process has nothing of graphc
        column, name = given.programs
        (register if column == NAME else find_suite)()
        seconds, values = measure(column, name, given.threads)
        print(seconds, *values)
        return
    register()
    known = [*cases(), CYCLEGAN]
    unknown = [name for name in given.programs if name not in known]
    if unknown:
        parser.error(f"no program is named {', '.join(unknown)}; there are {', '.join(known)}")
    for package in ("graphc", "runtime"):  # an installed package has its bytecode
        compileall.compile_dir(ROOT / package, quiet=1)
    columns = [NAME, *given.peers]
    print(f"{'':<20}" + "".join(f"{c:>10}{'':<17}" for c in columns) + "   ratio")
    records = []
    for name in given.programs or known:
        records.append(compare(name, columns, given))
        print(row(records[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
