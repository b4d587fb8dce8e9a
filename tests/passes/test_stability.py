"""The safe formulas: text before and after, accuracy against long double, random graphs."""

import numpy as np
import pytest

from graphc.evaluate import evaluate
from graphc.passes.canonicalize import canonicalize
from graphc.passes.cse import cse
from graphc.passes.pipeline import EXACT, PIPELINE, run
from graphc.passes.stability import RULES, stability
from graphc.text import print_graph
from graphc.verify import verify
from tests.random_graphs import (
    assert_close,
    expression,
    random_array,
    random_graph,
    tolerances,
    watched,
    where_finite,
)


def total(of: str) -> str:
    return f"reduce(exp({of}), kind='sum', axes=(1,))"


SPREAD = "shape=(4, 5), axes=(0,)"
SUM = "reduce(exp(x), kind='sum', axes=(1,))"
MAX = "reduce(x, kind='max', axes=(1,))"
SAFE = f"select(isfinite({MAX}), {MAX}, c(0.0, 'f64[4]'))"
SHIFTED = f"sub(x, broadcast({SAFE}, {SPREAD}))"
USERS = f"sub(x, broadcast({MAX}, {SPREAD}))"

CASES = [
    ("f64[9]", "log(add(x, c(1.0)))", "log1p(x)"),
    ("f64[9]", "log(sub(c(1.0), x))", "log1p(neg(x))"),
    ("f64[9]", "add(exp(x), c(-1.0))", "expm1(x)"),
    ("f64[9]", "sub(c(1.0), exp(x))", "neg(expm1(x))"),
    ("f64[9]", "log(exp(x))", "x"),
    ("f64[9]", "log(add(exp(x), c(1.0)))", "logaddexp(x, c(0.0))"),
    ("f64[9]", "log1p(exp(x))", "logaddexp(x, c(0.0))"),
    ("f64[9]", "log(div(c(1.0), add(exp(neg(x)), c(1.0))))", "neg(logaddexp(neg(x), c(0.0)))"),
    ("f64[9]", "log(div(exp(x), add(exp(x), c(1.0))))", "neg(logaddexp(neg(x), c(0.0)))"),
    (
        "f64[9]",
        "log(sub(c(1.0), div(c(1.0), add(exp(neg(x)), c(1.0)))))",
        "neg(logaddexp(x, c(0.0)))",
    ),
    (
        "f64[9]",
        "sub(c(1.0), mul(tanh(x), tanh(x)))",
        "mul(sub(c(1.0), tanh(x)), add(tanh(x), c(1.0)))",
    ),
    (
        "f64[4, 5]",
        f"log({SUM})",
        f"add(log(reduce(exp({SHIFTED}), kind='sum', axes=(1,))), {SAFE})",
    ),
    (
        "f64[4, 5]",
        f"log(div(exp(x), broadcast({SUM}, {SPREAD})))",
        f"sub({SHIFTED}, broadcast(log({total(SHIFTED)}), {SPREAD}))",
    ),
    (
        "f64[4, 5]",
        f"log(div(exp({USERS}), broadcast({total(USERS)}, {SPREAD})))",
        f"sub({USERS}, broadcast(log({total(USERS)}), {SPREAD}))",
    ),
]

KEPT = [
    ("f64[9]", "div(c(1.0), add(exp(neg(x)), c(1.0)))"),
    ("f64[9]", "exp(log(x))"),
    ("f64[9]", "log(add(x, c(2.0)))"),
    ("c64[9]", "log(exp(x))"),
    ("f64[4, 5]", f"log(reduce(exp({USERS}), kind='sum', axes=(1,)))"),
    ("f64[4, 0]", "log(reduce(exp(x), kind='sum', axes=(1,)))"),
]


@pytest.mark.parametrize(("types", "before", "after"), CASES)
def test_rule(types: str, before: str, after: str) -> None:
    graph, expected = (cse(canonicalize(expression(types, text))) for text in (before, after))
    found = verify(stability(graph))
    assert print_graph(cse(found)) == print_graph(expected)
    assert stability(found) is found


