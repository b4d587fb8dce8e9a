"""examples/browser in headless Chromium: real test digits are drawn and recognised."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.browser import build
from examples.course import material
from graphc.aot import linkers
from graphc.aot.targets import platform

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium (chromium) is not there"),
    pytest.mark.skipif(
        not linkers.found(platform("wasm32")), reason="no linker for wasm32 (pip install ziglang)"
    ),
    pytest.mark.skipif(
        not (material.place() / "mnist/mnist.npz").is_file(),
        reason=f"no data at {material.place()}: set GRAPHC_DATA",
    ),
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a network that was trained for two epochs."""
    place = tmp_path_factory.mktemp("digits")
    build.build(place, build.trained(epochs=2))
    handler = functools.partial(Quiet, directory=str(place))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
        server.shutdown()
        thread.join()


def page(address: str, profile: Path, *more: str) -> str:
    """The page after its script has run."""
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "--virtual-time-budget=8000"]
    done = subprocess.run(
        [*command, *(more or ("--dump-dom",)), address], capture_output=True, text=True, timeout=120
    )
    return done.stdout


def test_digits_are_recognised(address: str, tmp_path: Path) -> None:
    right = 0
    for k in range(4):
        text = page(f"{address}?draw={k}", tmp_path / "profile")
        found = re.search(r"<title>label (\d), answer (\d)</title>", text)
        assert found is not None, text[-3000:]
        assert "recognised by WebAssembly" in text
        right += found[1] == found[2]
    assert right >= 3, "the network knows 96 of 100"


def test_nothing_is_drawn(address: str, tmp_path: Path) -> None:
    text = page(address, tmp_path / "profile")
    assert '<small id="note">ready</small>' in text
