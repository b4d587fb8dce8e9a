"""A small CycleGAN: U-net generators, PatchGAN discriminators, losses as the course prints them.

    python -m examples.course.cyclegan --steps 40

The course's networks take 256 x 256 and 50 epochs; these take 32 x 32, and no figure is
to be compared.
Two heaps of pictures that do not belong together: ships (A) and automobiles (B) of CIFAR-10.
Generators: MSE(D_A(fake), 1) + MSE(D_B(fake), 1) + 10 MSE(cycle A) + 10 MSE(cycle B)
            + 0.1 MSE(id A) + 0.1 MSE(id B); discriminators: (d_A + d_B) / 2. Adam(1e-4, 0.5).

Source: Zhu et al., Unpaired image-to-image translation using cycle-consistent adversarial
networks, 2017
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import graphc
from graphc import nn, optim, random

from . import material

DOWN = ((3, 16), (16, 32), (32, 64))
UP = ((64, 32), (64, 16), (32, 16))
PATCH = ((3, 16, 2), (16, 32, 2), (32, 1, 1))


def conv_parameters(
    key: Any, size: int, inside: int, outside: int, norm: bool = True
) -> dict[str, Any]:
    kernel = np.float32(0.02) * random.normal(key, (size, size, inside, outside), "float32")
    p = {"kernel": kernel, "bias": np.zeros(outside, np.float32)}
    if norm:
        p |= {"scale": np.ones(outside, np.float32), "shift": np.zeros(outside, np.float32)}
    return p


def make_generator(key: Any) -> dict[str, Any]:
    keys = random.split(key, len(DOWN) + len(UP) + 1)
    n, last = len(DOWN), UP[-1][1]
    down = [conv_parameters(k, 4, a, b) for k, (a, b) in zip(keys[:n], DOWN, strict=True)]
    up = [conv_parameters(k, 3, a, b) for k, (a, b) in zip(keys[n:-1], UP, strict=True)]
    return {"down": down, "up": up, "last": conv_parameters(keys[-1], 3, last, 3, norm=False)}


def make_discriminator(key: Any) -> list[dict[str, Any]]:
    keys = random.split(key, len(PATCH))
    return [conv_parameters(k, 4, a, b, b > 1) for k, (a, b, _) in zip(keys, PATCH, strict=True)]


def layer(p: dict[str, Any], x: Any, stride: int = 1) -> Any:
    x = nn.conv(x, p["kernel"], stride=stride, padding="same") + p["bias"]
    return nn.instance_norm(x, p["scale"], p["shift"]) if "scale" in p else x


def generate(p: dict[str, Any], x: Any) -> Any:
    """(batch, 32, 32, 3) -> the same, from -1 to 1; what goes down is joined on the way up."""
    kept = []
    for one in p["down"]:
        x = nn.leaky_relu(layer(one, x, 2), 0.2)
        kept.append(x)
    kept.pop()
    for one in p["up"]:
        x = nn.relu(layer(one, nn.upsample(x, 2)))
        if kept:
            x = np.concatenate([x, kept.pop()], axis=-1)
    return np.tanh(layer(p["last"], x))


def judge(p: list[dict[str, Any]], x: Any) -> Any:
    """(batch, 8, 8, 1): how real each patch looks."""
    for one, (_, _, stride) in zip(p[:-1], PATCH[:-1], strict=True):
        x = nn.leaky_relu(layer(one, x, stride), 0.2)
    return layer(p[-1], x)


def mse(x: Any, wanted: Any) -> Any:
    return ((x - wanted) ** 2).mean()


def generator_loss(g: dict[str, Any], d: dict[str, Any], a: Any, b: Any) -> Any:
    fake_b, fake_a = generate(g["ab"], a), generate(g["ba"], b)
    return (
        mse(judge(d["a"], fake_a), 1) + mse(judge(d["b"], fake_b), 1)
        + 10 * mse(generate(g["ba"], fake_b), a) + 10 * mse(generate(g["ab"], fake_a), b)
        + 0.1 * mse(generate(g["ba"], a), a) + 0.1 * mse(generate(g["ab"], b), b)
    )  # fmt: skip


def discriminator_loss(d: dict[str, Any], g: dict[str, Any], a: Any, b: Any) -> Any:
    fake_b, fake_a = (graphc.stop_gradient(generate(g[k], x)) for k, x in (("ab", a), ("ba", b)))
    d_a = mse(judge(d["a"], a), 1) + mse(judge(d["a"], fake_a), 0)
    d_b = mse(judge(d["b"], b), 1) + mse(judge(d["b"], fake_b), 0)
    return (d_a + d_b) / 2


def main() -> None:
    parser = material.options(__doc__)
    parser.add_argument("--steps", type=int, default=40)
    given = parser.parse_args()
    found = material.archive("cifar10_subset/cifar10_subset.npz")
    images = found["x_train"].astype(np.float32) / np.float32(127.5) - 1
    labels = found["y_train"][:, 0]
    heaps = images[labels == 8], images[labels == 1]
    keys = random.split(random.key(0), 4)
    g = {"ab": make_generator(keys[0]), "ba": make_generator(keys[1])}
    d = {"a": make_discriminator(keys[2]), "b": make_discriminator(keys[3])}
    adam = optim.adam(1e-4, beta1=0.5)

    def step(g: Any, d: Any, g_state: Any, d_state: Any, a: Any, b: Any) -> tuple[Any, ...]:
        g_loss, g_gradient = graphc.value_and_grad(generator_loss)(g, d, a, b)
        d_loss, d_gradient = graphc.value_and_grad(discriminator_loss)(d, g, a, b)
        g, g_state = adam.update(g, g_gradient, g_state)
        d, d_state = adam.update(d, d_gradient, d_state)
        return g, d, g_state, d_state, g_loss, d_loss

    compiled = graphc.jit(step, donate=("g", "d", "g_state", "d_state"))
    g_state, d_state = adam.init(g), adam.init(d)
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    for k in range(given.steps):
        a, b = (heap[rng.integers(0, len(heap), 4)] for heap in heaps)
        g, d, g_state, d_state, g_loss, d_loss = compiled(g, d, g_state, d_state, a, b)
        if k == 0:
            print(
                f"first call, with the compilation: {time.perf_counter() - start:.1f} s", flush=True
            )
            start = time.perf_counter()
        if k % 10 == 0 or k == given.steps - 1:
            print(
                f"step {k:3}: generators {float(g_loss):.3f}, discriminators {float(d_loss):.3f}",
                flush=True,
            )
    print(f"{(time.perf_counter() - start) / max(1, given.steps - 1) * 1e3:.1f} ms a step")


if __name__ == "__main__":
    main()
