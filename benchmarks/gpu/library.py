"""Products by cuBLASLt beside graphc's own: `python -m benchmarks.gpu.library [--seconds 120]
[--dtypes f16 f32...] [--kinds plain layer factor] [--out FILE] [--standin]`, on a device.

For each shape and dtype: microseconds of the plain product, of one with a bias and a relu behind
it, and of one whose left operand is computed, both ways; and where the rule of
graphc/device/products.py (`chooses_library`) decides otherwise than the times by more than 5 %.
What is found here becomes the numbers of that rule. A line of JSON for each row goes to the file.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

CUBES = (256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192)
SHAPES = (
    *((1, n, n, n) for n in CUBES),
    (1, 16, 4096, 4096), (1, 64, 4096, 4096), (1, 256, 4096, 4096), (1, 4096, 16, 4096),
    (1, 4096, 4096, 64), (1, 4096, 4096, 128), (1, 4096, 4096, 256), (1, 4096, 512, 784),
    (1, 128, 512, 784), (1, 512, 512, 16384), (64, 128, 128, 128), (64, 512, 512, 512),
    (256, 128, 128, 64), (16, 1024, 1024, 64), (1, 1000, 1000, 1000), (1, 1000, 777, 1234),
    (1, 32, 32, 65536),
)  # fmt: skip
"""batch, m, n, k."""
WHO = {"own": False, "library": True}
DTYPES = ("f16", "bf16", "tf32", "f32", "f64")


@dataclass
class Row:
    """One shape of one dtype."""

    shape: tuple[int, int, int, int]
    dtype: str
    runs: dict[str, Callable[[], Any]] = field(default_factory=dict)
    us: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def chosen(self) -> bool:
        """What the rule says."""
        from graphc.device.products import chooses_library
        from graphc.types import DTYPES as KINDS

        batch, m, n, k = self.shape
        kind = KINDS["f32" if self.dtype == "tf32" else self.dtype]
        return chooses_library(kind, m, n, k, batch, self.dtype == "tf32")

    def verdict(self) -> str:
        own, library = self.us.get("plain own", 0.0), self.us.get("plain library", 0.0)
        if not own or not library:
            return "not compared"
        sooner = "library" if library < own else "own"
        wrong = max(own, library) > 1.05 * min(own, library) and (
            (sooner == "library") != self.chosen
        )
        return f"{sooner} {max(own, library) / min(own, library):.2f}x{' RULE' if wrong else ''}"

    def facts(self) -> dict[str, Any]:
        return {"shape": self.shape, "dtype": self.dtype, "us": self.us, "chosen": self.chosen,
                "failed": self.failed}  # fmt: skip


def programs() -> dict[str, Callable[..., Any]]:
    return {
        "plain": lambda a, b, c: a @ b,
        "layer": lambda a, b, c: np.maximum(a @ b + c, 0),
        "factor": lambda a, b, c: np.maximum(a, 0) @ b,
    }


class Arguments:
    """The arrays of a row, put on the device when they are first needed."""

    def __init__(self, column: Any, shapes: Sequence[tuple[int, ...]], dtype: str):
        self._column, self._shapes, self._dtype = column, shapes, dtype
        self._lock = threading.Lock()
        self._arrays: list[Any] = []

    def call(self, function: Callable[..., Any]) -> Any:
        from .speed import host_array

        with self._lock:
            if not self._arrays:
                made = (host_array(s, self._dtype) for s in self._shapes)
                self._arrays = [self._column.put(one) for one in made]
        return function(*self._arrays)


def rows(column: Any, dtype: str, kinds: Sequence[str], tiny: bool) -> Iterator[Row]:
    """Every row of a dtype, with its calls ready to be made."""
    import graphc

    precision = {"precision": "tf32"} if dtype == "tf32" else {}
    for shape in SHAPES[: 2 if tiny else None]:
        batch, m, n, k = (min(e, 40) if tiny else e for e in shape)
        row = Row((batch, m, n, k), dtype)
        front = (batch,) if batch > 1 else ()
        shapes = ((*front, m, k), (*front, k, n), (n,))
        arguments = Arguments(column, shapes, "f32" if dtype == "tf32" else dtype)
        for kind in kinds:
            for who, library in WHO.items():
                jitted = graphc.jit(programs()[kind], device="cuda", library=library, **precision)
                row.runs[f"{kind} {who}"] = partial(arguments.call, jitted)
        yield row


def compile_all(row: Row) -> Row:
    """Makes every call once."""
    for name, run in row.runs.items():
        try:
            run()
        except Exception as error:
            row.failed[name] = f"{type(error).__name__}: {str(error)[:300]}"
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--dtypes", nargs="*", default=list(DTYPES), choices=DTYPES)
    parser.add_argument("--kinds", nargs="*", default=list(programs()), choices=list(programs()))
    default = Path(os.environ.get("OUT", ".")) / "library.jsonl"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--standin", action="store_true")
    given = parser.parse_args()
    until = time.perf_counter() + given.seconds
    if given.standin:
        from tests.device import standin

        standin.install()
    from .columns import Graphc

    column = Graphc()
    names = [f"{kind} {who}" for kind in given.kinds for who in WHO]
    print(f"{'batch m n k':>26} {'':5}" + "".join(f"{name:>16}" for name in names))
    with given.out.open("w") as file:
        for dtype in given.dtypes:
            # what is compiled at the same time would disturb what is timed
            with ThreadPoolExecutor(8) as pool:
                ready = list(pool.map(compile_all, rows(column, dtype, given.kinds, given.standin)))
            for row in ready:
                if time.perf_counter() > until:
                    print("the time is up")
                    return
                timed(column, row, names)
                file.write(json.dumps(row.facts()) + "\n")
                file.flush()


def timed(column: Any, row: Row, names: Sequence[str]) -> None:
    """Times and prints a row."""
    from .speed import measure

    for name, run in row.runs.items():
        if name not in row.failed:
            row.us[name] = 1e3 * measure(column, run)["ms"]
    times = "".join(f"{row.us.get(name, float('nan')):16.1f}" for name in names)
    shown = " x ".join(map(str, row.shape))
    print(f"{shown:>26} {row.dtype:5}{times}  {row.verdict()}", flush=True)
    for name, text in row.failed.items():
        print(f"    {name}: {text}")
    row.runs.clear()  # and the arrays with them


if __name__ == "__main__":
    main()
    os._exit(0)
