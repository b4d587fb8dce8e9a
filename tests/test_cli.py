"""The command line: what it prints, what it refuses and how, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphc
from graphc import demo, doctor
from graphc.cli import FAILED, OK, USAGE, main
from graphc.commands import cache as cache_command

ROOT = Path(__file__).parent.parent
MODEL = """
import numpy as np
import graphc

def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

def step(x, rate):
    return x - rate * np.sin(x)

def total(x, axis):
    return x.sum(axis=axis)

def branch(x):
    if x.sum() > 0:
        return x
    return -x

def wrong(x):
    return x.nope

@graphc.jit
def compiled(x):
    return x + 1

constant = 3
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "a_model.py"
    path.write_text(MODEL)
    return str(path)


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(folder))
    return folder


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# ------------------------------------------------------------------------------------------- show


def test_show_prints_the_graph(capsys: pytest.CaptureFixture[str], model: str) -> None:
    code, out, err = run(capsys, "show", f"{model}:softmax", "--arg", "x: f32[b, 784]")
    assert (code, err) == (OK, "")
    assert out.startswith("graph softmax(%0 x: f32[b, 784]) {\n")
    assert "exp(" in out and "a_model.py:6 in softmax" in out
    assert out.endswith("}\n")


@pytest.mark.parametrize(
    ("stage", "part"),
    [
        ("passes", "fuse"),
        ("loops", "for i"),
        ("schedule", "in vector("),
        ("llvm", "@graph_entry("),
        ("asm", "graph_entry:"),
        ("cuda", "__global__"),
        ("dot", 'digraph "softmax"'),
        ("graphml", "<graphml"),
    ],
)
def test_show_prints_every_stage(
    capsys: pytest.CaptureFixture[str], model: str, stage: str, part: str
) -> None:
    code, out, err = run(
        capsys, "show", f"{model}:softmax", "--arg", "f32[8, 64]", "--stage", stage
    )
    assert (code, err) == (OK, "")
    assert part in out


def test_text_is_another_name_of_stage(capsys: pytest.CaptureFixture[str], model: str) -> None:
    for name in ("--stage", "--text"):
        code, out, _ = run(capsys, "show", f"{model}:softmax", "--arg", "f32[8, 64]", name, "cuda")
        assert code == 0 and "__global__" in out


def test_show_takes_scalars_numbers_and_statics(
    capsys: pytest.CaptureFixture[str], model: str
) -> None:
    assert (
        "rate: f64[]"
        in run(capsys, "show", f"{model}:step", "--arg", "f64[n]", "--arg", "rate: float")[1]
    )
    assert (
        "cast(%1)"
        in run(capsys, "show", f"{model}:step", "--arg", "f64[n]", "--arg", "rate: f32")[1]
    )
    assert (
        "axes=(1,)"
        in run(capsys, "show", f"{model}:total", "--arg", "f64[n, 3]", "--static", "axis=1")[1]
    )


def test_show_takes_a_jitted_function_and_a_module(
    capsys: pytest.CaptureFixture[str], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "add(" in run(capsys, "show", f"{model}:compiled", "--arg", "f64[3]")[1]
    assert "log(" in run(capsys, "show", "graphc.demo:black_scholes", *["--arg", "f32[n]"] * 3)[1]


def test_show_writes_a_file(capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path) -> None:
    target = tmp_path / "graph.txt"
    arguments = ("show", f"{model}:softmax", "--arg", "f32[8, 4]", "--output", str(target))
    assert run(capsys, *arguments) == (OK, "", "")
    assert target.read_text().startswith("graph softmax(")
    code, _, err = run(capsys, *arguments[:-1], str(tmp_path / "none" / "graph.txt"))
    assert code == FAILED
    assert "none/graph.txt cannot be written: No such file or directory" in err


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("softmax", [], "names no function; write FILE.py:FUNCTION"),
        ("none.py:softmax", [], "there is no file none.py"),
        ("no_such_module_x:f", [], "there is no module 'no_such_module_x'; for a file write"),
        ("MODEL:nope", [], "has no function 'nope'; it has softmax, step, total, branch, wrong"),
        ("MODEL:constant", [], "is a int, not a function"),
        ("MODEL:softmax", [], "do not fit MODEL:softmax: missing a required argument: 'x'"),
        ("MODEL:softmax", ["--arg", "y: f32[3]"], "missing a required argument: 'x'"),
        ("MODEL:softmax", ["--arg", "x: f99[3]"], "--arg \"x: f99[3]\": 'f99[3]' is not a type"),
        ("MODEL:softmax", ["--arg", "x: f32[3"], "is not a type; write for example f32[b, 784]"),
        ("MODEL:softmax", ["--arg", "2x: f32[3]"], "'2x' is no name"),
        ("MODEL:softmax", ["--arg", "x: f32[3]", "--arg", "x: f32[3]"], "given twice: x"),
        ("MODEL:total", ["--arg", "f32[3]", "--static", "axis"], 'write for example "axis=0"'),
        ("MODEL:total", ["--arg", "f32[3]", "--static", "axis=a"], "'a' is no Python literal"),
    ],
)
def test_show_refuses(
    capsys: pytest.CaptureFixture[str],
    model: str,
    function: str,
    arguments: list[str],
    message: str,
) -> None:
    code, out, err = run(capsys, "show", function.replace("MODEL", model), *arguments)
    assert (code, out) == (USAGE, "")
    assert err.startswith("graphc: ")
    assert message.replace("MODEL", model) in err


