"""Artifacts that are damaged, foreign, newer, changed by others, or lead elsewhere: a clear error
before anything of them runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphc_runtime import manifest
from graphc_runtime.artifact import open_artifact
from graphc_runtime.errors import ArtifactError

from graphc.aot.build import build, export
from graphc.aot.targets import host_platform

from . import built


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small artifact with every kind of file."""
    place = tmp_path_factory.mktemp("whole") / "small"
    build(
        place, export(built.layer, x="f32[b, 6]", w="f32[6, 4]", b="f32[4]"),
        export(built.wide, x="f32[b, 6]"), cpu="baseline", weights="file",
    )  # fmt: skip
    return place


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


def changed(place: Path, change: Any, signed: bool = True) -> None:
    """Edits the manifest, with an id that fits."""
    path = place / manifest.NAME
    tree = json.loads(path.read_bytes())
    change(tree)
    text = json.dumps(tree, indent=1).encode() + b"\n"
    if signed:
        text = text.replace(tree["id"].encode(), manifest.digest(text).encode(), 1)
    path.write_bytes(text)


def described(content: bytes) -> dict[str, Any]:
    """What a manifest says of a file."""
    crc32, sha256 = zlib.crc32(content), hashlib.sha256(content).hexdigest()
    return {"bytes": len(content), "crc32": crc32, "sha256": sha256}


def refused(place: Path, text: str) -> None:
    with pytest.raises(ArtifactError, match=text):
        open_artifact(place).functions  # noqa: B018


def mutations(whole: Path, room: Path, seed: int, count: int) -> None:
    env = {**os.environ, "PYTHONPATH": str(built.ROOT / "typings")}
    found = subprocess.run(
        [sys.executable, "-W", "error", str(Path(__file__).with_name("mutate.py")), str(whole),
         str(room), str(seed), str(count)],
        capture_output=True, text=True, check=False, env=env, timeout=1800,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr or f"ended by signal {-found.returncode}"
    assert found.stdout.splitlines()[-1] == f"{count} damaged artifacts, 0 wrong answers", (
        found.stdout
    )


def test_damaged_artifacts(whole: Path, tmp_path: Path) -> None:
    mutations(whole, tmp_path, 1, 400)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_damaged_artifacts(whole: Path, tmp_path: Path, seed: int) -> None:
    mutations(whole, tmp_path, seed, 1000)


def test_newer_formats_say_what_to_do(copy: Path) -> None:
    changed(copy, lambda tree: tree.update(format=2, functions="of another kind"), signed=False)
    refused(copy, "format 2, and this graphc_runtime reads formats up to 1; install a newer graphc")


def test_other_interfaces(copy: Path) -> None:
    changed(copy, lambda tree: tree.update(abi=2))
    refused(copy, "interface")


def test_other_machines(tmp_path: Path) -> None:
    place = tmp_path / "foreign"
    other = "aarch64" if host_platform().arch == "x86_64" else "x86_64"
    build(place, export(built.layer, x="f32[b, 6]", w="f32[6, 4]", b="f32[4]"),
          target=f"{other}-linux-gnu,thumbv7em", cpu="baseline")  # fmt: skip
    assert [t.arch for t in open_artifact(place).manifest.targets] == [other, "thumbv7em"]
    refused(place, f"was built for {other}-linux-gnu, thumbv7em-none-eabihf, and this is")


def test_a_changed_manifest(copy: Path) -> None:
    changed(copy, lambda tree: tree.update(doc="another"), signed=False)
    refused(copy, "changed after it was written")


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"", "cannot be read"), (b"[]", "no number of a format"), (b"{" * 100000, "cannot be read"),
     (b"[" * 100000, "cannot be read"), (b'{"format": "1"}', "no number of a format"),
     (b'{"format": 1}', "does not begin with its id"), (b'{"format": NaN}', "NaN"),
     (b"\xff\xfe", "cannot be read"), (b'{"format": true}', "no number of a format")],
)  # fmt: skip
def test_what_is_no_manifest(copy: Path, text: bytes, said: str) -> None:
    (copy / manifest.NAME).write_bytes(text)
    refused(copy, said)


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/hostname", "a/../../secret", "./x", "a//b", "C:x", "a\\b", "", ".",
             "~/x", "x" * 300, "\x00", "graphs/..", ".hidden"],
)  # fmt: skip
def test_paths_stay_inside(copy: Path, path: str) -> None:
    (copy.parent / "secret").write_bytes(b"secret")

    def change(tree: Any) -> None:
        tree["files"][path] = tree["files"]["small.so"]
        tree["targets"][0]["files"]["shared"] = path

    changed(copy, change)
    refused(copy, "no path inside the artifact")


