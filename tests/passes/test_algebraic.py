"""The laws: each by a small graph before and after, with bit-equal values; what is not done."""

import numpy as np
import pytest

from graphc.evaluate import evaluate
from graphc.passes.algebraic import RULES, algebraic
from graphc.passes.canonicalize import canonicalize
from graphc.text import parse_graph, print_graph
from graphc.verify import verify
from tests.random_graphs import (
    assert_close,
    chain,
    expression,
    random_array,
    random_graph,
    same_bits,
    tolerances,
    watched,
)

CASES = [
    # from the cards
    ("f32[3]", "mul(x, c(1.0))", "x"),
    ("f32[3]", "div(x, c(1.0))", "x"),
    ("f32[3]", "add(x, c(-0.0))", "x"),
    ("i32[3]", "add(x, c(0))", "x"),
    ("u8[3]", "sub(x, c(0))", "x"),
    ("f32[3]", "pow(x, c(1.0))", "x"),
    ("i32[3]", "shl(x, c(0))", "x"),
    ("i32[3]", "and_(x, c(0))", "c(0)"),
    ("i32[3]", "lcm(x, c(0))", "c(0)"),
    ("f32[3]", "min(x, x)", "x"),
    ("f32[3]", "floor(floor(x))", "floor(x)"),
    ("c64[3]", "abs(abs(x))", "abs(x)"),
    ("i32[3]", "add(add(x, c(2147483647)), c(5))", "add(x, c(-2147483644))"),
    ("u8[3]", "mul(mul(x, c(16)), c(17))", "mul(x, c(16))"),
    ("i8[3]", "min(min(x, c(3)), c(-1))", "min(x, c(-1))"),
    # arithmetic
    ("f32[3];f32[3]", "add(x, neg(y))", "sub(x, y)"),
    ("f32[3];f32[3]", "add(neg(x), y)", "sub(y, x)"),
    ("f32[3];f32[3]", "sub(x, neg(y))", "add(x, y)"),
    ("f32[3]", "sub(c(-0.0), x)", "neg(x)"),
    ("i32[3]", "sub(c(0), x)", "neg(x)"),
    ("i32[3]", "sub(x, x)", "c(0)"),
    ("i32[3];i32[3]", "sub(add(x, y), y)", "x"),
    ("f32[3]", "mul(x, c(-1.0))", "neg(x)"),
    ("i32[3]", "mul(x, c(0))", "c(0)"),
    ("f32[3];f32[3]", "mul(neg(x), neg(y))", "mul(x, y)"),
    ("f32[3]", "mul(neg(x), c(3.0))", "mul(x, c(-3.0))"),
    ("f32[3]", "neg(mul(x, c(3.0)))", "mul(x, c(-3.0))"),
    ("i32[3];i32[3]", "neg(sub(x, y))", "sub(y, x)"),
    ("f32[3]", "div(x, c(4.0))", "mul(x, c(0.25))"),
    ("f16[3]", "div(x, c(-0.5))", "mul(x, c(-2.0))"),
    ("f32[3];f32[3]", "div(neg(x), neg(y))", "div(x, y)"),
    ("f32[3]", "pow(x, c(0.0))", "c(1.0)"),
    ("i32[3]", "pow(x, c(3))", "mul(mul(x, x), x)"),
    ("i32[3]", "floordiv(x, c(8))", "shr(x, c(3))"),
    ("i32[3]", "floordiv(x, c(1))", "x"),
    ("i32[3]", "mod(x, c(8))", "and_(x, c(7))"),
    ("u8[3]", "mod(x, c(1))", "c(0)"),
    ("u8[3]", "abs(x)", "x"),
    ("f32[3]", "abs(neg(x))", "abs(x)"),
    ("f32[3]", "abs(mul(x, x))", "mul(x, x)"),
    ("i8[3]", "floor(x)", "x"),
    ("f32[3]", "floor(ceil(x))", "ceil(x)"),
    ("i8[3]", "rint(cast(x, dtype=f32))", "cast(x, dtype=f32)"),
    # complex numbers
    ("f32[3];f32[3]", "real(complex_(x, y))", "x"),
    ("f32[3];f32[3]", "imag(complex_(x, y))", "y"),
    ("f32[3];f32[3]", "conj(complex_(x, y))", "complex_(x, neg(y))"),
    ("c64[3]", "complex_(real(x), imag(x))", "x"),
    ("f32[3]", "conj(x)", "x"),
    # logic
    ("i32[3]", "eq(x, x)", "c(1, 'bool[3]')"),
    ("f32[3]", "lt(x, x)", "c(0, 'bool[3]')"),
    ("bool[3]", "eq(x, c(True))", "x"),
    ("bool[3]", "ne(x, c(True))", "not_(x)"),
    ("f32[3];f32[3]", "not_(eq(x, y))", "ne(x, y)"),
    ("i32[3];i32[3]", "not_(lt(x, y))", "le(y, x)"),
    ("i32[3]", "and_(x, c(-1))", "x"),
    ("u8[3]", "xor(x, c(255))", "not_(x)"),
    ("i32[3]", "xor(x, x)", "c(0)"),
    ("bool[3]", "or_(x, not_(x))", "c(True)"),
    ("i32[3]", "and_(not_(x), x)", "c(0)"),
    ("i32[3];i32[3]", "and_(x, or_(y, x))", "x"),
    ("i32[3];i32[3]", "min(x, max(x, y))", "x"),
    ("bool[3];f32[3];f32[3]", "select(not_(x), y, z)", "select(x, z, y)"),
    ("f32[3];f32[3]", "select(c(True, 'bool[3]'), x, y)", "x"),
    ("bool[3];f32[3];f32[3]", "select(x, select(x, y, z), z)", "select(x, y, z)"),
    ("bool[3];bool[3]", "select(x, y, c(False))", "and_(x, y)"),
    ("bool[3];bool[3]", "select(x, c(True), y)", "or_(x, y)"),
    ("bool[3]", "select(x, c(False), c(True))", "not_(x)"),
    # reductions
    ("f32[3]", "reduce(c(2.0), kind='sum', axes=(0,)), x", "c(6.0, 'f32[]'), x"),
    ("i8[3]", "reduce(c(100), kind='sum', axes=(0,)), x", "c(44, 'i8[]'), x"),
    ("f32[3]", "reduce(c(nan), kind='max', axes=(0,)), x", "c(nan, 'f32[]'), x"),
    (
        "i32[3]",
        "reduce(broadcast(x, shape=(4, 3), axes=(1,)), kind='sum', axes=(0,))",
        "mul(x, c(4))",
    ),
    (
        "f32[3]",
        "reduce(broadcast(x, shape=(4, 3), axes=(1,)), kind='max', axes=(0, 1))",
        "reduce(x, kind='max', axes=(0,))",
    ),
]

