"""NVRTC against a process without the stand-in driver, beside which it does not run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphc.codegen import nvrtc


@pytest.mark.skipif(
    not nvrtc.available(), reason="nvidia-cuda-nvrtc or nvidia-cuda-runtime is not installed"
)
def test_nvrtc_alone() -> None:
    file = Path(__file__).with_name("nvrtc_alone.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
