"""The commands that make and use artifacts: build, inspect, run, bench, completion."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from graphc.cli import FAILED, OK, USAGE, main

MODEL = """
'''Lines.'''
import numpy as np

W = np.arange(6.0).reshape(3, 2)

def predict(x):
    "A product."
    return x @ W

def loss(p, x):
    return ((x * p["w"]).sum() - p["b"]) ** 2

def step(p, x, rate):
    return {"w": p["w"] - rate * x, "b": p["b"]}, x.sum()

def start():
    return {"w": np.zeros(3), "b": np.zeros(())}

def broken():
    raise RuntimeError("no")

def wrong(x):
    return x.nope
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "lines.py"
    path.write_text(MODEL)
    return str(path)


@pytest.fixture(scope="module")
def built(model: str) -> Path:
    folder = Path(model).with_name("lines")
    arguments = ["--export", "value,value_and_grad=value_and_grad(loss)", "--export", "step=step",
                 "--arg", "x: f64[n, 3]", "--arg", "value_and_grad/x: f64[3]",
                 "--arg", "step/x: f64[3]", "--arg", "p: like start()", "--arg", "rate: float",
                 "--donate", "p", "-o", str(folder), "--quiet"]  # fmt: skip
    assert main(["build", f"{model}:predict", *arguments]) == OK
    return folder


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# ------------------------------------------------------------------------------------------ build


def test_build_says_what_was_made(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path
) -> None:
    arguments = ("--arg", "x: f64[n, 3]", "-o", str(tmp_path / "m"), "--cpu", "baseline")
    code, out, err = run(capsys, "build", f"{model}:predict", *arguments)
    assert code == OK
    assert out.startswith(f"built {tmp_path / 'm'} in ")
    assert "predict(x: f64[n, 3]) -> f64[n, 2]" in out
    assert "m.h" in out and "m.so" in out and "linked by" in out
    assert "tracing predict (1 of 1)" in err and "LLVM: " in err
    code, out, err = run(capsys, "build", f"{model}:predict", *arguments, "--json")
    assert (code, err) == (OK, "")
    facts = json.loads(out)
    assert facts["functions"] == ["predict(x: f64[n, 3]) -> f64[n, 2]"]
    assert facts["files"]["m.h"] > 1000


