"""examples/scale_out.py: an artifact in the workers of Dask, against NumPy over the whole data."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from examples import scale_out

from . import built

ROWS, PARTS = 3000, 7


@pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="the library distributed is missing"
)
def test_workers_train_as_numpy_does(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "examples.scale_out", "--rows", str(ROWS), "--parts", str(PARTS)],
        capture_output=True, text=True, check=False, cwd=built.ROOT, timeout=300,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert "of the compiler, the workers loaded []" in found.stdout
    losses = [float(x) for x in re.findall(r"loss ([\d.]+)", found.stdout)]
    data = np.concatenate([np.load(p) for p in scale_out.write_parts(tmp_path, ROWS, PARTS)])
    x, y = data[:, :-1].astype(np.float64), data[:, -1].astype(np.float64)
    w, expected = np.zeros(scale_out.FEATURES), []
    for _ in losses:
        expected.append(scale_out.loss(w, x, y) / ROWS)
        w = w + 4.0 / ROWS * ((y / (1 + np.exp(y * (x @ w)))) @ x)
    assert len(losses) == 5
    np.testing.assert_allclose(losses, expected, atol=2e-4)
