"""Dtypes, symbolic extents and tensor types.

Every layer reads them; this module imports nothing of ours but errors.

Grammar of the text forms:

    type    = dtype "[" extent ("," extent)* "]"         f32[b, 784]   i64[]
    dtype   = bool | i8..i64 | u8..u64 | f16 | bf16 | f32 | f64 | c64 | c128
    extent  = integer | polynomial over names, `//` and `%`       b   2*b + 1   b*n   (b + 1)//2
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

import numpy as np
from graphc_runtime.records import dataclass

from .errors import ShapeMismatch, TraceError, TypeMismatch

# ---------------------------------------------------------------------------------------- dtypes


@dataclass(frozen=True, slots=True, eq=False)
class DType:
    """An element type. Interned: compare with `is` or `==`.

    `kind` is one of "b" bool, "i" signed, "u" unsigned, "f" float, "c" complex; `bits` the width in
    memory.
    """

    name: str
    numpy_name: str
    kind: str
    bits: int

    @property
    def nbytes(self) -> int:
        return self.bits // 8

    @property
    def numpy(self) -> np.dtype:
        return _numpy_dtype(self.name)

    @property
    def is_float(self) -> bool:
        return self.kind == "f"

    @property
    def is_integer(self) -> bool:
        return self.kind in "iu"

    @property
    def is_complex(self) -> bool:
        return self.kind == "c"

    @property
    def real(self) -> DType:
        """The dtype of the parts of a complex number; itself otherwise."""
        return {"c64": F32, "c128": F64}.get(self.name, self)

    def __repr__(self) -> str:
        return self.name


BOOL = DType("bool", "bool", "b", 8)
I8 = DType("i8", "int8", "i", 8)
I16 = DType("i16", "int16", "i", 16)
I32 = DType("i32", "int32", "i", 32)
I64 = DType("i64", "int64", "i", 64)
U8 = DType("u8", "uint8", "u", 8)
U16 = DType("u16", "uint16", "u", 16)
U32 = DType("u32", "uint32", "u", 32)
U64 = DType("u64", "uint64", "u", 64)
F16 = DType("f16", "float16", "f", 16)
BF16 = DType("bf16", "bfloat16", "f", 16)
F32 = DType("f32", "float32", "f", 32)
F64 = DType("f64", "float64", "f", 64)
C64 = DType("c64", "complex64", "c", 64)
C128 = DType("c128", "complex128", "c", 128)

DTYPES: dict[str, DType] = {
    d.name: d for d in (BOOL, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64, C64, C128)
}
_BY_NUMPY_NAME = {d.numpy_name: d for d in DTYPES.values()}


@cache
def _numpy_dtype(name: str) -> np.dtype:
    if name == "bf16":
        import ml_dtypes  # only programs that use bfloat16 pay for this import

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(DTYPES[name].numpy_name)


@lru_cache(maxsize=256)
def _from_numpy(dtype: np.dtype) -> DType:
    found = _BY_NUMPY_NAME.get(dtype.name)
    if found is None:
        raise TypeMismatch(
            f"dtype {dtype} has no place in a graph; graphc computes with "
            f"{', '.join(_BY_NUMPY_NAME)}. "
            f"Convert the array first, for example x.astype(np.float32)"
        )
    return found


def dtype(spec: Any) -> DType:
    """The DType of a short name, a NumPy name, a NumPy dtype or scalar type, or a Python type.

    Raises:
        TypeMismatch: for object, string, datetime, structured and long double dtypes.
    """
    if isinstance(spec, DType):
        return spec
    if isinstance(spec, str) and spec in DTYPES:
        return DTYPES[spec]
    if isinstance(spec, str) and spec == "bfloat16":
        return BF16
    try:
        return _from_numpy(np.dtype(spec).newbyteorder("="))
    except TypeError as error:
        if isinstance(error, TypeMismatch):
            raise
        raise TypeMismatch(f"{spec!r} is not a dtype") from None


@cache
def promote(a: DType, b: DType) -> DType:
    """NumPy 2's promotion of two dtypes (Source: numpy.result_type; ml_dtypes for bfloat16)."""
    if a is b:
        return a
    if BF16 in (a, b):
        other = b if a is BF16 else a
        if other is F16:
            return F32
        return other if other.kind in "fc" and other.bits >= 32 else BF16
    return dtype(np.promote_types(a.numpy, b.numpy))


