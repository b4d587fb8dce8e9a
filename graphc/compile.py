"""The whole road, stage by stage. Read this file first.

    graph              --passes-->   graph of fusions
    graph of fusions   --plan-->     loops and places
    loops and places   --emit-->     LLVM IR
    LLVM IR            --build-->    object (of a large program's parts, built side by side)
    object             --load-->     an entry that the native call path runs

Every stage is a pure function; `Lowered` keeps what each one made, so that a user can look at it.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import graphc_runtime
import numpy as np
from graphc_runtime import errors as runtime_errors
from graphc_runtime import lapack
from graphc_runtime.forking import ForkLock, stored_property
from graphc_runtime.records import dataclass

from . import cache, environment
from . import types as ty
from .codegen import build as builder
from .codegen.target import (
    Target,
    host_fingerprint,
    host_has_wide_ports,
    host_isa,
    host_target,
)
from .errors import GraphcError
from .ir import Graph, Literal
from .types import Dim, TensorType

VERSION = "0.1.0"
FORMAT = "31"
"""Raised when the code made from one graph changes, so that caches on disk are not believed."""

STAGES = ("graph", "passes", "loops", "schedule", "llvm", "asm", "cuda")


# ------------------------------------------------------------------------------------------ stages


class Tuner(Protocol):
    """Decides by measurement (graphc/tuning.py)."""

    @property
    def records(self) -> Sequence[Any]:
        """What was decided until now."""
        ...

    @property
    def complete(self) -> bool:
        """Whether everything was, that was asked."""
        ...

    def kernel(self, node: Any, constants: Any, strides: Any) -> Any:
        """See `codegen.plan.Chooser`."""
        ...

    def edge(self, node: Any, operands: Any, constant: bool, estimate: int) -> int:
        """See `passes.winograd.Edge`."""
        ...


@dataclass
class Lowered:
    """A traced graph on its way down; every stage is made when it is first asked for."""

    graph: Graph
    strided: tuple[int, ...] = ()
    target: Target | None = None
    aliases: tuple[tuple[int, int], ...] = ()
    """(result, parameter): the result is written over the donated parameter."""
    check_finite: bool = False
    direct: bool = False
    """No rewrite trades digits for speed. So it is under check_finite, which blames single ops."""
    tf32: bool = False
    """On a GPU products of f32 may round their operands to tf32."""
    tuner: Tuner | None = None
    """Decides what is not as estimated."""
    is_fused: bool = False
    """The graph is one of fusions: no pass runs."""
    is_candidate: bool = False
    """Built to be measured only: GRAPHC_DUMP shows the program that it is measured for."""

    def __post_init__(self) -> None:
        if self.tuner is not None and self.target is not None:
            raise GraphcError(
                f"what is measured on this machine says nothing of {self.target.triple} "
                f"({self.target.cpu}); leave out tune or the target"
            )

    @stored_property
    def optimised(self) -> Any:
        """The pipeline's result: the graph of fusions, and a record per pass."""
        # warm starts from the disk cache do not need the passes
        from .passes.pipeline import DIRECT, PIPELINE, ROUNDED, WHOLE, Outcome, run, with_edges
        from .passes.winograd import FAR_FILTER_READ, FILTER_READ, as_estimated

        if self.is_fused:
            return Outcome(self.graph, ())
        passes = WHOLE if self.check_finite else DIRECT if self.direct else PIPELINE
        if self.tf32 and passes is PIPELINE:
            passes = ROUNDED
        if self.tuner is not None or self.has_wide_ports:
            choose = as_estimated if self.tuner is None else self.tuner.edge
            read = FAR_FILTER_READ if self.has_wide_ports else FILTER_READ
            passes = with_edges(passes, choose, read)
        return run(self.graph, passes, dump=not self.is_candidate)

    @stored_property
    def plan(self) -> Any:
        """Kernels in running order, and the place of every buffer."""
        return self._planned()

    def _planned(self, **options: Any) -> Any:
        from .codegen.plan import machine_of, plan

        choose = None if self.tuner is None else self.tuner.kernel
        machine = machine_of(self.target)
        return plan(
            self.optimised.graph, machine, self.strided,
            dict(self.aliases), self.check_finite, choose, **options,
        )  # fmt: skip

    @property
    def tuning(self) -> tuple[Any, ...]:
        """What was measured instead of estimated, in order."""
        return () if self.tuner is None or not self.plan else tuple(self.tuner.records)

    @property
    def machine(self) -> Target:
        return self.target or host_target()

    @property
    def isa(self) -> Any:
        """The instructions that kernels are written for."""
        return self.target.isa if self.target is not None else host_isa()

    @property
    def has_wide_ports(self) -> bool:
        """Whether schedules are for a core with wide ports: the host's, if it has them."""
        return self.target is None and host_has_wide_ports()

    @property
    def kernels(self) -> tuple[Any, ...]:
        """The kernels that a call runs, in order."""
        return self.plan.kernels

    @property
    def llvm(self) -> str:
        """LLVM IR text: kernels, the entry, the shapes function, constants. A large program has
        several modules, which are listed one after another.
        """
        texts = self.printed.texts
        if len(texts) == 1:
            return texts[0]
        return "\n".join(f"; part {k} of {len(texts)}\n{t}" for k, t in enumerate(texts, 1))

    @property
    def scratch(self) -> int:
        """Bytes that each worker needs besides the arena."""
        return self.printed.scratch

    @property
    def routines(self) -> tuple[str, ...]:
        """The routines of LAPACK that kernels call."""
        return self.printed.routines

    @stored_property
    def printed(self) -> Any:
        """The modules of LLVM IR."""
        self._print(lambda text: None)
        return self.__dict__["printed"]

    def _print(self, out: Callable[[str], None]) -> str:
        """Plans what is not planned yet, and prints kernels meanwhile; `out` takes each module but
        the last, which is answered.
        """
        from .codegen.parts import Printing

        printing = Printing(self.optimised.graph, self.isa, out)
        if self.tuner is not None or "plan" in self.__dict__:  # nothing runs beside measurements
            for func in self.plan.functions:
                printing.function(func)
        else:
            self.__dict__["plan"] = self._planned(made=printing.function)
        last = printing.finish(self.plan)
        self.__dict__["printed"] = printing
        return last

    @stored_property
    def object(self) -> bytes:
        """Object code."""
        if "printed" in self.__dict__:

            def known(out: Callable[[str], None]) -> str:
                *before, last = self.printed.texts
                for text in before:
                    out(text)
                return last

            return builder.build_objects(known, self.machine)
        _ = self.optimised  # before LLVM is taken from other threads
        return builder.build_objects(self._print, self.machine)

    @property
    def peak_bytes(self) -> ty.Extent:
        """Bytes that a call needs besides its arguments: results and the arena.

        Symbolic where extents are. Each worker needs `scratch` bytes more.
        """
        total: ty.Extent = self.plan.arena
        for value in self.plan.graph.results:
            total = total + value.type.nbytes
        return total

    @stored_property
    def cuda(self) -> str:
        """CUDA C of all kernels."""
        if self.tuner is not None:
            raise GraphcError(
                "tune=True measures kernels on the processor, not on a GPU; "
                "lower a function without tune"
            )
        from .codegen.cuda import print_cuda, translation_unit
        from .codegen.cuda_refused import refuse_calls
        from .loops.schedule_cuda import schedule_cuda

        for kernel in self.kernels:
            refuse_calls(kernel.node, kernel.naive.func)
        launches = [
            k
            for kernel in self.kernels
            for k in print_cuda(schedule_cuda(kernel.naive.func, tf32=self.tf32))
        ]
        return translation_unit(launches)

    def text(self, stage: str = "graph") -> str:
        """The program as it stands after a stage: one of STAGES."""
        if stage == "graph":
            return str(self.graph)
        if stage == "passes":
            return f"{self.optimised}\n\n{self.optimised.graph}"
        if stage == "loops":
            kernels = (*self.plan.setup_kernels, *self.kernels)
            return "\n\n".join(str(k.naive.func) for k in kernels)
        if stage == "schedule":
            kernels = (*self.plan.setup_kernels, *self.kernels)
            return "\n\n".join(str(f) for k in kernels for f in k.functions)
        if stage == "llvm":
            return self.llvm
        if stage == "asm":
            parts = self.printed.texts
            return "\n".join(builder.build_assembly(part, self.machine) for part in parts)
        if stage == "cuda":
            return self.cuda
        raise GraphcError(f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}")


