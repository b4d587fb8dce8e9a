"""One artifact with functions of every kind, built once for the tests of artifacts."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import namedtuple
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from graphc.aot.build import build, export

ROOT = Path(__file__).parents[2]
DTYPES = ("bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "bf16", "f32", "f64",
          "c64", "c128")  # fmt: skip
W = np.random.default_rng(7).normal(size=(6, 700)).astype(np.float32)
"""Large enough for the block of weights; the stored artifacts have it, too."""
Point = namedtuple("Point", "x y")


@dataclass
class State:
    position: Any
    speed: Any


def layer(x, w, b):
    """One layer: tanh of a product and a bias."""
    return np.tanh(x @ w + b)


def wide(x):
    return x @ W


def nested(params, batch):
    first, (second, third) = batch
    total = params["w"][0] * first + params["w"][1].x - params["w"][1].y
    return {"z": total, "a": [second + 1, (third * 2,)], "none": None}, params["s"].position


def numbers(x, scale, count, flag, z):
    return np.where(flag, x * scale, x + count), (x * z).sum(), x.sum()


def identity(arrays):
    return dict(arrays)


def step(params, x, rate):
    """Writes its parameters over."""
    params["w"] -= rate * x.sum(axis=0)
    return params, (params["w"] ** 2).sum()


def shifted(x):
    return x[2:] - x[:-2]


def taken(x, index):
    return x[index]


def labelled(x, mode):
    return ("label", 3, x * 2 if mode == "double" else x)


def weak(x, scale):
    return scale * 2, x


def loss(w, x, y):
    return ((np.tanh(x @ w) - y) ** 2).mean()


def exports() -> list[Any]:
    f32 = "f32[n]"
    return [
        export(layer, x="f32[b, 6]", w="f32[6, 4]", b="f32[4]"),
        export(wide, x="f32[b, 6]"),
        export(nested, params={"w": [f32, Point(f32, f32)], "s": State(f32, "f32[2]")},
               batch=(f32, [f32, f32])),
        export(numbers, x="f64[n]", scale="float", count="int", flag="bool", z="complex"),
        export(identity, arrays={d: f"{d}[n]" for d in DTYPES}),
        export(step, params={"w": "f32[k]"}, x="f32[b, k]", rate="f32", donate="params"),
        export(shifted, x="f64[n]"),
        export(taken, x="f64[n]", index="i64[k]"),
        export(labelled, x="f64[n]", static={"mode": "double"}),
        export(weak, x="f64[n]", scale="float"),
        export(loss, w="f32[6, 4]", x="f32[b, 6]", y="f32[b, 4]"),
        export(loss, kind="grad", w="f32[6, 4]", x="f32[b, 6]", y="f32[b, 4]"),
    ]  # fmt: skip


@lru_cache(maxsize=1)
def _room() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="graphc-artifacts-")


@lru_cache(maxsize=2)
def folder(weights: str = "embed") -> Path:
    """The artifact in a folder; its name is that of the package."""
    place = Path(_room().name) / weights / "model"
    build(place, *exports(), cpu="baseline", weights=weights, doc="Functions for tests.")
    return place


def run(
    script: str, *paths: Path, without: tuple[str, ...] = ("graphc", "llvmlite", "optree")
) -> subprocess.CompletedProcess[str]:
    """A script in a process that cannot import the compiler; the paths are on its sys.path."""
    head = f"""
import sys
class _Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {without!r}:
            raise ImportError(f"{{name}} is not there")
sys.meta_path.insert(0, _Block())
sys.path[:0] = {[str(p) for p in (*paths, ROOT / "typings")]!r}
"""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", head + script], capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


def answer(script: str, *paths: Path) -> str:
    """What such a script prints."""
    found = run(script, *paths)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


__all__ = ["DTYPES", "ROOT", "Point", "State", "W", "answer", "folder", "run"]
