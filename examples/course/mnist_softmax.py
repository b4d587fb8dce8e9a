"""MNIST softmax regression: Dense(10), SGD, 200 epochs of batches of 128, a fifth for validation.

    python -m examples.course.mnist_softmax              3 seeds
    python -m examples.course.mnist_softmax --epochs 5

The course prints loss 0.2778 and accuracy 0.9215 on the test images, and 7 850 parameters.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import graphc
from graphc import nn, optim

from . import material

BATCH = 128


def logits(parameters: dict[str, Any], x: Any) -> Any:
    return nn.dense(x, parameters["kernel"], parameters["bias"])


def loss(parameters: dict[str, Any], x: Any, y: Any) -> Any:
    return nn.losses.sparse_categorical_cross_entropy(logits(parameters, x), y, from_logits=True)


def epoch(
    parameters: dict[str, Any], images: Any, labels: Any, order: Any, sgd: optim.Optimizer
) -> tuple[dict[str, Any], Any]:
    """(the parameters after all batches, the mean of their losses); order: (batches, BATCH)."""

    def step(carry: tuple[Any, Any], rows: Any) -> tuple[tuple[Any, Any], Any]:
        parameters, state = carry
        value, gradient = graphc.value_and_grad(loss)(parameters, images[rows], labels[rows])
        return sgd.update(parameters, gradient, state), value

    (parameters, _), losses = graphc.scan(step, (parameters, sgd.init(parameters)), order)
    return parameters, losses.mean()


def run(seed: int, epochs: int, limit: int = 48_000) -> tuple[float, float, float]:
    """(loss and accuracy on the test images, seconds of a step)."""
    images, labels, test_images, test_labels = material.mnist()
    images, test_images = images.reshape(-1, 784), test_images.reshape(-1, 784)
    images, labels = images[:limit], labels[:limit]
    rng = np.random.default_rng(seed)
    limit = np.sqrt(6 / (784 + 10))
    parameters = {
        "kernel": rng.uniform(-limit, limit, (784, 10)).astype(np.float32),
        "bias": np.zeros(10, np.float32),
    }
    sgd = optim.sgd(0.01)
    train = graphc.jit(lambda p, x, y, order: epoch(p, x, y, order, sgd))
    seconds = 0.0
    for k in range(epochs):
        order = material.batches(rng, len(images), BATCH)
        start = time.perf_counter()
        parameters, _ = train(parameters, images, labels, order)
        seconds += (time.perf_counter() - start) / len(order) if k else 0.0
    value = graphc.jit(loss)(parameters, test_images, test_labels)
    scores = graphc.jit(logits)(parameters, test_images)
    accuracy = nn.metrics.sparse_categorical_accuracy(scores, test_labels)
    return float(value), float(accuracy), seconds / max(1, epochs - 1)


def main() -> None:
    parser = material.options(__doc__)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=48_000, help="so many images")
    given = parser.parse_args()
    found = []
    for seed in range(given.seeds):
        value, accuracy, seconds = run(seed, given.epochs, given.limit)
        found.append((value, accuracy))
        print(
            f"seed {seed}: loss {value:.4f}, accuracy {accuracy:.4f}, {seconds * 1e6:.0f} us a step"
        )
    value, accuracy = np.mean(found, axis=0)
    print(
        f"mean of {given.seeds}: loss {value:.4f}, accuracy {accuracy:.4f} (course: 0.2778, 0.9215)"
    )


if __name__ == "__main__":
    main()
