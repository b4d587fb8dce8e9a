"""Measures the greatest error of every elementary function, in units of the last place (ulp).

    python tests/codegen/accuracy.py            the table on standard output
    python tests/codegen/accuracy.py exp tan    some functions only
    python tests/codegen/accuracy.py --write    all, into docs/accuracy.md and hard_points.json

Run by hand, on a machine with AVX-512. The reference is mpmath, at every point (`truth.py`): a
quarter of an hour on one core with gmpy2 installed, twice that without. True values stay in the
folder `--truths`, so a run that was stopped goes on where it was, and later runs take two minutes.
The same points go through the code for three instruction sets, and through NumPy.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.special

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from graphc.codegen.llvm_builder import Module
from graphc.loops.scalar import SCALAR_OPS
from graphc.types import F32, F64, DType
from tests.codegen import kernels, truth

TARGETS = {"AVX-512": kernels.HOST_FEATURES, "AVX2, FMA": kernels.AVX2, "baseline": kernels.SSE2}
SCIPY = {
    "erf": scipy.special.erf, "erfc": scipy.special.erfc, "lgamma": scipy.special.gammaln
}  # fmt: skip
HARD_POINTS = Path(__file__).with_name("hard_points.json")
LEAST = {("logaddexp", F64): 0.5}
"""Where a result cancels below this, ulp of this number are promised."""


def computed(name: str, dtype: DType, args: list[np.ndarray], features: str) -> np.ndarray:
    """What generated code gives, in lanes of one register."""
    isa = kernels.isa_of(features)
    lanes = isa.native_lanes(dtype)
    module = Module(isa)
    kernels.op_kernel(module, "f", name, dtype, lanes)
    padded = [np.concatenate([a, a[:1].repeat(-a.size % lanes)]) for a in args]
    return kernels.Compiled(module, features, opt=2)("f", dtype, *padded)[: args[0].size]


def numpys(name: str, args: list[np.ndarray]) -> np.ndarray:
    """What NumPy gives, or SciPy where NumPy has no such function."""
    with np.errstate(all="ignore"):
        if name == "ldexp":
            return np.ldexp(args[0], args[1].astype(np.int32))
        return SCIPY.get(name, SCALAR_OPS[name].numpy)(*args)


@dataclass(frozen=True, slots=True)
class Row:
    """The greatest errors of a function by target, the points where they are, and NumPy's."""

    name: str
    dtype: DType
    error: dict[str, float]
    at: dict[str, tuple[float, ...]]
    numpy: float
    hard: list[tuple[float, ...]]
    """The operands with the greatest errors on any target."""

    def __str__(self) -> str:
        cells = [
            f"{self.error[t]:.3f} | {', '.join(f'{a:.9g}' for a in self.at[t])}" for t in TARGETS
        ]
        theirs = f"{self.numpy:.3f}" if self.numpy < 100 else f"{self.numpy:.1g}"
        return f"| {self.name} | {self.dtype} | {' | '.join(cells)} | {theirs} |"


def measure(name: str, dtype: DType, count: int, folder: Path, hard: int = 6) -> Row:
    args = truth.points(name, dtype, count)
    true = truth.stored(name, args, folder)
    least = LEAST.get((name, dtype), 0.0)

    def point(k: int) -> tuple[float, ...]:
        return tuple(float(a[k]) for a in args)

    error, at, indices = {}, {}, []
    for target, features in TARGETS.items():
        wrong = truth.errors(computed(name, dtype, args, features), true, least)
        order = np.argsort(wrong)[-hard:]
        error[target], at[target] = float(wrong[order[-1]]), point(order[-1])
        indices += order.tolist()
    theirs = float(truth.errors(numpys(name, args), true, least).max())
    return Row(name, dtype, error, at, theirs, [point(k) for k in sorted(set(indices))])


HEADER = """# Accuracy of the elementary functions

The greatest error in ulp over {count} points per function and dtype, and the operands where it is,
in the code for three instruction sets: AVX-512; AVX2 with FMA; and the baseline of x86-64, SSE2,
which has no FMA. Every point is compared with mpmath at 110 bits. Made by

    python tests/codegen/accuracy.py --write

Half of the points are random bit patterns, so that every exponent occurs, subnormal numbers and
huge arguments included. The other half lies where the function varies; of these a half, at
distances of every magnitude, about the numbers where it is 0, steep or undefined: 1 for the
logarithms, the multiples of π/2 for sin, cos and tan, the zeros and poles of lgamma. The last
column is the greatest error of NumPy {numpy} at the same points (SciPy {scipy} for erf, erfc and
lgamma).

An error of e ulp is |computed - true| / ulp(true), where ulp(true) is the distance of neighbours of
the dtype at the true value, and at least the least subnormal number. A NaN or an infinity that is
missing or out of place would count as infinite. Nothing is left out. The greatest error of a sample
is not the greatest there is: 3 to 16 million random operands per interval, where the errors are
great, gave 1.88 for sinh and 1.53 for atan2 (f64), 1.88 for tanh and 1.70 for atan2 (f32), and all
f32 there are (`every_f32.py`) gave 1.52 for atan. One entry has another unit:
`logaddexp` in f64 is NumPy's formula, max + log1p(exp(-|a - b|)), which cancels near
log(e**a + e**b) = 0; below 1/2 its error counts in ulp of 1/2 (2**-53), for NumPy as well.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--count", type=int, default=1 << 20)
    parser.add_argument("--truths", type=Path, default=Path(tempfile.gettempdir(), "graphc-truths"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    head = "| function | dtype |" + "".join(f" {t} | at |" for t in TARGETS) + " NumPy |"
    lines = [head, "|---" * head.count(" |") + "|"]
    print("\n".join(lines))
    hard: dict[str, list[list[str]]] = {}
    for name in options.names or truth.FUNCTIONS:
        for dtype in (F32, F64):
            row = measure(name, dtype, options.count, options.truths)
            print(row, flush=True)
            lines.append(str(row))
            hard[f"{name} {dtype}"] = [[a.hex() for a in point] for point in row.hard]
    if options.write:
        text = HEADER.format(count=options.count, numpy=np.__version__, scipy=scipy.__version__)
        target = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"
        target.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
        rows = [f'"{key}": {json.dumps(value)}' for key, value in hard.items()]
        HARD_POINTS.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
