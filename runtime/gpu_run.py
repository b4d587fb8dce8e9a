"""Runs the steps of a program on a device: launches, copies, loops, choices, and graphs of them.

Who calls it: gpu_program.py for artifacts, graphc/device/loaded.py for `jit(device="cuda")`. A call
launches everything on the device's stream and returns: nothing waits. The second call of the same
extents captures a CUDA graph, which later ones replay: at once where they find the same addresses
(a loop does, because the pool gives back what was freed), else after its nodes were told the others
(cuda_moves.py). What a loop or choice decides is read by the graph itself (cuda_decisions.py); a
call without a graph waits for each decision, so that a loop of many iterations gets one at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Generic

import numpy as np

from . import cuda
from .cuda_decisions import Decisions, State, loop_nodes, say
from .cuda_moves import Address
from .forking import ForkLock
from .gpu_steps import GRID_LIMITS, Copy, Kernel, Launch
from .host_words import Word
from .records import dataclass
from .steps import Branch, E, L, Loop, Place, Step, Until, decides, work

GRAPHS = 8
"""So many captured graphs are kept for a program, those used last; and so many addresses of calls
are remembered."""
PLACES = 4
"""So many graphs of the same extents stay where they are: where results take the place of arguments
(`x = f(x)`), these, results and the arena change places in turn."""
CAPTURED_LAUNCHES = 20_000
"""A graph of more launches, of a long loop, takes more time to make and memory than it saves."""
SHOWN = 12
"""So many kernels of a program are named where one of its kernels has failed."""


Key = tuple[tuple[int, ...], tuple[int, ...]]
"""The addresses of a call's buffers and arena, and its symbols."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the places of one call, or of one loop in it, are."""

    buffers: Sequence[int]
    arena: int
    env: Mapping[str, int]
    """Of symbols."""
    local: dict[str, int]
    """What the loops around have bound."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What of a program is on the device."""

    functions: Mapping[int, Any]
    """Of each launch, by its identity."""
    constants: Sequence[int]
    """Their addresses."""
    kept: int
    """The address of what was computed when the program was loaded."""
    error: int
    """The address of the number that kernels report, an i32."""


