"""examples/rust and examples/microcontroller: built as their READMEs say, and run."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc

ROOT = Path(__file__).parents[2]


def needs(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not there")


def commands(readme: Path, **names: Any) -> list[list[str]]:
    """The commands of a README, lines that begin with four spaces and a tool's name."""
    text = readme.read_text().replace("\\\n", " ")
    tools = "graphc|rustc|arm-none-eabi-gcc|qemu-system-arm|build/main"
    found = re.findall(rf"^    ((?:{tools}) .*|build/main)$", text, re.MULTILINE)
    return [shlex.split(line.format(**names)) for line in found]


def module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(
        f"{name}_model", ROOT / "examples" / name / "model.py"
    )
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def ran(name: str, place: Path) -> list[str]:
    """What the commands of an example's README print, one after another."""
    said = []
    (place / "examples").symlink_to(ROOT / "examples")
    for command in commands(ROOT / "examples" / name / "README.md"):
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (command, done.stderr)
        said.append(done.stdout or done.stderr)  # QEMU's semihosting writes to the latter
    return said


def test_rust(tmp_path: Path) -> None:
    needs("rustc", "cc", "graphc")
    lines = ran("rust", tmp_path)[-1].splitlines()
    model = module("rust")
    spot, strike = np.array([90.0, 100, 110]), np.full(3, 100.0)
    years = np.array([1, 1, 0.5])
    prices = model.price(spot, strike, years, 0.03, 0.2)
    deltas = graphc.grad(model.total)(spot, strike, years, 0.03, 0.2)
    assert len(lines) == 3
    for line, price, delta in zip(lines, prices, deltas, strict=True):
        found = re.search(r"price (\S+), delta (\S+)$", line)
        assert found is not None
        np.testing.assert_allclose([float(x) for x in found.groups()], [price, delta], rtol=1e-10)


def test_microcontroller(tmp_path: Path) -> None:
    needs("arm-none-eabi-gcc", "qemu-system-arm", "graphc")
    out = subprocess.run(["arm-none-eabi-gcc", "-print-file-name=libc.a"], capture_output=True,
                         text=True).stdout  # fmt: skip
    if "/" not in out:
        pytest.skip("the C library for arm-none-eabi is not there (libnewlib-arm-none-eabi)")
    lines = ran("microcontroller", tmp_path)[-1].split()
    states = np.array([[0, 0.1, 0, 0], [0.5, -0.2, 0.1, 0.3], [-1, 0.05, 0, -0.4]], np.float32)
    wanted = module("microcontroller").control(states) * 1e6
    np.testing.assert_allclose([int(x) for x in lines], wanted, atol=2)
