"""Times of kernels whose schedules differ in some numbers: `python -m benchmarks.gpu.variants
[SECONDS] [--wgmma] [--numbers]`, on a device, by graphc's own kernels. The numbers that win become
the ones of graphc/loops/cuda_staged.py, cuda_numbers.py, cuda_wgmma.py, cuda_contract.py and
cuda_attention_paired.py; nothing is kept.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.codegen import cuda
from graphc.codegen.cuda import CudaKernel
from graphc.device import build, loaded
from graphc.loops import (
    cuda_attention_paired,
    cuda_contract,
    cuda_numbers,
    cuda_staged,
    cuda_wgmma,
)

from . import cases
from .cases import Case
from .columns import Graphc, GraphcGenerated
from .speed import checked, host_array, measure, small


@dataclass(frozen=True)
class Variant:
    """Values of names in modules."""

    name: str
    staged: dict[str, Any] = field(default_factory=dict)
    contract: dict[str, Any] = field(default_factory=dict)
    attention: dict[str, Any] = field(default_factory=dict)
    wgmma: dict[str, Any] | None = None
    """Where it is there, products are by wgmma."""
    terms: int = 1
    """Slices of f32 and f64 are so many times as long."""


KILO = 1024
ALL = 227 * KILO
"""What a block may have on an H100."""


def only(u: int, v: int) -> dict[str, Any]:
    return {"STAGED_EFFICIENCY": {(u, v): 1.0}}


def numbers(u: int, v: int) -> dict[str, Any]:
    return {"STAGED_EFFICIENCY": {(u, v): 1.0}, "DOUBLE_EFFICIENCY": {(u, v): 1.0}}


def grouped(u: int, v: int) -> dict[str, Any]:
    return {"GROUPED_EFFICIENCY": {(u, v): 1e6}}


def form(*numbers: Any) -> dict[str, Any]:
    return {
        "FORMS": (cuda_attention_paired.Form(*numbers),),
        "REGISTERS": 255,
        "KEPT": 255,
        "PAIRED_BYTES": ALL,
    }


PRODUCTS = (
    Variant("as it is"),
    Variant("128x256, 32 terms, 4 stages", {"SHARED_BYTES": ALL, "STAGES": 4}, only(8, 16)),
    Variant("128x256, 32 terms, 6 stages", {"SHARED_BYTES": ALL, "STAGES": 6}, only(8, 16)),
    Variant("128x256, 64 terms, 3 stages", {"TERMS": 64, "SHARED_BYTES": ALL, "STAGES": 3},
            only(8, 16)),
    Variant("128x256, 64 terms, 4 stages", {"TERMS": 64, "SHARED_BYTES": ALL, "STAGES": 4},
            only(8, 16)),
    Variant("128x256, rows of tiles in order", {"GROUPS": ()}, only(8, 16)),
    Variant("128x256, 16 rows of tiles", {"GROUPS": (16,)}, only(8, 16)),
    Variant("128x128, 32 terms, 3 stages", {}, only(8, 8)),
    Variant("128x128, 32 terms, 5 stages", {"SHARED_BYTES_OF_TWO": 112 * KILO, "STAGES": 5,
            "SHARED_BYTES": ALL}, only(8, 8)),
    Variant("128x128, 64 terms, 3 stages", {"TERMS": 64, "SHARED_BYTES_OF_TWO": 112 * KILO,
            "STAGES": 3, "SHARED_BYTES": ALL}, only(8, 8)),
    Variant("128x64", {}, only(8, 4)),
    Variant("64x128", {}, only(4, 8)),
    Variant("64x64", {}, only(4, 4)),
    Variant("64x64, 64 terms", {"TERMS": 64}, only(4, 4)),
)  # fmt: skip
GROUPED = (
    Variant("as it is"),
    Variant("wgmma as it is", wgmma={}),
    Variant("wgmma 128x256", {}, grouped(8, 16), wgmma={}),
    Variant("wgmma 128x256, swizzled", {}, grouped(8, 16), wgmma={"SWIZZLED": True}),
    Variant("wgmma 128x256, no padding", {}, grouped(8, 16), wgmma={"PADDING": 0}),
    Variant("wgmma 128x256, copies first", {}, grouped(8, 16), wgmma={"COPIES_FIRST": True}),
    Variant("wgmma 128x256, 3 stages", {}, grouped(8, 16), wgmma={"STAGES": 3}),
    Variant("wgmma 128x256, 32 terms", {}, grouped(8, 16), wgmma={"TERMS": 32}),
    Variant("wgmma 128x256, 16 rows of tiles", {"GROUPS": (16,)}, grouped(8, 16), wgmma={}),
    Variant("wgmma 128x256, rows in order", {"GROUPS": ()}, grouped(8, 16), wgmma={}),
    Variant("wgmma 128x128", {}, grouped(8, 8), wgmma={}),
    Variant("wgmma 128x128, swizzled", {}, grouped(8, 8), wgmma={"SWIZZLED": True}),
    Variant("wgmma 128x128, copies first", {}, grouped(8, 8), wgmma={"COPIES_FIRST": True}),
    Variant("wgmma 128x128, no padding", {}, grouped(8, 8), wgmma={"PADDING": 0}),
    Variant("wgmma 128x128, two blocks", {}, grouped(8, 8), wgmma={"SHARED_BYTES": 112 * KILO}),
    Variant("wgmma 128x128, 128 terms", {}, grouped(8, 8), wgmma={"TERMS": 128}),
    Variant("wgmma 128x64", {}, grouped(8, 4), wgmma={}),
    Variant("wgmma 128x64, 128 terms", {}, grouped(8, 4), wgmma={"TERMS": 128}),
    Variant("wgmma 128x64, swizzled", {}, grouped(8, 4), wgmma={"SWIZZLED": True}),
    Variant("wgmma 128x64, copies first", {}, grouped(8, 4), wgmma={"COPIES_FIRST": True}),
    Variant("wgmma 128x64, two blocks", {}, grouped(8, 4), wgmma={"SHARED_BYTES": 112 * KILO}),
)
NUMBERS = (
    Variant("as it is"),
    Variant("128x128", {}, numbers(8, 8)),
    Variant("128x128, all of shared memory", {"SHARED_BYTES_OF_TWO": 112 * KILO, "STAGES": 6,
            "SHARED_BYTES": ALL}, numbers(8, 8)),
    Variant("128x128, long slices", {"SHARED_BYTES_OF_TWO": 112 * KILO, "SHARED_BYTES": ALL},
            numbers(8, 8), terms=2),
    Variant("128x128, rows of tiles in order", {"GROUPS": ()}, numbers(8, 8)),
    Variant("128x64", {}, numbers(8, 4)),
    Variant("64x128", {}, numbers(4, 8)),
    Variant("64x64", {}, numbers(4, 4)),
    Variant("64x64, long slices", {}, numbers(4, 4), terms=2),
    Variant("128x256 (of f64 none)", {}, numbers(8, 16)),
    Variant("128x256, all of shared memory (of f64 none)", {"SHARED_BYTES": ALL, "STAGES": 6},
            numbers(8, 16)),
)  # fmt: skip
ATTENTIONS = (
    Variant("as it is"),
    Variant("4 warps of 32, 64 keys, kept", attention=form(4, 2, 64, True)),
    Variant("4 warps of 32, 64 keys, read", attention=form(4, 2, 64, False)),
    Variant("4 warps of 32, 32 keys, kept", attention=form(4, 2, 32, True)),
    Variant("4 warps of 32, 32 keys, read", attention=form(4, 2, 32, False)),
    Variant("8 warps of 16, 64 keys, kept", attention=form(8, 1, 64, True)),
    Variant("8 warps of 16, 128 keys, kept", attention=form(8, 1, 128, True)),
    Variant("4 warps of 16, 64 keys, kept", attention=form(4, 1, 64, True)),
    Variant("4 warps of 16, 128 keys, kept", attention=form(4, 1, 128, True)),
)
PLAN = (
    ("product f16 8192", PRODUCTS[:11]), ("attention f16 64", ATTENTIONS),
    ("attention f16 128", ATTENTIONS), ("product f16 4096", PRODUCTS[:10]),
    ("conv f16 56 3x3x64x64", (PRODUCTS[0], *PRODUCTS[8:])),
    ("conv f16 14 3x3x256x256", (PRODUCTS[0], *PRODUCTS[6:])),
    ("product f16 1024", (PRODUCTS[0], *PRODUCTS[7:])),
    ("product f16 16 x 8192 x 8192", (PRODUCTS[0], *PRODUCTS[11:])),
)  # fmt: skip
PLAN_WGMMA = (
    ("product bf16 8192", GROUPED), ("product bf16 4096", GROUPED), ("product bf16 2048", GROUPED),
    ("product bf16 1024", (*GROUPED[:3], *GROUPED[10:])), ("relu(x w + b) bf16", GROUPED[:5]),
    ("64 products f16 512", (*GROUPED[:3], *GROUPED[10:])),
    ("conv f16 56 3x3x64x64", (*GROUPED[:3], *GROUPED[10:])),
    ("conv f16 14 3x3x256x256", GROUPED),
)  # fmt: skip
"""With `--wgmma`."""
PLAN_NUMBERS = (
    ("product tf32 4096", NUMBERS), ("product f64 4096", NUMBERS[:9]),
    ("product tf32 8192", NUMBERS), ("product f64 2048", NUMBERS[:9]),
    ("product tf32 2048", NUMBERS),
    ("conv tf32 56 3x3x64x64", NUMBERS),
)  # fmt: skip
"""With `--numbers`."""


@contextmanager
def set_to(variant: Variant) -> Iterator[None]:
    before: list[tuple[Any, str, Any]] = []
    modules = (
        (cuda_staged, variant.staged), (cuda_contract, variant.contract),
        (cuda_attention_paired, variant.attention), (cuda, {"MAX_SHARED_BYTES": ALL}),
        (cuda_wgmma, variant.wgmma or {}),
    )  # fmt: skip
    staged, grouped = cuda_staged.Staged.slice, cuda_wgmma.Grouped.slice
    slices = [(kind, kind.slice) for kind in (cuda_numbers.Tf32, cuda_numbers.Doubles)]
    for kind, terms in slices:
        kind.slice = terms * variant.terms
    for module, values in modules:
        for name, value in values.items():
            before.append((module, name, getattr(module, name)))
            setattr(module, name, value)
    cuda_staged.Staged.slice = variant.staged.get("TERMS", staged)
    cuda_wgmma.Grouped.slice = (variant.wgmma or {}).get("TERMS", grouped)
    os.environ["GRAPHC_WGMMA"] = str(int(variant.wgmma is not None))
    try:
        yield
    finally:
        cuda_staged.Staged.slice, cuda_wgmma.Grouped.slice = staged, grouped
        for kind, terms in slices:
            kind.slice = terms
        for module, name, value in before:
            setattr(module, name, value)


class Collected(Exception):
    """Raised instead of a build, once the kernels are known."""


class Runner:
    """A case with its arguments on the device, and what some rows of the result should be."""

    def __init__(self, column: Graphc, case: Case):
        self.column, self.case = column, case
        self.host = [host_array(*what) for what in case.inputs]
        self.args = [column.put(what) for what in self.host]
        self.error: float | None = None
        self.some = np.zeros(0, np.float32)

    def sources(self, variant: Variant) -> list[tuple[str, str]]:
        """The units that the variant needs, and what they are compiled for."""
        found: list[CudaKernel] = []

        def collect(kernels: Sequence[CudaKernel], arch: str, driver: int) -> list[bytes]:
            found.extend(kernels)
            raise Collected

        before, loaded.build_cubins = loaded.build_cubins, collect  # type: ignore[assignment]
        try:
            with set_to(variant):
                self.column.make(self.case)(*self.args)
        except Exception:  # what is wrong shows when it is timed
            pass
        finally:
            loaded.build_cubins = before
        arch = self.column.device.arch
        return [(cuda.translation_unit([k]), cuda.architecture([k], arch)) for k in found]

    def time(self, variant: Variant) -> str:
        with set_to(variant):
            function = self.column.make(self.case)
            result = function(*self.args).numpy()
        rows = [0, len(result) // 2, len(result) - 1]
        some = result[rows].astype("f4").reshape(-1)
        if variant.name == "as it is":
            self.error = checked(self.case, self.host, function(*self.args))
            self.some = some
        off = float(np.abs(some - self.some).max() / np.abs(self.some).max())
        found = measure(self.column, lambda: function(*self.args))
        (one,) = function.__dict__["_front"]._programs.values()
        kernel = one.executable._variant(()).plan.launches[0].kernel
        text = f"{1e3 * found['ms']:10.1f} us {self.case.flops / found['ms'] / 1e9:7.1f} TFLOP/s"
        text += (
            f"  grid {kernel.grid} of {kernel.block}, {kernel.shared_bytes} bytes, off {off:.1e}"
        )
        return text if variant.name != "as it is" else f"{text}, error {self.error}"


def main(seconds: float, tiny: bool, workers: int, plans: Sequence[Any]) -> None:
    started = time.perf_counter()
    column, known = GraphcGenerated(), {case.name: case for case in cases.timed()}
    plan = [(Runner(column, small(known[n]) if tiny else known[n]), some) for n, some in plans]
    units = {unit: 0 for runner, some in plan for one in some for unit in runner.sources(one)}
    with ThreadPoolExecutor(workers) as pool:
        driver = column.device.driver_version
        for made in [pool.submit(build._cubin, text, arch, driver) for text, arch in units]:
            made.exception()  # it shows when it is timed
    print(f"{len(units)} kernels built after {time.perf_counter() - started:.1f} s", flush=True)
    for runner, some in plan:
        print(runner.case.name, flush=True)
        for variant in some:
            if time.perf_counter() - started > seconds:
                print("  no time was left")
                return
            try:
                text = runner.time(variant)
            except Exception as error:  # a form without room for its registers or tiles
                text = f"{type(error).__name__}: {str(error)[:120]}"
            print(f"  {variant.name:32s} {text}", flush=True)


if __name__ == "__main__":
    if "--standin" in sys.argv:
        from tests.device import standin

        standin.install()
    (*_, seconds) = (60.0, *(float(a) for a in sys.argv[1:] if not a.startswith("--")))
    chosen = PLAN_NUMBERS if "--numbers" in sys.argv else PLAN
    chosen = PLAN_WGMMA if "--wgmma" in sys.argv else chosen
    main(seconds, "--tiny" in sys.argv, min(14, os.cpu_count() or 1), chosen)
    sys.stdout.flush()
    os._exit(0)
