"""The meaning of a LoopFunc: runs it over NumPy arrays, slowly and with every access checked.

A function becomes Python source once (one Python statement for each of ours), so that the tests of
a schedule can afford it. Loops of every kind run in order; the threads of thread loops are
generators that meet at each barrier.
A value is a NumPy scalar of its dtype, an index a Python int; fresh memory holds NaN or a strange
number.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from graphc_runtime import lapack

from ..errors import VerifyError
from ..types import I64, DType
from . import evaluate_warps as warps
from .ir import (
    Accumulate,
    Address,
    Alloc,
    Barrier,
    Bitcast,
    Buffer,
    Call,
    Cast,
    Combine,
    Const,
    CopyCommit,
    CopyWait,
    Dim,
    Expr,
    Fail,
    For,
    Fragments,
    GroupCommit,
    GroupFence,
    GroupMma,
    GroupWait,
    Idx,
    If,
    Index,
    Let,
    Load,
    LoopFunc,
    Mma,
    Name,
    Scalar,
    Select,
    Stmt,
    Store,
    Transpose,
)
from .scalar import SCALAR_OPS
from .text import print_stmt
from .verify import verify

_CACHE: OrderedDict[int, tuple[LoopFunc, Callable[..., None]]] = OrderedDict()
_CACHE_ENTRIES = 64


def evaluate(
    func: LoopFunc, buffers: Mapping[str, np.ndarray], symbols: Mapping[str, int]
) -> list[int]:
    """Runs the function on arrays, which it changes; the codes that its Fails reported, each once.

    `buffers` holds an array for every parameter; those of access "temp" may be absent. A bfloat16
    buffer is an array of ml_dtypes' dtype.

    Raises:
        IndexError: a Load, Store or Accumulate outside its buffer: the buffer, the index and the
        statement.
        VerifyError: the function is not well-formed, an array does not fit its Buffer, or threads
        part at a barrier.
    """
    cached = _CACHE.get(id(func))
    if cached is None:  # by identity: 0.0 == -0.0 makes equal functions that differ
        cached = (func, _Source(func).compile())
        _CACHE[id(func)] = cached
        if len(_CACHE) > _CACHE_ENTRIES:
            _CACHE.popitem(last=False)
    for name in func.symbols:
        if name not in symbols:
            raise VerifyError(f"loops of {func.name}: the symbol {name} has no value")
    errors: dict[int, None] = {}
    with np.errstate(all="ignore"):
        cached[1](buffers, symbols, errors)
    return list(errors)


# -------------------------------------------------------------------- what the source text calls

_ACCESS = """
def access(array, stray{extents}):
    def load(stmt{index}):
        if {inside}:
            return array[{tuple}]
        stray(stmt{index})
    def store(stmt, value{index}):
        if {inside}:
            array[{tuple}] = value
        else:
            stray(stmt{index})
    def accumulate(stmt, op, value{index}):
        if {inside}:
            array[{tuple}] = op(array[{tuple}], value)
        else:
            stray(stmt{index})
    return load, store, accumulate
"""


@cache
def _access(rank: int) -> Callable[..., Any]:
    """A function of an array of that rank that gives its checked load, store and accumulate."""
    names = [f"i{d}" for d in range(rank)]
    source = _ACCESS.format(
        extents="".join(f", n{d}" for d in range(rank)),
        index="".join(f", {name}" for name in names),
        inside=" and ".join(f"0 <= i{d} < n{d}" for d in range(rank)) or "True",
        tuple=f"({', '.join(names)},)" if rank else "()",
    )
    scope: dict[str, Any] = {}
    exec(source, scope)
    return scope["access"]


def _open(buffer: Buffer, array: np.ndarray, stmts: Sequence[Stmt]) -> Any:
    def stray(stmt: int, *index: int) -> None:
        text = ", ".join(map(str, index))
        shape = ", ".join(map(str, array.shape))
        raise IndexError(
            f"{buffer.name}[{text}] is outside {buffer.name}[{shape}], "
            f"at: {print_stmt(stmts[stmt])}"
        )

    return _access(array.ndim)(array, stray, *array.shape)


def _given(buffer: Buffer, shape: tuple[int, ...], arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The array of a parameter, checked."""
    array = arrays.get(buffer.name)
    if array is None and buffer.access == "temp":
        return _fresh(buffer, shape)
    if array is None:
        raise VerifyError(f"there is no array for the buffer {buffer.name}")
    if array.shape != shape or array.dtype != buffer.dtype.numpy:
        raise VerifyError(
            f"the buffer {buffer.name} is {buffer.dtype}{list(shape)}; "
            f"the array is {array.dtype}{list(array.shape)}"
        )
    return array


