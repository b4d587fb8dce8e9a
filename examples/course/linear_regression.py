"""Linear regression, births for each woman -> life expectancy, 190 countries, one at a time.

    python -m examples.course.linear_regression
    python -m examples.course.linear_regression --show      the graph of a step, with its gradient

w = b = 0, rate 0.001, 100 epochs of 190 steps of stochastic gradient descent on (y - (w x + b))^2.
The result, -6.0702 births + 84.9295, is not that of least squares (-5.7188 and 85.7135), nor would
more epochs bring it there: with the countries always in the order of the file w settles at -6.11.
In a new order for each epoch it would swing about -5.70.

An epoch is one compiled loop (graphc.scan over the countries); stepping from Python is timed beside
it.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import graphc

from . import material

EPOCHS, RATE = 100, np.float32(1e-3)


def loss(parameters: Any, sample: Any) -> Any:
    w, b = parameters
    x, y = sample
    return (y - (w * x + b)) ** 2


def step(parameters: Any, sample: Any) -> tuple[Any, Any]:
    """(the parameters (w, b) after one country, its loss)."""
    value, gradient = graphc.value_and_grad(loss)(parameters, sample)
    return parameters - RATE * gradient, value


def epoch(parameters: Any, samples: Any) -> tuple[Any, Any]:
    """(the parameters after all countries, the mean of the losses on the way)."""
    parameters, losses = graphc.scan(step, parameters, samples)
    return parameters, losses.mean()


def main() -> None:
    parser = material.options(__doc__)
    parser.add_argument("--show", action="store_true", help="print the graph of one step")
    material.picture_option(parser)
    given = parser.parse_args()
    x, y = material.birth_life()
    samples = np.stack([x, y], axis=1)
    start = np.zeros(2, np.float32)
    if given.show:
        print(graphc.jit(step).lower(start, samples[0]).text("graph"))

    compiled = graphc.jit(epoch)
    compiled(start, samples)
    parameters, mean = start, np.float32(0)
    begin = time.perf_counter()
    for _ in range(EPOCHS):
        parameters, mean = compiled(parameters, samples)
    seconds = (time.perf_counter() - begin) / (EPOCHS * len(x))

    one = graphc.jit(step)
    stepped = start
    one(stepped, samples[0])
    begin = time.perf_counter()
    for _ in range(EPOCHS):
        for sample in samples:
            stepped, _loss = one(stepped, sample)
    python = (time.perf_counter() - begin) / (EPOCHS * len(x))

    w, b = parameters
    print(f"life expectancy = {w:.4f} births + {b:.4f}, mean loss of the last epoch {mean:.3f}")
    print(f"stepped from Python: {stepped[0]:.4f}, {stepped[1]:.4f}")
    slope, intercept = np.polyfit(x, y, 1)
    print(f"least squares:       {slope:.4f}, {intercept:.4f}")
    print(f"a step: {seconds * 1e6:.3f} us in a compiled epoch, {python * 1e6:.2f} us from Python")

    plt = material.plot()
    if plt is None:
        return
    _, axes = plt.subplots(figsize=(5, 4), dpi=80)
    axes.plot(x, y, ".", label="countries, 2010")
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, w * ends + b, label="gradient descent")
    axes.plot(ends, slope * ends + intercept, "--", label="least squares")
    axes.set_xlabel("births for each woman")
    axes.set_ylabel("life expectancy, years")
    axes.legend()
    material.save_plot(given.pictures / "linear_regression.png")


if __name__ == "__main__":
    main()
