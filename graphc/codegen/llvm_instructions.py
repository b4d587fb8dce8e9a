"""The instructions of one function as text: arithmetic, comparison, lanes and control flow.

`llvm_builder.Builder` is this with `llvm_convert` (casts) and memory; its module says what a Val
means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import LoweringError
from ..types import BF16, BOOL, F16, F32, F64, I32, I64, DType
from .llvm_values import Operand, Val, literal, overload_suffix, register_type

if TYPE_CHECKING:
    from .llvm_builder import Module

# ---------------------------------------------------------------------------------------- builder

_FLOAT_PREDICATES = {
    "eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge",
    "uno": "uno", "ord": "ord",
}  # fmt: skip

_PURE = frozenset(
    "add sub mul sdiv udiv srem urem shl lshr ashr and or xor icmp fadd fsub fmul fdiv fneg fcmp "
    "select getelementptr insertelement extractelement shufflevector trunc zext sext fptrunc fpext "
    "fptosi fptoui sitofp uitofp ptrtoint inttoptr bitcast".split()
)
"""Instructions that answer the same for the same operands, wherever they stand."""


class Instructions:
    """Appends instructions to the current block of one function.

    Methods that compute take Vals of one dtype and lanes (at least one operand a Val; Python
    numbers and scalars are splat to the others' lanes) and return a Val.
    """

    def __init__(self, module: Module, head: str, attributes: str) -> None:
        self.module = module
        self.isa = module.isa
        self.flags = "contract "
        self.label = "entry"
        self._head = head
        self._attributes = attributes
        self._lines: list[Any] = ["entry:"]
        self._count = 0
        self._phis: dict[str, list[tuple[Val, str]]] = {}
        self._known: dict[str, str] = {}
        """The registers that dominate the current block, by the pure instruction that made them."""

    def __len__(self) -> int:
        """Lines."""
        return len(self._lines)

    def publish(self) -> None:
        """Lets other modules call an internal function."""
        self._head = self._head.replace("define internal", "define hidden", 1)

    # -- text
    def render(self, extra: str = "") -> str:
        lines = [f"{self._head} {self._attributes} {extra}".rstrip() + " {"]
        for line in self._lines:
            lines.append(self._phi_text(*line) if isinstance(line, tuple) else line)
        return "\n".join([*lines, "}"])

    def _phi_text(self, ref: str, kind: str) -> str:
        arms = ", ".join(f"[{val.ref}, %{label}]" for val, label in self._phis[ref])
        return f"  {ref} = phi {kind} {arms}"

    def line(self, text: str) -> None:
        """An instruction without a result, as text."""
        self._lines.append("  " + text)

    def fresh(self, stem: str = "t") -> str:
        """A name that is not yet used in this function (without %)."""
        self._count += 1
        return f"{stem}.{self._count}"

    def _emit(self, text: str) -> str:
        """A pure instruction is written once where its register is known: LLVM would find it out,
        and takes longer for it than for all else.
        """
        pure = text[: text.find(" ")] in _PURE
        if pure and text in self._known:
            return self._known[text]
        ref = f"%v{self._count}"
        self._count += 1
        self._lines.append(f"  {ref} = {text}")
        if pure:
            self._known[text] = ref
        return ref

    @contextmanager
    def _scope(self) -> Iterator[None]:
        """What is computed inside is not known afterwards."""
        before = len(self._known)
        yield
        while len(self._known) > before:  # dicts keep their order: the newest go
            self._known.popitem()

    def emit(self, text: str, dtype: DType, lanes: int = 1) -> Val:
        """An instruction written by the caller, whose result has the given dtype and lanes."""
        return Val(self._emit(text), dtype, lanes)

    # -- constants and operands
    def const(self, value: Any, dtype: DType, lanes: int = 1) -> Val:
        """A literal, splat over the lanes."""
        text = literal(value, dtype)
        if lanes > 1:
            text = f"splat ({register_type(dtype)} {text})"
        return Val(text, dtype, lanes, value)

    def vector_const(self, values: Sequence[Any], dtype: DType) -> Val:
        """A literal vector."""
        kind = register_type(dtype)
        body = ", ".join(f"{kind} {literal(v, dtype)}" for v in values)
        return Val(
            f"<{body}>" if len(values) > 1 else literal(values[0], dtype), dtype, len(values)
        )

    def ramp(self, lanes: int, dtype: DType = I64, step: int = 1) -> Val:
        """<0, step, 2*step, ..>."""
        return self.vector_const([i * step for i in range(lanes)], dtype)

    def poison(self, dtype: DType, lanes: int = 1) -> Val:
        return Val("poison", dtype, lanes)

    def _same(self, *operands: Operand) -> list[Val]:
        """The operands as Vals of one dtype and lanes."""
        vals = [o for o in operands if isinstance(o, Val)]
        model, lanes = vals[0], max([v.lanes for v in vals])
        out: list[Val] = []
        for o in operands:
            if not isinstance(o, Val):
                o = self.const(o, model.dtype, lanes)
            elif o.lanes != lanes:
                o = self.splat(o, lanes)
            if o.dtype is not model.dtype:
                raise LoweringError(f"operands of {model.dtype} and {o.dtype} in one instruction")
            out.append(o)
        return out

    # -- arithmetic
    def _binary(self, integer: str, floating: str, a: Operand, b: Operand) -> Val:
        x, y = self._same(a, b)
        if x.dtype.is_float:
            return self._round(self.emit(f"{floating} {self.flags}{x}, {y.ref}", x.dtype, x.lanes))
        return self.emit(f"{integer} {x}, {y.ref}", x.dtype, x.lanes)

    def _round(self, x: Val) -> Val:
        """To the nearest value of f16 or bf16, when x has that dtype (see `Conversions`)."""
        raise NotImplementedError

    def add(self, a: Operand, b: Operand) -> Val:
        return self._binary("add", "fadd", a, b)

    def sub(self, a: Operand, b: Operand) -> Val:
        return self._binary("sub", "fsub", a, b)

    def mul(self, a: Operand, b: Operand) -> Val:
        return self._binary("mul", "fmul", a, b)

    def div(self, a: Operand, b: Operand) -> Val:
        """The quotient of floats; the raw sdiv or udiv of integers (the caller rules out b ==
        0)."""
        return self._binary("sdiv" if self._signed(a, b) else "udiv", "fdiv", a, b)

    def rem(self, a: Operand, b: Operand) -> Val:
        """The raw srem or urem of integers (the caller rules out b == 0)."""
        return self._binary("srem" if self._signed(a, b) else "urem", "frem", a, b)

    @staticmethod
    def _signed(a: Operand, b: Operand) -> bool:
        return next(o for o in (a, b) if isinstance(o, Val)).dtype.kind == "i"

    def neg(self, a: Val) -> Val:
        if a.dtype.is_float:
            return self.emit(f"fneg {a}", a.dtype, a.lanes)
        return self.sub(0, a)

    def fma(self, a: Operand, b: Operand, c: Operand) -> Val:
        """a*b + c: one rounding where the target has the instruction, else two."""
        x, y, z = self._same(a, b, c)
        if x.dtype in (F32, F64) and self.isa.has_fma:
            return self.intrinsic("fma", x, y, z)
        if x.dtype in (F16, BF16):
            wide = self.fma(*(Val(v.ref, F32, v.lanes, v.value) for v in (x, y, z)))
            return self._round(Val(wide.ref, x.dtype, x.lanes))
        return self.add(self.mul(x, y), z)

    def sqrt(self, a: Val) -> Val:
        return self._round(self.intrinsic("sqrt", a))

    def fabs(self, a: Val) -> Val:
        return self.intrinsic("fabs", a)

    def copysign(self, a: Operand, b: Operand) -> Val:
        return self.intrinsic("copysign", *self._same(a, b))

    def round_to_integer(self, mode: str, a: Val) -> Val:
        """`mode` is floor, ceil, trunc or rint; NaN, infinities and the sign of zero pass."""
        if self.isa.has_round:
            return self.intrinsic(mode, a)
        return self._round_by_addition(mode, a)

    def _round_by_addition(self, mode: str, a: Val) -> Val:
        """Adding 2**23 (2**52) rounds to an integer, to nearest even; then one step up or down."""
        magic = self.const(2.0**52 if a.dtype is F64 else 2.0**23, a.dtype, a.lanes)
        flags, self.flags = self.flags, ""
        size = self.fabs(a)
        near = self.sub(self.add(size, magic), magic)
        if mode == "trunc":
            near = self.sub(near, self.select(self.cmp("gt", near, size), 1.0, 0.0, like=a))
        near = self.copysign(near, a)
        if mode == "floor":
            near = self.sub(near, self.select(self.cmp("gt", near, a), 1.0, 0.0, like=a))
        if mode == "ceil":
            near = self.add(near, self.select(self.cmp("lt", near, a), 1.0, 0.0, like=a))
        near = self.copysign(near, a)
        self.flags = flags
        return self.select(self.cmp("lt", size, magic), near, a)

    def intrinsic(self, name: str, *args: Val) -> Val:
        """`llvm.<name>` overloaded on the dtype and lanes of its arguments, all alike."""
        first = args[0]
        symbol = f"llvm.{name}.{overload_suffix(first.dtype, first.lanes)}"
        return self.call(symbol, list(args), first.dtype, first.lanes, declare=True)

    # -- bits
    def and_(self, a: Operand, b: Operand) -> Val:
        return self._binary("and", "", a, b)

    def or_(self, a: Operand, b: Operand) -> Val:
        return self._binary("or", "", a, b)

    def xor(self, a: Operand, b: Operand) -> Val:
        return self._binary("xor", "", a, b)

    def not_(self, a: Val) -> Val:
        return self.xor(a, True if a.dtype is BOOL else -1)

    def shl(self, a: Operand, b: Operand) -> Val:
        """Raw: the count is below the width."""
        return self._binary("shl", "", a, b)

    def shr(self, a: Operand, b: Operand) -> Val:
        """Raw: arithmetic for signed dtypes, logical for unsigned ones; the count is below the
        width."""
        return self._binary("ashr" if self._signed(a, b) else "lshr", "", a, b)

    # -- comparison and choice
    def cmp(self, predicate: str, a: Operand, b: Operand) -> Val:
        """eq ne lt le gt ge (false with NaN but for ne), and uno, ord for floats."""
        x, y = self._same(a, b)
        if x.dtype.is_float:
            return self.emit(f"fcmp {_FLOAT_PREDICATES[predicate]} {x}, {y.ref}", BOOL, x.lanes)
        sign = "" if predicate in ("eq", "ne") else "s" if x.dtype.kind == "i" else "u"
        return self.emit(f"icmp {sign}{predicate} {x}, {y.ref}", BOOL, x.lanes)

    def isnan(self, a: Val) -> Val:
        return self.cmp("uno", a, a)

    def select(self, cond: Val, a: Operand, b: Operand, like: Val | None = None) -> Val:
        """a where cond, else b; `like` gives the dtype when both are Python numbers."""
        if like is not None:
            a, b, _ = self._same(a, b, like)
        x, y = self._same(a, b)
        if cond.lanes < x.lanes:
            cond = self.splat(cond, x.lanes)
        elif cond.lanes > x.lanes:
            x, y = self.splat(x, cond.lanes), self.splat(y, cond.lanes)
        return self.emit(f"select {cond}, {x}, {y}", x.dtype, x.lanes)

    def lesser(self, a: Operand, b: Operand) -> Val:
        """a < b ? a : b, one instruction on x86: b if either is NaN."""
        x, y = self._same(a, b)
        return self.select(self.cmp("lt", x, y), x, y)

    def greater(self, a: Operand, b: Operand) -> Val:
        """a > b ? a : b, one instruction on x86: b if either is NaN."""
        x, y = self._same(a, b)
        return self.select(self.cmp("gt", x, y), x, y)

    # -- lanes
    def splat(self, a: Val, lanes: int) -> Val:
        """A scalar in every lane."""
        if a.lanes == lanes:
            return a
        if a.lanes != 1:
            raise LoweringError(f"cannot spread {a.lanes} lanes over {lanes}")
        if a.value is not None:
            return self.const(a.value, a.dtype, lanes)
        kind = register_type(a.dtype, lanes)
        first = self._emit(f"insertelement {kind} poison, {a}, i64 0")
        return self.emit(
            f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer",
            a.dtype, lanes,
        )  # fmt: skip

    def extract(self, a: Val, lane: int | Val) -> Val:
        if a.lanes == 1:
            return a
        index = lane if isinstance(lane, Val) else f"i64 {lane}"
        return self.emit(f"extractelement {a}, {index}", a.dtype)

    def insert(self, vector: Val, element: Val, lane: int | Val) -> Val:
        if vector.lanes == 1:
            return element
        index = lane if isinstance(lane, Val) else f"i64 {lane}"
        return self.emit(f"insertelement {vector}, {element}, {index}", vector.dtype, vector.lanes)

    def shuffle(self, a: Val, b: Val | None, lanes: Sequence[int]) -> Val:
        """Lanes of a (0..) and b (a.lanes..); -1 is any value. a and b are vectors."""
        other = b or self.poison(a.dtype, a.lanes)
        mask = ", ".join("i32 poison" if i < 0 else f"i32 {i}" for i in lanes)
        return self.emit(
            f"shufflevector {a}, {other}, <{len(lanes)} x i32> <{mask}>", a.dtype, len(lanes)
        )

    def slice(self, a: Val, start: int, lanes: int) -> Val:
        """Lanes start .. start+lanes-1."""
        if lanes == a.lanes:
            return a
        if a.value is not None:
            return self.const(a.value, a.dtype, lanes)
        return (
            self.extract(a, start)
            if lanes == 1
            else self.shuffle(a, None, range(start, start + lanes))
        )

    def concat(self, parts: Sequence[Val]) -> Val:
        """The lanes of the parts in order; the number of parts is a power of two."""
        parts = list(parts)
        if len(parts) == 1:
            return parts[0]
        if parts[0].lanes == 1:
            out = self.poison(parts[0].dtype, len(parts))
            for lane, part in enumerate(parts):
                out = self.insert(out, part, lane)
            return out
        while len(parts) > 1:
            total = 2 * parts[0].lanes
            parts = [self.shuffle(a, b, range(total))
                     for a, b in zip(parts[::2], parts[1::2], strict=True)]  # fmt: skip
        return parts[0]

    def reduce(self, op: str, a: Val) -> Val:
        """One number from all lanes by add, mul, min, max, and, or, xor.

        The order is fixed: the upper half of the lanes joins the lower half until one is left. min
        and max propagate NaN.
        """
        if a.lanes == 1:
            return a
        if a.dtype is BOOL and op in ("and", "or", "min", "max", "add", "mul"):
            name = "and" if op in ("and", "min", "mul") else "or"
            if a.value is None and a.lanes <= 64 and self.isa.has_mask_tests:
                return self._mask_test(name, a)
            return self._reduce_mask(name, a)
        while a.lanes > 1:
            if a.lanes % 2:
                raise LoweringError(f"a reduction needs a power of two of lanes, not {a.lanes}")
            half = a.lanes // 2
            a = self.combine(op, self.slice(a, 0, half), self.slice(a, half, half))
        return a

    def _reduce_mask(self, op: str, mask: Val) -> Val:
        symbol = f"llvm.vector.reduce.{op}.v{mask.lanes}i1"
        return self.call(symbol, [mask], BOOL, 1, declare=True)

    def _mask_test(self, op: str, mask: Val) -> Val:
        """`reduce` of a mask by AVX-512's ktest.

        LLVM 22.1 reads other tests by vpmovmskb or vmovmskps of the vector that the mask came from,
        even where that is one of the registers 16 to 31, which those instructions do not know: they
        read another one (llvm-project#191304; #198197 is a second error of the same pass).
        """
        if mask.lanes < 8:
            rest = self.const(op == "and", BOOL, mask.lanes)
            wide = [*range(mask.lanes), *[mask.lanes] * (8 - mask.lanes)]
            mask = self.shuffle(mask, rest, wide)
        width = {8: "b", 16: "w", 32: "d", 64: "q"}[mask.lanes]
        if op == "or":  # ktestz: is (a & b) 0?
            empty = self.call(f"llvm.x86.avx512.ktestz.{width}", [mask, mask], I32, declare=True)
            return self.cmp("eq", empty, 0)
        ones = self.const(True, BOOL, mask.lanes)  # ktestc: is (~a & b) 0?
        full = self.call(f"llvm.x86.avx512.ktestc.{width}", [mask, ones], I32, declare=True)
        return self.cmp("ne", full, 0)

    def combine(self, op: str, a: Val, b: Val) -> Val:
        """a op b for the ops of `reduce` and of Accumulate."""
        if op in ("min", "max"):
            return self.minimum(a, b) if op == "min" else self.maximum(a, b)
        if a.dtype is BOOL:
            op = {"add": "or", "mul": "and"}.get(op, op)
        methods: dict[str, Callable[[Operand, Operand], Val]] = {
            "add": self.add, "mul": self.mul, "and": self.and_, "or": self.or_, "xor": self.xor,
        }  # fmt: skip
        return methods[op](a, b)

    def minimum(self, a: Operand, b: Operand) -> Val:
        """np.minimum: NaN if either is NaN."""
        return self._extreme("lt", *self._same(a, b))

    def maximum(self, a: Operand, b: Operand) -> Val:
        """np.maximum: NaN if either is NaN."""
        return self._extreme("gt", *self._same(a, b))

    def _extreme(self, predicate: str, a: Val, b: Val) -> Val:
        if a.dtype is BOOL:
            return self.and_(a, b) if predicate == "lt" else self.or_(a, b)
        if a.value is not None and not (a.dtype.is_float and math.isnan(a.value)):
            a, b = b, a
        if not a.dtype.is_float:
            return self.select(self.cmp(predicate, a, b), a, b)
        if b.value is not None and not math.isnan(b.value):
            return self.select(
                self.cmp(predicate, b, a), b, a
            )  # a NaN in a passes: one instruction
        chosen = self.select(self.cmp(predicate, a, b), a, b)  # a NaN in b passes
        return self.select(self.isnan(a), a, chosen)

    def any(self, mask: Val) -> Val:
        return self.reduce("or", mask)

    def any_index(self, mask: Val) -> Val:
        """`any` of comparisons of indices: LLVM folds it where they are constant, and they come
        from no vector of signs (see `_mask_test`).
        """
        return mask if mask.lanes == 1 else self._reduce_mask("or", mask)

    def all(self, mask: Val) -> Val:
        return self.reduce("and", mask)

    # -- control
    def block(self, label: str) -> None:
        """Begins a block; the previous one must have ended in a branch or return."""
        self._lines.append(f"{label}:")
        self.label = label

    def br(self, label: str) -> None:
        self.line(f"br label %{label}")

    def cond_br(self, cond: Val, then: str, otherwise: str, *, likely: bool | None = None) -> None:
        """`likely` says which way it nearly always goes."""
        weights = ""
        if likely is not None:
            a, b = (2000, 1) if likely else (1, 2000)
            text = f'!{{!"branch_weights", i32 {a}, i32 {b}}}'
            weights = f", !prof {self.module.metadata(text)}"
        self.line(f"br {cond}, label %{then}, label %{otherwise}{weights}")

    def ret(self, value: Val | None = None) -> None:
        self.line("ret void" if value is None else f"ret {value}")

    def phi(self, dtype: DType, lanes: int, *incoming: tuple[Val, str]) -> Val:
        """At the start of a block: (value, label of the block it comes from). See
        `add_incoming`."""
        ref = f"%v{self._count}"
        self._count += 1
        self._phis[ref] = list(incoming)
        self._lines.append((ref, register_type(dtype, lanes)))
        return Val(ref, dtype, lanes)

    def add_incoming(self, phi: Val, value: Val, label: str) -> None:
        self._phis[phi.ref].append((value, label))

    def branch(
        self, cond: Val, then: Callable[[], list[Val]], otherwise: Callable[[], list[Val]],
        *, likely: bool | None = None,
    ) -> list[Val]:  # fmt: skip
        """if cond (a scalar): the values of one of the two bodies, which must agree in type."""
        names = [self.fresh(stem) for stem in ("then", "else", "join")]
        self.cond_br(cond, names[0], names[1], likely=likely)
        arms = []
        for name, body in zip(names[:2], (then, otherwise), strict=True):
            self.block(name)
            with self._scope():
                values = body()
            arms.append((values, self.label))
            self.br(names[2])
        self.block(names[2])
        (left, from_left), (right, from_right) = arms
        return [
            self.phi(a.dtype, a.lanes, (a, from_left), (b, from_right))
            for a, b in zip(left, right, strict=True)
        ]

    def while_loop(
        self, state: Sequence[Val], cond: Callable[[list[Val]], Val],
        body: Callable[[list[Val]], Sequence[Val]],
    ) -> list[Val]:  # fmt: skip
        """while cond(state) (a scalar): state = body(state). Returns the last state."""
        head, inside, done = (self.fresh(s) for s in ("while", "body", "done"))
        before = self.label
        self.br(head)
        self.block(head)
        phis = [self.phi(v.dtype, v.lanes, (v, before)) for v in state]
        self.cond_br(cond(phis), inside, done)
        self.block(inside)
        with self._scope():
            values = body(phis)
        for phi, value in zip(phis, values, strict=True):
            self.add_incoming(phi, value, "?")
        last = self.label
        for phi in phis:
            value, _ = self._phis[phi.ref][-1]
            self._phis[phi.ref][-1] = (value, last)
        self.br(head)
        self.block(done)
        return phis

    def for_loop(
        self, start: Val | int, stop: Val | int, step: int, carried: Sequence[Val],
        body: Callable[[Val, list[Val]], Sequence[Val]],
    ) -> list[Val]:  # fmt: skip
        """for i in range(start, stop, step), i an i64: carried = body(i, carried). Returns the
        last."""
        first = start if isinstance(start, Val) else self.const(start, I64)

        def advance(state: list[Val]) -> list[Val]:
            values = list(body(state[0], state[1:]))
            i = self.emit(f"add nsw {state[0]}, {step}", I64)
            return [i, *values]

        return self.while_loop(
            [first, *carried], lambda state: self.cmp("lt", state[0], stop), advance
        )[1:]

    def call(
        self, symbol: str, args: Sequence[Val], dtype: DType, lanes: int = 1, *,
        declare: bool = False,
    ) -> Val:  # fmt: skip
        """Calls @symbol; `declare` also declares it with the argument types."""
        result = register_type(dtype, lanes)
        if declare:
            self.module.declare(symbol, result, [a.type for a in args])
        return self.emit(f"call {result} @{symbol}({', '.join(map(str, args))})", dtype, lanes)

    @contextmanager
    def reassociate(self) -> Iterator[None]:
        """Inside: float instructions may be reordered (accumulators of reductions only)."""
        flags, self.flags = self.flags, "reassoc contract "
        try:
            yield
        finally:
            self.flags = flags
