"""Runs machine code for aarch64 on any machine: in unicorn, which is the processor of qemu.

Called by `test_arm.py` and by `tests/fuzz.py --target aarch64`. The road is graphc's own: its
target, its object, its loader (`graphc_runtime.link` lays out and relocates for any base address).
What stands here is the machine: pages, a stack, the entry's arguments, and a `parallel_for` that
runs three parts one after the other.

Every array ends where its page ends, and no page follows: code that reads or writes past an array
stops. What lies before an array, in its page, must be the same after the call.

The emulated processor is a Cortex-A72: it has no instruction that is not in every aarch64.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import graphc_runtime
import numpy as np
from unicorn import (
    UC_ARCH_ARM64,
    UC_MODE_ARM,
    UC_PROT_EXEC,
    UC_PROT_READ,
    UC_PROT_WRITE,
    Uc,
    UcError,
)
from unicorn.arm64_const import (
    UC_ARM64_REG_CPACR_EL1,
    UC_ARM64_REG_LR,
    UC_ARM64_REG_PC,
    UC_ARM64_REG_SP,
    UC_ARM64_REG_X0,
    UC_CPU_ARM64_A72,
    UC_CPU_ARM64_MAX,
)

from graphc import compile as road
from graphc import types as ty
from graphc.codegen.build import build_object
from graphc.codegen.llvm_builder import Module
from graphc.codegen.target import Target
from graphc.errors import NonFiniteError
from graphc.ir import Graph
from graphc.loops.ir import NON_FINITE
from graphc.types import DType
from tests.compiled import lowered_graph

ANY = Target("aarch64-unknown-linux-gnu", "generic", "+neon")
"""What every aarch64 has."""
NEOVERSE = Target("aarch64-unknown-linux-gnu", "neoverse-n1", "+neon,+fullfp16,+dotprod,+lse")

PAGE = 4096
PARTS = 3
STACK_BYTES = 4 << 20
WIDEST = 64
"""Lanes that a function of `tests.codegen.kernels` has at most."""
FILL = 0xA5
_RW = UC_PROT_READ | UC_PROT_WRITE

_PARALLEL_FOR = f"""
define void @parallel_for(ptr %runtime, ptr %fn, ptr %context, i64 %n, i64 %grain) {{
entry:
  br label %part
part:
  %worker = phi i64 [ 0, %entry ], [ %next, %part ]
  %next = add i64 %worker, 1
  %below = mul i64 %n, %worker
  %above = mul i64 %n, %next
  %begin = sdiv i64 %below, {PARTS}
  %end = sdiv i64 %above, {PARTS}
  call void %fn(ptr %context, i64 %begin, i64 %end, i64 %worker)
  %more = icmp slt i64 %next, {PARTS}
  br i1 %more, label %part, label %done
done:
  ret void
}}
"""


class Fault(Exception):
    """The code did what the machine does not allow; the message says where."""


class Machine:
    """Memory and one processor. Addresses are given out upwards and never used again."""

    def __init__(self, target: Target = ANY) -> None:
        self._uc = uc = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
        uc.ctl_set_cpu_model(UC_CPU_ARM64_A72 if target is ANY else UC_CPU_ARM64_MAX)
        uc.ctl_set_tcg_buffer_size(32 << 20)  # for translated code: otherwise each has 1 GB
        uc.reg_write(UC_ARM64_REG_CPACR_EL1, 3 << 20)  # or every vector instruction is trapped
        self._free = 0x7F_0000_0000
        self._stack = self._map(STACK_BYTES, _RW) + STACK_BYTES
        self._end = self._map(PAGE, UC_PROT_READ | UC_PROT_EXEC)
        """Where a call returns to: nothing there is run."""
        self._fill: list[tuple[int, bytes]] = []

    def _map(self, nbytes: int, rights: int) -> int:
        address = self._free
        self._uc.mem_map(address, nbytes, rights)
        self._free += nbytes + PAGE
        return address

    def load(self, code: bytes, externals: Mapping[str, int]) -> dict[str, int]:
        """Relocates an object into memory. Answers the addresses of its symbols."""
        base = self._free
        image = graphc_runtime.link(code, base, externals, "aarch64")
        parts = (
            (0, image.code_end, UC_PROT_READ | UC_PROT_EXEC),
            (image.code_end, image.constant_end, UC_PROT_READ),
            (image.constant_end, len(image.content), _RW),
        )
        for begin, end, rights in parts:
            if end > begin:
                self._uc.mem_map(base + begin, end - begin, rights)
        self._uc.mem_write(base, bytes(image.content))
        self._free += len(image.content) + PAGE
        return {name: base + offset for name, offset in image.symbols.items()}

    def block(self, content: bytes, align: int = 1) -> int:
        """Memory that holds the bytes: at the end of a page, as far as the alignment allows."""
        span = -(-len(content) // align) * align
        room = max(PAGE, -(-span // PAGE) * PAGE)
        address = self._map(room, _RW)
        before = bytes([FILL]) * (room - span)
        self._uc.mem_write(address, before + content)
        self._fill.append((address, before))
        return address + room - span

    def empty(self, nbytes: int, align: int) -> int:
        """Memory that was not written yet, and does not look like zeros."""
        return self.block(bytes([FILL]) * nbytes, align)

    def check_fill(self) -> None:
        """Raises unless what lies before every block is as it was."""
        for address, before in self._fill:
            assert self.read(address, len(before)) == before, "something before an array is written"

    def words(self, values: Sequence[int]) -> int:
        """Memory that holds 64-bit integers."""
        return self.block(struct.pack(f"<{len(values)}q", *values), 8)

    def read(self, address: int, nbytes: int) -> bytes:
        return bytes(self._uc.mem_read(address, nbytes))

    def write(self, address: int, value: int) -> None:
        """One 64-bit integer."""
        self._uc.mem_write(address, struct.pack("<q", value))

    def call(self, function: int, *arguments: int) -> int:
        """Calls a function of integers and pointers.

        Raises:
            Fault: on an access outside of memory, or an instruction that there is not.
        """
        uc = self._uc
        for k, argument in enumerate(arguments):
            uc.reg_write(UC_ARM64_REG_X0 + k, argument)
        uc.reg_write(UC_ARM64_REG_SP, self._stack)
        uc.reg_write(UC_ARM64_REG_LR, self._end)
        try:
            uc.emu_start(function, self._end)
        except UcError as error:
            place = int(uc.reg_read(UC_ARM64_REG_PC)) - function
            raise Fault(f"{error}, at function + {place:#x}") from None
        found = int(uc.reg_read(UC_ARM64_REG_X0))
        return found - (found >> 63 << 64)


@cache
def _parallel_for() -> bytes:
    return build_object(_PARALLEL_FOR, ANY)


# ------------------------------------------------------------------------------------------ graphs


def compiled(
    graph: Graph,
    *,
    passes: bool = False,
    strided: Sequence[int] = (),
    target: Target = ANY,
    **options: Any,
) -> Callable[..., list[np.ndarray]]:
    """A graph as a function of arrays, as `tests.compiled.compiled` makes it for this machine."""
    lowered = lowered_graph(graph, passes=passes, strided=tuple(strided), target=target, **options)
    built = road._build(lowered)

    def function(*arrays: np.ndarray) -> list[np.ndarray]:
        return run(built, graph, arrays, strided, target)

    return function


def run(
    built: road.Built,
    graph: Graph,
    arrays: Sequence[np.ndarray],
    strided: Sequence[int] = (),
    target: Target = ANY,
) -> list[np.ndarray]:
    """The results of a built graph, in a machine of its own.

    Raises:
        Fault: when the code does what it must not.
        Exception: what an error code of the program means.
    """
    machine = Machine(target)
    (parallel_for,) = machine.load(_parallel_for(), {}).values()
    runtime = machine.words([parallel_for, PARTS, 1])
    symbols = machine.load(built.code, {})
    for k, constant in enumerate(built.constants):
        block = machine.block(constant.tobytes(), constant.itemsize)
        machine.write(symbols["graph_constants"] + 8 * k, block)
    if built.kept[0]:
        kept = machine.empty(built.kept[0], 64)
        scratch = machine.empty(built.kept[1] + PARTS * built.scratch, 64)
        machine.write(symbols["graph_kept"], kept)
        _check(built, machine.call(symbols["graph_setup"], 0, 0, scratch, runtime))
    inputs = [_input(machine, a) for a in arrays]
    extents = _extents(built, graph, arrays)
    extents += [s // arrays[k].itemsize for k in strided for s in arrays[k].strides]
    numbers = machine.words(extents)
    dims = machine.empty(8 * sum(len(t.shape) for t in built.results), 8)
    nbytes = machine.call(symbols["graph_shapes"], numbers, dims)
    arena = machine.empty(nbytes + PARTS * built.scratch, 64)
    shapes = _shapes(machine, built, dims)
    outputs = [
        machine.empty(ty.product(shape) * t.dtype.nbytes, t.dtype.real.nbytes)
        for t, shape in zip(built.results, shapes, strict=True)
    ]
    buffers = machine.words([*inputs, *outputs])
    _check(built, machine.call(symbols["graph_entry"], buffers, numbers, arena, runtime))
    machine.check_fill()
    return [
        np.frombuffer(
            machine.read(place, t.dtype.nbytes * ty.product(shape)), t.dtype.numpy
        ).reshape(shape)
        for place, t, shape in zip(outputs, built.results, shapes, strict=True)
    ]


def _input(machine: Machine, array: np.ndarray) -> int:
    """The address of the first element of an array that was copied with its strides."""
    low, high = np.lib.array_utils.byte_bounds(array)
    content = ctypes.string_at(low, high - low) if array.size else b""
    part = array.real.itemsize
    return machine.block(content, part) + (array.ctypes.data - low if array.size else 0)


def _extents(built: road.Built, graph: Graph, arrays: Sequence[np.ndarray]) -> list[int]:
    """The values of the symbols."""
    sizes = {
        str(extent): size
        for value, array in zip(graph.params, arrays, strict=True)
        for extent, size in zip(value.type.shape, array.shape, strict=True)
    }
    return [sizes[name] for name in built.symbols]


def _shapes(machine: Machine, built: road.Built, dims: int) -> list[tuple[int, ...]]:
    """The extents of the results, as the code wrote them."""
    found, place = [], dims
    for type_ in built.results:
        rank = len(type_.shape)
        found.append(struct.unpack(f"<{rank}q", machine.read(place, 8 * rank)))
        place += 8 * rank
    return found


def _check(built: road.Built, code: int) -> None:
    if code:
        message = built.messages[code - 1]
        raise NonFiniteError(message) if NON_FINITE in message else IndexError(message)


# ----------------------------------------------------------------------------------------- kernels


class Kernels:
    """The functions of a module of `tests.codegen.kernels`, callable over NumPy arrays."""

    def __init__(self, module: Module) -> None:
        self._machine = Machine()
        self._symbols = self._machine.load(build_object(module.render(), ANY), {})

    def __call__(self, symbol: str, result: DType, *args: np.ndarray) -> np.ndarray:
        machine, shape, count = self._machine, args[0].shape, args[0].size
        room = -(-count // WIDEST) * WIDEST  # the functions go on by whole vectors
        wide = [np.append(a, np.zeros(room - count, a.dtype)) for a in args]
        inputs = [machine.block(a.tobytes(), a.itemsize) for a in wide]
        out = machine.empty(room * result.nbytes, result.nbytes)
        machine.call(self._symbols[symbol], out, *inputs, count)
        machine.check_fill()
        found = np.frombuffer(machine.read(out, count * result.nbytes), result.numpy)
        return found.reshape(shape)
