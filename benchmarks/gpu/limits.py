"""What the device allows at most, measured: the bandwidth of copies and the rates of products. A
row of the tables is a fraction of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

Measure = Callable[[Any, Callable[[], Any]], dict[str, Any]]
COPIES = (1 << 26, 1 << 27, 1 << 28)
"""Elements of f32."""
EXTENT = 8192
"""Of the square matrices of a product."""


def copies(
    column: Any, measure: Measure, sizes: Iterable[int] = COPIES
) -> tuple[str, dict[str, Any]]:
    """The median bandwidth of copies of several sizes, by torch or by graphc's own kernel."""
    found = {}
    for n in sizes:
        if column.name == "graphc":
            import numpy as np

            source = column.put(np.ones(n, np.float32))
            run = partial(column.jit(lambda x: x.copy()), source)
        else:
            torch = column.torch
            target = torch.empty(n, device=column.on)
            run = partial(target.copy_, torch.ones(n, device=column.on))
        taken = measure(column, run)
        found[n] = (8 * n / taken["ms"] / 1e6, taken["ms"])
        del run
        column.tidy()
    rate = statistics.median(gbs for gbs, _ in found.values())
    name = "copy" if column.name == "torch" else f"copy by {column.name}"
    each = {f"{4 * n >> 20} MiB": gbs for n, (gbs, _) in found.items()}
    return name, {"ms": max(ms for _, ms in found.values()), "gbs": rate, "each": each}


def products(
    column: Any, measure: Measure, n: int = EXTENT
) -> Iterable[tuple[str, dict[str, Any]]]:
    """Rates of torch's products, which are those of the vendor's library; one that it refuses is
    left out, and says why."""
    torch = column.torch
    kinds = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32,
             "tf32": torch.float32, "f64": torch.float64, "i8": torch.int8}  # fmt: skip
    for name, dtype in kinds.items():
        label = f"product {name} {n}"
        try:
            if name == "i8":
                a, b = (torch.randint(-9, 9, (n, n), dtype=dtype, device=column.on) for _ in "ab")
                run = partial(torch._int_mm, a, b)
            else:
                a, b = (torch.randn(n, n, device=column.on).to(dtype) for _ in "ab")
                run = partial(torch.matmul, a, b)
            torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
            taken = measure(column, run)
        except Exception as error:
            yield label, {"failed": f"{type(error).__name__}: {str(error)[:300]}"}
            continue
        finally:
            torch.backends.cuda.matmul.allow_tf32 = False
        rate = 2 * n**3 / taken["ms"] / 1e9
        yield label, {"ms": taken["ms"], "tflops": rate, "peak": name}
        del a, b, run
        column.tidy()


def fraction(row: dict[str, Any], limits: Iterable[dict[str, Any]]) -> float | None:
    """The least time that the limits allow over the time of the row; None where none bounds it."""
    limits = list(limits)
    parts = []
    bandwidth = max((one["gbs"] for one in limits if "gbs" in one), default=0.0)
    if bandwidth and "gbs" in row:
        parts.append(row["gbs"] / bandwidth)
    peak = max((o["tflops"] for o in limits if o.get("peak") == row.get("peak") and "tflops" in o),
               default=0.0)  # fmt: skip
    if peak and "tflops" in row:
        parts.append(row["tflops"] / peak)
    return max(parts, default=None)
