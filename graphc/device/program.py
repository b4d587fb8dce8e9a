"""program: the backend of `jit(device="cuda")`, and how its programs are called.

A call allocates results and one arena from the device's pool, launches the kernels on the device's
stream, and returns: nothing waits. Calls that find the same addresses again (a loop does, because
the pool gives back what was freed) replay a captured CUDA graph from the second time on. What a
loop or choice decides is read by the graph itself (conditional.py); a call without a graph waits
for each decision, so that a loop of many iterations gets one at once.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from graphc_runtime import cuda
from graphc_runtime.forking import ForkLock
from graphc_runtime.records import dataclass

from .. import environment
from .. import types as ty
from ..codegen.cuda import GRID_LIMITS
from ..compile import Lowered, lower_graph
from ..errors import DeviceError, GraphcError, NonFiniteError, OutOfDeviceMemory
from ..evaluate import bind_extents
from ..ir import Graph
from ..loops.ir import NON_FINITE
from ..trace import TracedFunction, donations
from . import cublas
from .array import DeviceArray, device_put, errors, the_device
from .build import build_cubins
from .conditional import Decisions, State, decisions, loop_nodes, say
from .interchange import is_on_device, view
from .plan import (
    Branch,
    Copy,
    DevicePlan,
    Launch,
    Loop,
    Place,
    Product,
    Step,
    Until,
    decides,
    plan_device,
    stride_symbol,
)
from .products import Chosen, call_of, is_symbolic, is_turned, least_alignments

GRAPHS = 8
"""So many captured graphs are kept for a program, those used last."""
CAPTURED_LAUNCHES = 20_000
"""A graph of more launches, of a long loop, takes more time to make and memory than it saves."""
ALIGNMENT = 16
"""Kernels may take for granted that contiguous arrays begin at such an address."""


class Cuda:
    """Programs for the CUDA device of this machine. Options as those of `backends.Native`.

    `library` and `tf32`: who computes products, and whether those of f32 may round their operands
    (`jit`).
    """

    def __init__(
        self, check_finite: bool = False, direct: bool = False, library: bool | None = None,
        tf32: bool = False,
    ):  # fmt: skip
        self._options = {"check_finite": check_finite, "direct": direct, "tf32": tf32}
        self._library = library

    def lower(self, graph: Graph) -> Lowered:
        return lower_graph(graph, **self._options)

    def compile(self, traced: TracedFunction) -> DeviceExecutable:
        return DeviceExecutable(traced, **self._options, library=self._library)

    def callable(self, miss: Callable[..., Any]) -> None:
        return None


class DeviceExecutable:
    """A program on the device: one variant for contiguous arrays, others for any strides."""

    def __init__(
        self, traced: TracedFunction, check_finite: bool, direct: bool, tf32: bool,
        library: bool | None,
    ):  # fmt: skip
        self.device = the_device()
        self._traced, self._check_finite, self._tf32 = traced, check_finite, tf32
        self._chosen = None if library is False else Chosen(library is True, tf32)
        if library is True:
            self._handle(f"library=True of {traced.graph.name}")
        self._aliases = donations(traced)
        lowered = lower_graph(traced.graph, check_finite=check_finite, direct=direct, tf32=tf32)
        self._graph: Graph = lowered.optimised.graph
        self._variants: dict[tuple[int, ...], LoadedProgram] = {}
        self._lock = ForkLock()
        self._variant(())

    @property
    def tuning(self) -> tuple[str, ...]:
        """The products that the library computes."""
        products = self._variant(()).plan.products
        return tuple(f"{p} by cuBLASLt{f' ({p.line})' if p.line else ''}" for p in products)

    @property
    def peak_bytes(self) -> ty.Extent:
        """Bytes that a call needs besides its arguments: results and the arena."""
        plan = self._variant(()).plan
        total: ty.Extent = plan.arena
        for value in plan.graph.results:
            total = total + value.type.nbytes
        return total

    def _variant(self, strided: tuple[int, ...]) -> LoadedProgram:
        with self._lock:
            found = self._variants.get(strided)
            if found is None:
                found = self._variants[strided] = LoadedProgram(self.device, self._plan(strided))
            return found

    def _plan(self, strided: tuple[int, ...]) -> DevicePlan:
        arch = environment.schedule_arch(self.device.arch)
        given = self._graph, strided, self._aliases, self._check_finite, arch
        plan = plan_device(*given, self._chosen, self._tf32)
        if not plan.products or self._chosen is None:
            return plan
        doing = f"loading {plan.graph.name}"
        try:
            handle = self._handle(doing)
            if not self._chosen.always:
                with errors(doing), self.device.active():
                    _prepare(handle, plan.products)
        except OutOfDeviceMemory:
            raise
        except DeviceError as error:
            if self._chosen.always:
                raise
            notice(f"products such as {plan.products[0]} are computed by graphc's own kernels, "
                   f"which are slower: {error}")  # fmt: skip
            return plan_device(*given, None, self._tf32)
        return plan

    def _handle(self, doing: str) -> cublas.Handle:
        """The library on the device.

        Raises:
            DeviceError: with what is missing. OutOfDeviceMemory: no memory for its workspace.
        """
        try:
            with errors(doing):
                return cublas.Handle.of(self.device)
        except OutOfDeviceMemory:
            raise
        except DeviceError as error:
            text = str(error).removeprefix(f"{doing}: ")
            raise DeviceError(f"{doing}: {text}") from None

    def argument(self, leaf: Any, parameter: Any) -> DeviceArray:
        """A leaf of a call on the device."""
        if isinstance(leaf, DeviceArray):
            leaf._readable()
            return leaf
        if is_on_device(leaf):
            return view(self.device, leaf)
        return device_put(np.asarray(leaf, dtype=parameter.type.dtype.numpy))

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        donated = self._aliases.values()
        given: list[DeviceArray] = list(arrays)
        strided = tuple(k for k, a in enumerate(given) if not _is_plain(a) and k not in donated)
        for k in donated:
            if not _is_plain(given[k]):
                raise DeviceError(
                    f"{self._traced.parameters[k].path} is donated, and its elements do not lie in "
                    "order in memory; only a C-contiguous array can be written over"
                )
        return self._variant(strided).run(given, strided, self._aliases)

    def attach(self, function: Any, traced: TracedFunction) -> bool:
        return False


def _prepare(handle: cublas.Handle, products: Sequence[Product]) -> None:
    """Asks for algorithms while there is a choice still.

    Raises:
        cuda.DeviceError: there is none for one of the products.
    """
    for one in products:
        if not is_symbolic(one.shape):
            call = call_of(one.shape, {}, one.tf32)
            assert call is not None
            handle.prepare(call, least_alignments(one.shape, ALIGNMENT))


_noticed: set[str] = set()


def notice(text: str) -> None:
    """Warns of the library once in a process."""
    if not _noticed:
        _noticed.add(text)
        warnings.warn(f"{text} (said once; see graphc doctor)", stacklevel=3)


def _is_plain(array: DeviceArray) -> bool:
    return array.pointer % ALIGNMENT == 0 and array.is_contiguous


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the places of one call, or of one loop in it, are."""

    buffers: Sequence[int]
    arena: int
    env: Mapping[str, int]
    """Of symbols and strides."""
    local: dict[str, int]
    """What the loops around have bound."""


