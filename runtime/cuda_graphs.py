"""CUDA graphs: capture, replay, and nodes by which a graph decides on the device what it runs.

pycuda has no calls for them, so these come from the driver's own library by ctypes, on streams that
cuda.py makes. Called by cuda.py alone. Source: CUDA Driver API, "Graph Management" and "Stream
Management"; cuda.h of CUDA 12.4 and 13.0.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from .cuda_moves import MOVING_CALLS, Moves, Node, bases
from .errors import DeviceError, OutOfDeviceMemory

IF, WHILE, SWITCH = 0, 1, 2
"""Kinds of conditional nodes: CU_GRAPH_COND_TYPE_IF, _WHILE, _SWITCH."""
DECIDING_VERSION = 12040
"""The first driver that has IF and WHILE nodes, and copies in them."""
SWITCH_VERSION = 12080
"""The first that has SWITCH nodes."""
_DECIDING_CALLS = (
    "cuGraphConditionalHandleCreate", "cuGraphAddNode_v2", "cuStreamGetCaptureInfo_v3",
    "cuStreamUpdateCaptureDependencies_v2", "cuStreamBeginCaptureToGraph",
)  # fmt: skip
_CONDITIONAL = 13
"""CU_GRAPH_NODE_TYPE_CONDITIONAL"""
_SET_DEPENDENCIES = 1
_ACTIVE = 1
_CAPTURE_RELAXED = 2
"""A collection may free modules and memory of others at any time. That is allowed in this mode; in
the others it ends the capture, and drivers up to now crash where a body's capture ends so."""
_DISABLE_TIMING = 2
_OUT_OF_MEMORY = 2
"""CUDA_ERROR_OUT_OF_MEMORY"""


class _Conditional(ctypes.Structure):
    """CUDA_CONDITIONAL_NODE_PARAMS"""

    _fields_ = (
        ("handle", ctypes.c_uint64), ("kind", ctypes.c_int), ("size", ctypes.c_uint),
        ("bodies", ctypes.POINTER(ctypes.c_void_p)), ("context", ctypes.c_void_p),
    )  # fmt: skip


class _NodeParams(ctypes.Structure):
    """CUgraphNodeParams: a union of 232 bytes between two heads."""

    _fields_ = (
        ("kind", ctypes.c_int), ("reserved0", ctypes.c_int * 3), ("conditional", _Conditional),
        ("rest", ctypes.c_char * (232 - ctypes.sizeof(_Conditional))),
        ("reserved2", ctypes.c_longlong),
    )  # fmt: skip


class Graph:
    """A captured graph, ready to run.

    `template` is what it was made of where that has to live on: bodies of conditional nodes and the
    values of their conditions are the template's, and its nodes are the names of those that move.
    `fixed` are the numbers of what cannot lie elsewhere: nodes count from it that are not known
    (a library's), or are in the body of a conditional node. Without `moves` all is fixed.
    """

    def __init__(
        self, calls: Calls, handle: ctypes.c_void_p, template: ctypes.c_void_p | None,
        moves: Moves | None, fixed: Set[int],
    ):  # fmt: skip
        self._calls, self._handle, self._template = calls, handle, template
        self._moves, self._fixed = moves, fixed

    def launch(self, stream: int) -> None:
        self._calls.call("cuGraphLaunch", self._handle, ctypes.c_void_p(stream))

    def can_move(self, steps: Mapping[int, int]) -> bool:
        """May it run where the addresses of these numbers lie elsewhere?"""
        return self._moves is not None and self._fixed.isdisjoint(steps)

    def move(self, steps: Mapping[int, int]) -> None:
        """The addresses of these numbers lie so many bytes further now.

        Raises:
            DeviceError: the driver refused, and the graph is not to be run again.
        """
        assert self._moves is not None
        self._moves.move(steps)

    def __del__(self) -> None:  # nobody to tell if it fails
        self._calls.library.cuGraphExecDestroy(self._handle)
        if self._template is not None:
            self._calls.library.cuGraphDestroy(self._template)


