"""Every scalar op on every dtype it admits, in 1, 4 and 16 lanes, against `loops/scalar.py` on
edge values."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from graphc.codegen.llvm_builder import Builder, Module, Val
from graphc.errors import LoweringError
from graphc.loops.scalar import SCALAR_OPS, apply
from graphc.types import BF16, BOOL, DTYPES, F16, F32, F64, I8, I32, I64, U64, DType

from . import kernels

LANES = (1, 4, 16)
REAL = [d for d in DTYPES.values() if not d.is_complex]
# ulp allowed beyond rounding, where the operation is not exact; numpy's own error is in it
ULP = 3.0
EXACT = set(
    "add sub mul div floordiv mod fmod neg abs sign min max fmin fmax sqrt reciprocal copysign "
    "nextafter floor ceil trunc rint ldexp tf32".split()
)
# results that cancel: allowed this many ulp of 1
ABSOLUTE = {"lgamma", "logaddexp", "fma"}


def edge_values(dtype: DType) -> np.ndarray:
    """Numbers where an op may go wrong, in the dtype, and some ordinary ones."""
    if dtype is BOOL:
        return np.array([False, True])
    kind = dtype.numpy
    if dtype.is_integer:
        info = np.iinfo(kind)
        values = [0, 1, 2, 3, 5, 7, 8, 12, 31, 63, 64, 100, info.max, info.max - 1, info.max // 3]
        if dtype.kind == "i":
            values += [-1, -2, -3, -7, -8, -64, -100, info.min, info.min + 1, info.min // 3]
        return np.array(values, kind)
    smallest = {"f16": 2.0**-24, "bf16": 2.0**-133, "f32": 2.0**-149, "f64": 2.0**-1074}[dtype.name]
    tiny = {"f16": 2.0**-14, "bf16": 2.0**-126, "f32": 2.0**-126, "f64": 2.0**-1022}[dtype.name]
    large = {"f16": 65504.0, "bf16": 3.38953139e38, "f32": 3.4028234663852886e38,
             "f64": 1.7976931348623157e308}[dtype.name]  # fmt: skip
    plain = [0.0, smallest, 3 * smallest, tiny, tiny * 1.5, large, large / 3, np.inf]
    plain += map(
        float,
        "0.1 0.25 0.3 0.49 0.5 0.51 0.75 0.9 1 1.1 1.5 2 2.5 3 3.5 5.5 7.9 9.3 12 17 20.5 33 63.5 "
        "88 89.5 103 150 700 709.5 745 1e4 3e4".split(),
    )
    with np.errstate(over="ignore"):
        values = np.array([*plain, *(-p for p in plain), np.nan], np.float64).astype(kind)
    return values


def operands(name: str, dtype: DType) -> list[np.ndarray]:
    """All pairs (triples on a thinned set) of edge values; a multiple of 16 of them."""
    values = edge_values(dtype)
    arity = SCALAR_OPS[name].arity
    if name == "ldexp":
        sizes = np.array([0, 1, 5, 30, 126, 127, 149, 278, 1000, 2000, np.inf])
        counts = np.concatenate([sizes, -sizes, [np.nan]])
        with np.errstate(over="ignore"):
            grid = np.meshgrid(values, counts.astype(dtype.numpy), indexing="ij")
    else:
        grid = np.meshgrid(*[values[:: 1 if arity < 3 else 5]] * arity, indexing="ij")
    flat = [g.ravel() for g in grid]
    pad = -flat[0].size % 16
    return [np.ascontiguousarray(np.concatenate([f, f[:1].repeat(pad)])) for f in flat]


def assert_same(name: str, dtype: DType, got: np.ndarray, want: np.ndarray, args: list) -> None:
    wide = np.longdouble
    dtype = SCALAR_OPS[name].gives(dtype)
    if want.dtype == bool or dtype.is_integer:
        wrong = got != want
    else:
        a, b = got.astype(wide), want.astype(wide)
        bits = {"f16": 10, "bf16": 7, "f32": 23, "f64": 52}[dtype.name]
        least = {"f16": -24, "bf16": -133, "f32": -149, "f64": -1074}[dtype.name]
        with np.errstate(all="ignore"):
            _, exponent = np.frexp(np.abs(b))
            unit = np.ldexp(wide(1), np.maximum(exponent - 1 - bits, least))
            allowed = 0 if name in EXACT else 1 if dtype in (F16, BF16) else ULP
            if name in ABSOLUTE:
                unit = np.maximum(unit, np.ldexp(wide(1), -bits))
            close = np.abs(a - b) <= allowed * unit
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | close
        signed = (np.signbit(a) == np.signbit(b)) | np.isnan(b) | (b != 0) | (name in ("min", "max",
                  "fmin", "fmax", "fma"))  # fmt: skip
        wrong = ~(same & signed)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise AssertionError(
            f"{name} {dtype}: {[a[i] for a in args]} gives {got[i]}, not {want[i]} "
            f"({int(wrong.sum())} of {wrong.size} wrong)"
        )


def reference(name: str, dtype: DType, args: list[np.ndarray]) -> np.ndarray:
    """`scalar.apply`; functions of f32 by f64, so that NumPy's own errors do not count."""
    if dtype is F32 and name not in EXACT and SCALAR_OPS[name].result == "same":
        with np.errstate(all="ignore"):
            return apply(name, *(a.astype(np.float64) for a in args)).astype(np.float32)
    return np.asarray(apply(name, *args))


