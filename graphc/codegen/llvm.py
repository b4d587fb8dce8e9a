"""Prints scheduled LoopFuncs as LLVM IR.

A printer: it decides nothing about order, lanes or threads.

A kernel becomes `void @name(ptr buffer..., i64 symbol..., ptr error, ptr rt, ptr scratch)`. A
parallel loop becomes a function of its own, `(ptr context, i64 begin, i64 end, i64 worker)`, handed
to the runtime's `parallel_for`; what it reads from outside travels in the context. Small local
buffers are on the stack, large ones in the scratch memory of the worker: a caller's stack may be
small. Inside a vector loop
every value that the lane reaches is a vector; the stride of an access is the coefficient of the
lane in its offset: 0 one element for all lanes, 1 a vector, -1 a reversed vector, 2 two vectors and
a shuffle, anything else a gather or scatter. `GcRuntime` and the entry are described in
runtime/native.c.

Called by graphc/compile.py with the output of `loops.schedule`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..errors import LoweringError
from ..loops import ir as L
from ..loops.cost import body_size, grain_of
from ..loops.identities import IDENTITY
from ..loops.lower import expr_names, index_names
from ..types import BOOL, I64, U8, U16, U32, U64, Dim, DType
from . import dot_llvm
from .llvm_builder import Builder, Module, Val, memory_type, routine_symbol
from .quotient import RANGE, Reciprocal, divide_by_uniform, reciprocal
from .scalar_llvm import emit as emit_scalar

STACK_BYTES = 8 << 10
"""A local buffer of more bytes is in the scratch memory of its worker."""
LINE_BYTES = 64
"""Of the caches."""
SCRATCH = "graph_scratch"
"""The constant that says how many bytes of scratch memory each worker has."""


@dataclass
class Place:
    """Where a buffer's data is: a pointer, and how many lanes each element has
    (a buffer made inside a vector loop).
    """

    pointer: str
    buffer: L.Buffer
    lanes: int = 1


class Printer:
    """Emits the body of one function (a kernel, or the outlined body of a parallel loop)."""

    def __init__(self, module: Module, builder: Builder, name: str):
        self.module, self.b, self.name = module, builder, name
        self.places: dict[str, Place] = {}
        self.values: dict[str, Val] = {}
        self.numbers: dict[str, int] = {}
        self.lane: str | None = None
        self.lanes = 1
        self.mask: Val | None = None
        self.first = False
        """Whether the mask is a constant, and the first lane is all that is left."""
        self.outlined = 0
        self.reciprocals: dict[str, Reciprocal] = {}
        """Of divisors of the loops around, made before these."""
        self.streaming = False
        """Whether streaming stores are printed as such; they need aligned results."""
        self.slots: dict[tuple[int, DType], str] = {}
        self.counters: dict[str, tuple[int | None, int | None]] = {}
        """The least and the greatest value of the variables of the loops around."""
        self.scratch = 0
        """Bytes of the scratch memory that the blocks around use."""

    # -------------------------------------------------------------------------------- statements
    def block(self, body: Sequence[L.Stmt]) -> None:
        stmts = list(body)
        before = self.scratch
        k = 0
        while k < len(stmts):
            stmt = stmts[k]
            if (
                isinstance(stmt, L.Store)
                and k + 1 < len(stmts)
                and self._interleaved(stmt, stmts[k + 1])
            ):
                k += 2
                continue
            self.stmt(stmt)
            k += 1
        self.scratch = before

    def stmt(self, stmt: L.Stmt) -> None:
        if isinstance(stmt, L.Let):
            value = self.expr(stmt.value)
            self.values[stmt.name] = value
        elif isinstance(stmt, L.Store):
            self.store(stmt.buffer, stmt.index, self.expr(stmt.value), stmt.streaming)
        elif isinstance(stmt, L.Accumulate):
            self.accumulate(stmt)
        elif isinstance(stmt, L.For):
            self.loop(stmt)
        elif isinstance(stmt, L.If):
            self.condition(stmt)
        elif isinstance(stmt, L.Alloc):
            self.alloc(stmt.buffer)
        elif isinstance(stmt, L.Fail):
            self.fail(stmt)
        elif isinstance(stmt, L.Transpose):
            self.transpose(stmt)
        elif isinstance(stmt, L.Call):
            self.call(stmt)
        else:
            raise LoweringError(f"the LLVM printer has no {type(stmt).__name__}")

    def loop(self, loop: L.For) -> None:
        self.counters[loop.var] = (0, loop.extent - 1 if isinstance(loop.extent, int) else None)
        if loop.kind == "vector":
            if self.lane is not None:
                raise LoweringError(f"vector loop {loop.var} inside vector loop {self.lane}")
            assert isinstance(loop.extent, int)
            self.lane, self.lanes = loop.var, loop.extent
            self.block(loop.body)
            self.lane, self.lanes = None, 1
            return
        extent = self.fold(loop.extent)
        if isinstance(extent, int) and (loop.kind == "unroll" or extent <= 1):
            for k in range(extent):
                self.numbers[loop.var] = k
                self.block(loop.body)
            self.numbers.pop(loop.var, None)
            return
        if loop.kind == "parallel":
            self.parallel(loop)
            return
        stop = self.index(extent)
        if stop.lanes > 1:
            raise LoweringError(f"the extent of loop {loop.var} differs between lanes")
        outside = self.reciprocals
        self.reciprocals = outside | self._reciprocals(loop)
        self._counted(loop, self.b.const(0, I64), stop)
        self.reciprocals = outside

    def _reciprocals(self, loop: L.For) -> dict[str, Reciprocal]:
        """Of the divisors that a loop of lanes reads and does not make."""
        found: dict[str, Reciprocal] = {}
        if self.lane is not None or not self.b.isa.has_fma:
            return found
        for stmt in L.statements(loop.body):
            for expr in L.expressions(stmt):
                for one in L.walk(expr):
                    if isinstance(one, L.Scalar) and one.op == "div" and one.dtype in RANGE:
                        divisor = one.args[1]
                        if not isinstance(divisor, L.Name) or divisor.name in found:
                            continue
                        value = self.values.get(divisor.name)
                        if value is not None and divisor.name not in self.reciprocals:
                            found[divisor.name] = reciprocal(self.b, value)
        return found

    def _counted(self, loop: L.For, start: Val, stop: Val) -> None:
        def body(i: Val, carried: list[Val]) -> list[Val]:
            self.values[loop.var] = i
            self.block(loop.body)
            return []

        self.b.for_loop(start, stop, 1, [], body)

    def parallel(self, loop: L.For) -> None:
        """Outlines the body and hands it to the runtime."""
        names = sorted(_free(loop.body) - {loop.var})
        values = [n for n in names if n in self.values]
        places = [n for n in names if n in self.places]
        self.outlined += 1
        symbol = f"{self.name}.par{self.outlined}"
        params = [("context", "ptr"), ("begin", "i64"), ("end", "i64"), ("worker", "i64")]
        inner = Printer(
            self.module, self.module.function(symbol, params, linkage="internal"), symbol
        )
        inner.numbers = dict(self.numbers)
        inner.counters = dict(self.counters)
        inner.streaming = self.streaming
        inner.scratch = self.scratch
        slots = len(values) + len(places) + 3
        context = self.b.alloca(I64, slots)
        for k, name in enumerate(values):
            self.b.store(self.b.gep(context, k, I64), self.values[name], align=8)
            kept = inner.b.load(inner.b.gep("%context", k, I64), self.values[name].dtype, align=8)
            inner.values[name] = kept
        pointers = [self.places[n].pointer for n in places] + ["%error", "%rt", "%scratch"]
        for k, pointer in enumerate(pointers, len(values)):
            self.b.line(f"store ptr {pointer}, ptr {self.b.gep(context, k, I64)}, align 8")
            slot = inner.b.gep("%context", k, I64)
            if pointer in ("%error", "%rt"):
                inner.b.line(f"{pointer} = load ptr, ptr {slot}, align 8")
            elif pointer == "%scratch":
                first = inner.b._emit(f"load ptr, ptr {slot}, align 8")
                each = inner.b.load(f"@{SCRATCH}", I64, align=8)
                mine = inner.b.mul(each, Val("%worker", I64, 1))
                inner.b.line(f"%scratch = getelementptr i8, ptr {first}, {mine}")
            else:
                loaded = inner.b._emit(f"load ptr, ptr {slot}, align 8")
                place = self.places[places[k - len(values)]]
                inner.places[place.buffer.name] = Place(loaded, place.buffer, place.lanes)
        inner._counted(loop, Val("%begin", I64, 1), Val("%end", I64, 1))
        inner.finish()
        call = self.b._emit("load ptr, ptr %rt, align 8")
        grain = max(1, int(grain_of(loop.body)))
        extent = self.index(loop.extent)
        self.b.line(
            f"call void {call}(ptr %rt, ptr @{symbol}, ptr {context}, {extent}, i64 {grain})"
        )

    def condition(self, stmt: L.If) -> None:
        cond = self.expr(stmt.cond)
        if cond.lanes == 1:

            def arm(body: Sequence[L.Stmt]) -> Callable[[], list[Val]]:
                return lambda: (self.block(body), [])[1]

            self.b.branch(cond, arm(stmt.then), arm(stmt.otherwise))
            return
        outer, first = self.mask, self.first
        self.mask = cond if outer is None else self.b.and_(outer, cond)
        self.first = outer is None and self._is_first(stmt.cond)
        self.block(stmt.then)
        self.first = first
        if stmt.otherwise:
            negated = self.b.not_(cond)
            self.mask = negated if outer is None else self.b.and_(outer, negated)
            self.block(stmt.otherwise)
        self.mask = outer

    def _is_first(self, cond: L.Expr) -> bool:
        """Whether a condition says lane < 1."""
        if not isinstance(cond, L.Scalar) or cond.op != "lt" or self.lane is None:
            return False
        left, right = (self.fold(a.index) if isinstance(a, L.Idx) else None for a in cond.args)
        return left == Dim.symbol(self.lane) and right == 1

    def alloc(self, buffer: L.Buffer) -> None:
        count = self.fold(ty.product(buffer.shape))
        if not isinstance(count, int):
            raise LoweringError(f"local buffer {buffer.name} has the symbolic size {count}")
        lanes = self.lanes if self.lane is not None else 1
        nbytes = count * lanes * buffer.dtype.nbytes
        if nbytes > STACK_BYTES and buffer.space == "local":
            pointer = self.b._emit(f"getelementptr i8, ptr %scratch, i64 {self.scratch}")
            self.scratch += (nbytes + 63) // 64 * 64
            self.module.scratch = max(self.module.scratch, self.scratch)
        else:
            pointer = self._entry_alloca(buffer.dtype, max(1, count * lanes))
        self.places[buffer.name] = Place(pointer, buffer, lanes)

    def _entry_alloca(self, dtype: DType, count: int) -> str:
        """Allocas stand in the entry block,
        so that they become registers and loops do not grow the stack.
        """
        b = self.b
        ref = f"%a{b._count}"
        b._count += 1
        b._lines.insert(1, f"  {ref} = alloca [{count} x {memory_type(dtype)}], align 64")
        return ref

    def fail(self, stmt: L.Fail) -> None:
        cond = self._once(self.expr(stmt.cond))
        assert cond is not None

        def report() -> list[Val]:
            # the first error is kept; which of two threads comes first does not matter
            before = self.b.load("%error", I64, align=8)
            code = self.b.select(self.b.cmp("eq", before, 0), self.b.const(stmt.code, I64), before)
            self.b.store("%error", code, align=8)
            return []

        self.b.branch(cond, report, lambda: [], likely=False)

    def finish(self) -> None:
        """Ends the function.

        Streaming stores are ordered before whatever says that the work is done.
        """
        if self.streaming and self.module.isa.arch == "x86_64":
            self.module.declare("llvm.x86.sse.sfence", "void", [])
            self.b.line("call void @llvm.x86.sse.sfence()")
        self.b.line("ret void")

    # ----------------------------------------------------------------------------------- memory
    def fold(self, index: L.Index) -> L.Index:
        """The index with the variables of unrolled loops as numbers."""
        if isinstance(index, Dim) and self.numbers:
            return ty.substitute(index, self.numbers)
        return index

    def _split(self, offset: L.Index) -> tuple[int | None, L.Index]:
        """(stride, rest) with offset = stride * lane + rest; stride None when it is no constant."""
        if self.lane is None or not isinstance(offset, Dim) or self.lane not in ty.symbols(offset):
            return 0, offset
        found = ty.linear(offset, self.lane)
        if found is None or isinstance(found[0], Dim):
            return None, offset
        return found[0], found[1]

    def _is_vector(self, index: L.Index) -> bool:
        if not isinstance(index, Dim):
            return False
        return any(
            name == self.lane or (name in self.values and self.values[name].lanes > 1)
            for name in ty.symbols(index)
        )

    def _place(self, buffer: L.Buffer) -> Place:
        place = self.places.get(buffer.name)
        if place is None:
            raise LoweringError(f"buffer {buffer.name} is not in scope in {self.name}")
        return place

    def _offset(self, place: Place, buffer: L.Buffer, index: tuple[L.Index, ...]) -> L.Index:
        offset = self.fold(buffer.offset(index))
        if place.lanes > 1:
            assert self.lane is not None
            offset = offset * place.lanes + Dim.symbol(self.lane)
        return offset

    def _once(self, cond: Val | None) -> Val | None:
        """Whether what all lanes do at once is done: some lane runs, and passes the condition."""
        if cond is not None and cond.lanes > 1:
            return self.b.any(cond if self.mask is None else self.b.and_(cond, self.mask))
        if self.mask is None:
            return cond
        some = self.b.any_index(self.mask)
        return some if cond is None else self.b.and_(cond, some)

    def _where(self, guard: Val, value: Val) -> Val:
        """The value in the lanes that the guard passes, 0 in the others."""
        lanes = max(guard.lanes, value.lanes)
        return self.b.select(self.b.splat(guard, lanes), self.b.splat(value, lanes), 0)

    def load(self, load: L.Load) -> Val:
        place = self._place(load.buffer)
        dtype = load.buffer.dtype
        offset = self._offset(place, load.buffer, load.index)
        mask, guard = self.mask, None if load.guard is None else self.expr(load.guard)
        if guard is not None and load.buffer.space == "register":
            return self._where(guard, self.load(replace(load, guard=None)))
        stride, rest = self._split(offset)
        if stride == 0 and not self._is_vector(rest):
            pointer = self.b.gep(place.pointer, self.index(rest), dtype)
            mask = None if load.buffer.space == "register" else self._once(guard)
            value = self.b.load(pointer, dtype, mask=mask)
            return value if guard is None or guard.lanes == 1 else self._where(guard, value)
        if load.buffer.space == "register":
            mask = None
        elif guard is not None:
            mask = guard if mask is None else self.b.and_(self.b.splat(guard, self.lanes), mask)
        if stride is None or self._is_vector(rest):
            index = self.index(offset)
            if mask is not None and mask.lanes == 1:
                mask = self.b.splat(mask, index.lanes)
            return self.b.gather(place.pointer, index, dtype, mask=mask)
        pointer = self.b.gep(place.pointer, self.index(rest), dtype)
        if mask is not None and mask.lanes == 1:
            mask = self.b.splat(mask, self.lanes)
        if stride == 1:
            align = 64 if place.lanes > 1 or load.buffer.space == "register" else None
            align = dtype.nbytes if align is None or place.lanes * dtype.nbytes < 64 else align
            if load.ahead:
                self._ask(pointer, load, self.lanes * dtype.nbytes)
            return self.b.load(pointer, dtype, self.lanes, align=align, mask=mask)
        if stride == -1 and mask is None:
            start = self.b.gep(pointer, -(self.lanes - 1), dtype)
            value = self.b.load(start, dtype, self.lanes)
            return self.b.shuffle(value, None, list(range(self.lanes - 1, -1, -1)))
        if stride == 2 and mask is None:
            low = self.b.load(pointer, dtype, self.lanes)
            high = self.b.load(self.b.gep(pointer, self.lanes - 1, dtype), dtype, self.lanes)
            half = self.lanes // 2
            lanes = [2 * k for k in range(half)] + [self.lanes + 2 * k + 1 for k in range(half)]
            return self.b.shuffle(low, high, lanes)
        index = self.b.mul(self.b.ramp(self.lanes), stride)
        return self.b.gather(pointer, index, dtype, mask=mask)

    def _ask(self, pointer: str, load: L.Load, nbytes: int) -> None:
        """Asks for lines of memory so many bytes from what a pointer points to. Addresses that are
        nobody's are no fault.
        """
        near = 4 - load.level  # LLVM counts from memory
        self.module.declare("llvm.prefetch.p0", "void", ["ptr", "i32", "i32", "i32"])
        for line in range(load.ahead, load.ahead + nbytes, LINE_BYTES):
            place = self.b._emit(f"getelementptr i8, ptr {pointer}, i64 {line}")
            self.b.line(f"call void @llvm.prefetch.p0(ptr {place}, i32 0, i32 {near}, i32 1)")

    def store(
        self, buffer: L.Buffer, index: tuple[L.Index, ...], value: Val, streaming: bool = False
    ) -> None:
        place = self._place(buffer)
        offset = self._offset(place, buffer, index)
        mask = self.mask
        stride, rest = self._split(offset)
        if stride is None or self._is_vector(rest):
            where = self.index(offset)
            self.b.scatter(place.pointer, where, self.b.splat(value, where.lanes), mask=mask)
            return
        pointer = self.b.gep(place.pointer, self.index(rest), buffer.dtype)
        if stride == 0:
            if value.lanes > 1:  # every lane writes one place: the last lane that may
                if mask is not None:
                    raise LoweringError(f"lanes write one element of {buffer.name} under a mask")
                value = self.b.extract(value, self.lanes - 1)
            self.b.store(pointer, value, mask=self._once(None))
            return
        value = self.b.splat(value, self.lanes)
        if stride == 1 and self.first:
            # LLVM (22) writes such a masked store of truncated numbers in their former width
            self.b.store(pointer, self.b.extract(value, 0))
            return
        if stride == 1:
            streaming = streaming and self.streaming
            wide = self.lanes * buffer.dtype.nbytes
            align = min(64, wide) if streaming or place.lanes > 1 else None
            self.b.store(
                pointer, value, align=align, mask=mask, nontemporal=streaming and mask is None
            )
            return
        where = self.b.mul(self.b.ramp(self.lanes), stride)
        self.b.scatter(pointer, where, value, mask=mask)

    def _interleaved(self, first: L.Store, second: L.Stmt) -> bool:
        """Writes two adjacent stores of stride 2
        (the parts of complex numbers) as one vector store.
        """
        if (
            self.lane is None
            or self.mask is not None
            or not isinstance(second, L.Store)
            or second.buffer != first.buffer
        ):
            return False
        place = self._place(first.buffer)
        one = self._offset(place, first.buffer, first.index)
        two = self._offset(place, second.buffer, second.index)
        stride, rest = self._split(one)
        if stride != 2 or two - one != 1 or self._is_vector(rest):
            return False
        a = self.b.splat(self.expr(first.value), self.lanes)
        c = self.b.splat(self.expr(second.value), self.lanes)
        lanes = [k // 2 + (k % 2) * self.lanes for k in range(2 * self.lanes)]
        pointer = self.b.gep(place.pointer, self.index(rest), first.buffer.dtype)
        self.b.store(pointer, self.b.shuffle(a, c, lanes))
        return True

    def accumulate(self, stmt: L.Accumulate) -> None:
        place = self._place(stmt.buffer)
        offset = self._offset(place, stmt.buffer, stmt.index)
        before = L.Load(stmt.buffer, stmt.index)
        across = self.lane is not None and not self._is_vector(offset)
        dot = stmt.value if isinstance(stmt.value, L.Scalar) and stmt.op == "add" else None
        if dot is not None and (across or not dot.op.startswith("dot_")):
            dot = None
        value = self.expr(stmt.value) if dot is None else None
        if across:
            assert value is not None
            value = self.b.splat(value, self.lanes)
            if self.mask is not None:
                value = self.b.select(self.mask, value, _neutral(self.b, stmt.op, value))
            with self.b.reassociate():
                value = self.b.reduce(stmt.op, value)
            mask, lane, self.mask, self.lane = self.mask, self.lane, None, None
            with self.b.reassociate():
                self.store(
                    stmt.buffer, stmt.index, self.b.combine(stmt.op, self.load(before), value)
                )
            self.mask, self.lane = mask, lane
            return
        old = self.load(before)
        if dot is not None:
            factors = (self.expr(a) for a in dot.args)
            new = dot_llvm.accumulate(self.b, dot.op, *self._level(old, *factors))
        else:
            assert value is not None
            with self.b.reassociate():
                new = self.b.combine(stmt.op, *self._level(old, value))
        if self.mask is not None and stmt.buffer.space == "register":
            new = self.b.select(
                self.mask, self.b.splat(new, self.lanes), self.b.splat(old, self.lanes)
            )
            mask, self.mask = self.mask, None
            self.store(stmt.buffer, stmt.index, new)
            self.mask = mask
            return
        self.store(stmt.buffer, stmt.index, new)

    def call(self, stmt: L.Call) -> None:
        """Calls a routine; numbers stand in memory while it runs."""
        pointers: list[str] = []
        for k, one in enumerate(stmt.arguments):
            if isinstance(one, L.Address):
                place = self._place(one.buffer)
                offset = self.index(self._offset(place, one.buffer, one.index))
                pointers.append(self.b.gep(place.pointer, offset, one.buffer.dtype))
            elif isinstance(one, str):
                name = f"character{ord(one)}"
                text = f'@{name} = internal constant [2 x i8] c"{one}\\00", align 1'
                self.module.raw_global(name, text)
                pointers.append(f"@{name}")
            else:
                slot = self._slot(k, one.dtype)
                self.b.store(slot, self.expr(one), align=8)
                pointers.append(slot)
        self.module.routine(stmt.routine, len(pointers))
        arguments = ", ".join(f"ptr {pointer}" for pointer in pointers)
        self.b.line(f"call void @{routine_symbol(stmt.routine)}({arguments})")

    def _slot(self, number: int, dtype: DType) -> str:
        """Where the number at one place of an argument list stands."""
        if (number, dtype) not in self.slots:
            self.slots[number, dtype] = self._entry_alloca(dtype, 1)
        return self.slots[number, dtype]

    def transpose(self, stmt: L.Transpose) -> None:
        """A tile through registers: rows are loaded as vectors,
        exchanged in log2 steps, stored as vectors.
        """
        source, target = self._place(stmt.source), self._place(stmt.target)
        dtype, n = stmt.source.dtype, stmt.size
        if n & (n - 1):
            raise LoweringError(f"a tile of {n} is not transposed in registers")
        base, step = self.fold(stmt.source.offset(stmt.source_index)), stmt.source_step
        rows = []
        for r in range(n):
            pointer = self.b.gep(source.pointer, self.index(self.fold(base + r * step)), dtype)
            rows.append(self.b.load(pointer, dtype, n))
        # step s exchanges the blocks of size s off the diagonal of each 2s x 2s square
        half = n // 2
        while half:
            for r in range(n):
                if r & half:
                    continue
                a, c = rows[r], rows[r + half]
                low = [(k if not k & half else n + (k - half)) for k in range(n)]
                high = [(k + half if not k & half else n + k) for k in range(n)]
                rows[r], rows[r + half] = self.b.shuffle(a, c, low), self.b.shuffle(a, c, high)
            half //= 2
        base, step = self.fold(stmt.target.offset(stmt.target_index)), stmt.target_step
        for r in range(n):
            pointer = self.b.gep(target.pointer, self.index(self.fold(base + r * step)), dtype)
            self.b.store(pointer, rows[r])

    # ------------------------------------------------------------------------------ expressions
    def _level(self, *values: Val) -> list[Val]:
        lanes = max(v.lanes for v in values)
        return [self.b.splat(v, lanes) if v.lanes != lanes else v for v in values]

    def expr(self, expr: L.Expr) -> Val:
        if isinstance(expr, L.Name):
            return self.values[expr.name]
        if isinstance(expr, L.Const):
            return self.b.const(expr.value, expr.dtype)
        if isinstance(expr, L.Idx):
            return self.index(self.fold(expr.index))
        if isinstance(expr, L.Load):
            return self.load(expr)
        if isinstance(expr, L.Scalar):
            if expr.op.startswith("join"):
                return self.joined(expr)
            args = [self.expr(a) for a in expr.args]
            dtype = expr.args[0].dtype
            if expr.op == "div" and args[0].lanes > args[1].lanes == 1 and dtype in RANGE:
                divisor = expr.args[1]
                known = self.reciprocals.get(divisor.name) if isinstance(divisor, L.Name) else None
                return divide_by_uniform(self.b, args[0], args[1], known)
            return emit_scalar(self.b, expr.op, self._level(*args), dtype)
        if isinstance(expr, L.Cast):
            return self.b.cast(self.expr(expr.value), expr.dtype)
        if isinstance(expr, L.Bitcast):
            value = self.expr(expr.value)
            if BOOL in (value.dtype, expr.dtype):  # one byte, 0 or 1
                return self.b.cast(value, expr.dtype)
            return self.b.bitcast(value, expr.dtype)
        cond, a, b = (self.expr(e) for e in (expr.cond, expr.a, expr.b))
        if cond.lanes == 1 and max(a.lanes, b.lanes) == 1:
            return self.b.select(cond, a, b)
        return self.b.select(*self._level(cond, a, b))

    def joined(self, expr: L.Scalar) -> Val:
        """A word of parts; neighbours in memory are one load."""
        count, bits = len(expr.args), expr.args[0].dtype.bits
        loads = [a for a in expr.args if isinstance(a, L.Load) and a.guard is None]
        if len(loads) == count and len({a.buffer.name for a in loads}) == 1:
            buffer, mask = loads[0].buffer, self.mask
            place = self._place(buffer)
            offsets = [self._offset(place, buffer, a.index) for a in loads]
            stride, rest = self._split(offsets[0])
            adjacent = all(o - offsets[0] == k for k, o in enumerate(offsets))
            if adjacent and place.lanes == 1 and (self.lane is None or stride == count):
                if not self._is_vector(rest):
                    pointer = self.b.gep(place.pointer, self.index(rest), buffer.dtype)
                    return self.b.load(pointer, U32, self.lanes, align=bits // 8, mask=mask)
        parts = [self._bits(a, U16 if bits == 16 else U8) for a in expr.args]
        return dot_llvm.join(self.b, self._level(*parts))

    def _bits(self, expr: L.Expr, dtype: DType) -> Val:
        """The bits of a value; those of memory are not converted on the way."""
        if isinstance(expr, L.Load):
            return self.load(replace(expr, buffer=replace(expr.buffer, dtype=dtype)))
        value = self.expr(expr)
        return self.b.bitcast(value, dtype)

    def index(self, index: L.Index) -> Val:
        """The value of an index: a scalar i64, or a vector where lanes differ."""
        if not isinstance(index, Dim):
            return self.b.const(index, I64)
        total: Val | None = None
        for monomial, coefficient in index.terms:
            term: Val | None = None
            for atom in monomial:
                factor = self._atom(atom)
                term = factor if term is None else self.b.mul(*self._level(term, factor))
            if term is None:
                term = self.b.const(coefficient, I64)
            elif coefficient != 1:
                term = self.b.mul(term, coefficient)
            total = term if total is None else self.b.add(*self._level(total, term))
        assert total is not None
        return total

    def _atom(self, atom: ty.Atom) -> Val:
        if isinstance(atom, str):
            if atom == self.lane:
                return self.b.ramp(self.lanes)
            if atom in self.numbers:
                return self.b.const(self.numbers[atom], I64)
            value = self.values.get(atom)
            if value is None:
                raise LoweringError(f"index variable {atom} is not in scope in {self.name}")
            return value
        sign, left, right = atom
        a, b = self._level(self.index(left), self.index(right))
        if isinstance(right, int) and right > 0 and self._is_natural(left):
            unsigned = (self.b.view(x, U64) for x in (a, b))
            found = (self.b.div if sign == "//" else self.b.rem)(*unsigned)
            return self.b.view(found, I64)
        return emit_scalar(self.b, "floordiv" if sign == "//" else "mod", [a, b], I64)

    def _is_natural(self, index: L.Index) -> bool:
        """Whether an index is made of counters only, and never negative: its quotients need not be
        rounded down."""
        if not isinstance(index, Dim):
            return index >= 0
        if any(name not in self.counters for name in ty.symbols(index)):
            return False
        low, _ = ty.bounds(index, self.counters)
        return low is not None and low >= 0


def _neutral(b: Builder, op: str, like: Val) -> Val:
    dtype = like.dtype
    kind = {"add": "sum", "mul": "prod"}.get(op, op)
    value = IDENTITY[kind](dtype)
    if op == "add" and dtype.is_float:
        value = -0.0  # x + -0.0 is x for every x
    return b.const(value, dtype, like.lanes)


def _free(body: Sequence[L.Stmt]) -> set[str]:
    """Every name of variables, Lets, symbols and buffers that statements mention."""
    names: set[str] = set()
    for stmt in L.statements(tuple(body)):
        for expr in L.expressions(stmt):
            names |= expr_names(expr)
            for one in L.walk(expr):
                if isinstance(one, L.Load):
                    names.add(one.buffer.name)
                    names |= _strides(one.buffer)
        if isinstance(stmt, (L.Store, L.Accumulate)):
            names.add(stmt.buffer.name)
            names |= index_names(stmt.index) | _strides(stmt.buffer)
        elif isinstance(stmt, L.For):
            names |= index_names((stmt.extent,))
        elif isinstance(stmt, L.Call):
            for one in L.addresses(stmt):
                names.add(one.buffer.name)
                names |= index_names(one.index) | _strides(one.buffer)
        elif isinstance(stmt, L.Transpose):
            for buffer, index in (
                (stmt.source, stmt.source_index),
                (stmt.target, stmt.target_index),
            ):
                names.add(buffer.name)
                names |= index_names(index) | _strides(buffer)
    return names


def _strides(buffer: L.Buffer) -> frozenset[str]:
    return index_names(buffer.element_strides())


STREAMING_BYTES = (12 << 20, 24 << 20)
"""From which size results are written past the caches: by one worker, which waits for each line
that it writes into them, and by several, whom the third cache serves at once.
"""


INLINE_SIZE = 64
"""Instructions, about, up to which a kernel that a loop calls is put into the loop: a call takes as
long as 10 of them."""


def is_small(func: L.LoopFunc) -> bool:
    """Whether a kernel is worth putting where it is called."""
    if any(isinstance(s, L.Call) for s in L.statements(func.body)):
        return False
    if any(isinstance(s, L.For) and s.kind == "parallel" for s in L.statements(func.body)):
        return False
    if any(isinstance(s, L.Store) and s.streaming for s in L.statements(func.body)):
        return False
    return body_size(func.body) <= INLINE_SIZE


def print_kernel(module: Module, func: L.LoopFunc, inline: bool = False) -> Builder:
    """Adds one kernel to the module, and answers the function that is called:
    `void @name(ptr buffer..., i64 symbol..., ptr error, ptr rt, ptr scratch)`.

    `inline`: it is put where it is called.
    """
    params = [(f"p_{p.name}", "ptr") for p in func.params]
    params += [(f"s_{s}", "i64") for s in func.symbols]
    params += [("error", "ptr"), ("rt", "ptr"), ("scratch", "ptr")]
    streamed = {
        s.buffer.name: s.buffer
        for s in L.statements(func.body)
        if isinstance(s, L.Store) and s.streaming
    }
    if not streamed:
        return _print_body(module, func, func.name, params, False, inline)
    # two versions: streaming stores need aligned results, and pay only when these are large
    _print_body(module, func, f"{func.name}.plain", params, False)
    _print_body(module, func, f"{func.name}.stream", params, True)
    printer = _printer(module, func, func.name, params)
    b = printer.b
    good: Val | None = None
    workers = b.load(b.gep("%rt", 1, I64), I64, align=8)  # GcRuntime of native.h
    alone, together = (b.const(nbytes, I64) for nbytes in STREAMING_BYTES)
    least = b.select(b.cmp("le", workers, 1), alone, together)
    for buffer in streamed.values():
        address = b.emit(f"ptrtoint ptr %p_{buffer.name} to i64", I64)
        aligned = b.cmp("eq", b.and_(address, 63), 0)
        nbytes = printer.index(ty.product(buffer.shape) * buffer.dtype.nbytes)
        large = b.cmp("ge", nbytes, least)
        one = b.and_(aligned, large)
        good = one if good is None else b.and_(good, one)
    assert good is not None
    arguments = ", ".join(f"{kind} %{name}" for name, kind in params)

    def call(version: str) -> list[Val]:
        b.line(f"call void @{func.name}.{version}({arguments})")
        return []

    b.branch(good, lambda: call("stream"), lambda: call("plain"))
    b.line("ret void")
    return b


def _printer(
    module: Module, func: L.LoopFunc, name: str, params: Sequence[tuple[str, str]],
    inline: bool = False,
) -> Printer:  # fmt: skip
    attributes = f"{module.isa.function_attributes()} alwaysinline" if inline else None
    builder = module.function(name, params, linkage="internal", attributes=attributes)
    printer = Printer(module, builder, name)
    for buffer in func.params:
        printer.places[buffer.name] = Place(f"%p_{buffer.name}", buffer)
    for symbol in func.symbols:
        printer.values[symbol] = Val(f"%s_{symbol}", I64, 1)
    return printer


def _print_body(
    module: Module, func: L.LoopFunc, name: str, params: Sequence[tuple[str, str]], streaming: bool,
    inline: bool = False,
) -> Builder:  # fmt: skip
    printer = _printer(module, func, name, params, inline)
    printer.streaming = streaming
    printer.block(func.body)
    printer.finish()
    return printer.b


__all__ = ["Module", "Printer", "is_small", "print_kernel"]
