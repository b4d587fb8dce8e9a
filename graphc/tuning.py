"""`jit(tune=True)`: schedules that are measured on this machine instead of estimated.

A `Tuner` is asked by `compile` for each kernel of a program that runs often enough to matter, and
for each convolution that Winograd could serve. It answers from this process, from the disk cache,
or by measuring: the kernel is compiled alone, in the ways that `loops/candidates.py` lists, and run
in turn with what the estimate says. An answer is kept by what the kernel is, the machine and the
number of threads; whichever program asks next, in whichever process, does not measure.

An entry on disk is only believed as far as it parses, and what it says is only taken where it is
legal (`loops/shapes.py`): a foreign one makes slow code at worst.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import graphc_runtime
from graphc_runtime.forking import ForkLock
from graphc_runtime.records import dataclass

from . import cache, environment, measuring
from . import types as ty
from .codegen.plan import kernel_name, machine_of
from .codegen.target import host_fingerprint
from .compile import FORMAT, VERSION, Lowered, disk_cache
from .errors import BuildError
from .ir import PARAM, Graph, Literal, Node, Value, make, param
from .loops import ir as L
from .loops.candidates import Kernel
from .loops.choice import ESTIMATE, Choice
from .loops.lower import Lowered as Naive
from .loops.lower import lower
from .loops.schedule import total_work
from .loops.text import print_loops
from .opdef import lookup
from .ops.fusion import FUSION
from .passes.winograd import POINTS, WORTH
from .text import print_graph
from .types import BOOL, Dim, TensorType

GAIN = 0.02
"""A winner takes less than the estimate's time by this share, else the estimate stays."""
WORK = 200_000
"""Kernels with less work (scalar instructions) are not worth measuring."""
KERNEL_SECONDS, PROGRAM_SECONDS = 4.0, 20.0
"""Bounds of measuring, builds included."""
RUNS = 3
"""Of a candidate, at least: so few of a long kernel are measured that the time suffices."""
PROGRESS_SECONDS = 1.0
KEY_PREFIX = "tuned-"
"""Of the keys on disk, so that they can be counted without being read."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to do it, and the seconds of a run."""

    what: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was decided for one kernel or convolution."""

    kernel: str
    candidates: tuple[Measured, ...]
    """The estimate first; none where nothing was measured."""
    chosen: str
    source: str
    """"measured", "this process", "disk cache", or why nothing is known."""

    def __str__(self) -> str:
        lines = [f"{self.kernel}: {self.chosen} ({self.source})"]
        width = max((len(c.what) for c in self.candidates), default=0)
        lines += [f"  {c.what:<{width}} {c.seconds * 1e3:10.4f} ms" for c in self.candidates]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Any
    candidates: tuple[Measured, ...]
    chosen: str


@dataclass(frozen=True, slots=True)
class _Question:
    """What is to be decided: how to find it on disk, how to read what is there, how to measure."""

    name: str
    parts: Mapping[str, str]
    estimate: Any
    parse: Callable[[Any], Any]
    """The value in what JSON gave; None where there is none."""
    kept: Callable[[Any], Any]
    """The other way."""
    measure: Callable[[float], _Answer] | None
    """Within so many seconds. None where extents are not known."""


_lock = ForkLock()
"""One measures at a time: two would disturb each other, or measure the same."""
_answers: dict[str, _Answer] = {}


def forget() -> None:
    """Forgets what this process has measured or read; what is on disk stays."""
    with _lock:
        _answers.clear()


class Tuner:
    """Decides for one program. `sizes` are the numbers of symbolic extents and strides to measure
    at.
    """

    def __init__(self, sizes: Mapping[str, int] | None = None):
        self.sizes = dict(sizes or {})
        self.threads = graphc_runtime.get_threads()
        self.records: list[Tuned] = []
        self.complete = True
        """Whether everything was decided: else a later process may go on."""
        self._spent = 0.0

    # ------------------------------------------------------------------------------- what is asked
    def kernel(
        self,
        node: Node,
        constants: Collection[Value],
        strides: Mapping[int, tuple[L.Index, ...]],
    ) -> Choice:
        """What of a kernel's schedule is not as estimated."""
        one = _alone(node, constants, strides, self.sizes)
        naive = one.naive
        names = tuple(b.name for k, b in enumerate(naive.inputs) if k in one.constant)
        if _work(naive.func, one.env) < WORK:
            return ESTIMATE
        machine = machine_of(None)
        kernel = Kernel(naive, machine, names)
        text = print_loops(naive.func)

        def measure(seconds: float) -> _Answer:
            operands = one.operands()

            def build(choice: Choice) -> measuring.Trial:
                lowered = Lowered(
                    one.graph, one.strided, tuner=Fixed(choice), is_fused=True, is_candidate=True
                )
                return measuring.trial(lowered, operands)

            return search(kernel, build, seconds, Progress(kernel_name(node.attrs["body"])))

        question = _Question(
            kernel_name(node.attrs["body"]), {"loops": text, "constants": ", ".join(names)},
            ESTIMATE, Choice.from_meta, Choice.as_meta, measure if one.is_known else None,
        )  # fmt: skip
        return self._answer(question)

    def edge(self, node: Node, operands: Sequence[Value], constant: bool, estimate: int) -> int:
        """The m of Winograd's tiles for a convolution; 0 where the direct sum is faster."""
        channels = operands[0].shape[node.attrs["lhs"][1]]
        products = ty.substitute(9 * channels * ty.product(node.results[0].shape), self.sizes)
        if isinstance(products, int) and products < WORK:
            return estimate
        given = [param(v.type, f"p{k}") for k, v in enumerate(operands)]
        result = make(node.op, given, dict(node.attrs)).results[0]
        text = print_graph(Graph.of("convolution", given, [result]))
        symbols = set[str]().union(*(ty.symbols(e) for v in given for e in v.shape))
        if constant:
            filter = Literal(measuring.sample(operands[1].type, {}))
            given[1] = make(lookup("constant"), (), {"value": filter}).results[0]
            result = make(node.op, given, dict(node.attrs)).results[0]
        graph = Graph.of("convolution", given[: 1 if constant else 2], [result])

        def measure(seconds: float) -> _Answer:
            arrays = tuple(measuring.sample(v.type, self.sizes) for v in (*graph.params, result))
            known = measuring.Operands(arrays, self.sizes)
            edges = [estimate, *(m for m in (0, *POINTS) if m != estimate)]
            ways = [Lowered(graph, tuner=Fixed(ESTIMATE, m), is_candidate=True) for m in edges]
            trials = [measuring.trial(way, known) for way in ways]
            times = dict(zip(edges, measuring.race(trials, seconds), strict=True))
            found = tuple(Measured(_edge_name(m), t) for m, t in times.items())
            best = _best_edge(times, estimate)
            return _Answer(best, found, _edge_name(best))

        question = _Question(
            "convolution", {"convolution": text, "constant": str(constant)}, estimate,
            lambda m: m if type(m) is int and (m == 0 or m in POINTS) else None, lambda m: m,
            measure if symbols <= self.sizes.keys() else None,
        )  # fmt: skip
        return self._answer(question)

    # ------------------------------------------------------------------------------------- answers
    def _answer(self, question: _Question) -> Any:
        parts = {
            **question.parts,
            "tuned for": f"{self.threads} threads",
            "machine": host_fingerprint(),
            "graphc": f"{VERSION}/{FORMAT}",
        }
        key = KEY_PREFIX + cache.key(parts)
        store = disk_cache(environment.cache_folder())
        with _lock:
            source, found = "this process", _answers.get(key)
            if found is None:
                source, found = "disk cache", _stored(store, key, question)
            if found is None:
                if question.measure is None:
                    return self._undecided(question, "the sizes are not known")
                left = PROGRAM_SECONDS - self._spent
                if left <= 0:
                    return self._undecided(question, "no time was left to measure")
                start = measuring.clock()
                source, found = "measured", question.measure(min(left, KERNEL_SECONDS))
                self._spent += measuring.clock() - start
                store.put(key, _entry(parts, question, found))
            _answers[key] = found
        self.records.append(Tuned(question.name, found.candidates, found.chosen, source))
        return found.value

    def _undecided(self, question: _Question, why: str) -> Any:
        self.complete = False
        self.records.append(Tuned(question.name, (), "the estimate", why))
        return question.estimate


