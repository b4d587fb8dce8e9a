"""What goes wrong on a device: which call, which line, and what can still be used afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import DeviceError, device_put
from graphc.errors import LoweringError


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


# --------------------------------------------------------------------------------------- refused


class Lent:
    """An array of another library that may not be written."""

    def __init__(self, array: graphc.DeviceArray):
        self._array = array

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        facts = self._array.__cuda_array_interface__
        return {**facts, "stream": None, "data": (self._array.pointer, True)}


def test_an_array_that_is_only_to_be_read_is_not_donated() -> None:
    step = graphc.jit(lambda w, g: w - g, device="cuda", donate="w")
    w = random(40, 3)
    mine = device_put(w)
    for given in (Lent(mine), device_put(Lent(mine))):
        with pytest.raises(DeviceError, match=r"^w is donated, .* only to be read.* copy"):
            step(given, w)
    np.testing.assert_array_equal(mine.numpy(), w)
    np.testing.assert_array_equal(step(device_put(Lent(mine)).copy(), w).numpy(), w - w)
    np.testing.assert_array_equal(step(mine, w).numpy(), w - w)


def test_linear_algebra_is_refused_with_the_line() -> None:
    def program(x: Any) -> Any:
        y = x + 1
        return np.linalg.inv(y) * 2

    match = r"test_errors\.py:\d+.*linear algebra runs through LAPACK"
    for run in (
        lambda: graphc.jit(program, device="cuda")(random(9, 9)),
        lambda: graphc.jit(program).lower(graphc.spec("f32[9, 9]")).text("cuda"),
    ):
        with pytest.raises(LoweringError, match=match):
            run()
