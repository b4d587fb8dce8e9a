"""How long importing an artifact takes in a fresh process, beside NumPy's own import.

    python -m benchmarks.shipping.importing            # medians; --runs 31, --weights file

The artifact is an MLP of MNIST's size with its gradient. Times are taken inside the processes:
NumPy first, then the artifact, then its first call.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

CHILD = """
import time, json, sys
begin = time.perf_counter()
import numpy as np
with_numpy = time.perf_counter()
import model
imported = time.perf_counter()
model.predict(np.zeros((1, 784), np.float32))
called = time.perf_counter()
print(json.dumps([with_numpy - begin, imported - with_numpy, called - imported]))
"""


def build(folder: Path, weights: str) -> int:
    """Builds the artifact; answers the bytes of its shared library."""
    from graphc.aot.build import build as build_artifact
    from graphc.aot.build import export

    rng = np.random.default_rng(0)
    sizes = (784, 512, 256, 10)
    layers = [
        (rng.normal(size=(m, n)).astype(np.float32), np.zeros(n, np.float32))
        for m, n in pairwise(sizes)
    ]

    def run(x: Any, layers: Any) -> Any:
        for w, b in layers[:-1]:
            x = np.maximum(x @ w + b, 0)
        return x @ layers[-1][0] + layers[-1][1]

    def predict(x: Any) -> Any:
        return run(x, layers)

    def loss(layers: Any, x: Any, y: Any) -> Any:
        return ((run(x, layers) - y) ** 2).mean()

    kinds = [(f"f32[{w.shape[0]}, {w.shape[1]}]", f"f32[{b.size}]") for w, b in layers]
    build_artifact(
        folder, export(predict, x="f32[b, 784]"),
        export(loss, kind="grad", layers=kinds, x="f32[b, 784]", y="f32[b, 10]"), weights=weights,
    )  # fmt: skip
    return (folder / "model.so").stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--weights", default="embed", choices=("embed", "file"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        nbytes = build(Path(room) / "model", options.weights)
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([room, os.environ.get("PYTHONPATH", "")]),
        }
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        env.setdefault("PYTHONPYCACHEPREFIX", f"{room}/cache")
        rows = []
        for _ in range(options.runs + 1):
            found = subprocess.run([sys.executable, "-c", CHILD], env=env, capture_output=True,
                                   text=True, check=True)  # fmt: skip
            rows.append([1e3 * t for t in json.loads(found.stdout)])
    numpy, imported, called = (statistics.median(column) for column in zip(*rows[1:], strict=True))
    print(f"model.so {nbytes / 1024:.0f} KiB, weights: {options.weights}")
    print(
        f"import numpy {numpy:8.2f} ms   import model {imported:8.2f} ms   first call {called:.2f}"
    )


if __name__ == "__main__":
    main()
