"""Runs Python for aarch64 under qemu-user: all of graphc, its runtime and its threads included.

    python -m tests.codegen.qemu FOLDER -m pytest tests/runtime
    python -m tests.codegen.qemu FOLDER -m graphc doctor

By hand, on Debian, with `qemu-user` installed and arm64 known to apt (`dpkg --add-architecture
arm64; apt-get update`). The first time, Python and the wheels that the tests need are fetched and
unpacked in FOLDER: 600 MB; nothing is installed. Everything takes some ten times as long as here,
LLVM most of all, so choose what to run; the tests of `test_arm.py` need none of this.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "python3.11 python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libgcc-s1 "
    "libstdc++6 libexpat1 zlib1g libssl3 libffi8 libbz2-1.0 liblzma5 libsqlite3-0 libuuid1 "
    "libreadline8 libtinfo6 libncursesw6 libdb5.3 libcrypt1"
).split()
WITH_THEM = "typing_extensions sortedcontainers iniconfig packaging pluggy pygments attrs".split()
"""What the requirements require: pip does not look for them, because it runs on another machine."""


def prepare(folder: Path) -> Path:
    """Fetches and unpacks what is not there yet. Answers a script that runs Python."""
    packages, wheels = folder / "packages", folder / "wheels"
    root, site = folder / "root", folder / "site"
    if not root.exists():
        packages.mkdir(parents=True, exist_ok=True)
        names = [f"{name}:arm64" for name in PACKAGES]
        subprocess.run(["apt-get", "download", *names], cwd=packages, check=True)
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, root], check=True)
    if not site.exists():
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        wanted = [*project["dependencies"], *project["optional-dependencies"]["test"], *WITH_THEM]
        platforms = [f"--platform=manylinux_2_{k}_aarch64" for k in (17, 26, 27, 28)]
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", wheels]
        command += [*platforms, "--platform=manylinux2014_aarch64", "--platform=any"]
        command += ["--python-version=3.11", "--only-binary=:all:"]
        subprocess.run([*command, *wanted], check=True)
        site.mkdir()
        for wheel in wheels.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(site)
        (site / "graphc").symlink_to(ROOT / "graphc")
        (site / "graphc_runtime").symlink_to(ROOT / "runtime")
    python = folder / "python"  # what a test starts as sys.executable: this machine runs scripts
    emulated = f"qemu-aarch64 -L {root} {root / 'usr' / 'bin' / 'python3.11'}"
    python.write_text(f'#!/bin/sh\nexec {emulated} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    hook = f"import sys\nsys.executable = {str(python)!r}\n"
    (site / "sitecustomize.py").write_text(hook, encoding="utf-8")
    return python


def main(folder: Path, arguments: list[str]) -> int:
    python = prepare(folder)
    environment = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([str(folder / "site"), str(ROOT)]),
        PYTHONDONTWRITEBYTECODE="1",  # two Pythons would share the files
        GRAPHC_CACHE_DIR=str(folder / "cache"),
    )
    return subprocess.run([python, *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