def _fresh(buffer: Buffer, shape: tuple[int, ...]) -> np.ndarray:
    """Memory whose content nobody should rely on."""
    array = np.empty(shape, buffer.dtype.numpy)
    if buffer.dtype.is_float:
        array[...] = np.nan
    else:
        array.view(np.uint8)[...] = 1 if buffer.dtype.kind == "b" else 0x5A
    return array


def _place(array: np.ndarray, offset: int) -> np.ndarray:
    """The elements of a contiguous array from an offset on."""
    if not array.flags.c_contiguous:
        raise VerifyError("a routine is handed an array that is not contiguous")
    if not 0 <= offset <= array.size:
        raise IndexError(f"a routine is handed place {offset} of {array.size} elements")
    return array.reshape(-1)[offset:]


def _lockstep(threads: Iterable[Iterator[None]]) -> Iterator[None]:
    """Runs threads to their next barrier, one after the other, and stops there once."""
    live = list(threads)
    while live:
        waiting = [thread for thread in live if next(thread, True) is None]
        if waiting and len(waiting) != len(live):
            raise VerifyError("a barrier that some threads reach and others do not")
        if not waiting:
            return
        yield
        live = waiting


def _operation(op: str, dtype: DType) -> Callable[..., Any]:
    function, scalar = SCALAR_OPS[op].numpy, dtype.numpy.type
    return lambda *args: scalar(function(*args))


def _cast(dtype: DType) -> Callable[[Any], Any]:
    numpy = dtype.numpy
    return lambda value: np.asarray(value).astype(numpy)[()]


def _bitcast(dtype: DType) -> Callable[[Any], Any]:
    numpy = dtype.numpy
    return lambda value: np.asarray(value).view(numpy)[()]


# --------------------------------------------------------------------------------- source text