@dataclass(frozen=True, slots=True)
class Fixed:
    """What a candidate is made with, in place of a Tuner."""

    choice: Choice
    m: int = 0
    records: tuple[Tuned, ...] = ()
    complete: bool = True

    def kernel(self, node: Node, constants: Any, strides: Any) -> Choice:
        return self.choice

    def edge(self, node: Node, operands: Any, constant: bool, estimate: int) -> int:
        return self.m


def _entry(parts: Mapping[str, str], question: _Question, found: _Answer) -> cache.Entry:
    return cache.Entry({
        "parts": {k: v[:4000] for k, v in parts.items()},
        "name": f"tuning of {question.name}",
        "value": question.kept(found.value),
        "candidates": [[c.what, c.seconds] for c in found.candidates],
        "chosen": found.chosen,
    })  # fmt: skip


def _stored(store: cache.Cache, key: str, question: _Question) -> _Answer | None:
    """What the disk cache says; None where it says nothing that can be believed."""
    entry = store.get(key) if store.enabled else None
    if entry is None:
        return None
    value = question.parse(entry.meta.get("value"))
    chosen, candidates = entry.meta.get("chosen"), entry.meta.get("candidates")
    if value is None or not isinstance(chosen, str) or not isinstance(candidates, list):
        return None
    found: list[Measured] = []
    for one in candidates:
        if not (isinstance(one, list) and [type(x) for x in one] == [str, float]):
            return None
        found.append(Measured(*one))
    return _Answer(value, tuple(found), chosen)


