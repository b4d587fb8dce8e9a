"""Random graphs through the whole road; `python -m tests.fuzz` runs as many as one likes."""

from __future__ import annotations

import pytest

from tests.fuzz import check, check_symbolic

FIXED = [(seed, size) for size, count in ((5, 20), (20, 24), (60, 4)) for seed in range(count)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed, size", FIXED)
def test_random_graphs(seed: int, size: int) -> None:
    check(1_000_000 + seed, size, passes=seed % 2 == 1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", range(12))
def test_random_graphs_of_symbolic_extents(seed: int) -> None:
    check_symbolic(1_000_000 + seed, 10, passes=seed % 2 == 1)


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("block", range(100))
def test_a_hundred_thousand_random_graphs(block: int) -> None:
    failures: list[str] = []
    for seed in range(2_000_000 + 1000 * block, 2_000_000 + 1000 * (block + 1)):
        try:
            if seed % 10 == 0:
                check_symbolic(seed, 15, passes=seed % 20 == 0)
            else:
                check(seed, (5, 20, 60)[seed % 3], passes=seed % 2 == 1)
        except Exception as error:
            failures.append(f"seed {seed}: {type(error).__name__}: {str(error)[:200]}")
    assert not failures, "\n".join(failures)
