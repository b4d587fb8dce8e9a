"""Training on more data than one worker holds: the gradient as an artifact, run by Dask.

    python -m examples.scale_out                              # 2 workers of 512 MB, 1 GB of data
    python -m examples.scale_out --rows 4000 --parts 8        # small

`build` compiles the loss and its gradient into one zip file. Dask hands the file to its workers,
which need NumPy and graphc_runtime, and neither the compiler nor LLVM: a worker of another machine
is set up by two packages of a few hundred kilobytes. The data lie in files; a worker maps the part
that its task names, so memory holds a part at a time, whatever the sum of them is. Each step sends
the weights out and adds the parts' gradients up.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

FEATURES = 64


def loss(w: Any, x: Any, y: Any) -> Any:
    """The logistic loss of a part of the data, summed; y is 1 or -1."""
    return np.logaddexp(0, -y * (x @ w)).sum()


def build(place: Path) -> Path:
    """The loss with its gradient, for parts of any size, as one zip file that can be imported."""
    import graphc

    types = {"w": f"f32[{FEATURES}]", "x": f"f32[rows, {FEATURES}]", "y": "f32[rows]"}
    folder = place / "logistic"
    graphc.build(folder, graphc.export(loss, kind="value_and_grad", name="loss_and_grad", **types))
    archive = place / "logistic.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            file.write(path, path.relative_to(place))
    return archive


def write_parts(place: Path, rows: int, parts: int) -> list[str]:
    """The data in files: rows of features with the label behind them."""
    truth = np.random.default_rng(0).normal(size=FEATURES).astype(np.float32)
    paths = []
    for number, size in enumerate(np.diff(np.linspace(0, rows, parts + 1).astype(int))):
        rng = np.random.default_rng(number + 1)
        data = rng.normal(size=(size, FEATURES + 1)).astype(np.float32)
        data[:, -1] = np.where(data[:, :-1] @ truth + data[:, -1] > 0, 1, -1)
        paths.append(str(place / f"part{number}.npy"))
        np.save(paths[-1], data)
    return paths


def of_part(path: str, w: np.ndarray) -> tuple[float, np.ndarray]:
    """What a worker does: the loss and the gradient of one part."""
    import logistic  # type: ignore[import-not-found]  # the zip file that Dask handed over

    data = np.load(path, mmap_mode="r")
    value, gradient = logistic.loss_and_grad(w, data[:, :-1], np.ascontiguousarray(data[:, -1]))
    return float(value), gradient


def train(client: Any, paths: list[str], rows: int, steps: int, rate: float) -> np.ndarray:
    """Full steps of gradient descent; prints the loss."""
    w = np.zeros(FEATURES, np.float32)
    for step in range(steps):
        found = client.gather(client.map(of_part, paths, w=w, pure=False))
        print(f"step {step}: loss {sum(value for value, _ in found) / rows:.4f}", flush=True)
        w = w - np.float32(rate / rows) * sum(gradient for _, gradient in found)
    return w


def loaded() -> list[str]:
    """The packages of the compiler that a process has imported."""
    return sorted({"graphc", "llvmlite"} & set(sys.modules))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--parts", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", default="512MB", help="of each worker")
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    from distributed import Client, LocalCluster  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as room:
        archive = build(Path(room))
        paths = write_parts(Path(room), options.rows, options.parts)
        with (
            LocalCluster(options.workers, threads_per_worker=1, memory_limit=options.memory,
                         dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):  # fmt: skip
            client.upload_file(str(archive))
            train(client, paths, options.rows, options.steps, rate=4.0)
            imported = [name for names in client.run(loaded).values() for name in names]
            print(f"of the compiler, the workers loaded {imported}")


if __name__ == "__main__":
    main()