# ------------------------------------------------------------------------------------------- built


@dataclass(frozen=True, slots=True)
class Built:
    """Object code with what a caller must know; this is what the disk cache keeps."""

    code: bytes
    results: tuple[TensorType, ...]
    symbols: tuple[str, ...]
    arena: ty.Extent
    messages: tuple[str, ...]
    constants: tuple[np.ndarray, ...]
    kernels: tuple[str, ...]
    kept: tuple[int, int] = (0, 0)
    """Bytes that `graph_setup` writes when the code is loaded, and those that it needs meanwhile.
    """
    scratch: int = 0
    """Bytes that each worker needs besides the arena."""
    routines: tuple[str, ...] = ()
    """The routines of LAPACK that the code calls; they are found when it is loaded."""
    source: str = "compiled"
    tuning: tuple[str, ...] = ()
    """What was measured instead of estimated, to be read."""


def lower_graph(graph: Graph, **options: Any) -> Lowered:
    """The stages of a graph, to look at or to build. Options are the fields of Lowered."""
    return Lowered(graph, **options)


def cache_parts(lowered: Lowered) -> dict[str, str]:
    """What the key of a built graph is made of."""
    from .text import print_graph

    parts = {
        "graph": print_graph(lowered.graph, summary=True),
        "constants": _digest(literals(lowered.graph)),
        "options": repr((lowered.strided, lowered.aliases, lowered.check_finite, lowered.direct)),
        "machine": host_fingerprint(),
        "graphc": f"{VERSION}/{FORMAT}",
        "llvm": _llvm_version(),
    }
    if any(node.op.kind in ("opaque", "call") for node in lowered.graph.nodes):
        parts["lapack"] = str(lapack.available())  # see passes/small_matrices.py
    if lowered.tuner is not None:
        parts["tuned for"] = f"{graphc_runtime.get_threads()} threads"
    return parts


