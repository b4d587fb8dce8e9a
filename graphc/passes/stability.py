"""Rewrites formulas that lose digits, overflow or underflow into ones that do not.

    %1 = exp %x
    %2 = reduce{kind=sum, axes=(0,)} %1      ->   log(sum(exp(x - m))) + m,   m = max(x)
    %3 = log %2

Requires: canonical form, and cse (a rule asks whether two operands are the same value).
Guarantees: the left sides below are gone, for floats. Values change, never for the worse: the bound
    of the error is no larger than that of the formula as written (a single value may lose a lucky
    rounding), and results are finite where only an intermediate value overflowed. Leave the pass
    out where bits matter: `pipeline.EXACT`.

    log(1 + x)               -> log1p(x)                1 + x rounds away the digits of a small x
    exp(x) - 1               -> expm1(x)                the subtraction cancels for a small x
    log(exp(x))              -> x                       exp overflows, or underflows to log(0)
    log1p(exp(x))            -> logaddexp(x, 0)         exp overflows; the same for log(1 + exp(x))
    log(sigmoid(x))          -> -logaddexp(-x, 0)       it underflows to log(0), near 1 it has no
                                digits; as 1/(1 + exp(-x)) or as exp(x)/(1 + exp(x))
    log(1 - sigmoid(x))      -> -logaddexp(x, 0)
    log(sum(exp(x)))         -> log(sum(exp(x - m))) + m, m = max(x), or 0 if not finite
    log(exp(x)/sum(exp(x)))  -> z - log(sum(exp(z))), z = x - m, or x when the program
                                has subtracted a maximum
    1 - tanh(x)**2           -> (1 - t)*(1 + t)         t*t rounds away the digits of 1 - t

Left as written: 1/(1 + exp(-x)) (safe: it only goes to 0), sqrt(x*x + y*y) (hypot would be safe
    and slower), exp(log(x)), x/sqrt(y), 1 - cos(x), and a softmax without its maximum (a second
    pass over the input).
Placement: once, after the simplifying group, which shows the formulas; the group runs again after
    it.
Cost: one walk. A rule looks at most five levels of operands down.
"""

from __future__ import annotations

from .. import ops as _ops  # noqa: F401  importing the cards registers them
from ..ir import Graph, Node, Value
from .canonicalize import Replacement, RuleSet, operand
from .everywhere import everywhere
from .fold import full, uniform

RULES = RuleSet()
new = RULES.new


@everywhere
def stability(graph: Graph) -> Graph:
    """The graph with its formulas made safe."""
    return RULES.apply(graph)


def _plus_one(value: Value) -> Value | None:
    """x, when the value is x + 1."""
    if value.node.op.name != "add":
        return None
    x, c = value.node.operands
    return x if uniform(c) == 1 else None


def _argument(value: Value, name: str) -> Value | None:
    """x, when the value is that function of x."""
    return value.node.operands[0] if value.node.op.name == name else None


def _opposite(x: Value) -> Value:
    inner = _argument(x, "neg")
    return new("neg", x) if inner is None else inner


def _sigmoid(value: Value) -> Value | None:
    """x, when the value is 1/(1 + exp(-x)) or exp(x)/(1 + exp(x))."""
    if value.node.op.name != "div":
        return None
    above, below = value.node.operands
    power = _plus_one(below)
    x = None if power is None else _argument(power, "exp")
    if x is None:
        return None
    if above is power:
        return x
    return _opposite(x) if uniform(above) == 1 else None


def _under_broadcast(value: Value) -> Value:
    """The value without movements that only repeat it."""
    while value.node.op.name in ("broadcast", "reshape"):
        value = value.node.operands[0]
    return value


def _has_maximum(value: Value) -> bool:
    """Whether the value is a maximum, perhaps where it is finite, perhaps repeated or negated."""
    value = _under_broadcast(value)
    if value.node.op.name == "select":
        return any(_has_maximum(v) for v in value.node.operands[1:] if v.node.op.name != "select")
    return value.node.op.name == "reduce" and value.node.attrs["kind"] == "max"


def _is_shifted(x: Value) -> bool:
    """Whether the program has subtracted a maximum."""
    return x.node.op.name == "sub" and _has_maximum(x.node.operands[1])


def _sum_of_exp(value: Value) -> tuple[Value, tuple[int, ...]] | None:
    """(x, axes), when the value is the sum over axes of exp(x)."""
    node = value.node
    if node.op.name != "reduce" or node.attrs["kind"] != "sum":
        return None
    x = _argument(node.operands[0], "exp")
    return None if x is None else (x, tuple(node.attrs["axes"]))


def _finite_maximum(x: Value, axes: tuple[int, ...]) -> Value | None:
    """The maximum over axes, 0 where it is not finite; None where there is no element."""
    if any(x.shape[a] == 0 for a in axes):
        return None  # `max` refuses an axis that is known to be empty
    m = new("reduce", x, kind="max", axes=axes)
    return new("select", new("isfinite", m), m, full(m.type, 0))