# --------------------------------------------------------------------------------------- extents

Atom = str | tuple
"""A name, or ("//", dividend, divisor), or ("%", dividend, divisor) of extents."""

Monomial = tuple[Atom, ...]


def _atom_key(atom: Atom) -> str:
    return atom if isinstance(atom, str) else "~" + _atom_text(atom)


def _atom_text(atom: Atom) -> str:
    if isinstance(atom, str):
        return atom
    symbol, left, right = atom
    return f"{_grouped(left)}{symbol}{_grouped(right)}"


def _grouped(extent: Extent) -> str:
    text = str(extent)
    return text if text.isidentifier() or text.isdigit() else f"({text})"


class Dim:
    """A symbolic extent: a polynomial with integer coefficients in normal form.

    Immutable, hashable. The atoms are names and the results of `//` and `%` that do not simplify.
    Two Dims are equal when their normal forms are. An extent that turns out constant is an `int`,
    never a Dim. Arithmetic: `+ - * // %` with ints and Dims. `terms` maps a monomial (sorted atoms)
    to its coefficient.
    """

    __slots__ = ("_hash", "_names", "terms")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]):
        self.terms = terms
        self._hash = hash(terms)
        self._names: frozenset[str] | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names that it depends on."""
        if self._names is None:
            self._names = frozenset(_names(self))
        return self._names

    @staticmethod
    def symbol(name: str) -> Dim:
        if not name.isidentifier():
            raise ShapeMismatch(f"{name!r} cannot name a dimension; use an identifier such as 'b'")
        return Dim((((name,), 1),))

    # -- arithmetic
    def __add__(self, other: Extent) -> Extent:
        return _combine(self, other, 1) if isinstance(other, (int, Dim)) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Extent) -> Extent:
        return _combine(self, other, -1) if isinstance(other, (int, Dim)) else NotImplemented

    def __rsub__(self, other: Extent) -> Extent:
        return -self + other

    def __neg__(self) -> Dim:
        return Dim(tuple((m, -c) for m, c in self.terms))

    def __mul__(self, other: Extent) -> Extent:
        if isinstance(other, Dim):
            terms: dict[Monomial, int] = {}
            for left, a in self.terms:
                for right, b in other.terms:
                    monomial = tuple(sorted(left + right, key=_atom_key))
                    terms[monomial] = terms.get(monomial, 0) + a * b
            return _normal(terms)
        if isinstance(other, (int, np.integer)) and not isinstance(other, bool):
            if other == 1:
                return self
            return 0 if other == 0 else Dim(tuple((m, c * int(other)) for m, c in self.terms))
        return NotImplemented

    __rmul__ = __mul__

    def __floordiv__(self, other: Extent) -> Extent:
        if not isinstance(other, (int, Dim)):
            return NotImplemented
        return _floordiv(self, other)

    def __rfloordiv__(self, other: int) -> Extent:
        return _floordiv(other, self)

    def __mod__(self, other: Extent) -> Extent:
        if not isinstance(other, (int, Dim)):
            return NotImplemented
        return _mod(self, other)

    def __rmod__(self, other: int) -> Extent:
        return _mod(other, self)

    # -- comparison: by normal form; order is only answered when it holds for every value >= 0
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self._hash == other._hash and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def _ordered(self, other: Any, symbol: str) -> bool:
        if not isinstance(other, (int, Dim)):
            return NotImplemented
        low, high = bounds(self - other)
        if symbol in (">=", "<") and low is not None and low >= 0:
            return symbol == ">="
        if symbol in (">=", "<") and high is not None and high < 0:
            return symbol == "<"
        if symbol in (">", "<=") and low is not None and low > 0:
            return symbol == ">"
        if symbol in (">", "<=") and high is not None and high <= 0:
            return symbol == "<="
        raise TraceError(
            f"whether {self} {symbol} {other} depends on the extent at run time. "
            f"Declare the extent as a number, or write the program so that it does not ask"
        )

    def __ge__(self, other: Any) -> bool:
        return self._ordered(other, ">=")

    def __gt__(self, other: Any) -> bool:
        return self._ordered(other, ">")

    def __le__(self, other: Any) -> bool:
        return self._ordered(other, "<=")

    def __lt__(self, other: Any) -> bool:
        return self._ordered(other, "<")

    def __bool__(self) -> bool:
        return bool(self > 0)

    def __index__(self) -> int:
        raise TraceError(
            f"the extent {self} is symbolic: Python cannot count to it (range, int, list "
            f"indexing). Use graphc.numpy over the whole axis, or declare the extent as a number"
        )

    __int__ = __index__

    # -- text
    def __str__(self) -> str:
        parts: list[str] = []
        for monomial, coefficient in self.terms:
            atoms = "*".join(
                a
                if isinstance(a, str)
                else f"({_atom_text(a)})"
                if len(monomial) > 1 or coefficient != 1
                else _atom_text(a)
                for a in monomial
            )
            size = abs(coefficient)
            text = atoms if size == 1 and monomial else f"{size}*{atoms}" if monomial else str(size)
            parts.append(("- " if coefficient < 0 else "+ ") + text)
        text = " ".join(parts)
        return text[2:] if text.startswith("+ ") else "-" + text[2:]

    def __repr__(self) -> str:
        return f"Dim({self})"


Extent = int | Dim


def _normal(terms: Mapping[Monomial, int]) -> Extent:
    kept = [(m, c) for m, c in terms.items() if c]
    if not kept:
        return 0
    if len(kept) == 1:
        return Dim(tuple(kept)) if kept[0][0] else kept[0][1]
    # names first in alphabetical order, higher degree first, the constant last
    kept.sort(key=_term_key)
    return Dim(tuple(kept))


def _term_key(term: tuple[Monomial, int]) -> tuple[bool, int, tuple[str, ...]]:
    return _monomial_key(term[0])


@lru_cache(maxsize=1 << 14)
def _monomial_key(monomial: Monomial) -> tuple[bool, int, tuple[str, ...]]:
    return monomial == (), -len(monomial), tuple(_atom_key(a) for a in monomial)


def _terms(extent: Extent) -> dict[Monomial, int]:
    if isinstance(extent, Dim):
        return dict(extent.terms)
    return {(): int(extent)} if extent else {}


def _combine(a: Extent, b: Extent, sign: int) -> Extent:
    if not isinstance(b, Dim) and b == 0:
        return a
    terms = _terms(a)
    for monomial, coefficient in _terms(b).items():
        terms[monomial] = terms.get(monomial, 0) + sign * coefficient
    return _normal(terms)


def _floordiv(a: Extent, b: Extent) -> Extent:
    if not isinstance(b, Dim):
        if b == 0:
            raise ShapeMismatch("an extent is divided by zero")
        if b == 1:
            return a
        if not isinstance(a, Dim):
            return a // b
        # (b*q + r)//b = q + r//b for the terms whose coefficient b divides
        exact = _normal({m: c // b for m, c in a.terms if c % b == 0})
        rest = _normal({m: c for m, c in a.terms if c % b})
        if isinstance(rest, Dim):
            return Dim(((((("//", rest, b)),), 1),)) + exact
        return exact + rest // b
    if a == b:
        return 1
    if isinstance(a, Dim) and len(b.terms) == 1 and b.terms[0][1] == 1:
        # every term that has the whole divisor as a factor divides exactly
        divisor = b.terms[0][0]
        exact_terms: dict[Monomial, int] = {}
        rest_terms: dict[Monomial, int] = {}
        for monomial, coefficient in a.terms:
            left = list(monomial)
            if all(atom in left and (left.remove(atom) or True) for atom in divisor):
                exact_terms[tuple(left)] = coefficient
            else:
                rest_terms[monomial] = coefficient
        if exact_terms:
            return _normal(exact_terms) + _floordiv(_normal(rest_terms), b)
    if not isinstance(a, Dim) and a == 0:
        return 0
    return Dim((((("//", a, b),), 1),))


def _mod(a: Extent, b: Extent) -> Extent:
    if not isinstance(b, Dim):
        if b == 1:
            return 0
        if not isinstance(a, Dim):
            return a % b
        rest = _normal({m: c % b for m, c in a.terms})
        return Dim((((("%", rest, b),), 1),)) if isinstance(rest, Dim) else rest % b
    if a == b or (not isinstance(a, Dim) and a == 0):
        return 0
    quotient = _floordiv(a, b)
    if not any(isinstance(atom, tuple) for m, _ in _terms(quotient).items() for atom in m):
        return a - quotient * b
    return Dim((((("%", a, b),), 1),))


def extent(spec: Any) -> Extent:
    """An extent from an int, a Dim, or text such as "b" or "2*b + 1".

    Raises:
        ShapeMismatch: when the text is no polynomial over names, or the number is negative.
    """
    if isinstance(spec, Dim):
        return spec
    if isinstance(spec, str):
        return parse_extent(spec)
    if isinstance(spec, (int, np.integer)) and not isinstance(spec, bool):
        if spec < 0:
            raise ShapeMismatch(f"an extent cannot be negative: {spec}")
        return int(spec)
    raise ShapeMismatch(f"{spec!r} is not an extent; give an int or a name such as 'b'")


@lru_cache(maxsize=4096)
def parse_extent(text: str) -> Extent:
    """Reads the text form of an extent (see the module's grammar)."""
    try:
        return _walk(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, KeyError):
        raise ShapeMismatch(
            f"{text!r} is not an extent; write for example 'b' or '2*b + 1'"
        ) from None


def _walk(tree: ast.expr) -> Extent:
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int):
        return tree.value
    if isinstance(tree, ast.Name):
        return Dim.symbol(tree.id)
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return -_walk(tree.operand)
    if isinstance(tree, ast.BinOp):
        left, right = _walk(tree.left), _walk(tree.right)
        if isinstance(tree.op, ast.Add):
            return left + right
        if isinstance(tree.op, ast.Sub):
            return left - right
        if isinstance(tree.op, ast.Mult):
            return left * right
        if isinstance(tree.op, ast.FloorDiv):
            return left // right
        if isinstance(tree.op, ast.Mod):
            return left % right
    raise KeyError(ast.dump(tree))


