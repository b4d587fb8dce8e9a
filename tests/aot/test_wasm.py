"""WebAssembly libraries in Node: the same values, any batch, errors, weights in a file."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.aot import linkers
from graphc.aot.build import build, export
from graphc.aot.targets import platform

NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="Node.js (node) is not there"),
    pytest.mark.skipif(
        not linkers.found(platform("wasm32")), reason="no linker for wasm32 (pip install ziglang)"
    ),
]
RNG = np.random.default_rng(5)
W = RNG.normal(size=(30, 9)).astype(np.float32)
BIG = RNG.normal(size=(9, 20)).astype(np.float32)

CALL = """
import { load } from "./m.mjs";
import { readFileSync } from "node:fs";
const calls = JSON.parse(readFileSync(new URL("calls.json", import.meta.url)));
const file = process.argv[2];
const weights = file ? readFileSync(new URL(file, import.meta.url)) : undefined;
const m = await load(new URL("m.wasm", import.meta.url), weights);
const kinds = { Float32Array, Float64Array, BigInt64Array, Int32Array, Uint8Array, Uint16Array };
const answers = [];
for (const { name, given } of calls) {
  const parsed = {};
  for (const [key, value] of Object.entries(given)) {
    const big = value?.kind?.startsWith("Big");
    parsed[key] = value?.kind
      ? kinds[value.kind].from(value.data.map((v) => (big ? BigInt(v) : v)))
      : value;
  }
  try {
    const found = m[name](parsed);
    answers.push(Object.fromEntries(Object.entries(found).map(
      ([k, v]) => [k, Array.from(v, (x) => (typeof x === "bigint" ? Number(x) : x))])));
  } catch (error) {
    answers.push({ error: error.message, code: error.code });
  }
}
console.log(JSON.stringify(answers));
"""


def network(x: Any) -> Any:
    h = np.tanh(x @ W) @ BIG
    e = np.exp(h - h.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def mixed(x: Any, i: Any, a: Any) -> Any:
    return np.sort(x, -1) * a, x[i], np.argmax(x), np.cumsum(x) // 1, x.astype(np.float16)


def step(w: Any, x: Any) -> Any:
    return w - x.sum(axis=0), (w * w).sum()


def array(x: np.ndarray) -> dict[str, Any]:
    kinds = {"f4": "Float32Array", "f8": "Float64Array", "i8": "BigInt64Array"}
    return {"kind": kinds[x.dtype.str[1:]], "data": x.ravel().tolist()}


def ran(folder: Path, calls: list[tuple[str, dict[str, Any]]], *more: str) -> list[dict[str, Any]]:
    (folder / "call.mjs").write_text(CALL)
    rows = [{"name": name, "given": given} for name, given in calls]
    (folder / "calls.json").write_text(json.dumps(rows))
    done = subprocess.run(
        [str(NODE), "call.mjs", *more], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


EXPORTS = (
    export(network, x="f32[b, 30]"),
    export(mixed, x="f64[n]", i="i64[m]", a="float"),
    export(step, w="f64[n]", x="f64[b, n]", donate="w"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wasm") / "m"
    build(place, *EXPORTS, target="wasm32", name="m")
    return place


@pytest.mark.parametrize("b", [0, 1, 3, 40])
def test_a_network(folder: Path, b: int) -> None:
    x = RNG.normal(size=(b, 30)).astype(np.float32)
    (answer,) = ran(folder, [("network", {"b": b, "x": array(x)})])
    got = np.array(answer["result"]).reshape(b, 20)
    np.testing.assert_allclose(got, network(x), rtol=2e-5, atol=1e-7)


def test_sorts_integers_and_halves(folder: Path) -> None:
    x, i = RNG.normal(size=11), np.array([3, -1, 0])
    given = {"n": 11, "m": 3, "x": array(x), "i": array(i), "a": 2.5}
    (answer,) = ran(folder, [("mixed", given)])
    wanted = mixed(x, i, 2.5)
    for k, expected in enumerate(wanted[:4]):
        np.testing.assert_allclose(answer[f"result_{k}"], np.ravel(expected), rtol=1e-12)
    assert answer["result_4"] == wanted[4].view(np.uint16).tolist()


def test_state_is_written_in_place(folder: Path) -> None:
    w, x = RNG.normal(size=4), RNG.normal(size=(3, 4))
    (answer,) = ran(folder, [("step", {"n": 4, "b": 3, "w": array(w), "x": array(x)})])
    np.testing.assert_allclose(answer["w"], w - x.sum(axis=0))
    np.testing.assert_allclose(answer["result_1"], [(w * w).sum()])


def test_wrong_calls(folder: Path) -> None:
    x, i = RNG.normal(size=4), np.array([4])
    short = np.zeros(29, np.float32)
    answers = ran(folder, [
        ("network", {"b": 1, "x": array(short)}),
        ("network", {"b": -1, "x": array(short)}),
        ("network", {"b": 2.5, "x": array(short)}),
        ("network", {"b": 1 << 40, "x": array(short)}),
        ("network", {"b": 1, "x": array(np.zeros(30))}),
        ("mixed", {"n": 4, "m": 1, "x": array(x), "i": array(i), "a": 1.0}),
        ("mixed", {"n": 4, "m": 1, "x": array(x), "i": array(i), "a": "1"}),
    ])  # fmt: skip
    messages = [
        "x must be a Float32Array of 30 elements", "an extent is negative or too large",
        "b is no integer", "an extent is negative or too large",
        "x must be a Float32Array of 30 elements", "out of bounds", "a is a string",
    ]  # fmt: skip
    for answer, message in zip(answers, messages, strict=True):
        assert message in answer["error"]


def test_weights_in_a_file(tmp_path: Path) -> None:
    w = RNG.normal(size=(30, 700)).astype(np.float32)
    place = tmp_path / "m"
    build(place, export(lambda x: x @ w, name="f", x="f32[b, 30]"), target="wasm32", weights="file")
    assert (place / "m.wasm").stat().st_size < w.nbytes / 2
    x = RNG.normal(size=(2, 30)).astype(np.float32)
    (answer,) = ran(place, [("f", {"b": 2, "x": array(x)})], "m.weights")
    np.testing.assert_allclose(
        np.array(answer["result"]).reshape(2, 700), x @ w, rtol=1e-4, atol=1e-5
    )
    (place / "m.weights").write_bytes(b"short")
    with pytest.raises(AssertionError, match="the weights are 5 bytes"):
        ran(place, [], "m.weights")


def test_the_declaration(folder: Path) -> None:
    text = (folder / "m.d.mts").read_text()
    assert "network(given: { b: number; x: Float32Array }): { result: Float32Array };" in text
    assert "i: BigInt64Array; a: number }" in text
    assert graphc.__version__
