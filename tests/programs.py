"""Programs that the tests of lowering, scheduling, fusion and machine code share, built from cards.

A program is a function of two extents, which may be symbolic. `PROGRAMS` holds them all; `sizes`
says for which extents a program is worth a look, `arguments` makes arrays for one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphc import types as ty
from graphc.ir import Graph, Value, param
from graphc.opdef import lookup
from graphc.ops import build
from graphc.types import BF16, BOOL, C64, F16, F32, F64, I32, I64, Dim, DType, Extent, TensorType
from tests.random_graphs import random_array

N, M = Dim.symbol("n"), Dim.symbol("m")
EXTENTS = ((0, 3), (1, 1), (2, 5), (3, 0), (5, 17), (16, 64), (17, 63), (65, 3), (64, 65))
"""Pairs of extents around the widths of lanes, blocks and tiles."""
LONG = ((1, 1000), (130, 130), (1000, 2))


@dataclass(frozen=True)
class Program:
    """`build(n, m)` for extents of at least `least`, or symbols."""

    name: str
    build: Callable[[Extent, Extent], Graph]
    least: int = 0

    def graph(self, n: Extent, m: Extent) -> Graph:
        return self.build(n, m)

    def sizes(self, pairs: Sequence[tuple[int, int]] = EXTENTS) -> list[tuple[int, int]]:
        """Those of the pairs for which the program has a meaning."""
        return [p for p in pairs if min(p) >= self.least]


PROGRAMS: dict[str, Program] = {}


def _program(least: int = 0) -> Callable[[Callable[..., Graph]], Program]:
    def add(function: Callable[..., Graph]) -> Program:
        name = function.__name__
        PROGRAMS[name] = Program(name, function, least)
        return PROGRAMS[name]

    return add


def arguments(
    graph: Graph, env: Mapping[str, int] | None = None, seed: int = 0, special: bool = False
) -> list[np.ndarray]:
    """C-contiguous arrays for the parameters, with the symbols' values from `env`."""
    rng = np.random.default_rng(seed)
    found = []
    for value in graph.params:
        shape = tuple(int(ty.substitute(e, dict(env or {}))) for e in value.type.shape)
        found.append(random_array(rng, value.type.with_shape(shape), special))
    return found


# ------------------------------------------------------------------------------- short forms


def tensor(dtype: DType, *shape: Extent, name: str = "x") -> Value:
    """A parameter."""
    return param(TensorType(dtype, shape), name)


def op(name: str, *operands: object, **attrs: object) -> Value:
    """A card by name; elementwise ones promote and broadcast as NumPy does."""
    card = lookup(name)
    if card.kind == "elementwise" and name not in ("cast", "bitcast", "select", "complex"):
        return build.elementwise(card, *operands)
    return card(*operands, **attrs)


def reduce(x: Value, kind: str, *axes: int, keep: bool = False) -> Value:
    """x reduced over axes, which stay as axes of extent 1 where `keep`."""
    axes = tuple(a % x.type.rank for a in axes) or tuple(range(x.type.rank))
    found = op("reduce", x, kind=kind, axes=axes)
    if not keep:
        return found
    return build.reshape(found, tuple(1 if d in axes else e for d, e in enumerate(x.shape)))


def mean(x: Value, *axes: int, keep: bool = True) -> Value:
    """The mean over axes; their extents may be symbolic."""
    axes = axes or tuple(range(x.type.rank))
    count = ty.product(tuple(x.shape[a] for a in axes))
    return op("div", reduce(x, "sum", *axes, keep=keep), build.extent(count, x.dtype))


def part(x: Value, *ranges: tuple[Extent, Extent, int]) -> Value:
    """x[start + i * step, i < count] for a (start, count, step) per axis."""
    start, shape, step = zip(*ranges, strict=True)
    return op("slice", x, start=start, shape=shape, step=step)


