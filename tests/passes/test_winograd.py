"""Convolutions as products of tiles: text, kernels, values of odd shapes, and where it stays."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.evaluate import evaluate
from graphc.ir import Graph, Value, param
from graphc.loops.lower import lower
from graphc.opdef import lookup
from graphc.passes import winograd as pass_module
from graphc.passes.pipeline import DIRECT, EXACT, PIPELINE, run
from graphc.passes.winograd import FAR_FILTER_READ, edge, transforms, winograd
from graphc.types import parse_type
from graphc.verify import verify
from tests.compiled import compiled, lowered_graph
from tests.loops.running import run as run_naive


@pytest.fixture(params=[2, 4])
def always(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Tiles of that edge wherever they are possible."""
    return force(monkeypatch, request.param)


def force(monkeypatch: pytest.MonkeyPatch, m: int) -> int:
    monkeypatch.setattr(pass_module, "edge", lambda *sizes: m)
    return m


def conv(x: Value, w: Value, **given: Any) -> Value:
    attrs = {
        "stride": (1, 1), "low": (1, 1), "high": (1, 1), "lhs_dilation": (1, 1),
        "rhs_dilation": (1, 1), "groups": 1, "batch_groups": 1, "lhs": (0, 3, 1, 2),
        "rhs": (3, 2, 0, 1), "out": (0, 3, 1, 2),
    }  # fmt: skip
    return lookup("conv")(x, w, **{**attrs, **given})


def graph_of(x: str, w: str, **given: Any) -> Graph:
    params = (param(parse_type(x), "x"), param(parse_type(w), "w"))
    return Graph.of("f", params, [conv(*params, **given)])


def normal(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def plain(x: np.ndarray, w: np.ndarray, padding: Any) -> np.ndarray:
    """The direct sum in float64, with channels last."""
    edges = {"same": ((1, 1), (1, 1)), "valid": ((0, 0), (0, 0))}
    low_high = edges[padding] if isinstance(padding, str) else padding
    x = np.pad(x.astype(np.float64), ((0, 0), *low_high, (0, 0)))
    height, width = (n - 2 for n in x.shape[1:3])
    return sum(
        x[:, i : i + height, j : j + width] @ w[i, j].astype(np.float64)
        for i in range(3)
        for j in range(3)
    )


def off(got: np.ndarray, wanted: np.ndarray) -> float:
    """The error, relative to the largest magnitude."""
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max() / max(np.abs(wanted).max(), 1e-30))


# ------------------------------------------------------------------------------------ the matrices


@pytest.mark.parametrize("m", [2, 4])
def test_the_matrices_are_a_sum_over_windows(m: int) -> None:
    t = transforms(m)
    g, b, a = (np.array(matrix) for matrix in (t.filter, t.image, t.result))
    assert (g.shape, b.shape, a.shape) == ((m + 2, 3), (m + 2, m + 2), (m, m + 2))
    # the coefficient of w[k] d[l] in y[i] is 1 where i + k is l
    found = np.einsum("ip,pk,pl->ikl", a, g, b)
    wanted = [[[i + k == d for d in range(m + 2)] for k in range(3)] for i in range(m)]
    np.testing.assert_allclose(found, np.array(wanted, float), atol=1e-14)


def test_images_and_results_are_transformed_by_exact_numbers() -> None:
    for m in (2, 4):
        t = transforms(m)
        for number in (n for matrix in (t.image, t.result) for row in matrix for n in row):
            assert Fraction(np.float32(number).item()) == Fraction(number)
            assert Fraction(number).denominator <= 64


# -------------------------------------------------------------------------------------------- text

