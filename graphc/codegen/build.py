"""LLVM IR text -> object code, and object code -> assembly, by llvmlite.

The only module that runs LLVM.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from queue import SimpleQueue
from typing import Any, TypeVar

from graphc_runtime import join
from graphc_runtime.forking import ForkLock, uninterrupted

from .. import environment
from ..errors import BuildError
from .target import Target

T = TypeVar("T")

_lock = ForkLock()
"""One program at a time is built: its parts have all processors."""
SWITCH_SECONDS = 2e-4
"""How long a thread that builds waits for the interpreter while kernels are printed. It asks some
30 times for each part, for a moment; Python's 5 ms would be longer than LLVM's work.
"""
_loading = ForkLock()
_loaded: list[Any] = []


def _llvm() -> Any:
    """llvmlite's binding, initialised once."""
    if _loaded:
        return _loaded[0]
    with uninterrupted, _loading:
        if not _loaded:
            _without_builder()
            import llvmlite.binding as llvm  # 25 ms and 100 MB: only when something is compiled

            llvm.initialize_native_target()
            llvm.initialize_native_asmprinter()
            _loaded.append(llvm)
    return _loaded[0]


def llvm_version() -> str:
    """The version of LLVM itself."""
    return ".".join(map(str, _llvm().llvm_version_info))


def _without_builder() -> None:
    """llvmlite.ir is loaded when somebody uses it: its binding imports it, graphc writes text."""
    if "llvmlite.ir" in sys.modules:
        return
    import llvmlite

    spec = importlib.util.find_spec("llvmlite.ir")
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules["llvmlite.ir"] = module
    spec.loader.exec_module(module)
    llvmlite.ir = module  # type: ignore[attr-defined]


def _map_library() -> None:
    """Maps LLVM's library into the process without holding the interpreter, so that the passes
    run meanwhile; importing llvmlite finds it there."""
    spec = importlib.util.find_spec("llvmlite")
    if spec is None or spec.origin is None:
        return  # importing it will say so
    library = os.path.join(os.path.dirname(spec.origin), "binding", "libllvmlite.so")
    if not os.path.exists(library):
        return  # not Linux: importing finds it
    process = ctypes.CDLL(None)
    process.dlopen.restype = ctypes.c_void_p
    process.dlopen.argtypes = [ctypes.c_char_p, ctypes.c_int]
    process.dlopen(library.encode(), os.RTLD_NOW)  # llvmlite reports what fails


def _load() -> None:
    with uninterrupted:
        _map_library()
        _llvm()


def prefetch() -> None:
    """Loads LLVM in the background, so that the passes need not wait for it."""
    if "llvmlite.binding" not in sys.modules:
        threading.Thread(target=_load, name="graphc-load-llvm", daemon=True).start()


@lru_cache(maxsize=1)
def _unlocked() -> Any:
    """LLVM's long steps without llvmlite's lock, which lets one thread run at a time. Every thread
    has a context and a machine of its own, which is all that LLVM asks for.
    """
    ffi = _llvm().ffi
    library = ctypes.CDLL(os.path.join(os.path.dirname(ffi.__file__), ffi.get_library_name()))
    for name in ("LLVMPY_RunNewModulePassManager", "LLVMPY_TargetMachineEmitToMemory"):
        ours, theirs = getattr(library, name), getattr(ffi.lib, name)
        ours.argtypes, ours.restype = theirs.argtypes, theirs.restype
    return library


def _machine(target: Target, level: int) -> Any:
    llvm = _llvm()
    if target.triple != llvm.get_default_triple():
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
    # the default code model of llvmlite is the large one of its JIT
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=level, reloc="pic", codemodel="default"
    )


def _parse(text: str, target: Target, machine: Any, context: Any) -> Any:
    llvm = _llvm()
    try:
        module = llvm.parse_assembly(text, context)
    except RuntimeError as error:
        raise BuildError(
            f"LLVM does not read the IR that graphc wrote (a bug of graphc): {error}"
        ) from None
    module.triple = target.triple
    module.data_layout = str(machine.target_data)
    return module


def optimise(module: Any, machine: Any, level: int) -> None:
    """Runs the passes that explicit vector code profits from; the loops were scheduled before."""
    llvm = _llvm()
    tuning = llvm.create_pipeline_tuning_options(speed_level=level)
    tuning.loop_vectorization = False
    tuning.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, tuning)
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_new_gvn_pass()
    passes.add_simplify_cfg_pass()
    passes.add_loop_rotate_pass()
    passes.add_loop_simplify_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    # that of llvmlite would keep other threads out
    _unlocked().LLVMPY_RunNewModulePassManager(passes, module, builder)


