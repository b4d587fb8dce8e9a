"""Calls with containers and NumPy scalars: served by functions written for their structure."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.arguments import Binder
from graphc.unpacking import kinds, packer, unpacker

Pair = namedtuple("Pair", "a b")


@dataclass
class State:
    x: Any
    y: Any


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


TREES: dict[str, Any] = {
    "tuple": (ones(2), ones(3)),
    "list of one": [ones(2)],
    "dict": {"b": ones(2), "a": ones(3)},
    "keys of any kind": {(1, 2): ones(2), 3: ones(1), "x y": ones(4)},
    "nested": {"p": [ones(1), (ones(2), {"q": ones(3)})], "none": None, "e": (), "d": {}},
    "namedtuple": Pair(ones(2), [ones(1)]),
    "dataclass": State(ones(2), {"z": ones(1)}),
    "scalars": (np.float32(1), np.float64(2), np.int32(3), np.bool_(True)),
    "numbers": [1.0, 2, True, 1j, ones(2)],
}


def bound(*args: Any) -> Any:
    return Binder(_two).bind(args, {})


def _two(x: Any, y: Any = None) -> Any:
    return x


@pytest.mark.parametrize("name", TREES)
def test_leaves_are_those_of_the_binder(name: str) -> None:
    call = bound(TREES[name], ones(2))
    unpack = unpacker(call)
    assert unpack is not None
    found = unpack(TREES[name], ones(2))
    assert found is not None and len(found) == len(call.leaves)
    for ours, theirs in zip(found, call.leaves, strict=True):
        assert type(ours) is np.ndarray or type(ours) is type(theirs)
        np.testing.assert_array_equal(ours, theirs)
    for other, tree in TREES.items():
        if other != name:
            assert unpack(tree, ones(2)) is None


@pytest.mark.parametrize("name", [n for n in TREES if n != "dataclass"])
def test_results_are_put_together_again(name: str) -> None:
    (structure, _) = bound(TREES[name], ones(2)).structures
    pack = packer(structure)
    assert pack is not None
    leaves = list(range(structure.count))
    made, wanted = pack(leaves), structure.unflatten(leaves)
    assert made == wanted and type(made) is type(wanted)
    if isinstance(made, dict):
        assert list(made) == list(wanted)


@pytest.mark.parametrize(
    "tree", [OrderedDict(a=ones(1)), {"a": OrderedDict(a=ones(1))}], ids=["top", "inside"]
)
def test_other_containers_are_left_to_the_binder(tree: Any) -> None:
    assert unpacker(bound(tree)) is None
    f = graphc.jit(lambda x: graphc.numpy.asarray(2.0) * next(iter(_leaves(x))))
    for _ in range(2):
        np.testing.assert_array_equal(f(tree), 2 * ones(1))


def _leaves(tree: Any) -> list[Any]:
    import optree

    return optree.tree_leaves(tree)


def test_structures_that_differ_are_refused() -> None:
    unpack = unpacker(bound({"a": ones(1), "b": (ones(2), None)}))
    assert unpack is not None
    good = {"b": (ones(2), None), "a": ones(1)}
    assert unpack(good) is not None
    for wrong in (
        {"a": ones(1)}, {"a": ones(1), "c": (ones(2), None)}, {**good, "c": ones(1)},
        {"a": ones(1), "b": [ones(2), None]}, {"a": ones(1), "b": (ones(2), ones(1))},
        {"a": ones(1), "b": (ones(2), None, None)}, OrderedDict(good), [good], None,
    ):  # fmt: skip
        assert unpack(wrong) is None


def test_calls_of_equal_kinds_share_a_function() -> None:
    def of(*shape: int, dtype: str = "f4") -> Any:
        return kinds(bound((np.ones(shape, dtype),)))

    assert of(2) == of(3) == of(3, dtype="f8") != of()
    assert of() != of(dtype="f8")


def step(params: dict[str, Any], x: Any, rate: Any) -> tuple[dict[str, Any], Any]:
    w, b = params["w"] - rate * x, params["b"] - rate
    return {"w": w, "b": b}, (w * w).sum()


def expected(params: dict[str, Any], x: Any, rate: Any) -> tuple[dict[str, Any], Any]:
    return step(params, x, rate)


def test_calls_after_the_first_are_not_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    f = graphc.jit(step)
    params: Any = {"w": ones(3), "b": np.float32(2)}
    for _ in range(2):  # a result is a NumPy scalar, and may be the next argument
        params, _ = f(params, ones(3), np.float32(0.5))
    monkeypatch.setattr(Binder, "bind", None)
    for k in range(3):
        wanted = expected(params, ones(3) * k, np.float32(0.5))
        params, total = f(params, ones(3) * k, np.float32(0.5))
        np.testing.assert_array_equal(params["w"], wanted[0]["w"])
        assert params["b"] == wanted[0]["b"] and type(params["b"]) is np.float32
        assert type(total) is np.float32 and total == wanted[1]


def test_other_shapes_and_dtypes_find_their_own_program() -> None:
    f = graphc.jit(step)
    for repeat in range(3):
        for dtype in (np.float32, np.float64):
            for n in (3, 4, 0):
                params = {"w": np.full(n, 2, dtype), "b": dtype(1)}
                for rate in (dtype(0.5), np.asarray(0.5, dtype), 0.5):
                    found, total = f(params, np.ones(n, dtype), rate)
                    assert found["w"].dtype == dtype and found["b"].dtype == dtype
                    np.testing.assert_array_equal(found["w"], np.full(n, 1.5, dtype))
                    assert total == 2.25 * n
        if repeat == 0:
            programs = f.cache_info().programs
    info = f.cache_info()
    assert info.programs == programs == 12 and info.hits + info.misses == 54


def test_arrays_of_other_strides() -> None:
    f = graphc.jit(lambda p: p["a"] + p["b"][0])
    a = np.arange(40, dtype=np.float32).reshape(5, 8)
    for k in range(25):  # the first are copied, then a program of any strides is compiled
        for one in (a[:, ::2], a[:, 1::2]):
            given = {"a": one + 0 if k % 3 == 0 else one, "b": [one]}
            np.testing.assert_array_equal(f(given), given["a"] + one)


def test_static_leaves_belong_to_the_structure() -> None:
    f = graphc.jit(
        lambda p, mode: p["x"] * 2 if mode == "double" else p["x"], static_argnames="mode"
    )
    for _ in range(3):
        for mode, factor in (("double", 2), ("single", 1)):
            np.testing.assert_array_equal(f({"x": ones(2)}, mode), factor * ones(2))
    g = graphc.jit(lambda p: p["x"] * (2 if p["kind"] == "double" else 1))
    for _ in range(3):
        for kind, factor in (("double", 2), ("single", 1)):
            found = g({"x": ones(2), "kind": kind})
            np.testing.assert_array_equal(found, factor * ones(2))


def test_donated_containers_are_written_over() -> None:
    f = graphc.jit(lambda p: {"w": p["w"] + 1, "v": [p["v"][0] * 2]}, donate="p")
    p: Any = {"w": ones(1000), "v": [ones(500)]}
    p = f(p)
    places = [p["w"].ctypes.data, p["v"][0].ctypes.data]
    for k in range(3):
        p = f(p)
        assert [p["w"].ctypes.data, p["v"][0].ctypes.data] == places
        assert p["w"][0] == k + 3 and p["v"][0][0] == 2 ** (k + 2)


def test_keyword_only_arguments_stay_so() -> None:
    def program(x: Any, *, y: Any) -> Any:
        return x["a"] + y

    f = graphc.jit(program)
    for _ in range(2):
        np.testing.assert_array_equal(f({"a": ones(2)}, y=ones(2)), 2 * ones(2))
    with pytest.raises(TypeError, match="positional"):
        f({"a": ones(2)}, ones(2))


def test_inside_a_trace_the_function_is_inlined() -> None:
    inner = graphc.jit(lambda p: p[0] + p[1])
    inner((ones(2), ones(2)))
    outer = graphc.jit(lambda x: inner((x, ones(2))) * inner((ones(2), ones(2))))
    np.testing.assert_array_equal(outer(ones(2)), 4 * ones(2))
    assert len(outer.lower(ones(2)).kernels) == 1


def test_clear_cache_forgets_them() -> None:
    f = graphc.jit(lambda p: p[0] + 1)
    f((ones(2),))
    f.clear_cache()
    assert f.cache_info().programs == 0
    f((ones(2),))
    info = f.cache_info()
    assert (info.programs, info.hits, info.misses) == (1, 0, 1)


def test_debugged_programs_still_report() -> None:
    f = graphc.jit(lambda p: np.log(p["x"]), debug="nan")
    f({"x": ones(2)})
    with pytest.raises(graphc.NonFiniteError, match="log"):
        f({"x": -ones(2)})


def test_long_signatures_are_bound() -> None:
    f = graphc.jit(lambda p: p[0] + p[-1])
    many = [ones(1) for _ in range(2001)]
    for _ in range(2):
        np.testing.assert_array_equal(f(many), 2 * ones(1))
