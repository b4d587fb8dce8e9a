"""Measures the greatest error of every elementary function, in units of the last place (ulp).

    python tests/codegen/accuracy.py            the table on standard output
    python tests/codegen/accuracy.py exp tan    some functions only
    python tests/codegen/accuracy.py --write    all, into docs/accuracy.md

Run by hand. Reference: the C library's long double functions (64 bits of significand) through
generated code, for every point; and mpmath at 120 bits for a sample of the points, which says how
far the reference itself can be trusted. An error of e ulp is |computed - true| / ulp(true), where
ulp(true) is the distance of neighbours of the dtype at the true value, and at least the least
subnormal number. A wrong NaN or infinity counts as infinite.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import llvmlite.binding as llvm
import mpmath
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from graphc.codegen.llvm_builder import Module
from graphc.loops.scalar import SCALAR_OPS
from graphc.types import F32, F64, DType
from tests.codegen import kernels

REFERENCE = {
    "exp": "expl", "exp2": "exp2l", "expm1": "expm1l", "log": "logl", "log2": "log2l",
    "log10": "log10l", "log1p": "log1pl", "sin": "sinl", "cos": "cosl", "tan": "tanl",
    "asin": "asinl", "acos": "acosl", "atan": "atanl", "atan2": "atan2l", "sinh": "sinhl",
    "cosh": "coshl", "tanh": "tanhl", "asinh": "asinhl", "acosh": "acoshl", "atanh": "atanhl",
    "erf": "erfl", "erfc": "erfcl", "lgamma": "lgammal", "pow": "powl", "cbrt": "cbrtl",
    "hypot": "hypotl", "ldexp": "", "fmod": "fmodl", "logaddexp": "",
}  # fmt: skip

MPMATH = {
    "exp": mpmath.exp, "exp2": lambda x: mpmath.mpf(2) ** x, "expm1": mpmath.expm1,
    "log": mpmath.log, "log2": lambda x: mpmath.log(x, 2), "log10": mpmath.log10,
    "log1p": mpmath.log1p, "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan,
    "asin": mpmath.asin, "acos": mpmath.acos, "atan": mpmath.atan, "atan2": mpmath.atan2,
    "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh, "asinh": mpmath.asinh,
    "acosh": mpmath.acosh, "atanh": mpmath.atanh, "erf": mpmath.erf, "erfc": mpmath.erfc,
    "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))) if x < 0 else mpmath.loggamma(x),
    "pow": mpmath.power, "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "hypot": mpmath.hypot, "fmod": lambda x, y: mpmath.sign(x) * mpmath.fmod(abs(x), abs(y)),
}  # fmt: skip


def reference_library() -> llvm.ExecutionEngine:
    """Loops over x86_fp80 arrays (NumPy's longdouble) that call the C library."""
    text = []
    for symbol in filter(None, REFERENCE.values()):
        arity = 2 if symbol in ("atan2l", "powl", "hypotl", "fmodl") else 1
        kinds = ", ".join(["x86_fp80"] * arity)
        args = ", ".join(f"x86_fp80 %v{k}" for k in range(arity))
        loads = "".join(
            f"  %p{k} = getelementptr x86_fp80, ptr %a{k}, i64 %i\n"
            f"  %v{k} = load x86_fp80, ptr %p{k}\n"
            for k in range(arity)
        )
        params = "".join(f", ptr %a{k}" for k in range(arity))
        text.append(
            f"declare x86_fp80 @{symbol}({kinds})\n"
            f"define void @ref_{symbol}(ptr %out{params}, i64 %n) {{\nentry:\n  br label %loop\n"
            f"loop:\n  %i = phi i64 [0, %entry], [%j, %loop]\n{loads}"
            f"  %r = call x86_fp80 @{symbol}({args})\n"
            f"  %o = getelementptr x86_fp80, ptr %out, i64 %i\n  store x86_fp80 %r, ptr %o\n"
            f"  %j = add i64 %i, 1\n  %c = icmp slt i64 %j, %n\n"
            f"  br i1 %c, label %loop, label %done\ndone:\n  ret void\n}}\n"
        )
    module = llvm.parse_assembly("\n".join(text))
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


class Reference:
    """The long double functions over arrays."""

    def __init__(self) -> None:
        self.engine = reference_library()

    def __call__(self, name: str, args: list[np.ndarray]) -> np.ndarray:
        import ctypes

        wide = [np.ascontiguousarray(a, np.longdouble) for a in args]
        with np.errstate(all="ignore"):
            if name == "ldexp":
                return np.ldexp(wide[0], np.clip(args[1], -9000, 9000).astype(np.int32))
            if name == "logaddexp":
                return np.logaddexp(*wide)
        out = np.empty_like(wide[0])
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(wide) + 1), ctypes.c_int64)
        call = kind(self.engine.get_function_address("ref_" + REFERENCE[name]))
        call(out.ctypes.data, *(a.ctypes.data for a in wide), out.size)
        return out


