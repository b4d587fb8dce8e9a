"""The folder of an artifact: what is in it, the same bytes each time, what may be replaced."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from graphc_runtime.artifact import open_artifact

import graphc
from graphc.aot.build import build, export
from graphc.aot.graphs import read_graph, write_graph
from graphc.aot.program import Block
from graphc.errors import ArtifactError, BuildError

from . import built


def small(place: Path, name: str = "small", **options: object) -> Path:
    build(place, export(built.layer, x="f32[b, 6]", w="f32[6, 4]", b="f32[4]"),
          export(built.wide, x="f32[b, 6]"), cpu="baseline", name=name, **options)  # type: ignore[arg-type]  # fmt: skip
    return place


def contents(place: Path) -> dict[str, bytes]:
    files = (p for p in place.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {p.relative_to(place).as_posix(): p.read_bytes() for p in files}


def test_one_target(tmp_path: Path) -> None:
    place = small(tmp_path / "one", weights="file", target="x86_64-linux-gnu", linker="own")
    assert set(contents(place)) == {
        "__init__.py", "__init__.pyi", "manifest.json", "small.a", "small.h", "small.so",
        "small.weights", "graphs/layer.txt", "graphs/wide.txt", "graphs/constants.bin",
    }  # fmt: skip
    open_artifact(place).check()


def test_several_targets(tmp_path: Path) -> None:
    place = small(tmp_path / "two", target="x86_64-linux-gnu,aarch64-linux-gnu", linker="own")
    found = set(contents(place))
    for target in ("x86_64-linux-gnu", "aarch64-linux-gnu"):
        assert {f"{target}/small.{end}" for end in ("a", "h", "so")} <= found
    assert "small.so" not in found
    assert [t.arch for t in open_artifact(place).manifest.targets] == ["x86_64", "aarch64"]


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    one = contents(small(tmp_path / "a" / "one", target="x86_64-linux-gnu", linker="own"))
    two = contents(small(tmp_path / "b" / "two", target="x86_64-linux-gnu", linker="own"))
    assert one == two


def test_the_manifest_names_no_place_of_this_machine() -> None:
    text = (built.folder() / "manifest.json").read_text()
    assert str(built.ROOT) not in text and str(built.folder().parent) not in text
    for path in (built.folder() / "graphs").glob("*.txt"):
        assert str(built.ROOT) not in path.read_text()
    tree = json.loads(text)
    layer = next(f for f in tree["functions"] if f["name"] == "layer")
    assert layer["where"].startswith("built.py:") and layer["symbols"] == ["b"]
    assert tree["format"] == 1 and tree["abi"] == 1 and tree["library"] == "model"
    step = next(f for f in tree["functions"] if f["name"] == "step")
    assert [a["inout"] for a in step["arguments"]] == [True, False, False]
    assert step["outputs"][0]["alias"] == 0
    shifted = next(f for f in tree["functions"] if f["name"] == "shifted")
    assert shifted["requirements"][0]["text"] == "n - 2"
    assert shifted["requirements"][0]["line"].startswith("built.py:")


def test_an_artifact_is_replaced(tmp_path: Path) -> None:
    place = small(tmp_path / "place")
    before = contents(place)
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "x.pyc").write_bytes(b"x")
    build(place, export(built.wide, x="f32[b, 6]"), cpu="baseline", name="other")
    after = set(contents(place))
    assert "other.so" in after and "small.so" not in after and after != set(before)
    assert [p.name for p in tmp_path.iterdir()] == ["place"], "nothing is left beside it"


@pytest.mark.parametrize("weights", ["embed", "file"])
def test_an_artifact_that_is_built_anew_in_one_process(tmp_path: Path, weights: str) -> None:
    """The system's loader takes two libraries of one path for the same one."""
    x = np.ones((2, 6), np.float32)
    kept = []
    for factor in (1, 2, 3, 2):
        w = np.full((6, 700), factor, np.float32)
        build(tmp_path / "place", export(lambda x, w=w: x @ w, name="f", x="f32[b, 6]"),
              cpu="baseline", weights=weights)  # fmt: skip
        kept.append(open_artifact(tmp_path / "place").functions["f"])
        assert float(kept[-1](x)[0, 0]) == 6 * factor
    assert [float(f(x)[0, 0]) for f in kept] == [6.0, 12.0, 18.0, 12.0]


def test_anything_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(BuildError, match="is a file"):
        small(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("mine")
    with pytest.raises(BuildError, match="is no artifact"):
        small(tmp_path / "folder")
    (tmp_path / "empty").mkdir()
    small(tmp_path / "empty")
    (tmp_path / "empty" / "notes.txt").write_text("mine")
    with pytest.raises(BuildError, match=r"no part of the artifact: notes\.txt"):
        small(tmp_path / "empty")
    assert (tmp_path / "folder" / "mine").read_text() == "mine"
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_failed_build_leaves_the_old_one(tmp_path: Path) -> None:
    place = small(tmp_path / "place")
    before = contents(place)
    with pytest.raises(BuildError):
        build(place, export(lambda x: ({1.5: x}), name="keys", x="f32[3]"), cpu="baseline")
    assert contents(place) == before


@pytest.mark.parametrize(
    ("returned", "text"),
    [(lambda x: {1.5: x}, "key 1.5"), (lambda x: (x, len), "cannot hold"),
     (lambda x: (x, float("nan")), "cannot hold")],
)  # fmt: skip
def test_results_that_no_manifest_describes(tmp_path: Path, returned: object, text: str) -> None:
    with pytest.raises(BuildError, match=text):
        build(tmp_path / "a", export(returned, name="f", x="f32[3]"), cpu="baseline")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["np", "npt", "Any"])
def test_names_that_mean_something_in_the_stub(tmp_path: Path, name: str) -> None:
    with pytest.raises(BuildError, match="cannot be a name"):
        build(tmp_path / "a", export(built.wide, name=name, x="f32[b, 6]"), cpu="baseline")


def test_large_constants_are_in_one_file() -> None:
    block = Block()

    def twice(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x @ built.W, x @ built.W + np.float32(1)

    graph = graphc.jit(twice).trace(graphc.spec("f32[b, 6]")).graph
    written = write_graph(graph, "twice", block)
    assert len(written.text) < 2000 and block.nbytes == -(-built.W.nbytes // 64) * 64
    arrays = [built.W] * len(written.facts["constants"])
    assert str(read_graph(written.text.decode(), arrays)).count("constant(") >= 1
    with pytest.raises(ArtifactError, match="a constant of twice"):
        read_graph(written.text.decode(), [built.W[:, 1:]] * len(arrays))
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_graph(written.text.decode()[:-9], arrays)
