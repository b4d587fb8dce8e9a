"""ResNet-50 as a NumPy program over a dict of parameters.

Images are (batch, height, width, channel), kernels (height, width, in, out). Batches are normalised
with given means and variances, as in inference.

    python examples/resnet50.py            one image of 224x224
    python examples/resnet50.py --small    few channels and blocks, 32x32

Source: He, Zhang, Ren, Sun, Deep Residual Learning, 2016, with the stride in the 3x3 convolutions
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import graphc
from graphc import nn

LARGE = {
    "stages": ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)), "stem": 64, "classes": 1000,
    "image": 224,
}  # fmt: skip
"""`stages`: channels in the middle of a block, blocks, stride of the first one."""
SMALL = {"stages": ((4, 2, 1), (8, 1, 2)), "stem": 4, "classes": 10, "image": 32}
WIDER = 4
"""Channels at the end of a block for each one in its middle."""


def resnet50(parameters: dict[str, Any], x: Any) -> Any:
    """The scores of the classes."""
    x = np.maximum(unit(parameters["stem"], x, 2), 0)
    x = nn.max_pool(x, 3, 2, padding=1)
    for number, stage in enumerate(parameters["stages"]):
        for k, block in enumerate(stage):
            x = residual(block, x, 2 if number > 0 and k == 0 else 1)
    x = x.mean(axis=(1, 2))
    return x @ parameters["dense"]["kernel"] + parameters["dense"]["bias"]


def residual(block: dict[str, Any], x: Any, stride: int) -> Any:
    """A bottleneck; its first one of a stage has a projection of x."""
    h = np.maximum(unit(block["reduce"], x), 0)
    h = np.maximum(unit(block["middle"], h, stride), 0)
    h = unit(block["expand"], h)
    if "project" in block:
        x = unit(block["project"], x, stride)
    return np.maximum(x + h, 0)


def unit(p: dict[str, Any], x: Any, stride: int = 1) -> Any:
    """A convolution and the normalisation of its results."""
    x = nn.conv(x, p["kernel"], stride, padding=p["kernel"].shape[0] // 2)
    return (x - p["mean"]) * (p["scale"] / np.sqrt(p["variance"] + 1e-5)) + p["shift"]


def make_parameters(
    rng: np.random.Generator, stages: Any, stem: int, classes: int, image: int
) -> dict[str, Any]:
    """Random ones, which keep the size of what flows through the network."""
    parameters: dict[str, Any] = {"stem": make_unit(rng, 7, 3, stem), "stages": []}
    inside = stem
    for middle, blocks, _ in stages:
        stage = []
        for k in range(blocks):
            block = {
                "reduce": make_unit(rng, 1, inside, middle),
                "middle": make_unit(rng, 3, middle, middle),
                "expand": make_unit(rng, 1, middle, WIDER * middle),
            }
            if k == 0:
                block["project"] = make_unit(rng, 1, inside, WIDER * middle)
            inside = WIDER * middle
            stage.append(block)
        parameters["stages"].append(stage)
    parameters["dense"] = {"kernel": he(rng, inside, classes), "bias": small(rng, classes)}
    return parameters


def make_unit(rng: np.random.Generator, size: int, inside: int, out: int) -> dict[str, Any]:
    return {
        "kernel": he(rng, size, size, inside, out),
        "scale": 1 + small(rng, out),
        "shift": small(rng, out),
        "mean": small(rng, out),
        "variance": 1 + small(rng, out) ** 2,
    }


def he(rng: np.random.Generator, *shape: int) -> np.ndarray:
    scale = np.float32(np.sqrt(2 / np.prod(shape[:-1])))
    return scale * rng.standard_normal(shape, dtype=np.float32)


def small(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.float32(0.1) * rng.standard_normal(size, dtype=np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description="ResNet-50 on one random image")
    parser.add_argument("--small", action="store_true", help="few channels, a small image")
    size: dict[str, Any] = SMALL if parser.parse_args().small else LARGE
    rng = np.random.default_rng(0)
    parameters = make_parameters(rng, **size)
    x = rng.standard_normal((1, size["image"], size["image"], 3), dtype=np.float32)
    network = graphc.jit(resnet50)
    for call in ("first call, with its compilation", "second call"):
        start = time.perf_counter()
        scores = network(parameters, x)
        print(f"{call}: {1e3 * (time.perf_counter() - start):.1f} ms")
    best = np.argsort(scores[0])[::-1][:5]
    print("classes with the highest scores:", *(f"{k} ({scores[0, k]:.3f})" for k in best))


if __name__ == "__main__":
    main()