def ulp_of(value: np.ndarray, dtype: DType) -> np.ndarray:
    """The distance of neighbours of the dtype at |value|, as long double."""
    info = np.finfo(dtype.numpy)
    with np.errstate(all="ignore"):
        _, exponent = np.frexp(np.abs(value))
        exponent = np.maximum(exponent, info.minexp + 1)
        return np.ldexp(np.longdouble(1), exponent - (info.nmant + 1))


def errors(got: np.ndarray, true: np.ndarray, dtype: DType) -> np.ndarray:
    """In ulp; infinite where NaN or an infinity is missing or out of place."""
    with np.errstate(all="ignore"):
        largest = np.longdouble(np.finfo(dtype.numpy).max)
        overflows = np.abs(true) > largest + ulp_of(largest, dtype) / 2
        result = np.abs(got.astype(np.longdouble) - true) / ulp_of(true, dtype)
        infinite = np.isinf(true) | overflows
        result = np.where(infinite, np.where(np.isinf(got) & (np.sign(got) == np.sign(true)),
                                             0, np.inf), result)  # fmt: skip
        result = np.where(np.isnan(true), np.where(np.isnan(got), 0, np.inf), result)
        result = np.where(np.isnan(got) & ~np.isnan(true), np.inf, result)
        just_inside = (
            np.isinf(got) & ~infinite & (np.abs(true) > largest - 2 * ulp_of(largest, dtype))
        )
        return np.where(just_inside, 1.0, np.where(np.isnan(result), np.inf, result))


# ----------------------------------------------------------------------------------------- points

# where a function does something: intervals that are sampled densely
INTERVALS = {
    "exp": [(-110, 90), (-750, 712), (-1, 1)], "exp2": [(-152, 129), (-1080, 1025), (-1, 1)],
    "expm1": [(-2, 2), (-40, 90), (-750, 712)], "log": [(0.5, 2), (0.99, 1.01), (0, 100)],
    "log2": [(0.5, 2), (0.99, 1.01), (0, 100)], "log10": [(0.5, 2), (0.99, 1.01), (0, 2000)],
    "log1p": [(-1, 1), (-0.01, 0.01), (-1, 100)], "sin": [(-7, 7), (-400, 400), (-4e4, 4e4)],
    "cos": [(-7, 7), (-400, 400), (-4e4, 4e4)], "tan": [(-7, 7), (-400, 400), (-4e4, 4e4)],
    "asin": [(-1, 1), (0.45, 0.55)], "acos": [(-1, 1), (0.45, 0.55), (0.99, 1)],
    "atan": [(-3, 3), (0.4, 0.43), (-100, 100)], "sinh": [(-2, 2), (-92, 92), (-712, 712)],
    "cosh": [(-2, 2), (-92, 92), (-712, 712)], "tanh": [(-1, 1), (-10, 10), (-20, 20)],
    "asinh": [(-2, 2), (-0.1, 0.1), (-100, 100)], "acosh": [(1, 1.1), (1, 3), (1, 1000)],
    "atanh": [(-1, 1), (-0.1, 0.1), (0.9, 1)], "erf": [(-1.5, 1.5), (-6.5, 6.5), (0.9, 1.1)],
    "erfc": [(-2, 2), (0, 11), (0, 27.5), (-6, 0)],
    "lgamma": [(0, 3), (0.9, 1.1), (1.9, 2.1), (2, 10), (8, 200)],
    "cbrt": [(-10, 10)],
}  # fmt: skip


