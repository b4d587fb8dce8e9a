"""`graphc bench`: how long the functions of an artifact take."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from .artifacts import called, caller, function_of, opened, random_inputs
from .command import OK, UsageError, add_command

EXAMPLES = """
examples:
  graphc bench build/model                                 every function, every extent 1
  graphc bench build/model --function predict --extent b=1,32,512 --threads 1,2
"""


def add(commands: Any) -> None:
    text = "time the functions of an artifact on random inputs"
    parser = add_command(commands, "bench", _run, text, EXAMPLES)
    parser.add_argument("artifact", metavar="ARTIFACT", help="a folder or a zip")
    parser.add_argument("--function", metavar="NAME", help="(default: all)")
    parser.add_argument("--extent", action="append", default=[], metavar="NAME=N,...",
                        dest="extents", help="of a symbolic extent (default: 1)")  # fmt: skip
    parser.add_argument("--threads", metavar="N,...", help="(default: as many as there are cores)")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each (default: 0.5)")
    parser.add_argument("--json", action="store_true", help="for programs")


def _run(options: argparse.Namespace) -> int:
    import graphc_runtime

    artifact = opened(options.artifact)
    asked = dict(_extent(text) for text in options.extents)
    known = {s for one in artifact.manifest.functions for s in one.symbols}
    for name in asked:
        if name not in known:
            raise UsageError(f"no function has an extent {name!r}; there are {', '.join(known)}")
    names = [options.function] if options.function else [
        one.name for one in artifact.manifest.functions
    ]  # fmt: skip
    rows: list[dict[str, Any]] = []
    before = graphc_runtime.get_threads()
    try:
        for threads in _numbers(options.threads, "--threads") or [before]:
            graphc_runtime.set_threads(threads)
            for wanted in names:
                function = function_of(artifact, wanted)
                symbols = function.symbols
                for values in product(*(asked.get(s, [1]) for s in symbols)):
                    extents = dict(zip(symbols, values, strict=True))
                    us = 1e6 * _timed(artifact, function, extents, options.seconds)
                    row = {"function": function.name, **extents, "threads": threads, "us": us}
                    rows.append(row)
                    if not options.json:
                        _say(function, row, extents)
    finally:
        graphc_runtime.set_threads(before)
    if options.json:
        print(json.dumps(rows, indent=1))
    return OK


def _say(function: Any, row: Any, extents: Any) -> None:
    shown = ", ".join(f"{k} = {v}" for k, v in extents.items())
    print(
        f"{function.name:<20} {shown:<24} {row['threads']} threads  {row['us']:12.3f} us",
        flush=True,
    )


def _timed(artifact: Any, function: Any, extents: Any, seconds: float) -> float:
    """The least time of a call among several rounds, after one that is not timed."""
    leaves = random_inputs(function, extents, np.random.default_rng(0))
    called(artifact, function, leaves)
    make = caller(artifact, function)
    call: Callable[[], Any] = lambda: make(leaves)  # noqa: E731
    if all(isinstance(p.structure, int) for p in function.parameters):
        call = partial(artifact.functions[function.name], *leaves)
    begin = time.perf_counter()
    call()
    repeats = max(1, int(0.005 / max(time.perf_counter() - begin, 1e-8)))
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        begin = time.perf_counter()
        for _ in range(repeats):
            call()
        best = min(best, (time.perf_counter() - begin) / repeats)
    return best


def _extent(text: str) -> tuple[str, list[int]]:
    name, equals, values = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise UsageError(f"--extent {text!r}: write for example b=1,512")
    return name.strip(), _numbers(values, f"--extent {name}")


def _numbers(text: str | None, what: str) -> list[int]:
    if not text:
        return []
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"{what}: {text!r} is no list of numbers") from None
    if min(found) < 0:
        raise UsageError(f"{what}: {text!r} has a negative number")
    return found
