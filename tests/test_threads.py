"""Jitted functions called from several threads at once, and in forked children."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import compile as stages
from graphc.cell import current_trace
from graphc.jit import set_backend

NUMPY_ZEROS = np.zeros
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture(autouse=True)
def native() -> Iterator[None]:
    before = set_backend(None)
    yield
    set_backend(before)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the graphs that are built, in order."""
    names: list[str] = []
    build = stages.build_graph

    def counted(graph: Any, **options: Any) -> Any:
        names.append(graph.name)
        return build(graph, **options)

    monkeypatch.setattr(stages, "build_graph", counted)
    return names


def at_once(tasks: list[Callable[[], Any]]) -> list[Any]:
    """What the tasks answer, each on a thread of its own, all begun at the same moment."""
    start = threading.Barrier(len(tasks))
    found: list[Any] = [None] * len(tasks)

    def work(k: int) -> None:
        start.wait()
        try:
            found[k] = tasks[k]()
        except BaseException as error:
            found[k] = error

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(tasks))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    errors = [f for f in found if isinstance(f, BaseException)]
    if errors:
        raise errors[0]
    return found


def in_child(task: Callable[[], bool]) -> None:
    """Forks, and asserts that the task is true in the child."""
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if task() else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_a_first_call_from_eight_threads_compiles_once(built: list[str]) -> None:
    f = graphc.jit(softmax, name="softmax_of_eight")
    rows = [np.random.default_rng(k).normal(size=(50, 40)) for k in range(8)]
    found = at_once([lambda x=x: f(x) for x in rows])
    for x, y in zip(rows, found, strict=True):
        np.testing.assert_allclose(y, softmax(x), rtol=1e-14)
    assert built == ["softmax_of_eight"]
    assert f.cache_info().programs == 1


def test_a_first_call_that_fails_fails_on_every_thread() -> None:
    f = graphc.jit(lambda x: x if x[0] > 0 else -x)
    caught: list[str] = []

    def call() -> None:
        with pytest.raises(graphc.TraceError, match="truth value"):
            f(np.ones(3))
        caught.append("refused")

    at_once([call] * 8)
    assert len(caught) == 8 and f.cache_info().programs == 0
    assert np.zeros is NUMPY_ZEROS


def test_shapes_are_compiled_and_called_side_by_side(built: list[str]) -> None:
    f = graphc.jit(softmax, name="softmax_of_shapes")
    wrong: list[tuple[int, ...]] = []

    def work(k: int) -> None:
        generator = np.random.default_rng(k)
        for turn in range(30):
            x = generator.normal(size=(turn % 3 + 1, k % 4 + 2))
            if not np.allclose(f(x), softmax(x), rtol=1e-14):
                wrong.append(x.shape)

    at_once([lambda k=k: work(k) for k in range(8)])
    assert not wrong
    assert f.cache_info().programs == len(built) == 12


def test_large_arrays_share_the_pool() -> None:
    f = graphc.jit(lambda x, a: (np.sqrt(x * x + a)).sum(axis=0))
    x = np.random.default_rng(0).normal(size=(64, 50_000))
    alone = [f(x, float(k)) for k in range(4)]
    for _ in range(5):
        together = at_once([lambda k=k: f(x, float(k)) for k in range(4)])
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_array_equal(one, other)


def test_symbolic_extents_from_threads(built: list[str]) -> None:
    f = graphc.jit(softmax, dims={"x": "n, 5"}, name="softmax_of_n")
    rows = [np.random.default_rng(k).normal(size=(k + 1, 5)) for k in range(8)]
    for x, y in zip(rows, at_once([lambda x=x: f(x) for x in rows]), strict=True):
        np.testing.assert_allclose(y, softmax(x), rtol=1e-14)
    assert built == ["softmax_of_n"]


@forks
def test_a_child_calls_what_its_parent_compiled_and_compiles_more() -> None:
    f, g = graphc.jit(softmax), graphc.jit(lambda x: np.cumsum(x * 1.5, axis=1))
    x = np.random.default_rng(0).normal(size=(300, 1000))
    wanted = f(x)

    def work() -> bool:
        again = f(x)
        other = g(x)
        return bool((again == wanted).all()) and np.allclose(other, np.cumsum(x * 1.5, axis=1))

    in_child(work)
    np.testing.assert_array_equal(f(x), wanted)


@forks
def test_a_child_forked_while_another_thread_traces_compiles_the_same_function() -> None:
    inside, go_on = threading.Event(), threading.Event()
    parent = os.getpid()

    def program(x: Any) -> Any:
        if os.getpid() == parent:
            inside.set()
            go_on.wait()
        return x + np.zeros(3)

    f = graphc.jit(program)
    x = np.arange(3.0)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(f(x)))
    thread.start()
    inside.wait()

    def work() -> bool:
        untouched = np.zeros is NUMPY_ZEROS and current_trace() is None
        right = bool((f(x) == x).all())
        return untouched and right and np.zeros is NUMPY_ZEROS

    in_child(work)
    go_on.set()
    thread.join()
    np.testing.assert_array_equal(found[0], x)
    assert np.zeros is NUMPY_ZEROS


@forks
def test_a_traced_function_that_forks_goes_on_in_both() -> None:
    def program(x: Any) -> Any:
        in_child(lambda: (x + np.zeros(3)).shape == (3,))
        return x + np.ones(3)

    np.testing.assert_array_equal(graphc.jit(program)(np.arange(3.0)), [1, 2, 3])
    assert np.zeros is NUMPY_ZEROS


@forks
def test_children_forked_while_threads_compile_and_call() -> None:
    f = graphc.jit(softmax)
    stop = threading.Event()

    def work(k: int) -> None:
        for size in range(2, 40):
            if stop.is_set():
                break
            graphc.jit(lambda x, n=size: x * n + k)(np.ones(size % 7 + 1))
            f(np.ones((5, size % 7 + 2)))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for t in threads:
        t.start()
    try:
        for turn in range(4):
            time.sleep(0.02)
            x = np.random.default_rng(turn).normal(size=(4, turn + 2))
            in_child(lambda x=x: bool(np.allclose(f(x), softmax(x), rtol=1e-14)))
    finally:
        stop.set()
        for t in threads:
            t.join()
