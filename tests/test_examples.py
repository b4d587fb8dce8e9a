"""The networks of examples/, in their small sizes: compiled against NumPy, and as programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from examples import encoder, resnet50, vgg16
from graphc.passes.fuse import fuse

ROOT = Path(__file__).parent.parent
NETWORKS = {
    "vgg16": (vgg16.vgg16, vgg16.make_parameters, vgg16.SMALL, vgg16.LARGE, (2, 32, 32, 3)),
    "resnet50": (
        resnet50.resnet50, resnet50.make_parameters, resnet50.SMALL, resnet50.LARGE, (2, 32, 32, 3),
    ),
    "encoder": (encoder.encoder, encoder.make_parameters, encoder.SMALL, encoder.LARGE, (2, 5, 16)),
}  # fmt: skip


def widened(tree: Any) -> Any:
    """The parameters in double precision."""
    if isinstance(tree, dict):
        return {k: widened(v) for k, v in tree.items()}
    return [widened(v) for v in tree] if isinstance(tree, list) else tree.astype(np.float64)


@pytest.mark.parametrize("name", NETWORKS)
def test_compiled_networks(name: str) -> None:
    """Against the same program run by NumPy in double precision."""
    network, make, size, _, shape = NETWORKS[name]
    rng = np.random.default_rng(3)
    parameters: Any = make(rng, **size)  # type: ignore[operator]
    x = rng.standard_normal(shape, dtype=np.float32)
    expected = network(widened(parameters), x.astype(np.float64))
    found = graphc.jit(network)(parameters, x)
    assert found.dtype == np.float32 and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_one_program_for_every_batch(name: str) -> None:
    network, make, size, _, shape = NETWORKS[name]
    rng = np.random.default_rng(4)
    parameters: Any = make(rng, **size)  # type: ignore[operator]
    compiled = graphc.jit(network, dims={"x": ("b", *(None for _ in shape[1:]))})
    for batch in (1, 3):
        x = rng.standard_normal((batch, *shape[1:]), dtype=np.float32)
        expected = network(parameters, x)
        np.testing.assert_allclose(
            compiled(parameters, x), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max()
        )
    assert compiled.cache_info().programs == 1


@pytest.mark.parametrize(
    "name, millions", [("vgg16", 138.36), ("resnet50", 25.61), ("encoder", 3.16)]
)
def test_the_full_networks_have_their_sizes(name: str, millions: float) -> None:
    """Counted without drawing half a gigabyte of numbers."""

    class Drawn:
        __array_ufunc__ = None

        def __init__(self, shape: Any):
            self.size = int(np.prod(shape))

        def same(self, _: Any) -> Any:
            return self

        __rmul__ = __radd__ = __pow__ = same

    class Generator:
        def standard_normal(self, shape: Any, dtype: Any) -> Any:
            return Drawn(shape)

    def count(tree: Any) -> int:
        if isinstance(tree, (dict, list)):
            return sum(map(count, tree.values() if isinstance(tree, dict) else tree))
        return tree.size

    _, make, _, size, _ = NETWORKS[name]
    assert count(make(Generator(), **size)) / 1e6 == pytest.approx(millions, abs=0.01)  # type: ignore[operator]


def test_each_contraction_is_a_kernel_with_its_epilogue() -> None:
    """No convolution computes bias and activation of the one before it; none is computed twice."""
    network, make, size, _, shape = NETWORKS["vgg16"]
    parameters: Any = make(np.random.default_rng(0), **size)  # type: ignore[operator]
    graph = graphc.jit(network).trace(parameters, np.zeros(shape, np.float32)).graph
    kinds = {"conv", "dot"}
    kernels = [
        [n.op.name for n in node.attrs["body"].nodes if n.op.kind not in ("movement", "creation")]
        for node in fuse(graph).nodes
        if node.op.name == "fusion"
    ]
    contractions = [k for k in kernels if kinds.intersection(k)]
    assert len(contractions) == 16 and all(k[0] in kinds for k in contractions)
    # all but those before a pool, which takes bias and activation along, and the last one
    assert sum(k[0] == "conv" and k[1:] == ["add", "max"] for k in contractions) == 8


@pytest.mark.parametrize("name", NETWORKS)
def test_they_run_by_themselves(name: str) -> None:
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), "--small"]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert found.stdout.startswith("first call, with its compilation: ")
    assert found.stdout.count("\n") == 3 and not found.stderr
