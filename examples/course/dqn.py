"""Deep Q-learning on gymnasium's CartPole: 4-64-64-2, a target network, a replay buffer.

    python -m examples.course.dqn                   10 000 steps (needs: pip install gymnasium)

Steps of the environment are Python; choosing an action and a step of learning are compiled calls.
Chance plays with a return of 24; after 10 000 steps it is 128 to 245 by the seed. It goes down
again in some runs: the targets come from the network that learns.

Source: Mnih et al., Human-level control through deep reinforcement learning, 2015; actions of the
target by the learning network, as in van Hasselt et al., 2016
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

import graphc
from graphc import nn, optim

from . import material
from .mnist_mlp import make_parameters

DISCOUNT, BATCH, KEPT = np.float32(0.99), 64, 20_000


def values(parameters: list[dict[str, Any]], state: Any) -> Any:
    """Q of both actions."""
    for p in parameters[:-1]:
        state = nn.relu(nn.dense(state, p["kernel"], p["bias"]))
    return nn.dense(state, parameters[-1]["kernel"], parameters[-1]["bias"])


def loss(parameters: Any, target: Any, batch: tuple[Any, ...]) -> Any:
    state, action, reward, after, ended = batch
    best = np.argmax(values(parameters, after), axis=1)
    worth = np.take_along_axis(values(target, after), best[:, None], axis=1)[:, 0]
    wanted = graphc.stop_gradient(reward + DISCOUNT * (1 - ended) * worth)
    taken = np.take_along_axis(values(parameters, state), action[:, None], axis=1)[:, 0]
    return nn.losses.huber(taken, wanted)


def train(seed: int, steps: int) -> tuple[list[float], float]:
    """(returns of the episodes in order, seconds of a step of learning)."""
    try:
        import gymnasium  # pyright: ignore[reportMissingImports]
    except ImportError:
        sys.exit("this program needs gymnasium: pip install gymnasium")
    world = gymnasium.make("CartPole-v1")
    rng = np.random.default_rng(seed)
    adam = optim.adam(5e-4)
    parameters = make_parameters(seed, (4, 64, 64, 2))
    target = [dict(p) for p in parameters]
    state = adam.init(parameters)
    choose = graphc.jit(lambda p, x: np.argmax(values(p, x)))

    @graphc.jit
    def learn(parameters: Any, state: Any, target: Any, batch: Any) -> tuple[Any, Any, Any]:
        value, gradient = graphc.value_and_grad(loss)(parameters, target, batch)
        return *adam.update(parameters, gradient, state), value

    memory = [
        np.zeros((KEPT, 4), np.float32), np.zeros(KEPT, np.int32), np.zeros(KEPT, np.float32),
        np.zeros((KEPT, 4), np.float32), np.zeros(KEPT, np.float32),
    ]  # fmt: skip
    returns, total, spent, learned = [], 0.0, 0.0, 0
    seen, _ = world.reset(seed=seed)
    for k in range(steps):
        chance = max(0.05, 1 - k / 5000)
        action = int(rng.integers(2)) if rng.random() < chance else int(choose(parameters, seen))
        after, reward, ended, cut, _ = world.step(action)
        for array, item in zip(memory, (seen, action, reward, after, float(ended)), strict=True):
            array[k % KEPT] = item
        seen, total = after, total + float(reward)
        if ended or cut:
            returns.append(total)
            total = 0.0
            seen, _ = world.reset()
        if k >= 1000:
            rows = rng.integers(0, min(k + 1, KEPT), BATCH)
            start = time.perf_counter()
            parameters, state, _ = learn(parameters, state, target, tuple(a[rows] for a in memory))
            spent, learned = spent + time.perf_counter() - start, learned + 1
        if k % 500 == 0:
            target = [dict(p) for p in parameters]
    return returns, spent / max(1, learned)


def main() -> None:
    parser = material.options(__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    material.picture_option(parser)
    given = parser.parse_args()
    returns, seconds = train(given.seed, given.steps)
    print(f"{len(returns)} episodes; {seconds * 1e6:.0f} us a step of learning")
    means = [np.mean(returns[max(0, k - 19) : k + 1]) for k in range(len(returns))]
    print(
        f"mean return of the first 20: {np.mean(returns[:20]):.1f}, of the last 20: "
        f"{means[-1]:.1f}, of the best 20 in a row: {max(means[19:], default=means[-1]):.1f}"
    )
    curves = {"return": returns, "mean of 20": means}
    material.save_curves(given.pictures / "dqn.png", curves, "episode", "return")


if __name__ == "__main__":
    main()