AFTER = """\
graph f(%0 x: f32[1, 4, 5, 8], %1 w: f32[3, 3, 8, 32]) {
  %2: f32[4, 4, 1, 2, 3, 8] = tiles(%0){axes=(1, 2), size=(4, 4), step=(2, 2), low=(1, 1), \
count=(2, 3)}
  %3: f32[4, 4, 1, 2, 3, 8] = mix(%2){axis=0, matrix=B}
  %4: f32[4, 4, 1, 2, 3, 8] = mix(%3){axis=1, matrix=B}
  %5: f32[4, 4, 1, 1, 2, 3, 8] = reshape(%4){shape=(4, 4, 1, 1, 2, 3, 8)}
  %6: f32[3, 3, 1, 8, 32] = reshape(%1){shape=(3, 3, 1, 8, 32)}
  %7: f32[4, 3, 1, 8, 32] = mix(%6){axis=0, matrix=G}
  %8: f32[4, 4, 1, 8, 32] = mix(%7){axis=1, matrix=G}
  %9: f32[4, 4, 1, 1, 2, 3, 32] = dot(%5, %8){contract=((6,), (3,)), batch=((0, 1, 2), (0, 1, 2))}
  %10: f32[2, 4, 1, 1, 2, 3, 32] = mix(%9){axis=0, matrix=A}
  %11: f32[2, 2, 1, 1, 2, 3, 32] = mix(%10){axis=1, matrix=A}
  %12: f32[1, 2, 2, 3, 2, 1, 32] = transpose(%11){axes=(3, 4, 0, 5, 1, 2, 6)}
  %13: f32[1, 4, 6, 32] = reshape(%12){shape=(1, 4, 6, 32)}
  %14: f32[1, 4, 5, 32] = slice(%13){start=(0, 0, 0, 0), shape=(1, 4, 5, 32), step=(1, 1, 1, 1)}
  return %14
}"""


def test_text(monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, 2)
    found = verify(winograd(graph_of("f32[1, 4, 5, 8]", "f32[3, 3, 8, 32]")))
    text = str(found)
    t = transforms(2)
    for letter, matrix in (("B", t.image), ("G", t.filter), ("A", t.result)):
        text = text.replace(f"matrix={matrix!r}", f"matrix={letter}")
    assert text == AFTER
    assert winograd(found) is found


def test_loops(monkeypatch: pytest.MonkeyPatch, golden: Callable[[str, str], None]) -> None:
    """Each transform is a nest over tiles and channels, its sums written out."""
    force(monkeypatch, 2)
    lowered = lowered_graph(winograd(graph_of("f32[1, 4, 5, 8]", "f32[3, 3, 8, 64]")))
    image, _, _, result = lowered.kernels
    golden("naive_winograd.txt", f"{image.naive.func}\n\n{result.naive.func}")


# ----------------------------------------------------------------------------------------- kernels


def names(function: Callable[..., Any], *arrays: np.ndarray) -> list[str]:
    return [k.name.split("_", 1)[1] for k in graphc.jit(function).lower(*arrays).kernels]


def test_what_follows_ends_the_last_kernel(always: int) -> None:
    x, w, b = normal(1, 9, 9, 16), normal(3, 3, 16, 64), normal(64)
    r = normal(1, 9, 9, 64)

    def layer(x: Any, w: Any, b: Any, r: Any) -> Any:
        return np.maximum(nn.conv(x, w, padding="same") + b + r, 0)

    found = names(layer, x, w, b, r)
    assert found == ["mix", "mix", "dot", "mix_add_max"]
    got = graphc.jit(layer)(x, w, b, r)
    assert off(got, np.maximum(plain(x, w, "same") + b + r, 0)) < 5e-6


def test_layers_one_after_the_other(always: int) -> None:
    """A map between two convolutions is computed once, where the first one ends."""
    x, w, v = normal(2, 6, 7, 8), normal(3, 3, 8, 16, seed=1), normal(3, 3, 16, 8, seed=2)

    def layers(x: Any, w: Any, v: Any) -> Any:
        return nn.conv(np.maximum(nn.conv(x, w, padding="same"), 0), v, padding="same")

    assert sorted(names(layers, x, w, v)) == ["dot"] * 2 + ["mix"] * 5 + ["mix_max"]
    wanted = plain(np.maximum(plain(x, w, "same"), 0), v, "same")
    assert off(graphc.jit(layers)(x, w, v), wanted) < 5e-6


def test_convolutions_of_one_image_share_its_transform(always: int) -> None:
    x, w, v = normal(1, 8, 8, 8), normal(3, 3, 8, 16, seed=1), normal(3, 3, 8, 16, seed=2)

    def both(x: Any, w: Any, v: Any) -> Any:
        return nn.conv(x, w, padding="same"), nn.conv(x, v, padding="same")

    graph = winograd(graphc.jit(both).trace(x, w, v).graph)
    assert [n.op.name for n in graph.nodes].count("tiles") == 1
    for got, filters in zip(graphc.jit(both)(x, w, v), (w, v), strict=True):
        assert off(got, plain(x, filters, "same")) < 5e-6


