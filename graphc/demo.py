"""The functions that `graphc demo` compiles, and the account it gives of them.

Called by the command line; makes text and never prints. The functions are plain NumPy: nothing in
them knows of graphc.
"""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import graphc_runtime
import numpy as np
from graphc_runtime.records import dataclass

import graphc

from .compile import Lowered
from .ir import Node
from .passes.pipeline import Record

# ------------------------------------------------------------------------------------- the examples


def normal_cdf(x: Any) -> Any:
    """The normal distribution function, to 7.5e-8. Source: Abramowitz and Stegun, 26.2.17."""
    t = 1 / (1 + 0.2316419 * np.abs(x))
    tail = 0.319381530 + t * (
        -0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))
    )
    tail = tail * t * 0.3989422804 * np.exp(-0.5 * x * x)
    return np.where(x > 0, 1 - tail, tail)


def black_scholes(spot: Any, strike: Any, years: Any) -> Any:
    """Prices of European call and put options: 5 % interest, 20 % volatility."""
    spread = 0.2 * np.sqrt(years)
    d1 = (np.log(spot / strike) + (0.05 + 0.5 * 0.2**2) * years) / spread
    discounted = strike * np.exp(-0.05 * years)
    call = spot * normal_cdf(d1) - discounted * normal_cdf(d1 - spread)
    return call, call - spot + discounted


