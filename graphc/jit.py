"""`graphc.jit`: a NumPy function that is traced and compiled at its first call, once per signature.

`jit` answers a callable with `lower`, `explain`, `cache_info`, `clear_cache` and `trace`: a native
object (graphc_runtime) where the backend has one, else a `Jitted`. All state is in `Front`. The
tracer and the compiler are loaded at the first call, so importing a module full of `@jit` functions
costs little.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np
from graphc_runtime.forking import ForkLock, stored_property
from graphc_runtime.records import dataclass

from . import specs
from . import types as ty
from .arguments import Binder, Call, Static
from .cell import current_trace
from .collector import collector_paused
from .errors import GraphcError, ShapeMismatch, TraceError, TypeMismatch
from .specs import Spec

if TYPE_CHECKING:
    from .backends import Backend, Executable, Stages
    from .ir import Graph
    from .trace import TracedFunction

DEBUG = (None, "nan", "evaluate")
PRECISION = (None, "direct", "tf32")
CONTROL_FLOW = (None, "python")
DEVICES = (None, "cuda")


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """How often a function was traced and called."""

    programs: int
    hits: int
    misses: int
    reasons: tuple[str, ...]
    """Why each program was made, in order."""

    def __str__(self) -> str:
        lines = [f"{self.programs} programs, {self.hits} hits, {self.misses} misses"]
        return "\n".join(lines + [f"  {i}: {reason}" for i, reason in enumerate(self.reasons)])


@dataclass(slots=True)
class Program:
    """A traced and compiled program for one signature."""

    call: Call
    reason: str
    lock: ForkLock = field(default_factory=ForkLock)
    traced: TracedFunction | None = None
    executable: Executable | None = None

    def run(self, leaves: Sequence[Any]) -> Any:
        """The function's result for the dynamic leaves of a call."""
        traced, executable = self.traced, self.executable
        assert traced is not None and executable is not None
        convert = executable.argument or _as_array
        arrays = [convert(leaf, p) for leaf, p in zip(leaves, traced.parameters, strict=True)]
        if traced.graph.symbols or traced.requirements:
            check_extents(traced, arrays)
        return traced.unflatten(executable(arrays))


def _as_array(leaf: Any, parameter: Any) -> np.ndarray:
    if type(leaf) is np.ndarray and leaf.dtype.isnative:
        return leaf
    if isinstance(leaf, Spec):
        raise TraceError(
            f"argument {parameter.path} is a spec ({leaf}), which has no elements; use lower(...)"
        )
    if hasattr(leaf, "__cuda_array_interface__"):
        raise TypeMismatch(
            f"argument {parameter.path} is on a CUDA device; write "
            'jit(..., device="cuda"), or copy it to the host (x.numpy() of graphc\'s arrays)'
        )
    try:
        return np.asarray(leaf, dtype=parameter.type.dtype.numpy)
    except OverflowError:
        raise OverflowError(
            f"argument {parameter.path} is the Python int {leaf}, which does not fit int64; make "
            "it static (static_argnames) or pass a float"
        ) from None


def check_extents(traced: TracedFunction, arrays: Sequence[np.ndarray]) -> None:
    """Binds the symbolic extents and checks what the program takes for granted.

    Raises:
        ShapeMismatch: naming the argument and the axis, or the line that needs the extent.
    """
    env = specs.bind(
        (p.path, p.type, a.shape) for p, a in zip(traced.parameters, arrays, strict=True)
    )
    for extent, line in traced.requirements:
        value = ty.substitute(extent, env)
        if isinstance(value, int) and value < 0:
            shown = ", ".join(f"{n} = {env[n]}" for n in sorted(ty.symbols(extent)))
            raise ShapeMismatch(
                f"the program needs {extent} >= 0 (at {line}), and it is {value} with {shown}"
            )


_MISSED = object()


def _missed(*leaves: Any) -> Any:
    """No program was compiled for such leaves."""
    return _MISSED