def _spread(value: Value, like: Value, axes: tuple[int, ...]) -> Value:
    """A reduced value repeated over the axes that are gone."""
    left = tuple(a for a in range(like.type.rank) if a not in axes)
    return new("broadcast", value, shape=like.shape, axes=left)


@RULES.on("log")
def _log_of_plus_one(node: Node) -> Replacement:
    """log(1 + x) -> log1p(x), log(1 - x) -> log1p(-x)"""
    x = node.operands[0]
    if not x.dtype.is_float:
        return None
    if (inner := _plus_one(x)) is not None:
        return new("log1p", inner)
    if x.node.op.name == "sub" and uniform(x.node.operands[0]) == 1:
        if (inner := _sigmoid(x.node.operands[1])) is not None:
            return new("neg", new("logaddexp", inner, full(x.type, 0)))
        return new("log1p", _opposite(x.node.operands[1]))
    return None


@RULES.on("log1p")
def _log1p_of_exp(node: Node) -> Replacement:
    """log1p(exp(x)) -> logaddexp(x, 0)"""
    x = _argument(node.operands[0], "exp")
    return new("logaddexp", x, full(x.type, 0)) if x is not None and x.dtype.is_float else None


@RULES.on("log")
def _log_of_exp(node: Node) -> Replacement:
    """log(exp(x)) -> x, log(sigmoid(x)) -> -logaddexp(-x, 0)"""
    inner = node.operands[0]
    if not inner.dtype.is_float:
        return None
    x = _sigmoid(inner)
    if x is not None:
        return new("neg", new("logaddexp", _opposite(x), full(x.type, 0)))
    return _argument(inner, "exp")


@RULES.on("log")
def _log_of_sum(node: Node) -> Replacement:
    """log(sum(exp(x))) -> log(sum(exp(x - m))) + m"""
    found = _sum_of_exp(node.operands[0])
    if found is None or not node.operands[0].dtype.is_float or _is_shifted(found[0]):
        return None
    x, axes = found
    m = _finite_maximum(x, axes)
    if m is None:
        return None
    shifted = new("sub", x, _spread(m, x, axes))
    total = new("reduce", new("exp", shifted), kind="sum", axes=axes)
    return new("add", new("log", total), m)


@RULES.on("log")
def _log_of_softmax(node: Node) -> Replacement:
    """log(exp(x)/sum(exp(x))) -> z - log(sum(exp(z)))"""
    inner = operand(node, "div")
    if inner is None or not node.operands[0].dtype.is_float:
        return None
    power, repeated = inner.operands
    total = _under_broadcast(repeated)
    found = _sum_of_exp(total)
    if found is None or total.node.operands[0] is not power:
        return None
    z, axes = found
    if repeated is not total and not _repeats(repeated, total, power, axes):
        return None
    if not _is_shifted(z):
        m = _finite_maximum(z, axes)
        if m is None:
            return None
        z = new("sub", z, _spread(m, z, axes))
        total = new("reduce", new("exp", z), kind="sum", axes=axes)
    return new("sub", z, _spread(new("log", total), z, axes))


def _repeats(repeated: Value, total: Value, like: Value, axes: tuple[int, ...]) -> bool:
    """Whether `repeated` is `total` over the axes that are gone from `like`."""
    node = repeated.node
    if node.op.name == "reshape":  # axes of extent 1 only
        return node.operands[0] is total
    left = tuple(a for a in range(like.type.rank) if a not in axes)
    places = node.attrs["axes"]
    if node.operands[0] is total:
        return places == left
    below = node.operands[0].node  # a total that keeps its axes with extent 1
    kept = below.op.name == "reshape" and below.operands[0] is total
    return kept and below.results[0].shape == tuple(
        1 if a in axes else n for a, n in enumerate(like.shape)
    )


@RULES.on("add")
def _exp_minus_one(node: Node) -> Replacement:
    """exp(x) - 1 -> expm1(x)"""
    a, b = node.operands
    x = _argument(a, "exp")
    return new("expm1", x) if x is not None and uniform(b) == -1 and a.dtype.is_float else None


@RULES.on("sub")
def _one_minus(node: Node) -> Replacement:
    """1 - exp(x) -> -expm1(x), 1 - tanh(x)**2 -> (1 - t)*(1 + t)"""
    one, b = node.operands
    if uniform(one) != 1 or not b.dtype.is_float:
        return None
    x = _argument(b, "exp")
    if x is not None:
        return new("neg", new("expm1", x))
    if b.node.op.name != "mul" or b.node.operands[0] is not b.node.operands[1]:
        return None
    t = b.node.operands[0]
    if t.node.op.name != "tanh":
        return None
    return new("mul", new("sub", one, t), new("add", t, one))