X = ["--arg", "x: f64[n, 3]"]
REFUSED: list[tuple[str, list[str], int, str]] = [
    ("predict", [], USAGE, "predict needs a type for x"),
    ("predict", ["--arg", "f64[n, 3]"], USAGE, "needs its name"),
    ("predict", [*X, "--arg", "y: f64[n]"], USAGE, "no exported function has such an argument"),
    ("predict", [*X, *X], USAGE, "given twice"),
    ("predict", [*X, "--wrt", "q"], USAGE, "--wrt q: no exported function has such an argument"),
    ("predict", [*X, "--donate", "q"], USAGE, "--donate q: no exported function has"),
    ("predict", [*X, "--static", "q=1"], USAGE, "--static q: no exported function has"),
    ("predict", [*X, "--export", "gard"], USAGE, "has no function 'gard'"),
    ("predict", [*X, "--export", "gard(predict)"], USAGE, "there is no export 'gard'"),
    ("predict", [*X, "--export", "a=("], USAGE, "cannot be read"),
    ("predict", ["--arg", "x: f64[n, 4]"], FAILED, "lines.py:"),
    ("wrong", ["--arg", "x: f64[n]"], FAILED, "lines.py:"),
    ("loss", [*X, "--arg", "p: like broken()"], FAILED, "broken() failed: RuntimeError: no"),
    ("loss", [*X, "--arg", "p: like nothing"], USAGE, "the module has no 'nothing'"),
    ("loss", [*X, "--arg", "p: {w: f64[3]; b: f64}"], USAGE, "expected ,"),
    ("predict", [*X, "--target", "vax"], FAILED, "no target 'vax'"),
    ("predict", [*X, "--cpu", "486"], FAILED, "has no cpu '486'"),
    ("predict", [*X, "--name", "a-b"], FAILED, "cannot name a library"),
    ("predict", [*X, "--gpu", "h100"], FAILED, "no GPU architecture"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_build_refuses(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path, number: int
) -> None:
    name, arguments, code, message = REFUSED[number]
    given = [f"{model}:{name}", *arguments, "-o", str(tmp_path / "m"), "--quiet"]
    found, out, err = run(capsys, "build", *given)
    assert (found, out) == (code, "")
    assert message in err and "Traceback" not in err
    assert not (tmp_path / "m").exists(), "nothing is written"


def test_build_replaces_artifacts_only(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path
) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    (place / "letter.txt").write_text("dear")
    code, _, err = run(capsys, "build", f"{model}:predict", "--arg", "x: f64[n, 3]", "-o",
                       str(place), "--quiet")  # fmt: skip
    assert code == FAILED and "no artifact" in err
    assert (place / "letter.txt").read_text() == "dear"


# --------------------------------------------------------------------------- inspect, run, bench


def test_inspect(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    code, out, err = run(capsys, "inspect", str(built))
    assert (code, err) == (OK, "")
    assert "predict(x: f64[n, 3]) -> f64[n, 2]    (lines.py:" in out
    assert "A product." in out and out.endswith("every file is as it was made\n")
    assert json.loads(run(capsys, "inspect", str(built), "--json")[1])["library"] == "lines"
    assert run(capsys, "inspect", str(built), "--graph", "predict")[1].startswith("graph predict(")


def test_inspect_finds_damage(
    capsys: pytest.CaptureFixture[str], built: Path, tmp_path: Path
) -> None:
    place = tmp_path / "lines"
    shutil.copytree(built, place)
    header = place / "lines.h"
    header.write_text(header.read_text().replace("double", "doubel", 1))
    code, out, err = run(capsys, "inspect", str(place))
    assert (code, out) == (FAILED, "") and "lines.h" in err
    code, out, err = run(capsys, "inspect", str(tmp_path))
    assert (code, out) == (FAILED, "") and "Traceback" not in err


def test_run(capsys: pytest.CaptureFixture[str], built: Path, tmp_path: Path) -> None:
    x = np.arange(12.0).reshape(4, 3)
    np.save(tmp_path / "x.npy", x)
    given, wanted = str(tmp_path / "x.npy"), tmp_path / "y.npy"
    code, out, err = run(
        capsys, "run", str(built), "--function", "predict", given, "-o", str(wanted)
    )
    assert (code, out, err) == (OK, "", "")
    np.testing.assert_allclose(np.load(wanted), x @ np.arange(6.0).reshape(3, 2))
    np.save(tmp_path / "w.npy", np.ones(3))
    np.save(tmp_path / "v.npy", np.array([1.0, 2, 3]))
    code, out, err = run(capsys, "run", str(built), "--function", "step", "rate=0.5",
                         f"x={tmp_path / 'v.npy'}", f"p['w']={tmp_path / 'w.npy'}", "p['b']=7",
                         "-o", str(tmp_path / "all.npz"))  # fmt: skip
    assert (code, err) == (OK, "")
    found = np.load(tmp_path / "all.npz")
    np.testing.assert_allclose(found["result[0]['w']"], [0.5, 0, -0.5])
    assert found["result[1]"] == 6


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], USAGE, "name one with --function"),
        (["--function", "nope"], USAGE, "there is no function 'nope'"),
        (["--function", "predict"], USAGE, "needs x too"),
        (["--function", "predict", "y=1"], USAGE, "is no input"),
        (["--function", "predict", "1"], USAGE, "not a number; give a file .npy"),
        (["--function", "predict", "absent.npy"], FAILED, "absent.npy cannot be read"),
        (["--function", "predict", "SMALL"], FAILED, "expected f64[n, 3]"),
    ],
)
def test_run_refuses(
    capsys: pytest.CaptureFixture[str], built: Path, tmp_path: Path, arguments: list[str],
    code: int, message: str,
) -> None:  # fmt: skip
    np.save(tmp_path / "small.npy", np.zeros((2, 2)))
    given = [a.replace("SMALL", str(tmp_path / "small.npy")) for a in arguments]
    found, out, err = run(capsys, "run", str(built), *given)
    assert (found, out) == (code, "")
    assert message in err and "Traceback" not in err


def test_bench(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    code, out, err = run(capsys, "bench", str(built), "--function", "predict", "--extent", "n=1,9",
                         "--threads", "1", "--seconds", "0.01", "--json")  # fmt: skip
    assert (code, err) == (OK, "")
    rows = json.loads(out)
    assert [row["n"] for row in rows] == [1, 9] and all(row["us"] > 0 for row in rows)
    assert {row["threads"] for row in rows} == {1}
    out = run(capsys, "bench", str(built), "--seconds", "0.01")[1]
    assert re.search(r"step .* us", out)
    code, _, err = run(capsys, "bench", str(built), "--extent", "q=1")
    assert code == USAGE and "no function has an extent 'q'" in err


# ------------------------------------------------------------------------------------- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    code, out, _ = run(capsys, "completion", shell)
    assert code == OK
    for word in ("build", "inspect", "--export" if shell != "fish" else "-l export", "openmp"):
        assert word in out


def test_bash_completes(capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not there")
    script = run(capsys, "completion", "bash")[1]

    def words(*line: str) -> set[str]:
        asked = " ".join(f"'{word}'" for word in line)
        text = f"{script}\nCOMP_WORDS=({asked}); COMP_CWORD={len(line) - 1}; _graphc 2>/dev/null"
        text += "; echo ${COMPREPLY[@]}"
        done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert {"build", "bench"} <= words("graphc", "b")
    assert words("graphc", "build", "--threads", "") == {"none", "pool", "openmp"}
    assert "--weights" in words("graphc", "build", "model.py:f", "--w")
