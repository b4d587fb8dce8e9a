"""MNIST: 784-128-128-10 with dropout 0.3, Adam, 20 epochs of batches of 512.

    python -m examples.course.mnist_mlp                 3 seeds
    python -m examples.course.mnist_mlp --as-printed    Adam in the form that the course prints

The course prints loss 0.0738 and accuracy 0.9780 on the test images, and 118 282 parameters.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np

import graphc
from graphc import nn, optim, random

from . import material

BATCH, RATE, DROPPED = 512, 1e-3, 0.3


def logits(parameters: list[dict[str, Any]], x: Any, key: Any = None) -> Any:
    """Scores of the ten digits; with a key in training, without one the network as it is used."""
    keys = [None, None] if key is None else random.split(key, 2)
    for p, k in zip(parameters[:-1], keys, strict=True):
        x = nn.relu(nn.dense(x, p["kernel"], p["bias"]))
        if k is not None:
            x = nn.dropout(x, DROPPED, k)
    return nn.dense(x, parameters[-1]["kernel"], parameters[-1]["bias"])


def loss(parameters: list[dict[str, Any]], x: Any, y: Any, key: Any = None) -> Any:
    return nn.losses.sparse_categorical_cross_entropy(
        logits(parameters, x, key), y, from_logits=True
    )


def make_step(adam: optim.Optimizer) -> Any:
    """One compiled call: forwards, backwards and the update; parameters and state in place."""

    def step(parameters: Any, state: Any, x: Any, y: Any, key: Any) -> tuple[Any, Any, Any]:
        value, gradient = graphc.value_and_grad(loss)(parameters, x, y, key)
        parameters, state = adam.update(parameters, gradient, state)
        return parameters, state, value

    return graphc.jit(step, donate=("parameters", "state"))


def make_parameters(
    seed: int, widths: tuple[int, ...] = (784, 128, 128, 10)
) -> list[dict[str, Any]]:
    """Glorot's uniform numbers, and biases of 0."""
    keys = random.split(random.key(seed), len(widths) - 1)
    return [
        {"kernel": nn.initializers.glorot_uniform(k, shape), "bias": np.zeros(shape[1], np.float32)}
        for k, shape in zip(keys, pairwise(widths), strict=True)
    ]


def run(
    seed: int, epochs: int, adam: optim.Optimizer, limit: int = 48_000
) -> tuple[float, float, float]:
    """(loss and accuracy on the test images, seconds of a step)."""
    images, labels, test_images, test_labels = material.mnist()
    images, test_images = images.reshape(-1, 784), test_images.reshape(-1, 784)
    images, labels = images[:limit], labels[:limit]
    rng = np.random.default_rng(seed)
    parameters = make_parameters(seed)
    state = adam.init(parameters)
    step, key = make_step(adam), random.key(seed + 1000)
    steps, seconds = 0, 0.0
    for k in range(epochs):
        for rows in material.batches(rng, len(images), BATCH):
            x, y = images[rows], labels[rows]
            key, used = random.split(key, 2)
            start = time.perf_counter()
            parameters, state, _ = step(parameters, state, x, y, used)
            if k:
                seconds += time.perf_counter() - start
                steps += 1
    value = graphc.jit(loss)(parameters, test_images, test_labels)
    scores = graphc.jit(logits)(parameters, test_images)
    accuracy = nn.metrics.sparse_categorical_accuracy(scores, test_labels)
    return float(value), float(accuracy), seconds / max(1, steps)


def main() -> None:
    parser = material.options(__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=48_000, help="so many images")
    parser.add_argument("--as-printed", action="store_true", help="no bias correction, beta2 0.99")
    given = parser.parse_args()
    adam = optim.course.adam(RATE) if given.as_printed else optim.adam(RATE)
    found = []
    for seed in range(given.seeds):
        value, accuracy, seconds = run(seed, given.epochs, adam, given.limit)
        found.append((value, accuracy))
        print(
            f"seed {seed}: loss {value:.4f}, accuracy {accuracy:.4f}, {seconds * 1e3:.2f} ms a step"
        )
    value, accuracy = np.mean(found, axis=0)
    print(
        f"mean of {given.seeds}: loss {value:.4f}, accuracy {accuracy:.4f} (course: 0.0738, 0.9780)"
    )


if __name__ == "__main__":
    main()