def symbols(extent: Extent) -> frozenset[str]:
    """The names that an extent depends on."""
    return extent.names if isinstance(extent, Dim) else _NO_NAMES


_NO_NAMES: frozenset[str] = frozenset()


def _names(extent: Dim) -> Iterator[str]:
    for monomial, _ in extent.terms:
        for atom in monomial:
            if isinstance(atom, str):
                yield atom
            else:
                yield from symbols(atom[1])
                yield from symbols(atom[2])


def substitute(extent: Extent, env: Mapping[str, Extent]) -> Extent:
    """The extent with names replaced by other extents; names that `env` lacks stay."""
    if not isinstance(extent, Dim) or not any(name in env for name in extent.names):
        return extent
    total: dict[Monomial, int] = {}
    for monomial, coefficient in extent.terms:
        kept: list[Atom] = []
        factors: list[Dim] = []
        for atom in monomial:
            new = _substituted(atom, env)
            if new is None:
                kept.append(atom)
            elif isinstance(new, Dim):
                factors.append(new)
            else:
                coefficient *= new
        if not coefficient:
            continue
        if not factors:
            term = tuple(kept)
            total[term] = total.get(term, 0) + coefficient
            continue
        product: Extent = factors[0]
        for factor in factors[1:]:
            product = product * factor
        if kept:
            product = product * Dim(((tuple(kept), 1),))
        for term, count in _terms(product).items():
            total[term] = total.get(term, 0) + count * coefficient
    return _normal(total)