class Calls:
    """The driver's calls that pycuda has not: graphs, and order between any streams."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL("libcuda.so.1")

    def call(self, name: str, *arguments: Any) -> None:
        """Raises DeviceError, or OutOfDeviceMemory, unless a call answers CUDA_SUCCESS."""
        code = getattr(self.library, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self.library.cuGetErrorString(code, ctypes.byref(text))
            kind = OutOfDeviceMemory if code == _OUT_OF_MEMORY else DeviceError
            raise kind(f"{name} failed: {(text.value or b'').decode()} (error {code})")

    def context(self) -> int:
        """The number of the thread's current context."""
        context = ctypes.c_void_p()
        self.call("cuCtxGetCurrent", ctypes.byref(context))
        return context.value or 0

    def of_pointer(self, attribute: int, pointer: int) -> int | None:
        """What the driver knows of an address; None where it knows none."""
        found = ctypes.c_uint64()
        code = self.library.cuPointerGetAttribute(
            ctypes.byref(found), attribute, ctypes.c_uint64(pointer)
        )
        return None if code else found.value

    def cannot_decide(self, version: int) -> str:
        """Why a driver of this version makes no conditional nodes; empty if it does."""
        if version < DECIDING_VERSION:
            shown, least = _release(version), _release(DECIDING_VERSION)
            return f"the driver is one of CUDA {shown}; conditional nodes came with {least}"
        lacking = [name for name in _DECIDING_CALLS if not hasattr(self.library, name)]
        return f"the driver has no {', '.join(lacking)}" if lacking else ""

    @property
    def can_move(self) -> bool:
        """Can graphs run at other addresses than those of their capture?"""
        return all(hasattr(self.library, name) for name in MOVING_CALLS)

    def order(self, first: int, second: int) -> None:
        """What `second` gets from now on waits for what `first` has."""
        event = ctypes.c_void_p()
        self.call("cuEventCreate", ctypes.byref(event), _DISABLE_TIMING)
        try:
            self.call("cuEventRecord", event, ctypes.c_void_p(first))
            self.call("cuStreamWaitEvent", ctypes.c_void_p(second), event, 0)
        finally:
            self.library.cuEventDestroy_v2(event)