def literals(graph: Graph) -> list[Literal]:
    """The arrays that a graph holds, in order, those of sub-graphs included."""
    found: list[Literal] = []

    def visit(attribute: Any) -> None:
        if isinstance(attribute, Literal):
            found.append(attribute)
        elif isinstance(attribute, Graph):
            for node in attribute.nodes:
                for value in node.attrs.values():
                    visit(value)
        elif isinstance(attribute, tuple):
            for one in attribute:
                visit(one)

    visit(graph)
    return found


def _digest(arrays: list[Literal]) -> str:
    digest = hashlib.sha256()
    for literal in arrays:
        digest.update(f"{literal.type} {literal.array.nbytes};".encode())
        digest.update(
            np.ascontiguousarray(literal.array).view(np.uint8).data if literal.array.nbytes else b""
        )
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _llvm_version() -> str:
    """The version of llvmlite, from its files: importing it, or its metadata, takes longer."""
    spec = find_spec("llvmlite")
    if spec is None or spec.origin is None:
        return "none"
    facts = Path(spec.origin).with_name("_version.py")
    found = re.search(r"(?m)^version_version = '([^']+)'", facts.read_text(encoding="utf-8"))
    if found is None:
        from importlib.metadata import version

        return version("llvmlite")
    return found[1]


@lru_cache(maxsize=4)
def disk_cache(folder: Any = None) -> cache.Cache:
    return cache.Cache(folder) if folder is not None else cache.Cache()


