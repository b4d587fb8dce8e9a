"""Every sample of every op as CUDA C: on the processor against the evaluator, threads in both
orders, and through nvcc for three architectures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest

from graphc.codegen import nvcc
from graphc.codegen.cuda import CudaKernel, translation_unit
from graphc.errors import VerifyError
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.opdef import OpDef, Sample
from tests.codegen import cuda_graphs
from tests.codegen.test_cuda import needs_gcc, needs_nvcc
from tests.ops.test_cards import CARDS, one_node, operands
from tests.random_graphs import tolerances

LAPACK = {"cholesky", "eig", "eigh", "lu", "qr", "slogdet", "solve", "svd", "triangular_solve"}
"""Cards with calls: CUDA has none (tests/linalg)."""
NESTED = {"checkpoint", "custom_jvp", "custom_vjp", "fusion", "scan", "switch", "while"}
"""Cards that are graphs of others, or launches in a row (tests/device)."""
PARTS = 10


@dataclass(frozen=True)
class Made:
    name: str
    graph: Graph
    arrays: list[np.ndarray]
    kernels: cuda_graphs.GraphKernels


def made(card: OpDef, number: int, sample: Sample) -> Made:
    graph = one_node(card, sample)
    kernels = cuda_graphs.graph_kernels(graph)
    return Made(f"{card.name}_{number}", graph, operands(sample), kernels)


@lru_cache(maxsize=PARTS)
def part(number: int) -> list[Made]:
    """The samples of every tenth card, so that one translation unit is not too long."""
    cards = [card for card in CARDS if card.name not in LAPACK | NESTED]
    return [
        made(card, k, sample)
        for card in cards[number::PARTS]
        for k, sample in enumerate(card.samples())
    ]


def excess(found: np.ndarray, wanted: np.ndarray, allowed: np.ndarray) -> float:
    """The largest error over what is allowed; infinite where one is NaN and the other is not."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    kind = np.complex128 if found.dtype.kind == "c" else np.float64
    x, y = found.astype(kind), wanted.astype(kind)
    with np.errstate(all="ignore"):
        same = (x == y) | (np.isnan(x) & np.isnan(y)) | np.isinf(allowed)
        if kind is np.complex128:
            same |= ~np.isfinite(x) & ~np.isfinite(y)
        ratio = np.abs(x - y) / np.maximum(allowed, 1e-300)
    return float(np.where(same, 0, np.where(np.isnan(ratio), np.inf, ratio)).max(initial=0))


@needs_gcc
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(PARTS))
def test_the_processor_computes_what_the_evaluator_does(number: int) -> None:
    samples = part(number)
    assert sum(len(kernels) for one in samples for kernels in one.kernels.kernels) > 50
    with cuda_graphs.built([one.kernels for one in samples]) as built:
        for one, programs in zip(samples, built, strict=True):
            wanted, allowed = evaluate(one.graph, one.arrays), tolerances(one.graph, one.arrays)
            if one.name.startswith("attention_gradient"):  # sums of numbers that cancel
                allowed = [np.max(a) for a in allowed]
            found, backwards = (
                cuda_graphs.run(one.kernels, programs, one.arrays, order) for order in (False, True)
            )
            for f, b, w, a in zip(found, backwards, wanted, allowed, strict=True):
                assert excess(f, w, a) <= 1, one.name
                assert f.tobytes() == b.tobytes(), f"{one.name} depends on the order of threads"


@needs_nvcc
@pytest.mark.parametrize("number", range(PARTS))
def test_nvcc_takes_them(number: int) -> None:
    distinct: dict[str, CudaKernel] = {}
    for one in part(number):
        for kernel in (k for kernels in one.kernels.kernels for k in kernels):
            name = f"{one.name}_{kernel.name}"
            distinct.setdefault(
                cuda_graphs.renamed(kernel, "same").source, cuda_graphs.renamed(kernel, name)
            )
    nvcc.check(translation_unit(distinct.values()))


def test_what_is_left_out_is_refused() -> None:
    """An op with samples is run here, or needs LAPACK, or is no kernel."""
    for card in (one for one in CARDS if one.name in LAPACK):
        with pytest.raises(VerifyError, match=r"cuda has no \w+, at"):
            made(card, 0, next(iter(card.samples())))
    assert {card.name for card in CARDS} >= LAPACK | NESTED