def test_show_names_the_line_that_cannot_be_traced(
    capsys: pytest.CaptureFixture[str], model: str
) -> None:
    code, out, err = run(capsys, "show", f"{model}:branch", "--arg", "f32[3]")
    assert (code, out) == (FAILED, "")
    assert "np.where" in err and "a_model.py:16 in branch" in err
    code, _, err = run(capsys, "show", f"{model}:wrong", "--arg", "f32[3]")
    assert code == FAILED
    assert "failed while it was traced: AttributeError" in err and "a_model.py:21" in err


def test_show_says_why_a_file_cannot_be_imported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for text, message in (
        ("import no_such_module_x\n", "No module named 'no_such_module_x'"),
        ("x = 1\ny = x / 0\n", "ZeroDivisionError: division by zero"),
        ("def f(:\n", "SyntaxError: "),
    ):
        path = tmp_path / "broken_file.py"
        path.write_text(text)
        code, _, err = run(capsys, "show", f"{path}:f")
        assert code == FAILED
        assert f"{path} cannot be imported: {message}" in err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys)[0] == USAGE
    assert run(capsys, "nothing")[0] == USAGE
    assert run(capsys, "show", "a.py:f", "--stage", "nothing")[0] == USAGE
    code, out, _ = run(capsys, "show", "--help")
    assert code == OK and 'graphc show model.py:softmax --arg "x: f32[4096, 1024]"' in out
    code, out, _ = run(capsys, "--version")
    assert (code, out) == (OK, f"graphc {graphc.__version__}\n")


# ------------------------------------------------------------------------------------------ doctor


def test_doctor(capsys: pytest.CaptureFixture[str], cache_folder: Path) -> None:
    code, out, _ = run(capsys, "doctor")
    assert code == OK
    assert out.endswith("graphc works here\n")
    lines = [line.split() for line in out.splitlines() if line and "works" not in line]
    assert {line[0] for line in lines} <= {"ok", "missing", "slow"}
    for name in ("python", "numpy", "llvmlite", "vectors", "calls", "threads", "nvcc", "compiler"):
        assert name in {line[1] for line in lines}


def test_doctor_for_programs(capsys: pytest.CaptureFixture[str], cache_folder: Path) -> None:
    code, out, _ = run(capsys, "doctor", "--json")
    answer = json.loads(out)
    assert code == OK and answer["works"] is True
    found = {c["name"]: c for c in answer["checks"]}
    assert found["numpy"]["value"] == np.__version__
    assert str(cache_folder) in found["cache"]["value"]
    assert set(found["numpy"]) == {"name", "state", "value", "meaning"}


@pytest.mark.parametrize("wheel", (True, False))
@pytest.mark.parametrize("toolkit", (True, False))
def test_doctor_says_what_builds_cuda(
    wheel: bool, toolkit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphc.codegen.nvrtc.available", lambda: wheel)
    monkeypatch.setattr("graphc.codegen.nvrtc.version", lambda: "NVRTC 13.5")
    monkeypatch.setattr("graphc.codegen.nvcc.find_nvcc", lambda: "nvcc" if toolkit else None)
    monkeypatch.setattr("graphc.doctor._first_release", lambda _: "13.0")
    found = {one.name: one for one in doctor._cuda_compilers()}
    assert (found["nvrtc"].state == "ok", found["nvcc"].state == "ok") == (wheel, toolkit)
    not_built = [one.name for one in found.values() if "not built" in one.meaning]
    assert not_built == ([] if wheel or toolkit else ["nvrtc", "nvcc"])


def test_doctor_fails_where_the_compiler_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise graphc.BuildError("no LLVM today")

    monkeypatch.setattr("graphc.codegen.build.build_objects", refuse)
    code, out, _ = run(capsys, "doctor")
    assert code == FAILED
    assert "failed  compiler" in out and "no LLVM today" in out
    assert "graphc does not work here" in out


def test_doctor_survives_a_broken_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode() -> None:
        raise OSError("no such machine")

    monkeypatch.setattr(doctor, "host_target", explode)
    checks = list(doctor.examine())
    assert [c.value for c in checks if c.name == "processor"] == ["OSError: no such machine"]


def test_doctor_names_a_cache_that_is_off_or_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", "off")
    (check,) = doctor._cache()
    assert (check.state, check.value) == ("missing", "off")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(shared))
    found = [c for c in doctor.examine() if c.name == "cache"]
    assert [c.state for c in found] == ["failed"]
    assert "others can write to the cache folder" in found[0].value


