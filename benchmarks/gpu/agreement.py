"""Whether the columns compute the same, on the processor and at small sizes: `python -m
benchmarks.gpu.agreement [REGEX]` where torch or JAX is installed (as a whole, or for processors).

graphc's programs are compiled for the processor, torch's run eagerly, JAX's are jitted. Every step
of training is compared over several steps, so that the optimizers agree as well.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from . import cases, speed
from .cases import Case
from .columns import Graphc, Jax, Torch

STEPS = 4
RTOL = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 2e-4, "float64": 1e-10}


class OnProcessor(Graphc):
    """graphc without a device."""

    def __init__(self) -> None:
        import graphc

        self.graphc, self.options = graphc, {}

    def put(self, array: np.ndarray) -> Any:
        return array

    def jit(self, function: Callable[..., Any], **options: Any) -> Any:
        return self.graphc.jit(function, **options)


def peers() -> dict[str, Callable[[], Any]]:
    """The columns that are installed."""
    found: dict[str, Callable[[], Any]] = {"torch": lambda: Torch("cpu"), "jax": Jax}
    return {name: make for name, make in found.items() if find_spec(name) is not None}


def arrays(result: Any) -> list[np.ndarray]:
    """The results of a call on the host, in f32 where NumPy lacks the dtype."""
    if isinstance(result, tuple | list):
        return [one for part in result for one in arrays(part)]
    if type(result).__module__.startswith("torch"):
        if str(result.dtype) == "torch.bfloat16":
            result = result.float()
        return [result.numpy()]
    return [np.array(result)]


def values(column: Any, case: Case) -> list[np.ndarray]:
    """What a column makes of a case: the results, or the losses of some steps."""
    if case.start is not None:
        call = case.start(column)
        return [array for _ in range(STEPS) for array in arrays(call())]
    function = column.make(case)
    return arrays(function(*(column.put(one) for one in speed.inputs(case))))


def differences(own: Any, peer: Any, case: Case) -> float:
    """The largest difference, as a multiple of what is allowed.

    Raises:
        AssertionError: other shapes, or another number of results.
    """
    dtype = case.inputs[0][1] if case.inputs else "f32"
    rtol = RTOL[{"f16": "float16", "bf16": "bfloat16", "f64": "float64"}.get(dtype, "float32")]
    worst = 0.0
    mine, theirs = values(own, case), values(peer, case)
    assert len(mine) == len(theirs), (len(mine), len(theirs))
    for a, b in zip(mine, theirs, strict=True):
        if "conv" in case.name:
            b = np.moveaxis(b, 1, -1)
        assert a.shape == b.shape, (a.shape, b.shape)
        with np.errstate(invalid="ignore"):
            wide, other = a.astype(np.float64), b.astype(np.float64)
            off = np.where((wide == other) | (np.isnan(wide) & np.isnan(other)), 0, wide - other)
        worst = max(worst, float(np.abs(off).max() / (rtol * max(1.0, np.nanmax(np.abs(other))))))
    return worst


def compared(some: str = "") -> Iterator[tuple[str, str, float]]:
    """Cases and peers, with the largest difference over what is allowed."""
    own = OnProcessor()
    for name, make in peers().items():
        peer = make()
        for case in cases.timed():
            if name in case.columns and re.search(some, case.name):
                yield case.name, name, differences(own, peer, speed.small(case))


def main() -> int:
    if not peers():
        print("neither torch nor JAX is installed")
        return 1
    wrong = 0
    for case, peer, off in compared(*sys.argv[1:2]):
        wrong += not off <= 1
        print(f"{case:34s} {peer:6s} {off:8.3f} of what is allowed", flush=True)
    print(f"{wrong} differ")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
