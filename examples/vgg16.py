"""VGG16 as a NumPy program over a dict of parameters.

Images are (batch, height, width, channel), kernels (height, width, in, out).

    python examples/vgg16.py            one image of 224x224
    python examples/vgg16.py --small    few channels, 32x32

Source: Simonyan and Zisserman, Very Deep Convolutional Networks, 2015, table 1, D
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import graphc
from graphc import nn

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and layers."""
LARGE = {"blocks": BLOCKS, "image": 224, "hidden": 4096, "classes": 1000}
SMALL = {
    "blocks": ((4, 2), (4, 2), (8, 3), (8, 3), (8, 3)), "image": 32, "hidden": 16, "classes": 10,
}  # fmt: skip


def vgg16(parameters: dict[str, Any], x: Any) -> Any:
    """The scores of the classes."""
    for block, (_, layers) in enumerate(BLOCKS, 1):
        for layer in range(1, layers + 1):
            p = parameters[f"conv{block}_{layer}"]
            x = np.maximum(nn.conv(x, p["kernel"], padding="same") + p["bias"], 0)
        x = nn.max_pool(x, 2)
    x = x.reshape(x.shape[0], -1)
    for name in ("dense1", "dense2"):
        p = parameters[name]
        x = np.maximum(x @ p["kernel"] + p["bias"], 0)
    return x @ parameters["dense3"]["kernel"] + parameters["dense3"]["bias"]


def make_parameters(
    rng: np.random.Generator, blocks: Any, image: int, hidden: int, classes: int
) -> dict[str, Any]:
    """Random ones, which keep the size of what flows through the network."""
    parameters: dict[str, Any] = {}
    inside = 3
    for block, (channels, layers) in enumerate(blocks, 1):
        for layer in range(1, layers + 1):
            kernel = he(rng, 3, 3, inside, channels)
            parameters[f"conv{block}_{layer}"] = {"kernel": kernel, "bias": small(rng, channels)}
            inside = channels
    inside *= (image // 2 ** len(blocks)) ** 2
    for k, out in enumerate((hidden, hidden, classes), 1):
        parameters[f"dense{k}"] = {"kernel": he(rng, inside, out), "bias": small(rng, out)}
        inside = out
    return parameters


def he(rng: np.random.Generator, *shape: int) -> np.ndarray:
    scale = np.float32(np.sqrt(2 / np.prod(shape[:-1])))
    return scale * rng.standard_normal(shape, dtype=np.float32)


def small(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.float32(0.1) * rng.standard_normal(size, dtype=np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description="VGG16 on one random image")
    parser.add_argument("--small", action="store_true", help="few channels, a small image")
    size: dict[str, Any] = SMALL if parser.parse_args().small else LARGE
    rng = np.random.default_rng(0)
    parameters = make_parameters(rng, **size)
    x = rng.standard_normal((1, size["image"], size["image"], 3), dtype=np.float32)
    network = graphc.jit(vgg16)
    for call in ("first call, with its compilation", "second call"):
        start = time.perf_counter()
        scores = network(parameters, x)
        print(f"{call}: {1e3 * (time.perf_counter() - start):.1f} ms")
    best = np.argsort(scores[0])[::-1][:5]
    print("classes with the highest scores:", *(f"{k} ({scores[0, k]:.3f})" for k in best))


if __name__ == "__main__":
    main()
