"""Datasets: order, batches, threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from graphc import data

X = np.arange(10)
Y = X * 10


def rows(dataset: data.Dataset) -> list[int]:
    return [int(x) for x in dataset]


def stream() -> data.Dataset:
    """The same elements, which are not known to be an array's."""
    return data.from_function(lambda: iter(X), 10)


SOURCES = pytest.mark.parametrize("source", [lambda: data.arrays(X), stream])


@SOURCES
def test_order(source: Any) -> None:
    d = source()
    assert rows(d) == rows(d) == list(X) and len(d) == 10
    assert rows(d.take(3)) == [0, 1, 2] and len(d.take(3)) == 3 and len(d.take(99)) == 10
    assert rows(d.skip(8)) == [8, 9] and len(d.skip(8)) == 2 and len(d.skip(99)) == 0
    assert rows(d.take(2).repeat(3)) == [0, 1] * 3 and len(d.take(2).repeat(3)) == 6
    endless = d.take(2).repeat()
    assert rows(endless.take(5)) == [0, 1, 0, 1, 0]
    with pytest.raises(TypeError, match="not known"):
        len(endless)
    assert rows(d.take(0).repeat()) == []


@SOURCES
def test_shuffle(source: Any) -> None:
    d = source().shuffle(seed=1)
    first, second = rows(d), rows(d)
    assert sorted(first) == sorted(second) == list(X) and first != second
    assert rows(source().shuffle(seed=1)) == first
    same = source().shuffle(seed=1, reshuffle=False)
    assert rows(same) == rows(same) == first
    near = rows(source().shuffle(3, seed=1))
    assert sorted(near) == list(X) and near != list(X)
    # element k is drawn from the first k + 3
    assert all(element <= place + 2 for place, element in enumerate(near))
    assert sorted(rows(source().shuffle(99, seed=1))) == list(X)


def test_a_split_before_the_shuffle_stays_a_split() -> None:
    d = data.arrays(X)
    train, test = d.skip(3).shuffle(seed=0), d.take(3)
    for _ in range(3):
        assert not set(rows(train)) & set(rows(test))
    leaking = d.shuffle(seed=0)
    assert {*rows(leaking.take(3)), *rows(leaking.skip(3))} != set(X)


@SOURCES
def test_batch(source: Any) -> None:
    found = list(source().batch(4))
    assert [b.tolist() for b in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(source().batch(4)) == 3 and len(source().batch(4, drop_last=True)) == 2
    assert len(list(source().batch(4, drop_last=True))) == 2
    assert list(source().take(0).batch(4)) == []
    assert rows(source().batch(4).unbatch()) == list(X)


def test_several_and_nested_arrays() -> None:
    pairs = data.arrays(X, Y).shuffle(seed=3).batch(5)
    for x, y in pairs:
        np.testing.assert_array_equal(10 * x, y)
    (one,) = data.arrays({"x": X, "y": [Y]}).batch(10)
    np.testing.assert_array_equal(one["y"][0], Y)
    mapped = data.arrays(X, Y).map(lambda x, y: {"s": x + y}).batch(10)
    np.testing.assert_array_equal(next(iter(mapped))["s"], 11 * X)
    with pytest.raises(ValueError, match=r"lengths \[3, 10\]"):
        data.arrays(X, X[:3])


def test_zip_filter_and_cache() -> None:
    both = data.zipped(data.arrays(X), stream().skip(1))
    assert [tuple(map(int, p)) for p in both] == [(k, k + 1) for k in range(9)] and len(both) == 9
    assert rows(data.arrays(X).filter(lambda x: x % 3 == 0)) == [0, 3, 6, 9]
    runs = []

    def made() -> Iterator[int]:
        runs.append(1)
        yield from range(3)

    kept = data.from_function(made).cache()
    assert next(iter(kept)) == 0  # not to the end: nothing is kept
    assert list(kept) == list(kept) == [0, 1, 2] and len(runs) == 2


def test_workers_keep_the_order_and_are_threads() -> None:
    seen = set()
    both = threading.Barrier(2, timeout=60)

    def slow(x: Any) -> Any:
        seen.add(threading.current_thread().name)
        both.wait()  # two elements at once, or nothing goes on
        return x + 1

    assert rows(data.arrays(X).map(slow, workers=2)) == list(X + 1)
    assert len(seen) == 2 and threading.current_thread().name not in seen


def test_prefetch_makes_elements_before_they_are_asked_for() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        yield 1
        made.set()
        yield 2

    found = iter(data.from_function(items).prefetch(2))
    assert next(found) == 0
    assert made.wait(60)  # 1 and 2 are made, and nobody asked
    assert list(found) == [1, 2]
    assert rows(data.arrays(X).prefetch()) == list(X)


def prefetchers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "graphc.data.prefetch"]


def test_prefetch_ends_when_it_is_left() -> None:
    found = iter(data.from_function(lambda: iter(range(10**9))).prefetch(2))
    assert next(found) == 0 and len(prefetchers()) == 1
    del found
    assert not prefetchers()


def test_errors_come_through_threads() -> None:
    def bad(x: Any) -> Any:
        if x == 2:
            raise KeyError("two")
        return x

    for chain in (
        data.arrays(X).map(bad).prefetch(2), data.arrays(X).map(bad, workers=2),
        data.arrays(X).map(bad, workers=2).prefetch(),
    ):  # fmt: skip
        found = iter(chain)
        assert [int(next(found)), int(next(found))] == [0, 1]
        with pytest.raises(KeyError, match="two"):
            next(found)
    assert not prefetchers()


def test_refused_numbers() -> None:
    d = data.arrays(X)
    for call in (lambda: d.shuffle(0), lambda: d.batch(0), lambda: d.prefetch(0)):
        with pytest.raises(ValueError, match="expected 1 or more"):
            call()


def test_progress(capsys: pytest.CaptureFixture[str]) -> None:
    bar = data.progress(data.arrays(X).batch(5), desc="epoch 1")
    assert len(list(bar)) == 2
    assert "epoch 1" in capsys.readouterr().err and "2/2" in str(bar)
