"""Keys that a causal mask hides: found in the map, passed by in blocks, with NumPy's NaN."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.ir import Graph
from graphc.loops import attention as nests
from graphc.loops import ir as L
from graphc.ops import attention
from graphc.ops.attention_hidden import Hidden, hidden_keys
from graphc.transforms import gradients
from tests.passes.test_attention import Program, close, normal, plain, product, softmax, traced

N, M = 150, 330
FAR = float(np.finfo("f4").min) / 2


def masked(mask: Any, fill: Any = -np.inf) -> Program:
    """Attention whose scores are `fill` where the mask is not."""

    def program(q: Any, k: Any, v: Any) -> Any:
        s = product(q, k) * q.dtype.type(0.25)
        seen = mask(np.arange(q.shape[-2])[:, None], np.arange(k.shape[-2]))
        return softmax(np.where(seen, s, q.dtype.type(fill))) @ v

    return program


def traced_mask(q: Any, k: Any, v: Any) -> Any:
    """Of what is traced, not of an array that NumPy made."""
    s = product(q, k)
    lower = np.tril(np.ones_like(s, dtype=bool), 7)
    return softmax(np.where(lower, s, -np.inf)) @ v


def added(q: Any, k: Any, v: Any) -> Any:
    bias = np.where(np.tri(q.shape[-2], k.shape[-2], dtype=bool), 0, -np.inf).astype("f4")
    return softmax(product(q, k) + bias) @ v


def twice(q: Any, k: Any, v: Any) -> Any:
    """Two masks; both fills hide."""
    rows, columns = np.arange(q.shape[-2])[:, None], np.arange(k.shape[-2])
    s = np.where(columns <= rows + 9, product(q, k), np.float32(-1e30))
    return softmax(np.where(columns % 5 < 4, s, np.float32(-1e20))) @ v


def of_nn(q: Any, k: Any, v: Any) -> Any:
    return nn.attention(q, k, v, causal=True, mask=np.arange(k.shape[-2]) % 7 > 0)


def not_a_number(q: Any, k: Any, v: Any) -> Any:
    rows, columns = np.arange(q.shape[-2])[:, None], np.arange(k.shape[-2])
    s = np.where(columns <= rows, product(q, k), np.float32(-np.inf))
    return softmax(np.where(columns % 50 < 49, s, np.float32(np.nan))) @ v


def of_bytes(q: Any, k: Any, v: Any) -> Any:
    """200 + 100 is 44."""
    rows = np.arange(q.shape[-2], dtype=np.uint8)[:, None] + np.uint8(200)
    seen = np.arange(k.shape[-2]).astype(np.uint8) <= rows
    return softmax(np.where(seen, product(q, k), -np.inf)) @ v


CASES: dict[str, tuple[Program, Hidden | None]] = {
    "causal": (masked(lambda i, j: j <= i), Hidden(0, -math.inf)),
    "ge": (masked(lambda i, j: i >= j), Hidden(0, -math.inf)),
    "strict": (masked(lambda i, j: j < i), Hidden(-1, -math.inf)),
    "gt": (masked(lambda i, j: i > j), Hidden(-1, -math.inf)),
    "later": (masked(lambda i, j: j <= i + 40), Hidden(40, -math.inf)),
    "difference": (masked(lambda i, j: i - j + 3 >= 0), Hidden(3, -math.inf)),
    "finite": (masked(lambda i, j: j <= i, FAR), Hidden(0, FAR)),
    "constant": (masked(lambda i, j: np.tri(len(i), len(j), 33, bool)), Hidden(33, -math.inf)),
    "traced": (traced_mask, Hidden(7, -math.inf)),
    "window": (masked(lambda i, j: (j <= i + 2) & (j > i - 50)), Hidden(2, -math.inf)),
    "twice": (twice, Hidden(9, float(np.float32(-1e20)))),
    "nn": (of_nn, Hidden(0, -math.inf)),
    "no mask": (plain, None),
    "the past": (masked(lambda i, j: j >= i), None),
    "either": (masked(lambda i, j: (j <= i) | (j > 300)), None),
    "a multiple": (masked(lambda i, j: 2 * j <= i), None),
    "added": (added, None),
    "not a number": (not_a_number, None),
    "bytes": (of_bytes, None),
    "greater": (masked(lambda i, j: j <= i, 1.0), None),
    "padding": (masked(lambda i, j: (j < 99) & (i >= 0)), None),
}


def arrays(dtype: str = "f4") -> list[np.ndarray]:
    return [
        normal(2, n, d, dtype=dtype, seed=seed)
        for seed, (n, d) in enumerate(((N, 16), (M, 16), (M, 24)))
    ]


def attention_bodies(graph: Graph) -> list[Graph]:
    found: list[Graph] = []
    for node in graph.nodes:
        body = node.attrs.get("body")
        if node.op.name == "attention":
            found.append(body)
        elif isinstance(body, Graph):
            found += attention_bodies(body)
    return found


@pytest.mark.parametrize("name", CASES)
def test_what_is_hidden(name: str) -> None:
    program, wanted = CASES[name]
    lowered = traced(program, *arrays())
    (body,) = attention_bodies(lowered.stages.optimised.graph)
    assert hidden_keys(body) == wanted
    (kernel,) = lowered.kernels
    loops = [s for s in L.statements(kernel.naive.func.body) if isinstance(s, L.For)]
    assert any(loop.var.startswith("seen") for loop in loops) == (wanted is not None)
    (loop,) = (loop for loop in loops if loop.kind == "parallel")
    assert nests.match(loop) is not None  # what the schedule for CUDA asks


def expected(program: Program, *given: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(program(*given))


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"ge", "gt", "no mask", "greater"}))
def test_values(name: str) -> None:
    program, given = CASES[name][0], arrays()
    call = graphc.jit(program)
    close(call(*given), expected(program, *given))
    random = np.random.default_rng(3)
    for value in (np.nan, np.inf, -np.inf):
        for k, array in enumerate(given):
            spoilt = [a.copy() for a in given]
            spoilt[k][random.integers(2), random.integers(array.shape[1]), 5] = value
            close(call(*spoilt), expected(program, *spoilt))


def test_scores_as_small_as_the_fill_have_weight() -> None:
    """Where a row's scores are all about the fill, hidden keys count, whatever the others say."""
    q, k, v = arrays()
    program = masked(lambda i, j: j <= i, -50.0)
    q[0, 20] *= 1e3
    k[0, :21] = -np.abs(k[0, :21]) * np.sign(q[0, 20])
    found, wanted = graphc.jit(program)(q, k, v), expected(program, q, k, v)
    close(found, wanted)
    hidden = expected(masked(lambda i, j: j <= i), q, k, v)
    assert np.abs(wanted[0, 20] - hidden[0, 20]).max() > 0.1  # or the test tests nothing


