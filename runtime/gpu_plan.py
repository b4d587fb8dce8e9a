"""The plan of a function for GPUs, read from an artifact's JSON and checked: nothing of it is
believed before. graphc/aot/gpu.py writes it.

    plan   {"steps": [step...], "setup": [step...], "arena": extent, "kept": n, "setup_arena": n,
            "constants": [[offset, bytes]...], "messages": [text...]}
    step   {"step": "launch", "kernel", "grid": [extent, extent, extent], "block": [n, n, n],
            "dynamic_bytes", "buffers": [place...], "symbols": [name...], "fails", "line"}
         | {"step": "copy", "source": place, "target": place, "nbytes": extent}
         | {"step": "loop", "turns": [turn...], "rows": [row...], "before": [step...],
            "body": [step...], "length": extent | null, "reverse", "until": until | null}
         | {"step": "branch", "index": place, "arms": [[step...]...]}
    turn   {"now", "next", "first": place, "second": place, "copy": launch, "nbytes": extent}
    row    {"name", "base": place, "step_bytes": extent}
    until  {"steps": [step...], "answer": place, "count": place, "limit": n | null}
    place  [kind, number, extent or name], of the kinds of gpu_steps.py

Who calls it: artifact.py, when functions are asked for on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .errors import ArtifactError
from .extents import Extent, extent
from .gpu_steps import Copy, Launch
from .reading import Reader, text
from .records import dataclass
from .steps import Branch, Loop, Place, Row, Step, Turn, Until

DEPTH = 64
"""So deep loops and branches are at most."""
ALIGN = 16
"""Of what kernels read 16 bytes at once from."""
MOST_THREADS = 1024
MOST_SHARED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ShippedKernel:
    """A kernel of a cubin, and how it is launched (gpu_steps.Kernel)."""

    name: str
    grid: tuple[Extent, Extent, Extent]
    block: tuple[int, int, int]
    dynamic_bytes: int
    fails: bool


GpuLaunch = Launch[ShippedKernel]
GpuCopy = Copy[Extent]
GpuStep = Step[GpuLaunch | GpuCopy, Extent]


@dataclass(frozen=True, slots=True)
class Plan:
    """How one function runs on a GPU.

    `setup` runs when it is loaded: it writes `kept` bytes and needs `setup_arena` meanwhile.
    `constants` are places in the file of them, `messages` the texts of error codes 1, 2...
    """

    steps: tuple[GpuStep, ...]
    setup: tuple[GpuStep, ...]
    arena: Extent
    kept: int
    setup_arena: int
    constants: tuple[tuple[int, int], ...]
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Scope:
    """What steps may name."""

    buffers: int
    constants: int
    blocks: Mapping[str, Extent]
    """The bytes of the arena and of what is kept."""
    symbols: Sequence[str]
    names: frozenset[str] = frozenset()
    """What the loops around bind."""
    depth: int = 0

    def inside(self, names: Sequence[str], where: str) -> _Scope:
        """The same within a loop or a branch that binds names."""
        if self.depth == DEPTH:
            raise ArtifactError(f"{where} is nested too deeply")
        if len({*names, *self.names}) < len(names) + len(self.names):
            raise ArtifactError(f"{where} binds a name twice")
        return replace(self, names=self.names.union(names), depth=self.depth + 1)


def read_plan(tree: Any, buffers: int, symbols: Sequence[str], constants_bytes: int) -> Plan:
    """The plan in an object of JSON, of a function with so many arguments and outputs, and these
    symbols; `constants_bytes` are in the file.

    Raises:
        ArtifactError: with what is wrong.
    """
    it = Reader(tree, "the plan")
    kept, setup_arena = it.number("kept", 0), it.number("setup_arena", 0)
    arena = extent(it.tree.get("arena"), symbols, "the plan.arena")
    constants = it.each("constants", lambda x, w: _constant(x, w, constants_bytes))
    early = _Scope(0, len(constants), {"arena": setup_arena, "kept": kept}, ())
    scope = _Scope(buffers, len(constants), {"arena": arena, "kept": kept}, tuple(symbols))
    return Plan(
        _steps(it, "steps", scope), _steps(it, "setup", early), arena, kept, setup_arena,
        constants, it.each("messages", text),
    )  # fmt: skip


def _constant(x: Any, where: str, nbytes: int) -> tuple[int, int]:
    if type(x) is not list or len(x) != 2 or not all(type(n) is int and n >= 0 for n in x):
        raise ArtifactError(f"{where} is no pair of numbers")
    offset, length = x
    if offset + length > nbytes:
        raise ArtifactError(f"{where} is not in the file of constants")
    return offset, length


# ------------------------------------------------------------------------------------------- steps


def _steps(it: Reader, key: str, scope: _Scope) -> tuple[GpuStep, ...]:
    return it.each(key, lambda x, w: _step(Reader(x, w), scope))


def _step(it: Reader, scope: _Scope) -> GpuStep:
    kind = it.one_of("step", ("launch", "copy", "loop", "branch"))
    if kind == "launch":
        return _launch(it, scope)
    if kind == "copy":
        return Copy(
            _place(it, "source", scope), _place(it, "target", scope), _extent(it, "nbytes", scope)
        )
    return _loop(it, scope) if kind == "loop" else _branch(it, scope)


def _launch(it: Reader, scope: _Scope) -> GpuLaunch:
    grid = it.each("grid", lambda x, w: extent(x, scope.symbols, w))

    def threads(x: Any, where: str) -> int:
        return Reader({"threads": x}, where).number("threads", 1, MOST_THREADS)

    block = it.each("block", threads)
    if len(grid) != 3 or len(block) != 3 or block[0] * block[1] * block[2] > MOST_THREADS:
        raise ArtifactError(f"{it.where} has a grid or a block that no kernel has")
    symbols = it.each("symbols", text)
    unknown = [one for one in symbols if one not in scope.symbols]
    if unknown:
        raise ArtifactError(f"{it.where} has the unknown symbol {unknown[0]!r}")
    kernel = ShippedKernel(
        it.name("kernel"), (grid[0], grid[1], grid[2]), (block[0], block[1], block[2]),
        it.number("dynamic_bytes", 0, MOST_SHARED_BYTES), it.get("fails", bool),
    )  # fmt: skip
    return Launch(
        kernel, it.each("buffers", lambda x, w: _place_of(x, w, scope)), symbols, it.text("line")
    )


def _loop(it: Reader, scope: _Scope) -> GpuStep:
    turns: tuple[Turn[GpuLaunch, Extent], ...] = it.each(
        "turns", lambda x, w: _turn(Reader(x, w), scope)
    )
    rows: tuple[Row[Extent], ...] = it.each("rows", lambda x, w: _row(Reader(x, w), scope))
    states = scope.inside([n for turn in turns for n in (turn.now, turn.next)], it.where)
    inside = states.inside([row.name for row in rows], it.where)
    length, until = it.tree.get("length"), it.tree.get("until")
    if (length is None) == (until is None) or (until is not None and rows):
        raise ArtifactError(f"{it.where} has no length and no condition, or both")
    return Loop(
        turns, rows, _steps(it, "before", states), _steps(it, "body", inside),
        None if length is None else _extent(it, "length", scope), it.get("reverse", bool),
        None if until is None else _until(Reader(until, f"{it.where}.until"), states),
    )  # fmt: skip


def _turn(it: Reader, scope: _Scope) -> Turn[GpuLaunch, Extent]:
    now, following = it.text("now"), it.text("next")
    inside = scope.inside([now, following], it.where)
    return Turn(
        now, following, _place(it, "first", scope), _place(it, "second", scope),
        _launch(Reader(it.tree.get("copy"), f"{it.where}.copy"), inside),
        _extent(it, "nbytes", scope),
    )  # fmt: skip


def _row(it: Reader, scope: _Scope) -> Row[Extent]:
    return Row(it.text("name"), _place(it, "base", scope), _extent(it, "step_bytes", scope))


def _until(it: Reader, scope: _Scope) -> Until[GpuLaunch | GpuCopy, Extent]:
    limit = None if it.tree.get("limit") is None else it.number("limit", 0)
    answer, count = _place(it, "answer", scope), _place(it, "count", scope)
    return Until(_steps(it, "steps", scope), answer, limit, count)


def _branch(it: Reader, scope: _Scope) -> GpuStep:
    inside = scope.inside((), it.where)

    def arm(x: Any, where: str) -> tuple[GpuStep, ...]:
        return _steps(Reader({"steps": x}, where), "steps", inside)

    arms = it.each("arms", arm)
    if not arms:
        raise ArtifactError(f"{it.where} has no arms")
    return Branch(_place(it, "index", scope), arms)


# ------------------------------------------------------------------------------- places and extents


def _extent(it: Reader, key: str, scope: _Scope) -> Extent:
    return extent(it.tree.get(key), scope.symbols, f"{it.where}.{key}")


def _place(it: Reader, key: str, scope: _Scope) -> Place:
    return _place_of(it.tree.get(key), f"{it.where}.{key}", scope)


def _place_of(x: Any, where: str, scope: _Scope) -> Place:
    if type(x) is not list or len(x) != 2:
        raise ArtifactError(f"{where} is no place")
    kind, at = x
    if kind in ("arena", "kept"):
        offset, nbytes = extent(at, scope.symbols, where), scope.blocks[kind]
        if isinstance(offset, int) and (
            offset % ALIGN or (isinstance(nbytes, int) and offset > nbytes)
        ):
            raise ArtifactError(f"{where} is {at}, which is no place of the {kind}")
        return kind, offset
    if kind == "local" and type(at) is str and at in scope.names:
        return kind, at
    counts = {"buffer": scope.buffers, "constant": scope.constants}
    if type(kind) is str and type(at) is int and 0 <= at < counts.get(kind, 0):
        return kind, at
    raise ArtifactError(f"{where} is {x}, and there is no such place")