def test_a_row_of_results_may_be_reduced(always: int) -> None:
    """A sum over channels wants a loop of its own: the transform stays a kernel of its own."""
    x, w = normal(2, 6, 7, 8), normal(3, 3, 8, 70)

    def norm(x: Any, w: Any) -> Any:
        y = nn.conv(x, w, padding="same")
        return y - y.mean(-1, keepdims=True), y.sum((1, 2)), y.max()

    y = plain(x, w, "same")
    wanted = (y - y.mean(-1, keepdims=True), y.sum((1, 2)), y.max())
    for got, one in zip(graphc.jit(norm)(x, w), wanted, strict=True):
        assert off(got, one) < 1e-5


def test_pools_and_joins(always: int) -> None:
    x, w = normal(1, 8, 8, 8), normal(3, 3, 8, 32)

    def around(x: Any, w: Any) -> Any:
        y = np.maximum(nn.conv(x, w, padding="same"), 0)
        z = np.concatenate([y, x], axis=-1)
        return nn.max_pool(y, 2), z.reshape(-1, 4), y[:, ::-1, 1:3]

    y = np.maximum(plain(x, w, "same"), 0)
    pooled = y.reshape(1, 4, 2, 4, 2, 32).max((2, 4))
    wanted = (pooled, np.concatenate([y, x], -1).reshape(-1, 4), y[:, ::-1, 1:3])
    for got, one in zip(graphc.jit(around)(x, w), wanted, strict=True):
        assert off(got, one) < 5e-6


# ------------------------------------------------------------------------------------------ values

IMAGES = ((1, 1), (2, 2), (3, 3), (5, 7), (4, 4), (8, 3), (14, 13))
PADDINGS = ("same", "valid", ((2, 0), (1, 3)), ((0, 4), (0, 0)))


@pytest.mark.parametrize("image", IMAGES, ids=str)
def test_values(image: tuple[int, int], always: int) -> None:
    for number, padding in enumerate(PADDINGS):
        if padding == "valid" and min(image) < 3:
            continue
        if padding == PADDINGS[3] and image[1] < 3:
            continue
        batch, channels, features = ((1, 16, 32), (3, 5, 7), (2, 19, 96), (1, 1, 64))[number]
        x, w = normal(batch, *image, channels), normal(3, 3, channels, features, seed=1)
        function = graphc.jit(lambda x, w, p=padding: nn.conv(x, w, padding=p))
        assert "mix" in function.lower(x, w).text("passes")
        assert off(function(x, w), plain(x, w, padding)) < 3e-6


@pytest.mark.parametrize("text", ["f32[2, 5, 7, 3]", "f64[1, 9, 4, 6]"])
def test_values_of_the_graph(text: str, always: int) -> None:
    x = parse_type(text)
    graph = graph_of(text, f"{x.dtype}[3, 3, {x.shape[3]}, 64]", low=(1, 2), high=(2, -1))
    arrays = [normal(*map(int, p.type.shape), dtype=x.dtype.numpy) for p in graph.params]
    wanted = evaluate(graph, arrays)[0]
    tolerance = 3e-6 if x.dtype.bits == 32 else 5e-15
    changed = verify(winograd(graph))
    assert changed is not graph
    assert off(evaluate(changed, arrays)[0], wanted) < tolerance
    assert off(compiled(changed)(*arrays)[0], wanted) < tolerance


def test_a_filter_in_another_layout(always: int) -> None:
    x, w = normal(1, 6, 6, 8), normal(64, 8, 3, 3)
    function = graphc.jit(lambda x, w: nn.conv(x, w, padding="same", kernel_layout="OIHW"))
    assert "mix" in function.lower(x, w).text("passes")
    assert off(function(x, w), plain(x, w.transpose(2, 3, 1, 0), "same")) < 3e-6


@pytest.mark.parametrize("layout", ["NCHW", "HWCN", "NHCW"])
def test_images_in_other_layouts(layout: str, always: int) -> None:
    """The pass before turns them, before and after, in kernels that do nothing else."""
    order, back = ["NHWC".index(c) for c in layout], [layout.index(c) for c in "NHWC"]
    x, w, b = normal(2, 7, 6, 8), normal(3, 3, 8, 32), normal(32)

    def layer(x: Any, w: Any, b: Any) -> Any:
        shape = [-1 if c == "C" else 1 for c in layout]
        y = nn.conv(x, w, padding="same", layout=layout, kernel_layout="HWIO")
        return np.maximum(y + b.reshape(shape), 0)

    turned = np.ascontiguousarray(x.transpose(order))
    assert sorted(names(layer, turned, w, b)) == [
        "dot", "keep", "keep", "mix", "mix", "mix_add_max_keep",
    ]  # fmt: skip
    got = graphc.jit(layer)(turned, w, b).transpose(back)
    assert off(got, np.maximum(plain(x, w, "same") + b, 0)) < 5e-6


