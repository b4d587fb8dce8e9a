"""graphc.load of an artifact: called, composed, differentiated, mapped, exported again."""

from __future__ import annotations

import inspect
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.aot.build import build, export
from graphc.errors import ArtifactError, GraphcError, ShapeMismatch, TypeMismatch

from . import built
from .built import Point, State

RNG = np.random.default_rng(11)


@pytest.fixture(name="model")
def _model() -> Any:
    return graphc.load(built.folder())


def f32(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def test_functions_are_attributes(model: Any) -> None:
    assert {"layer", "loss_grad"} <= set(dir(model)) and set(model.functions) <= set(dir(model))
    assert repr(model).startswith("<artifact ")
    with pytest.raises(AttributeError, match=r"no function 'other'; it has layer, wide"):
        model.other  # noqa: B018
    assert list(inspect.signature(model.layer).parameters) == ["x", "w", "b"]
    assert model.layer.__name__ == "layer" and "One layer" in model.layer.__doc__
    model.check()


def test_calls_run_the_artifacts_own_code(model: Any) -> None:
    x = f32(3, 6)
    np.testing.assert_allclose(model.wide(x), x @ built.W, rtol=1e-4, atol=1e-5)
    with pytest.raises(TypeMismatch, match=r"x is float64\[3, 6\]; expected f32\[b, 6\]"):
        model.wide(x.astype(np.float64))


def test_composed_in_another_program(model: Any) -> None:
    @graphc.jit
    def twice(x: Any, w: Any, b: Any) -> Any:
        return model.wide(model.layer(x, w, b) @ w.T) * 2

    x, w, b = f32(5, 6), f32(6, 4), f32(4)
    expected = np.tanh(x @ w + b) @ w.T @ built.W * 2
    np.testing.assert_allclose(twice(x, w, b), expected, rtol=1e-4, atol=1e-4)
    assert "call" not in str(twice.trace(x, w, b).graph)  # part of the program, not called by it
    symbolic = twice.trace(graphc.spec("f32[n, 6]"), w, b).graph
    assert str(symbolic.results[0].type) == "f32[n, 700]"


def test_derivatives(model: Any) -> None:
    w, x, y = f32(6, 4), f32(5, 6), f32(5, 4)
    expected = graphc.grad(built.loss)(w, x, y)
    np.testing.assert_allclose(graphc.grad(model.loss)(w, x, y), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.loss_grad(w, x, y), expected, rtol=1e-5, atol=1e-6)
    value, grad = graphc.value_and_grad(model.loss, 1)(w, x, y)
    np.testing.assert_allclose(value, built.loss(w, x, y), rtol=1e-5)
    assert grad.shape == x.shape
    second = graphc.jvp(lambda w: model.loss_grad(w, x, y), (w,), (np.ones_like(w),))[1]
    ours = graphc.jvp(lambda w: graphc.grad(built.loss)(w, x, y), (w,), (np.ones_like(w),))[1]
    np.testing.assert_allclose(second, ours, rtol=1e-4, atol=1e-5)


def test_batches(model: Any) -> None:
    x, w, b = f32(7, 5, 6), f32(6, 4), f32(4)
    found = graphc.vmap(lambda one: model.layer(one, w, b))(x)
    np.testing.assert_allclose(found, np.tanh(x @ w + b), rtol=1e-5, atol=1e-6)


def test_nested_arguments_in_a_program(model: Any) -> None:
    arrays = [f32(3) for _ in range(6)]

    def call(p: Any, a: Any, b: Any, x: Any, y: Any, z: Any) -> Any:
        return model.nested({"w": [p, Point(a, b)], "s": State(p, np.zeros(2, "f4"))}, (x, [y, z]))

    inside, outside = graphc.jit(call)(*arrays), call(*arrays)
    assert graphc.pytrees.flatten(inside)[1] == graphc.pytrees.flatten(outside)[1]  # type: ignore[attr-defined]
    np.testing.assert_allclose(inside[0]["z"], outside[0]["z"], rtol=1e-5, atol=1e-6)


def test_python_numbers_in_a_program(model: Any) -> None:
    x = RNG.normal(size=3)
    found = graphc.jit(lambda x, s: model.numbers(x, s, 3, True, 1j))(x, 2.0)
    for one, other in zip(found, model.numbers(x, 2.0, 3, True, 1j), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    text, number, _ = graphc.jit(model.labelled)(x)
    assert (text, number) == ("label", 3)


def test_steps_in_a_program(model: Any) -> None:
    w, x = f32(3), f32(4, 3)

    def train(w: Any, x: Any) -> Any:
        params = {"w": w}
        for _ in range(3):
            params, norm = model.step(params, x, 0.1)
        return params["w"], norm

    inside, norm = graphc.jit(train)(w.copy(), x)
    own = w.copy()
    outside, other = train(own, x)
    assert outside is own
    np.testing.assert_allclose(inside, outside, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(norm, other, rtol=1e-5)


def test_what_does_not_fit_in_a_program(model: Any) -> None:
    x, w, b = f32(5, 6), f32(6, 4), f32(4)
    with pytest.raises(TypeMismatch, match=r"layer: x is f64\[5, 6\]; expected f32\[b, 6\]"):
        graphc.jit(model.layer)(x.astype(np.float64), w, b)
    with pytest.raises(ShapeMismatch, match="layer: axis 1 of x is 5; expected 6"):
        graphc.jit(model.layer)(x[:, :5], w, b)
    with pytest.raises(TypeMismatch, match="params is a dict of"):
        graphc.jit(lambda x: model.nested({"v": x}, x))(x)
    with pytest.raises(GraphcError, match=">= 0"):
        graphc.jit(lambda x: model.shifted(x), dims={"x": "n"})(np.zeros(1))


def test_exported_again(model: Any, tmp_path: Path) -> None:
    build(
        tmp_path / "again",
        export(model.layer, x="f32[b, 6]", w="f32[6, 4]", b="f32[4]"),
        export(model.step, params={"w": "f32[k]"}, x="f32[b, k]", rate="f32"),
        export(model.loss, kind="grad", w="f32[6, 4]", x="f32[b, 6]", y="f32[b, 4]"),
        export(model.shifted, x="f64[n]"),
        cpu="baseline",
    )
    again = graphc.load(tmp_path / "again")
    x, w, b, y = f32(5, 6), f32(6, 4), f32(4), f32(5, 4)
    np.testing.assert_array_equal(again.layer(x, w, b), model.layer(x, w, b))
    np.testing.assert_allclose(again.loss_grad(w, x, y), model.loss_grad(w, x, y), atol=1e-6)
    own = {"w": f32(6)}
    assert again.step(own, x, 0.1)[0]["w"] is own["w"]
    with pytest.raises(ShapeMismatch, match=">= 0"):
        again.shifted(np.zeros(1))
    before, after = (m._opened.manifest.functions[0] for m in (model, again))
    assert before.where == after.where and before.where.startswith("built.py:")


def test_pickles(model: Any) -> None:
    again = pickle.loads(pickle.dumps(model.layer))
    x, w, b = f32(2, 6), f32(6, 4), f32(4)
    np.testing.assert_array_equal(again(x, w, b), model.layer(x, w, b))


def test_without_graphs(tmp_path: Path) -> None:
    build(tmp_path / "closed", export(built.wide, x="f32[b, 6]"), cpu="baseline", graph=False)
    assert not (tmp_path / "closed" / "graphs").exists()
    closed = graphc.load(tmp_path / "closed")
    assert closed.wide(f32(2, 6)).shape == (2, 700)
    with pytest.raises(ArtifactError, match="was built without the graph of wide"):
        graphc.jit(closed.wide)(f32(2, 6))


def test_graphs_of_other_machines(tmp_path: Path) -> None:
    """A program of this machine is made of the graph; the artifact's own code cannot run."""
    from graphc.aot.targets import host_platform

    other = "aarch64" if host_platform().arch == "x86_64" else "x86_64"
    build(tmp_path / "foreign", export(built.wide, x="f32[b, 6]"), cpu="baseline",
          target=f"{other}-linux-gnu")  # fmt: skip
    foreign, x = graphc.load(tmp_path / "foreign"), f32(2, 6)
    with pytest.raises(ArtifactError, match="was built for"):
        foreign.wide(x)
    found = graphc.jit(lambda x: foreign.wide(x))(x)
    np.testing.assert_allclose(found, x @ built.W, rtol=1e-4, atol=1e-5)


def test_changed_graphs_are_refused(tmp_path: Path) -> None:
    shutil.copytree(built.folder(), tmp_path / "copy")
    path = tmp_path / "copy" / "graphs" / "wide.txt"
    path.write_text(path.read_text().replace("graph wide", "graph wild"))
    model = graphc.load(tmp_path / "copy")
    with pytest.raises(ArtifactError, match=r"wide\.txt in .* is not what was built"):
        graphc.jit(model.wide)(f32(2, 6))


def test_files_of_arrays_are_loaded_as_before(tmp_path: Path) -> None:
    graphc.save(tmp_path / "arrays", {"a": np.arange(3)})
    np.testing.assert_array_equal(graphc.load(tmp_path / "arrays")["a"], np.arange(3))
    with pytest.raises(ValueError, match="is an artifact"):
        graphc.load(built.folder(), like={})
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match=r"has no manifest\.json"):
        graphc.load(tmp_path / "empty")
