"""What is timed: programs of NumPy's names (`xp` is NumPy for graphc, jax.numpy or CuPy), and the
same in torch's. Sizes fill the chip, and inputs of the elementwise ones are larger than its cache.

`every` is a fixed set, whose kernels are in a golden table (tests/codegen/test_cuda_resources.py);
`timed` has the orders, loops and steps of training besides (orders.py, flow.py, steps.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

Arrays = tuple[tuple[tuple[int, ...], str], ...]


@dataclass(frozen=True)
class Case:
    """`bytes` that must be moved and `flops` that must be done; `columns` that can run it.

    Attributes:
        check: "rows" (a row of the result needs the same rows of the arguments), "product", or "".
        peak: the limit of the products that bounds it, by name ("f16", "tf32"...; limits.py).
        tf32: f32 products may be of numbers rounded to tf32.
        wall: it is timed by the wall clock, as calls from Python, besides by events.
        scale: of the random inputs.
        start: of a column: makes a call without arguments, for what has inputs of its own.
        tiny: the same case for a rehearsal, where smaller inputs are not enough.
        dims: names of extents, as `graphc.jit` takes them, of arguments that may have any.
    """

    name: str
    inputs: Arrays
    run: Callable[..., Any]
    torch: Callable[..., Any] | None = None
    bytes: int = 0
    flops: int = 0
    columns: tuple[str, ...] = ("graphc", "torch", "torch-compile", "jax", "cupy")
    check: str = ""
    peak: str = ""
    tf32: bool = False
    wall: bool = False
    scale: float = 1.0
    start: Callable[[Any], Callable[[], Any]] | None = None
    tiny: Case | None = None
    dims: dict[str, Any] | None = None


SIZE = {"f32": 4, "f16": 2, "bf16": 2, "i8": 1, "f64": 8, "i32": 4}


def moved(*arrays: tuple[tuple[int, ...], str]) -> int:
    return sum(math.prod(shape) * SIZE[dtype] for shape, dtype in arrays)


# ----------------------------------------------------------------------------------- elementwise


def axpby(xp: Any, x: Any, z: Any) -> Any:
    return x * x.dtype.type(2.5) + z * x.dtype.type(0.5)


def gelu(xp: Any, x: Any) -> Any:
    return 0.5 * x * (1 + xp.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def erf(xp: Any) -> Any:
    name = xp.__name__
    if name == "numpy":
        from scipy.special import erf as found
    elif name == "cupy":
        from cupyx.scipy.special import erf as found
    else:
        from jax.scipy.special import erf as found
    return found


def black_scholes(xp: Any, s: Any, k: Any, t: Any) -> Any:
    root = xp.sqrt(t)
    d1 = (xp.log(s / k) + (0.02 + 0.045) * t) / (0.3 * root)
    d2 = d1 - 0.3 * root
    phi = erf(xp)
    half = 0.70710678
    later = k * xp.exp(-0.02 * t)
    call = s * (0.5 + 0.5 * phi(d1 * half)) - later * (0.5 + 0.5 * phi(d2 * half))
    return call, call - s + later


def black_scholes_torch(torch: Any, s: Any, k: Any, t: Any) -> Any:
    root = torch.sqrt(t)
    d1 = (torch.log(s / k) + (0.02 + 0.045) * t) / (0.3 * root)
    d2 = d1 - 0.3 * root
    later = k * torch.exp(-0.02 * t)
    half = 0.70710678
    call = s * (0.5 + 0.5 * torch.erf(d1 * half)) - later * (0.5 + 0.5 * torch.erf(d2 * half))
    return call, call - s + later


def softmax(xp: Any, x: Any) -> Any:
    e = xp.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def layer_norm(xp: Any, x: Any) -> Any:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / xp.sqrt((centred * centred).mean(axis=-1, keepdims=True) + 1e-5)


def logsumexp(xp: Any, x: Any) -> Any:
    top = x.max(axis=-1)
    return top + xp.log(xp.exp(x - top[:, None]).sum(axis=-1))


def elementwise() -> list[Case]:
    n = 1 << 26
    rows = ((16384, 4096), "f32")
    half = ((32768, 4096), "f16")
    square = ((8192, 8192), "f32")

    def one(
        name: str, inputs: Arrays, run: Any, torch: Any, *results: Any, check: str = ""
    ) -> Case:
        return Case(name, inputs, run, torch, moved(*inputs, *results), check=check)

    def ln(torch: Any, x: Any) -> Any:
        return torch.nn.functional.layer_norm(x, x.shape[-1:])

    v32, v16 = ((n,), "f32"), ((2 * n,), "f16")
    third = ((n // 2,), "f32")
    return [
        one("a x + b z f32", (v32, v32), axpby, lambda t, x, z: 2.5 * x + 0.5 * z, v32,
            check="rows"),
        one("a x + b z f16", (v16, v16), axpby, lambda t, x, z: 2.5 * x + 0.5 * z, v16,
            check="rows"),
        one("gelu f32", (v32,), gelu,
            lambda t, x: t.nn.functional.gelu(x, approximate="tanh"), v32, check="rows"),
        one("Black-Scholes f32", (third,) * 3,
            lambda xp, s, k, t: black_scholes(xp, abs(s) + 1, abs(k) + 1, abs(t) + 1),
            lambda tt, s, k, t: black_scholes_torch(tt, abs(s) + 1, abs(k) + 1, abs(t) + 1),
            third, third),
        one("softmax f32", (rows,), softmax, lambda t, x: t.softmax(x, -1), rows, check="rows"),
        one("softmax f16", (half,), softmax, lambda t, x: t.softmax(x, -1), half),
        one("layer norm f32", (rows,), layer_norm, ln, rows, check="rows"),
        one("logsumexp f32", (rows,), logsumexp, lambda t, x: t.logsumexp(x, -1),
            check="rows"),
        one("sum of squares f32", (((2 * n,), "f32"),), lambda xp, x: (x * x).sum(),
            lambda t, x: (x * x).sum()),
        one("column sums f32", (rows,), lambda xp, x: x.sum(axis=0), lambda t, x: x.sum(0)),
        one("row means f16", (((65536, 2048), "f16"),), lambda xp, x: x.mean(axis=-1),
            lambda t, x: x.mean(-1)),
        one("A + B.T f32", (square, square), lambda xp, a, b: a + b.T,
            lambda t, a, b: a + b.T, square),
        one("copy of A.T f32", (square,), lambda xp, a: a.T * 1,
            lambda t, a: a.T.contiguous(), square),
        one("cumsum of rows f32", (((65536, 1024), "f32"),),
            lambda xp, x: xp.cumsum(x, axis=-1), lambda t, x: x.cumsum(-1), ((65536, 1024), "f32")),
        one("sort of rows f32", (((16384, 1024), "f32"),), lambda xp, x: xp.sort(x, axis=-1),
            lambda t, x: x.sort(-1).values, ((16384, 1024), "f32")),
    ]  # fmt: skip


# -------------------------------------------------------------------------------------- products


def matmul(xp: Any, a: Any, b: Any) -> Any:
    return a @ b


def layer(xp: Any, x: Any, w: Any, b: Any) -> Any:
    return xp.maximum(x @ w + b, x.dtype.type(0))


def products() -> list[Case]:
    found = []
    sizes = {"f32": (1024, 2048, 4096, 8192), "bf16": (1024, 2048, 4096, 8192),
             "f16": (1024, 4096, 8192), "f64": (2048, 4096)}  # fmt: skip
    some = ("graphc", "torch", "jax", "graphc-generated", "cupy")
    for dtype, many in sizes.items():
        columns = some[:4] if dtype == "bf16" else some
        for n in many:
            a = ((n, n), dtype)
            found.append(
                Case(f"product {dtype} {n}", (a, a), matmul, lambda t, a, b: a @ b,
                     moved(a, a, a), 2 * n**3, columns, "product", dtype)
            )  # fmt: skip
    a = ((4096, 4096), "i8")

    def bytes_product(xp: Any, a: Any, b: Any) -> Any:
        return xp.matmul(a, b, dtype="int32")

    found.append(
        Case("product i8 4096", (a, a), bytes_product, lambda t, a, b: t._int_mm(a, b),
             moved(a, a), 2 * 4096**3, ("graphc", "torch", "graphc-generated"), peak="i8")
    )  # fmt: skip
    x, w, b = ((8192, 4096), "bf16"), ((4096, 4096), "bf16"), ((4096,), "bf16")
    found.append(
        Case("relu(x w + b) bf16", (x, w, b), layer, lambda t, x, w, b: t.relu(x @ w + b),
             moved(x, w, x), 2 * 8192 * 4096 * 4096,
             ("graphc", "torch", "torch-compile", "jax", "graphc-generated"), peak="bf16")
    )  # fmt: skip
    a = ((64, 512, 512), "f16")
    found.append(
        Case("64 products f16 512", (a, a), matmul, lambda t, a, b: a @ b, moved(a, a, a),
             2 * 64 * 512**3, some, peak="f16")
    )  # fmt: skip
    a, b = ((16, 8192), "f16"), ((8192, 8192), "f16")
    found.append(
        Case("product f16 16 x 8192 x 8192", (a, b), matmul, lambda t, a, b: a @ b,
             moved(a, b, a), 2 * 16 * 8192**2, some, peak="f16")
    )  # fmt: skip
    a, b = ((16384, 16384), "f32"), ((16384,), "f32")
    found.append(
        Case("matrix times vector f32 16384", (a, b), matmul, lambda t, a, b: a @ b, moved(a),
             2 * 16384**2, some, peak="f32")
    )  # fmt: skip
    return found


def tf32_products() -> list[Case]:
    """And a convolution."""
    x, w = ((64, 56, 56, 64), "f32"), ((3, 3, 64, 64), "f32")
    found = [
        Case("conv tf32 56 3x3x64x64", (x, w), conv, conv_torch, moved(x, w, x),
             2 * math.prod(x[0]) * 9 * 64, ("graphc", "torch"), peak="tf32", tf32=True)
    ]  # fmt: skip
    for n in (2048, 4096, 8192):
        a = ((n, n), "f32")
        found.append(
            Case(f"product tf32 {n}", (a, a), matmul, lambda t, a, b: a @ b, moved(a, a, a),
                 2 * n**3, ("graphc", "torch", "jax", "graphc-generated"), "product", "tf32",
                 tf32=True)
        )  # fmt: skip
    return found


# ------------------------------------------------------------------------ attention, convolutions


def attention(xp: Any, q: Any, k: Any, v: Any) -> Any:
    s = (q @ xp.swapaxes(k, -1, -2)) * q.dtype.type(q.shape[-1] ** -0.5)
    return softmax(xp, s) @ v


def causal(xp: Any, q: Any, k: Any, v: Any) -> Any:
    s = (q @ xp.swapaxes(k, -1, -2)) * q.dtype.type(q.shape[-1] ** -0.5)
    lower = xp.tril(xp.ones(s.shape[-2:], bool))
    return softmax(xp, xp.where(lower, s, -xp.inf)) @ v


def attentions() -> list[Case]:
    found = []
    for name, dtype, shape, masked in (
        ("f16 64", "f16", (4, 16, 2048, 64), False), ("bf16 64", "bf16", (4, 16, 2048, 64), False),
        ("f16 64 causal", "f16", (4, 16, 2048, 64), True),
        ("f16 128", "f16", (4, 16, 2048, 128), False), ("f32 64", "f32", (2, 8, 2048, 64), False),
    ):  # fmt: skip
        a = (shape, dtype)
        b, h, n, d = shape
        flops = 4 * b * h * n * n * d // (2 if masked else 1)
        found.append(
            Case(
                f"attention {name}", (a, a, a), causal if masked else attention,
                lambda t, q, k, v, masked=masked: t.nn.functional.scaled_dot_product_attention(
                    q, k, v, is_causal=masked
                ),
                moved(a, a, a, a), flops, ("graphc", "torch"), peak=dtype,
            )
        )  # fmt: skip
    return found


def conv(xp: Any, x: Any, w: Any) -> Any:
    from graphc import nn

    return nn.conv(x, w, padding="same")


def conv_torch(t: Any, x: Any, w: Any) -> Any:
    # the images lie in memory as graphc's do; so does the kernel, made before the timing
    return t.nn.functional.conv2d(x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), padding="same")


def convolutions() -> list[Case]:
    found = []
    for dtype, images, kernel in (
        ("f32", (64, 56, 56, 64), (3, 3, 64, 64)), ("f16", (64, 56, 56, 64), (3, 3, 64, 64)),
        ("f16", (64, 28, 28, 128), (3, 3, 128, 128)), ("f16", (64, 14, 14, 256), (3, 3, 256, 256)),
        ("f16", (64, 56, 56, 256), (1, 1, 256, 64)),
    ):  # fmt: skip
        x, w = (images, dtype), (kernel, dtype)
        y = (*images[:3], kernel[-1])
        flops = 2 * math.prod(y) * math.prod(kernel[:3])
        size = "x".join(map(str, kernel))
        found.append(
            Case(f"conv {dtype} {images[1]} {size}", (x, w), conv, conv_torch,
                 moved(x, w, (y, dtype)), flops, ("graphc", "torch"), peak=dtype)
        )  # fmt: skip
    return found


# ------------------------------------------------------------------------------ many small kernels


def chain(xp: Any, x: Any, w: Any) -> Any:
    for _ in range(30):
        x = xp.tanh(x @ w)
    return x


def chain_torch(t: Any, x: Any, w: Any) -> Any:
    for _ in range(30):
        x = t.tanh(x @ w)
    return x


def launches() -> list[Case]:
    a = ((128, 128), "f32")
    return [
        Case("30 kernels", (a, a), chain, chain_torch, 0, 0,
             ("graphc", "torch", "torch-compile", "jax", "cupy"), scale=0.08)
    ]  # fmt: skip


def every() -> list[Case]:
    *halves, f32 = attentions()
    shared = [_with_wgmma(case) for case in (*products(), *convolutions())]
    made = len(products())
    return [*elementwise(), *shared[:made], *halves, *shared[made:], *launches(), f32]


def _with_wgmma(case: Case) -> Case:
    """A product of 16-bit floats has one column more."""
    if case.peak not in ("f16", "bf16"):
        return case
    return replace(case, columns=(*case.columns, "graphc-wgmma"))


def timed() -> list[Case]:
    """Everything."""
    from . import flow, orders, steps

    first, *rest, last = every()  # f32 attention has stopped a device before
    named = [case for case in rest if case.name != "30 kernels"]
    return [
        first, *steps.steps(), *flow.flows(), *launches(), *orders.orders(), *named,
        *tf32_products(), last,
    ]  # fmt: skip