CASES = [(n, d) for n, op in SCALAR_OPS.items() for d in REAL if op.takes(d)]


def check(name: str, dtype: DType, features: str, lanes: tuple[int, ...] = LANES) -> None:
    module = Module(kernels.isa_of(features))
    for count in lanes:
        kernels.op_kernel(module, f"f{count}", name, dtype, count)
    compiled = kernels.Compiled(module, features, opt=0)
    args = operands(name, dtype)
    want = reference(name, dtype, args)
    for count in lanes:
        got = compiled(f"f{count}", kernels.op_result(name, dtype), *args)
        assert_same(name, dtype, got, want, args)


@pytest.mark.parametrize("name, dtype", CASES, ids=lambda v: str(v))
def test_op_equals_numpy(name: str, dtype: DType) -> None:
    check(name, dtype, kernels.HOST_FEATURES)


FLOAT_CASES = [(n, d) for n, d in CASES if d in (F32, F64) and n not in ("gcd", "lcm")]


@pytest.mark.parametrize("features", [kernels.AVX2, kernels.SSE2], ids=["avx2", "sse2"])
@pytest.mark.parametrize("name, dtype", FLOAT_CASES, ids=lambda v: str(v))
def test_op_without_avx512(name: str, dtype: DType, features: str) -> None:
    check(name, dtype, features, (4,))


@pytest.mark.parametrize("features", [kernels.HOST_FEATURES, kernels.SSE2], ids=["host", "sse2"])
@pytest.mark.parametrize("source", REAL, ids=str)
def test_cast_equals_astype(source: DType, features: str) -> None:
    module = Module(kernels.isa_of(features))
    check_casts(source, module, lambda m: kernels.Compiled(m, features, opt=0))


def check_casts(
    source: DType, module: Module, compile_module: Callable[[Module], Callable[..., np.ndarray]]
) -> None:
    """Edge values from one dtype to every other, in 1 and 16 lanes."""
    for target in REAL:
        for lanes in (1, 16):
            kernels.add_kernel(
                module, f"to_{target}_{lanes}", [source], target, lanes,
                lambda b, a, t=target: b.cast(a[0], t),
            )  # fmt: skip
    compiled = compile_module(module)
    values = edge_values(source)
    if source.is_float:
        extra = np.array([1 + 2.0**-11, 1 + 3 * 2.0**-11, 2.0**-25 * 1.001, 65519.99, 65520, 254.7])
        with np.errstate(over="ignore"):
            values = np.concatenate([values, extra.astype(source.numpy)])
    values = np.concatenate([values, values[:1].repeat(-values.size % 16)])
    for target in REAL:
        with np.errstate(all="ignore"):
            want = values.astype(target.numpy)
        if source.is_float and target.is_integer:  # out of range is nobody's promise
            info = np.iinfo(target.numpy)
            wide = values.astype(np.float64)
            inside = (wide > float(info.min) - 1) & (wide < float(info.max) + (target.bits < 64))
        else:
            inside = np.ones(values.shape, bool)
        for lanes in (1, 16):
            got = compiled(f"to_{target}_{lanes}", target, values)
            equal = (got == want) | ((got != got) & (want != want))
            assert np.all(equal | ~inside), (source, target, values[~equal & inside], got[~equal])