def softmax(x: Any) -> Any:
    """Softmax of the rows."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def layer_norm(x: Any, scale: Any, shift: Any) -> Any:
    """Rows with mean 0 and variance 1, scaled and shifted."""
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5) * scale + shift


def _options(rng: np.random.Generator) -> list[np.ndarray]:
    ranges = ((10, 50), (10, 50), (0.2, 2))
    return [rng.uniform(low, high, 1_000_000).astype(np.float32) for low, high in ranges]


def _rows(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.standard_normal((4096, 1024), dtype=np.float32)]


def _rows_and_weights(rng: np.random.Generator) -> list[np.ndarray]:
    return [*_rows(rng), *(rng.standard_normal(1024, dtype=np.float32) for _ in range(2))]


@dataclass(frozen=True, slots=True)
class Example:
    """A function with arguments for it."""

    title: str
    function: Callable[..., Any]
    arguments: Callable[[np.random.Generator], list[np.ndarray]]


EXAMPLES = {
    "black-scholes": Example("Black-Scholes prices of 1 000 000 options", black_scholes, _options),
    "softmax": Example("softmax of the rows of a 4096 x 1024 array", softmax, _rows),
    "layer-norm": Example(
        "layer norm of the rows of a 4096 x 1024 array", layer_norm, _rows_and_weights
    ),
}


# ------------------------------------------------------------------------------------- the account


def account(example: Example, seconds: float = 0.5) -> Iterator[str]:
    """Compiles the example's function, runs it beside NumPy, and says what happened, line by line.

    Raises:
        ArithmeticError: when the compiled function's values are not NumPy's.
    """
    arguments = example.arguments(np.random.default_rng(0))
    yield f"{example.title}, as plain NumPy (graphc/demo.py, {example.function.__name__})"
    yield _row("arguments", ", ".join(f"{a.dtype}{list(a.shape)}" for a in arguments))
    yield ""
    start = time.perf_counter()
    _load()
    yield _row("load", "the compiler and LLVM, once per process", time.perf_counter() - start)
    function = graphc.jit(example.function)
    start = time.perf_counter()
    lowered = function.lower(*arguments)
    yield _row("trace", f"{len(lowered.graph.nodes)} nodes", time.perf_counter() - start)
    stages = lowered.stages
    for name, text, spent in pass_totals(stages):
        yield _row(name, text, spent)
    planning = time.perf_counter()
    kernels = stages.kernels
    yield _row(
        "loops", f"{len(kernels)} kernel{'s' * (len(kernels) != 1)}", time.perf_counter() - planning
    )
    for kernel in kernels:
        yield _row("", f"{kernel.name}: {_traffic(kernel.node)}")
        for line in textwrap.wrap(kernel_ops(kernel.node), 66):
            yield _row("", line)
    building = time.perf_counter()
    code = stages.object
    target = f"{stages.machine.cpu}, {stages.machine.isa.vector_bits}-bit vectors"
    yield _row(
        "LLVM", f"{len(code):,} bytes of object code for {target}", time.perf_counter() - building
    )
    yield _row("in all", "from a Python function to machine code", time.perf_counter() - start)
    yield ""
    actual = _arrays(function(*arguments))
    yield from _comparison(example, function, arguments, seconds)
    yield _row("values", _checked(example, arguments, actual))


def _load() -> None:
    """Compiles a small function past the cache: the times below are not those of imports."""
    len(graphc.jit(lambda x: np.exp(x)).lower(np.zeros(3, np.float32)).stages.object)


def pass_totals(stages: Lowered) -> list[tuple[str, str, float]]:
    """(name, what its runs did together, their seconds) of every pass, in order."""
    found: dict[str, list[Record]] = {}
    for record in stages.optimised.records:
        found.setdefault(record.name, []).append(record)
    totals = []
    for name, records in found.items():
        removed = sum(r.nodes_before - r.nodes_after for r in records)
        text = (
            f"{removed} nodes fewer"
            if removed > 0
            else f"{-removed} nodes more"
            if removed
            else "same nodes"
        )
        if not any(r.changed for r in records):
            text = "nothing to do"
        if len(records) > 1:
            text += f", in {len(records)} runs"
        totals.append((name, text, sum(r.seconds for r in records)))
    return totals


def kernel_ops(node: Node) -> str:
    """The ops of a kernel with their numbers: `9 ops: mul x4, exp, ...`."""
    body = node.attrs["body"]
    names = [n.attrs["kind"] if n.op.name == "reduce" else n.op.name for n in body.nodes]
    shown = [name if n == 1 else f"{name} x{n}" for name, n in Counter(names).most_common()]
    return f"{len(names)} ops: {', '.join(shown)}"


def _traffic(node: Node) -> str:
    reads, writes = len(node.operands), len(node.results)
    return f"reads {reads} array{'s' * (reads != 1)}, writes {writes}"


def _comparison(
    example: Example, function: Callable[..., Any], arguments: list[np.ndarray], seconds: float
) -> Iterator[str]:
    theirs = best_of(lambda: example.function(*arguments), seconds)
    ours = best_of(lambda: function(*arguments), seconds)
    threads = graphc_runtime.get_threads()
    yield _row("NumPy", "one call, the best of many", theirs)
    yield _row(
        "graphc",
        f"one call, {threads} thread{'s' * (threads != 1)}: {theirs / ours:.1f} times as fast",
        ours,
    )


def best_of(call: Callable[[], object], seconds: float) -> float:
    """The fastest call of those that fit into so many seconds (three at least). Units: seconds."""
    best, count, end = float("inf"), 0, time.perf_counter() + seconds
    while count < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best, count = min(best, time.perf_counter() - start), count + 1
    return best


def _checked(example: Example, arguments: list[np.ndarray], actual: list[np.ndarray]) -> str:
    exact = _arrays(example.function(*(a.astype(np.float64) for a in arguments)))
    numpy = _arrays(example.function(*arguments))
    ours = max(error(a, e) for a, e in zip(actual, exact, strict=True))
    theirs = max(error(a, e) for a, e in zip(numpy, exact, strict=True))
    text = f"greatest error {ours:.1e} of the greatest value (NumPy in float32: {theirs:.1e})"
    if not ours <= max(4 * theirs, 1e-6):
        raise ArithmeticError(f"the values are not NumPy's: {text}. This is a bug of graphc")
    return text


def error(actual: np.ndarray, exact: np.ndarray) -> float:
    """The greatest difference over the greatest value."""
    return float(np.max(np.abs(actual - exact)) / np.max(np.abs(exact)))


def _arrays(value: Any) -> list[np.ndarray]:
    return list(value) if isinstance(value, tuple) else [value]


def _row(name: str, text: str, seconds: float | None = None) -> str:
    timing = f"{readable(seconds):>11}" if seconds is not None else " " * 11
    return f"  {name:<18}{timing}  {text}".rstrip()


def readable(seconds: float) -> str:
    """A time with a fitting unit."""
    for unit, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= unit:
            return f"{seconds / unit:.2f} {name}"
    return f"{seconds * 1e9:.0f} ns"
