"""Prints the time of every elementary function: ns and cycles per element, next to NumPy.

    python benchmarks/math_speed.py [--cycles GHZ] [names..]

A register of lanes (16 f32 or 8 f64 with AVX-512), over an array of 16 KiB that stays in the first
cache; the best of several runs. The clock is measured with a chain of dependent additions (one
cycle each).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from graphc.codegen.llvm_builder import Module, Val
from graphc.loops.scalar import SCALAR_OPS
from graphc.types import F32, F64, I64, DType
from tests.codegen import kernels

NBYTES = 16384
REPEATS = 50
RANGES = {
    "log": (0.01, 100), "log2": (0.01, 100), "log10": (0.01, 100), "log1p": (-0.9, 10),
    "asin": (-1, 1), "acos": (-1, 1), "atanh": (-0.99, 0.99), "acosh": (1, 100), "pow": (0.1, 10),
    "lgamma": (0.1, 30), "erfc": (-3, 3), "sqrt": (0.1, 10),
}  # fmt: skip
NAMES = (
    "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 "
    "sinh cosh tanh asinh acosh atanh erf erfc lgamma pow cbrt hypot logaddexp fmod sqrt div rsqrt"
).split()


def best(call: Callable[[], object], repeats: int) -> float:
    """Seconds of one call, the least of several runs of `repeats`."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        times.append((time.perf_counter() - start) / repeats)
    return min(times)


def clock_ghz() -> float:
    module = Module(kernels.isa_of(kernels.SSE2))
    b = module.function("spin", [("out", "ptr"), ("n", "i64")])

    def step(i: Val, state: list[Val]) -> list[Val]:
        x = state[0]
        for _ in range(16):  # add then xor: no compiler can shorten the chain
            x = b.xor(b.add(x, i), 12345)
        return [x]

    total = b.for_loop(0, Val("%n", I64), 1, [b.const(1, I64)], step)[0]
    b.store("%out", total)
    b.ret()
    compiled = kernels.Compiled(module, kernels.SSE2)
    out = np.zeros(1, np.int64)
    spin = compiled.function("spin", 0)
    seconds = best(lambda: spin(out.ctypes.data, 100000), 1)
    return 100000 * 32 / seconds / 1e9


def aligned(values: np.ndarray, dtype: DType) -> np.ndarray:
    """A copy in the dtype that begins at a multiple of 64 bytes."""
    room = np.empty(values.size + 64, dtype.numpy)
    start = -room.ctypes.data % 64 // dtype.nbytes
    room[start : start + values.size] = values
    return room[start : start + values.size]


def repeat(module: Module, arity: int, count: int) -> None:
    """`f(out, in.., times)` calls `once` that often: the price of a ctypes call would show."""
    names = ["out", *(f"a{k}" for k in range(arity))]
    b = module.function("f", [*((n, "ptr") for n in names), ("times", "i64")])
    arguments = ", ".join(f"ptr %{n}" for n in names)

    def step(_: Val, __: list[Val]) -> list[Val]:
        b.line(f"call void @once({arguments}, i64 {count}) noinline")
        return []

    b.for_loop(0, Val("%times", I64), 1, [], step)
    b.ret()


def measure(name: str, dtype: DType) -> tuple[float, float]:
    """Seconds per element: generated code, and NumPy (NaN where it has no such function)."""
    lanes = kernels.isa_of(kernels.HOST_FEATURES).native_lanes(dtype)
    count = NBYTES // dtype.nbytes
    low, high = RANGES.get(name, (-3, 3))
    rng = np.random.default_rng(0)
    args = [aligned(rng.uniform(low, high, count), dtype) for _ in range(SCALAR_OPS[name].arity)]
    out = aligned(np.zeros(count), dtype)
    module = Module(kernels.isa_of(kernels.HOST_FEATURES))
    kernels.op_kernel(module, "once", name, dtype, lanes)
    repeat(module, len(args), count)
    compiled = kernels.Compiled(module, opt=3)  # owns the code
    call = compiled.function("f", len(args))
    pointers = [a.ctypes.data for a in args]
    ours = best(lambda: call(out.ctypes.data, *pointers, REPEATS), 1) / REPEATS
    reference = SCALAR_OPS[name].numpy
    theirs = float("nan")
    if name not in ("erf", "erfc", "lgamma"):
        with np.errstate(all="ignore"):
            theirs = best(lambda: reference(*args), 3)
    return ours / count, theirs / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--cycles", type=float, help="the clock in GHz, if it is known")
    options = parser.parse_args()
    ghz = options.cycles or clock_ghz()
    print(f"clock {ghz:.2f} GHz, {NBYTES} bytes per array")
    head = f"{'ns':>8} {'cycles':>7} {'numpy ns':>9}"
    print(f"{'':7}f32{head}   f64{head[3:]}")
    for name in options.names or NAMES:
        cells = []
        for dtype in (F32, F64):
            ours, theirs = measure(name, dtype)
            cells.append(f"{ours * 1e9:8.3f} {ours * 1e9 * ghz:7.2f} {theirs * 1e9:9.2f}")
        print(f"{name:10} {'   '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