class Runner(Generic[L, E]):
    """Runs one program, whose steps do not change.

    `number` gives an extent's value in a call. `decisions` is None where the host is asked for
    each. `other` runs what is neither a kernel nor a copy, and says at which addresses. Errors call
    the program `name`.
    """

    def __init__(
        self, device: cuda.Device, steps: Sequence[Step[L, E]], loaded: Loaded,
        number: Callable[[Any, Mapping[str, int]], int], decisions: Decisions | None,
        other: Callable[[Any, Frame], Sequence[int]] | None = None, name: str = "a program",
    ):  # fmt: skip
        self.device, self.steps, self.loaded = device, steps, loaded
        self._number, self._other = number, other
        self._decisions = decisions
        self._call = _described(name, steps)
        self._waits = decides(steps)
        """Does a call without a graph wait?"""
        self.asks = decisions is None and self._waits
        """Is the host asked for decisions, so that there is nothing to replay?"""
        self.alone = False
        """Has the driver refused a graph, so that none is made any more?"""
        self._refused: cuda.DeviceError | None = None
        """In this call, why."""
        self.graphs: OrderedDict[Key, cuda.Graph] = OrderedDict()
        """By the addresses and extents of a call."""
        self._seen: OrderedDict[Key, None] = OrderedDict()
        """Those of calls that found no graph there."""
        self._reads = 0
        """Decisions that the last call waited for."""
        self._lock = ForkLock()

    def start(self, buffers: Sequence[int], arena: int, env: Mapping[str, int]) -> None:
        """Replays a graph, if there is one; launches one by one else."""
        addresses, numbers = (*buffers, arena), tuple(env.values())
        self.device.began(self._call)
        with self._lock, self.device.active():
            graph = None if self.asks or self.alone else self._graph((addresses, numbers), env)
            if graph is not None:
                try:
                    self.device.replay(graph)
                    return
                except cuda.OutOfDeviceMemory as error:  # its first launch brings it to the device
                    self.device.free_held()
                    self._gives_up(error)
            try:
                self.run(self.steps, Frame(buffers, arena, env, {}))
            except cuda.DeviceError:
                if self._refused is not None:  # it was not the graph's fault
                    self.alone, self._refused = False, None
                raise
            if self._refused is not None:
                self._say_refused(self._refused)

    def _graph(self, key: Key, env: Mapping[str, int]) -> cuda.Graph | None:
        """The graph of a call's addresses and extents; None where none is due."""
        found = self.graphs.get(key)
        if found is None:
            found = self._other_graph(key, env)
            self._seen[key] = None
            if len(self._seen) > GRAPHS:
                self._seen.popitem(last=False)
            if found is None:
                return None
            self.graphs[key] = found
            if len(self.graphs) > GRAPHS:
                self.graphs.popitem(last=False)
        self.graphs.move_to_end(key)
        return found

    def _other_graph(self, key: Key, env: Mapping[str, int]) -> cuda.Graph | None:
        """A graph of the same extents, the one used least recently, that is told these addresses;
        or a new one."""
        again = key in self._seen
        alike = [(known[0], graph) for known, graph in self.graphs.items() if known[1] == key[1]]
        if len(alike) >= PLACES or not again:
            for known, graph in alike:
                pairs = enumerate(zip(key[0], known, strict=True))
                steps = {k: new - old for k, (new, old) in pairs if new != old}
                if graph.can_move(steps):
                    del self.graphs[known, key[1]]
                    return self._moved(graph, steps)
        if not (again or alike or self._waits):  # the second one of these extents?
            again = any(known[1] == key[1] for known in self._seen)
        if again or self._pays(env):
            return self._captured(key[0], env)
        self._reads = 0
        return None

    def start_reporting(
        self, word: Word, buffers: Sequence[int], arena: int, env: Mapping[str, int]
    ) -> None:
        """`start`, behind which the device writes to the word what kernels of this call reported
        first; 0: nothing.

        Kernels have one place for it, because a graph's addresses are fixed: each call clears it,
        and takes what is there along, before the next one begins.
        """
        with self._lock, self.device.active():
            try:
                self.device.clear(self.loaded.error, 4)
                self.start(buffers, arena, env)
                self.device.download_later(word.array, self.loaded.error)
            except BaseException:
                word.array[0] = 0  # it will not be written
                raise

    def _pays(self, env: Mapping[str, int]) -> bool:
        """Is a graph worth it for one call? Where the last call without one has waited for more
        decisions than it has nodes."""
        return self._reads > 0 and self._reads > self._nodes(self.steps, env)

    def _moved(self, graph: cuda.Graph, steps: Mapping[int, int]) -> cuda.Graph | None:
        """The graph at other addresses; None where the driver refuses."""
        try:
            with self.device.active():
                graph.move(steps)
        except cuda.DeviceError as error:
            self._gives_up(error)
            return None
        return graph

    def _captured(self, addresses: Sequence[int], env: Mapping[str, int]) -> cuda.Graph | None:
        """The graph of a call; None where it would save nothing, or be too long, or the driver does
        not make it."""
        if not 1 < self._nodes(self.steps, env) <= CAPTURED_LAUNCHES:
            return None
        *buffers, arena = (Address.at(one, k) for k, one in enumerate(addresses))

        def work() -> None:
            self.run(self.steps, Frame(buffers, arena, env, {}))

        try:
            try:
                return self.device.capture(work)
            except cuda.OutOfDeviceMemory:
                self.device.free_held()
                return self.device.capture(work)
        except cuda.DeviceError as error:
            # the same without a graph may do, or raises what is wrong with a kernel
            self._gives_up(error)
            return None

    def _gives_up(self, error: cuda.DeviceError) -> None:
        """There are no graphs of this program any more."""
        self.alone, self._refused = True, error
        self.graphs.clear()

    def _say_refused(self, error: cuda.DeviceError) -> None:
        self._refused = None
        if self._waits:
            say(str(error))
        else:
            say(str(error), "launches the kernels of a program one by one, without a CUDA graph")

    def _nodes(self, steps: Sequence[Step[L, E]], env: Mapping[str, int]) -> int:
        """How many nodes a graph of the steps has; of a step that decides, all that may run."""
        total = 0
        for step in steps:
            if isinstance(step, Branch):
                total += sum(self._nodes(arm, env) + 2 for arm in step.arms)
            elif isinstance(step, Loop):
                total += self._nodes(step.before, env)
                inside = self._nodes(step.body, env)
                if step.until is None:
                    total += self._length(step, env) * inside
                else:
                    condition = self._nodes(step.until.steps, env)
                    states = [State(0, 0, self._number(t.nbytes, env)) for t in step.turns]
                    total += condition + loop_nodes(states, condition + inside)
            else:
                total += 1
        return total

    # -- steps
    def run(self, steps: Sequence[Step[L, E]], frame: Frame) -> None:
        """Launches the steps, one by one; the device is active."""
        for step in steps:
            if isinstance(step, Loop):
                self._loop(step, frame)
            elif isinstance(step, Branch):
                self._branch(step, frame)
            elif isinstance(step, Launch):
                self._launch(step, frame)
            elif isinstance(step, Copy):
                target, source = (self.address(p, frame) for p in (step.target, step.source))
                self.device.copy(target, source, self._number(step.nbytes, frame.env))
            else:
                assert self._other is not None
                addresses = self._other(step, frame)
                if self.device.capturing is not None:
                    self.device.capturing.fix(addresses)

    def _loop(self, loop: Loop[L, E], frame: Frame) -> None:
        length = self._length(loop, frame.env)
        inside = Frame(frame.buffers, frame.arena, frame.env, dict(frame.local))
        for turn in loop.turns:
            places = [self.address(p, frame) for p in (turn.first, turn.second)]
            if length % 2:  # so that the last iteration writes to the first place
                places.reverse()
            inside.local[turn.now], inside.local[turn.next] = places
        self.run(loop.before, inside)
        if loop.until is None:
            self._counted(loop, length, inside)
        elif self.device.capturing is None:
            self._asked(loop, loop.until, inside)
        else:
            self._decided(loop, loop.until, inside)

    def _length(self, loop: Loop[L, E], env: Mapping[str, int]) -> int:
        """So many iterations; 0 where a condition ends them."""
        return 0 if loop.length is None else self._number(loop.length, env)

    def _counted(self, loop: Loop[L, E], length: int, inside: Frame) -> None:
        """So many iterations, on other rows each."""
        rows = [
            (r.name, self.address(r.base, inside), self._number(r.step_bytes, inside.env))
            for r in loop.rows
        ]
        for done in range(length):
            k = length - 1 - done if loop.reverse else done
            inside.local.update((name, base + k * step) for name, base, step in rows)
            self.run(loop.body, inside)
            _turn(loop, inside)

    def _asked(self, loop: Loop[L, E], until: Until[L, E], inside: Frame) -> None:
        """Iterations until the host reads that there is no other."""
        done = 0
        while True:
            self.run(until.steps, inside)
            if done == until.limit or not self._read(until.answer, np.bool_, inside):
                break
            self.run(loop.body, inside)
            _turn(loop, inside)
            done += 1
        if done % 2:
            self.run([turn.copy for turn in loop.turns], inside)

    def _decided(self, loop: Loop[L, E], until: Until[L, E], inside: Frame) -> None:
        """The same by a node of a graph."""
        assert self._decisions is not None and until.count is not None
        states = [
            State(inside.local[t.now], inside.local[t.next], self._number(t.nbytes, inside.env))
            for t in loop.turns
        ]

        def body() -> None:
            self.run(loop.body, inside)
            _turn(loop, inside)
            self.run(until.steps, inside)

        self.run(until.steps, inside)
        answer, count = (self.address(p, inside) for p in (until.answer, until.count))
        self._decisions.loop(answer, count, until.limit, states, body)

    def _branch(self, branch: Branch[L, E], frame: Frame) -> None:
        arms = branch.arms
        if self.device.capturing is not None:
            assert self._decisions is not None
            bodies = [partial(self.run, arm, frame) for arm in arms]
            self._decisions.choose(self.address(branch.index, frame), bodies)
            return
        index = int(self._read(branch.index, np.int64, frame))
        self.run(arms[min(max(index, 0), len(arms) - 1)], frame)

    def _read(self, place: Place, dtype: Any, frame: Frame) -> Any:
        """A number that the device has made; waits for it."""
        self._reads += 1
        found = np.zeros(1, dtype)
        self.device.download(found, self.address(place, frame))
        return found[0]

    def _launch(self, launch: Launch[Kernel[E]], frame: Frame) -> None:
        kernel = launch.kernel
        grid = tuple(
            min(self._number(e, frame.env), limit)
            for e, limit in zip(kernel.grid, GRID_LIMITS, strict=True)
        )
        if 0 in grid:
            return
        values = [self.address(p, frame) for p in launch.buffers]
        values += [frame.env[s] for s in launch.symbols]
        if kernel.fails:
            values.append(self.loaded.error)
        function = self.loaded.functions[id(launch)]
        try:
            self.device.launch(function, grid, kernel.block, values, kernel.dynamic_bytes)
        except Exception as error:
            at = f" ({launch.line})" if launch.line else ""
            raise cuda.DeviceError(f"kernel {kernel.name}{at}: {error}") from None

    def address(self, place: Place, frame: Frame) -> int:
        """Where a place is now."""
        kind, where = place
        if kind == "local":
            return frame.local[where]  # type: ignore[index]
        if kind == "buffer":
            return frame.buffers[where]  # type: ignore[index]
        if kind == "constant":
            return self.loaded.constants[where]  # type: ignore[index]
        base = frame.arena if kind == "arena" else self.loaded.kept
        return base + self._number(where, frame.env)


def _described(name: str, steps: Sequence[Step[Any, Any]]) -> str:
    """A program with its kernels and the user's lines, as errors show it."""
    parts: dict[str, None] = {}
    for one in work(steps):
        if not isinstance(one, Copy):
            what = one.kernel.name if isinstance(one, Launch) else str(one)
            parts[f"{what} ({one.line})" if one.line else what] = None
    more = [f"and {len(parts) - SHOWN} more"] if len(parts) > SHOWN else []
    return f"{name}: {', '.join([*list(parts)[:SHOWN], *more])}"


def _turn(loop: Loop[L, E], inside: Frame) -> None:
    """The places of the states change."""
    local = inside.local
    for turn in loop.turns:
        local[turn.now], local[turn.next] = local[turn.next], local[turn.now]
