"""Loops as Python-like text: for people, golden tests, and as a key: equal text, equal function.

    def softmax(x: in f32[n, 784], y: out f32[n, 784]; n):
        for i in parallel(n):
            m: register f32[1]
            m[0] = -inf
            for j in range(784):
                m[0] max= x[i, j]
            for j in range(784):
                e: f32 = exp(x[i, j] - m[0])
                y[i, j] = e

A constant is bare where its neighbours say its dtype, else `f32(1.5)`. `x[i].ahead(n)` asks for the
bytes n further on, `(x[i] if c)` is a guarded load.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..types import I64, DType
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

_INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "and": "&",
    "or": "|",
    "xor": "^",
    "shl": "<<",
    "shr": ">>",
}
_PREFIX = {"not": "~", "neg": "-"}


def print_loops(func: LoopFunc) -> str:
    """The text of a function; the same text for the same function, always."""
    params = ", ".join(_declared(buffer) for buffer in func.params)
    symbols = f"; {', '.join(func.symbols)}" if func.symbols else ""
    head = f"def {func.name}({params}{symbols}):"
    return "\n".join([head, *_block(func.body, "    ")]) + "\n"


def print_stmt(stmt: Stmt) -> str:
    """One statement, with what is inside it."""
    return "\n".join(_stmt(stmt, ""))


def print_expr(expr: Expr, known: DType | None = None) -> str:
    """An expression; constants of the dtype `known` are bare."""
    return _outer(expr, known)


# ------------------------------------------------------------------------------------ statements


def _declared(buffer: Buffer) -> str:
    """`name: access space dtype[shape]`, then what differs from the ordinary."""
    words = [] if buffer.access == "temp" else [buffer.access]
    words += [] if buffer.space == "global" and words else [buffer.space]
    text = f"{buffer.name}: {' '.join(words)} {buffer.dtype.name}[{_indices(buffer.shape)}]"
    if buffer.strides is not None:
        text += f" strides ({_indices(buffer.strides)})"
    text += f" align {buffer.align}" if buffer.align else ""
    return text + " swizzled" * buffer.swizzled


def _block(body: tuple[Stmt, ...], indent: str) -> Iterator[str]:
    if not body:
        yield indent + "pass"
    for stmt in body:
        yield from _stmt(stmt, indent)


def _stmt(stmt: Stmt, indent: str) -> Iterator[str]:
    deeper = indent + "    "
    if isinstance(stmt, For):
        kind = "range" if stmt.kind == "serial" else stmt.kind
        yield f"{indent}for {stmt.var} in {kind}({stmt.extent}):"
        yield from _block(stmt.body, deeper)
    elif isinstance(stmt, Let):
        dtype = stmt.value.dtype
        yield f"{indent}{stmt.name}: {dtype.name} = {_outer(stmt.value, dtype)}"
    elif isinstance(stmt, Store):
        mark = "  # streaming" if stmt.streaming else ""
        mark += "  # asynchronous" if stmt.asynchronous else ""
        value = _outer(stmt.value, stmt.buffer.dtype)
        yield f"{indent}{_place(stmt.buffer, stmt.index)} = {value}{mark}"
    elif isinstance(stmt, Accumulate):
        value = _outer(stmt.value, stmt.buffer.dtype)
        yield f"{indent}{_place(stmt.buffer, stmt.index)} {_INFIX.get(stmt.op, stmt.op)}= {value}"
    elif isinstance(stmt, Alloc):
        yield indent + _declared(stmt.buffer)
    elif isinstance(stmt, If):
        yield f"{indent}if {_outer(stmt.cond, None)}:"
        yield from _block(stmt.then, deeper)
        if stmt.otherwise:
            yield f"{indent}else:"
            yield from _block(stmt.otherwise, deeper)
    elif isinstance(stmt, Barrier):
        yield indent + "barrier" + ", for tensor cores too" * stmt.proxies
    elif isinstance(stmt, Fail):
        yield f"{indent}fail {stmt.code} if {_outer(stmt.cond, None)}"
    elif isinstance(stmt, Mma):
        a, b = _place(stmt.a, stmt.a_index), _place(stmt.b, stmt.b_index)
        target = _place(stmt.target, stmt.target_index)
        yield f"{indent}{target} += mma_{stmt.kind}({a}, {b})"
    elif isinstance(stmt, Fragments):
        target = _place(stmt.target, stmt.target_index)
        source = _place(stmt.source, stmt.source_index)
        yield f"{indent}{target} = fragments({source}{', transposed' * stmt.transposed})"
    elif isinstance(stmt, CopyCommit):
        yield indent + "commit copies"
    elif isinstance(stmt, CopyWait):
        yield f"{indent}wait for copies but the last {stmt.pending}"
    elif isinstance(stmt, GroupMma):
        yield indent + _group_product(stmt)
    elif isinstance(stmt, GroupFence):
        yield indent + "fence products"
    elif isinstance(stmt, GroupCommit):
        yield indent + "commit products"
    elif isinstance(stmt, GroupWait):
        yield f"{indent}wait for products in {stmt.target.name} but the last {stmt.pending}"
    elif isinstance(stmt, Combine):
        place = _place(stmt.buffer, stmt.index)
        yield f"{indent}{place} = {stmt.op} of {stmt.lanes} lanes"
    elif isinstance(stmt, Call):
        yield f"{indent}{stmt.routine}({', '.join(map(_argument, stmt.arguments))})"
    else:
        yield indent + _transposed(stmt)


def _argument(one: Address | str | Expr) -> str:
    if isinstance(one, Address):
        return f"&{_place(one.buffer, one.index)}"
    return repr(one) if isinstance(one, str) else _outer(one, one.dtype)


def _group_product(stmt: GroupMma) -> str:
    sides = (
        f"{_place(buffer, index)} {'deep' if deep else 'flat'}"
        for buffer, index, deep in (
            (stmt.a, stmt.a_index, stmt.a_deep), (stmt.b, stmt.b_index, stmt.b_deep)
        )
    )  # fmt: skip
    target = _place(stmt.target, stmt.target_index)
    return f"{target} += group_mma_{stmt.columns}({', '.join(sides)})"


def _transposed(stmt: Transpose) -> str:
    target = f"{_place(stmt.target, stmt.target_index)} by {stmt.target_step}"
    source = f"{_place(stmt.source, stmt.source_index)} by {stmt.source_step}"
    return f"{target} = transpose({source}, {stmt.size})"


# ----------------------------------------------------------------------------------- expressions


def _indices(index: tuple[Index, ...]) -> str:
    return ", ".join(map(str, index))


def _place(buffer: Buffer, index: tuple[Index, ...]) -> str:
    return f"{buffer.name}[{_indices(index)}]"


def _outer(expr: Expr, known: DType | None) -> str:
    """The text without the parentheses that an operand needs."""
    text = _text(expr, known)
    infix = isinstance(expr, Scalar) and expr.op in _INFIX
    return text[1:-1] if infix or (isinstance(expr, Idx) and text[0] == "(") else text


def _text(expr: Expr, known: DType | None) -> str:
    if isinstance(expr, Const):
        return _const(expr, known)
    if isinstance(expr, Name):
        return expr.name
    if isinstance(expr, Idx):
        text = str(expr.index)
        if isinstance(expr.index, int):
            return text if known is I64 else f"i64({text})"
        return text if text.isidentifier() else f"({text})"
    if isinstance(expr, Load):
        place = _place(expr.buffer, expr.index)
        if expr.ahead:
            level = "" if expr.level == 2 else f", {expr.level}"
            place = f"{place}.ahead({expr.ahead}{level})"
        return place if expr.guard is None else f"({place} if {_outer(expr.guard, None)})"
    if isinstance(expr, (Cast, Bitcast)):
        name = expr.dtype.name if isinstance(expr, Cast) else f"bits_as_{expr.dtype.name}"
        return f"{name}({_outer(expr.value, None)})"
    if isinstance(expr, Select):
        dtype = _evident((expr.a, expr.b)) or known
        a, b = _text(expr.a, dtype), _text(expr.b, dtype)
        return f"({a} if {_text(expr.cond, None)} else {b})"
    return _scalar(expr, known)


def _scalar(expr: Scalar, known: DType | None) -> str:
    dtype = _evident(expr.args)
    if dtype is None and known is expr.dtype and expr.args and expr.args[0].dtype is expr.dtype:
        dtype = known
    if expr.op in _INFIX and len(expr.args) == 2:
        a, b = (_text(arg, dtype) for arg in expr.args)
        return f"({a} {_INFIX[expr.op]} {b})"
    if expr.op in _PREFIX and not isinstance(expr.args[0], (Const, Idx)):
        return _PREFIX[expr.op] + _text(expr.args[0], dtype)
    return f"{expr.op}({', '.join(_outer(arg, dtype) for arg in expr.args)})"


def _evident(args: tuple[Expr, ...]) -> DType | None:
    """The dtype that the arguments show by themselves, unless all of them are made of constants."""
    for arg in args:
        if isinstance(arg, (Name, Load, Cast, Bitcast)):
            return arg.dtype
        if isinstance(arg, Idx) and not isinstance(arg.index, int):
            return I64
        if isinstance(arg, (Scalar, Select)):
            parts = arg.args if isinstance(arg, Scalar) else (arg.a, arg.b)
            if _evident(parts) is not None:
                return arg.dtype
    return None


def _const(expr: Const, known: DType | None) -> str:
    value = expr.value
    if expr.dtype.kind == "b":
        return str(bool(value))
    text = repr(value)
    if expr.dtype.is_float:
        value = float(value)
        text = (
            ("-nan" if math.copysign(1.0, value) < 0 else "nan") if value != value else repr(value)
        )
    return text if expr.dtype is known else f"{expr.dtype.name}({text})"
