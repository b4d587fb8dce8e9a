"""`jit`: signatures, retraces and their reasons, lowering, threads, methods, pickling."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import jit as jit_function
from graphc.backends import Evaluator
from graphc.jit import Jitted, set_backend

X = np.arange(6.0).reshape(2, 3)
traces: list[str] = []


@pytest.fixture(autouse=True)
def evaluated() -> Any:
    """These tests are about the front end: programs run by the evaluator."""
    before = set_backend(Evaluator())
    yield
    set_backend(before)


def scale(x: Any, factor: float = 2.0) -> Any:
    """Doubles."""
    traces.append("scale")
    return x * factor


importable = graphc.jit(scale, debug="evaluate")
importable.__qualname__ = "importable"


def test_one_trace_per_signature() -> None:
    traces.clear()
    f = graphc.jit(scale)
    for x in (X, X + 1, X.astype("f4"), X[:1], X, X.astype("f4")):
        np.testing.assert_array_equal(f(x), x * 2.0)
        assert f(x).dtype == x.dtype
    assert len(traces) == 3
    info = f.cache_info()
    assert (info.programs, info.hits, info.misses) == (3, 9, 3)
    assert info.reasons == (
        "the first call: x f64[2, 3]",
        "x: expected f64[2, 3], got f32[2, 3]",
        "x: expected f64[2, 3], got f64[1, 3]",
    )
    assert str(info).startswith("3 programs, 9 hits, 3 misses\n  0: the first call")
    f.clear_cache()
    assert f.cache_info().programs == 0


def test_python_numbers_are_dynamic() -> None:
    f = graphc.jit(lambda x, a: x * a)
    assert [f(X, a)[1, 0] for a in (1.0, 2.5, -1.0)] == [3.0, 7.5, -3.0]
    assert f.cache_info().programs == 1
    f(X, 2)
    assert f.cache_info().reasons[1] == "a: expected a Python float, got a Python int"


def test_static_values_are_compared_with_their_type() -> None:
    f = graphc.jit(lambda x, n: x * n, static_argnames="n")
    for n in (1, 1.0, True, 1):
        assert f(X, n).dtype == X.dtype
    assert f.cache_info().programs == 3
    assert f.cache_info().reasons[1] == "n: expected static 1, got static 1.0"


def test_explain() -> None:
    f = graphc.jit(lambda d, mode="a": d["x"] + 1, name="f")
    assert "nothing was traced yet; the call will be traced for d['x'] f64[2, 3]" in f.explain(
        {"x": X}
    )
    f({"x": X})
    assert f.explain({"x": X}).startswith("f: program 0 serves the call")
    text = f.explain({"x": X.astype("i4")}, mode="b")
    assert "the call will be traced anew. The nearest is program 0" in text
    assert "d['x']: expected f64[2, 3], got i32[2, 3]" in text
    assert "mode: not given before, got static 'b'" in text
    assert "d: expected the structure" in f.explain({"x": X, "y": {}})
    assert "['y']" in f.explain({"x": X, "y": X})


def test_symbolic_extents_share_a_program() -> None:
    f = graphc.jit(lambda x, w: (x @ w).sum(axis=1) / x.shape[0], dims={"x": ("b", None)})
    for b in (1, 2, 7):
        x = np.ones((b, 3))
        np.testing.assert_allclose(f(x, X.T), (x @ X.T).sum(axis=1) / b)
    assert f.cache_info().programs == 1
    assert "x f64[b, 3]" in f.cache_info().reasons[0]


def test_lower() -> None:
    f = graphc.jit(scale)
    lowered = f.lower(graphc.spec("f32[b, 3]"), 2.0)
    assert "f32[b, 3]" in lowered.text() and "mul" in lowered.text("graph")
    assert str(lowered) == lowered.text("graph")
    run = lowered.compile()
    for b in (1, 5):
        np.testing.assert_array_equal(run(np.ones((b, 3), "f4"), 3.0), np.full((b, 3), 3, "f4"))
    assert run.__name__ == "scale"
    with pytest.raises(
        graphc.ShapeMismatch, match=r"scale: x: expected f32\[b, 3\], got f64\[2, 3\]"
    ):
        run(X, 2.0)
    assert f.cache_info().programs == 0


def test_specs_are_no_data() -> None:
    with pytest.raises(
        graphc.TraceError, match=r"argument x is a spec \(f64\[3\]\), which has no elements"
    ):
        graphc.jit(scale)(graphc.spec("f64[3]"))


def test_looks_like_the_function() -> None:
    f = graphc.jit(scale)
    assert f.__name__ == "scale" and f.__doc__ == "Doubles." and f.__wrapped__ is scale
    assert list(inspect.signature(f).parameters) == ["x", "factor"]
    assert f.__module__ == __name__
    assert repr(f) == "<graphc.jit scale, 0 programs>"
    assert isinstance(f, Jitted)


def test_as_decorator_with_options() -> None:
    @graphc.jit(static_argnames=("n",), name="power")
    def f(x: Any, n: int) -> Any:
        return x**n

    np.testing.assert_array_equal(f(X, 2), X**2)
    np.testing.assert_array_equal(f(X, n=2), X**2)
    assert f.cache_info().programs == 1
    assert f.lower(X, 2).graph.name == "power"


def test_methods() -> None:
    class Model:
        def __init__(self, w: float):
            self.w = w

        @graphc.jit(static_argnames="self")
        def apply(self, x: Any) -> Any:
            return x * self.w

    a, b = Model(2.0), Model(3.0)
    np.testing.assert_array_equal(a.apply(X), X * 2)
    np.testing.assert_array_equal(b.apply(X), X * 3)
    assert Model.apply.cache_info().programs == 2


def test_nested_functions_are_inlined() -> None:
    inner = graphc.jit(scale)
    outer = graphc.jit(lambda x: inner(x) + inner(x, 3.0))
    np.testing.assert_array_equal(outer(X), X * 5)
    assert inner.cache_info().programs == 0
    assert outer.cache_info().programs == 1


def test_pickling_by_reference() -> None:
    again = pickle.loads(pickle.dumps(importable))
    assert again is importable


def test_functions_without_arguments() -> None:
    f = graphc.jit(lambda: np.arange(3) * 2)
    np.testing.assert_array_equal(f(), [0, 2, 4])
    np.testing.assert_array_equal(f(), [0, 2, 4])


def test_wrong_calls_are_pythons_errors() -> None:
    f = graphc.jit(scale)
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        f()
    with pytest.raises(TypeError, match="too many positional"):
        f(X, 1, 2)
    with pytest.raises(TypeError, match="unexpected keyword"):
        f(X, other=1)


def test_a_failed_trace_is_tried_again() -> None:
    fail = True

    def program(x: Any) -> Any:
        if fail:
            raise RuntimeError("not yet")
        return x

    f = graphc.jit(program)
    with pytest.raises(RuntimeError, match="not yet"):
        f(X)
    fail = False
    np.testing.assert_array_equal(f(X), X)


def test_threads_share_a_trace() -> None:
    count: list[int] = []

    def program(x: Any) -> Any:
        count.append(1)
        time.sleep(0.05)
        return x + np.zeros(3)

    f = graphc.jit(program)
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(f(X))) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(count) == 1
    assert len(results) == 6
    assert f.cache_info() == type(f.cache_info())(1, 5, 1, ("the first call: x f64[2, 3]",))


def test_signatures_are_traced_side_by_side() -> None:
    meet = threading.Barrier(2, timeout=10)

    def program(x: Any) -> Any:
        meet.wait()
        return x + 1

    f = graphc.jit(program)
    threads = [threading.Thread(target=f, args=(x,)) for x in (X, X[0])]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert f.cache_info().programs == 2


def test_results_are_fresh() -> None:
    f = graphc.jit(lambda x: (x, x.T, np.ones(2)))
    a, b, c = f(X)
    a[:] = b[:] = c[:] = -1
    np.testing.assert_array_equal(f(X)[0], np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(f(X)[2], [1, 1])


def test_out_of_range_is_raised_by_compiled_code() -> None:
    set_backend(None)
    f = graphc.jit(lambda x, i: x[i])
    for _ in range(2):
        np.testing.assert_array_equal(f(X, np.array([1, -2])), X[[1, -2]])
        with pytest.raises(IndexError, match="out of bounds for axis 0 with size 2"):
            f(X, np.array([5]))
        with pytest.raises(IndexError, match="out of bounds for axis 0 with size 2"):
            f(X, np.array([0, 2]))


def test_compiled_code() -> None:
    set_backend(None)
    f = graphc.jit(lambda x, y, a: (np.tanh(x @ y) * a, x.sum(), {"n": x.shape}))
    for _ in range(3):
        got = f(X, X.T, 2.0)
        np.testing.assert_allclose(got[0], np.tanh(X @ X.T) * 2)
        assert got[1] == X.sum() and type(got[1]) is np.float64
        assert got[2] == {"n": (2, 3)}
    np.testing.assert_allclose(f(X.T, X, 2.0)[0], np.tanh(X.T @ X) * 2)
    assert f.cache_info().programs == 2
    g = graphc.jit(lambda x: x * 2 + 1, dims={"x": "n"})
    for n in (1, 5, 9):
        np.testing.assert_array_equal(g(np.arange(float(n))), np.arange(n) * 2.0 + 1)
    assert g.cache_info().programs == 1


@pytest.mark.parametrize(
    ("program", "kind", "message"),
    [
        (lambda x: np.zeros(1 << 45) + x, MemoryError, r"allocate 256\. TiB .* float64"),
        (
            lambda x: np.sort(np.zeros(1 << 44) + x)[:2],
            MemoryError,
            "unable to allocate 562949953421312 bytes of workspace",
        ),
        (lambda x: np.zeros((1 << 40, 1 << 40)) + x, ValueError, "array is too big"),
    ],
    ids=["result", "workspace", "overflow"],
)
def test_memory_that_cannot_be_had(program: Any, kind: type, message: str) -> None:
    set_backend(None)
    f = graphc.jit(program)
    for _ in range(2):
        with pytest.raises(kind, match=message):
            f(1.0)


def test_import_is_light() -> None:
    code = (
        "import sys, graphc\n"
        "assert graphc.jit and graphc.spec\n"
        "late = {'optree', 'llvmlite', 'networkx', 'ml_dtypes'}\n"
        "late |= {'graphc.numpy.fourier', 'graphc.numpy.decompositions', 'graphc.codegen.cuda'}\n"
        "print(sorted(late & set(sys.modules)))"
    )
    root = Path(graphc.__file__).parent.parent
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_jit_stays_the_function() -> None:
    assert graphc.jit is jit_function
    assert callable(jit_function)
    assert graphc.numpy.IMPLEMENTATIONS
    assert graphc.Tracer.__name__ == "Tracer"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        graphc.nothing  # noqa: B018  reading the name is the test
