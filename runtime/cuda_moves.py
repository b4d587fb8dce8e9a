"""Other addresses for a captured graph: its nodes are told them, so that it need not be made again.

While a graph is captured, what is launched gets addresses that know what they are counted from: the
buffers of the call, and its arena. Where these lie elsewhere later, the kernels and copies that
were given such addresses get new ones by one call of the driver each, which replaces arguments of
the executable graph for its next launch; what runs still keeps the old ones. Called by
cuda_graphs.py. Source: CUDA Driver API, "Graph Management".
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .records import dataclass

MOVING_CALLS = (
    "cuStreamGetCaptureInfo_v3", "cuGraphKernelNodeGetParams_v2",
    "cuGraphExecKernelNodeSetParams_v2", "cuGraphExecMemcpyNodeSetParams",
)  # fmt: skip
"""Without these (drivers before CUDA 12.3) a graph runs at the addresses of its capture alone."""
_BUFFER, _BUFFER_SIZE = 1, 2
"""CU_LAUNCH_PARAM_BUFFER_POINTER, _SIZE"""
_ON_DEVICE = 2
"""CU_MEMORYTYPE_DEVICE"""


class Address(int):
    """An address, and the number of the one that it is counted from, among those of a call."""

    base: int

    @classmethod
    def at(cls, value: int, base: int) -> Address:
        made = cls(value)
        made.base = base
        return made

    def __add__(self, other: int) -> Address:
        return Address.at(int(self) + int(other), self.base)


def bases(values: Sequence[int]) -> frozenset[int]:
    """What the addresses among some numbers are counted from."""
    return frozenset(v.base for v in values if isinstance(v, Address))


@dataclass(frozen=True, slots=True)
class Node:
    """A kernel's node with its arguments, or a copy's with target, source and bytes."""

    handle: int
    values: tuple[int, ...]
    is_copy: bool


class _KernelParams(ctypes.Structure):
    """CUDA_KERNEL_NODE_PARAMS_v2"""

    _fields_ = (
        ("function", ctypes.c_void_p), ("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint), ("pointers", ctypes.c_void_p), ("extra", ctypes.c_void_p),
        ("kernel", ctypes.c_void_p), ("context", ctypes.c_void_p),
    )  # fmt: skip


class _Side(ctypes.Structure):
    """Half of CUDA_MEMCPY3D."""

    _fields_ = (
        ("x", ctypes.c_size_t), ("y", ctypes.c_size_t), ("z", ctypes.c_size_t),
        ("level", ctypes.c_size_t), ("kind", ctypes.c_uint), ("host", ctypes.c_void_p),
        ("device", ctypes.c_uint64), ("array", ctypes.c_void_p), ("reserved", ctypes.c_void_p),
        ("pitch", ctypes.c_size_t), ("height", ctypes.c_size_t),
    )  # fmt: skip


class _CopyParams(ctypes.Structure):
    """CUDA_MEMCPY3D"""

    _fields_ = (
        ("source", _Side), ("target", _Side), ("width", ctypes.c_size_t),
        ("height", ctypes.c_size_t), ("depth", ctypes.c_size_t),
    )  # fmt: skip


class Moves:
    """The nodes of one executable graph, and what they are given.

    `call` calls the driver. The graph that it was made of is there as long: its nodes are named.
    """

    def __init__(self, call: Callable[..., None], graph: ctypes.c_void_p, nodes: Sequence[Node]):
        self._call, self._graph, self._nodes = call, graph, nodes
        given = [value for node in nodes for value in node.values]
        self._values = np.array(given, np.int64)
        """Where the driver reads the arguments: it stays where it is."""
        self._bases = np.array([v.base if isinstance(v, Address) else -1 for v in given], np.intp)
        self._first = np.cumsum([0, *(len(node.values) for node in nodes)]).tolist()
        self._told: dict[int, Callable[[], None]] = {}
        """How each node is told its arguments, once it was."""
        self._by_base: dict[int, list[int]] = {}
        for k, node in enumerate(nodes):
            for base in bases(node.values):
                self._by_base.setdefault(base, []).append(k)

    def move(self, steps: Mapping[int, int]) -> None:
        """So many bytes further lies now what each number counts from.

        Raises:
            DeviceError: the driver refused; some nodes are told, others not.
        """
        moved = np.zeros(max((*self._by_base, *steps), default=-1) + 2, np.int64)
        moved[list(steps)] = list(steps.values())
        self._values += moved[self._bases]  # of what is no address the last one, which is 0
        for k in dict.fromkeys(k for base in steps for k in self._by_base.get(base, ())):
            if k not in self._told:
                self._told[k] = self._copy(k) if self._nodes[k].is_copy else self._kernel(k)
            self._told[k]()

    def _kernel(self, k: int) -> Callable[[], None]:
        node, handle = self._nodes[k], ctypes.c_void_p(self._nodes[k].handle)
        params = _KernelParams()
        self._call("cuGraphKernelNodeGetParams_v2", handle, ctypes.byref(params))
        place = self._values.ctypes.data + 8 * self._first[k]
        size = ctypes.c_size_t(8 * len(node.values))
        extra = (ctypes.c_void_p * 5)(_BUFFER, place, _BUFFER_SIZE, ctypes.addressof(size), None)
        params.pointers, params.extra = None, ctypes.addressof(extra)
        reference = ctypes.byref(params)

        def tell(held: Any = (size, extra)) -> None:
            self._call("cuGraphExecKernelNodeSetParams_v2", self._graph, handle, reference)

        return tell

    def _copy(self, k: int) -> Callable[[], None]:
        node, handle = self._nodes[k], ctypes.c_void_p(self._nodes[k].handle)
        first, nbytes = self._first[k], node.values[2]
        params = _CopyParams(width=nbytes, height=1, depth=1)
        for side in (params.source, params.target):
            side.kind, side.pitch, side.height = _ON_DEVICE, nbytes, 1
        reference = ctypes.byref(params)
        context = ctypes.c_void_p()
        self._call("cuCtxGetCurrent", ctypes.byref(context))

        def tell() -> None:
            params.target.device, params.source.device = self._values[first : first + 2].tolist()
            self._call("cuGraphExecMemcpyNodeSetParams", self._graph, handle, reference, context)

        return tell
