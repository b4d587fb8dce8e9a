"""What benchmarks/gpu times: the columns of a case compute the same, on the processor."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from benchmarks.gpu import agreement, cases, limits, speed
from benchmarks.gpu.columns import COLUMNS
from benchmarks.gpu.tables import table

NEW = [c.name for c in cases.timed() if c.wall or c.tf32 or "sort" in c.name or "cumsum" in c.name]


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("peer", ["torch", "jax"])
def test_columns_agree(peer: str, name: str) -> None:
    if find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed")
    (case,) = (c for c in cases.timed() if c.name == name)
    assert peer in case.columns
    off = agreement.differences(
        agreement.OnProcessor(), agreement.peers()[peer](), speed.small(case)
    )
    assert off <= 1


def test_names_are_distinct_and_columns_are_known() -> None:
    timed = cases.timed()
    assert len({c.name for c in timed}) == len(timed)
    assert {name for c in timed for name in c.columns} == set(COLUMNS)
    assert all(c in [t.name for t in timed] for c in (one.name for one in cases.every()))


def test_a_row_is_a_fraction_of_the_limit_that_bounds_it() -> None:
    bounds = [
        {"column": "limit", "case": "copy", "ms": 1.0, "gbs": 2000.0},
        {"column": "limit", "case": "copy by graphc", "ms": 1.0, "gbs": 2500.0},
        {"column": "limit", "case": "product f16 8192", "ms": 1.0, "tflops": 800.0, "peak": "f16"},
        {"column": "limit", "case": "product i8 8192", "failed": "no kernel"},
    ]
    assert limits.fraction({"gbs": 1250.0}, bounds) == 0.5
    product = {"gbs": 250.0, "tflops": 600.0, "peak": "f16"}
    assert limits.fraction(product, bounds) == 0.75
    assert limits.fraction(product | {"gbs": 2250.0}, bounds) == 0.9
    assert limits.fraction({"tflops": 600.0, "peak": "f32"}, bounds) is None
    rows = [{"column": "graphc", "case": "one", "ms": 2.0, **product},
            {"column": "graphc-generated", "case": "one", "same": "graphc"},
            {"column": "jax", "case": "one", "ms": 1.0},
            {"column": "torch", "case": "one", "failed": "why"}]  # fmt: skip
    shown = table([*bounds, *rows])
    (line,) = (text for text in shown.splitlines() if text.startswith("one "))
    assert line.split()[1:5] == ["2000.0", "=", "failed", "1000.0"]
    assert "75.0%" in line and " 0.50" in line
