"""A transformer's encoder as a NumPy program over a list of dicts of parameters.

    python examples/encoder.py            4 layers, (8, 128, 256)
    python examples/encoder.py --small    2 layers, (2, 5, 16)

Source: Vaswani et al., Attention Is All You Need, 2017, figure 1, with GELU for ReLU
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import graphc

HEADS = 4
LARGE = {"layers": 4, "width": 256, "hidden": 1024}
SMALL = {"layers": 2, "width": 16, "hidden": 24}


def encoder(parameters: list[dict[str, Any]], x: Any) -> Any:
    """x (batch, length, width) after all layers."""
    for p in parameters:
        h = dense(p["out"], attention(dense(p["qkv"], x)))
        x = layer_norm(p["norm1"], x + h)
        h = dense(p["down"], gelu(dense(p["up"], x)))
        x = layer_norm(p["norm2"], x + h)
    return x


def dense(p: dict[str, Any], x: Any) -> Any:
    return x @ p["kernel"] + p["bias"]


def attention(qkv: Any) -> Any:
    """softmax(q k^T / sqrt(d)) v in every head; q, k and v are the thirds of the last axis."""
    batch, length, width = *qkv.shape[:2], qkv.shape[2] // 3
    q, k, v = (
        part.reshape(batch, length, HEADS, width // HEADS).transpose(0, 2, 1, 3)
        for part in np.split(qkv, 3, axis=-1)
    )
    scores = q @ k.transpose(0, 1, 3, 2) * (width // HEADS) ** -0.5
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return (weights @ v).transpose(0, 2, 1, 3).reshape(batch, length, width)


def layer_norm(p: dict[str, Any], x: Any) -> Any:
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * p["scale"] + p["shift"]


def gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))


def make_parameters(
    rng: np.random.Generator, layers: int, width: int, hidden: int
) -> list[dict[str, Any]]:
    """Random ones, which keep the size of what flows through the network."""

    def make_dense(inside: int, out: int) -> dict[str, Any]:
        return {"kernel": he(rng, inside, out), "bias": small(rng, out)}

    def make_norm() -> dict[str, Any]:
        return {"scale": 1 + small(rng, width), "shift": small(rng, width)}

    return [
        {
            "qkv": make_dense(width, 3 * width),
            "out": make_dense(width, width),
            "norm1": make_norm(),
            "up": make_dense(width, hidden),
            "down": make_dense(hidden, width),
            "norm2": make_norm(),
        }
        for _ in range(layers)
    ]


def he(rng: np.random.Generator, *shape: int) -> np.ndarray:
    scale = np.float32(np.sqrt(2 / np.prod(shape[:-1])))
    return scale * rng.standard_normal(shape, dtype=np.float32)


def small(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.float32(0.1) * rng.standard_normal(size, dtype=np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description="A transformer's encoder on random numbers")
    parser.add_argument("--small", action="store_true", help="2 narrow layers, few positions")
    small_one = parser.parse_args().small
    rng = np.random.default_rng(0)
    parameters = make_parameters(rng, **(SMALL if small_one else LARGE))
    x = rng.standard_normal((2, 5, 16) if small_one else (8, 128, 256), dtype=np.float32)
    network = graphc.jit(encoder)
    for call in ("first call, with its compilation", "second call"):
        start = time.perf_counter()
        y = network(parameters, x)
        print(f"{call}: {1e3 * (time.perf_counter() - start):.1f} ms")
    print(f"mean {y.mean():.4f}, standard deviation {y.std():.4f}")


if __name__ == "__main__":
    main()
