"""Trains the course's MLP for MNIST and puts it, as WebAssembly, beside the page.

    python -m examples.browser.build build/digits         trains for 5 epochs, some seconds
    python -m http.server --directory build/digits        then open http://localhost:8000

`?draw=K` in the address draws test image K and recognises it, as the test does.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

import graphc
from examples.course import material
from examples.course.mnist_mlp import BATCH, logits, make_parameters, make_step
from graphc import nn, optim, random

PAGE = Path(__file__).with_name("index.html")
SHOWN = 40
"""So many test images lie beside the page."""


def trained(epochs: int = 5, limit: int = 48_000) -> list[dict[str, Any]]:
    """The network's parameters."""
    images, labels, _, _ = material.mnist()
    images = images.reshape(-1, 784)[:limit]
    adam, rng = optim.adam(1e-3), np.random.default_rng(0)
    parameters = make_parameters(0)
    state, step, key = adam.init(parameters), make_step(adam), random.key(1)
    for epoch in range(epochs):
        losses = []
        for rows in material.batches(rng, len(images), BATCH):
            key, used = random.split(key, 2)
            parameters, state, value = step(parameters, state, images[rows], labels[rows], used)
            losses.append(float(value))
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}", flush=True)
    return parameters


def build(folder: Path, parameters: list[dict[str, Any]]) -> None:
    """The page, the library, and some test images in a folder."""

    def recognise(x: Any) -> Any:
        """Probabilities of the ten digits of images from 0 to 1."""
        return nn.softmax(logits(parameters, x))

    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "digits"
    graphc.build(made, graphc.export(recognise, x="f32[b, 784]"), target="wasm32", graph=False)
    for suffix in (".wasm", ".mjs"):
        shutil.copy(made / f"digits{suffix}", folder / f"digits{suffix}")
    shutil.copy(PAGE, folder / "index.html")
    _, _, images, labels = material.mnist()
    rows = [
        {"label": int(k), "pixels": np.rint(x.ravel() * 255).astype(int).tolist()}
        for x, k in zip(images[:SHOWN], labels, strict=False)
    ]
    (folder / "images.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "build/digits")
    build(place, trained())
    print(f"{place}: {(place / 'digits.wasm').stat().st_size / 1e3:.0f} KB of WebAssembly")