def _alone(build: Callable[[], Any]) -> Any:
    """What a function answers that has LLVM for itself.

    What it made is disposed of inside too, which takes llvmlite's lock: a fork at that moment would
    leave it held in the child.
    """
    with uninterrupted, _lock:
        return build()


def _built(text: str, target: Target, level: int, emit: Callable[[Any, Any], T]) -> T:
    """What `emit` makes of a machine and the module, after the passes."""
    machine = _machine(target, level)
    with _llvm().create_context() as context, _parse(text, target, machine, context) as module:
        optimise(module, machine, level)
        return emit(machine, module)


def _emitted(machine: Any, module: Any) -> bytes:
    """`emit_object` of llvmlite, without its lock."""
    ffi = _llvm().ffi
    with ffi.OutputString() as error:
        held = _unlocked().LLVMPY_TargetMachineEmitToMemory(machine, module, 1, error)
        if not held:
            raise BuildError(f"LLVM makes no object: {error}")
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(held), ffi.lib.LLVMPY_GetBufferSize(held)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(held)


def build_object(text: str, target: Target, level: int = 2) -> bytes:
    """Object code (ELF, position independent) of LLVM IR text.

    Raises:
        BuildError: with LLVM's words.
    """
    return _alone(lambda: _built(text, target, level, _emitted))


def build_objects(
    printing: Callable[[Callable[[str], None]], str], target: Target, level: int = 2
) -> bytes:
    """Object code of a program in parts, `join`ed. `printing` answers with the last part, and hands
    those before it on to the function that it is given: they are built meanwhile.

    Raises:
        BuildError: with LLVM's words.
    """
    return _alone(lambda: _Parts(target, level).built(printing))


class _Parts:
    """The parts of one program, which as many threads build as its loops may use: the caller's is
    one of them, once everything is printed. A program of one part needs no other.
    """

    def __init__(self, target: Target, level: int):
        self.target, self.level = target, level
        self.given: SimpleQueue[tuple[int, str] | None] = SimpleQueue()
        self.count = 0
        self.objects: dict[int, bytes] = {}
        self.errors: list[BaseException] = []
        self.threads: list[threading.Thread] = []

    def built(self, printing: Callable[[Callable[[str], None]], str]) -> bytes:
        interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            self.add(printing(self.give))
        except BaseException as error:
            self.errors.append(error)
        finally:
            sys.setswitchinterval(interval)
        for _ in range(len(self.threads) + 1):
            self.given.put(None)
        self.run()
        for thread in self.threads:
            thread.join()
        if self.errors:
            raise self.errors[0]
        return join([self.objects[k] for k in range(self.count)])

    def add(self, text: str) -> None:
        self.given.put((self.count, text))
        self.count += 1

    def give(self, text: str) -> None:
        """Takes a part that is not the last."""
        self.add(text)
        if len(self.threads) + 1 >= environment.num_threads():
            return
        _llvm()  # whoever loads it enters a gate that the caller already is in
        name = f"graphc-build-{len(self.threads)}"
        self.threads.append(threading.Thread(target=self.run, name=name, daemon=True))
        self.threads[-1].start()

    def run(self) -> None:
        """Builds parts until there are no more, or one is wrong."""
        while (one := self.given.get()) is not None and not self.errors:
            try:
                self.objects[one[0]] = _built(one[1], self.target, self.level, _emitted)
            except BaseException as error:  # raised where the objects are waited for
                self.errors.append(error)


def build_objects_apart(modules: Sequence[tuple[str, Target]], workers: int) -> list[bytes]:
    """An object for each module, as so many threads at once build them.

    Raises:
        BuildError: with LLVM's words.
    """

    from concurrent.futures import ThreadPoolExecutor  # not for the first call of a program

    def build() -> list[bytes]:
        for _, target in modules:
            _machine(target, 2)  # every target is initialised before the threads begin
        with ThreadPoolExecutor(max(1, min(workers, len(modules)))) as pool:
            return list(pool.map(lambda one: _built(one[0], one[1], 2, _emitted), modules))

    return _alone(build)


def build_assembly(text: str, target: Target, level: int = 2) -> str:
    """The assembly of LLVM IR text, as it would be built."""
    return _alone(lambda: _built(text, target, level, lambda machine, m: machine.emit_assembly(m)))


def build_native(text: str, target: Target) -> bytes:
    """Object code of the runtime's own LLVM IR, through LLVM's whole pipeline."""

    def build() -> bytes:
        llvm = _llvm()
        machine = _machine(target, 2)
        with llvm.create_context() as context, _parse(text, target, machine, context) as module:
            builder = llvm.create_pass_builder(
                machine, llvm.create_pipeline_tuning_options(speed_level=2)
            )
            builder.getModulePassManager().run(module, builder)
            return machine.emit_object(module)

    return _alone(build)
