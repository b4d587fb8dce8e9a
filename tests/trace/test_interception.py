"""Creation functions inside a trace answer traced arrays; elsewhere NumPy is itself."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from numpy import arange as arange_by_name
from numpy import zeros as zeros_by_name

import graphc
from graphc.trace import Tracer, trace_function

ORIGINALS = {
    n: getattr(np, n)
    for n in ("zeros", "ones", "array", "asarray", "arange", "eye", "r_", "linspace")
}
TABLE = np.array([10.0, 20.0, 30.0])
CALLS: list[int] = []
counter = 0


def test_filling_arrays(check: Any) -> None:
    def program(x: Any) -> Any:
        a, b, c = np.zeros(3), np.empty((3, 3)), np.ones_like(x)
        for i in range(3):
            a[i] = x[i] * i
            b[i] = x + i
        c[0] = 5
        d = np.full((2, 3), 7, dtype=np.float32)
        d[1] = x
        e = np.arange(3)
        e[1] = 9
        f = np.eye(3)
        f[0] = x
        g = np.linspace(0, 1, 3)
        g += x
        h = np.array([1.0, 2.0, 3.0])
        h[2] = x[0]
        return a, b, c, d, e, f, g, h

    check(program, np.array([3.0, 1.0, 2.0]))


def test_creation_functions(check: Any) -> None:
    def program(x: Any) -> Any:
        return (
            np.zeros(x.shape, int),
            np.ones(2, "float32"),
            np.arange(1, 7, 2),
            np.arange(0.5, 2, 0.5),
            np.identity(2),
            np.tri(3),
            np.logspace(0, 2, 3),
            np.geomspace(1, 8, 4),
            np.full_like(x, 2),
            np.zeros_like(x, dtype=int),
            np.eye(2, 3, 1),
            np.indices((2, 2)),
            np.empty(0),
            np.zeros((2, 3), order="F"),
            np.fromfunction(lambda i, j: i + j, (2, 3)),
            np.fromiter((k * 2 for k in range(3)), float),
            np.meshgrid(np.arange(2), np.arange(3)),
            np.linspace(0, x, 4),
            x,
        )

    check(program, np.arange(3.0))


def test_conversions(check: Any) -> None:
    def program(x: Any) -> Any:
        return (
            np.array([x[0], x[1] * 2, 3.0]),
            np.array([[x[0], 1], [2, x[1]]]),
            np.asarray(x) + 1,
            np.array(x, dtype=np.float32),
            np.asarray([x, x]),
            np.ascontiguousarray(x),
            np.array(x[0]),
            np.array([1, 2]) * x[:2],
            np.array(x, ndmin=2),
            np.asanyarray(2.0) * x,
            np.copy(x),
            np.array((x, x * 2)).T,
            np.asarray(x, int),
            np.fromiter((v * 2 for v in x), float),
        )

    check(program, np.arange(3.0))


def test_joining(check: Any) -> None:
    def program(x: Any) -> Any:
        return (
            np.concatenate([x, [1.0, 2.0]]),
            np.stack([x, x * 2]),
            np.vstack([x, TABLE]),
            np.hstack([x, 0.0]),
            np.r_[0, x, 5],
            np.c_[x, x * 2],
            np.r_[x, 0:3],
            np.column_stack([x, x]),
            np.append(x, 1.0),
        )

    check(program, np.arange(3.0))


def test_strings_and_objects_stay_real(check: Any) -> None:
    def program(x: Any) -> Any:
        names = np.array(["a", "b"])
        boxes = np.empty(2, dtype=object)
        boxes[0] = x
        return boxes[0] * 2 if names[0] == "a" else x

    check(program, np.arange(3.0))


def test_numpy_is_restored() -> None:
    seen: list[bool] = []

    def program(x: Any) -> Any:
        seen.append(np.zeros is ORIGINALS["zeros"])
        assert isinstance(np.zeros(2), Tracer)
        return x

    trace_function(program, [np.zeros(2)])
    assert seen == [False]
    assert {n: getattr(np, n) for n in ORIGINALS} == ORIGINALS


def test_numpy_is_restored_after_an_error() -> None:
    def program(x: Any) -> Any:
        raise RuntimeError("of the user")

    with pytest.raises(RuntimeError, match="of the user"):
        trace_function(program, [np.zeros(2)])
    assert {n: getattr(np, n) for n in ORIGINALS} == ORIGINALS
    assert type(np.zeros(2)) is np.ndarray


def test_other_threads_are_untouched() -> None:
    started, done = threading.Event(), threading.Event()
    found: list[Any] = []

    def other() -> None:
        started.wait(10)
        found.extend([np.zeros(3), np.array([1, 2]), np.arange(3), np.random.rand(2), np.r_[1, 2]])
        done.set()

    thread = threading.Thread(target=other)
    thread.start()

    def program(x: Any) -> Any:
        assert isinstance(np.zeros(3), Tracer)
        started.set()
        assert done.wait(10)
        return x

    trace_function(program, [np.zeros(2)])
    thread.join()
    assert [type(f) for f in found] == [np.ndarray] * 5
    assert np.zeros is ORIGINALS["zeros"]


def test_two_threads_trace_at_once() -> None:
    meet = threading.Barrier(2, timeout=10)
    graphs: dict[int, Any] = {}

    def run(number: int) -> None:
        def program(x: Any) -> Any:
            a = np.zeros(3)
            meet.wait()
            a[number] = x
            return a

        graphs[number] = trace_function(program, [1.0]).graph
        meet.wait()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(graphs) == 2
    assert np.zeros is ORIGINALS["zeros"]


def helper(i: Any) -> Any:
    return TABLE[i] + 1


def default(i: Any, table: Any = TABLE) -> Any:
    return table[i]


def recursive(x: Any, depth: int) -> Any:
    return TABLE[x] if depth == 0 else recursive(x, depth - 1)


def test_captured_tables_are_indexed(check: Any) -> None:
    local = np.array([1.0, 2.0, 4.0])

    def inner(i: Any) -> Any:
        return local[i] * TABLE[0]

    def program(i: Any) -> Any:
        return (
            TABLE[i],
            local[i[0]],
            helper(i),
            inner(i),
            default(i),
            recursive(i, 2),
            (lambda k: TABLE[k])(i),
        )

    check(program, np.array([2, 0, 1]))


def test_names_imported_before(check: Any) -> None:
    def program(x: Any) -> Any:
        a = zeros_by_name(3)
        a[1] = x[0]
        return a, arange_by_name(3) * x

    check(program, np.arange(3.0))


def test_one_array_is_one_constant() -> None:
    big = np.arange(100.0)
    graph = trace_function(lambda x: (x + big) * big - big, [np.zeros(100)]).graph
    assert sum(node.op.name == "constant" for node in graph.nodes) == 1


def test_captured_arrays_are_read_when_traced() -> None:
    table = np.arange(3.0)
    f = graphc.jit(lambda x: x + table, debug="evaluate")
    first = f(np.zeros(3))
    table[:] = -1
    np.testing.assert_array_equal(f(np.zeros(3)), first)


def test_real_buffers_that_change_between_uses(check: Any) -> None:
    class Box:
        buffer = np.zeros(3)

    def program(x: Any) -> Any:
        Box.buffer[:] = 0
        total = x
        for k in range(3):
            Box.buffer[k] = k
            total = total + Box.buffer
        return total

    check(program, np.zeros(3))


def test_globals_and_attributes_of_functions_are_written() -> None:
    def program(x: Any) -> Any:
        global counter
        counter += 1
        program.calls = getattr(program, "calls", 0) + 1  # type: ignore[attr-defined]
        CALLS.append(1)
        return x

    before = counter
    trace_function(program, [1.0])
    assert counter == before + 1
    assert program.calls == 1  # type: ignore[attr-defined]


def test_nonlocal_is_written() -> None:
    count = 0

    def program(x: Any) -> Any:
        nonlocal count
        count += 1
        return x + TABLE

    trace_function(program, [np.zeros(3)])
    assert count == 1


def test_known_arrays_go_to_libraries(check: Any) -> None:
    linalg = pytest.importorskip("scipy.linalg")

    def program(x: Any) -> Any:
        nodes, weights = np.polynomial.legendre.leggauss(4)
        return (
            x @ linalg.hilbert(3),
            (weights * nodes**2).sum() * x,
            linalg.toeplitz(np.arange(3.0)) @ x,
        )

    check(program, np.arange(3.0))


def test_seeded_generators_are_constants(check: Any) -> None:
    check(lambda x: x + np.random.default_rng(0).normal(size=3), np.arange(3.0))
