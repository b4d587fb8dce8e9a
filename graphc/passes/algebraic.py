"""Laws of arithmetic and logic that hold for every value.

    %1 = full{value=1.0, dtype=f32, shape=(n,)}
    %2 = mul %x %1                                  ->   %1 = mul %x %x
    %3 = pow %2 %two                                     return %1

Requires: canonical form (constants are `full` and on the right).
Guarantees: none of the left sides of the rules below is left. No node costs more than before.
    Exact for NaN, infinities, signed zeros and integers that wrap, except powers of floats:
    pow(x, 2) and pow(x, -1) become what they approximate, correctly rounded; pow(x, 3) and
    pow(x, 4) become products, within 1.5 and 2.5 ulp of the exact power. The sign and the payload
    of a NaN do not count.
    Not done, because some value would change: x + 0.0 (x = -0.0), x - x and x*0 of floats (NaN,
    infinity), pow(x, 0.5) -> sqrt(x) (-infinity, -0.0), sqrt(x*x), exp(log(x)), x/c -> x*(1/c)
    unless 1/c is exact, a reordering of float additions.
Placement: last in the simplifying group; the group is repeated, since what it makes may fold again.
Cost: one walk. A rule looks at a node and its operands' nodes.
"""

from __future__ import annotations

import math

from .. import ops as _ops  # noqa: F401  importing the cards registers them
from .. import types as ty
from ..ir import Graph, Node, Value
from ..opdef import cards
from .canonicalize import Replacement, RuleSet, operand
from .everywhere import everywhere
from .fold import Scalar, at_least_one, evaluated, full, uniform

RULES = RuleSet()
new = RULES.new

_ELEMENTWISE = cards("elementwise")
_SMALLEST_EXPONENT = {"f16": -14, "bf16": -126, "f32": -126, "f64": -1022}
_DIGITS = {"f16": 11, "bf16": 8, "f32": 24, "f64": 53}


@everywhere
def algebraic(graph: Graph) -> Graph:
    """The graph with the laws applied."""
    return RULES.apply(graph)


def equals(c: Scalar | None, number: float) -> bool:
    """Whether a scalar is that number; of zeros, the one with that sign when it is a float."""
    if c is None or c != number:
        return False
    if isinstance(c, complex):
        signs = {math.copysign(1, c.real), math.copysign(1, c.imag)}
        return number != 0 or signs == {math.copysign(1, number)}
    return (
        not isinstance(c, float) or number != 0 or math.copysign(1, c) == math.copysign(1, number)
    )


def whole(value: Value) -> bool:
    """Whether the elements are integers or bools, where arithmetic is exact or wraps."""
    return value.dtype.kind in "biu"


def all_ones(value: Value) -> bool:
    """Whether every bit of every element is set."""
    return uniform(value) is True or (
        value.dtype.is_integer and uniform(value) in (-1, (1 << value.dtype.bits) - 1)
    )


# ------------------------------------------------------------------------- laws from the cards


@RULES.on(*(c.name for c in _ELEMENTWISE if c.identity is not None))
def _identity(node: Node) -> Replacement:
    """x*1 -> x, x/1 -> x, x + -0.0 -> x, x - 0.0 -> x, pow(x, 1) -> x, ..."""
    x, y = node.operands
    if x.type != node.results[0].type:
        return None
    if x.dtype.is_complex and node.op.name not in ("add", "sub"):
        return None  # inf + i times 1 + 0i is inf + NaN i
    return x if equals(uniform(y), node.op.identity) else None  # type: ignore[arg-type]


@RULES.on(*(c.name for c in _ELEMENTWISE if c.absorbing is not None))
def _absorbing(node: Node) -> Replacement:
    """and(x, 0) -> 0, lcm(x, 0) -> 0"""
    y = node.operands[1]
    if y.type != node.results[0].type:
        return None
    return y if equals(uniform(y), node.op.absorbing) else None  # type: ignore[arg-type]


@RULES.on(*(c.name for c in _ELEMENTWISE if c.idempotent))
def _idempotent(node: Node) -> Replacement:
    """min(x, x) -> x, floor(floor(x)) -> floor(x)"""
    if len(node.operands) == 2:
        return node.operands[0] if node.operands[0] is node.operands[1] else None
    return node.operands[0] if operand(node, node.op.name) else None


