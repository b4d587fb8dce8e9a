"""The order of the passes, and what runs them: verify, time, dump.

Called by compile; a test runs parts of it. A pass is any function `Graph -> Graph` that returns the
same object when it changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from graphc_runtime.records import dataclass

from .. import environment
from ..ir import Graph
from ..verify import verify
from .algebraic import algebraic
from .attention import attention
from .canonicalize import canonicalize
from .control import control
from .cse import cse
from .everywhere import everywhere
from .expand import expand
from .fold import fold
from .inline import inline
from .joins import joins
from .order import order
from .prune import prune
from .small_matrices import small_matrices
from .sparse_cotangents import sparse_cotangents
from .stability import stability
from .winograd import FILTER_READ, Edge, winograd, winograd_by

Pass = Callable[[Graph], Graph]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Passes that run in turn until a whole round changes nothing, but not for ever."""

    passes: tuple[Pass, ...]
    rounds: int = 4


@everywhere
def layouts(graph: Graph) -> Graph:
    """See passes/layouts.py; imported for the first convolution (1.6 ms)."""
    if not any(node.op.name == "conv" for node in graph.nodes):
        return graph
    from .layouts import layouts as run_layouts

    return run_layouts(graph)


def fuse(graph: Graph) -> Graph:
    """See passes/fuse.py; imported on first use."""
    from .fuse import fuse as run_fuse

    return run_fuse(graph)


SIMPLIFY = Repeat(
    (
        canonicalize,  # first: the others are written for its form
        fold,  # constants now stand together; fewer of them to compare
        control,  # knows by now which operands are constants; what it inlines is compared
        cse,  # after fold and canonicalize have made equal things look equal
        algebraic,  # last: asks for known constants and for equal operands
    )
)

PIPELINE: tuple[Pass | Repeat, ...] = (
    inline,  # calls were there for derivatives; no other pass looks inside
    small_matrices,  # of whole cards; what it makes is for all passes after it
    prune,  # what the program computed and did not return costs every later pass
    SIMPLIFY,  # shows the formulas that stability knows
    stability,  # before fuse, which hides formulas in bodies; once: what it makes is stable
    sparse_cotangents,  # of single ops; turns and reverses operands that are turned already
    SIMPLIFY,  # what stability made has constants, and values the program may have had already
    layouts,  # of single ops in their last form; makes what winograd is for
    winograd,  # what it makes is in canonical form, and has nothing that the others know
    attention,  # of single ops in their last form; fuse leaves the node alone
    joins,  # bounds the kernels that fuse makes; no other pass has to follow trees
    fuse,  # every pass before it sees single ops
    order,  # barriers keep apart what fuse would compute once
)

DIRECT: tuple[Pass | Repeat, ...] = tuple(
    step for step in PIPELINE if step not in (winograd, sparse_cotangents)
)
"""The pipeline without the rewrites that trade digits, or where a NaN shows, for speed."""

ROUNDED: tuple[Pass | Repeat, ...] = tuple(step for step in PIPELINE if step is not winograd)
"""The pipeline where products may round their operands, which Winograd's sums would make worse: its
products are of numbers that cancel."""

WHOLE: tuple[Pass | Repeat, ...] = (
    expand,  # first: it writes constants to derivatives, which inline takes away
    *(step for step in DIRECT if step is not attention),
)
"""The pipeline that keeps every op of the program, so that each can be checked."""

EXACT: tuple[Pass | Repeat, ...] = tuple(step for step in WHOLE if step is not stability)
"""The pipeline without the rewrites that change values: for the better, or by rounding."""


def with_edges(
    passes: Sequence[Pass | Repeat], edge: Edge, read: float = FILTER_READ
) -> tuple[Pass | Repeat, ...]:
    """Passes in which Winograd's tiles, where they are allowed, are not as estimated, or as
    estimated for a machine on which reading a filter costs so much.
    """
    return tuple(winograd_by(edge, read) if step is winograd else step for step in passes)


@dataclass(frozen=True, slots=True)
class Record:
    """One run of one pass."""

    name: str
    seconds: float
    nodes_before: int
    nodes_after: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the pipeline made, and how."""

    graph: Graph
    records: tuple[Record, ...]

    def __str__(self) -> str:
        lines = [
            f"{r.name:<14}{r.seconds * 1e3:9.2f} ms {r.nodes_before:>7} -> {r.nodes_after:>7} nodes"
            for r in self.records
        ]
        return "\n".join(lines)


def run(
    graph: Graph,
    passes: Sequence[Pass | Repeat] = PIPELINE,
    stop_after: str | None = None,
    verify_each: bool | None = None,
    dump: bool = True,
) -> Outcome:
    """Runs the passes in order.

    `stop_after` names the pass after whose first run to stop. `verify_each` says whether the graph
    is verified before the first pass and after each that changed it (None: as GRAPHC_VERIFY says).
    Where GRAPHC_DUMP names a folder, `00-trace.txt` and an `NN-pass.txt` for every pass that
    changed the graph are written there, unless `dump` is False.

    Raises:
        ValueError: when `stop_after` names none of the passes.
        VerifyError: when a pass broke the graph; a note names it.
    """
    _check_name(stop_after, passes)
    checking = environment.verify_passes() if verify_each is None else verify_each
    folder = environment.dump_folder() if dump else None
    records: list[Record] = []
    if folder is not None:
        _start_dump(folder, graph)
    if checking:
        verify(graph)
    for one in _schedule(passes, records):
        start = time.perf_counter()
        after = one(graph)
        seconds = time.perf_counter() - start
        changed = after is not graph
        records.append(Record(one.__name__, seconds, len(graph.nodes), len(after.nodes), changed))
        graph = after
        if changed and folder is not None:
            _dump(folder, len(records), one.__name__, graph)
        if changed and checking:
            _verify_after(one.__name__, graph)
        if one.__name__ == stop_after:
            break
    return Outcome(graph, tuple(records))


def _schedule(passes: Sequence[Pass | Repeat], records: Sequence[Record]) -> Iterator[Pass]:
    """The passes in order; a group is repeated while the records say that it changed something."""
    for step in passes:
        if not isinstance(step, Repeat):
            yield step
            continue
        for _ in range(step.rounds):
            yield from step.passes
            if not any(record.changed for record in records[-len(step.passes) :]):
                break


def _check_name(name: str | None, passes: Sequence[Pass | Repeat]) -> None:
    names = [p.__name__ for s in passes for p in (s.passes if isinstance(s, Repeat) else (s,))]
    if name is not None and name not in names:
        raise ValueError(f"there is no pass {name!r} to stop after; there are {', '.join(names)}")


def _verify_after(name: str, graph: Graph) -> None:
    try:
        verify(graph)
    except Exception as error:
        error.add_note(f"after the pass {name}")
        raise


def _start_dump(folder: Path, graph: Graph) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("[0-9][0-9]-*.txt"):
        old.unlink()  # of an earlier run: its numbers would mix with ours
    _dump(folder, 0, "trace", graph)


def _dump(folder: Path, number: int, name: str, graph: Graph) -> None:
    (folder / f"{number:02}-{name}.txt").write_text(f"{graph}\n", encoding="utf-8")