def test_only_channels_last() -> None:
    x, w = "f32[1, 64, 28, 28]", "f32[3, 3, 64, 64]"
    for given in ({"lhs": (0, 1, 2, 3), "out": (0, 1, 2, 3)}, {"out": (0, 1, 2, 3)}):
        image = x if "lhs" in given else "f32[1, 28, 28, 64]"
        graph = graph_of(image, w, **given)
        assert winograd(graph) is graph
    graph = graph_of("f32[1, 28, 28, 64]", w)
    assert winograd(graph) is not graph


def test_the_gradient_of_the_image(always: int) -> None:
    g, w = normal(1, 6, 7, 16), normal(3, 3, 8, 16)
    function = graphc.jit(lambda g, w: nn.conv_input_gradient(g, w, (1, 6, 7, 8), padding="same"))
    assert "mix" in function.lower(g, w).text("passes")
    turned = np.ascontiguousarray(w[::-1, ::-1].swapaxes(2, 3))
    assert off(function(g, w), plain(g, turned, "same")) < 3e-6


def test_any_batch(always: int) -> None:
    w = normal(3, 3, 8, 32)
    function = graphc.jit(
        lambda x, w: np.maximum(nn.conv(x, w, padding="same"), 0),
        dims={"x": ("n", None, None, None)},
    )
    for batch in (1, 3, 0):
        x = normal(batch, 5, 6, 8)
        got = function(x, w)
        assert got.shape == (batch, 5, 6, 32)
        if batch:
            assert off(got, np.maximum(plain(x, w, "same"), 0)) < 3e-6
    assert function.cache_info().programs == 1
    assert "mix" in function.lower(x, w).text("passes")


def test_threads_and_strides(always: int) -> None:
    x, w = normal(40, 9, 9, 40)[::2, ::-1, :, 3:27], normal(3, 3, 24, 32)
    assert off(graphc.jit(lambda x, w: nn.conv(x, w))(x, w), plain(x, w, "valid")) < 3e-6


# ------------------------------------------------------------------------------------- where it is


def stays(function: Callable[..., Any], *arrays: Any, **options: Any) -> bool:
    return "mix" not in graphc.jit(function, **options).lower(*arrays).text("passes")


def test_precision() -> None:
    x, w = normal(1, 56, 56, 64), normal(3, 3, 64, 64)

    def layer(x: Any, w: Any) -> Any:
        return nn.conv(x, w, padding="same")

    assert not stays(layer, x, w)
    assert stays(layer, x, w, precision="direct")
    assert stays(layer, x, w, debug="nan")
    assert stays(lambda x, w: nn.conv(x, w, padding="same", precision="direct"), x, w)
    wanted = plain(x, w, "same")
    exact = off(graphc.jit(layer, precision="direct")(x, w), wanted)
    fast = off(graphc.jit(layer)(x, w), wanted)
    assert exact < 2e-6 and exact < fast < 1e-5
    with pytest.raises(TypeError, match="precision is 'best'; expected one of None, 'direct'"):
        graphc.jit(layer, precision="best")
    with pytest.raises(TypeError, match="precision is 'best'; expected None or 'direct'"):
        nn.conv(x, w, precision="best")


def test_a_single_convolution_may_be_direct() -> None:
    x, w = normal(1, 56, 56, 64), normal(3, 3, 64, 64)
    got = graphc.jit(lambda x, w: nn.conv(x, w, padding="same", precision="direct"))(x, w)
    np.testing.assert_array_equal(
        got, graphc.jit(lambda x, w: nn.conv(x, w, padding="same"), precision="direct")(x, w)
    )


def test_pipelines() -> None:
    assert winograd in PIPELINE and winograd not in DIRECT and winograd not in EXACT
    graph = graph_of("f32[1, 28, 28, 256]", "f32[3, 3, 256, 256]")
    assert "mix" in {n.op.name for n in run(graph, PIPELINE[:-2]).graph.nodes}
    assert run(graph, DIRECT[:-2]).graph is graph


