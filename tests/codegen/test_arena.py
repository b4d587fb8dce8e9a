"""Places in the arena: reuse, and places for what has to outlast what was in between."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.codegen.arena import Arena
from graphc.types import Dim


def test_places_are_given_again() -> None:
    arena = Arena()
    a, b = arena.take(100), arena.take(64)
    assert (a, b, arena.top) == (0, 128, 192)
    arena.give(a, 100)
    assert arena.take(64) == 0 and arena.take(64) == 64 and arena.top == 192


def test_a_place_that_was_free_since_then() -> None:
    arena = Arena()
    before = arena.take(512)
    arena.give(before, 512)
    since = len(arena.taken)
    used = arena.take(128)
    arena.give(used, 128)
    assert arena.take_unused(128, since) == 128  # not 0, which something had in between
    assert arena.take_unused(256, since) == 256
    assert arena.take_unused(64, since) == 512 and arena.top == 576
    assert arena.take(128) == 0


def test_symbolic_sizes_are_not_known_to_be_apart() -> None:
    n = Dim.symbol("n")
    arena = Arena()
    first = arena.take(n * 64)
    arena.give(first, n * 64)
    assert arena.take_unused(n * 64, len(arena.taken)) == first
    arena.give(first, n * 64)
    since = len(arena.taken)
    arena.give(arena.take(n * 64), n * 64)
    assert arena.take_unused(n * 64, since) == n * 64
    assert arena.take_unused(64, since) == n * 128


ORDERS = st.tuples(st.sampled_from(["take", "give", "unused"]), st.integers(1, 5))


@settings(max_examples=300, deadline=None)
@given(st.lists(ORDERS, max_size=40), st.integers(0, 12))
def test_places_never_overlap(orders: list[tuple[str, int]], since: int) -> None:
    """Neither what is live, nor what was unused with anything taken since then."""
    arena = Arena(1)
    live: list[tuple[int, int]] = []
    for order, number in orders:
        if order == "give":
            if live:
                arena.give(*live.pop(number % len(live)))
            continue
        used = list(arena.taken[since:])
        offset = arena.take_unused(number, since) if order == "unused" else arena.take(number)
        assert isinstance(offset, int)
        others = live + (used if order == "unused" else [])
        assert all(offset + number <= a or a + n <= offset for a, n in others)
        assert offset + number <= arena.top
        live.append((offset, number))
    free = sum(n for _, n in arena.free)  # type: ignore[misc]
    assert free + sum(n for _, n in live) == arena.top
