"""Compiles small texts of LLVM IR for the tests of the runtime, and installs the native object
once."""

from __future__ import annotations

from collections.abc import Callable

import graphc_runtime as runtime
import llvmlite.binding as llvm
import pytest


def compile_ir(text: str, triple: str = "", optimize: int = 2) -> bytes:
    """An object for a triple (this machine's, where none is given), position-independent."""
    if triple:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        target = llvm.Target.from_triple(triple)
    else:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(opt=optimize, reloc="pic", codemodel="default")
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=optimize)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_object(module)


@pytest.fixture(scope="session")
def build() -> Callable[..., bytes]:
    return compile_ir


@pytest.fixture(scope="session")
def native_object() -> bytes:
    return compile_ir(runtime.native_source())


@pytest.fixture(scope="session")
def native(native_object: bytes) -> object:
    path = runtime.install(native_object)
    assert path.name == "native", path.reason
    return runtime
