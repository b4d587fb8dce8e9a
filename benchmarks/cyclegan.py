"""The course's CycleGAN as a case of `benchmarks.first_step`: graphc's step and JAX's.

graphc runs the course's own functions (examples/course/cyclegan.py); JAX has the same model in its
words. Both begin with the same weights and pictures, and must find the same losses.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

RATE, BETA1, BETA2, EPSILON = 1e-4, 0.5, 0.999, 1e-7

DOWN = ((3, 16), (16, 32), (32, 64))
UP = ((64, 32), (64, 16), (32, 16))
PATCH = ((3, 16, 2), (16, 32, 2), (32, 1, 1))
Weights = Any


def _conv(
    rng: np.random.Generator, size: int, inside: int, outside: int, norm: bool = True
) -> dict[str, np.ndarray]:
    kernel = rng.standard_normal((size, size, inside, outside), np.float32) * np.float32(0.02)
    p = {"kernel": kernel, "bias": np.zeros(outside, np.float32)}
    if norm:
        p |= {"scale": np.ones(outside, np.float32), "shift": np.zeros(outside, np.float32)}
    return p


def inputs(rng: np.random.Generator) -> list[Any]:
    """Generators, discriminators, and two batches of pictures."""

    def generator() -> Weights:
        down = [_conv(rng, 4, a, b) for a, b in DOWN]
        up = [_conv(rng, 3, a, b) for a, b in UP]
        return {"down": down, "up": up, "last": _conv(rng, 3, 16, 3, norm=False)}

    def discriminator() -> Weights:
        return [_conv(rng, 4, a, b, b > 1) for a, b, _ in PATCH]

    g = {"ab": generator(), "ba": generator()}
    d = {"a": discriminator(), "b": discriminator()}
    a, b = (rng.uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32) for _ in range(2))
    return [g, d, a, b]


def graphc_program(g: Weights, d: Weights, a: Any, b: Any) -> Callable[[], list[float]]:
    """The step of examples/course/cyclegan.py."""
    import graphc
    from graphc import optim

    course = importlib.import_module("examples.course.cyclegan")
    adam = optim.adam(RATE, BETA1, BETA2, EPSILON, epsilon_hat=True)

    def step(g: Any, d: Any, g_state: Any, d_state: Any, a: Any, b: Any) -> tuple[Any, ...]:
        g_loss, g_gradient = graphc.value_and_grad(course.generator_loss)(g, d, a, b)
        d_loss, d_gradient = graphc.value_and_grad(course.discriminator_loss)(d, g, a, b)
        g, g_state = adam.update(g, g_gradient, g_state)
        d, d_state = adam.update(d, d_gradient, d_state)
        return g, d, g_state, d_state, g_loss, d_loss

    compiled = graphc.jit(step, donate=("g", "d", "g_state", "d_state"))
    kept: list[Any] = [g, d, adam.init(g), adam.init(d)]

    def call() -> list[float]:
        *kept[:], g_loss, d_loss = compiled(*kept, a, b)
        return [float(g_loss), float(d_loss)]

    return call


def _jax_layer(jax: Any, p: dict[str, Any], x: Any, stride: int = 1) -> Any:
    x = jax.lax.conv_general_dilated(
        x, p["kernel"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    x = x + p["bias"]
    if "scale" not in p:
        return x
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * p["scale"] + p["shift"]


def _jax_generate(jax: Any, p: dict[str, Any], x: Any) -> Any:
    kept = []
    for one in p["down"]:
        x = jax.nn.leaky_relu(_jax_layer(jax, one, x, 2), 0.2)
        kept.append(x)
    for k, one in enumerate(p["up"]):
        x = jax.nn.relu(_jax_layer(jax, one, x.repeat(2, 1).repeat(2, 2)))
        if k < 2:
            x = jax.numpy.concatenate([x, kept[1 - k]], axis=-1)
    return jax.numpy.tanh(_jax_layer(jax, p["last"], x))


def _jax_losses(jax: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def generate(p: Any, x: Any) -> Any:
        return _jax_generate(jax, p, x)

    def judge(p: Sequence[Any], x: Any) -> Any:
        for one, (_, _, stride) in zip(p[:-1], PATCH[:-1], strict=True):
            x = jax.nn.leaky_relu(_jax_layer(jax, one, x, stride), 0.2)
        return _jax_layer(jax, p[-1], x)

    def mse(x: Any, wanted: Any) -> Any:
        return ((x - wanted) ** 2).mean()

    def generators(g: Any, d: Any, a: Any, b: Any) -> Any:
        fake_b, fake_a = generate(g["ab"], a), generate(g["ba"], b)
        return (
            mse(judge(d["a"], fake_a), 1) + mse(judge(d["b"], fake_b), 1)
            + 10 * mse(generate(g["ba"], fake_b), a) + 10 * mse(generate(g["ab"], fake_a), b)
            + 0.1 * mse(generate(g["ba"], a), a) + 0.1 * mse(generate(g["ab"], b), b)
        )  # fmt: skip

    def discriminators(d: Any, g: Any, a: Any, b: Any) -> Any:
        fake_b, fake_a = generate(g["ab"], a), generate(g["ba"], b)
        fake_b, fake_a = map(jax.lax.stop_gradient, (fake_b, fake_a))
        d_a = mse(judge(d["a"], a), 1) + mse(judge(d["a"], fake_a), 0)
        d_b = mse(judge(d["b"], b), 1) + mse(judge(d["b"], fake_b), 0)
        return (d_a + d_b) / 2

    return generators, discriminators


def jax_program(g: Weights, d: Weights, a: Any, b: Any) -> Callable[[], list[float]]:
    """The same step for JAX; Adam is written out as in the suite's steps of training."""
    jax = importlib.import_module("jax")
    jnp, tree = jax.numpy, jax.tree_util.tree_map
    generators, discriminators = _jax_losses(jax)

    def update(weights: Any, gradient: Any, m: Any, v: Any, t: Any) -> tuple[Any, ...]:
        t = t + 1
        rate = RATE * jnp.sqrt(1 - BETA2**t) / (1 - BETA1**t)
        m = tree(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradient)
        v = tree(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradient)
        weights = tree(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + EPSILON), weights, m, v)
        return weights, m, v, t

    def step(g: Any, d: Any, g_state: Any, d_state: Any, a: Any, b: Any) -> tuple[Any, ...]:
        g_loss, g_gradient = jax.value_and_grad(generators)(g, d, a, b)
        d_loss, d_gradient = jax.value_and_grad(discriminators)(d, g, a, b)
        g, *g_state = update(g, g_gradient, *g_state)
        d, *d_state = update(d, d_gradient, *d_state)
        return g, d, g_state, d_state, g_loss, d_loss

    compiled = jax.jit(step, donate_argnums=(0, 1, 2, 3))

    def state(weights: Any) -> list[Any]:
        return [tree(jnp.zeros_like, weights), tree(jnp.zeros_like, weights), jnp.float32(0)]

    g, d = tree(jnp.array, g), tree(jnp.array, d)
    kept: list[Any] = [g, d, state(g), state(d)]

    def call() -> list[float]:
        *kept[:], g_loss, d_loss = compiled(*kept, a, b)
        return [float(g_loss), float(d_loss)]

    return call


PROGRAMS = {"graphc": graphc_program, "jax": jax_program}