def transposed(x: Value, *axes: int) -> Value:
    return op("transpose", x, axes=axes or tuple(reversed(range(x.type.rank))))


def dot(
    a: Value,
    b: Value,
    contract: tuple[tuple[int, ...], tuple[int, ...]] = ((1,), (0,)),
    batch: int = 0,
) -> Value:
    """A contraction whose first `batch` axes are batched."""
    axes = tuple(range(batch))
    return op("dot", a, b, contract=contract, batch=(axes, axes))


# --------------------------------------------------------------------------------- elementwise


@_program()
def elementwise(n: Extent, m: Extent) -> Graph:
    x, y = tensor(F32, n, m), tensor(F32, n, m, name="y")
    return Graph.of("f", (x, y), (op("add", op("mul", x, y), op("exp", op("neg", x))),))


@_program()
def broadcasts(n: Extent, m: Extent) -> Graph:
    x, row = tensor(F32, n, m), tensor(F32, m, name="row")
    column, one = tensor(F32, n, 1, name="column"), tensor(F32, name="one")
    return Graph.of(
        "f", (x, row, column, one), (op("mul", op("add", op("sub", x, row), column), one),)
    )


@_program()
def gelu(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m)
    inside = op(
        "mul", op("add", x, op("mul", 0.044715, op("mul", x, op("mul", x, x)))), 0.7978845608
    )
    return Graph.of("f", (x,), (op("mul", op("mul", x, 0.5), op("add", op("tanh", inside), 1.0)),))


@_program()
def integers(n: Extent, m: Extent) -> Graph:
    x, y = tensor(I32, n, m), tensor(I64, m, name="y")
    return Graph.of("f", (x, y), (op("floordiv", x, 3), op("mod", op("mul", x, y), 7)))


@_program()
def truth(n: Extent, m: Extent) -> Graph:
    x, y = tensor(F32, n, m), tensor(BOOL, n, m, name="y")
    less = op("and", op("lt", x, 0.5), op("not", y))
    chosen = build.select(less, x, op("neg", x))
    return Graph.of("f", (x, y), (less, chosen, reduce(less, "or", 1), reduce(less, "and", 0)))


@_program()
def halves(n: Extent, m: Extent) -> Graph:
    x = tensor(F16, n, m)
    centred = op("sub", x, build.cast(mean(build.cast(x, F32), 1), F16))
    return Graph.of("f", (x,), (centred, reduce(x, "sum", 0)))


@_program(least=1)
def brains(n: Extent, m: Extent) -> Graph:
    x, y = tensor(BF16, n, m), tensor(BF16, m, name="y")
    return Graph.of(
        "f", (x, y), (op("add", x, y), reduce(op("mul", x, y), "sum", 1), reduce(x, "max", 1))
    )


@_program()
def complexes(n: Extent, m: Extent) -> Graph:
    x, y = tensor(C64, n, m), tensor(C64, m, name="y")
    product = op("mul", x, op("conj", y))
    return Graph.of("f", (x, y), (product, op("abs", product), reduce(product, "sum", 1)))


@_program()
def mixed_widths(n: Extent, m: Extent) -> Graph:
    x, y = tensor(ty.DTYPES["u8"], n, m), tensor(F64, n, m, name="y")
    return Graph.of("f", (x, y), (op("add", x, y), build.cast(x, F16), op("eq", x, 3)))


# ---------------------------------------------------------------------------------- reductions


@_program(least=1)
def softmax(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m)
    e = op("exp", op("sub", x, reduce(x, "max", 1, keep=True)))
    return Graph.of("f", (x,), (op("div", e, reduce(e, "sum", 1, keep=True)),))


@_program(least=1)
def layer_norm(n: Extent, m: Extent) -> Graph:
    x, gain, shift = tensor(F32, n, m), tensor(F32, m, name="gain"), tensor(F32, m, name="shift")
    centred = op("sub", x, mean(x, 1))
    scale = op("sqrt", op("add", mean(op("mul", centred, centred), 1), 1e-5))
    return Graph.of(
        "f", (x, gain, shift), (op("add", op("mul", op("div", centred, scale), gain), shift),)
    )


