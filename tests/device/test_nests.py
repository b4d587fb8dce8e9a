"""Random nests of loops and choices: what graphs decide against the same kernels where the host
reads each decision, bit for bit, with other numbers in each call."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda_decisions

import graphc
from graphc import device_put
from graphc.device import loaded

F32 = np.float32
Step = Callable[[Any], Any]


def nest(depth: int, rng: np.random.Generator) -> Step:
    """A function of f32[5] that keeps its numbers small."""
    kinds = (choice, several, counted, bounded, scanned, both)
    return kinds[rng.integers(len(kinds))](depth - 1, rng) if depth else plain(rng)


def plain(rng: np.random.Generator) -> Step:
    c = F32(rng.uniform(-1, 1))
    return (
        lambda x: np.tanh(x * F32(1.5) + c),
        lambda x: np.cos(x[::-1] * F32(2) + c),
        lambda x: x * F32(0.7) + np.sin(x.sum() + c),
    )[rng.integers(3)]


def both(depth: int, rng: np.random.Generator) -> Step:
    first, second = nest(depth, rng), nest(depth, rng)
    return lambda x: second(first(x))


def choice(depth: int, rng: np.random.Generator) -> Step:
    yes, no, least = nest(depth, rng), nest(depth, rng), F32(rng.uniform(-1.5, 1.5))
    return lambda x: graphc.cond(x.sum() > least, yes, no, x)


def several(depth: int, rng: np.random.Generator) -> Step:
    arms = [nest(depth, rng) for _ in range(3)]
    return lambda x: graphc.switch((x.sum() * F32(2)).astype(np.int64), arms, x)


def counted(depth: int, rng: np.random.Generator) -> Step:
    step, most = nest(depth, rng), F32(rng.uniform(0.5, 3.5))

    def run(x: Any) -> Any:
        return graphc.while_loop(
            lambda s: (s[1] < 7) & (s[0].sum() < most), lambda s: (step(s[0]), s[1] + 1),
            (x, np.int64(0)),
        )[0]  # fmt: skip

    return run


def bounded(depth: int, rng: np.random.Generator) -> Step:
    step, most, limit = nest(depth, rng), F32(rng.uniform(-1.5, 1.5)), int(rng.integers(5))
    return lambda x: graphc.while_loop(lambda s: s.sum() < most, step, x, max_steps=limit)


def scanned(depth: int, rng: np.random.Generator) -> Step:
    step, reverse = nest(depth, rng), bool(rng.integers(2))

    def run(x: Any) -> Any:
        def one(s: Any, row: Any) -> Any:
            s = step(s + row * F32(0.5))
            return s, s * F32(0.1)

        rows = np.cos(np.arange(15, dtype=F32).reshape(3, 5) + x[0])
        s, found = graphc.scan(one, x, rows, reverse=reverse)
        return s + found.sum(axis=0)

    return run


def agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    if seed % 2:
        monkeypatch.setattr(cuda_decisions, "PAIR_BYTES", 0)
    function = nest(3, rng)
    decided, asked = (graphc.jit(function, device="cuda") for _ in range(2))
    x = device_put(np.zeros(5, F32))
    with monkeypatch.context() as patch, warnings.catch_warnings():
        patch.setattr(loaded, "decisions", lambda _: (None, "the test says so"))
        warnings.simplefilter("ignore")
        asked(x)
    for _ in range(8):
        x.device.upload(x.pointer, rng.standard_normal(5).astype(F32))
        found = decided(x)
        np.testing.assert_array_equal(found.numpy(), asked(x).numpy())
        del found


@pytest.mark.parametrize("seed", [9, 104])
def test_random_nests(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    agree(seed, monkeypatch)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(1000, 1040))
def test_many_random_nests(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    agree(seed, monkeypatch)