def build_graph(graph: Graph, **options: Any) -> Built:
    """Object code of a graph: from the disk cache, or built and put there.

    Options as for `lower_graph`.
    """
    lowered = Lowered(graph, **options)
    store = disk_cache(environment.cache_folder())
    if not store.enabled:  # then nobody needs the key, which hashes every constant
        builder.prefetch()
        return _build(lowered)
    parts = cache_parts(lowered)
    key = cache.key(parts)
    entry = store.get(key)
    if entry is not None:
        return _from_entry(entry, literals(graph))
    builder.prefetch()
    built = _build(lowered)
    # a constant that the traced graph has as well is not written to the disk:
    # whoever finds the entry has it
    own = {id(literal.array): k for k, literal in enumerate(literals(graph))}
    given = [own.get(id(c), -1) for c in built.constants]
    meta = {
        "parts": {k: v if k != "graph" else v[:4000] for k, v in parts.items()},
        "name": graph.name,
        "results": [str(t) for t in built.results],
        "symbols": list(built.symbols),
        "arena": str(built.arena),
        "messages": list(built.messages),
        "constants": [
            [str(ty.dtype(c.dtype)), list(c.shape), g]
            for c, g in zip(built.constants, given, strict=True)
        ],
        "kernels": list(built.kernels),
        "kept": list(built.kept),
        "scratch": built.scratch,
        "routines": list(built.routines),
        "tuning": list(built.tuning),
    }
    blobs = {"code": built.code}
    for k, constant in enumerate(built.constants):
        if given[k] < 0:
            blobs[f"constant{k}"] = constant.tobytes()
    if lowered.tuner is None or lowered.tuner.complete:
        store.put(key, cache.Entry(meta, blobs))
    return built


def _dump(lowered: Lowered, folder: Path) -> None:
    """Writes what follows the passes (which write their own files) to GRAPHC_DUMP."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, stage in enumerate(("loops", "schedule", "llvm", "asm"), 90):
        (folder / f"{number}-{stage}.txt").write_text(lowered.text(stage), encoding="utf-8")


def _build(lowered: Lowered) -> Built:
    code = lowered.object
    plan = lowered.plan
    folder = environment.dump_folder()
    if folder is not None and not lowered.is_candidate:
        _dump(lowered, folder)
    return Built(
        code,
        tuple(v.type for v in plan.graph.results),
        lowered.graph.symbols,
        plan.arena,
        plan.messages,
        tuple(literal.array for literal in plan.table),
        tuple(k.name for k in plan.kernels),
        (plan.kept, plan.setup_arena),
        lowered.scratch,
        lowered.routines,
        tuning=tuple(str(one) for one in lowered.tuning),
    )


def _from_entry(entry: cache.Entry, given: list[Literal]) -> Built:
    meta = entry.meta
    constants = []
    for k, (name, shape, position) in enumerate(meta["constants"]):
        if position >= 0:
            constants.append(given[position].array)
            continue
        flat = np.frombuffer(entry.blobs[f"constant{k}"], ty.dtype(name).numpy)
        constants.append(flat.reshape(shape))
    return Built(
        entry.blobs["code"],
        tuple(ty.parse_type(t) for t in meta["results"]),
        tuple(meta["symbols"]),
        ty.parse_extent(meta["arena"]),
        tuple(meta["messages"]),
        tuple(constants),
        tuple(meta["kernels"]),
        (meta["kept"][0], meta["kept"][1]),
        meta["scratch"],
        tuple(meta["routines"]),
        "disk cache",
        tuple(meta.get("tuning", ())),
    )


# ----------------------------------------------------------------------------------------- loading

_native_lock = ForkLock()
_native_ready = False


def ensure_native() -> None:
    """Installs the runtime's native code in this process, building it once per machine."""
    global _native_ready
    if _native_ready:
        return
    with _native_lock:
        if _native_ready:
            return
        environment.num_threads()  # says what is wrong with GRAPHC_NUM_THREADS
        shipped = graphc_runtime.native_object()
        if shipped is not None:
            graphc_runtime.install(shipped)
            _native_ready = True
            return
        source = graphc_runtime.native_source()
        parts = {
            "native": source,
            "machine": host_fingerprint(),
            "llvm": _llvm_version(),
            "format": FORMAT,
        }
        key = cache.key(parts)
        store = disk_cache(environment.cache_folder())
        entry = store.get(key)
        if entry is None:
            code = builder.build_native(source, host_target())
            meta = {
                "parts": {k: v for k, v in parts.items() if k != "native"},
                "name": "graphc runtime",
            }
            entry = cache.Entry(meta, {"code": code})
            store.put(key, entry)
        graphc_runtime.install(entry.blobs["code"])
        _native_ready = True


_programs: dict[int, tuple[str, ...]] = {}
"""The messages of the programs that were loaded, by the base of their error codes."""
_BASE_BITS = 20


def error_of(code: int) -> Exception:
    """The exception that an error code of a loaded program means."""
    base, number = code >> _BASE_BITS, code & ((1 << _BASE_BITS) - 1)
    messages = _programs.get(base, ())
    if not 0 < number <= len(messages):
        return GraphcError(
            f"compiled code reported the unknown error {code}; this is a bug of graphc"
        )
    return runtime_errors.error_of(messages[number - 1])


