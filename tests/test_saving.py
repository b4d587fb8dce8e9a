"""Nested arrays go through a file unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import graphc
from graphc import optim
from graphc.saving import load_metadata


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclass
class Layer:
    w: Any
    rest: Any = None


def equal(a: Any, b: Any) -> None:
    if isinstance(a, Layer):
        assert isinstance(b, Layer)
        equal((a.w, a.rest), (b.w, b.rest))
        return
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            equal(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            equal(x, y)
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b


def test_trees_come_back(tmp_path: Path) -> None:
    tree = {
        "layers": [(np.arange(6.0).reshape(2, 3), np.zeros(3, np.float32)), ()],
        1: np.array(3, np.int64),
        "1": np.ones((0, 2), np.int8),
        "step": 5, "rate": 0.1, "name": "net", "flag": True, "none": None,
        "half": np.ones(3, ml_dtypes.bfloat16),
        "turned": np.arange(6).reshape(2, 3).T,
        "z": np.array([[1 + 2j, 3j]], np.complex64),
        "empty": {},
    }  # fmt: skip
    path = tmp_path / "x.safetensors"
    graphc.save(path, tree)
    equal(graphc.load(path), tree)
    equal(graphc.load(path, like=tree), tree)
    assert sorted(load_file(path))[:4] == ["1", "1'", "half", "layers.0.0"]
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_one_array_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "x"
    graphc.save(path, np.arange(3), metadata={"trained": "yes"})
    equal(graphc.load(path), np.arange(3))
    assert load_metadata(path) == {"trained": "yes"}
    with pytest.raises(ValueError, match="the key 'graphc'"):
        graphc.save(path, np.arange(3), metadata={"graphc": "no"})


def test_classes_need_an_example(tmp_path: Path) -> None:
    path = tmp_path / "x"
    tree = {"p": Pair(np.ones(2), [np.zeros(3)]), "l": Layer(np.ones(4), Pair(1, None))}
    graphc.save(path, tree)
    with pytest.raises(ValueError, match="named tuple or a dataclass"):
        graphc.load(path)
    equal(graphc.load(path, like=tree), tree)


def test_what_differs_from_the_example_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    graphc.save(path, {"w": [np.ones(2), np.ones(3)]})
    for like, message in (
        ({"v": []}, "has not the keys"),
        ({"w": [np.ones(2)]}, r"the file\['w'\] has not the 1 parts"),
        ({"w": [np.ones(2), np.ones(4)]}, r"the file\['w'\].1 is float64\(3,\); expected"),
        ({"w": [np.ones(2), None]}, "expected something like None"),
    ):
        with pytest.raises(ValueError, match=message):
            graphc.load(path, like=like)


def test_files_of_others_are_dicts(tmp_path: Path) -> None:
    path = tmp_path / "x"
    save_file({"a.b": np.ones(2)}, path)
    equal(graphc.load(path), {"a.b": np.ones(2)})


def test_what_is_no_number_is_refused_and_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    graphc.save(path, [np.ones(2)])
    for tree, message in (([object()], "0 is no array"), ({2.5: 1}, "a key of the tree is 2.5")):
        with pytest.raises(TypeError, match=message):
            graphc.save(path, tree)
    equal(graphc.load(path), [np.ones(2)])


def test_training_goes_on_after_loading(tmp_path: Path) -> None:
    opt = optim.adam(0.1)
    params = {"w": np.ones(3, np.float32)}
    step = graphc.jit(lambda p, s: opt.update(p, p, s))
    params, state = step(params, opt.init(params))
    graphc.save(tmp_path / "x", (params, state))
    further = step(*graphc.load(tmp_path / "x", like=(params, state)))
    equal(further, step(params, state))
