"""States, donated arrays and temporaries of which few places are changed: they are written over,
nothing is copied, and what must be read before is read before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import types as ty
from graphc.compile import lower_graph
from graphc.loops import ir as L
from tests.control.agreement import agree

RNG = np.random.default_rng(26)


def written(stmts: Iterable[L.Stmt], times: int = 1) -> Iterator[tuple[L.Buffer, int]]:
    """The results that statements store, and how many elements of them."""
    for stmt in stmts:
        if isinstance(stmt, L.For):
            assert isinstance(stmt.extent, int)
            yield from written(stmt.body, times * stmt.extent)
        elif isinstance(stmt, L.If):
            yield from written((*stmt.then, *stmt.otherwise), times)
        elif isinstance(stmt, (L.Store, L.Accumulate)) and stmt.buffer.access == "out":
            yield stmt.buffer, times


def copies(function: Callable[..., Any], *args: Any, donate: bool = False, least: int = 50) -> int:
    """How many kernels, those aside that do nothing else (a loop's first value), write the whole of
    an array of more than so many elements.
    """
    aliases = ((0, 0),) if donate else ()
    stages = lower_graph(graphc.jit(function).lower(*args).graph, aliases=aliases)
    return sum(
        any(least < ty.product(b.shape) == times for b, times in written(kernel.naive.func.body))
        for kernel in stages.kernels
        if kernel.node.attrs["body"].nodes
    )


def test_an_element_is_set_without_a_copy() -> None:
    def run(x: Any) -> Any:
        def step(i: Any, s: Any) -> Any:
            s = s.copy()
            s[i] = s[i - 1] * 2 + 1
            return s

        return graphc.fori_loop(1, 50, step, x)

    x = RNG.normal(size=101)
    agree(run, x)
    assert copies(run, x) == 0


def test_reads_of_the_new_state_see_what_was_set() -> None:
    def run(x: Any, places: Any) -> Any:
        def step(s: Any, i: Any) -> Any:
            s = s.copy()
            s[i] = s[i] + 1
            y = s[0] * s[i]  # after
            s[0] = y % 7
            return s, (y, s[i])

        return graphc.scan(step, x, places)

    x, places = RNG.normal(size=101), np.array([3, 0, 0, 100, 5, 3, -1])
    agree(run, x, places)
    assert copies(run, x, places) == 0


def test_reads_of_the_old_state_see_what_was_there() -> None:
    def run(x: Any, places: Any) -> Any:
        def step(s: Any, i: Any) -> Any:
            new = s.copy()
            new[i] = 5.0
            new[i + 1] = s[i]
            return new, (s[i], s[i + 1] + new[i + 1], s.sum())

        return graphc.scan(step, x, places)

    agree(run, RNG.normal(size=101), np.array([3, 4, 4, 0, 99]))


def test_old_elements_are_read_before_they_are_set() -> None:
    """What reads the old state and the new one in one kernel keeps both."""

    def run(x: Any, n: Any) -> Any:
        def step(i: Any, carried: Any) -> Any:
            s, total = carried
            new = s.copy()
            new[i] = total
            return new, total + s[i] * new[i + 1] + s[i + 1]

        return graphc.fori_loop(0, n, step, (x, 1.0))

    agree(run, RNG.normal(size=70), 60)


def test_two_updates_and_sums_at_places() -> None:
    def run(x: Any, rows: Any) -> Any:
        def step(s: Any, i: Any) -> Any:
            s = s.copy()
            np.add.at(s, i, 2.0)
            s[2:4] = i
            s[i] += s[i - 1].sum()
            return s, s[3, 0]

        return graphc.scan(step, x, rows)

    x, rows = RNG.normal(size=(101, 4)), np.array([5, 2, 3, 100, 2])
    agree(run, x, rows)
    assert copies(run, x, rows) == 0


def test_rows_columns_and_parts_that_overlap() -> None:
    def run(x: Any) -> Any:
        def step(i: Any, s: Any) -> Any:
            s = s.copy()
            s[2:5] = s[3:6] * i
            s[3:5] = s[2:4]
            s[0] = s[1]
            s[:, 3] = s[:, 2]
            s[99::-20, 5] = s[1::20, 5]
            s[5:7] *= 2
            return s

        return graphc.fori_loop(0, 4, step, x)

    x = RNG.normal(size=(101, 40))
    agree(run, x)
    assert copies(run, x, least=120) == 0


@pytest.mark.parametrize("n", [0, 1, 2, 64])
def test_bubble_sort(n: int) -> None:
    """Nested loops, a choice and a swap: one array."""

    def sort(x: Any) -> Any:
        def swap(carried: Any) -> Any:
            s, j = carried
            s = s.copy()
            first = s[j]
            s[j] = s[j + 1]
            s[j + 1] = first
            return s

        def inner(carried: Any) -> Any:
            s, j, moved = carried
            wrong = s[j] > s[j + 1]
            s = graphc.cond(wrong, swap, lambda carried: carried[0], (s, j))
            return s, j + 1, moved | wrong

        def outer(carried: Any) -> Any:
            s, _ = carried
            s, _, moved = graphc.while_loop(
                lambda c: c[1] < c[0].shape[0] - 1, inner, (s, 0, np.array(False))
            )
            return s, moved

        if x.shape[0] < 2:
            return x
        return graphc.while_loop(lambda c: c[1], outer, (x, np.array(True)))[0]

    x = RNG.permutation(n).astype(np.float64)
    np.testing.assert_array_equal(agree(sort, x), np.arange(n))
    if n > 50:
        assert copies(sort, x) == 0


def test_a_choice_between_two_states() -> None:
    """Arms that change one of two arrays, exchange them, or begin one again."""

    def run(a: Any, b: Any, kinds: Any) -> Any:
        def first(a: Any, b: Any) -> Any:
            a = a.copy()
            a[3] = b[4] + 1
            return a, b

        def exchanged(a: Any, b: Any) -> Any:
            return b, a

        def again(a: Any, b: Any) -> Any:
            b = b.copy()
            b[1:3] = a[2:4]
            return np.zeros_like(a), b

        def step(s: Any, k: Any) -> Any:
            s = graphc.switch(k, [first, exchanged, again], *s)
            return s, s[0].sum() + s[1][2]

        return graphc.scan(step, (a, b), kinds)

    a, b = RNG.normal(size=(2, 101))
    agree(run, a, b, np.array([0, 1, 0, 2, 1, 2, 0, 0, 1]))


def test_edit_distance() -> None:
    def distance(a: Any, b: Any) -> Any:
        table = np.zeros((a.shape[0] + 1, b.shape[0] + 1), np.int64)
        table[:, 0] = np.arange(a.shape[0] + 1)
        table[0] = np.arange(b.shape[0] + 1)

        def row(i: Any, table: Any) -> Any:
            def column(j: Any, table: Any) -> Any:
                table = table.copy()
                least = np.minimum(table[i, j + 1], table[i + 1, j]) + 1
                swap = table[i, j] + (a[i] != b[j])
                table[i + 1, j + 1] = np.minimum(least, swap)
                return table

            return graphc.fori_loop(0, b.shape[0], column, table)

        return graphc.fori_loop(0, a.shape[0], row, table)[-1, -1]

    a, b = (np.frombuffer(w, np.uint8) for w in (b"intention to execute", b"execution"))
    known: dict[tuple[int, int], int] = {}

    def plain(i: int, j: int) -> int:
        if (i, j) not in known:
            known[i, j] = max(i, j)
            if i and j:
                swap = plain(i - 1, j - 1) + (a[i - 1] != b[j - 1])
                known[i, j] = min(plain(i - 1, j) + 1, plain(i, j - 1) + 1, swap)
        return known[i, j]

    compiled = graphc.jit(distance)
    assert compiled(a, b) == plain(len(a), len(b))
    assert copies(distance, a, b) <= 1  # the table's edges, once


def test_knapsack() -> None:
    def best(weights: Any, values: Any, table: Any) -> Any:
        def item(table: Any, one: Any) -> Any:
            weight, value = one

            def room(k: Any, table: Any) -> Any:
                capacity = table.shape[0] - 1 - k
                left = capacity - weight
                found = np.where(left >= 0, table[np.maximum(left, 0)] + value, 0)
                table = table.copy()
                table[capacity] = np.maximum(table[capacity], found)
                return table

            return graphc.fori_loop(0, table.shape[0], room, table), None

        return graphc.scan(item, table, (weights, values))[0]

    weights, values = RNG.integers(1, 20, 12), RNG.integers(1, 100, 12)
    expected = np.zeros(61, np.int64)
    for weight, value in zip(weights, values, strict=True):
        for capacity in range(60, weight - 1, -1):
            expected[capacity] = max(expected[capacity], expected[capacity - weight] + value)
    args = (weights, values, np.zeros(61, np.int64))
    np.testing.assert_array_equal(graphc.jit(best)(*args), expected)
    assert copies(best, *args) == 0


def test_no_steps_and_no_elements() -> None:
    def run(x: Any, rows: Any) -> Any:
        def step(s: Any, row: Any) -> Any:
            s = s.copy()
            s[3:5] = row
            s[0:0] = row[0:0]
            return s, s[4]

        return graphc.scan(step, x, rows)

    agree(run, RNG.normal(size=101), RNG.normal(size=(0, 2)), python=False)
    agree(run, RNG.normal(size=101), RNG.normal(size=(1, 2)))
    agree(run, RNG.normal(size=101), RNG.normal(size=(2, 2)))


def test_symbolic_extents() -> None:
    def run(x: Any, places: Any) -> Any:
        def step(s: Any, i: Any) -> Any:
            s = s.copy()
            s[i] = s[-1] + s[i]
            s[:2] = s[1]
            return s, s.sum()

        return graphc.scan(step, x, places)

    compiled = graphc.jit(run, dims={"x": "n", "places": "m"})
    for n, m in ((5, 1), (70, 3), (2, 4)):
        x, places = RNG.normal(size=n), RNG.integers(0, n, m)
        for one, other in zip(compiled(x, places), run(x, places), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


def test_out_of_range_is_reported() -> None:
    def run(x: Any, places: Any) -> Any:
        def step(s: Any, i: Any) -> Any:
            s = s.copy()
            s[i] = 1
            return s, None

        return graphc.scan(step, x, places)[0]

    with pytest.raises(IndexError, match="axis 0 with size 101"):
        graphc.jit(run)(np.zeros(101), np.array([1, 101]))


@pytest.mark.parametrize("dtype", [np.float32, np.complex128, np.bool_, np.uint8])
def test_every_dtype(dtype: Any) -> None:
    def plain(x: Any, places: Any) -> Any:
        ys = []
        for i in places:
            x[i] = x[i + 1]
            x[i + 2] = x[i]
            ys.append(x[i + 2])
        return x, np.array(ys)

    def run(x: Any, places: Any) -> Any:
        def step(s: Any, i: Any) -> Any:
            s = s.copy()
            s[i] = s[i + 1]
            s[i + 2] = s[i]
            return s, s[i + 2]

        return graphc.scan(step, x, places)

    x, places = RNG.integers(0, 2, 101).astype(dtype), np.array([7, 8, 5, 98])
    for one, other in zip(graphc.jit(run)(x, places), plain(x.copy(), places), strict=True):
        np.testing.assert_array_equal(one, other)


# ----------------------------------------------------------------------------- outside of loops


def donated(function: Callable[..., Any], x: np.ndarray, *rest: Any) -> np.ndarray:
    """The result, which stands where x was."""
    expected = function(x.copy(), *rest)
    address = x.ctypes.data
    result = graphc.jit(function, donate="x")(x, *rest)
    np.testing.assert_array_equal(result, expected)
    assert result.ctypes.data == address
    return result


def test_an_element_of_a_donated_array() -> None:
    def put(x: Any, i: Any, v: Any) -> Any:
        x = x.copy()
        x[i] = v + x[i]
        return x

    donated(put, RNG.normal(size=101), 7, 2.0)
    assert copies(put, np.zeros(101), 7, 2.0, donate=True) == 0
    assert copies(put, np.zeros(101), 7, 2.0) == 1


def test_several_changes_of_a_donated_array() -> None:
    def put(x: Any, i: Any) -> Any:
        x = x.copy()
        x[i] = x[0]
        np.add.at(x, i, x[i + 1])
        x[0] = x[i[2]]
        return x

    places = np.array([3, 0, 3, 99])
    donated(put, RNG.normal(size=101), places)
    donated(put, RNG.normal(size=(101, 3)), places)


def test_updates_that_are_a_part_of_the_array() -> None:
    def shifted(x: Any) -> Any:
        x = x.copy()
        x[1:] = x[:-1]
        return x

    def doubled(x: Any) -> Any:
        x = x.copy()
        x[20:30] *= 2
        return x

    def gathered(x: Any) -> Any:
        x = x.copy()
        x[np.array([5, 6, 7])] = x[np.array([4, 5, 6])]
        return x

    def itself(x: Any) -> Any:
        x = x.copy()
        x[np.arange(x.shape[0])[::-1].copy()] = x
        return x

    for function in (shifted, doubled, gathered, itself):
        donated(function, RNG.normal(size=101))


def test_a_donated_array_that_is_read_later_is_kept_until_then() -> None:
    def both(x: Any, i: Any) -> Any:
        y = x.copy()
        y[i] = 0
        return y, x.sum() + y.sum(), x[i]

    x = RNG.normal(size=101)
    y, total, before = graphc.jit(both, donate="x")(x.copy(), 5)
    expected = both(x, 5)
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_allclose((total, before), expected[1:], rtol=1e-12)