class LoadedProgram:
    """A plan whose kernels are on the device, with its constants."""

    def __init__(self, device: cuda.Device, plan: DevicePlan):
        self.device, self.plan = device, plan
        launches = (*plan.setup_launches, *plan.launches)
        cubins = build_cubins([one.kernel for one in launches], device.arch, device.driver_version)
        self._modules: dict[bytes, Any] = {}
        self._functions: dict[int, Any] = {}
        """Of each launch, by its identity."""
        name = plan.graph.name
        with errors(f"loading {name}"):
            for launch, cubin in zip(launches, cubins, strict=True):
                if cubin not in self._modules:
                    self._modules[cubin] = device.load(cubin)
                kernel = launch.kernel
                module = self._modules[cubin]
                self._functions[id(launch)] = device.function(
                    module, kernel.name, kernel.dynamic_bytes
                )
            self._constants = [device_put(literal.array) for literal in plan.constants]
            self._kept = device.allocate(plan.kept)
            self._error = device.allocate(4)
            device.clear(int(self._error), 4)
        self._launches = launches  # their identities are keys
        self._library = cublas.Handle.of(device) if plan.products else None
        self._calls: dict[tuple[int, tuple[int, ...]], cublas.Call | None] = {}
        """Of each product, by its identity and the symbols."""
        self._decisions: Decisions | None = None
        self._asks = decides(plan.steps)
        """Is the host asked for decisions, so that there is nothing to replay?"""
        if self._asks:
            self._decisions, why = decisions(device)
            if why:
                say(why)
            self._asks = self._decisions is None
        self._graphs: OrderedDict[tuple[int, ...], cuda.Graph | None] = OrderedDict()
        self._reads = 0
        """Decisions that the last call waited for."""
        self._watches: frozenset[Any] = frozenset([self]) if plan.fails else frozenset()
        self._lock = ForkLock()
        if plan.setup:
            with errors(f"loading {name}"):
                scratch = device.allocate(plan.setup_arena)
                with device.active():
                    self._run(plan.setup, _Frame((), int(scratch), {}, {}))
                device.synchronize()

    # -- calls
    def run(
        self, arrays: Sequence[DeviceArray], strided: Sequence[int], aliases: Mapping[int, int]
    ) -> list[DeviceArray]:
        """The results for arrays of the parameters' types."""
        graph, device = self.plan.graph, self.device
        env: dict[str, int] = {}
        if graph.symbols:
            env = dict(bind_extents(graph, [a.shape for a in arrays]))
        for k in strided:
            array = arrays[k]
            for axis, step in enumerate(array.strides):
                if step % array.itemsize:
                    raise DeviceError(f"argument {k} has strides that are no whole elements")
                env[stride_symbol(k, axis)] = step // array.itemsize
        watches = self._watches.union(*(a.watches for a in arrays))
        results: list[DeviceArray] = []
        with errors(self._call(arrays)), device.active():
            for k, value in enumerate(graph.results):
                shape = tuple(_number(e, env) for e in value.type.shape)
                if k in aliases:
                    source = arrays[aliases[k]]
                    source.donated = True
                    owner, pointer = source.owner, source.pointer
                else:
                    nbytes = int(np.prod(shape, dtype=np.int64)) * value.dtype.nbytes
                    owner = device.allocate(nbytes)
                    pointer = int(owner)
                results.append(
                    DeviceArray(device, owner, pointer, value.dtype, shape, None, watches)
                )
            arena_bytes = _number(self.plan.arena, env)
            arena = device.allocate(arena_bytes) if arena_bytes else None
            base = 0 if arena is None else int(arena)
            buffers = [a.pointer for a in (*arrays, *results)]
            self._start(buffers, base, env)
        return results

    def _call(self, arrays: Sequence[DeviceArray]) -> str:
        shown = ", ".join(f"{ty.dtype(a.dtype)}{list(a.shape)}" for a in arrays)
        return f"{self.plan.graph.name}({shown})"

    def _start(self, buffers: Sequence[int], arena: int, env: Mapping[str, int]) -> None:
        """Replays the graph of these addresses; launches one by one the first time."""
        key = (*buffers, arena, *env.values())

        def work() -> None:
            with self.device.active():
                self._run(self.plan.steps, _Frame(buffers, arena, env, {}))

        with self._lock:
            if self._asks:
                work()
                return
            if key not in self._graphs:
                self._graphs[key] = None
                if len(self._graphs) > GRAPHS:
                    self._graphs.popitem(last=False)
                if not self._pays(env):
                    self._reads = 0
                    work()
                    return
            found = self._graphs[key]
            if found is None:
                found = self._graphs[key] = self._captured(work, env)
            self._graphs.move_to_end(key)
            if found is None:
                work()
            else:
                with self.device.active():
                    self.device.replay(found)

    def _pays(self, env: Mapping[str, int]) -> bool:
        """Is a graph worth it for one call? Where the last call without one has waited for more
        decisions than it has nodes."""
        return self._reads > 0 and self._reads > _nodes(self.plan.steps, env)

    def _captured(self, work: Callable[[], None], env: Mapping[str, int]) -> cuda.Graph | None:
        """The graph of what `work` launches; None where it would save nothing, or be too long, or
        the driver does not make it."""
        if not 1 < _nodes(self.plan.steps, env) <= CAPTURED_LAUNCHES:
            return None
        try:
            return self.device.capture(work)
        except cuda.DeviceError as error:
            if self._decisions is None:
                raise
            # the same without a graph may do, or raises what is wrong with a kernel
            say(str(error))
            self._asks = True
            return None

    def _run(self, steps: Sequence[Step], frame: _Frame) -> None:
        for step in steps:
            if isinstance(step, Launch):
                self._launch(step, frame)
            elif isinstance(step, Product):
                self._product(step, frame)
            elif isinstance(step, Copy):
                target, source = (self._address(p, frame) for p in (step.target, step.source))
                self.device.copy(target, source, _number(step.nbytes, frame.env))
            elif isinstance(step, Loop):
                self._loop(step, frame)
            else:
                self._branch(step, frame)

    def _loop(self, loop: Loop, frame: _Frame) -> None:
        length = 0 if loop.length is None else _number(loop.length, frame.env)
        inside = _Frame(frame.buffers, frame.arena, frame.env, dict(frame.local))
        for turn in loop.turns:
            places = [self._address(p, frame) for p in (turn.first, turn.second)]
            if length % 2:  # so that the last iteration writes to the first place
                places.reverse()
            inside.local[turn.now], inside.local[turn.next] = places
        self._run(loop.before, inside)
        if loop.until is None:
            self._counted(loop, length, inside)
        elif self.device.capturing is None:
            self._asked(loop, loop.until, inside)
        else:
            self._decided(loop, loop.until, inside)

    def _counted(self, loop: Loop, length: int, inside: _Frame) -> None:
        """So many iterations, on other rows each."""
        rows = [
            (r.name, self._address(r.base, inside), _number(r.step_bytes, inside.env))
            for r in loop.rows
        ]
        for done in range(length):
            k = length - 1 - done if loop.reverse else done
            inside.local.update((name, base + k * step) for name, base, step in rows)
            self._run(loop.body, inside)
            _turn(loop, inside)

    def _asked(self, loop: Loop, until: Until, inside: _Frame) -> None:
        """Iterations until the host reads that there is no other."""
        done = 0
        while True:
            self._run(until.steps, inside)
            if done == until.limit or not self._read(until.answer, np.bool_, inside):
                break
            self._run(loop.body, inside)
            _turn(loop, inside)
            done += 1
        if done % 2:
            for turn in loop.turns:
                self._launch(turn.copy, inside)

    def _decided(self, loop: Loop, until: Until, inside: _Frame) -> None:
        """The same by a node of a graph."""
        assert self._decisions is not None
        states = [
            State(inside.local[t.now], inside.local[t.next], _number(t.nbytes, inside.env))
            for t in loop.turns
        ]

        def body() -> None:
            self._run(loop.body, inside)
            _turn(loop, inside)
            self._run(until.steps, inside)

        self._run(until.steps, inside)
        answer, count = (self._address(p, inside) for p in (until.answer, until.count))
        self._decisions.loop(answer, count, until.limit, states, body)

    def _branch(self, branch: Branch, frame: _Frame) -> None:
        arms = branch.arms
        if self.device.capturing is not None:
            assert self._decisions is not None
            bodies = [partial(self._run, arm, frame) for arm in arms]
            self._decisions.choose(self._address(branch.index, frame), bodies)
            return
        index = int(self._read(branch.index, np.int64, frame))
        self._run(arms[min(max(index, 0), len(arms) - 1)], frame)

    def _read(self, place: Place, dtype: Any, frame: _Frame) -> Any:
        """A number that the device has made; waits for it."""
        self._reads += 1
        found = np.zeros(1, dtype)
        self.device.download(found, self._address(place, frame))
        return found[0]

    def _launch(self, launch: Launch, frame: _Frame) -> None:
        kernel = launch.kernel
        grid = tuple(
            min(_number(e, frame.env), limit)
            for e, limit in zip(kernel.grid, GRID_LIMITS, strict=True)
        )
        if 0 in grid:
            return
        values = [self._address(p, frame) for p in launch.buffers]
        values += [frame.env[s] for s in launch.symbols]
        if kernel.fails:
            values.append(int(self._error))
        function = self._functions[id(launch)]
        try:
            self.device.launch(
                function, grid, kernel.block, cuda.pack(values), kernel.dynamic_bytes
            )
        except Exception as error:
            at = f" ({launch.line})" if launch.line else ""
            raise cuda.DeviceError(f"kernel {kernel.name}{at}: {error}") from None

    def _product(self, step: Product, frame: _Frame) -> None:
        shape, env = step.shape, frame.env
        key = id(step), tuple(env.values())
        if key not in self._calls:
            self._calls[key] = call_of(shape, env, step.tf32)
        call = self._calls[key]
        left, right, result = (
            self._address(place, frame) + _number(one.offset, env) * one.buffer.dtype.nbytes
            for place, one in zip(step.places, (shape.left, shape.right, shape.result), strict=True)
        )
        if call is None:  # no results, or no terms
            nbytes = ty.product((shape.batch, shape.m, shape.n)) * shape.result.buffer.dtype.nbytes
            if _number(nbytes, env):
                self.device.clear(result, _number(nbytes, env))
            return
        a, b = (left, right) if is_turned(shape) else (right, left)
        assert self._library is not None
        try:
            self._library.run(call, a, b, result)
        except cuda.DeviceError as error:
            at = f" ({step.line})" if step.line else ""
            raise cuda.DeviceError(f"{error}{at}") from None

    def _address(self, place: Place, frame: _Frame) -> int:
        kind, where = place
        if kind == "local":
            return frame.local[where]  # type: ignore[index]
        if kind == "buffer":
            return frame.buffers[where]  # type: ignore[index]
        if kind == "constant":
            return self._constants[where].pointer  # type: ignore[index]
        base = frame.arena if kind == "arena" else int(self._kept)
        return base + _number(where, frame.env)  # type: ignore[arg-type]

    # -- errors of the user's program
    def check(self) -> None:
        """Raises what the program's kernels reported; waits for the device.

        Raises:
            IndexError, NonFiniteError: with the message of the first report.
        """
        code = np.zeros(1, np.int32)
        self.device.download(code, int(self._error))
        number = int(code[0])
        if not number:
            return
        self.device.clear(int(self._error), 4)
        if number > len(self.plan.messages):
            raise GraphcError(f"a kernel reported the unknown error {number}; a bug of graphc")
        message = self.plan.messages[number - 1]
        raise NonFiniteError(message) if NON_FINITE in message else IndexError(message)


def _turn(loop: Loop, inside: _Frame) -> None:
    """The places of the states change."""
    local = inside.local
    for turn in loop.turns:
        local[turn.now], local[turn.next] = local[turn.next], local[turn.now]


def _nodes(steps: Sequence[Step], env: Mapping[str, int]) -> int:
    """How many nodes a graph of the steps has; of a step that decides, all that may run."""
    total = 0
    for step in steps:
        if isinstance(step, Branch):
            total += sum(_nodes(arm, env) + 2 for arm in step.arms)
        elif isinstance(step, Loop):
            total += _nodes(step.before, env)
            inside = _nodes(step.body, env)
            if step.until is None:
                total += _number(step.length or 0, env) * inside
            else:
                condition = _nodes(step.until.steps, env)
                states = [State(0, 0, _number(t.nbytes, env)) for t in step.turns]
                total += condition + loop_nodes(states, condition + inside)
        else:
            total += 1
    return total


def _number(extent: ty.Extent, env: Mapping[str, int]) -> int:
    if isinstance(extent, int):
        return extent
    value = ty.substitute(extent, dict(env))
    assert isinstance(value, int), (extent, env)
    return value
