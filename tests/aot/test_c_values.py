"""Exported functions called from C give what Python gives: every dtype, any extent, every kind of
kernel, derivatives, state in place, and the program's own errors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.aot.build import Export, export
from graphc.evaluate import evaluate
from graphc.types import DTYPES

from . import c_caller

pytestmark = pytest.mark.skipif(c_caller.CC is None, reason="there is no C compiler (cc)")
RNG = np.random.default_rng(7)


def image(x: Any, k: Any) -> Any:
    return graphc.nn.relu(graphc.nn.conv(x, k, padding="same"))


def looped(x: Any, n: int) -> Any:
    return graphc.scan(lambda c, row: (c * 0.5 + row, c.sum()), np.zeros(3), x)


def collatz(n: Any) -> Any:
    def body(s: Any) -> Any:
        return np.where(s[0] % 2 == 0, s[0] // 2, 3 * s[0] + 1), s[1] + 1

    return graphc.while_loop(lambda s: s[0] != 1, body, (n, np.int64(0)))[1]


def many(x: Any) -> Any:
    return np.sort(x, -1), np.argmax(x, -1), np.cumsum(x, -1), np.tanh(x) * np.exp(-(x**2))


def normal(n: int) -> np.ndarray:
    return RNG.normal(size=n)


FUNCTIONS: dict[str, tuple[Export, list[tuple[tuple[int, ...], list[Any]]]]] = {}


def case(one: Export, *calls: tuple[tuple[int, ...], list[Any]]) -> None:
    FUNCTIONS[one.name] = one, list(calls)


W1, W2 = RNG.normal(size=(20, 16)).astype(np.float32), RNG.normal(size=(16, 4)).astype(np.float32)


def softmax(x: Any) -> Any:
    z = np.maximum(x @ W1, 0) @ W2
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def rows(b: int) -> np.ndarray:
    return RNG.normal(size=(b, 20)).astype(np.float32)


case(export(softmax, name="network", x="f32[b, 20]"),
     *(((b,), [rows(b)]) for b in (0, 1, 3, 64, 129)))  # fmt: skip
case(export(lambda x, y, a: a * x + y, name="axpy", x="f64[n]", y="f64[n]", a="float"),
     *(((n,), [normal(n), normal(n), 1.5]) for n in (0, 1, 1000)))  # fmt: skip
case(export(many, name="many", x="f64[b, n]"),
     *((s, [RNG.normal(size=s)]) for s in ((2, 7), (1, 1), (0, 5))))  # fmt: skip
KERNEL = RNG.normal(size=(3, 3, 3, 8))
case(export(image, name="image", x="f32[b, 9, 9, 3]", k="f32[3, 3, 3, 8]"),
     *(((b,), [RNG.normal(size=(b, 9, 9, 3)), KERNEL]) for b in (1, 4)))  # fmt: skip
case(export(looped, name="scanned", x="f64[n, 3]", static={"n": 0}),
     *(((n,), [RNG.normal(size=(n, 3))]) for n in (0, 1, 9)))  # fmt: skip
case(export(collatz, name="collatz", n="i64[]"), ((), [27]), ((), [1]))
case(export(lambda a, b: a @ b, name="product", a="f64[m, k]", b="f64[k, n]"),
     *((s, [RNG.normal(size=s[:2]), RNG.normal(size=s[1:])])
       for s in ((3, 4, 5), (70, 33, 50), (1, 1, 1), (2, 0, 3))))  # fmt: skip
case(export(lambda key: graphc.random.normal(key, (5,)), name="noise", key="u32[2]"),
     ((), [np.array([1, 2], np.uint32)]))  # fmt: skip
case(export(lambda x: x[: x.shape[0] - 3].sum(), name="headless", x="f64[n]"),
     ((3,), [normal(3)]), ((8,), [normal(8)]))  # fmt: skip


def wave(w: Any, x: Any) -> Any:
    return (np.sin(x @ w) ** 2).sum()


for kind in ("value", "grad", "value_and_grad", "jvp", "vjp", "hvp", "vmap"):
    made = export(wave, kind=kind, name=f"wave_{kind}", w="f64[n]", x="f64[b, n]")
    extra: list[Any] = {"jvp": [normal(3)], "hvp": [normal(3)], "vjp": [0.7]}.get(kind, [])
    if kind == "vmap":
        case(made, ((2, 3, 4), [RNG.normal(size=(2, 3)), RNG.normal(size=(2, 4, 3))]))
    else:
        case(made, ((3, 4), [normal(3), RNG.normal(size=(4, 3)), *extra]))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> c_caller.Program:
    """One C program for all of them."""
    made = c_caller.library(*(one for one, _ in FUNCTIONS.values()))
    return c_caller.compiled(made, tmp_path_factory.mktemp("values"))


def wanted(one: Export, arrays: list[Any]) -> list[np.ndarray]:
    """What the graph means."""
    graph = one.made().traced.graph
    types = [p.type.dtype.numpy for p in graph.params]
    return evaluate(graph, [np.asarray(a, t) for a, t in zip(arrays, types, strict=True)])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values(program: c_caller.Program, name: str) -> None:
    one, calls = FUNCTIONS[name]
    symbols = c_caller.signature(program.library, name).symbols
    for extents, arrays in calls:
        sizes = _in_order(one, symbols, arrays)
        assert sorted(sizes) == sorted(extents)
        answer = program.call(name, sizes, *arrays)
        assert (answer.code, answer.text) == (0, "no error")
        for got, expected in zip(answer.outputs, wanted(one, arrays), strict=True):
            assert got.dtype == expected.dtype and got.shape == expected.shape
            np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6)


def _in_order(one: Export, symbols: tuple[str, ...], arrays: list[Any]) -> list[int]:
    """The values of the symbols, from the shapes of the arrays."""
    found: dict[str, int] = {}
    for param, array in zip(one.made().traced.graph.params, arrays, strict=True):
        for extent, size in zip(param.type.shape, np.shape(array), strict=True):
            found.setdefault(str(extent), size)
    return [found[s] for s in symbols]


def test_the_same_bits_as_jit(program: c_caller.Program) -> None:
    x = rows(33)
    answer = program.call("network", [33], x)
    assert answer.outputs[0].tobytes() == graphc.jit(softmax)(x).tobytes()


def test_a_relation_that_does_not_hold(program: c_caller.Program) -> None:
    answer = program.call("headless", [2], normal(2))
    assert (answer.code, answer.text) == (3, "a relation between extents does not hold")


# ------------------------------------------------------------------------------------ dtypes
def _values(dtype: Any) -> np.ndarray:
    if dtype.kind == "b":
        return RNG.integers(0, 2, 11).astype(bool)
    if dtype.kind in "iu":
        return RNG.integers(0, 100, 11).astype(dtype)
    if dtype.kind == "c":
        return (RNG.normal(size=11) + 1j * RNG.normal(size=11)).astype(dtype)
    return RNG.normal(size=11).astype(dtype)


@pytest.fixture(scope="module")
def of_dtypes(tmp_path_factory: pytest.TempPathFactory) -> c_caller.Program:
    exports = []
    for name in DTYPES:

        def both(x: Any, y: Any) -> Any:
            return np.where(x == x, x, y), np.stack([x, x])[::-1], x[0] if x.shape[0] == 11 else y

        exports.append(export(both, name=f"of_{name}", x=f"{name}[11]", y=f"{name}[]"))
    return c_caller.compiled(c_caller.library(*exports), tmp_path_factory.mktemp("dtypes"))


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes(of_dtypes: c_caller.Program, name: str) -> None:
    x = _values(DTYPES[name].numpy)
    answer = of_dtypes.call(f"of_{name}", [], x, x[1])
    assert answer.code == 0
    assert answer.outputs[0].tobytes() == x.tobytes()
    assert answer.outputs[1].tobytes() == x.tobytes() * 2
    assert answer.outputs[2].tobytes() == x[:1].tobytes()


# ------------------------------------------------------------------------- state and errors
def step(state: Any, x: Any, rate: float) -> Any:
    gradient = graphc.grad(lambda w: ((x @ w) ** 2).sum())(state["w"])
    m = 0.9 * state["m"] + gradient
    return {"w": state["w"] - rate * m, "m": m}, gradient.sum()


def take(x: Any, i: Any) -> Any:
    return x[i]


@pytest.fixture(scope="module")
def stateful(tmp_path_factory: pytest.TempPathFactory) -> c_caller.Program:
    types = {"state": {"w": "f64[n]", "m": "f64[n]"}, "x": "f64[b, n]", "rate": "float"}
    made = c_caller.library(
        export(step, donate="state", types=types), export(take, x="f64[n]", i="i64[m]"),
    )  # fmt: skip
    return c_caller.compiled(made, tmp_path_factory.mktemp("state"))


def test_state_is_written_in_place(stateful: c_caller.Program) -> None:
    m, w, x = normal(4), normal(4), RNG.normal(size=(6, 4))
    answer = stateful.call("step", [4, 6], m, w, x, 0.01)
    assert answer.code == 0
    state, total = step({"w": w, "m": m}, x, 0.01)
    for got, expected in zip(answer.outputs, (state["m"], state["w"], total), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_an_index_that_is_out_of_bounds(stateful: c_caller.Program) -> None:
    assert stateful.call("take", [4, 2], normal(4), [3, -4]).code == 0
    answer = stateful.call("take", [4, 2], normal(4), [3, 4])
    assert answer.code >= 100
    assert "out of bounds" in answer.text and " test_c_values.py" in answer.text


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: c_caller.library(export(lambda x: np.linalg.inv(x), name="f", x="f64[40, 40]")),
     "calls LAPACK's"),
    (lambda: c_caller.library(name="2x"), "cannot name a library"),
    (lambda: c_caller.library(), "nothing is exported"),
    (lambda: c_caller.library(*[export(take, x="f64[n]", i="i64[m]")] * 2), "called 'take'"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_a_library_cannot_hold(number: int) -> None:
    call, message = REFUSED[number]
    with pytest.raises(graphc.BuildError) as error:
        call()
    assert message in str(error.value)


def test_the_header_is_c_plus_plus_too(program: c_caller.Program, tmp_path: Path) -> None:
    import shutil
    import subprocess

    if shutil.which("g++") is None:
        pytest.skip("there is no C++ compiler (g++)")
    c_caller.written(program.library, tmp_path)
    (tmp_path / "main.cc").write_text(
        '#include <cstdio>\n#include "lib.h"\n'
        "int main() { std::puts(lib_strerror(LIB_OK)); return lib_abi() != 1; }\n"
    )
    command = ["g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "main.cc", "lib.a", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([str(tmp_path / "main")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "no error\n")