@pytest.mark.parametrize(("types", "text"), KEPT)
def test_kept(types: str, text: str) -> None:
    graph = expression(types, text)
    assert stability(graph) is graph


@pytest.mark.parametrize("size", [1e-6, 1.0, 30.0, 800.0])
@pytest.mark.parametrize(("types", "before", "after"), CASES)
def test_never_worse(types: str, before: str, after: str, size: float) -> None:
    """Both formulas against the safe one in long double, whose rounding is 2000 times finer."""
    graph = cse(canonicalize(expression(types, before)))
    x = np.random.default_rng(0).normal(0, size, tuple(int(n) for n in graph.params[0].shape))
    exact, first = long_double(after, x), evaluate(graph, [x])[0]
    better = evaluate(stability(graph), [x])[0]
    with np.errstate(all="ignore"):
        ulp = np.spacing(np.abs(exact).astype(np.float64)).astype(np.longdouble)
        known = np.abs(exact) < np.finfo(np.float64).max
        off, off_before = np.abs(better - exact), np.abs(first - exact)
        slack = 4 * ulp + 1e-15 * min(size, 1.0)  # either formula may be lucky
        assert (off <= off_before + slack)[known & np.isfinite(first)].all()
        assert (off <= 4 * ulp + 1e-15 * size)[known].all()
        assert np.array_equal(better[~known], first[~known], equal_nan=True)


def long_double(text: str, x: np.ndarray) -> np.ndarray:
    """The value of the expression in extended precision."""
    names = ("exp", "log", "log1p", "expm1", "tanh", "logaddexp", "isfinite")
    scope = {name: getattr(np, name) for name in names}
    scope.update(add=np.add, sub=np.subtract, mul=np.multiply, div=np.divide, neg=np.negative)
    scope["reduce"] = lambda v, kind, axes: {"sum": np.sum, "max": np.max}[kind](v, axes)
    scope["broadcast"] = lambda v, shape, axes: np.broadcast_to(v[:, None], shape)
    scope.update(select=np.where, c=lambda number, type=None: np.longdouble(number))
    with np.errstate(all="ignore"):
        return np.asarray(eval(text, {**scope, "x": x.astype(np.longdouble)}))


def test_special_values() -> None:
    graph = cse(canonicalize(expression("f64[4, 5]", f"log({SUM})")))
    x = np.zeros((4, 5))
    x[0, 0], x[1], x[2, 1], x[3] = np.inf, -np.inf, np.nan, 1000.0
    assert np.array_equal(
        evaluate(stability(graph), [x])[0],
        [np.inf, -np.inf, np.nan, 1000 + np.log(5.0)],
        equal_nan=True,
    )


def test_every_rule_has_a_case() -> None:
    with watched(RULES) as (tried, applied):
        for types, before, _ in CASES:
            stability(cse(canonicalize(expression(types, before))))
    assert sorted(applied) == sorted({r.__name__ for rules in RULES.rules.values() for r in rules})
    assert all(applied[name] for name in tried), [n for n in tried if not applied[n]]


def test_it_can_be_left_out() -> None:
    graph = expression("f64[9]", "log(exp(x))")
    assert not run(graph, PIPELINE[:-2]).graph.nodes
    assert [n.op.name for n in run(graph, EXACT[:-2]).graph.nodes] == ["exp", "log"]


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed: int) -> None:
    graph, arguments = random_graph(seed)
    graph = cse(canonicalize(graph))
    found = verify(stability(graph))
    assert stability(found) is found
    want = evaluate(graph, arguments)
    off = where_finite(tolerances(graph, arguments), want)
    assert_close(evaluate(found, arguments), want, off)


def test_empty_operands() -> None:
    graph = cse(canonicalize(expression("f64[0, 5]", "log(reduce(exp(x), kind='sum', axes=(1,)))")))
    x = random_array(np.random.default_rng(0), graph.params[0].type, False)
    assert evaluate(stability(graph), [x])[0].shape == (0,)