class Front:
    """One function with its programs."""

    def __init__(
        self,
        function: Callable[..., Any],
        static_argnames: str | Iterable[str],
        static_argnums: int | Iterable[int],
        donate: str | int | Iterable[str | int],
        dims: Mapping[str, Any] | None,
        debug: str | None,
        name: str | None,
        backend: Backend | None,
        precision: str | None = None,
        tune: bool = False,
        control_flow: str | None = None,
        device: str | None = None,
        library: bool | None = None,
    ):
        if control_flow not in CONTROL_FLOW:
            expected = ", ".join(map(repr, CONTROL_FLOW))
            raise TypeError(f"control_flow is {control_flow!r}; expected one of {expected}")
        if device not in DEVICES:
            expected = ", ".join(map(repr, DEVICES))
            raise TypeError(f"device is {device!r}; expected one of {expected}")
        if device is not None and (tune or debug == "evaluate"):
            other = "tune=True" if tune else f"debug={debug!r}"
            raise TypeError(f"device is {device!r}, and {other} runs on the processor")
        if library is not None and type(library) is not bool:
            raise TypeError(f"library is {library!r}; expected None, True or False")
        if library and (device is None or debug is not None):
            other = "device is None" if device is None else f"debug is {debug!r}"
            raise TypeError(
                f"library is True, and {other}; NVIDIA's library computes products on "
                'device="cuda", and its results are not checked one by one'
            )
        if type(tune) is not bool:
            raise TypeError(f"tune is {tune!r}; expected True or False")
        if tune and debug is not None:
            raise TypeError(
                f"tune is True and debug is {debug!r}: what is debugged is not measured; "
                "leave one of them out"
            )
        if precision not in PRECISION:
            expected = ", ".join(map(repr, PRECISION))
            raise TypeError(f"precision is {precision!r}; expected one of {expected}")
        if debug not in DEBUG:
            raise TypeError(f"debug is {debug!r}; expected one of {', '.join(map(repr, DEBUG))}")
        if control_flow == "python":
            from .python_control.convert import python_control_flow

            function = python_control_flow(function)
        self.function = function
        self.binder = Binder(function, static_argnames, static_argnums, donate, dims)
        self.name = name or getattr(function, "__name__", type(function).__name__)
        self.native: Any = None
        self.options = {
            "dims": dims, "debug": debug, "precision": precision, "device": device,
            "library": library,
        }  # fmt: skip
        """What a transformation of the function is compiled with, too."""
        self._debug = debug
        self._precision = precision
        self._device = device
        self._library = library
        self._tune = tune
        self._backend = backend
        self._programs: dict[Any, Program] = {}
        self._kinds: dict[Any, Any] = {}
        self._unpacked: tuple[tuple[int, Callable[..., Any], Any], ...] = ()
        """Number of arguments, what takes them apart, and what serves their leaves."""
        self._lock = ForkLock()
        self._hits = self._misses = 0

    # -- calls
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current_trace() is not None:
            return self._inlined(args, kwargs)
        if not kwargs:
            for count, unpack, native in self._unpacked:
                leaves = unpack(*args) if count == len(args) else None
                if leaves is not None:
                    found = native(*leaves)
                    if found is not _MISSED:
                        return found
        call = self.binder.bind(args, kwargs)
        program = self._programs.get(call.key)
        if program is None or program.executable is None:
            program = self._made(call)
        else:
            self._hits += 1
        return program.run(call.leaves)

    def _inlined(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Inside a trace the function is part of the program that calls it."""
        from .captures import Captures

        trace = current_trace()
        assert trace is not None
        return Captures(trace).function(self.function)(*args, **kwargs)

    def _made(self, call: Call) -> Program:
        with self._lock:
            program = self._programs.get(call.key)
            if program is None:
                program = self._programs[call.key] = Program(call, self._reason(call))
        with program.lock:
            if program.executable is None:
                self._misses += 1
                self._build(program)
            else:
                self._hits += 1
        return program

    def _build(self, program: Program) -> None:
        from .trace import trace_call

        try:
            with collector_paused():
                program.traced = trace_call(self.binder, program.call, self.name)
                backend = self.backend_for(program.traced, program.call)
                program.executable = backend.compile(program.traced)
        except BaseException:
            with self._lock:
                self._programs.pop(program.call.key, None)
            raise
        if self.native is not None:
            if self._is_flat(program.call):
                program.executable.attach(self.native, program.traced)
            self._unpack(program)

    def _unpack(self, program: Program) -> None:
        """Calls with containers and NumPy scalars find the program without being bound."""
        call, executable, traced = program.call, program.executable, program.traced
        assert executable is not None and traced is not None
        if call.names != self.binder.positional[: len(call.names)]:
            return
        if self._is_flat(call) and all(p.type.rank for p in traced.parameters):
            return  # native code takes such calls as they come
        from .unpacking import kinds, unpacker

        shape = kinds(call)
        if shape not in self._kinds:
            unpack = unpacker(call)
            if unpack is None:
                return
            native = self.backend.callable(_missed)
            if not executable.attach(native, traced):
                return
            with self._lock:
                self._kinds[shape] = native
                self._unpacked = (*self._unpacked, (len(call.names), unpack, native))
        else:
            executable.attach(self._kinds[shape], traced)

    def _is_flat(self, call: Call) -> bool:
        from .pytrees import Leaf, Row

        positional = call.names == self.binder.names[: len(call.names)]
        dynamic = not any(isinstance(k, Static) for k in call.keys)
        plain = all(
            isinstance(structure, Leaf) or (name == self.binder.rest and isinstance(structure, Row))
            for name, structure in zip(call.names, call.structures, strict=True)
        )
        return positional and dynamic and plain

    @property
    def backend(self) -> Backend:
        """What compiles; loaded when it is first needed."""
        if self._backend is None:
            self._backend = backend_for(self._debug, self._precision, self._device, self._library)
        return self._backend

    def backend_for(self, traced: TracedFunction, call: Call) -> Backend:
        """What compiles for a call: where schedules are measured, at its sizes."""
        if not self._tune:
            return self.backend
        from .backends import Native

        if _default is not None:
            raise TypeError("tune is True, and only graphc's own native code can be tuned")
        known = [
            (p.path, p.type, np.shape(leaf))
            for p, leaf in zip(traced.parameters, call.leaves, strict=True)
            if not isinstance(leaf, Spec)
        ]
        return Native(direct=self._precision == "direct", sizes=specs.bind(known))

    # -- looking
    def _reason(self, call: Call) -> str:
        if not self._programs:
            return "the first call: " + describe(call)
        nearest = min(self._programs.values(), key=lambda p: len(differences(p.call, call)))
        return "; ".join(differences(nearest.call, call))

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """Which program will serve a call, or what is new about it."""
        call = self.binder.bind(args, kwargs)
        for number, (key, program) in enumerate(list(self._programs.items())):
            if key == call.key:
                made_for = f"it was made for {program.reason}"
                lines = [f"{self.name}: program {number} serves the call; {made_for}"]
                if program.executable is not None:
                    nothing = ("no kernel is worth measuring",) if self._tune else ()
                    lines += program.executable.tuning or nothing
                return "\n".join(lines)
        if not self._programs:
            return (
                f"{self.name}: nothing was traced yet; the call will be traced for {describe(call)}"
            )
        programs = list(self._programs.values())
        number = min(range(len(programs)), key=lambda i: len(differences(programs[i].call, call)))
        lines = [
            f"{self.name}: the call will be traced anew. The nearest is program {number}; "
            "different are"
        ]
        return "\n  ".join(lines + differences(programs[number].call, call))

    def cache_info(self) -> CacheInfo:
        """Programs, hits and misses, and the reason of every trace."""
        hits, misses = self._hits, self._misses
        if self.native is not None:
            import graphc_runtime

            for one in (self.native, *self._kinds.values()):
                hits += graphc_runtime.call_statistics(one)[1]
        programs = list(self._programs.values())
        return CacheInfo(len(programs), hits, misses, tuple(p.reason for p in programs))

    def clear_cache(self) -> None:
        """Forgets all programs."""
        with self._lock:
            self._programs.clear()
            self._kinds.clear()
            self._unpacked = ()
            self._hits = self._misses = 0
        if self.native is not None:
            import graphc_runtime

            graphc_runtime.clear_specializations(self.native)

    def trace(self, *args: Any, **kwargs: Any) -> TracedFunction:
        """The graph for arguments (arrays or specs)."""
        from .trace import trace_call

        return trace_call(self.binder, self.binder.bind(args, kwargs), self.name)

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The stages of the program for arguments (arrays or specs)."""
        call = self.binder.bind(args, kwargs)
        from .trace import trace_call

        return Lowered(self, call, trace_call(self.binder, call, self.name))


class Lowered:
    """A traced program and its stages: graph, passes, loops, schedule, llvm, asm, cuda."""

    def __init__(self, front: Front, call: Call, traced: TracedFunction):
        self._front, self._call = front, call
        self.traced = traced

    @property
    def graph(self) -> Graph:
        return self.traced.graph

    @stored_property
    def stages(self) -> Stages:
        """What the compiler made of the graph."""
        return self._front.backend_for(self.traced, self._call).lower(self.traced.graph)

    def text(self, stage: str = "graph") -> str:
        """The program after a stage."""
        return str(self.graph) if stage == "graph" else self.stages.text(stage)

    @property
    def kernels(self) -> tuple[Any, ...]:
        """The kernels that a call runs, in order."""
        return self.stages.kernels

    @property
    def tuning(self) -> tuple[Any, ...]:
        """What was measured instead of estimated: a record for each kernel and each convolution.

        Empty without tune=True. Measures what is not known yet.
        """
        return self.stages.tuning

    def compile(self) -> Callable[..., Any]:
        """The program as a callable; it takes arguments of exactly these types."""
        executable = self._front.backend_for(self.traced, self._call).compile(self.traced)
        program = Program(self._call, "lowered", traced=self.traced, executable=executable)
        binder, name = self._front.binder, self._front.name

        def run(*args: Any, **kwargs: Any) -> Any:
            call = binder.bind(args, kwargs)
            _check_fits(name, program.call, call)
            return program.run(call.leaves)

        return functools.update_wrapper(run, self._front.function)

    def __str__(self) -> str:
        return self.text()


def _check_fits(name: str, wanted: Call, given: Call) -> None:
    """Raises ShapeMismatch or TypeError unless a call has the signature, symbolic extents aside."""
    for difference in differences(wanted, given, named=True):
        raise ShapeMismatch(f"{name}: {difference}")


# ------------------------------------------------------------------------------------- signatures


def _key_text(key: Any) -> str:
    if isinstance(key, Static):
        return str(key)
    return str(key[1]) if key[0] == "array" else f"a Python {key[0]}"


def describe(call: Call) -> str:
    """The signature of a call: `x f32[3], n static 4`."""
    both = zip(call.paths(), call.keys, strict=True)
    return ", ".join(f"{path} {_key_text(key)}" for path, key in both) or "no arguments"


def _same(wanted: Any, given: Any, named: bool) -> bool:
    if wanted == given or not named or isinstance(wanted, Static) or isinstance(given, Static):
        return wanted == given
    a, b = wanted[1], given[1]
    fits = a.dtype is b.dtype and a.rank == b.rank
    return (
        wanted[0] == given[0]
        and fits
        and all(m == n or isinstance(m, ty.Dim) for m, n in zip(a.shape, b.shape, strict=True))
    )


def differences(wanted: Call, given: Call, named: bool = False) -> list[str]:
    """What distinguishes two signatures. `named`: symbolic extents take any number."""
    before = dict(zip(wanted.paths(), wanted.keys, strict=True))
    after = dict(zip(given.paths(), given.keys, strict=True))
    found = [
        f"{path}: expected {_key_text(before[path])}, got {_key_text(key)}"
        for path, key in after.items()
        if path in before and not _same(before[path], key, named)
    ]
    found += [
        f"{path}: not given before, got {_key_text(k)}"
        for path, k in after.items()
        if path not in before
    ]
    found += [
        f"{path}: expected {_key_text(k)}, not given"
        for path, k in before.items()
        if path not in after
    ]
    if not found and wanted.structures != given.structures:
        for name, a, b in zip(given.names, wanted.structures, given.structures, strict=False):
            if a != b:
                found.append(f"{name}: expected the structure {a}, got {b}")
    return found


# ------------------------------------------------------------------------------ the public object


def _front_of(function: Any) -> Front:
    return function.__dict__["_front"]


def _lower(self: Any, *args: Any, **kwargs: Any) -> Lowered:
    """The stages of the program for arguments (arrays or specs)."""
    return _front_of(self).lower(*args, **kwargs)


def _explain(self: Any, *args: Any, **kwargs: Any) -> str:
    """Which compiled program will serve a call, or what is new about it."""
    return _front_of(self).explain(*args, **kwargs)


def _cache_info(self: Any) -> CacheInfo:
    """Programs, hits and misses, and the reason of every trace."""
    return _front_of(self).cache_info()


def _clear_cache(self: Any) -> None:
    """Forgets all compiled programs."""
    _front_of(self).clear_cache()


def _trace(self: Any, *args: Any, **kwargs: Any) -> TracedFunction:
    """The traced function for arguments (arrays or specs)."""
    return _front_of(self).trace(*args, **kwargs)


def _repr(self: Any) -> str:
    front = _front_of(self)
    return f"<graphc.jit {front.name}, {len(front._programs)} programs>"


def _reduce(self: Any) -> str:
    return self.__dict__["__qualname__"]  # by reference: pickle looks the name up


METHODS: dict[str, Callable[..., Any]] = {
    "lower": _lower,
    "explain": _explain,
    "cache_info": _cache_info,
    "clear_cache": _clear_cache,
    "trace": _trace,
    "__repr__": _repr,
    "__reduce__": _reduce,
}
"""What every jitted callable has; attached to the native type when the first is made."""


class Jitted:
    """A jitted function in plain Python."""

    def __init__(self, front: Front):
        self._front = front

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._front(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)


def _attach(kind: type) -> None:
    for name, method in METHODS.items():
        if kind.__dict__.get(name) is not method:
            setattr(kind, name, method)


_attach(Jitted)
_default: Backend | None = None


def set_backend(backend: Backend | None) -> Backend | None:
    """Sets what compiles functions that are jitted from now on; None for the native code generator.

    Answers the one before.
    """
    global _default
    before, _default = _default, backend
    return before


def backend_for(
    debug: str | None, precision: str | None = None, device: str | None = None,
    library: bool | None = None,
) -> Backend:  # fmt: skip
    """The backend of a function."""
    from .backends import Evaluator, Native

    if device == "cuda":
        from .device.program import Cuda

        return Cuda(debug == "nan", precision == "direct", library, precision == "tf32")
    if debug == "evaluate":
        return Evaluator()
    return _default or Native(debug == "nan", precision == "direct")


def jit(
    function: Callable[..., Any] | None = None,
    *,
    static_argnames: str | Iterable[str] = (),
    static_argnums: int | Iterable[int] = (),
    donate: str | int | Iterable[str | int] = (),
    dims: Mapping[str, Any] | None = None,
    debug: str | None = None,
    name: str | None = None,
    precision: str | None = None,
    tune: bool = False,
    control_flow: str | None = None,
    device: str | None = None,
    library: bool | None = None,
) -> Any:
    """Compiles a NumPy function at its first call, once per signature.

    A signature is dtypes, shapes, structure and static values.

    Args:
        static_argnames, static_argnums: parameters whose (hashed) values decide the program.
        donate: parameters that the program may overwrite.
        dims: symbolic extents by parameter, `{"x": ("b", None)}` or `{"x": "b, ..."}`: one program
            serves them all.
        debug: "nan" reports the op and the line that made the first NaN or infinity; "evaluate"
            runs the graph's meaning in NumPy instead of compiled code.
        name: of the program in dumps and artifacts.
        precision: "direct" sums every product of a convolution as it is written; None may multiply
            less (Winograd) where that is faster and the error stays small (docs/numerics.md).
            "tf32" lets products and convolutions of f32 round their operands to tf32 (10 bits)
            where a device multiplies such numbers faster; there none multiplies less.
        tune: the first call measures several schedules of the kernels that are worth it, for some
            seconds, and keeps the best on disk; later processes do not measure (docs/guide.md).
        control_flow: "python" rewrites `if`, `while`, `for`, `and`... of the function, and of the
            user's functions that it calls, so that they may depend on traced values
            (docs/control_flow_python.md); None leaves them to Python.
        device: "cuda" runs on the CUDA device: arguments may be arrays of any library there, and
            results are `DeviceArray`s (docs/cuda.md). None is the processor.
        library: whether NVIDIA's cuBLASLt computes plain products on the device: True wherever it
            can, False never, None where it was measured to be faster and is installed
            (docs/cuda.md).

    Inside a traced function a jitted function is inlined.
    """
    if function is None:
        return functools.partial(
            jit,
            static_argnames=static_argnames,
            static_argnums=static_argnums,
            donate=donate,
            dims=dims,
            debug=debug,
            name=name,
            precision=precision,
            tune=tune,
            control_flow=control_flow,
            device=device,
            library=library,
        )
    if not callable(function):
        raise TypeError(f"jit takes a function, got {type(function).__name__}")
    front = Front(
        function, static_argnames, static_argnums, donate, dims, debug, name, None, precision,
        tune, control_flow, device, library,
    )  # fmt: skip
    made = _native(front)
    if made is None:
        made = Jitted(front)
    functools.update_wrapper(made, function)
    made.__dict__["_front"] = front
    return made


def _native(front: Front) -> Any:
    """A native callable for the function, where there is one."""
    if front._debug == "evaluate" or front._device or _default is not None:
        return None
    try:
        made = front.backend.callable(front)
    except (GraphcError, ImportError):
        return None
    if made is not None:
        _attach(type(made))
        front.native = made
    return made