def _substituted(atom: Atom, env: Mapping[str, Extent]) -> Extent | None:
    """What an atom becomes; None where it stays."""
    if isinstance(atom, str):
        return env.get(atom)
    left, right = substitute(atom[1], env), substitute(atom[2], env)
    if left is atom[1] and right is atom[2]:
        return None
    return left // right if atom[0] == "//" else left % right


def linear(extent: Extent, name: str) -> tuple[Extent, Extent] | None:
    """(step, rest) with extent = step * name + rest, neither of which has the name; None where
    there are none.
    """
    if not isinstance(extent, Dim) or name not in extent.names:
        return 0, extent
    step: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, coefficient in extent.terms:
        if name not in monomial:
            rest[monomial] = coefficient
            others = monomial
        else:
            place = monomial.index(name)
            others = monomial[:place] + monomial[place + 1 :]
            step[others] = coefficient
        if any(a == name if isinstance(a, str) else _about(a, name) for a in others):
            return None
    return _normal(step), _normal(rest)


def _about(atom: tuple, name: str) -> bool:
    return name in symbols(atom[1]) or name in symbols(atom[2])


def bounds(
    extent: Extent, known: Mapping[str, tuple[int | None, int | None]] | None = None
) -> tuple[int | None, int | None]:
    """The least and greatest value (None: unbounded) that an extent can take.

    Names that `known` does not hold are at least 0. Interval arithmetic: never too narrow,
    sometimes too wide.
    """
    if not isinstance(extent, Dim):
        return extent, extent
    low: int | None = 0
    high: int | None = 0
    for monomial, coefficient in extent.terms:
        interval: tuple[int | None, int | None] = (1, 1)
        for atom in monomial:
            interval = _times(interval, _atom_bounds(atom, known))
        a, b = _times(interval, (coefficient, coefficient))
        low = None if low is None or a is None else low + a
        high = None if high is None or b is None else high + b
    return low, high


