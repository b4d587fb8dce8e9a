"""A program of examples/course trains on the device as it does on the processor."""

from __future__ import annotations

import re

import numpy as np
import pytest

from examples.course import imdb_conv1d, material


@pytest.mark.heavy
def test_imdb_conv1d(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(0, 50, (80, 12)).astype(np.int32)
    data = (words[:60], (words[:60, 0] > 25).astype(np.float32), words[60:], words[60:, 0] % 2)
    monkeypatch.setattr(material, "imdb", lambda words, length: data)
    for name, value in {"WORDS": 50, "LENGTH": 12, "FEATURES": 8, "BATCH": 20}.items():
        monkeypatch.setattr(imdb_conv1d, name, value)
    found, expected = (imdb_conv1d.run(0, 2, 60, device) for device in ("cuda", None))
    assert found == expected
    losses = [float(n) for n in re.findall(r"loss ([\d.]+)", capsys.readouterr().out)]
    np.testing.assert_allclose(losses[:2], losses[2:], atol=1e-4)
