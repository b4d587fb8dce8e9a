"""Artifacts of every format that was ever released load, run, and are graphs in programs."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphc_runtime.artifact import Artifact, open_artifact, this_machine
from graphc_runtime.errors import ArtifactError, ShapeMismatch
from graphc_runtime.manifest import FORMAT

import graphc

from . import built
from .built import Point, State
from .make_stored import DATA

FORMATS = range(1, FORMAT + 1)
RNG = np.random.default_rng(5)
X, W, B = (RNG.normal(size=s).astype(np.float32) for s in ((5, 6), (6, 4), (4,)))


@pytest.fixture(params=FORMATS)
def stored(request: pytest.FixtureRequest) -> Path:
    return DATA / f"format{request.param}.zip"


@pytest.fixture(params=["zip", "folder"])
def found(stored: Path, request: pytest.FixtureRequest, tmp_path: Path) -> Artifact:
    if request.param == "zip":
        return open_artifact(stored)
    with zipfile.ZipFile(stored) as archive:
        archive.extractall(tmp_path / "stored")
    return open_artifact(tmp_path / "stored")


def test_it_says_the_same_as_ever(found: Artifact) -> None:
    found.check()
    assert found.manifest.doc == "An artifact of an older day."
    names = [f.name for f in found.manifest.functions]
    assert names == ["layer", "wide", "nested", "numbers", "step", "shifted", "taken", "labelled"]
    assert [t.name for t in found.manifest.targets] == ["x86_64-linux-gnu", "aarch64-linux-gnu"]


def test_it_runs(found: Artifact) -> None:
    arch, system, _ = this_machine()
    if arch not in ("x86_64", "aarch64") or system != "linux":
        with pytest.raises(ArtifactError, match="was built for x86_64-linux-gnu"):
            found.functions  # noqa: B018
        pytest.skip(f"the stored artifact has no code for {arch} {system}")
    f = found.functions
    np.testing.assert_allclose(f["layer"](X, W, B), np.tanh(X @ W + B), rtol=1e-5, atol=1e-6)
    assert f["layer"](X[:0], W, B).shape == (0, 4)
    np.testing.assert_allclose(f["wide"](X), X @ built.W, rtol=1e-4, atol=1e-5)
    a = np.arange(3, dtype=np.float32)
    result, _ = f["nested"](
        {"w": [a, Point(a, a)], "s": State(a, np.zeros(2, np.float32))}, (a, [a, a])
    )
    np.testing.assert_array_equal(result["z"], a * a)
    assert list(result) == ["z", "a", "none"]
    np.testing.assert_array_equal(f["numbers"](np.ones(2), 2.0, 3, True, 1j)[0], [2.0, 2.0])
    own = {"w": np.zeros(4, np.float32)}
    assert f["step"](own, W, 0.5)[0]["w"] is own["w"]
    np.testing.assert_allclose(own["w"], -0.5 * W.sum(axis=0), rtol=1e-5, atol=1e-6)
    with pytest.raises(ShapeMismatch, match=r"n - 2 >= 0"):
        f["shifted"](np.zeros(1))
    with pytest.raises(IndexError):
        f["taken"](np.zeros(1), np.array([1]))
    assert f["labelled"](np.ones(1))[:2] == ("label", 3)


def test_it_is_a_graph_in_programs(stored: Path) -> None:
    model = graphc.load(stored)

    def loss(w: Any) -> Any:
        return model.wide(model.layer(X, w, B) @ w.T).sum()

    def ours(w: Any) -> Any:
        return (np.tanh(X @ w + B) @ w.T @ built.W).sum()

    np.testing.assert_allclose(graphc.grad(loss)(W), graphc.grad(ours)(W), rtol=1e-3, atol=1e-3)
    own = graphc.jit(model.step)({"w": np.zeros(4, np.float32)}, W, np.float32(0.5))
    np.testing.assert_allclose(own[0]["w"], -0.5 * W.sum(axis=0), rtol=1e-5, atol=1e-6)