def _atom_bounds(
    atom: Atom, known: Mapping[str, tuple[int | None, int | None]] | None
) -> tuple[int | None, int | None]:
    if isinstance(atom, str):
        return (known or {}).get(atom, (0, None))
    symbol, left, right = atom
    (a, b), (c, d) = bounds(left, known), bounds(right, known)
    if c is None or c <= 0:
        return None, None
    if symbol == "%":
        if a is not None and a >= 0 and b is not None and b < c:
            return a, b
        return 0, None if d is None else d - 1
    low = None if a is None else a // c if a < 0 else 0 if d is None else a // d
    high = None if b is None else b // c if b >= 0 else -1 if d is None else b // d
    return low, high


def _times(
    x: tuple[int | None, int | None], y: tuple[int | None, int | None]
) -> tuple[int | None, int | None]:
    if x == (1, 1):
        return y
    (a, b), (c, d) = x, y
    if None not in (a, b, c, d):
        corners = [a * c, a * d, b * c, b * d]  # type: ignore[operator]
        return min(corners), max(corners)
    if a is not None and a >= 0 and c is not None and c >= 0:
        return a * c, None if b is None or d is None else b * d
    if c is not None and c == d:
        if c == 0:
            return 0, 0
        low, high = (None if a is None else a * c), (None if b is None else b * c)
        return (low, high) if c > 0 else (high, low)
    if a is not None and a == b:
        return _times(y, x)
    return None, None


# ------------------------------------------------------------------------------------------ types


@dataclass(frozen=True, slots=True)
class TensorType:
    """A dtype and a shape. An extent is an int or a Dim."""

    dtype: DType
    shape: tuple[Extent, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Extent:
        return product(self.shape)

    @property
    def nbytes(self) -> Extent:
        return self.size * self.dtype.nbytes

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(dtype, self.shape)

    def with_shape(self, shape: Iterable[Extent]) -> TensorType:
        return TensorType(self.dtype, tuple(shape))

    def __str__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(str, self.shape))}]"


def parse_type(text: str) -> TensorType:
    """Reads `f32[b, 784]`.

    Raises:
        TypeMismatch, ShapeMismatch: with the text that could not be read.
    """
    name, bracket, rest = text.strip().partition("[")
    if not bracket or not rest.endswith("]") or name not in DTYPES:
        raise TypeMismatch(f"{text!r} is not a type; write for example f32[b, 784] or i64[]")
    inner = rest[:-1].strip()
    return TensorType(
        DTYPES[name], tuple(parse_extent(e) for e in inner.split(",")) if inner else ()
    )


def product(extents: Iterable[Extent]) -> Extent:
    total: Extent = 1
    for one in extents:
        total = total * one
    return total


def broadcast_shapes(*shapes: tuple[Extent, ...]) -> tuple[Extent, ...]:
    """NumPy's broadcasting of shapes; a symbolic extent matches itself and 1.

    Raises:
        ShapeMismatch: naming the two extents and the axis.
    """
    rank = max((len(s) for s in shapes), default=0)
    result: list[Extent] = []
    for axis in range(-rank, 0):
        chosen: Extent = 1
        for shape in shapes:
            if -axis > len(shape) or shape[axis] == 1:
                continue
            if chosen == 1:
                chosen = shape[axis]
            elif chosen != shape[axis]:
                text = " and ".join("(" + ", ".join(map(str, s)) + ")" for s in shapes)
                raise ShapeMismatch(
                    f"shapes {text} do not broadcast: axis {axis} is {chosen} in one "
                    f"and {shape[axis]} in another"
                )
        result.append(chosen)
    return tuple(result)
