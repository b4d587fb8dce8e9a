"""The canonical form: each rule by a small graph before and after; random graphs."""

import numpy as np
import pytest

from graphc import types as ty
from graphc.evaluate import evaluate
from graphc.ops.complexes import convert
from graphc.passes.canonicalize import RULES, canonicalize, direct, holds
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

WINDOWS = (
    "stride=(2,), low=(1,), high=(1,), lhs_dilation=(1,), rhs_dilation=(1,), groups=1, "
    "batch_groups=1, lhs=(0, 2, 1), rhs=(2, 1, 0), out=(0, 2, 1)"
)
CASES = [
    # constants
    ("f32[3]", "add(c(2), x)", "add(x, c(2.0))"),
    ("f32[3]", "sub(x, c(2.0))", "add(x, c(-2.0))"),
    ("f32[3]", "sub(x, c(0.0))", "add(x, c(-0.0))"),
    ("i8[3]", "sub(x, c(-128))", "add(x, c(-128))"),
    ("u8[3]", "sub(x, c(3))", "sub(x, c(3))"),
    ("f32[3]", "sub(c(2.0), x)", "sub(c(2.0), x)"),
    ("f32[3]", "add(c(0.1), x)", "add(x, c(0.10000000149011612))"),
    ("u8[3]", "mul(x, c(-1))", "mul(x, c(255))"),
    ("f32[3]", "extent(value=3), x", "c(3, 'i64[]'), x"),
    ("f32[3]", "iota(dtype=i32, shape=(3, 1), axis=1), x", "c(0, 'i32[3, 1]'), x"),
    # elementwise
    ("f32[3];f32[3]", "gt(x, y)", "lt(y, x)"),
    ("f32[3];f32[3]", "ge(x, y)", "le(y, x)"),
    ("bool[3]", "not_(not_(x))", "x"),
    ("f32[3]", "neg(neg(x))", "x"),
    ("bool[3];f32[3]", "select(x, y, y)", "y"),
    ("f32[3]", "cast(x, dtype=f32)", "x"),
    ("f32[3]", "cast(cast(x, dtype=f64), dtype=f16)", "cast(x, dtype=f16)"),
    ("i64[3]", "cast(cast(x, dtype=i32), dtype=u8)", "cast(x, dtype=u8)"),
    ("f64[3]", "cast(cast(x, dtype=f32), dtype=f64)", "cast(cast(x, dtype=f32), dtype=f64)"),
    ("i32[3]", "cast(cast(x, dtype=f32), dtype=f64)", "cast(cast(x, dtype=f32), dtype=f64)"),
    ("i16[3]", "cast(cast(x, dtype=f32), dtype=i8)", "cast(cast(x, dtype=f32), dtype=i8)"),
    ("f32[3]", "bitcast(bitcast(x, dtype=i32), dtype=u32)", "bitcast(x, dtype=u32)"),
    ("f32[3]", "bitcast(bitcast(x, dtype=i32), dtype=f32)", "x"),
    # movement
    ("f32[2, 3]", "reshape(reshape(x, shape=(6,)), shape=(3, 2))", "reshape(x, shape=(3, 2))"),
    ("f32[2, 3]", "reshape(reshape(x, shape=(6,)), shape=(2, 3))", "x"),
    ("f32[2, 3]", "transpose(transpose(x, axes=(1, 0)), axes=(1, 0))", "x"),
    (
        "f32[2, 3, 4]",
        "transpose(transpose(x, axes=(1, 2, 0)), axes=(1, 0, 2))",
        "transpose(x, axes=(2, 1, 0))",
    ),
    ("f32[2, 1, 3]", "transpose(x, axes=(1, 0, 2))", "reshape(x, shape=(1, 2, 3))"),
    (
        "f32[2, 3]",
        "transpose(broadcast(x, shape=(2, 4, 3), axes=(0, 2)), axes=(2, 1, 0))",
        "broadcast(transpose(x, axes=(1, 0)), shape=(3, 4, 2), axes=(0, 2))",
    ),
    (
        "f32[3]",
        "broadcast(broadcast(x, shape=(2, 3), axes=(1,)), shape=(2, 4, 3), axes=(0, 2))",
        "broadcast(x, shape=(2, 4, 3), axes=(2,))",
    ),
    ("f32[3]", "broadcast(x, shape=(1, 3, 1), axes=(1,))", "reshape(x, shape=(1, 3, 1))"),
    ("f32[3]", "broadcast(x, shape=(3,), axes=(0,))", "x"),
    (
        "f32[3]",
        "broadcast(reshape(x, shape=(3, 1)), shape=(3, 4), axes=(0, 1))",
        "broadcast(x, shape=(3, 4), axes=(0,))",
    ),
    (
        "f32[9]",
        "slice(slice(x, start=(8,), shape=(4,), step=(-2,)), start=(1,), shape=(2,), step=(2,))",
        "slice(x, start=(6,), shape=(2,), step=(-4,))",
    ),
    ("f32[9]", "slice(x, start=(0,), shape=(9,), step=(1,))", "x"),
    (
        "f32[9]",
        "slice(x, start=(3,), shape=(1,), step=(5,))",
        "slice(x, start=(3,), shape=(1,), step=(1,))",
    ),
    ("f32[3]", "broadcast(c(2.0), shape=(2, 3), axes=(1,)), x", "c(2.0, 'f32[2, 3]'), x"),
    (
        "f32[3]",
        "transpose(iota(dtype=f32, shape=(2, 3), axis=0), axes=(1, 0)), x",
        "iota(dtype=f32, shape=(3, 2), axis=1), x",
    ),
    (
        "f32[3]",
        "broadcast(iota(dtype=i8, shape=(3,), axis=0), shape=(2, 3), axes=(1,)), x",
        "iota(dtype=i8, shape=(2, 3), axis=1), x",
    ),
    (
        "f32[3]",
        "slice(iota(dtype=i8, shape=(4, 3), axis=0), start=(0, 1), shape=(2, 2), step=(1, 1)), x",
        "iota(dtype=i8, shape=(2, 2), axis=0), x",
    ),
    (
        "f32[3]",
        "reshape(iota(dtype=i8, shape=(4,), axis=0), shape=(1, 4)), x",
        "iota(dtype=i8, shape=(1, 4), axis=1), x",
    ),
    (
        "f32[3]",
        "reshape(iota(dtype=i8, shape=(4,), axis=0), shape=(2, 2)), x",
        "reshape(iota(dtype=i8, shape=(4,), axis=0), shape=(2, 2)), x",
    ),
    ("f32[3];f32[]", "pad(x, y, low=(0,), high=(0,), interior=(0,))", "x"),
    (
        "f32[3];f32[]",
        "pad(pad(x, y, low=(1,), high=(0,), interior=(0,)), y, low=(2,), high=(3,), interior=(0,))",
        "pad(x, y, low=(3,), high=(3,), interior=(0,))",
    ),
    (
        "f32[3]",
        "pad(c(1.0), c(1.0, 'f32[]'), low=(1,), high=(1,), interior=(1,)), x",
        "c(1.0, 'f32[7]'), x",
    ),
    ("f32[3]", "concatenate(x, axis=0)", "x"),
    ("f32[3];f32[0]", "concatenate(y, x, y, axis=0)", "x"),
    ("f32[3]", "concatenate(c(1.0), c(1.0), axis=0), x", "c(1.0, 'f32[6]'), x"),
    (
        "f32[3, 2]",
        "concatenate(slice(x, start=(0, 0), shape=(1, 2), step=(1, 1)), "
        "slice(x, start=(1, 0), shape=(1, 2), step=(1, 1)), "
        "slice(x, start=(2, 0), shape=(1, 2), step=(1, 1)), axis=0)",
        "x",
    ),
    (
        "f32[9]",
        "concatenate(slice(x, start=(7,), shape=(2,), step=(-2,)), "
        "slice(x, start=(3,), shape=(1,), step=(-2,)), axis=0)",
        "slice(x, start=(7,), shape=(3,), step=(-2,))",
    ),
    ("f32[3];f32[3]", "update(x, y, start=(0,), step=(1,))", "y"),
    ("f32[3];f32[0]", "update(x, y, start=(0,), step=(1,))", "x"),
    (
        "f32[3];f32[2];f32[2]",
        "update(update(x, y, start=(0,), step=(2,)), z, start=(0,), step=(2,))",
        "update(x, z, start=(0,), step=(2,))",
    ),
    (
        "f32[5];i64[]",
        "dynamic_slice(x, c(9, 'i64[]'), shape=(2,))",
        "slice(x, start=(3,), shape=(2,), step=(1,))",
    ),
    ("f32[5];i64[]", "dynamic_slice(x, y, shape=(5,))", "x"),
    (
        "f32[5];f32[2]",
        "dynamic_update(x, y, c(-4, 'i64[]'))",
        "update(x, y, start=(0,), step=(1,))",
    ),
    # reductions and contractions
    ("f32[2, 3]", "reduce(x, kind='sum', axes=())", "x"),
    (
        "i32[2, 3, 4]",
        "reduce(reduce(x, kind='sum', axes=(1,)), kind='sum', axes=(1,))",
        "reduce(x, kind='sum', axes=(1, 2))",
    ),
    ("f32[2, 3]", "reduce(x, kind='max', axes=(1, 0))", "reduce(x, kind='max', axes=(0, 1))"),
    (
        "f32[2, 1, 3]",
        "reduce(x, kind='sum', axes=(1, 2))",
        "reduce(reshape(x, shape=(2, 3)), kind='sum', axes=(1,))",
    ),
    ("f32[2, 1]", "reduce(x, kind='max', axes=(1,))", "reshape(x, shape=(2,))"),
    (
        "f32[2, 1]",
        "reduce(x, kind='sum', axes=(1,))",
        "add(reshape(x, shape=(2,)), c(0.0, 'f32[2]'))",
    ),
    ("f32[2, 1]", "cumulative(x, kind='sum', axis=1)", "x"),
    ("f32[2, 1];i8[2, 1]", "sort(x, y, axis=1, keys=1, descending=False)", "x, y"),
    (
        "f32[3, 2];f32[3, 4]",
        "dot(transpose(x, axes=(1, 0)), y, contract=((1,), (0,)), batch=((), ()))",
        "dot(x, y, contract=((0,), (0,)), batch=((), ()))",
    ),
    (
        "f32[2, 3, 4];f32[3, 4]",
        "dot(x, y, contract=((2, 1), (1, 0)), batch=((), ()))",
        "dot(x, y, contract=((1, 2), (0, 1)), batch=((), ()))",
    ),
    (
        "f32[2, 3, 4];f32[4]",
        "dot(transpose(x, axes=(1, 0, 2)), y, contract=((2,), (0,)), batch=((), ()))",
        "dot(transpose(x, axes=(1, 0, 2)), y, contract=((2,), (0,)), batch=((), ()))",
    ),
    (
        "i8[2, 3];u8[3]",
        "dot(cast(x, dtype=i32), cast(y, dtype=i32), contract=((1,), (0,)), batch=((), ()))",
        "dot(x, y, contract=((1,), (0,)), batch=((), ()), dtype=i32)",
    ),
    (
        "f16[2, 3];f16[3]",
        "dot(cast(x, dtype=f32), cast(y, dtype=f32), contract=((1,), (0,)), batch=((), ()))",
        "dot(x, y, contract=((1,), (0,)), batch=((), ()), dtype=f32)",
    ),
    (
        "i8[1, 5, 2];u8[3, 2, 4]",
        f"conv(cast(x, dtype=i32), cast(y, dtype=i32), {WINDOWS})",
        f"conv(x, y, {WINDOWS}, dtype=i32)",
    ),
    (  # a product of f16 with bf16 has no card
        "f16[2, 3];bf16[3]",
        "dot(cast(x, dtype=f32), cast(y, dtype=f32), contract=((1,), (0,)), batch=((), ()))",
        "dot(cast(x, dtype=f32), cast(y, dtype=f32), contract=((1,), (0,)), batch=((), ()))",
    ),
    (
        "i8[3, 2];i8[3]",
        "dot(transpose(x, axes=(1, 0)), y, contract=((1,), (0,)), batch=((), ()), dtype=i32)",
        "dot(x, y, contract=((0,), (0,)), batch=((), ()), dtype=i32)",
    ),
]


