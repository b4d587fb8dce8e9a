"""Nests one after another inside a parallel loop: a block of threads for each iteration.

    for p parallel: a[...]; for b: { for i: a[i] = ...; for j: c[p, j] += f(a) }
      ->  for block: a shared
            for thread(256): for b:
              for turn: a[256*turn + thread] = ...
              barrier
              for turn: c[block, 256*turn + thread] += f(a)
              barrier

The gradient of attention is such a loop (graphc/ops/attention_gradient.py). What the threads fill
together is shared memory while that lasts, the smallest arrays first, and then global memory, a
part for each block. Loops whose iterations depend on each other are run by all threads; the maps
inside are spread over them. No order of additions changes.

Requires: local arrays too large for one thread, and maps inside a loop whose iterations depend on
each other; otherwise None, as where a statement does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .. import types as ty
from . import cuda_access as A
from . import ir as L
from .cuda_nests import (
    LOCAL_BYTES,
    THREADS,
    Names,
    at,
    ceil_div,
    extent_of,
    guarded,
    rename,
    symbol,
)
from .ir import Alloc, Buffer, For, Index, Let, Stmt

SHARED_BYTES = 48 * 1024


class _Strange(Exception):
    """The loop has another form."""


def cooperative(names: Names, loop: For) -> For | None:
    """The kernel of a parallel loop; None where threads cannot share an iteration."""
    allocs = [s for s in L.statements(loop.body) if isinstance(s, Alloc)]
    held = [s.buffer for s in allocs if s.buffer.space == "local"]
    if loop.kind != "parallel" or any(isinstance(ty.product(b.shape), ty.Dim) for b in held):
        return None
    if all(_nbytes(b) <= LOCAL_BYTES for b in held):
        return None
    block, thread = names.fresh("block"), names.fresh("thread")
    writer = _Writer(names, thread)
    body = tuple(L.substitute(s, {loop.var: symbol(block)}) for s in loop.body)
    try:
        made = writer.statements(body, names.symbols)
    except _Strange:
        return None
    if not writer.walks:
        return None
    moved: dict[str, tuple[Buffer, tuple[Index, ...]]] = {}
    left = SHARED_BYTES
    for buffer in sorted(writer.arrays, key=_nbytes):
        if _nbytes(buffer) <= left:
            left -= -(-_nbytes(buffer) // 16) * 16
            moved[buffer.name] = (replace(buffer, space="shared", align=16), ())
        else:
            shape = (loop.extent, *buffer.shape)
            moved[buffer.name] = (names.temp(buffer.name, buffer.dtype, shape), (symbol(block),))
    shared = tuple(Alloc(b) for b, _ in moved.values() if b.space == "shared")
    threads = For(thread, THREADS, "thread", rename(made, moved))
    return For(block, loop.extent, "block", (*shared, threads))


def _nbytes(buffer: Buffer) -> int:
    size = ty.product(buffer.shape) * buffer.dtype.nbytes
    assert isinstance(size, int)
    return size


@dataclass
class _Writer:
    names: Names
    thread: str

    def __post_init__(self) -> None:
        self.arrays: list[Buffer] = []
        self.walks = 0
        """Loops that all threads run."""

    def statements(self, stmts: Sequence[Stmt], known: frozenset[str]) -> tuple[Stmt, ...]:
        """What all threads do: `known` are the names that are the same for all."""
        out: list[Stmt] = []
        own: set[str] = set()
        """Registers, in which every thread has the same."""
        for stmt in stmts:
            if isinstance(stmt, Alloc) and stmt.buffer.space == "local":
                self.arrays.append(stmt.buffer)
            elif isinstance(stmt, Alloc) and stmt.buffer.space == "register":
                own.add(stmt.buffer.name)
                out.append(stmt)
            elif own and {w.buffer.name for w in A.writes((stmt,))} & own:
                if not {w.buffer.name for w in A.writes((stmt,))} <= own:
                    raise _Strange
                out.append(stmt)
            elif isinstance(stmt, Let):
                known |= {stmt.name}
                out.append(stmt)
            elif isinstance(stmt, For) and stmt.kind in ("serial", "parallel"):
                out += self.loop(stmt, known)
            else:
                raise _Strange
        return tuple(out)

    def loop(self, loop: For, known: frozenset[str]) -> list[Stmt]:
        """A map spread over the threads, who then meet; or a loop that all of them run."""
        nest = A.perfect(loop)
        if not A.is_map(nest.var, nest.body):
            if not any(isinstance(s, For) for s in loop.body):
                raise _Strange
            self.walks += 1
            inside = self.statements(loop.body, known | {loop.var})
            return [replace(loop, kind="serial", body=inside)]
        loops, core = A.chain(nest, known, mapped=True)
        if any(isinstance(s, Alloc) and s.buffer.space == "local" for s in L.statements(core)):
            raise _Strange
        extent, turn = extent_of(loops), self.names.fresh("turn")
        turns = ceil_div(extent, THREADS)
        bounds = {self.thread: THREADS}
        if isinstance(turns, int):
            bounds[turn] = max(turns, 1)
        flat = THREADS * symbol(turn) + symbol(self.thread)
        body = guarded(flat, extent, bounds, at(loops, core, flat))
        return [For(turn, turns, "serial", body), L.Barrier()]
