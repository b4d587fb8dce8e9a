"""Compiles one-op kernels for the tests of `codegen`: arrays in, array out, in steps of `lanes`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import graphc_runtime
import llvmlite.binding as llvm
import numpy as np

from graphc.codegen.llvm_builder import Builder, Isa, Module, Val
from graphc.codegen.scalar_llvm import emit
from graphc.loops.scalar import SCALAR_OPS
from graphc.types import I64, DType

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

HOST_FEATURES = llvm.get_host_cpu_features().flatten()
AVX2 = "+sse4.1,+sse4.2,+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+popcnt,+lzcnt"
SSE2 = "+sse2"


def isa_of(features: str) -> Isa:
    return Isa.of("x86_64", features)


def add_kernel(
    module: Module, symbol: str, operands: list[DType], result: DType, lanes: int,
    body: Callable[[Builder, list[Val]], Val],
) -> None:  # fmt: skip
    """`void symbol(out, in.., i64 n)` for n a multiple of `lanes`."""
    params = [("out", "ptr noalias")] + [(f"a{i}", "ptr") for i in range(len(operands))]
    b = module.function(symbol, [*params, ("n", "i64")])

    def step(i: Val, _: list[Val]) -> list[Val]:
        loaded = [
            b.load(b.gep(f"%a{k}", i, dtype), dtype, lanes) for k, dtype in enumerate(operands)
        ]
        b.store(b.gep("%out", i, result), body(b, loaded))
        return []

    b.for_loop(0, Val("%n", I64), lanes, [], step)
    b.ret()


class Compiled:
    """The functions of a module, callable over NumPy arrays."""

    def __init__(self, module: Module, features: str = HOST_FEATURES, opt: int = 1) -> None:
        self.text = module.render()
        parsed = llvm.parse_assembly(self.text)
        parsed.verify()
        target = llvm.Target.from_default_triple()
        host = features is HOST_FEATURES
        self.machine = target.create_target_machine(
            cpu=llvm.get_host_cpu_name() if host else "x86-64",
            features=features,
            opt=max(opt, 1),
            reloc="pic",
            codemodel="default",
        )
        parsed.triple = llvm.get_default_triple()
        builder = llvm.create_pass_builder(
            self.machine, llvm.create_pipeline_tuning_options(speed_level=opt)
        )
        builder.getModulePassManager().run(parsed, builder)
        self.optimized = parsed
        # not LLVM's MCJIT: it may lay code and constants farther apart than 32 bits reach
        self.loaded = graphc_runtime.load(self.machine.emit_object(parsed))

    def assembly(self) -> str:
        return self.machine.emit_assembly(self.optimized)

    def function(self, symbol: str, arity: int) -> Any:
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)
        return kind(self.loaded.address(symbol))

    def __call__(self, symbol: str, result: DType, *args: np.ndarray) -> np.ndarray:
        arrays = [np.ascontiguousarray(a) for a in args]
        out = np.empty(arrays[0].shape, result.numpy)
        pointers = [a.ctypes.data for a in arrays]
        self.function(symbol, len(arrays))(out.ctypes.data, *pointers, arrays[0].size)
        return out


def op_result(name: str, dtype: DType) -> DType:
    return SCALAR_OPS[name].gives(dtype)


def op_kernel(module: Module, symbol: str, name: str, dtype: DType, lanes: int) -> None:
    arity = SCALAR_OPS[name].arity
    add_kernel(
        module, symbol, [dtype] * arity, op_result(name, dtype), lanes,
        lambda b, args: emit(b, name, args, dtype),
    )  # fmt: skip