def points(name: str, dtype: DType, count: int) -> list[np.ndarray]:
    """Half bit patterns over the whole range of the dtype, half in the function's intervals."""
    rng = np.random.default_rng(20261121)
    kind, unsigned = dtype.numpy, np.uint32 if dtype is F32 else np.uint64

    def patterns(n: int) -> np.ndarray:
        values = rng.integers(0, np.iinfo(unsigned).max, n, unsigned, endpoint=True).view(kind)
        return np.where(np.isnan(values), kind.type(0.7), values)

    if SCALAR_OPS[name].arity == 1:
        intervals = INTERVALS[name]
        part = count // (2 * len(intervals))
        pieces = [patterns(count - part * len(intervals))]
        pieces += [rng.uniform(low, high, part).astype(kind) for low, high in intervals]
        x = np.concatenate(pieces)
        if name in ("log", "log2", "log10"):
            x = np.abs(x)
        return [x]
    x, y = patterns(count), patterns(count)
    half = count // 2
    with np.errstate(all="ignore"):
        if name == "pow":
            x = np.abs(x)
            x[:half] = np.exp(rng.uniform(-3, 3, half))
            x[: half // 4] = 1 + rng.uniform(-1e-3, 1e-3, half // 4)
            limit = 88.0 if dtype is F32 else 708.0
            y[: 3 * half // 2] = rng.uniform(-limit, limit, 3 * half // 2) / np.log(
                x[: 3 * half // 2].astype(np.float64)
            )
            y[:1000] = rng.integers(-20, 20, 1000)
        elif name == "ldexp":
            y = (
                rng.integers(-300, 300, count).astype(kind)
                if dtype is F32
                else (rng.integers(-2200, 2200, count).astype(kind))
            )
        elif name == "logaddexp":
            x, y = (rng.uniform(-50, 50, count).astype(kind) for _ in range(2))
        else:
            x[:half] = rng.uniform(-10, 10, half)
            y[:half] = rng.uniform(-10, 10, half)
    return [x, np.where(np.isnan(y), kind.type(1), y)]


@dataclass
class Row:
    name: str
    dtype: DType
    points: int
    worst: float
    at: list[float]
    reference: float
    sample: int
    note: str = ""


def exact(name: str, args: list[float]) -> mpmath.mpf | None:
    """mpmath's value, or None where it has none (poles, NaN)."""
    bits = 1400 if name in ("sin", "cos", "tan", "fmod") else 160
    with mpmath.workprec(bits):
        try:
            value = MPMATH[name](*(mpmath.mpf(float(a)) for a in args))
        except (ValueError, ZeroDivisionError, OverflowError, TypeError):
            return None
        return None if isinstance(value, mpmath.mpc) or not mpmath.isfinite(value) else value


def to_long_double(value: mpmath.mpf) -> np.longdouble:
    with mpmath.workprec(160):
        high = float(value) if abs(value) < mpmath.mpf(2) ** 1000 else 0.0
        if abs(value) >= mpmath.mpf(2) ** 1000 or (value and abs(value) < mpmath.mpf(2) ** -900):
            shift = -900 if abs(value) > 1 else 900
            scaled = value * mpmath.mpf(2) ** shift
            if abs(scaled) < mpmath.mpf(2) ** -1000:
                return np.longdouble(0)
            if abs(scaled) > mpmath.mpf(2) ** 900:
                return np.longdouble(math.copysign(math.inf, 1 if value > 0 else -1))
            return np.ldexp(to_long_double(scaled), -shift)
        return np.longdouble(high) + np.longdouble(float(value - mpmath.mpf(high)))


def excluded(name: str, args: list[np.ndarray], true: np.ndarray) -> tuple[np.ndarray, str]:
    """Points whose relative error is not promised."""
    if name == "lgamma":
        note = "x < 0 where abs(result) < 4 left out (absolute there)"
        return (args[0] < 0) & (np.abs(true) < 4), note
    if name == "logaddexp":
        return np.abs(true) < 0.5, "abs(result) < 0.5 left out (cancels)"
    return np.zeros(true.shape, bool), ""


def measure(
    name: str, dtype: DType, reference: Reference, count: int, sample: int,
    features: str = kernels.HOST_FEATURES,
) -> Row:  # fmt: skip
    lanes = kernels.isa_of(features).native_lanes(dtype)
    count = count // 64 * 64
    args = points(name, dtype, count)
    module = Module(kernels.isa_of(features))
    kernels.op_kernel(module, "f", name, dtype, lanes)
    got = kernels.Compiled(module, features, opt=2)("f", dtype, *args)
    true = reference(name, args)
    error = errors(got, true, dtype)
    apart, note = excluded(name, args, true)
    error = np.where(apart, 0, error)
    worst = int(np.argmax(error))
    # the reference against mpmath: where the error seems greatest, and at random
    rng = np.random.default_rng(1)
    chosen = np.unique(np.concatenate([
        np.argsort(error)[-sample // 4:], rng.integers(0, count, sample - sample // 4)
    ]))  # fmt: skip
    doubt, checked, real_worst = 0.0, 0, 0.0
    if name in MPMATH:
        for i in chosen:
            value = exact(name, [a[i] for a in args])
            if value is None or apart[i]:
                continue
            wide = to_long_double(value)
            if abs(wide) > np.finfo(dtype.numpy).max:
                continue
            unit = ulp_of(wide, dtype)
            doubt = max(doubt, float(abs(wide - true[i]) / unit))
            real_worst = max(real_worst, float(errors(got[i : i + 1], np.array([wide]), dtype)[0]))
            checked += 1
    return Row(name, dtype, count, float(error[worst]), [float(a[worst]) for a in args], doubt,
               checked, note)  # fmt: skip


HEADER = """# Accuracy of the elementary functions

Greatest error in ulp over {count} points per function and dtype ({isa}), made by
`python tests/codegen/accuracy.py --write`. Half of the points are random bit patterns, so every
exponent occurs, subnormal numbers and huge arguments included; the other half lie where the
function varies. Every point is compared with the C library's long double function (64-bit
significand). The last columns say at how many points that reference was itself compared with
mpmath (the points with the greatest errors are among them), and by how many ulp of the dtype it
was off at most.

The same points through the code for AVX2 with FMA: every function below 2 ulp as well. Without FMA
(baseline x86-64, `--features sse2`) these go over: erfc 2.42 (f64) and 2.03 (f32), log2 2.21 (f32)
and 2.01 (f64), sinh 2.16 (f64), atan2 2.11 (f32).

| function | dtype | greatest error (ulp) | at | reference off by (ulp) | mpmath points | note |
|---|---|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--count", type=int, default=1 << 20)
    parser.add_argument("--sample", type=int, default=400)
    parser.add_argument("--features", choices=["host", "avx2", "sse2"], default="host")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    features = {"host": kernels.HOST_FEATURES, "avx2": kernels.AVX2, "sse2": kernels.SSE2}
    reference = Reference()
    isa = {"host": "AVX-512", "avx2": "AVX2 and FMA", "sse2": "SSE2"}[options.features]
    text = HEADER.format(count=options.count, isa=isa)
    for name in options.names or REFERENCE:
        for dtype in (F32, F64):
            row = measure(name, dtype, reference, options.count, options.sample,
                          features[options.features])  # fmt: skip
            at = ", ".join(f"{a:.9g}" for a in row.at)
            line = (
                f"| {row.name} | {row.dtype} | {row.worst:.3f} | {at} | {row.reference:.1g} | "
                f"{row.sample} | {row.note} |"
            )
            print(line, flush=True)
            text += line + "\n"
    if options.write:
        target = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"
        target.write_text(text)


if __name__ == "__main__":
    main()