KEPT = [
    ("f32[3]", "add(x, c(0.0))"),
    ("f32[3]", "sub(x, x)"),
    ("f32[3]", "mul(x, c(0.0))"),
    ("c64[3]", "mul(x, c(1.0))"),
    ("c64[3]", "pow(x, c(2.0))"),
    ("f32[3]", "div(x, c(3.0))"),
    ("f64[3]", "div(x, c(2.0**1023))"),
    ("f32[3]", "pow(x, c(0.5))"),
    ("f32[3]", "sqrt(mul(x, x))"),
    ("f32[3]", "exp(log(x))"),
    ("f32[3]", "eq(x, x)"),
    ("f32[3];f32[3]", "not_(lt(x, y))"),
    ("f32[3];f32[3]", "min(x, max(x, y))"),
    ("f32[3];f32[3]", "neg(sub(x, y))"),
    ("f32[3]", "add(add(x, c(1.0)), c(1e-9))"),
    ("i32[3]", "floordiv(x, c(-4))"),
    ("i32[3]", "abs(mul(x, x))"),
    ("f32[3]", "reduce(broadcast(x, shape=(4, 3), axes=(1,)), kind='sum', axes=(0,))"),
    ("f32[0]", "reduce(x, kind='sum', axes=(0,))"),
]