def _release(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


class Capture:
    """A graph in the making, of what one thread puts on `stream` meanwhile.

    The body of a conditional node is captured on another stream, because a stream that is captured
    already cannot be told to fill a second graph. Streams come from `spare`, or are made.
    """

    def __init__(self, calls: Calls, spare: list[Any], make_stream: Callable[[], Any]):
        self._calls, self._spare, self._make_stream = calls, spare, make_stream
        self._streams: list[Any] = []
        self._decides = False
        self._moving: list[Node] | None = [] if calls.can_move else None
        self._fixed: set[int] = set()

    @property
    def stream(self) -> Any:
        """Where things are captured now: the body of the innermost node."""
        return self._streams[-1]

    def run(self, work: Callable[[], None]) -> Graph:
        """Captures what `work` puts on the stream.

        Raises:
            DeviceError: with the call that the driver refused.
        """
        template = self._captured(
            work, lambda s: self._calls.call("cuStreamBeginCapture_v2", s, _CAPTURE_RELAXED)
        )
        made = ctypes.c_void_p()
        try:
            self._calls.call(
                "cuGraphInstantiateWithFlags", ctypes.byref(made), template, ctypes.c_ulonglong(0)
            )
        except DeviceError:
            self._calls.library.cuGraphDestroy(template)
            raise
        moves = None if self._moving is None else Moves(self._calls.call, made, self._moving)
        if not self._decides and not self._moving:
            self._calls.library.cuGraphDestroy(template)
            template = None
        return Graph(self._calls, made, template, moves, self._fixed)

    # -- what moves
    def put(self, values: Sequence[int], is_copy: bool = False) -> None:
        """A kernel with these arguments, or a copy (target, source, bytes), was put on the stream
        just now."""
        if not bases(values):
            return
        if self._moving is None or len(self._streams) > 1:
            self.fix(values)
            return
        _, nodes, count = self._state()
        assert count.value == 1, "the stream has one node last"
        handle = ctypes.cast(nodes, ctypes.POINTER(ctypes.c_void_p))[0]
        assert handle is not None
        self._moving.append(Node(handle, tuple(values), is_copy))

    def fix(self, values: Sequence[int]) -> None:
        """What was put on the stream reads or writes at these addresses, and cannot be told
        others."""
        self._fixed |= bases(values)

    def _captured(
        self, work: Callable[[], None], begin: Callable[[ctypes.c_void_p], None]
    ) -> ctypes.c_void_p:
        """The graph of what `work` puts on a stream that is captured from `begin` on."""
        try:
            stream = self._spare.pop()
        except IndexError:  # other threads take from it too
            stream = self._make_stream()
        handle = ctypes.c_void_p(stream.handle)
        begin(handle)
        self._streams.append(stream)
        graph = ctypes.c_void_p()
        try:
            work()
        except BaseException:
            # of a body the graph is its node's, and goes with it
            code = self._calls.library.cuStreamEndCapture(handle, ctypes.byref(graph))
            if graph and not code and len(self._streams) == 1:
                self._calls.library.cuGraphDestroy(graph)
            if not code:
                self._spare.append(stream)
            raise
        finally:
            self._streams.pop()
        self._calls.call("cuStreamEndCapture", handle, ctypes.byref(graph))
        self._spare.append(stream)
        return graph

    # -- decisions
    @property
    def is_empty(self) -> bool:
        """Has nothing been put on the stream?"""
        return not self._state()[2].value

    def condition(self) -> int:
        """A new condition of the graph that is captured now. It has no value until a kernel of the
        graph calls `cudaGraphSetConditional` with this number (64 bits, as a signed one)."""
        graph, _, _ = self._state()
        handle = ctypes.c_uint64()
        self._calls.call(
            "cuGraphConditionalHandleCreate", ctypes.byref(handle), graph, self._context(),
            ctypes.c_uint(0), ctypes.c_uint(0),
        )  # fmt: skip
        return ctypes.c_int64(handle.value).value

    def decide(self, kind: int, condition: int, bodies: Sequence[Callable[[], None]]) -> None:
        """Adds a node of a kind behind what the stream has, whose bodies are what the functions put
        on `stream`. An IF node has one body, run unless the condition is 0; a WHILE node has one,
        run as long as it is not 0; of a SWITCH node's bodies that of this number is run, or none.
        Drivers before 12.8 refuse bodies where nothing is.
        """
        graph, behind, count = self._state()
        params = _NodeParams(
            _CONDITIONAL, conditional=_Conditional(condition, kind, len(bodies), None)
        )
        params.conditional.context = self._context()
        node = ctypes.c_void_p()
        self._calls.call(
            "cuGraphAddNode_v2", ctypes.byref(node), graph, behind, None, count,
            ctypes.byref(params),
        )  # fmt: skip
        self._decides = True
        self._calls.call(
            "cuStreamUpdateCaptureDependencies_v2", ctypes.c_void_p(self.stream.handle),
            ctypes.byref(node), None, ctypes.c_size_t(1), ctypes.c_uint(_SET_DEPENDENCIES),
        )  # fmt: skip
        graphs = [ctypes.c_void_p(params.conditional.bodies[k]) for k in range(len(bodies))]
        for body, inner in zip(bodies, graphs, strict=True):
            self._captured(body, lambda s, inner=inner: self._begin(s, inner))

    def _begin(self, stream: ctypes.c_void_p, graph: ctypes.c_void_p) -> None:
        """What the stream gets becomes the contents of an empty graph."""
        self._calls.call(
            "cuStreamBeginCaptureToGraph", stream, graph, None, None, ctypes.c_size_t(0),
            _CAPTURE_RELAXED,
        )  # fmt: skip

    def _state(self) -> tuple[ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]:
        """The graph that the stream is captured into, and the nodes that the next one waits for."""
        status, number = ctypes.c_int(), ctypes.c_uint64()
        graph, nodes, count = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t()
        self._calls.call(
            "cuStreamGetCaptureInfo_v3", ctypes.c_void_p(self.stream.handle), ctypes.byref(status),
            ctypes.byref(number), ctypes.byref(graph), ctypes.byref(nodes), None,
            ctypes.byref(count),
        )  # fmt: skip
        if status.value != _ACTIVE:
            raise DeviceError(
                "cuStreamGetCaptureInfo_v3: the stream is no longer captured, because of a call "
                f"that captures do not allow (status {status.value})"
            )
        return graph, nodes, count

    def _context(self) -> ctypes.c_void_p:
        context = ctypes.c_void_p()
        self._calls.call("cuCtxGetCurrent", ctypes.byref(context))
        return context