@_program(least=1)
def logsumexp(n: Extent, m: Extent) -> Graph:
    x = tensor(F64, n, m)
    top = reduce(x, "max", 1, keep=True)
    total = reduce(op("exp", op("sub", x, top)), "sum", 1)
    return Graph.of("f", (x,), (op("add", op("log", total), build.reshape(top, (n,))),))


def _variance(x: Value, *axes: int) -> Value:
    centred = op("sub", x, mean(x, *axes))
    return mean(op("mul", centred, centred), *axes, keep=False)


@_program(least=1)
def variance_rows(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m)
    return Graph.of("f", (x,), (_variance(x, 1),))


@_program(least=1)
def variance_columns(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m)
    return Graph.of("f", (x,), (_variance(x, 0),))


@_program(least=1)
def variance_all(n: Extent, m: Extent) -> Graph:
    x = tensor(F64, n, m)
    return Graph.of("f", (x,), (_variance(x),))


@_program(least=1)
def mean_and_deviation(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m)
    return Graph.of("f", (x,), (mean(x, 1, keep=False), op("sqrt", _variance(x, 1))))


@_program()
def column_sums(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m)
    return Graph.of("f", (x,), (reduce(x, "sum", 0),))


@_program()
def sum_of_squares(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m)
    return Graph.of("f", (x,), (reduce(op("mul", x, x), "sum"),))


@_program(least=1)
def extremes(n: Extent, m: Extent) -> Graph:
    x, y = tensor(F32, n, m), tensor(I32, n, m, name="y")
    return Graph.of(
        "f",
        (x, y),
        (reduce(x, "max", 1), reduce(x, "sum", 1), reduce(y, "min", 0), reduce(y, "xor", 1)),
    )


@_program(least=1)
def reduce_of_reduce(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, 3, m)
    return Graph.of(
        "f", (x,), (reduce(reduce(op("exp", x), "sum", 2), "max", 1), reduce(x, "sum", 0, 2))
    )


@_program()
def middle_axis(n: Extent, m: Extent) -> Graph:
    x = tensor(F64, 2, n, m)
    return Graph.of("f", (x,), (reduce(x, "prod", 1),))


# -------------------------------------------------------------------------------- contractions


@_program()
def products(n: Extent, m: Extent) -> Graph:
    a, b = tensor(F32, n, 7), tensor(F32, 7, m, name="b")
    return Graph.of("f", (a, b), (dot(a, b),))


@_program()
def dense_layer(n: Extent, m: Extent) -> Graph:
    a, b, bias = tensor(F32, n, 20), tensor(F32, 20, m, name="b"), tensor(F32, m, name="bias")
    return Graph.of("f", (a, b, bias), (op("max", op("add", dot(a, b), bias), 0.0),))


@_program()
def product_beside_maps(n: Extent, m: Extent) -> Graph:
    a, b, x = tensor(F32, n, 7), tensor(F32, 7, m, name="b"), tensor(F32, n, m, name="x")
    return Graph.of("f", (a, b, x), (op("exp", x), op("add", dot(a, b), x), op("mul", x, 2.0)))


@_program()
def inner_products(n: Extent, m: Extent) -> Graph:
    a, b = tensor(F64, n, m), tensor(F64, m, name="b")
    return Graph.of("f", (a, b), (dot(a, b), dot(a, a, ((0, 1), (0, 1)))))


@_program()
def batched_products(n: Extent, m: Extent) -> Graph:
    a, b = tensor(F32, 3, n, m), tensor(F32, 3, 5, m, name="b")
    return Graph.of("f", (a, b), (dot(a, b, ((2,), (2,)), 1),))