# ------------------------------------------------------------------------------------- one kernel


@dataclass(frozen=True, slots=True)
class _Alone:
    """A kernel as a program of its own."""

    graph: Graph
    naive: Naive
    constant: frozenset[int]
    """The operands that are the same in every call."""
    strided: tuple[int, ...]
    """The parameters that have strides of their own."""
    strides: Mapping[int, tuple[L.Index, ...]]
    """These, by the operand's position."""
    env: Mapping[str, int]
    callers: frozenset[int]
    """The parameters that are a caller's arrays, which begin anywhere; others begin at a line."""

    @property
    def is_known(self) -> bool:
        """Whether every extent and stride has a number."""
        named = (*self.strides.values(), *(v.shape for v in self.graph.params))
        return all(ty.symbols(e) <= self.env.keys() for extents in named for e in extents)

    def operands(self) -> measuring.Operands:
        own = dict(zip(self.strided, self.strides.values(), strict=True))
        arrays = [
            measuring.sample(
                v.type, self.env, own.get(k, ()), measuring.NUMPYS_OFFSET * (k in self.callers)
            )
            for k, v in enumerate(self.graph.params)
        ]
        arrays += [measuring.sample(v.type, self.env) for v in self.graph.results]
        return measuring.Operands(tuple(arrays), self.env)


def _alone(
    node: Node,
    constants: Collection[Value],
    strides: Mapping[int, tuple[L.Index, ...]],
    sizes: Mapping[str, int],
) -> _Alone:
    """The kernel of a fusion as a program: its operands are parameters, but for constants."""
    params: list[Value] = []
    operands: list[Value] = []
    own: dict[int, tuple[L.Index, ...]] = {}
    strided: list[int] = []
    callers: list[int] = []
    env = dict(sizes)
    for k, value in enumerate(node.operands):
        if value in constants:
            operands.append(_constant(value))
            continue
        if k in strides:
            names = [f"x{len(params)}_stride{axis}" for axis in range(value.type.rank)]
            env |= {
                name: sizes[str(step)]
                for name, step in zip(names, strides[k], strict=True)
                if str(step) in sizes
            }
            own[k] = tuple(Dim.symbol(name) for name in names)
            strided.append(len(params))
        if value.node.op is PARAM:
            callers.append(len(params))
        params.append(param(value.type, f"p{k}"))
        operands.append(params[-1])
    naive = lower(node.attrs["body"], "kernel", own)
    known = {s for v in params for e in v.shape for s in ty.symbols(e)}
    known |= {str(step) for steps in own.values() for step in steps}
    # a symbol that no operand's type mentions still has its place in the program's extents
    rest = [s for s in naive.func.symbols if s not in known]
    params += [param(TensorType(BOOL, (Dim.symbol(s),)), s) for s in rest]
    made = make(FUSION, operands, {"body": node.attrs["body"]})
    graph = Graph.of("kernel", params, made.results)
    constant = frozenset(k for k, v in enumerate(node.operands) if v in constants)
    return _Alone(graph, naive, constant, tuple(strided), own, env, frozenset(callers))


