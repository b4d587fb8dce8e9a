"""Measures the error of the one-operand functions at every f32 there is: 2**32 less the NaNs.

    python tests/codegen/every_f32.py            the table on standard output
    python tests/codegen/every_f32.py exp tan    some functions only
    python tests/codegen/every_f32.py --write    all, into docs/accuracy.md

The reference is the f64 code of the same function, whose error (`accuracy.py`: below 2 ulp of f64)
is 2**-28 ulp of f32. Both run in one compiled loop, for each of the three instruction sets: half
an hour in all on one core. Run by hand.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from graphc.codegen.llvm_builder import Builder, Module, Val
from graphc.codegen.math.lanes import INFINITY, V, where
from graphc.codegen.scalar_llvm import emit
from graphc.types import F32, F64
from tests.codegen import accuracy, kernels, truth

BLOCK = 1 << 15
ROUNDED = {"asinh", "acosh", "atanh", "lgamma"}
"""Their f32 code is the f64 code, rounded once."""
NAMES = [name for name in truth.FUNCTIONS if name not in truth.BINARY | ROUNDED]


def in_ulp(y: V, true: V) -> V:
    """|y - true| in ulp of f32, for y an f32 and the true value an f64, as an f32."""
    y, size = y.to(F64), true.abs()
    bounded = where(y.abs().eq(INFINITY), y.const(2.0**128).copysign(y), y)
    exponent = (size.bits().unsigned() >> 52).signed()
    exponent = where(exponent.gt(1023 - 126), exponent, 1023 - 126)
    exponent = where(exponent.lt(1023 + 127), exponent, 1023 + 127)
    units = ((2 * 1023 + 23 - exponent) << 52).as_float()
    error = (bounded - true).abs() * units
    same = y.eq(true) | (y.isnan() & true.isnan())
    same = same | (size.ge(2.0**128) & y.eq(true.const(INFINITY).copysign(true)))
    error = where(same, 0.0, error)
    return where(error.isnan(), INFINITY, error).to(F32)


def kernel(name: str, features: str) -> kernels.Compiled:
    """`void f(errors, x, n)` over f32."""
    isa = kernels.isa_of(features)
    module = Module(isa)

    def body(b: Builder, args: list[Val]) -> Val:
        true = emit(b, name, [b.cast(args[0], F64)], F64)
        return in_ulp(V(b, emit(b, name, args, F32)), V(b, true)).val

    kernels.add_kernel(module, "f", [F32], F32, isa.native_lanes(F32), body)
    return kernels.Compiled(module, features, opt=2)


def greatest(name: str, features: str) -> tuple[float, float]:
    """The greatest error and where it is."""
    compiled = kernel(name, features)
    call = compiled.function("f", 1)
    errors = np.empty(BLOCK, np.float32)
    count = np.arange(BLOCK, dtype=np.uint32)
    bits = np.empty(BLOCK, np.uint32)
    worst, at = -1.0, 0.0
    for first in range(0, 1 << 32, BLOCK):
        if first & 0x7FFFFFFF > 0x7F800000:  # NaNs only
            continue
        np.add(count, np.uint32(first), out=bits)
        call(errors.ctypes.data, bits.ctypes.data, BLOCK)
        error = float(errors.max())
        if error > worst:
            worst, at = error, float(bits.view(np.float32)[errors.argmax()])
    return worst, at


HEADING = "\n## Every f32\n"
TEXT = """
The greatest error of the one-operand functions over all numbers of f32, against their f64 code
(asinh, acosh, atanh and lgamma are that code, rounded once). Made by

    python tests/codegen/every_f32.py --write

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    head = "| function |" + "".join(f" {t} | at |" for t in accuracy.TARGETS)
    lines = [head, "|---" * (head.count("|") - 1) + "|"]
    print("\n".join(lines))
    for name in options.names or NAMES:
        cells = [greatest(name, features) for features in accuracy.TARGETS.values()]
        lines.append(f"| {name} | " + " | ".join(f"{e:.3f} | {x:.9g}" for e, x in cells) + " |")
        print(lines[-1], flush=True)
    if options.write:
        target = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"
        before = target.read_text(encoding="utf-8").split(HEADING)[0]
        target.write_text(before + HEADING + TEXT + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
