"""A denoising convolutional autoencoder on MNIST: 28 -> 14 -> 7 -> 4 -> 8 -> 16 -> 14 -> 28.

    python -m examples.course.autoencoder --epochs 5
    python -m examples.course.autoencoder                50 epochs, batches of 128

Noise 0.5 N(0, 1), cut to 0..1; binary cross-entropy; Adam. The course prints 0.0985 on the test
images after 50 epochs.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import graphc
from graphc import nn, optim, random

from . import material

BATCH = 128
CHANNELS = ((1, 32), (32, 32), (32, 16), (16, 16), (16, 32), (32, 32), (32, 1))


def make_parameters(seed: int) -> list[dict[str, Any]]:
    keys = random.split(random.key(seed), len(CHANNELS))
    return [
        {"kernel": nn.initializers.glorot_uniform(k, (3, 3, a, b)), "bias": np.zeros(b, np.float32)}
        for k, (a, b) in zip(keys, CHANNELS, strict=True)
    ]


def logits(p: list[dict[str, Any]], x: Any) -> Any:
    """(batch, 28, 28, 1) before the sigmoid."""

    def layer(x: Any, k: int, padding: str = "same") -> Any:
        return nn.relu(nn.conv(x, p[k]["kernel"], padding=padding) + p[k]["bias"])

    for k in range(3):
        x = nn.max_pool(layer(x, k), 2, padding="same")
    for k in range(3, 6):
        x = nn.upsample(layer(x, k, "valid" if k == 5 else "same"), 2)
    return nn.conv(x, p[6]["kernel"], padding="same") + p[6]["bias"]


def loss(p: list[dict[str, Any]], x: Any, y: Any) -> Any:
    return nn.losses.binary_cross_entropy(logits(p, x), y, from_logits=True)


def make_step(adam: optim.Optimizer) -> Any:
    def step(p: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
        value, gradient = graphc.value_and_grad(loss)(p, x, y)
        p, state = adam.update(p, gradient, state)
        return p, state, value

    return graphc.jit(step, donate=("p", "state"))


def noisy(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    return np.clip(images + np.float32(0.5) * noise, 0, 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=11)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    images, _, test_images, _ = (a[..., None] for a in material.mnist())
    x, x_test = noisy(rng, images), noisy(rng, test_images)
    adam = optim.adam(1e-3)
    p = make_parameters(given.seed)
    state, step = adam.init(p), make_step(adam)
    test = graphc.jit(loss)
    curve = []
    for epoch in range(given.epochs):
        start, values = time.perf_counter(), []
        for rows in material.batches(rng, len(images), BATCH):
            p, state, value = step(p, state, x[rows], images[rows])
            values.append(float(value))
        seconds = time.perf_counter() - start
        parts = [
            test(p, x_test[k : k + 500], test_images[k : k + 500]) for k in range(0, 10_000, 500)
        ]
        curve.append((np.mean(values), np.mean(parts)))
        print(
            f"epoch {epoch + 1:2}: loss {curve[-1][0]:.4f}, on test images {curve[-1][1]:.4f}, "
            f"{seconds / len(values) * 1e3:.1f} ms a step",
            flush=True,
        )
    plt = material.plot()
    rebuilt = np.asarray(nn.sigmoid(logits(p, x_test[:10])))
    _, axes = plt.subplots(3, 10, figsize=(10, 3.2), dpi=80)
    for k in range(10):
        for row, image in zip(axes, (test_images[k], x_test[k], rebuilt[k]), strict=True):
            row[k].imshow(image[..., 0], cmap="gray")
            row[k].axis("off")
    path = material.picture("autoencoder.png")
    plt.savefig(path, bbox_inches="tight")
    _, axes = plt.subplots(figsize=(5, 3), dpi=100)
    axes.plot(range(1, len(curve) + 1), curve, label=("training", "test"))
    axes.set_xlabel("epoch")
    axes.set_ylabel("binary cross-entropy")
    axes.legend()
    plt.savefig(material.picture("autoencoder_loss.png"), bbox_inches="tight")
    print("pictures:", path.relative_to(material.ROOT))


if __name__ == "__main__":
    main()