@pytest.mark.parametrize(
    "x, w, given",
    [
        ("f32[1, 9, 9, 8]", "f32[3, 3, 8, 8]", {"stride": (2, 2)}),
        ("f32[1, 9, 9, 8]", "f32[3, 3, 8, 8]", {"rhs_dilation": (2, 2)}),
        ("f32[1, 9, 9, 8]", "f32[3, 3, 8, 8]", {"lhs_dilation": (1, 2)}),
        ("f32[1, 9, 9, 8]", "f32[3, 3, 4, 8]", {"groups": 2}),
        ("f32[2, 9, 9, 8]", "f32[3, 3, 8, 8]", {"batch_groups": 2}),
        ("f32[1, 9, 9, 8]", "f32[5, 5, 8, 8]", {}),
        ("f32[1, 9, 9, 8]", "f32[3, 1, 8, 8]", {}),
        ("f16[1, 9, 9, 8]", "f16[3, 3, 8, 8]", {}),
        ("i32[1, 9, 9, 8]", "i32[3, 3, 8, 8]", {}),
        ("f32[1, h, 9, 8]", "f32[3, 3, 8, 8]", {}),
        ("f32[1, 9, 9, 0]", "f32[3, 3, 0, 8]", {}),
        ("f32[0, 9, 9, 8]", "f32[3, 3, 8, 8]", {}),
        ("f32[1, 9, 9, 8]", "f32[3, 3, 8, 8]", {"precision": "direct"}),
    ],
)  # fmt: skip
def test_others_stay(x: str, w: str, given: dict[str, Any], always: int) -> None:
    graph = graph_of(x, w, **given)
    assert winograd(graph) is graph


def test_where_it_pays() -> None:
    """The layers of VGG16, of ResNet50's last stage, and small ones."""
    for size, channels, features in (
        (224, 64, 64), (112, 64, 128), (56, 256, 256), (28, 512, 512), (14, 512, 512),
    ):  # fmt: skip
        assert edge(1, size, size, channels, features, constant=False) == 4
    assert edge(1, 7, 7, 512, 512, constant=False) == 0  # the filter is most of the work
    assert edge(1, 7, 7, 512, 512, constant=True) > 0
    # where the filter comes slowly, four times as much of it is no gain for one image
    assert edge(1, 7, 7, 512, 512, constant=True, read=FAR_FILTER_READ) == 0
    assert edge(16, 7, 7, 512, 512, constant=True, read=FAR_FILTER_READ) == 4
    assert edge(1, 56, 56, 64, 64, constant=True, read=FAR_FILTER_READ) == 4
    assert edge(16, 7, 7, 512, 512, constant=False) == 4
    assert edge(1, 224, 224, 3, 64, constant=True) == 0
    assert edge(1, 32, 32, 8, 8, constant=True) == 0
    assert edge(1, 3, 3, 64, 64, constant=False) == 0


def test_a_captured_filter_counts_as_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def watched(*sizes: Any) -> int:
        asked.append(sizes[5])
        return 0

    monkeypatch.setattr(pass_module, "edge", watched)
    w = normal(3, 3, 8, 32)
    x = normal(1, 9, 9, 8)
    graphc.jit(lambda x: nn.conv(x, w)).lower(x).text("passes")
    graphc.jit(lambda x, w: nn.conv(x, w)).lower(x, w).text("passes")
    assert asked == [True, False]


def test_nan_stays_in_its_tiles(always: int) -> None:
    x, w = normal(1, 20, 20, 8), normal(3, 3, 8, 32)
    x[0, 10, 9, 3] = np.nan
    got = graphc.jit(lambda x, w: nn.conv(x, w, padding="same"))(x, w)
    bad = np.isnan(got).any((0, 3))
    assert bad[9:12, 8:11].all()
    assert not bad[:4].any() and not bad[:, :4].any() and not bad[16:].any()


# ----------------------------------------------------------------------------- what is written out


def test_written_out_under_a_row() -> None:
    """An op that wants numbers as indices, where the loops cannot give them, chooses as it runs."""
    x = param(parse_type("f32[4, 3]"), "x")
    mixed = lookup("mix")(x, axis=1, matrix=((1.0, -1.0, 0.0), (0.5, 2.0, -1.0)))
    total = lookup("reduce")(mixed, kind="sum", axes=(1,))
    graph = Graph.of("f", (x,), [total])
    lowered = lower(graph, "f")  # one nest, as no pass would make it
    assert len(lowered.func.body) == 1
    array = normal(4, 3)
    wanted = array @ np.array([[1, -1, 0], [0.5, 2, -1]], np.float32).T
    np.testing.assert_allclose(compiled(graph)(array)[0], wanted.sum(1), rtol=1e-5, atol=1e-6)
    (got,) = run_naive(lowered, [array], graph.results, {})
    np.testing.assert_allclose(got, wanted.sum(1), rtol=1e-5, atol=1e-6)
