"""Attention, and its gradient, block by block: beside the matrix of scores, or beside torch.

    python -m benchmarks.attention                     # one and two threads
    python -m benchmarks.attention --rounds 20         # more rounds of measuring
    python -m benchmarks.attention --causal            # full and causal, beside torch

Written in plain NumPy, the loss is recognised before it is differentiated
(`graphc.passes.attention.recognised`); the other program is made without that step. The least time
of each is printed, all measured in turn, with the speed of its products (seven, and six) and the
megabytes that a call needs beside its arguments.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import graphc_runtime
import numpy as np

import graphc
from graphc import nn
from graphc.transforms import gradients

SIZES = ((8, 12, 256, 64), (8, 12, 512, 64), (2, 8, 1024, 64), (1, 2, 2048, 64))
"""(batch, heads, positions, numbers of a head)."""
PRODUCTS = {"blocks": 7, "matrix": 6}
Call = Callable[[], Any]


def loss(q: Any, k: Any, v: Any, w: Any) -> Any:
    s = q @ np.swapaxes(k, -1, -2) * q.dtype.type(q.shape[-1] ** -0.5)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return ((e / e.sum(axis=-1, keepdims=True)) @ v * w).sum()


def program(name: str, arrays: list[np.ndarray]) -> tuple[Call, float]:
    """The program of a name, and the megabytes of a call."""
    known = gradients.recognised
    if name == "matrix":
        gradients.recognised = lambda results, params: list(results)
    function = graphc.jit(graphc.value_and_grad(loss, argnums=(0, 1, 2)))
    specs = [graphc.spec(a.shape, str(a.dtype)) for a in arrays]
    nbytes = function.lower(*specs).stages.peak_bytes
    function(*arrays)
    gradients.recognised = known
    return lambda: function(*arrays), nbytes / 1e6


def of_graphc(arrays: list[np.ndarray], causal: bool) -> Iterator[Call]:
    """The forward pass, and the value with three gradients."""
    *qkv, _ = arrays

    def weighed(q: Any, k: Any, v: Any, w: Any) -> Any:
        return (nn.attention(q, k, v, causal=causal) * w).sum()

    forward = graphc.jit(lambda q, k, v: nn.attention(q, k, v, causal=causal))
    both = graphc.jit(graphc.value_and_grad(weighed, argnums=(0, 1, 2)))
    yield lambda: forward(*qkv)
    yield lambda: both(*arrays)


def of_torch(arrays: list[np.ndarray], causal: bool) -> Iterator[Call]:
    """The same by torch's scaled_dot_product_attention."""
    import torch

    q, k, v = (torch.from_numpy(a).requires_grad_() for a in arrays[:3])
    w = torch.from_numpy(arrays[3])
    attention = torch.nn.functional.scaled_dot_product_attention

    def forward() -> None:
        with torch.no_grad():
            attention(q, k, v, is_causal=causal)

    def both() -> None:
        (attention(q, k, v, is_causal=causal) * w).sum().backward()
        q.grad = k.grad = v.grad = None

    yield forward
    yield both


def seconds(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def least(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """The least time of each, measured in turn."""
    best = {name: min(seconds(call), float("inf")) for name, call in calls.items()}
    for _ in range(rounds):
        for name, call in calls.items():
            best[name] = min(best[name], seconds(call))
    return best


def beside_the_matrix(
    size: tuple[int, ...], arrays: list[np.ndarray], rounds: int
) -> Iterator[str]:
    """The line of each turn; the programs are made once."""
    programs = {name: program(name, arrays) for name in PRODUCTS}
    batch, heads, length, width = size
    one = 2e-9 * batch * heads * length * length * width
    while True:
        best = least({name: call for name, (call, _) in programs.items()}, rounds)
        yield "  ".join(
            f"{name} {best[name] * 1e3:6.1f} ms {count * one / best[name]:4.0f} GFLOP/s "
            f"{programs[name][1]:6.1f} MB"
            for name, count in PRODUCTS.items()
        )


def full_and_causal(arrays: list[np.ndarray], rounds: int) -> Iterator[str]:
    """The same of attentions that see all keys, and of causal ones."""
    columns = {"graphc": of_graphc} | ({"torch": of_torch} if find_spec("torch") else {})
    calls: dict[str, Call] = {}
    for name, make in columns.items():
        for causal in (False, True):
            mask = "causal" if causal else "full"
            for what, call in zip(("", " with gradients"), make(arrays, causal), strict=True):
                calls[f"{name} {mask}{what}"] = call
    while True:
        best = least(calls, rounds)
        yield "  ".join(f"{name} {one * 1e3:.1f}" for name, one in best.items()) + "  ms"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument(
        "--causal",
        action="store_true",
        help="full beside causal, beside torch where it is installed",
    )
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    for size in SIZES:
        arrays = [rng.standard_normal(size).astype(given.dtype) for _ in range(4)]
        if given.causal:
            lines = full_and_causal(arrays, given.rounds)
        else:
            lines = beside_the_matrix(size, arrays, given.rounds)
        for threads in given.threads:
            graphc_runtime.set_threads(threads)
            if given.causal and find_spec("torch"):
                import torch

                torch.set_num_threads(threads)
            print(
                f"{threads} thread{'s' * (threads > 1):1}  {size!s:18}  {next(lines)}", flush=True
            )


if __name__ == "__main__":
    main()
