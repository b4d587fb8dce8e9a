"""A self-organising map of 16 colours: 30 x 30 neurons, 400 rounds, a picture.

    python -m examples.course.som_colors

For a colour x the nearest neuron c wins, d = sqrt(sum (W - x)^2), and every neuron moves towards x
by eta exp(-dist(neuron, c)^2 / sigma^2) (x - W); eta = 0.5 and sigma = 10 shrink with 1 - i / N.
In the picture neighbours are alike, and each of the 16 colours of colors.csv has its place.

Source: Kohonen, Self-organized formation of topologically correct feature maps, 1982
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import graphc

from . import material

SIDE = 30
RATE, RADIUS = 0.5, 10.0


def show(weights: Any, color: Any, rate: Any, radius: Any) -> Any:
    """The map (SIDE, SIDE, 3) after one colour was shown to it."""
    distance = np.sqrt(((weights - color) ** 2).sum(axis=-1))
    winner = np.argmin(distance.reshape(-1))
    row, column = winner // SIDE, winner % SIDE
    y, x = np.arange(SIDE)[:, None], np.arange(SIDE)[None, :]
    squared = ((y - row) ** 2 + (x - column) ** 2).astype(np.float32)
    near = rate * np.exp(-squared / (radius * radius))
    return weights + near[..., None] * (color - weights)


def quantisation_error(weights: Any, colors: Any) -> Any:
    """The mean distance of a colour to its winner."""
    apart = ((colors[:, None, :] - weights.reshape(-1, 3)[None]) ** 2).sum(axis=-1)
    return np.sqrt(apart.min(axis=1)).mean()


def train(seed: int, rounds: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(the map, the colours, seconds of a step)."""
    colors, _ = material.colors()
    rng = np.random.default_rng(seed)
    weights = rng.random((SIDE, SIDE, 3), dtype=np.float32)
    step = graphc.jit(show)
    step(weights, colors[0], np.float32(0.5), np.float32(10))
    start = time.perf_counter()
    for i in range(rounds):
        left = np.float32(1 - i / rounds)
        for k in rng.permutation(len(colors)):
            weights = step(weights, colors[k], np.float32(RATE) * left, np.float32(RADIUS) * left)
    return weights, colors, (time.perf_counter() - start) / (rounds * len(colors))


def main() -> None:
    parser = material.options(__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    material.picture_option(parser)
    given = parser.parse_args()
    weights, colors, seconds = train(0, given.rounds)
    error = graphc.jit(quantisation_error)(weights, colors)
    print(f"{given.rounds} rounds of {len(colors)} colours, {seconds * 1e6:.1f} us a step")
    print(f"mean distance of a colour to its neuron: {error:.4f}")
    material.save_image(given.pictures / "som_colors.png", material.enlarged(weights, 10))


if __name__ == "__main__":
    main()
