"""Plain programs: run by Python, and traced with control_flow="python", they answer the same."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.pytrees import flatten

from .programs import PROGRAMS

IDS = [function.__name__ for function, _ in PROGRAMS]
STATIC = {"static_choice": "mode"}


def agree(wanted: Any, got: Any) -> None:
    """Asserts equal structure, kinds and values."""
    expected, structure = flatten(wanted)
    found, other = flatten(got)
    assert structure == other
    for a, b in zip(expected, found, strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        assert isinstance(a, np.generic) or type(a) is type(b)
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("debug", ["evaluate", None], ids=["evaluated", "native"])
@pytest.mark.parametrize(("function", "calls"), PROGRAMS, ids=IDS)
def test_a_program_answers_what_python_answers(
    function: Callable[..., Any], calls: list[tuple[Any, ...]], debug: str | None
) -> None:
    static = STATIC.get(function.__name__, ())
    compiled = graphc.jit(function, control_flow="python", debug=debug, static_argnames=static)
    for args in calls:
        agree(function(*copy.deepcopy(args)), compiled(*copy.deepcopy(args)))
