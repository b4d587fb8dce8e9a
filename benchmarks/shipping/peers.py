"""One tool in one process: builds the MLP for shipping, or loads it and measures calls.

    python -m benchmarks.shipping.peers TOOL build FOLDER
    python -m benchmarks.shipping.peers TOOL call FOLDER

Each tool has a pair of functions. `build` answers the files that were made; `load` a callable of a
float32 array (batch, 784). Prints one line of JSON. The last line of `build` says whether one file
takes any batch, and whether the tool exports gradients.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

SIZES = (784, 128, 128, 10)
BATCHES = (1, 512)
SECONDS = 0.5


def weights() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [
        (
            rng.normal(0, a**-0.5, (a, b)).astype(np.float32),
            rng.normal(0, 0.1, b).astype(np.float32),
        )
        for a, b in pairwise(SIZES)
    ]


def predict(xp: Any, x: Any, layers: Any) -> Any:
    """Probabilities of ten digits."""
    for w, b in layers[:-1]:
        x = xp.maximum(x @ w + b, 0)
    w, b = layers[-1]
    z = x @ w + b
    e = xp.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------------------------------- graphc
def graphc_build(folder: Path) -> list[Path]:
    import graphc

    layers = weights()

    def digits(x):  # type: ignore[no-untyped-def]
        return predict(np, x, layers)

    graphc.build(
        folder / "mlp", graphc.export(digits, name="predict", x="f32[b, 784]"), graph=False
    )
    return [*(folder / "mlp").glob("*")]


def graphc_load(folder: Path) -> Callable[..., Any]:
    sys.path.insert(0, str(folder))
    import mlp  # type: ignore[import-not-found]

    return mlp.predict


# ------------------------------------------------------------------------------------------- jax
def jax_build(folder: Path) -> list[Path]:
    import jax
    from jax import export

    layers = weights()
    (b,) = export.symbolic_shape("b")
    f = jax.jit(lambda x: predict(jax.numpy, x, layers))
    made = export.export(f, platforms=["cpu"])(jax.ShapeDtypeStruct((b, 784), np.float32))
    (folder / "mlp.jax").write_bytes(made.serialize())
    return [folder / "mlp.jax"]


def jax_load(folder: Path) -> Callable[..., Any]:
    import jax
    from jax import export

    loaded = export.deserialize(bytearray((folder / "mlp.jax").read_bytes()))
    call = jax.jit(loaded.call)
    return lambda x: np.asarray(call(x))


# ----------------------------------------------------------------------------------- AOTInductor
def inductor_build(folder: Path) -> list[Path]:
    import torch

    module = _torch_module()
    dynamic = {"x": {0: torch.export.Dim("b", min=1, max=1 << 20)}}
    program = torch.export.export(module, (torch.zeros(2, 784),), dynamic_shapes=dynamic)
    torch._inductor.aoti_compile_and_package(program, package_path=str(folder / "mlp.pt2"))
    return [folder / "mlp.pt2"]


def _torch_module() -> Any:
    import torch

    class Mlp(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList()
            for w, b in weights():
                layer = torch.nn.Linear(*w.shape)
                layer.weight.data, layer.bias.data = torch.tensor(w.T.copy()), torch.tensor(b)
                self.layers.append(layer)

        def forward(self, x):  # type: ignore[no-untyped-def]
            for layer in self.layers[:-1]:
                x = torch.relu(layer(x))
            return torch.softmax(self.layers[-1](x), -1)

    return Mlp().eval()


def inductor_load(folder: Path) -> Callable[..., Any]:
    import torch

    torch.set_num_threads(1)
    call = torch._inductor.aoti_load_package(str(folder / "mlp.pt2"))

    def run(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return call(torch.from_numpy(x)).numpy()

    return run


# ------------------------------------------------------------------------------------ TensorFlow
def tflite_build(folder: Path) -> list[Path]:
    import tensorflow as tf

    layers = weights()

    @tf.function(input_signature=[tf.TensorSpec((None, 784), tf.float32)])
    def digits(x):  # type: ignore[no-untyped-def]
        for w, b in layers[:-1]:
            x = tf.nn.relu(x @ w + b)
        w, b = layers[-1]
        return tf.nn.softmax(x @ w + b)

    holder = tf.Module()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [digits.get_concrete_function()], holder
    )
    (folder / "mlp.tflite").write_bytes(converter.convert())
    return [folder / "mlp.tflite"]


def tflite_load(folder: Path) -> Callable[..., Any]:
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(folder / "mlp.tflite"), num_threads=1)
    index = interpreter.get_input_details()[0]["index"]
    shape: tuple[int, ...] | None = None

    def run(x: np.ndarray) -> np.ndarray:
        nonlocal shape
        if x.shape != shape:
            interpreter.resize_tensor_input(index, x.shape)
            interpreter.allocate_tensors()
            shape = x.shape
        interpreter.set_tensor(index, x)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return run


# ----------------------------------------------------------------------------------- ONNX Runtime
def onnx_build(folder: Path) -> list[Path]:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, last = [], [], "x"
    for k, (w, b) in enumerate(weights()):
        constants += [numpy_helper.from_array(w, f"w{k}"), numpy_helper.from_array(b, f"b{k}")]
        nodes.append(helper.make_node("Gemm", [last, f"w{k}", f"b{k}"], [f"z{k}"]))
        kind = "Relu" if k < len(SIZES) - 2 else "Softmax"
        nodes.append(helper.make_node(kind, [f"z{k}"], [f"h{k}"]))
        last = f"h{k}"
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 784])
    result = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["b", 10])
    graph = helper.make_graph(nodes, "mlp", [given], [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "mlp.onnx"))
    return [folder / "mlp.onnx"]


def onnx_load(folder: Path) -> Callable[..., Any]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(folder / "mlp.onnx"), options, ["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


# ------------------------------------------------------------------------------------------ IREE
def iree_build(folder: Path) -> list[Path]:
    import jax
    from iree import compiler
    from jax import export

    layers = weights()
    (b,) = export.symbolic_shape("b")
    f = jax.jit(lambda x: predict(jax.numpy, x, layers))
    try:
        made = export.export(f, platforms=["cpu"])(jax.ShapeDtypeStruct((b, 784), np.float32))
        text = str(made.mlir_module())
        code = compiler.compile_str(
            text, input_type="stablehlo", target_backends=["llvm-cpu"],
            extra_args=["--iree-llvmcpu-target-cpu=host"],
        )  # fmt: skip
    except Exception:
        parts = []
        for n in BATCHES:  # one module for each batch
            made = export.export(f, platforms=["cpu"])(jax.ShapeDtypeStruct((n, 784), np.float32))
            code = compiler.compile_str(
                str(made.mlir_module()), input_type="stablehlo", target_backends=["llvm-cpu"],
                extra_args=["--iree-llvmcpu-target-cpu=host"],
            )  # fmt: skip
            (folder / f"mlp{n}.vmfb").write_bytes(code)
            parts.append(folder / f"mlp{n}.vmfb")
        return parts
    (folder / "mlp.vmfb").write_bytes(code)
    return [folder / "mlp.vmfb"]


def iree_load(folder: Path) -> Callable[..., Any]:
    from iree import runtime

    paths = sorted(folder.glob("*.vmfb"))
    modules = {p.stem: runtime.load_vm_flatbuffer_file(str(p), driver="local-sync") for p in paths}

    def run(x: np.ndarray) -> np.ndarray:
        module = modules.get("mlp") or modules[f"mlp{len(x)}"]
        return module.main(x).to_host()

    return run


# ------------------------------------------------------------------------------------------- TVM
def tvm_build(folder: Path) -> list[Path]:
    """Without tuning: its schedules are measured ones, and a search takes hours."""
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    (path,) = onnx_build(folder)
    module = relax.transform.LegalizeOps()(from_onnx(onnx.load(str(path))))
    path.unlink()
    made = tvm.compile(module, target="llvm")
    made.export_library(str(folder / "mlp.so"))
    return [folder / "mlp.so"]


def tvm_load(folder: Path) -> Callable[..., Any]:
    import tvm
    from tvm import relax

    library = tvm.runtime.load_module(str(folder / "mlp.so"))
    call = relax.VirtualMachine(library, tvm.cpu())["main"]
    return lambda x: call(tvm.runtime.tensor(x)).numpy()


# ---------------------------------------------------------------------------------------- CasADi
def casadi_build(folder: Path) -> list[Path]:
    """C code of CasADi, in double precision, one file for each batch; the compiler is gcc."""
    import casadi as ca

    made = []
    for n in BATCHES:
        x = ca.MX.sym("x", n, 784)
        h = x
        layers = weights()
        for k, (w, b) in enumerate(layers):
            z = ca.mtimes(h, ca.DM(w.astype(float))) + ca.repmat(ca.DM(b.astype(float)).T, n, 1)
            h = ca.fmax(z, 0) if k < len(layers) - 1 else z
        e = ca.exp(h)
        result = e / ca.repmat(ca.sum2(e), 1, SIZES[-1])
        f = ca.Function("f", [x], [result])
        name = f"mlp{n}.c"
        here = os.getcwd()
        os.chdir(folder)
        f.generate(name, {"with_header": True})
        os.chdir(here)
        library = folder / f"mlp{n}.so"
        command = ["gcc", "-O3", "-march=native", "-fPIC", "-shared", str(folder / name), "-lm",
                   "-o", str(library)]  # fmt: skip
        subprocess.run(command, check=True)
        made.append(library)
    return made


def casadi_load(folder: Path) -> Callable[..., Any]:
    import ctypes

    row = ctypes.POINTER(ctypes.c_double)
    calls = {}
    for n in BATCHES:
        library = ctypes.CDLL(str(folder / f"mlp{n}.so"))
        sizes = [ctypes.c_longlong() for _ in range(4)]
        library.f_work(*(ctypes.byref(s) for s in sizes))
        calls[n] = (
            library,
            (ctypes.c_longlong * (sizes[2].value + 1))(),
            (ctypes.c_double * (sizes[3].value + 1))(),
        )

    def run(x: np.ndarray) -> np.ndarray:
        library, integers, work = calls[len(x)]
        given = np.asfortranarray(x, dtype=np.float64)
        result = np.empty((len(x), 10), order="F")
        arguments = (row * 16)(given.ctypes.data_as(row))
        results = (row * 16)(result.ctypes.data_as(row))
        library.f(arguments, results, integers, work, 0)
        return result.astype(np.float32)

    return run


# ------------------------------------------------------------------------------------- measuring
TOOLS: dict[str, tuple[Any, Any]] = {
    "graphc": (graphc_build, graphc_load),
    "jax.export": (jax_build, jax_load),
    "AOTInductor": (inductor_build, inductor_load),
    "TF Lite": (tflite_build, tflite_load),
    "ONNX Runtime": (onnx_build, onnx_load),
    "IREE": (iree_build, iree_load),
    "TVM": (tvm_build, tvm_load),
    "CasADi": (casadi_build, casadi_load),
}


def timed(call: Callable[[], Any]) -> float:
    """The least time of one call, in seconds."""
    call()
    begin = time.perf_counter()
    call()
    one = time.perf_counter() - begin
    repeats, best = max(1, int(0.01 / max(one, 1e-9))), float("inf")
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        begin = time.perf_counter()
        for _ in range(repeats):
            call()
        best = min(best, (time.perf_counter() - begin) / repeats)
    return best


def main(tool: str, what: str, place: str) -> None:
    build, load = TOOLS[tool]
    folder = Path(place)
    rng = np.random.default_rng(1)
    inputs = {n: rng.random((n, 784), dtype=np.float32) for n in BATCHES}
    if what == "build":
        begin = time.perf_counter()
        made = build(folder)
        print(json.dumps({
            "build_s": time.perf_counter() - begin, "bytes": sum(p.stat().st_size for p in made),
            "files": [p.name for p in made],
        }))  # fmt: skip
        return
    begin = time.perf_counter()
    call = load(folder)
    first = np.asarray(call(inputs[1]))
    start = time.perf_counter() - begin
    wanted = predict(np, inputs[1].astype(np.float64), weights())
    error = float(np.abs(first - wanted).max())
    found = {f"batch_{n}_us": timed(lambda n=n: call(inputs[n])) * 1e6 for n in BATCHES}
    print(json.dumps({"start_s": start, "error": error, **found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