@_program()
def products_of_transposes(n: Extent, m: Extent) -> Graph:
    a, b = tensor(F64, m, n), tensor(F64, n, m, name="b")
    return Graph.of("f", (a, b), (dot(transposed(a), transposed(b)),))


@_program()
def complex_products(n: Extent, m: Extent) -> Graph:
    a, b = tensor(C64, n, 4), tensor(C64, 4, m, name="b")
    return Graph.of("f", (a, b), (dot(a, b),))


@_program()
def distances(n: Extent, m: Extent) -> Graph:
    x, z = tensor(F32, n, 5), tensor(F32, m, 5, name="z")
    gap = op("sub", build.reshape(x, (n, 1, 5)), build.reshape(z, (1, m, 5)))
    return Graph.of("f", (x, z), (op("sqrt", reduce(op("mul", gap, gap), "sum", 2)),))


@_program(least=1)
def attention(n: Extent, m: Extent) -> Graph:
    q, k, v = tensor(F32, n, 6), tensor(F32, m, 6, name="k"), tensor(F32, m, 6, name="v")
    scores = dot(q, k, ((1,), (1,)))
    e = op("exp", op("sub", scores, reduce(scores, "max", 1, keep=True)))
    return Graph.of("f", (q, k, v), (dot(op("div", e, reduce(e, "sum", 1, keep=True)), v),))


# ------------------------------------------------------------------------------------ movement


@_program()
def transposed_add(n: Extent, m: Extent) -> Graph:
    a, b = tensor(F32, n, m), tensor(F32, m, n, name="b")
    return Graph.of("f", (a, b), (op("add", a, transposed(b)),))


@_program()
def transposes(n: Extent, m: Extent) -> Graph:
    x = tensor(F64, 2, n, m)
    return Graph.of("f", (x,), (transposed(x), transposed(x, 0, 2, 1)))