def raise_error(code: int, outputs: Any) -> Any:
    """What a native callable calls with an error code."""
    raise error_of(code)


def load_entry(built: Built) -> tuple[int, int, object]:
    """Maps the code into this process:
    addresses of the entry and the shapes function, and what keeps them alive.
    """
    loaded = graphc_runtime.load(built.code, lapack.addresses(built.routines))
    fill_table(loaded, built.constants)
    if built.messages:
        with _native_lock:
            base = len(_programs) + 1
            _programs[base] = built.messages
        place = ctypes.c_int64.from_address(loaded.address("graph_code_base"))
        place.value = base << _BASE_BITS
    kept = run_setup(loaded, *built.kept, built.scratch) if built.kept[0] else None
    keep = (loaded, built.constants, kept)
    return loaded.address("graph_entry"), loaded.address("graph_shapes"), keep


def fill_table(loaded: graphc_runtime.LoadedObject, constants: Sequence[np.ndarray]) -> None:
    """Tells a program where its constants are; whoever calls keeps them alive."""
    if not constants:
        return
    table = (ctypes.c_void_p * len(constants)).from_address(loaded.address("graph_constants"))
    for k, constant in enumerate(constants):
        table[k] = constant.ctypes.data


def run_setup(
    loaded: graphc_runtime.LoadedObject, kept_bytes: int, arena_bytes: int, scratch_bytes: int
) -> np.ndarray:
    """Runs what depends on constants only. Answers the block that holds its results.

    `arena_bytes` are needed meanwhile, and `scratch_bytes` by each worker.
    """
    runtime, owner, workers = graphc_runtime.runtime_pointer()
    kept = _aligned(kept_bytes)
    scratch = _aligned(arena_bytes + workers * scratch_bytes)
    ctypes.c_void_p.from_address(loaded.address("graph_kept")).value = kept.ctypes.data
    run = ctypes.CFUNCTYPE(ctypes.c_int64, *(ctypes.c_void_p,) * 4)(loaded.address("graph_setup"))
    code = run(None, None, scratch.ctypes.data, runtime)
    del owner
    if code:
        raise error_of(code)
    return kept


def _aligned(nbytes: int) -> np.ndarray:
    """Bytes that begin at a multiple of 64."""
    block = np.empty(nbytes + 64, np.uint8)
    start = -block.ctypes.data % 64
    return block[start : start + nbytes]


def specialization(
    built: Built,
    arguments: tuple[graphc_runtime.ArgumentSpec, ...],
    result: Any,
    aliases: Mapping[int, int] | None = None,
    scalars: Collection[int] = (),
    loaded: tuple[int, int, object] | None = None,
) -> graphc_runtime.Specialization:
    """What the native call path needs to run the entry for these arguments.

    `scalars` lists 0-d results that are handed over as NumPy scalars; `loaded` is what `load_entry`
    answered, to use the code again.
    """
    entry, shapes, keep = loaded or load_entry(built)
    aliases = aliases or {}
    symbolic = isinstance(built.arena, Dim)
    symbolic = symbolic or any(isinstance(e, Dim) for t in built.results for e in t.shape)
    outputs = tuple(
        graphc_runtime.OutputSpec(
            t.dtype.numpy,
            tuple(e if isinstance(e, int) else None for e in t.shape),
            aliases.get(k, -1),
            k in scalars,
        )
        for k, t in enumerate(built.results)
    )
    return graphc_runtime.Specialization(
        arguments=arguments,
        outputs=outputs,
        entry=entry,
        shapes=shapes if symbolic else 0,
        symbols=built.symbols,
        result=result,
        arena_bytes=built.arena if isinstance(built.arena, int) else 0,
        arena_worker_bytes=built.scratch,
        release_gil_bytes=0 if built.routines else graphc_runtime.RELEASE_GIL_BYTES,
        keep=keep,
    )


__all__ = [
    "STAGES", "Built", "Literal", "Lowered", "build_graph", "ensure_native", "fill_table",
    "load_entry", "lower_graph", "run_setup", "specialization",
]  # fmt: skip