# ------------------------------------------------------------------------------------------- cache


def test_cache(capsys: pytest.CaptureFixture[str], cache_folder: Path) -> None:
    assert run(capsys, "cache", "list")[1] == f"0 entries, 0 bytes in {cache_folder}\n"

    def cube(x):  # type: ignore[no-untyped-def]
        return x * x * x

    x = np.arange(5.0)
    np.testing.assert_array_equal(graphc.jit(cube)(x), x**3)
    out = run(capsys, "cache", "list")[1]
    assert "cube" in out and "just now" in out
    key = next(line.split()[0] for line in out.splitlines() if line.endswith("cube"))
    code, out, _ = run(capsys, "cache", "why", key)
    assert code == OK
    assert "graph cube(" in out and "this process uses it" in out
    assert run(capsys, "cache", "why", "cube")[1] == out
    assert " of at most 2.0 GiB in " in run(capsys, "cache", "size")[1]
    assert run(capsys, "cache", "clear")[1].startswith("removed ")
    assert run(capsys, "cache", "list")[1].startswith("0 entries")
    code, _, err = run(capsys, "cache", "why", "cube")
    assert code == FAILED and "no entry has the key or the name cube" in err


def test_cache_why_names_what_differs(
    capsys: pytest.CaptureFixture[str], cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphc.jit(lambda x: x + 1, name="stale")(np.arange(3.0))
    monkeypatch.setattr(cache_command, "_parts_here", lambda: {"llvm": "9.9.9"})
    out = run(capsys, "cache", "why", "stale")[1]
    assert "(here: 9.9.9)" in out
    assert "this process does not use it: llvm differ" in out


def test_cache_that_is_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", "off")
    code, _, err = run(capsys, "cache", "list")
    assert code == FAILED and "GRAPHC_CACHE_DIR is empty or off" in err


# -------------------------------------------------------------------------------------------- demo


@pytest.mark.parametrize("name", sorted(demo.EXAMPLES))
def test_demo(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    cache_folder: Path,
    name: str,
) -> None:
    small = {
        "black-scholes": lambda rng: [rng.uniform(1, 2, 1000).astype("f4") for _ in range(3)],
        "softmax": lambda rng: [rng.standard_normal((8, 64), dtype="f4")],
        "layer-norm": lambda rng: [rng.standard_normal(s, dtype="f4") for s in ((8, 64), 64, 64)],
    }
    old = demo.EXAMPLES[name]
    monkeypatch.setitem(demo.EXAMPLES, name, demo.Example(old.title, old.function, small[name]))
    code, out, err = run(capsys, "demo", name, "--seconds", "0.01")
    assert (code, err) == (OK, "")
    for part in (
        "trace",
        "canonicalize",
        "fuse",
        "1 kernel\n",
        " ops: ",
        "object code",
        "NumPy",
        "greatest error",
    ):
        assert part in out


def test_demo_fails_on_wrong_values(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example = demo.Example(
        "wrong", lambda x: x * 2, lambda rng: [rng.standard_normal(9, dtype="f4")]
    )
    monkeypatch.setitem(demo.EXAMPLES, "softmax", example)
    errors = iter((0.5, 0.0))  # ours, then NumPy's
    monkeypatch.setattr(demo, "error", lambda actual, exact: next(errors))
    code, _, err = run(capsys, "demo", "softmax", "--seconds", "0.01")
    assert code == FAILED
    assert "the values are not NumPy's: greatest error 5.0e-01" in err


def test_as_a_program(model: str) -> None:
    command = [sys.executable, "-m", "graphc", "show", f"{model}:softmax", "--arg", "x: f32[4, 4]"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout.startswith("graph softmax(")
    command[-1] = "x: what"
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == USAGE
    assert done.stderr.startswith('graphc: --arg "x: what": ')
    assert len(done.stderr.splitlines()) == 1