def _constant(value: Value) -> Value:
    """A constant of the same type: what other kernels make of constants has no array yet."""
    if value.node.op.name == "constant":
        return value
    literal = Literal(measuring.sample(value.type, {}))
    return make(lookup("constant"), (), {"value": literal}).results[0]


def _work(func: L.LoopFunc, env: Mapping[str, int]) -> int:
    """Scalar instructions of a kernel; WORK where that is not known."""
    total = 0
    for stmt in func.body:
        one = L.substitute(stmt, dict(env))
        work = total_work(one) if isinstance(one, L.For) else 0
        total += WORK if work is None else work
    return total


def search(
    kernel: Kernel, build: Callable[[Choice], measuring.Trial], seconds: float, progress: Progress
) -> _Answer:
    """The best choice, step by step, and in the end against the estimate once more."""
    end = measuring.clock() + seconds
    first = build(ESTIMATE)
    most = max(1, int(seconds / (RUNS * max(measuring.timed(first), 1e-9))))
    best, best_trial, times = ESTIMATE, first, dict[Choice, float]()
    for step in kernel.steps():
        if times and measuring.clock() > end:
            break
        choices, trials = [best], [best_trial]
        for choice in kernel.candidates(step, best)[:most]:
            progress.show(f"{len(times)} candidates")
            if measuring.clock() > end and len(choices) > 1:
                break  # one is measured at least: the answer is kept for good
            try:
                trials.append(build(choice))
            except BuildError:
                continue  # what LLVM cannot build is no candidate
            choices.append(choice)
        if len(choices) == 1:
            continue
        found = measuring.race(trials, max(0.0, end - measuring.clock()) / 2)
        for choice, time in zip(choices, found, strict=True):
            times[choice] = min(time, times.get(choice, time))
        k = min(range(len(found)), key=found.__getitem__)
        if found[k] < (1 - GAIN) * found[0]:
            best, best_trial = choices[k], trials[k]
    if best != ESTIMATE:
        # the least of many measurements is luck in part
        again = measuring.race([first, best_trial], max(0.0, end - measuring.clock()))
        times |= {ESTIMATE: again[0], best: again[1]}
        if again[1] >= (1 - GAIN) * again[0]:
            best = ESTIMATE
    progress.done()
    measured = tuple(Measured(str(c), t) for c, t in times.items())
    return _Answer(best, measured, str(best))


# ------------------------------------------------------------------------------------ convolutions


def _edge_name(m: int) -> str:
    return f"Winograd F({m}x{m})" if m else "direct"


def _best_edge(times: Mapping[int, float], estimate: int) -> int:
    """The m that was measured best. Tiles instead of the direct sum must save what the estimate
    asks for as well: they cost digits and memory.
    """
    best = min(times, key=lambda m: times[m])
    least = 1 - GAIN
    if best and not estimate:
        least = WORTH
    return best if times[best] < least * times[estimate] else estimate


# ----------------------------------------------------------------------------------------- progress


class Progress:
    """One line on a terminal's stderr, when it takes longer than a moment."""

    def __init__(self, name: str):
        self._name, self._start, self._shown = name, measuring.clock(), False

    def show(self, what: str) -> None:
        late = measuring.clock() - self._start > PROGRESS_SECONDS
        if late and sys.stderr.isatty():
            self._shown = True
            sys.stderr.write(f"\r\033[Kgraphc: tuning {self._name}: {what}")
            sys.stderr.flush()

    def done(self) -> None:
        """Takes the line away."""
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