class _Source:
    """The Python source of a function and the objects it names."""

    def __init__(self, func: LoopFunc):
        verify(func)
        self.func = func
        self.lines: list[str] = []
        self.stmts: list[Stmt] = []
        self.globals: dict[str, Any] = {
            "i64": np.int64,
            "given": _given,
            "fresh": _fresh,
            "lockstep": _lockstep,
            "mma": warps.mma,
            "combine": warps.combine,
            "fragments": warps.fragments,
            "group_mma": warps.group_mma,
            "stmts": self.stmts,
            "place": _place,
            "call": lapack.call,
            "access": _open,
            "select": lambda cond, a, b: a if cond else b,
        }
        self.names: dict[Any, str] = {}
        self.lets: set[str] = set()
        self.threads = 0
        self.lane = ""
        """The variable of the innermost thread loop."""

    def compile(self) -> Callable[..., None]:
        self.lines.append("def run(arrays, symbols, errors):")
        for name in self.func.symbols:
            self.lines.append(f"  v_{name} = int(symbols[{name!r}])")
        for buffer in self.func.params:
            shape = self.tuple(buffer.shape)
            self.open(buffer, f"given({self.shared(buffer, 'b')}, {shape}, arrays)", "  ")
        self.block(self.func.body, "  ")
        exec(compile("\n".join(self.lines), f"<loops of {self.func.name}>", "exec"), self.globals)
        return self.globals["run"]

    def shared(self, value: Any, stem: str, key: Any = None) -> str:
        """The global name of an object; one name for one key."""
        key = (stem, id(value) if key is None else key)
        if key not in self.names:
            self.names[key] = f"{stem}{len(self.names)}"
            self.globals[self.names[key]] = value
        return self.names[key]

    # -- statements
    def open(self, buffer: Buffer, array: str, indent: str) -> None:
        names = ", ".join(f"{what}_{buffer.name}" for what in ("load", "store", "add"))
        given = f"access({self.shared(buffer, 'b')}, m_{buffer.name}, stmts)"
        self.lines.append(f"{indent}m_{buffer.name} = {array}")
        self.lines.append(f"{indent}{names} = {given}")

    def block(self, body: tuple[Stmt, ...], indent: str) -> None:
        if not body:
            self.lines.append(indent + "pass")
        for stmt in body:
            self.stmts.append(stmt)
            self.stmt(stmt, indent)

    def stmt(self, stmt: Stmt, indent: str) -> None:
        number = len(self.stmts) - 1
        if isinstance(stmt, For):
            self.for_(stmt, indent)
        elif isinstance(stmt, Let):
            self.lines.append(f"{indent}t_{stmt.name} = {self.expr(stmt.value, number)}")
            self.lets.add(stmt.name)
            if stmt.value.dtype is I64:
                self.lines.append(f"{indent}v_{stmt.name} = int(t_{stmt.name})")
        elif isinstance(stmt, Store):
            value = self.expr(stmt.value, number)
            place = self.place(stmt.index)
            self.lines.append(f"{indent}store_{stmt.buffer.name}({number}, {value}{place})")
        elif isinstance(stmt, Accumulate):
            value, place = self.expr(stmt.value, number), self.place(stmt.index)
            op = self.operation(stmt.op, stmt.buffer.dtype)
            self.lines.append(f"{indent}add_{stmt.buffer.name}({number}, {op}, {value}{place})")
        elif isinstance(stmt, Alloc):
            shape = self.tuple(stmt.buffer.shape)
            array = f"fresh({self.shared(stmt.buffer, 'b')}, {shape})"
            self.open(stmt.buffer, array, indent)
        elif isinstance(stmt, If):
            self.lines.append(f"{indent}if {self.expr(stmt.cond, number)}:")
            self.block(stmt.then, indent + " ")
            self.lines.append(f"{indent}else:")
            self.block(stmt.otherwise, indent + " ")
        elif isinstance(stmt, Barrier):
            self.lines.append(indent + "yield")
        elif isinstance(stmt, Fail):
            self.lines.append(f"{indent}if {self.expr(stmt.cond, number)}:")
            self.lines.append(f"{indent} errors[{stmt.code}] = None")
        elif isinstance(stmt, Call):
            self.call(stmt, number, indent)
        elif isinstance(stmt, Mma):
            self.mma(stmt, number, indent)
        elif isinstance(stmt, Fragments):
            self.fragments(stmt, number, indent)
        elif isinstance(stmt, (CopyCommit, CopyWait, GroupFence, GroupCommit, GroupWait)):
            self.lines.append(indent + "pass")  # what is asynchronous is done at once here
        elif isinstance(stmt, GroupMma):
            self.group_mma(stmt, number, indent)
        elif isinstance(stmt, Combine):
            self.combine(stmt, number, indent)
        else:
            self.transpose(stmt, number, indent)

    def for_(self, stmt: For, indent: str) -> None:
        extent = self.index(stmt.extent)
        self.lets.discard(stmt.var)
        if stmt.kind != "thread":
            self.lines.append(f"{indent}for v_{stmt.var} in range({extent}):")
            self.block(stmt.body, indent + " ")
            return
        thread = f"thread{len(self.lines)}"
        outer, self.lane = self.lane, stmt.var
        self.lines.append(f"{indent}board_{stmt.var} = {{}}")
        self.lines.append(f"{indent}def {thread}(v_{stmt.var}):")
        self.lines.append(f"{indent} if False: yield")  # a generator also without a barrier
        self.threads += 1
        self.block(stmt.body, indent + " ")
        self.threads -= 1
        self.lane = outer
        together = f"lockstep([{thread}(i) for i in range({extent})])"
        inside = f"yield from {together}" if self.threads else f"for _ in {together}: pass"
        self.lines.append(indent + inside)

    def transpose(self, stmt: Transpose, number: int, indent: str) -> None:
        source, target = self.index(stmt.source_index[0]), self.index(stmt.target_index[0])
        step = self.index(stmt.source_step)
        load = f"load_{stmt.source.name}({number}, {source} + r*{step} + c)"
        place = f"{number}, {load}, {target} + c*{self.index(stmt.target_step)} + r"
        self.lines.append(f"{indent}for r in range({stmt.size}):")
        self.lines.append(f"{indent} for c in range({stmt.size}):")
        self.lines.append(f"{indent}  store_{stmt.target.name}({place})")

    def call(self, stmt: Call, number: int, indent: str) -> None:
        parts = []
        for one in stmt.arguments:
            if isinstance(one, Address):
                buffer = one.buffer
                parts.append(f"place(m_{buffer.name}, {self.index(buffer.offset(one.index))})")
            else:
                parts.append(repr(one) if isinstance(one, str) else self.expr(one, number))
        self.lines.append(f"{indent}call({stmt.routine!r}, {', '.join(parts)})")

    def mma(self, stmt: Mma, number: int, indent: str) -> None:
        def held(buffer: Buffer, index: tuple[Index, ...], count: int) -> str:
            start = self.index(index[0])
            parts = (f"load_{buffer.name}({number}, {start} + {k})" for k in range(count))
            return f"[{', '.join(parts)}]"

        target = held(stmt.target, stmt.target_index, 4)
        a, b = held(stmt.a, stmt.a_index, 4), held(stmt.b, stmt.b_index, 2)
        board, dtype = f"board_{self.lane}", self.shared(stmt.dtype, "d", stmt.dtype)
        call = f"mma({board}, v_{self.lane}, {dtype}, {target}, {a}, {b})"
        self.lines.append(f"{indent}for k, x in enumerate((yield from {call})):")
        place = f"{self.index(stmt.target_index[0])} + k"
        self.lines.append(f"{indent} store_{stmt.target.name}({number}, x, {place})")

    def fragments(self, stmt: Fragments, number: int, indent: str) -> None:
        *outer, last = (self.index(i) for i in stmt.source_index)
        count = 16 // stmt.source.dtype.nbytes
        places = (", ".join((*outer, f"{last} + {k}")) for k in range(count))
        row = ", ".join(f"load_{stmt.source.name}({number}, {place})" for place in places)
        board = f"board_{self.lane}"
        call = f"fragments({board}, v_{self.lane}, [{row}], {stmt.transposed})"
        self.lines.append(f"{indent}for k, x in enumerate((yield from {call})):")
        place = f"{self.index(stmt.target_index[0])} + k"
        self.lines.append(f"{indent} store_{stmt.target.name}({number}, x, {place})")

    def group_mma(self, stmt: GroupMma, number: int, indent: str) -> None:
        start, name = self.index(stmt.target_index[0]), stmt.target.name
        own = f"[load_{name}({number}, {start} + k) for k in range({stmt.columns // 2})]"
        tiles = (
            f"m_{tile.name}, {self.tuple(index)}, {deep}, {tile.swizzled}"
            for tile, index, deep in (
                (stmt.a, stmt.a_index, stmt.a_deep), (stmt.b, stmt.b_index, stmt.b_deep)
            )
        )  # fmt: skip
        board = f"board_{self.lane}"
        call = f"group_mma({board}, v_{self.lane}, {stmt.columns}, {own}, {', '.join(tiles)})"
        self.lines.append(f"{indent}for k, x in enumerate((yield from {call})):")
        self.lines.append(f"{indent} store_{name}({number}, x, {start} + k)")

    def combine(self, stmt: Combine, number: int, indent: str) -> None:
        place = ", ".join(self.index(i) for i in stmt.index)
        op = self.operation(stmt.op, stmt.buffer.dtype)
        own = f"load_{stmt.buffer.name}({number}, {place})"
        call = f"combine(board_{self.lane}, v_{self.lane}, {stmt.lanes}, {op}, {own})"
        self.lines.append(f"{indent}joined = yield from {call}")
        self.lines.append(f"{indent}store_{stmt.buffer.name}({number}, joined, {place})")

    # -- indices
    def index(self, index: Index) -> str:
        if not isinstance(index, Dim):
            return f"({index})"
        terms = []
        for monomial, coefficient in index.terms:
            factors = [] if coefficient == 1 and monomial else [f"({coefficient})"]
            for atom in monomial:
                if isinstance(atom, str):
                    factors.append(f"v_{atom}")
                else:
                    factors.append(f"({self.index(atom[1])} {atom[0]} {self.index(atom[2])})")
            terms.append("*".join(factors))
        return f"({' + '.join(terms)})"

    def tuple(self, index: tuple[Index, ...]) -> str:
        return f"({''.join(self.index(i) + ', ' for i in index)})"

    def place(self, index: tuple[Index, ...]) -> str:
        return "".join(f", {self.index(i)}" for i in index)

    # -- expressions
    def operation(self, op: str, dtype: DType) -> str:
        name = self.names.get(("op", (op, dtype)))
        return name or self.shared(_operation(op, dtype), "op", (op, dtype))

    def expr(self, expr: Expr, number: int) -> str:
        if isinstance(expr, Const):
            value = expr.dtype.numpy.type(expr.value)
            return self.shared(value, "c", (expr.dtype, value.tobytes()))
        if isinstance(expr, Name):
            return f"t_{expr.name}" if expr.name in self.lets else f"i64(v_{expr.name})"
        if isinstance(expr, Idx):
            return f"i64({self.index(expr.index)})"
        if isinstance(expr, Load):
            load = f"load_{expr.buffer.name}({number}{self.place(expr.index)})"
            if expr.guard is None:
                return load
            zero = self.expr(Const(0, expr.dtype), number)
            return f"({load} if {self.expr(expr.guard, number)} else {zero})"
        if isinstance(expr, Scalar):
            args = ", ".join(self.expr(a, number) for a in expr.args)
            return f"{self.operation(expr.op, expr.dtype)}({args})"
        if isinstance(expr, Select):  # both are evaluated: a stray load in either is a bug
            parts = (self.expr(e, number) for e in (expr.cond, expr.a, expr.b))
            return f"select({', '.join(parts)})"
        make = _cast if isinstance(expr, Cast) else _bitcast
        assert isinstance(expr, (Cast, Bitcast))
        function = self.shared(make(expr.dtype), make.__name__, expr.dtype)
        return f"{function}({self.expr(expr.value, number)})"