def test_half_conversions_by_integers_are_exact() -> None:
    """Every f16 widens exactly, and rounding to f16 is to nearest even, without F16C."""
    module = Module(kernels.isa_of(kernels.SSE2))
    kernels.add_kernel(module, "wide", [F16], F32, 4, lambda b, a: b.cast(a[0], F32))
    kernels.add_kernel(module, "narrow", [F32], F16, 4, lambda b, a: b.cast(a[0], F16))
    kernels.add_kernel(module, "double", [F64], F16, 4, lambda b, a: b.cast(a[0], F16))
    compiled = kernels.Compiled(module, kernels.SSE2)
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    wide = compiled("wide", F32, halves)
    np.testing.assert_array_equal(wide, halves.astype(np.float32))
    rng = np.random.default_rng(0)
    finite = wide[np.isfinite(wide)]
    near = np.concatenate([finite * (1 + k * 2.0**-12) for k in (-2, -1, 0, 1, 2)])
    near = np.concatenate([near, rng.uniform(-7e4, 7e4, 4096)])
    near = near[: near.size // 4 * 4]
    with np.errstate(over="ignore"):
        for symbol, kind in (("narrow", np.float32), ("double", np.float64)):
            source = near.astype(kind)
            np.testing.assert_array_equal(compiled(symbol, F16, source), source.astype(np.float16))


def test_reductions_masks_and_gathers() -> None:
    module = Module(kernels.isa_of(kernels.HOST_FEATURES))
    b = module.function("f", [("out", "ptr"), ("a", "ptr"), ("n", "i64")])
    v = b.load("%a", F32, 16)
    for k, op in enumerate(("add", "mul", "min", "max")):
        b.store(b.gep("%out", k, F32), b.reduce(op, v))
    mask = b.cmp("lt", b.ramp(16), Val("%n", I64))
    part = b.load("%a", F32, 16, mask=mask)
    b.store(b.gep("%out", 4, F32), b.reduce("add", part))
    picked = b.gather("%a", b.sub(15, b.ramp(16)), F32, mask=mask)
    b.store(b.gep("%out", 16, F32), picked)
    b.scatter(b.gep("%out", 32, F32), b.ramp(16, step=2), v, mask=mask)
    b.store(b.gep("%out", 5, F32), b.extract(v, 3), mask=b.cmp("gt", Val("%n", I64), 100))
    b.ret()
    compiled = kernels.Compiled(module)
    data = np.linspace(0.5, 2, 16).astype(np.float32)
    out = np.full(64, -1, np.float32)
    compiled.function("f", 1)(out.ctypes.data, data.ctypes.data, 5)
    np.testing.assert_allclose(
        out[:5], [data.sum(), data.prod(), 0.5, 2, data[:5].sum()], rtol=1e-6
    )
    assert out[5] == -1
    np.testing.assert_array_equal(out[16:32], np.where(np.arange(16) < 5, data[::-1], 0))
    np.testing.assert_array_equal(out[32:42:2], data[:5])
    assert np.all(out[33:42:2] == -1) and np.all(out[42:] == -1)


def test_constants_and_loops() -> None:
    module = Module(kernels.isa_of(kernels.SSE2))

    def body(b: Builder, args: list[Val]) -> Val:
        total = b.for_loop(0, 5, 1, [args[0]], lambda i, s: [b.add(s[0], b.cast(i, F64))])[0]
        return b.select(b.cmp("lt", args[0], 0.1), 1e-320, total)

    kernels.add_kernel(module, "f", [F64], F64, 1, body)
    got = kernels.Compiled(module, kernels.SSE2)("f", F64, np.array([0.0, 2.5]))
    np.testing.assert_array_equal(got, [1e-320, 12.5])


def test_many_uses_stay_calls() -> None:
    module = Module(kernels.isa_of(kernels.HOST_FEATURES), inline_limit=2)
    for k in range(2):
        kernels.op_kernel(module, f"f{k}", "exp", F32, 16)
    assert "alwaysinline" in module.render()
    kernels.op_kernel(module, "g", "exp", F32, 32)
    text = module.render()
    assert "alwaysinline" not in text and text.count("call <16 x float> @gc_exp_f32x16") == 4


@pytest.mark.parametrize("name, dtype", [("exp", I32), ("and", F32), ("sub", BOOL)])
def test_refuses_a_dtype_that_the_op_does_not_take(name: str, dtype: DType) -> None:
    with pytest.raises(LoweringError, match=name):
        kernels.op_kernel(Module(kernels.isa_of("")), "f", name, dtype, 1)


def test_constant_divisors_and_powers() -> None:
    module = Module(kernels.isa_of(kernels.HOST_FEATURES))
    from graphc.codegen.scalar_llvm import emit

    for dtype in (I8, I64, U64):
        for name, value in (("floordiv", 7), ("mod", 7), ("pow", 5), ("fmod", 7), ("floordiv", 0)):
            kernels.add_kernel(
                module, f"{name}_{value}_{dtype}", [dtype], dtype, 4,
                lambda b, a, n=name, v=value, d=dtype: emit(b, n, [a[0], b.const(v, d)], d),
            )  # fmt: skip
    compiled = kernels.Compiled(module)
    for dtype in (I8, I64, U64):
        values = edge_values(dtype)
        values = values[: values.size // 4 * 4]
        for name, value in (("floordiv", 7), ("mod", 7), ("pow", 5), ("fmod", 7), ("floordiv", 0)):
            want = apply(name, values, np.full_like(values, value))
            np.testing.assert_array_equal(compiled(f"{name}_{value}_{dtype}", dtype, values), want)


def test_nothing_becomes_a_library_call() -> None:
    """Baseline x86-64 lacks fma, rounding and half conversion: they are written out."""
    module = Module(kernels.isa_of(kernels.SSE2))
    for name, op in SCALAR_OPS.items():
        for dtype in (F16, F32, F64):
            if op.takes(dtype):
                kernels.op_kernel(module, f"k_{name}_{dtype}", name, dtype, 4)
    assembly = kernels.Compiled(module, kernels.SSE2).assembly()
    called = set(re.findall(r"(?:callq?|jmp|movabsq)\s+\$?([a-z_]\w*)", assembly))
    assert {c for c in called if not c.startswith("gc_")} <= {"memcpy"}
