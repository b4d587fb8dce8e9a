"""LLVM IR text -> object code, and object code -> assembly, by llvmlite.

The only module that runs LLVM.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from graphc_runtime.forking import ForkLock, uninterrupted

from ..errors import BuildError
from .target import Target

_lock = ForkLock()
"""LLVM's global context is not safe for two threads at once."""
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


@lru_cache(maxsize=8)
def _machine(target: Target, level: int) -> Any:
    llvm = _llvm()
    if target.triple != llvm.get_default_triple():
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
    # the default code model of llvmlite is the large one of its JIT
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=level, reloc="pic", codemodel="default"
    )


def _parse(text: str, target: Target, machine: Any) -> Any:
    llvm = _llvm()
    try:
        module = llvm.parse_assembly(text)
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
    passes.run(module, builder)


def _alone(build: Callable[[], Any]) -> Any:
    """What a function answers that has LLVM for itself.

    What it made is disposed of inside too, which takes llvmlite's lock: a fork at that moment would
    leave it held in the child.
    """
    with uninterrupted, _lock:
        return build()


def build_object(text: str, target: Target, level: int = 2) -> bytes:
    """Object code (ELF, position independent) of LLVM IR text.

    Raises:
        BuildError: with LLVM's words.
    """

    def build() -> bytes:
        machine = _machine(target, level)
        module = _parse(text, target, machine)
        optimise(module, machine, level)
        return machine.emit_object(module)

    return _alone(build)


def build_assembly(text: str, target: Target, level: int = 2) -> str:
    """The assembly of LLVM IR text, as it would be built."""

    def build() -> str:
        machine = _machine(target, level)
        module = _parse(text, target, machine)
        optimise(module, machine, level)
        return machine.emit_assembly(module)

    return _alone(build)


def build_native(text: str, target: Target) -> bytes:
    """Object code of the runtime's own LLVM IR, through LLVM's whole pipeline."""

    def build() -> bytes:
        llvm = _llvm()
        machine = _machine(target, 2)
        module = _parse(text, target, machine)
        builder = llvm.create_pass_builder(
            machine, llvm.create_pipeline_tuning_options(speed_level=2)
        )
        builder.getModulePassManager().run(module, builder)
        return machine.emit_object(module)

    return _alone(build)
