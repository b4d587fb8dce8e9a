"""Writes the body of a C function as LLVM IR text: instructions, failures with an error code, and
sizes that are counted without overflow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..types import Dim, Extent


class Body:
    """The instructions of one function, block by block.

    `negative`: an error code is answered as a negative i64, beside sizes.
    """

    def __init__(self, negative: bool = False):
        self.negative = negative
        self.block = "start"
        self._lines = ["start:"]
        self._count = 0
        self._labels = 0

    def line(self, text: str) -> None:
        self._lines.append(f"  {text}")

    def new(self, instruction: str) -> str:
        """The name of what an instruction makes."""
        self._count += 1
        self.line(f"%t{self._count} = {instruction}")
        return f"%t{self._count}"

    def alloca(self, kind: str, align: int = 8) -> str:
        """Memory of the function's frame; it is taken where the function begins, once."""
        self._count += 1
        self._lines.insert(1, f"  %t{self._count} = alloca {kind}, align {align}")
        return f"%t{self._count}"

    def label(self, stem: str) -> str:
        self._labels += 1
        return f"{stem}_{self._labels}"

    def begin(self, label: str) -> None:
        """Begins a block; the one before has ended."""
        self._lines.append(f"{label}:")
        self.block = label

    def fail(self, test: str, code: int, unless: bool = False, kind: str | None = None) -> None:
        """Answers an error code where a test holds; `unless` it cannot."""
        if not unless:
            self.fail_if(self.new(test), code, kind)

    def fail_if(self, flag: str, code: int, kind: str | None = None) -> None:
        """Answers an error code where an i1 is true."""
        bad, good = self.label("bad"), self.label("good")
        self.line(f"br i1 {flag}, label %{bad}, label %{good}, !prof !0")
        self.begin(bad)
        answer = f"i64 {-code}" if self.negative else f"{kind or 'i32'} {code}"
        self.line(f"ret {answer}")
        self.begin(good)

    def render(self) -> str:
        return "\n".join(self._lines)


class Overflow:
    """Extents as numbers at run time. `most` bounds every size; None where it was checked before.

    A size that grows with one extent alone is checked by a limit of that extent, the others by
    arithmetic that notices an overflow. On machines of 32 bits a product is compared with the
    limit before it is multiplied again, since wide products are functions of a library there.
    """

    def __init__(self, body: Body, values: Mapping[str, str], most: int | None):
        self.body, self.values, self.most = body, values, most
        self.flags: list[str] = []

    def sizes(self, sizes: Sequence[Extent], code: int) -> None:
        """Fails unless every size is from 0 to `most`."""
        assert self.most is not None
        limits = dict.fromkeys(self.values, self.most)
        harder: list[Dim] = []
        for size in dict.fromkeys(sizes):
            if not isinstance(size, Dim):
                continue
            found = _limit(size, self.most)
            if found is None:
                harder.append(size)
            else:
                limits[found[0]] = min(limits[found[0]], found[1])
        for symbol, limit in limits.items():  # unsigned: a negative extent is beyond it
            self.flags.append(self.body.new(f"icmp ugt i64 {self.values[symbol]}, {limit}"))
        self.settle(code)
        for size in harder:
            value = self.value(size)
            self.flags.append(self.body.new(f"icmp ugt i64 {value}, {self.most}"))
        self.settle(code)

    def settle(self, code: int) -> None:
        """Fails where something was noticed until now."""
        flags, self.flags = self.flags, []
        if not flags:
            return
        total = flags[0]
        for flag in flags[1:]:
            total = self.body.new(f"or i1 {total}, {flag}")
        self.body.fail_if(total, code)

    def value(self, extent: Extent) -> str:
        """An i64."""
        if not isinstance(extent, Dim):
            return str(extent)
        total: str | None = None
        for monomial, coefficient in extent.terms:
            term: str | None = None
            for atom in monomial:
                factor = self.values[atom] if isinstance(atom, str) else self._quotient(*atom)
                term = factor if term is None else self._apply("mul", term, factor)
            if term is None:
                term = str(coefficient)
            elif coefficient != 1:
                term = self._apply("mul", term, str(coefficient))
            total = term if total is None else self._apply("add", total, term)
        assert total is not None
        return total

    def _apply(self, op: str, a: str, b: str) -> str:
        body = self.body
        if self.most is None:
            return body.new(f"{op} i64 {a}, {b}")
        if self.most < 2**32:
            found = body.new(f"{op} i64 {a}, {b}")
            above = body.new(f"icmp sgt i64 {found}, {self.most}")
            below = body.new(f"icmp slt i64 {found}, {-self.most}")
            self.flags.append(body.new(f"or i1 {above}, {below}"))
            kept = body.new(f"call i64 @llvm.smin.i64(i64 {found}, i64 {self.most})")
            return body.new(f"call i64 @llvm.smax.i64(i64 {kept}, i64 {-self.most})")
        pair = body.new(f"call {{ i64, i1 }} @llvm.s{op}.with.overflow.i64(i64 {a}, i64 {b})")
        self.flags.append(body.new(f"extractvalue {{ i64, i1 }} {pair}, 1"))
        return body.new(f"extractvalue {{ i64, i1 }} {pair}, 0")

    def _quotient(self, sign: str, left: Extent, right: Extent) -> str:
        """Rounded down, as Python does; a divisor below 1 is an overflow."""
        body = self.body
        a, b = self.value(left), self.value(right)
        if isinstance(right, Dim):
            wrong = body.new(f"icmp slt i64 {b}, 1")
            if self.most is not None:
                self.flags.append(wrong)
            b = body.new(f"select i1 {wrong}, i64 1, i64 {b}")
        rest = body.new(f"srem i64 {a}, {b}")
        negative = body.new(f"icmp slt i64 {rest}, 0")
        if sign == "%":
            more = body.new(f"add i64 {rest}, {b}")
            return body.new(f"select i1 {negative}, i64 {more}, i64 {rest}")
        quotient = body.new(f"sdiv i64 {a}, {b}")
        step = body.new(f"sext i1 {negative} to i64")
        return body.new(f"add i64 {quotient}, {step}")


def _limit(size: Dim, most: int) -> tuple[str, int] | None:
    """(symbol, greatest value) where a size grows with one extent alone, a * symbol + b."""
    step = rest = 0
    symbol = None
    for monomial, coefficient in size.terms:
        if coefficient < 0 or len(monomial) > 1:
            return None
        if not monomial:
            rest = coefficient
        elif isinstance(monomial[0], str) and symbol in (None, monomial[0]):
            symbol, step = monomial[0], coefficient
        else:
            return None
    return (symbol, (most - rest) // step) if symbol is not None and step else None
