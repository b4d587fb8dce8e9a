"""A table of what is shipped: build time, size, start, calls.

    python -m benchmarks.shipping --peer-python PYTHON_OF_THE_PEERS

Each tool builds in a process and is measured in another, on one thread; `start` is from a process
that has imported NumPy to the first result. The libraries that a tool needs at run time are added
up from its installed packages.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .peers import TOOLS

NEEDS = {
    "graphc": ("graphc_runtime",),
    "jax.export": ("jax", "jaxlib", "scipy", "ml_dtypes", "opt_einsum"),
    "AOTInductor": ("torch",),
    "TF Lite": ("tensorflow",),
    "ONNX Runtime": ("onnxruntime",),
    "IREE": ("iree/runtime", "iree/_runtime_libs"),
    "TVM": ("tvm/lib/libtvm_runtime.so", "tvm_ffi"),
    "CasADi": (),
}
"""Packages that have to be there where the artifact runs, NumPy aside."""
FACTS = {
    "graphc": ("any", "yes", "C, C++, Rust (header), Python"),
    "jax.export": ("any", "yes", "Python with jax"),
    "AOTInductor": ("any", "no", "C++ with libtorch, Python with torch"),
    "TF Lite": ("any, resized", "no", "C++ with TF Lite, Python"),
    "ONNX Runtime": ("any", "no", "C with ONNX Runtime, Python"),
    "IREE": ("", "no", "C with IREE's runtime, Python"),
    "TVM": ("any", "no", "C++ with TVM's runtime, Python"),
    "CasADi": ("one each", "yes", "C"),
}
"""Any batch in one file, gradients as exports, who can call it."""


def _run(python: str, tool: str, what: str, folder: str) -> dict[str, float]:
    environment = {**os.environ, **dict.fromkeys(
        ("OMP_NUM_THREADS", "GRAPHC_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
    ), "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}  # fmt: skip
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed packages are: compiled once
    environment.setdefault("PYTHONPYCACHEPREFIX", os.path.join(tempfile.gettempdir(), "graphc-pyc"))
    command = [python, "-m", "benchmarks.shipping.peers", tool, what, folder]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "failed")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _needed(python: str, tool: str) -> int:
    """Bytes of the packages that a tool needs."""
    script = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    place = Path(
        subprocess.run([python, "-c", script], capture_output=True, text=True).stdout.strip()
    )
    total = 0
    for name in NEEDS[tool]:
        folder = place / name
        if tool == "graphc":
            folder = Path(__file__).parent.parent.parent / "runtime"
        if folder.is_file():
            total += folder.stat().st_size
        files = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        total += sum(p.stat().st_size for p in files)
    return total


def _bytes(count: float) -> str:
    return f"{count / 1e6:.3g} MB" if count >= 1e6 else f"{count / 1e3:.3g} KB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("tools", nargs="*", default=list(TOOLS))
    options = parser.parse_args()
    heads = ("tool", "build", "files", "needed besides", "start", "batch 1", "batch 512", "batch",
             "gradient", "callers")  # fmt: skip
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for tool in options.tools:
        python = sys.executable if tool == "graphc" else options.peer_python
        with tempfile.TemporaryDirectory() as folder:
            try:
                built = _run(python, tool, "build", folder)
                _run(python, tool, "call", folder)
                called = _run(python, tool, "call", folder)
            except RuntimeError as error:
                print(f"| {tool} | {error} |", flush=True)
                continue
        batch, gradient, callers = FACTS[tool]
        if not batch:
            batch = "any" if built["files"] == ["mlp.vmfb"] else "one each"
        row = (
            f"{built['build_s']:.2f} s", _bytes(built["bytes"]), _bytes(_needed(python, tool)),
            f"{called['start_s'] * 1e3:.0f} ms", f"{called['batch_1_us']:.1f} us",
            f"{called['batch_512_us']:.0f} us", batch, gradient, callers,
        )  # fmt: skip
        print(f"| {tool} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