def test_symbolic_extents() -> None:
    program = masked(lambda i, j: j <= i)

    def causal(q: Any, k: Any, v: Any) -> Any:
        return nn.attention(q, k, v, causal=True, scale=0.25)

    call = graphc.jit(causal, dims={"q": ("b", "n", 16), "k": ("b", "m", 16), "v": ("b", "m", 24)})
    for n, m in ((1, 1), (1, 300), (129, 130), (300, 40), (40, 300)):
        q, k, v = (normal(2, r, d) for r, d in ((n, 16), (m, 16), (m, 24)))
        close(call(q, k, v), expected(program, q, k, v))


@pytest.mark.parametrize("name", ["causal", "later", "finite", "strict", "twice", "traced"])
def test_gradients(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like those of the program that is differentiated as it is written; and with NaN like those
    of blocks that are all multiplied."""
    program, given = CASES[name][0], arrays("f8")
    if name in ("twice", "finite"):
        given = [a.astype("f4") for a in given]
    w = normal(2, N, 24, dtype=given[0].dtype.str[1:])

    def gradient() -> Any:
        def loss(q: Any, k: Any, v: Any) -> Any:
            return (program(q, k, v) * w).sum()

        return graphc.jit(graphc.grad(loss, argnums=(0, 1, 2)))

    spoilt = [a.copy() for a in given]
    spoilt[0][1, 60, 2] = np.nan
    spoilt[1][0, 100, 2] = np.inf
    spoilt[2][0, 140, 2] = np.nan
    found = gradient()
    whole, in_place = found(*given), found(*spoilt)
    rtol = 1e-11 if w.dtype == np.float64 else 1e-5
    with monkeypatch.context() as patch:
        patch.setattr(attention, "hidden_keys", lambda body: None)
        for one, right in zip(in_place, gradient()(*spoilt), strict=True):
            close(one, right, rtol)
    monkeypatch.setattr(gradients, "recognised", lambda results, params: list(results))
    for one, right in zip(whole, gradient()(*given), strict=True):
        close(one, right, rtol)
