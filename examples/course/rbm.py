"""A restricted Boltzmann machine on MNIST: contrastive divergence, and what it makes of digits.

    python -m examples.course.rbm

784 visible and 128 hidden units, CD-1, 10 epochs of batches of 100, rate 0.05. The squared error
of a rebuilt pixel falls from 0.043 in the first epoch to 0.016. CD-1: the gradient of the
likelihood needs samples of the model, and one step of Gibbs sampling from the data stands for them.

Source: Hinton, Training products of experts by minimizing contrastive divergence, 2002
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import graphc
from graphc import nn, random

from . import material

HIDDEN, BATCH, RATE = 128, 100, np.float32(0.05)


def hidden(parameters: tuple[Any, Any, Any], v: Any) -> Any:
    """P(h = 1 | v)."""
    w, _, c = parameters
    return nn.sigmoid(v @ w + c)


def visible(parameters: tuple[Any, Any, Any], h: Any) -> Any:
    """P(v = 1 | h)."""
    w, b, _ = parameters
    return nn.sigmoid(h @ w.T + b)


@graphc.jit
def step(parameters: tuple[Any, Any, Any], v: Any, key: Any) -> tuple[tuple[Any, Any, Any], Any]:
    """(the parameters after one batch, the mean squared error of its reconstruction)."""
    w, b, c = parameters
    h = hidden(parameters, v)
    sample = random.bernoulli(key, h).astype(np.float32)
    v1 = visible(parameters, sample)
    h1 = hidden(parameters, v1)
    rate = RATE / v.shape[0]
    w = w + rate * (v.T @ h - v1.T @ h1)
    b = b + rate * (v - v1).sum(axis=0)
    c = c + rate * (h - h1).sum(axis=0)
    return (w, b, c), ((v - v1) ** 2).mean()


def main() -> None:
    parser = material.options(__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--limit", type=int, default=60_000, help="so many images")
    material.picture_option(parser)
    given = parser.parse_args()
    images, _, test_images, _ = material.mnist()
    images, test_images = images[: given.limit].reshape(-1, 784), test_images.reshape(-1, 784)
    rng, key = np.random.default_rng(0), random.key(0)
    parameters = (
        (0.01 * rng.standard_normal((784, HIDDEN))).astype(np.float32),
        np.zeros(784, np.float32),
        np.zeros(HIDDEN, np.float32),
    )
    for epoch in range(given.epochs):
        errors, start = [], time.perf_counter()
        for rows in material.batches(rng, len(images), BATCH):
            key, used = random.split(key, 2)
            parameters, error = step(parameters, images[rows], used)
            errors.append(float(error))
        seconds = time.perf_counter() - start
        print(
            f"epoch {epoch + 1:2}: squared error {np.mean(errors):.4f}, "
            f"{seconds / len(errors) * 1e3:.2f} ms a step"
        )
    rebuilt = np.asarray(visible(parameters, hidden(parameters, test_images[:10])))
    error = ((rebuilt - test_images[:10]) ** 2).mean()
    print(f"ten test digits rebuilt: squared error {error:.4f}")
    shown = np.stack([test_images[:10], rebuilt]).reshape(2, 10, 28, 28)
    material.save_image(given.pictures / "rbm.png", material.grid(shown))


if __name__ == "__main__":
    main()