@RULES.on(*(c.name for c in _ELEMENTWISE if c.associative and c.commutative))
def _join_constants(node: Node) -> Replacement:
    """(x + 2) + 3 -> x + 5, for integers and bools: their arithmetic is associative"""
    name, (a, b) = node.op.name, node.operands
    inner = operand(node, name)
    if inner is None or not whole(a):
        return None
    left, right = uniform(inner.operands[1]), uniform(b)
    if left is None or right is None:
        return None
    return new(name, inner.operands[0], full(b.type, evaluated(name, (left, right), b.dtype)))


# -------------------------------------------------------------------------------------- arithmetic


@RULES.on("add")
def _add(node: Node) -> Replacement:
    """x + -y -> x - y, -x + y -> y - x"""
    x, y = node.operands
    if right := operand(node, "neg", 1):
        return new("sub", x, right.operands[0])
    left = operand(node, "neg", 0)
    if left and uniform(y) is None:  # x + c is canonical where c is the constant
        return new("sub", y, left.operands[0])
    return None


@RULES.on("sub")
def _sub(node: Node) -> Replacement:
    """x - -y -> x + y, -0.0 - y -> -y; for integers 0 - y -> -y, x - x -> 0, (x + y) - y -> x"""
    x, y = node.operands
    if right := operand(node, "neg", 1):
        return new("add", x, right.operands[0])
    if equals(uniform(x), -0.0) and x.dtype.kind != "u":
        return new("neg", y)
    if not whole(x):
        return None
    if x is y:
        return full(x.type, 0)
    inner = operand(node, "add")
    if inner and y in inner.operands:
        return inner.operands[1 if inner.operands[0] is y else 0]
    return None


@RULES.on("mul")
def _mul(node: Node) -> Replacement:
    """x * -1 -> -x, -x * -y -> x*y, -x * c -> x * -c; for integers x*0 -> 0"""
    x, y = node.operands
    c, dtype = uniform(y), x.dtype
    if dtype.kind in "biu" and equals(c, 0):
        return y
    if dtype.kind not in "if":
        return None
    if equals(c, -1):
        return new("neg", x)
    left, right = operand(node, "neg", 0), operand(node, "neg", 1)
    if left and right:
        return new("mul", left.operands[0], right.operands[0])
    if left and c is not None:
        return new("mul", left.operands[0], full(y.type, evaluated("neg", (c,), dtype)))
    return None


@RULES.on("neg")
def _neg(node: Node) -> Replacement:
    """-(x*c) -> x * -c; for integers -(x - y) -> y - x"""
    x = node.operands[0]
    if (inner := operand(node, "mul")) and x.dtype.kind in "if":
        c = uniform(inner.operands[1])
        if c is not None:
            negative = full(x.type, evaluated("neg", (c,), x.dtype))
            return new("mul", inner.operands[0], negative)
    if (inner := operand(node, "sub")) and x.dtype.kind == "i":
        return new("sub", inner.operands[1], inner.operands[0])
    return None


@RULES.on("div")
def _div(node: Node) -> Replacement:
    """x / 4 -> x * 0.25 where the reciprocal is exact, -x / -y -> x/y"""
    x, y = node.operands
    if not x.dtype.is_float:
        return None
    left, right = operand(node, "neg", 0), operand(node, "neg", 1)
    if left and right:
        return new("div", left.operands[0], right.operands[0])
    c = uniform(y)
    if not isinstance(c, float) or not math.isfinite(c) or abs(math.frexp(c)[0]) != 0.5:
        return None
    exponent = math.frexp(c)[1] - 1
    low = _SMALLEST_EXPONENT[x.dtype.name]
    # the reciprocal must be normal (subnormals may be flushed), and so must c (1/c may overflow)
    if not low <= -exponent or not low <= exponent:
        return None
    return new("mul", x, full(y.type, 1.0 / c))