@_program(least=2)
def slices(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m)
    back = part(x, (n - 1, n, -1), (m - 1, m, -1))
    inner = part(x, (1, n - 1, 1), (0, m - 1, 1))
    every = part(x, (n - 1, 2, -1), (m - 1, m // 2, -2))
    return Graph.of("f", (x,), (back, inner, every))


@_program(least=2)
def stencil(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m)
    e = op("exp", x)
    return Graph.of(
        "f",
        (x,),
        (op("sub", part(e, (0, n, 1), (1, m - 1, 1)), part(e, (0, n, 1), (0, m - 1, 1))),),
    )


@_program()
def pads(n: Extent, m: Extent) -> Graph:
    x, value = tensor(F32, n, m), tensor(F32, name="value")
    wide = op("pad", x, value, low=(1, 0), high=(2, 3), interior=(0, 0))
    return Graph.of("f", (x, value), (op("mul", wide, 2.0), reduce(wide, "sum", 1)))


@_program(least=1)
def pads_between(n: Extent, m: Extent) -> Graph:
    x, value = tensor(I32, n, m), tensor(I32, name="value")
    return Graph.of(
        "f", (x, value), (op("pad", x, value, low=(0, -1), high=(1, 2), interior=(2, 1)),)
    )


@_program()
def concatenations(n: Extent, m: Extent) -> Graph:
    x, y = tensor(F32, n, m), tensor(F32, n, 3, name="y")
    wide = op("concatenate", op("exp", x), y, part(x, (0, n, 1), (0, m, 1)), axis=1)
    return Graph.of("f", (x, y), (wide, op("concatenate", x, op("neg", x), axis=0)))


@_program(least=2)
def updates(n: Extent, m: Extent) -> Graph:
    x, u = tensor(F64, n, m), tensor(F64, 1, m, name="u")
    return Graph.of(
        "f",
        (x, u),
        (
            op("update", x, u, start=(n - 1, 0), step=(-1, 1)),
            op("update", x, u, start=(1, m - 1), step=(1, -1)),
        ),
    )


@_program(least=2)
def windows(n: Extent, m: Extent) -> Graph:
    x, u, i = tensor(F32, n, m), tensor(F32, 2, 1, name="u"), tensor(I64, name="i")
    return Graph.of(
        "f",
        (x, u, i),
        (op("dynamic_slice", x, i, i, shape=(1, 2)), op("dynamic_update", x, u, i, i)),
    )


@_program()
def reshapes(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, 6, m)
    return Graph.of(
        "f",
        (x,),
        (
            op("add", build.reshape(x, (n * 2, 3 * m)), 1.0),
            build.reshape(op("exp", x), (n * 6 * m,)),
        ),
    )


@_program()
def counting(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m)
    rows, columns = (build.iota((n, m), axis, F32) for axis in (0, 1))
    return Graph.of("f", (x,), (op("add", op("mul", x, rows), columns), op("extent", value=n * m)))


# ---------------------------------------------------------------------------- data-made places


@_program(least=1)
def gathers(n: Extent, m: Extent) -> Graph:
    x, i = tensor(F32, n, m), tensor(I64, m, name="i")
    rows = op("gather", x, i, axes=(0,), mode="wrap")
    both = op("gather", op("exp", x), i, i, axes=(0, 1), mode="clip")
    return Graph.of("f", (x, i), (rows, both, reduce(rows, "sum", 1)))


@_program(least=1)
def scatters(n: Extent, m: Extent) -> Graph:
    x, i, u = tensor(F32, n, m), tensor(I32, 4, name="i"), tensor(F32, 4, m, name="u")
    added = op("scatter", x, op("mul", u, 2.0), i, axes=(0,), combine="add", mode="wrap")
    return Graph.of("f", (x, i, u), (op("mul", added, 3.0), reduce(added, "sum")))


@_program()
def sorts(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m)
    place = build.iota((n, m), 1, I64)
    ordered, order = lookup("sort")(op("neg", x), place, axis=1, keys=1, descending=False)
    return Graph.of("f", (x,), (ordered, order))


@_program()
def running(n: Extent, m: Extent) -> Graph:
    x, z = tensor(F64, n, m), tensor(C64, m, name="z")
    total = op("cumulative", op("mul", x, 0.5), kind="sum", axis=1)
    return Graph.of(
        "f",
        (x, z),
        (total, op("cumulative", x, kind="max", axis=0), op("cumulative", z, kind="prod", axis=0)),
    )


@_program()
def searches(n: Extent, m: Extent) -> Graph:
    x, v = tensor(F32, n), tensor(F32, m, name="v")
    ordered = lookup("sort")(x, axis=0, keys=1, descending=False)
    return Graph.of("f", (x, v), (op("searchsorted", ordered, v, side="left"),))


# ------------------------------------------------------------------------------------- results


@_program()
def several_shapes(n: Extent, m: Extent) -> Graph:
    x, y = tensor(F32, n, m), tensor(F32, m, name="y")
    e = op("exp", x)
    return Graph.of(
        "f", (x, y), (e, op("mul", y, 2.0), reduce(e, "sum", 1), reduce(y, "sum"), op("mul", e, y))
    )


@_program()
def plain_results(n: Extent, m: Extent) -> Graph:
    """Parameters, constants and one value twice."""
    x, y = tensor(F32, n, m), tensor(BOOL, m, name="y")
    e = op("exp", x)
    table = build.constant(np.arange(12, dtype=np.int16).reshape(3, 4))
    return Graph.of(
        "f", (x, y), (x, e, table, e, x, y, build.full((2, n), 1.5, F64), build.constant(3))
    )


@_program()
def diamonds(n: Extent, m: Extent) -> Graph:
    x = tensor(F64, n, m)
    e = op("exp", x)
    s = reduce(e, "sum", 0)
    t = op("mul", e, build.broadcast_to(s, (n, m)))
    return Graph.of("f", (x,), (reduce(t, "sum", 1), op("add", t, e), s))


def adam(count: int, n: Extent, m: Extent) -> Graph:
    """The update of `count` tensors: params, first and second moments in; the three of each out."""
    step = tensor(F32, name="step")
    params: list[Value] = [step]
    results: list[Value] = []
    first = op("sub", 1.0, op("pow", op("add", op("mul", step, 0.0), 0.9), step))
    second = op("sub", 1.0, op("pow", op("add", op("mul", step, 0.0), 0.999), step))
    for k in range(count):
        shape = (n, m) if k % 2 else (m,)
        p, g, a, b = (tensor(F32, *shape, name=f"{s}{k}") for s in "pgmv")
        params += [p, g, a, b]
        a2 = op("add", op("mul", a, 0.9), op("mul", g, 0.1))
        b2 = op("add", op("mul", b, 0.999), op("mul", op("mul", g, g), 0.001))
        scaled = op(
            "div",
            op("div", a2, first),
            op("add", op("sqrt", op("abs", op("div", b2, second))), 1e-8),
        )
        results += [op("sub", p, op("mul", scaled, 1e-3)), a2, b2]
    return Graph.of("adam", params, results)


@_program(least=1)
def optimizer(n: Extent, m: Extent) -> Graph:
    return adam(3, n, m)


# ------------------------------------------------------------------------------------- windows


def conv(x: Value, w: Value, **attrs: object) -> Value:
    """Channels last, kernels (space..., in, out)."""
    rank = x.type.rank
    ones, none = (1,) * (rank - 2), (0,) * (rank - 2)
    last = (0, rank - 1, *range(1, rank - 1))
    plain: dict[str, object] = {
        "stride": ones, "low": none, "high": none, "lhs_dilation": ones, "rhs_dilation": ones,
        "groups": 1, "batch_groups": 1, "lhs": last, "rhs": (rank - 1, rank - 2, *range(rank - 2)),
        "out": last,
    }  # fmt: skip
    return op("conv", x, w, **{**plain, **attrs})


@_program(least=1)
def convolution_layer(n: Extent, m: Extent) -> Graph:
    x, w, bias = tensor(F32, 2, n, m, 3), tensor(F32, 3, 3, 3, 4), tensor(F32, 4, name="bias")
    found = conv(x, w, low=(1, 1), high=(1, 1))
    return Graph.of("f", (x, w, bias), (op("max", op("add", found, bias), 0.0),))


@_program(least=3)
def convolution_of_a_map(n: Extent, m: Extent) -> Graph:
    """What is padded is not a parameter, so the 0 of the padding is not the 0 of a Load."""
    x, w = tensor(F32, 1, n, 2), tensor(F32, 3, 2, m, name="w")
    return Graph.of("f", (x, w), (conv(op("exp", x), w, stride=(2,), low=(1,), high=(2,)),))


@_program(least=1)
def depthwise_convolution(n: Extent, m: Extent) -> Graph:
    x, w = tensor(F32, 2, n, m), tensor(F32, 3, 1, m, name="w")
    return Graph.of("f", (x, w), (conv(x, w, groups=m, low=(1,), high=(1,)),))


@_program(least=1)
def transposed_convolution(n: Extent, m: Extent) -> Graph:
    x, w = tensor(F16, n, m, 4), tensor(F16, 3, 2, 6, name="w")
    return Graph.of("f", (x, w), (conv(x, w, groups=2, lhs_dilation=(2,), low=(2,), high=(2,)),))


@_program(least=2)
def pooling(n: Extent, m: Extent) -> Graph:
    x = tensor(F32, n, m, 3)
    edges = {"window": (2, 2, 1), "dilation": (1, 1, 1), "low": (0, 0, 0)}
    high = op("reduce_window", x, kind="max", stride=(2, 2, 1), high=(0, 0, 0), **edges)
    total = op("reduce_window", x, kind="sum", stride=(1, 1, 1), high=(1, 1, 0), **edges)
    return Graph.of("f", (x,), (high, op("mul", total, 0.25)))
