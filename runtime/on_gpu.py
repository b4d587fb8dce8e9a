"""One function of an artifact on a GPU: the arguments are checked as on the processor, the kernels
are launched by pycuda.

Who calls it: artifact.py, where a function is asked for on a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import nested
from .exported import Exported, leaf_of, numpy_dtype
from .extents import extent, number
from .gpu_program import GpuProgram
from .manifest import Function


class OnGpu(Exported):
    """Takes and gives NumPy arrays; what is written over is written over."""

    def __init__(self, facts: Function, program: GpuProgram):
        self.facts, self.program = facts, program
        self.names = tuple(p.name for p in facts.parameters)
        self.__name__ = self.__qualname__ = facts.name
        self._pack = nested.packer(facts.structure)
        self._shapes = [
            [extent(e, facts.symbols, f"{facts.name}.{o.name}") for e in o.shape]
            for o in facts.outputs
        ]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        prepared, values = self._checked(self._taken_apart(args, kwargs))
        leaves = self._apart(prepared)
        arrays = [np.asarray(leaf, dtype) for leaf, dtype in zip(leaves, self._dtypes, strict=True)]
        outputs = [
            arrays[o.alias]
            if o.alias >= 0
            else np.empty([number(e, values) for e in shape], numpy_dtype(o.dtype))
            for o, shape in zip(self.facts.outputs, self._shapes, strict=True)
        ]
        self.program(arrays, outputs, values)
        return self._pack([leaf_of(r.form, r.value, outputs, r.output) for r in self.facts.results])