@pytest.mark.parametrize(("types", "before", "after"), CASES)
def test_rule(types: str, before: str, after: str) -> None:
    graph, expected = expression(types, before), expression(types, after)
    found = canonicalize(graph)
    assert print_graph(found) == print_graph(expected)
    assert canonicalize(found) is found
    for seed in range(3):
        rng = np.random.default_rng(seed)
        arguments = [random_array(rng, p.type, seed > 0) for p in graph.params]
        want, got = evaluate(graph, arguments), evaluate(verify(found), arguments)
        for a, b, off in zip(got, want, tolerances(graph, arguments), strict=True):
            assert same_bits(a, b) or any(op in before for op in ("reduce", "dot", "conv"))
            assert_close([a], [b], [off])


def test_every_rule_has_a_case() -> None:
    with watched(RULES) as (tried, applied):
        for types, before, _ in CASES:
            canonicalize(expression(types, before))
        canonicalize(constants())
    assert sorted(applied) == sorted({r.__name__ for rules in RULES.rules.values() for r in rules})
    assert all(applied[name] for name in tried), [n for n in tried if not applied[n]]


def constants() -> object:
    return parse_graph(
        """graph f(%0 x: f32[3]) {
  %1: f32[3] = constant(){value=array(f32[3], [2.0, 2.0, 2.0])}
  %2: f32[3] = constant(){value=array(f32[3], [0.0, -0.0, 0.0])}
  %3: f32[3] = add(%1, %0)
  %4: f32[3] = mul(%2, %3)
  return %4
}"""
    )


