"""VGG16 and ResNet-50 with channels first, as PyTorch has them, beside the same with channels last.

    python -m benchmarks.layouts                     one thread, one image, weights as arguments
    python -m benchmarks.layouts --threads 2 --captured --batch 8
    python -m benchmarks.layouts --before            also without the pass `layouts`: slow

Columns: ms with channels last (NHWC, kernels HWIO), with channels first (NCHW, OIHW), the quotient,
the number of kernels of both, and the greatest difference relative to the greatest score.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import graphc_runtime
import numpy as np

import graphc
from examples import resnet50, vgg16
from graphc import nn
from graphc.compile import ensure_native
from graphc.passes import pipeline

AXES: dict[str, Any] = {"layout": "NCHW", "kernel_layout": "OIHW"}


def vgg16_first(parameters: dict[str, Any], x: Any) -> Any:
    """`examples.vgg16` with channels first."""
    for block, (_, layers) in enumerate(vgg16.BLOCKS, 1):
        for layer in range(1, layers + 1):
            p = parameters[f"conv{block}_{layer}"]
            y = nn.conv(x, p["kernel"], padding="same", **AXES) + p["bias"][:, None, None]
            x = np.maximum(y, 0)
        x = nn.max_pool(x, 2, layout="NCHW")
    x = x.reshape(x.shape[0], -1)
    for name in ("dense1", "dense2"):
        p = parameters[name]
        x = np.maximum(x @ p["kernel"] + p["bias"], 0)
    return x @ parameters["dense3"]["kernel"] + parameters["dense3"]["bias"]


def resnet50_first(parameters: dict[str, Any], x: Any) -> Any:
    """`examples.resnet50` with channels first."""
    x = np.maximum(unit(parameters["stem"], x, 2), 0)
    x = nn.max_pool(x, 3, 2, padding=1, layout="NCHW")
    for number, stage in enumerate(parameters["stages"]):
        for k, block in enumerate(stage):
            stride = 2 if number > 0 and k == 0 else 1
            h = np.maximum(unit(block["reduce"], x), 0)
            h = np.maximum(unit(block["middle"], h, stride), 0)
            h = unit(block["expand"], h)
            if "project" in block:
                x = unit(block["project"], x, stride)
            x = np.maximum(x + h, 0)
    x = x.mean(axis=(2, 3))
    return x @ parameters["dense"]["kernel"] + parameters["dense"]["bias"]


def unit(p: dict[str, Any], x: Any, stride: int = 1) -> Any:
    """A convolution and the normalisation of its results."""
    x = nn.conv(x, p["kernel"], stride, padding=p["kernel"].shape[2] // 2, **AXES)
    scale = p["scale"] / np.sqrt(p["variance"] + 1e-5)
    mean, shift = (p[name][:, None, None] for name in ("mean", "shift"))
    return (x - mean) * scale[:, None, None] + shift


def first(tree: Any) -> Any:
    """Parameters with the kernels of convolutions as OIHW, and the first dense kernel of VGG16 for
    what flattens channels first.
    """
    if isinstance(tree, list):
        return [first(one) for one in tree]
    if isinstance(tree, np.ndarray):
        return np.ascontiguousarray(tree.transpose(3, 2, 0, 1)) if tree.ndim == 4 else tree
    found = {name: first(one) for name, one in tree.items()}
    if "dense1" in tree:
        kernel, channels = tree["dense1"]["kernel"], tree["conv5_3"]["kernel"].shape[3]
        rows = kernel.reshape(-1, channels, kernel.shape[1]).swapaxes(0, 1)
        found["dense1"] = {**tree["dense1"], "kernel": rows.reshape(kernel.shape)}
    return found


NETWORKS: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "VGG16": (vgg16.vgg16, vgg16_first, vgg16.make_parameters, vgg16.LARGE),
    "ResNet-50": (resnet50.resnet50, resnet50_first, resnet50.make_parameters, resnet50.LARGE),
}


@contextmanager
def without_layouts() -> Iterator[None]:
    """Programs that are compiled meanwhile keep the layouts that they are written in."""
    before = pipeline.PIPELINE
    pipeline.PIPELINE = tuple(step for step in before if step is not pipeline.layouts)
    try:
        yield
    finally:
        pipeline.PIPELINE = before


def best(calls: list[Callable[[], Any]], seconds: float) -> list[float]:
    """The shortest call of each in ms; they take turns."""
    found, start, rounds = [float("inf")] * len(calls), time.perf_counter(), 0
    while rounds < 3 or time.perf_counter() - start < seconds:
        for k, call in enumerate(calls):
            before = time.perf_counter()
            call()
            found[k] = min(found[k], 1e3 * (time.perf_counter() - before))
        rounds += 1
    return found


def prepared(
    network: Callable[..., Any], parameters: Any, x: np.ndarray, captured: bool
) -> tuple[Callable[[], Any], int]:
    """A call without arguments, and the number of kernels that it runs."""
    if captured:
        inside = graphc.jit(lambda x: network(parameters, x))
        inside(x)
        return lambda: inside(x), len(inside.lower(x).kernels)
    compiled = graphc.jit(network)
    compiled(parameters, x)
    return lambda: compiled(parameters, x), len(compiled.lower(parameters, x).kernels)


def main() -> None:
    """Prints a line for each network."""
    parser = argparse.ArgumentParser(description="networks with channels first and last")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--captured", action="store_true", help="weights are constants")
    parser.add_argument("--before", action="store_true", help="also without the pass")
    parser.add_argument("--seconds", type=float, default=4, help="of measurement for a network")
    parser.add_argument("--network", choices=NETWORKS, action="append")
    options = parser.parse_args()
    os.environ["GRAPHC_CACHE_DIR"] = "off"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(range(options.threads)))
    ensure_native()
    graphc_runtime.set_threads(options.threads)
    columns = "        last    first  quotient  kernels       off" + "   before" * options.before
    print("network  " + columns)
    for name in options.network or NETWORKS:
        last_network, first_network, make, size = NETWORKS[name]
        rng = np.random.default_rng(0)
        parameters = make(rng, **size)
        x = rng.standard_normal((options.batch, size["image"], size["image"], 3), dtype=np.float32)
        turned = first(parameters), np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        ways = [
            prepared(last_network, parameters, x, options.captured),
            prepared(first_network, *turned, options.captured),
        ]
        if options.before:
            with without_layouts():
                ways.append(prepared(first_network, *turned, options.captured))
        calls = [call for call, _ in ways]
        wanted, got = (np.array(call()) for call in calls[:2])
        off = np.abs(got - wanted).max() / np.abs(wanted).max()
        ms = best(calls, options.seconds)
        print(
            f"{name:<9}{ms[0]:12.2f}{ms[1]:9.2f}{ms[1] / ms[0]:10.3f}"
            f"{ways[0][1]:5} {ways[1][1]:3}{off:10.1e}" + "".join(f"{one:9.1f}" for one in ms[2:]),
            flush=True,
        )


if __name__ == "__main__":
    main()