def test_links_are_not_followed(copy: Path) -> None:
    outside = copy.parent / "outside.so"
    shutil.move(copy / "small.so", outside)
    (copy / "small.so").symlink_to(outside)
    refused(copy, "no plain file")
    (copy / "small.so").unlink()
    shutil.move(outside, copy / "small.so")
    shutil.move(copy / "graphs", copy.parent / "graphs")
    (copy / "graphs").symlink_to(copy.parent / "graphs")
    refused(copy, "leads out of it")


def test_a_linked_folder_is_an_artifact(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(whole)
    assert "layer" in open_artifact(tmp_path / "link").functions


def test_files_that_are_no_files(copy: Path) -> None:
    (copy / "small.so").unlink()
    (copy / "small.so").mkdir()
    refused(copy, "no plain file")


def test_weights_of_another_library(copy: Path) -> None:
    """Also where the manifest is made to fit."""
    weights = copy / "small.weights"
    content = bytearray(weights.read_bytes())
    content[20] ^= 1
    weights.write_bytes(content)
    refused(copy, "small.weights in .* is not what was built")
    changed(copy, lambda t: t["files"].update({"small.weights": described(bytes(content))}))
    refused(copy, "the weights are not those of this library")


def test_a_library_that_is_none(copy: Path) -> None:
    """The system's loader says what is wrong; the manifest is made to fit."""
    content = b"no library" + bytes(100)
    (copy / "small.so").write_bytes(content)
    changed(copy, lambda t: t["files"].update({"small.so": described(content)}))
    refused(copy, "cannot be loaded")


def test_imports_check_too(copy: Path) -> None:
    with (copy / "small.so").open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    found = built.run("import copy as other\nimport importlib, sys\nsys.modules.pop('copy')\n"
                      "importlib.import_module('copy')", copy.parent)  # fmt: skip
    assert found.returncode == 1 and "ArtifactError" in found.stderr


@pytest.mark.parametrize("place", ["missing", "empty", "text.zip", "missing/inner"])
def test_what_is_no_artifact(tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no zip file")
    refused(tmp_path / place, "neither a folder nor a zip file|has no manifest.json|no zip file")


def test_signatures(copy: Path) -> None:
    pytest.importorskip("cryptography", reason="the library cryptography is not installed")
    from graphc.aot import signing

    key, other = signing.new_key(), signing.new_key()
    public = signing.public_key(key)
    with pytest.raises(ArtifactError, match=r"has no manifest\.sig"):
        open_artifact(copy, public_key=public)
    signing.sign_artifact(copy, key)
    x = np.ones((1, 6), np.float32)
    assert open_artifact(copy, public_key=public).functions["wide"](x).shape == (1, 700)
    with pytest.raises(ArtifactError, match="was not signed with this key"):
        open_artifact(copy, public_key=signing.public_key(other))
    with pytest.raises(ArtifactError, match="has 32 bytes"):
        open_artifact(copy, public_key=b"short")
    content = (copy / "small.h").read_bytes()
    (copy / "small.h").write_bytes(content.replace(b"float", b"fl0at", 1))
    with pytest.raises(ArtifactError, match=r"small\.h in .* is not what was built"):
        open_artifact(copy, public_key=public)
    (copy / "small.h").write_bytes(content)
    changed(copy, lambda tree: tree.update(doc="forged"))
    with pytest.raises(ArtifactError, match="was not signed with this key"):
        open_artifact(copy, public_key=public)