def test_golden_text() -> None:
    assert print_graph(canonicalize(constants())) == (
        """graph f(%0 x: f32[3]) {
  %1: f32[3] = full(){value=2.0, dtype=f32, shape=(3,)}
  %2: f32[3] = add(%0, %1)
  %3: f32[3] = constant(){value=array(f32[3], [0.0, -0.0, 0.0])}
  %4: f32[3] = mul(%2, %3)
  return %4
}"""
    )


def test_symbolic_extents() -> None:
    graph = expression("f32[b, 3]", "transpose(transpose(gt(x, x), axes=(1, 0)), axes=(1, 0))")
    assert canonicalize(graph) == expression("f32[b, 3]", "lt(x, x)")


def test_casts_that_hold_every_value() -> None:
    for wide in ty.DTYPES.values():
        for narrow in ty.DTYPES.values():
            if not holds(wide, narrow) or ty.BF16 in (wide, narrow):
                continue
            ends: list[float] = [0, 1] if narrow.kind == "b" else [1.0, float("inf"), -0.0]
            if narrow.is_integer:
                ends = [np.iinfo(narrow.numpy).min, np.iinfo(narrow.numpy).max]
            elif narrow.kind in "fc":
                ends += [np.finfo(narrow.numpy).max, np.finfo(narrow.numpy).smallest_subnormal]
            array = np.array(ends, narrow.numpy)
            assert same_bits(convert(convert(array, wide), narrow), array), (wide, narrow)
    assert not holds(ty.F32, ty.I32) and not holds(ty.U64, ty.I8) and not holds(ty.F64, ty.I64)
    assert not holds(ty.F16, ty.BF16) and not holds(ty.BF16, ty.F16)
    assert not direct(ty.F64, ty.F32, ty.F64)


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed: int) -> None:
    graph, arguments = random_graph(seed)
    found = verify(canonicalize(graph))
    assert canonicalize(found) is found
    assert not {"gt", "ge"} & {node.op.name for node in found.nodes}
    assert_close(
        evaluate(found, arguments), evaluate(graph, arguments), tolerances(graph, arguments)
    )


def test_linear() -> None:
    counts = []
    for length in (500, 1000):
        with watched(RULES) as (tried, _):
            canonicalize(chain(length))
        counts.append(tried.total())
    assert counts[1] <= 2.05 * counts[0] + 50