@pytest.mark.parametrize(("types", "before", "after"), CASES)
def test_law(types: str, before: str, after: str) -> None:
    graph, expected = (canonicalize(expression(types, text)) for text in (before, after))
    found = verify(algebraic(graph))
    assert print_graph(found).splitlines()[1:] == print_graph(expected).splitlines()[1:]
    assert algebraic(found) is found
    rng = np.random.default_rng(0)
    for length in (1, 50):
        for _ in range(20):
            arguments = [random_array(rng, p.type, length > 1) for p in graph.params]
            for a, b in zip(evaluate(found, arguments), evaluate(graph, arguments), strict=True):
                assert same_bits(a, b), (arguments, a, b)


@pytest.mark.parametrize(("types", "text"), KEPT)
def test_kept(types: str, text: str) -> None:
    graph = expression(types, text)
    assert algebraic(graph) is graph


@pytest.mark.parametrize(("exponent", "bound"), [(2, 0.5), (-1, 0.5), (3, 1.5), (4, 2.5)])
def test_powers_are_close(exponent: int, bound: float) -> None:
    graph = expression("f32[1000]", f"pow(x, c({exponent}))")
    found = algebraic(graph)
    assert "pow" not in {node.op.name for node in found.nodes}
    x = np.random.default_rng(0).normal(0, 3, 1000).astype(np.float32)
    exact = x.astype(np.longdouble) ** exponent
    off = np.abs(evaluate(found, [x])[0] - exact) / np.spacing(np.abs(exact).astype(np.float32))
    assert off.max() <= bound


def test_powers_of_special_values() -> None:
    x = np.array(
        [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38, 1, -1], np.float32
    )
    for exponent in (0, 1, 2, 3, 4, -1):
        graph = expression("f32[11]", f"pow(x, c({exponent}))")
        assert same_bits(evaluate(algebraic(graph), [x])[0], evaluate(graph, [x])[0]), exponent


def test_every_rule_has_a_case() -> None:
    with watched(RULES) as (tried, applied):
        for types, before, _ in CASES:
            algebraic(canonicalize(expression(types, before)))
    assert sorted(applied) == sorted({r.__name__ for rules in RULES.rules.values() for r in rules})
    assert all(applied[name] for name in tried), [n for n in tried if not applied[n]]


def test_golden_text() -> None:
    graph = parse_graph(
        """graph f(%0 x: f32[n]) {
  %1: f32[n] = full(){value=2.0, dtype=f32, shape=(n,)}
  %2: f32[n] = pow(%0, %1)
  %3: f32[n] = neg(%2)
  %4: f32[n] = add(%1, %3)
  return %4
}"""
    )
    assert print_graph(algebraic(graph)) == (
        """graph f(%0 x: f32[n]) {
  %1: f32[n] = full(){value=2.0, dtype=f32, shape=(n,)}
  %2: f32[n] = mul(%0, %0)
  %3: f32[n] = sub(%1, %2)
  return %3
}"""
    )


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed: int) -> None:
    graph, arguments = random_graph(seed)
    found = verify(algebraic(canonicalize(graph)))
    assert algebraic(found) is found
    assert_close(
        evaluate(found, arguments), evaluate(graph, arguments), tolerances(graph, arguments)
    )


def test_linear() -> None:
    counts = []
    for length in (500, 1000):
        with watched(RULES) as (tried, _):
            algebraic(chain(length))
        counts.append(tried.total())
    assert counts[1] <= 2.05 * counts[0] + 50