@RULES.on("pow")
def _pow(node: Node) -> Replacement:
    """pow(x, 0) -> 1, pow(x, -1) -> 1/x, a product for 2 to 4, of integers to 16"""
    x, y = node.operands
    c, dtype = uniform(y), x.dtype
    if c is None or isinstance(c, complex) or c != c or dtype.is_complex:
        return None
    if c == 0:
        return full(x.type, 1)
    if c == -1 and dtype.is_float:
        return new("div", full(x.type, 1), x)
    if not 2 <= c <= (4 if dtype.is_float else 16) or c != int(c):
        return None
    return _power(x, int(c))


def _power(x: Value, exponent: int) -> Value:
    if exponent == 1:
        return x
    half = _power(x, exponent // 2)
    square = new("mul", half, half)
    return new("mul", square, x) if exponent % 2 else square


@RULES.on("floordiv", "mod")
def _by_power_of_two(node: Node) -> Replacement:
    """x // 8 -> x >> 3 and x % 8 -> x & 7 for integers: both round down, whatever the sign of x"""
    x, y = node.operands
    c = uniform(y)
    if not x.dtype.is_integer or not isinstance(c, int) or c <= 0 or c & (c - 1):
        return None
    if node.op.name == "mod":
        return full(x.type, 0) if c == 1 else new("and", x, full(y.type, c - 1))
    return x if c == 1 else new("shr", x, full(y.type, c.bit_length() - 1))


@RULES.on("abs")
def _abs(node: Node) -> Replacement:
    """|x| -> x of what is never negative, |-x| -> |x|, |x*x| -> x*x of floats"""
    x = node.operands[0]
    if x.dtype.kind in "bu":
        return x
    if inner := operand(node, "neg"):
        return new("abs", inner.operands[0])
    inner = operand(node, "mul")
    square = inner is not None and inner.operands[0] is inner.operands[1] and x.dtype.is_float
    return x if square else None


@RULES.on("floor", "ceil", "trunc", "rint")
def _rounded(node: Node) -> Replacement:
    """Rounding what is an integer already: an integer, a rounding, a float from an integer."""
    x = node.operands[0]
    if whole(x) and x.type == node.results[0].type:
        return x
    if x.node.op.name in ("floor", "ceil", "trunc", "rint"):
        return x
    inner = operand(node, "cast")
    if inner and whole(inner.operands[0]) and x.dtype.is_float:
        return x
    return None


@RULES.on("real", "imag", "complex", "conj")
def _complex(node: Node) -> Replacement:
    """real(complex(a, b)) -> a, imag(complex(a, b)) -> b, complex(real(z), imag(z)) -> z"""
    if node.op.name == "complex":
        left, right = operand(node, "real", 0), operand(node, "imag", 1)
        same = left and right and left.operands[0] is right.operands[0]
        return left.operands[0] if left and same else None
    x = node.operands[0]
    if not x.dtype.is_complex:
        return x if node.op.name in ("real", "conj") and x.type == node.results[0].type else None
    inner = operand(node, "complex")
    if inner is None:
        return None
    a, b = inner.operands
    if node.op.name == "conj":
        return new("complex", a, new("neg", b))
    return a if node.op.name == "real" else b


# --------------------------------------------------------------------------------------- logic


@RULES.on("eq", "ne", "lt", "le")
def _compare(node: Node) -> Replacement:
    """x < x -> false; for integers x == x -> true, ...; for bools x == true -> x, ..."""
    (x, y), name, type = node.operands, node.op.name, node.results[0].type
    if x is y:
        if whole(x):
            return full(type, name in ("eq", "le"))
        return full(type, False) if name == "lt" and not x.dtype.is_complex else None
    c = uniform(y)
    if x.dtype is ty.BOOL and isinstance(c, bool) and name in ("eq", "ne"):
        return x if c is (name == "eq") else new("not", x)
    return None


@RULES.on("not")
def _not(node: Node) -> Replacement:
    """not(a == b) -> a != b; for integers not(a < b) -> b <= a (NaN compares false)"""
    inner = node.operands[0].node
    if node.results[0].dtype is not ty.BOOL or inner.op.name not in ("eq", "ne", "lt", "le"):
        return None
    a, b = inner.operands
    if inner.op.name in ("eq", "ne"):
        return new("ne" if inner.op.name == "eq" else "eq", a, b)
    return new("le" if inner.op.name == "lt" else "lt", b, a) if whole(a) else None


@RULES.on("and", "or", "xor")
def _bits(node: Node) -> Replacement:
    """The laws of complements, of absorption and of all ones."""
    x, y = node.operands
    name, type = node.op.name, node.results[0].type
    if all_ones(y):
        return {"and": x, "or": y}.get(name) or new("not", x)
    if name == "xor" and x is y:
        return full(type, 0)
    for one, other in ((x, y), (y, x)):
        inner = one.node
        if inner.op.name == "not" and inner.operands[0] is other:
            return full(type, 0 if name == "and" else True if type.dtype is ty.BOOL else -1)
        if {inner.op.name, name} == {"and", "or"} and other in inner.operands:
            return other
    return None


@RULES.on("min", "max")
def _lattice(node: Node) -> Replacement:
    """min(x, max(x, y)) -> x, for integers and bools (NaN would get lost)"""
    x, y = node.operands
    if not whole(x):
        return None
    for one, other in ((x, y), (y, x)):
        if {one.node.op.name, node.op.name} == {"min", "max"} and other in one.node.operands:
            return other
    return None


@RULES.on("select")
def _select(node: Node) -> Replacement:
    """A known or negated condition, a branch under the same condition, a choice of bools."""
    cond, a, b = node.operands
    known = uniform(cond)
    if known is not None:
        return a if known else b
    if inner := operand(node, "not"):
        return new("select", inner.operands[0], b, a)
    for branch, kept in ((a, 1), (b, 2)):
        if branch.node.op.name == "select" and branch.node.operands[0] is cond:
            chosen = branch.node.operands[kept]
            return new("select", cond, chosen, b) if kept == 1 else new("select", cond, a, chosen)
    if a.dtype is not ty.BOOL:
        return None
    yes, no = uniform(a), uniform(b)
    if yes is True:
        return new("or", cond, b)
    if no is False:
        return new("and", cond, a)
    if yes is False and no is True:
        return new("not", cond)
    return None


# --------------------------------------------------------------------------------------- reduction


@RULES.on("reduce")
def _reduce_full(node: Node) -> Replacement:
    """A reduction of equal elements, where every partial result is exact."""
    x, kind = node.operands[0], node.attrs["kind"]
    c, type = uniform(x), node.results[0].type
    if c is None or type.dtype is not x.dtype:
        return None
    count = ty.product(x.shape[a] for a in node.attrs["axes"])
    if kind in ("min", "max", "and", "or") and at_least_one(count):
        return full(type, c)
    if kind == "prod" and equals(c, 1):
        return full(type, c)
    if kind != "sum" or not isinstance(count, int) or x.dtype.kind not in "iuf":
        return None
    if isinstance(c, complex) or x.dtype.is_integer:
        return full(type, c * count)
    exact = math.isfinite(c) and c == int(c) and abs(c) * count <= 1 << _DIGITS[x.dtype.name]
    return full(type, c * count) if exact and count and not equals(c, -0.0) else None


@RULES.on("reduce")
def _reduce_broadcast(node: Node) -> Replacement:
    """Over axes that a broadcast added: min(x) -> x, and for integers sum(x) -> x*n"""
    x, kind, axes = node.operands[0], node.attrs["kind"], node.attrs["axes"]
    spread = operand(node, "broadcast")
    if spread is None or node.results[0].dtype is not x.dtype:
        return None
    added = [a for a in axes if a not in spread.attrs["axes"]]
    count = ty.product(x.shape[a] for a in added)
    total = kind == "sum" and x.dtype.is_integer and isinstance(count, int)
    if not added or not (total or (kind in ("min", "max", "and", "or") and at_least_one(count))):
        return None
    left = [a for a in range(x.type.rank) if a not in added]
    found, shape = spread.operands[0], tuple(x.shape[a] for a in left)
    if found.shape != shape:
        places = tuple(left.index(a) for a in spread.attrs["axes"])
        found = new("broadcast", found, shape=shape, axes=places)
    rest = tuple(left.index(a) for a in axes if a not in added)
    if rest:
        found = new("reduce", found, kind=kind, axes=rest)
    return new("mul", found, full(found.type, count)) if total and isinstance(count, int) else found
