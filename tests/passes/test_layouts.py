"""Channels last in whole networks: text, what stands between layers, every op that reads turned
images, values, and what stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.evaluate import evaluate
from graphc.ir import Graph, Literal, Value, param
from graphc.opdef import lookup
from graphc.passes.layouts import layouts
from graphc.passes.pipeline import DIRECT, EXACT, PIPELINE, WHOLE, run
from graphc.passes.pipeline import layouts as step
from graphc.text import print_graph
from graphc.types import parse_type
from graphc.verify import verify
from tests.compiled import compiled
from tests.random_graphs import random_graph

Program = Callable[..., Any]
BEFORE = PIPELINE[: PIPELINE.index(step)]
FIRST: dict[str, Any] = {"layout": "NCHW", "kernel_layout": "OIHW"}


def normal(*shape: int, seed: int = 0, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(dtype)


def before(program: Program, *arrays: Any, **options: Any) -> Graph:
    """The graph that the pass is given."""
    return run(graphc.jit(program, **options).lower(*arrays).graph, BEFORE).graph


def turned(program: Program, *arrays: Any, **options: Any) -> Graph:
    """The graph that the pass makes; it is valid, and done after one run."""
    after = verify(layouts(before(program, *arrays, **options)))
    assert layouts(after) is after
    return after


def count(graph: Graph, name: str = "transpose") -> int:
    """Nodes of that op; of transposes those that put other elements side by side."""
    nodes = [node for node in graph.nodes if node.op.name == name]
    if name == "transpose":
        nodes = [node for node in nodes if node.attrs["axes"][-1] != len(node.attrs["axes"]) - 1]
    return len(nodes)


def is_channels_last(graph: Graph) -> bool:
    """Of every convolution."""
    convs = [node for node in graph.nodes if node.op.name == "conv"]
    names = [axes for node in convs for axes in (node.attrs["lhs"], node.attrs["out"])]
    return bool(convs) and all(
        axes == (0, len(axes) - 1, *range(1, len(axes) - 1)) for axes in names
    )


def close(found: Any, wanted: Any, rtol: float = 2e-5) -> None:
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    scale = np.abs(wanted).max(initial=1e-30)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=rtol * scale)


def check(program: Program, *arrays: np.ndarray, transposes: int, rtol: float = 2e-5) -> Graph:
    """The pass leaves so many transposes; compiled and evaluated results are those of before."""
    graph = before(program, *arrays)
    after = turned(program, *arrays)
    assert count(after) == transposes, str(after)
    results = graphc.jit(program)(*arrays)
    results = results if isinstance(results, tuple) else (results,)
    wanted = evaluate(graph, arrays)
    for found, direct, one in zip(results, evaluate(after, arrays), wanted, strict=True):
        close(found, one, rtol)
        close(direct, one, rtol)
    return after


# -------------------------------------------------------------------------------------------- text

EDGES = "lhs_dilation=(1, 1), rhs_dilation=(1, 1), groups=1, batch_groups=1"
TEXT_BEFORE = f"""\
graph layers(%0 x: f32[2, 3, 8, 6], %1 w: f32[8, 3, 3, 3], %2 b: f32[8], %3 v: f32[5, 8, 1, 1]) {{
  %4: f32[2, 8, 8, 6] = conv(%0, %1){{stride=(1, 1), low=(1, 1), high=(1, 1), {EDGES}, \
lhs=(0, 1, 2, 3), rhs=(0, 1, 2, 3), out=(0, 1, 2, 3)}}
  %5: f32[2, 8, 8, 6] = broadcast(%2){{shape=(2, 8, 8, 6), axes=(1,)}}
  %6: f32[2, 8, 8, 6] = add(%4, %5)
  %7: f32[2, 8, 4, 3] = reduce_window(%6){{kind="max", window=(1, 1, 2, 2), stride=(1, 1, 2, 2), \
dilation=(1, 1, 1, 1), low=(0, 0, 0, 0), high=(0, 0, 0, 0)}}
  %8: f32[2, 5, 4, 3] = conv(%7, %3){{stride=(1, 1), low=(0, 0), high=(0, 0), {EDGES}, \
lhs=(0, 1, 2, 3), rhs=(0, 1, 2, 3), out=(0, 1, 2, 3)}}
  return %8
}}"""
TEXT_AFTER = f"""\
graph layers(%0 x: f32[2, 3, 8, 6], %1 w: f32[8, 3, 3, 3], %2 b: f32[8], %3 v: f32[5, 8, 1, 1]) {{
  %4: f32[2, 8, 6, 3] = transpose(%0){{axes=(0, 2, 3, 1)}}
  %5: f32[2, 8, 6, 3] = keep(%4)
  %6: f32[3, 3, 3, 8] = transpose(%1){{axes=(2, 3, 1, 0)}}
  %7: f32[3, 3, 3, 8] = keep(%6)
  %8: f32[2, 8, 6, 8] = conv(%5, %7){{stride=(1, 1), low=(1, 1), high=(1, 1), {EDGES}, \
lhs=(0, 3, 1, 2), rhs=(3, 2, 0, 1), out=(0, 3, 1, 2)}}
  %9: f32[2, 8, 6, 8] = broadcast(%2){{shape=(2, 8, 6, 8), axes=(3,)}}
  %10: f32[2, 8, 6, 8] = add(%8, %9)
  %11: f32[2, 4, 3, 8] = reduce_window(%10){{kind="max", window=(1, 2, 2, 1), stride=(1, 2, 2, 1), \
dilation=(1, 1, 1, 1), low=(0, 0, 0, 0), high=(0, 0, 0, 0)}}
  %12: f32[2, 4, 3, 5] = conv(%11, %3){{stride=(1, 1), low=(0, 0), high=(0, 0), {EDGES}, \
lhs=(0, 3, 1, 2), rhs=(0, 1, 2, 3), out=(0, 3, 1, 2)}}
  %13: f32[2, 4, 3, 5] = keep(%12)
  %14: f32[2, 5, 4, 3] = transpose(%13){{axes=(0, 3, 1, 2)}}
  %15: f32[2, 5, 4, 3] = keep(%14)
  return %15
}}"""


def test_text() -> None:
    def layers(x: Any, w: Any, b: Any, v: Any) -> Any:
        x = nn.conv(x, w, padding=1, **FIRST) + b[:, None, None]
        return nn.conv(nn.max_pool(x, 2, layout="NCHW"), v, **FIRST)

    arrays = normal(2, 3, 8, 6), normal(8, 3, 3, 3), normal(8), normal(5, 8, 1, 1)
    for graph, wanted in (
        (before(layers, *arrays), TEXT_BEFORE), (turned(layers, *arrays), TEXT_AFTER),
    ):  # fmt: skip
        lines = print_graph(graph).splitlines()
        assert "\n".join(line.split("  #")[0] for line in lines) == wanted
    check(layers, *arrays, transposes=3)


def test_placement() -> None:
    for steps in (PIPELINE, DIRECT, WHOLE, EXACT):
        assert step in steps
    names = [getattr(step, "__name__", "") for step in PIPELINE]
    assert names[names.index("layouts") + 1] == "winograd"


# ---------------------------------------------------------------------------------------- networks


class Network:
    """A network in both layouts, over the same numbers."""

    def __init__(self, image: str):
        self.image = image
        self.axes = {"layout": image, "kernel_layout": "OIHW"}
        self.space = (1, 2) if image == "NHWC" else (2, 3)
        self.channel = image.index("C")

    def by_channel(self, p: Any) -> Any:
        return p[:, None, None] if self.image == "NCHW" else p

    def unit(self, x: Any, p: Any, stride: int = 1) -> Any:
        w, scale, shift = p
        x = nn.conv(x, w, stride, padding=w.shape[2] // 2, **self.axes)
        return x * self.by_channel(scale) + self.by_channel(shift)

    def vgg(self, x: Any, layers: Any, dense: Any) -> Any:
        for k, p in enumerate(layers):
            x = np.maximum(self.unit(x, p), 0)
            if k % 2:
                x = nn.max_pool(x, 2, layout=self.image)
        if self.image == "NHWC":
            x = np.transpose(x, (0, 3, 1, 2))
        return x.reshape(x.shape[0], dense.shape[0]) @ dense

    def resnet(self, x: Any, stem: Any, blocks: Any, dense: Any) -> Any:
        x = np.maximum(self.unit(x, stem, 2), 0)
        x = nn.max_pool(x, 3, 2, padding=1, layout=self.image)
        for reduce, middle, expand, project in blocks:
            h = np.maximum(self.unit(x, reduce), 0)
            h = np.maximum(self.unit(h, middle, 2), 0)
            x = np.maximum(self.unit(x, project, 2) + self.unit(h, expand), 0)
        both = np.concatenate([x, np.maximum(-x, 0)], axis=self.channel)
        both = nn.avg_pool(both, 2, 1, padding=1, layout=self.image)
        return both.mean(axis=self.space) @ dense


def unit(size: int, inside: int, out: int, seed: int) -> tuple[np.ndarray, ...]:
    scale = np.float32(1 / np.sqrt(size * size * inside))
    kernel = scale * normal(out, inside, size, size, seed=seed)
    return kernel, 1 + normal(out, seed=seed) / 8, normal(out, seed=seed + 1) / 8


def vgg_parameters() -> tuple[Any, ...]:
    widths = (3, 8, 8, 16, 16)
    layers = [unit(3, *widths[k : k + 2], seed=k) for k in range(4)]
    return layers, normal(16 * 3 * 3, 10)


def resnet_parameters() -> tuple[Any, ...]:
    blocks = [
        (unit(1, n, 8, n), unit(3, 8, 8, n + 1), unit(1, 8, 32, n + 2), unit(1, n, 32, n + 3))
        for n in (16, 32)
    ]
    return unit(7, 3, 16, 9), blocks, normal(64, 10)


NETWORKS: dict[str, Any] = {
    "vgg": (vgg_parameters, (2, 3, 12, 12), 3),
    "resnet": (resnet_parameters, (2, 3, 33, 30), 2),
}
"""Parameters, image, transposes: of the image, of the kernel over 3 channels, and before channels
and space become one axis.
"""


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    """No transpose between layers, and the kernels of the same program with channels last."""
    make, shape, transposes = NETWORKS[name]
    parameters, x = make(), normal(*shape)
    first, last = (getattr(Network(image), name) for image in ("NCHW", "NHWC"))
    after = turned(first, x, *parameters)
    assert count(after) == transposes and is_channels_last(after)
    near = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    got, wanted = graphc.jit(first)(x, *parameters), graphc.jit(last)(near, *parameters)
    close(got, wanted)
    close(got, np.asarray(first(x, *parameters)), 1e-4)
    assert len(kernels(first, x, *parameters)) == len(kernels(last, near, *parameters))


def kernels(function: Program, *arrays: Any) -> list[str]:
    """Those of a program that do more than to turn something."""
    names = (k.name.split("_", 1)[1] for k in graphc.jit(function).lower(*arrays).kernels)
    return [name for name in names if set(name.split("_")) != {"keep"}]


@pytest.mark.parametrize("name", NETWORKS)
def test_any_batch(name: str) -> None:
    make, shape, transposes = NETWORKS[name]
    parameters, network = make(), getattr(Network("NCHW"), name)
    function = graphc.jit(network, dims={"x": ("n", None, None, None)})
    assert count(layouts(run(function.lower(normal(*shape), *parameters).graph, BEFORE).graph)) == (
        transposes
    )
    for batch in (1, 3, 0):
        x = normal(batch, *shape[1:])
        close(function(x, *parameters), np.asarray(network(x, *parameters)), 1e-4)
    assert function.cache_info().programs == 1


def test_captured_weights() -> None:
    parameters, x = vgg_parameters(), normal(2, 3, 12, 12)
    network = Network("NCHW").vgg
    close(
        graphc.jit(lambda x: network(x, *parameters))(x), np.asarray(network(x, *parameters)), 1e-4
    )


def test_threads_and_strides() -> None:
    parameters, x = vgg_parameters(), normal(40, 4, 24, 12)[::2, 3:0:-1, ::2]
    network = Network("NCHW").vgg
    close(graphc.jit(network)(x, *parameters), np.asarray(network(x, *parameters)), 1e-4)


# ------------------------------------------------------------------------- what reads turned images

IMAGE = (2, 8, 6, 10)
W = normal(8, 8, 3, 3) / 8


def conv(x: Any, w: Any = W, **given: Any) -> Any:
    return nn.conv(x, w, padding=1, **{**FIRST, **given})


def normalised(x: Any) -> Any:
    return (x - x.mean((0, 2, 3), keepdims=True)) / x.std((0, 2, 3))[:, None, None]


def grouped(x: Any) -> Any:
    """A normalisation of groups of channels."""
    y = x.reshape(2, 4, 2, 6, 10)
    y = y - y.mean((2, 3, 4), keepdims=True)
    return (y / np.sqrt((y * y).mean((2, 3, 4), keepdims=True) + 1)).reshape(x.shape)


def shuffled(x: Any) -> Any:
    return np.swapaxes(x.reshape(2, 4, 2, 6, 10), 1, 2).reshape(x.shape)


def doubled(x: Any) -> Any:
    return np.repeat(np.repeat(x, 2, axis=2), 2, axis=3)[:, :, ::2, ::2]


def updated(x: Any) -> Any:
    x = np.copy(x)
    x[:, 2:4, 1:, ::2] = 7
    return x


def squeezed(x: Any) -> Any:
    return x * np.tanh(x.mean((2, 3)) @ normal(8, 8))[:, :, None, None]


BETWEEN: dict[str, Callable[[Any], Any]] = {
    "elementwise": lambda x: np.where(x > 0, x, np.expm1(x)) * np.float32(2),
    "cast": lambda x: x.astype(np.float64).astype(np.float32),
    "bias": lambda x: x + normal(8)[:, None, None] + normal(1, 8, 1, 1) + normal(6, 1),
    "mask": lambda x: np.where(normal(2, 1, 6, 10) > 0, x, 0),
    "pad": lambda x: np.pad(x, ((0, 0), (0, 0), (2, 1), (0, 3)), constant_values=2),
    "slice": lambda x: x[:, ::-1, 1:5, ::3],
    "concatenate": lambda x: np.concatenate([x[:, :3], np.sqrt(np.abs(x[:, 3:]))], axis=1),
    "concatenate space": lambda x: np.concatenate([x, x], axis=3),
    "update": updated,
    "max pool": lambda x: nn.max_pool(x, (2, 3), 1, padding="same", layout="NCHW"),
    "avg pool": lambda x: nn.avg_pool(x, 3, 2, padding=1, layout="NCHW"),
    "batch norm": normalised,
    "layer norm": lambda x: x - x.mean((1, 2, 3), keepdims=True),
    "group norm": grouped,
    "softmax of channels": lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True),
    "squeeze and excite": squeezed,
    "gather": lambda x: np.take(x, [3, 0, 1, 1], axis=2),
    "nearest": doubled,
    "resize": lambda x: nn.resize(x, (9, 5), layout="NCHW"),
    "joined space": lambda x: np.tanh(x.reshape(2, 8, 60)).reshape(2, 8, 10, 6),
    "turned there and back": lambda x: np.exp(np.transpose(x, (0, 2, 3, 1))).transpose(0, 3, 1, 2),
    "space exchanged": lambda x: np.swapaxes(np.tanh(np.swapaxes(x, 2, 3)), 2, 3),
    "unit axes": lambda x: np.tanh(x[:, None, :, None])[:, 0, :, 0],
}  # fmt: skip


@pytest.mark.parametrize("name", BETWEEN)
def test_between_layers(name: str) -> None:
    """One transpose before and one after: none is left between."""

    def program(x: Any) -> Any:
        return conv(BETWEEN[name](conv(x)))

    after = check(program, normal(*IMAGE), transposes=2, rtol=1e-4)
    assert is_channels_last(after)


def test_shuffled_channels() -> None:
    """Both axes that the channels fall into are exchanged: one transpose more."""

    def program(x: Any) -> Any:
        return conv(shuffled(conv(x)))

    after = check(program, normal(*IMAGE), transposes=3)
    assert sorted(len(n.attrs["axes"]) for n in after.nodes if n.op.name == "transpose") == [
        4,
        4,
        5,
    ]


def test_what_cannot_read_them_gets_the_image_in_memory() -> None:
    def program(x: Any) -> Any:
        y = conv(x)
        return np.sort(y, axis=3), np.cumsum(y, axis=2), conv(np.tanh(y)).mean((2, 3))

    after = check(program, normal(*IMAGE), transposes=2)
    assert count(after, "keep") == 3  # turned where it enters, in memory both ways where it leaves


def test_a_value_is_kept_once() -> None:
    """What leaves and is read inside as well is one buffer, not two."""

    def program(x: Any) -> Any:
        y = np.maximum(conv(x), 0)
        return y, conv(y), y.sum()

    after = check(program, normal(*IMAGE), transposes=3)
    for node in after.nodes:
        if node.op.name == "keep":
            assert len(after.users[node.operands[0]]) == 1


def test_readers_share_a_transpose() -> None:
    def program(x: Any, v: Any) -> Any:
        return (conv(x) + conv(x, v) + x).mean((2, 3))

    check(program, normal(*IMAGE), normal(8, 8, 3, 3), transposes=1)


def test_a_residual_from_outside() -> None:
    """It is turned in memory, as the image is: the last kernel reads lines."""

    def program(x: Any, r: Any) -> Any:
        return (conv(x) + np.exp(r)).max((2, 3))

    after = check(program, normal(*IMAGE), normal(*IMAGE, seed=1), transposes=2)
    assert count(after, "keep") == 2


def test_a_kernel_over_few_channels_is_turned() -> None:
    """The sum goes along channels innermost, in both operands. In any layout of the image."""
    w = normal(16, 3, 3, 3)
    check(lambda x, w: conv(x, w).max((2, 3)), normal(2, 3, 6, 7), w, transposes=2)
    check(lambda x, w: conv(x, w, layout="NHWC").max((1, 2)), normal(2, 6, 7, 3), w, transposes=1)
    many = normal(16, 8, 3, 3)
    check(lambda x, w: conv(x, w).max((2, 3)), normal(2, 8, 6, 7), many, transposes=1)
    check(
        lambda x, w: conv(x, w, layout="NHWC").max((1, 2)), normal(2, 6, 7, 8), many, transposes=0
    )


def test_one_channel_needs_no_transpose() -> None:
    def program(x: Any, w: Any) -> Any:
        return conv(x, w)

    check(program, normal(2, 1, 6, 7), normal(8, 1, 5, 5), transposes=1)


# ------------------------------------------------------------------------------------ convolutions


def test_no_axes_of_space() -> None:
    edges = ("stride", "low", "high", "lhs_dilation", "rhs_dilation")
    params = (param(parse_type("f32[3, 20]"), "x"), param(parse_type("f32[40, 3]"), "w"))
    attrs = {**dict.fromkeys(edges, ()), "groups": 1, "batch_groups": 1, "rhs": (0, 1)}
    graph = Graph.of("f", params, [lookup("conv")(*params, lhs=(1, 0), out=(0, 1), **attrs)])
    after = verify(layouts(graph))
    arrays = normal(3, 20), normal(40, 3)
    close(evaluate(after, arrays)[0], (arrays[1] @ arrays[0]).T)


@pytest.mark.parametrize("rank", [3, 4, 5])
@pytest.mark.parametrize("groups", [1, 2, 16])
def test_any_rank_and_groups(rank: int, groups: int) -> None:
    letters = "DHW"[5 - rank :]
    axes = {"layout": f"NC{letters}", "kernel_layout": f"OI{letters}"}
    x = normal(2, 8, *(9, 7, 5)[: rank - 2])
    w, v = (normal(16, k, *(3,) * (rank - 2), seed=k) for k in (8, 16 // groups))

    def program(x: Any, w: Any, v: Any) -> Any:
        x = np.tanh(nn.conv(x, w, 2, padding=2, dilation=2, **axes))
        return nn.conv(x, v, padding="same", input_dilation=2, groups=groups, **axes)

    assert is_channels_last(check(program, x, w, v, transposes=2))


def test_depthwise() -> None:
    def program(x: Any, w: Any, v: Any) -> Any:
        x = nn.depthwise_conv(conv(x), w, padding=1, layout="NCHW", kernel_layout="IOHW")
        return nn.depthwise_conv(np.tanh(x), v, layout="NCHW", kernel_layout="IOHW")

    graph = before(program, normal(*IMAGE), normal(8, 2, 3, 3), normal(16, 1, 3, 3))
    own = count(graph)  # of the kernels
    check(
        program, normal(*IMAGE), normal(8, 2, 3, 3), normal(16, 1, 3, 3), transposes=own + 2
    )  # fmt: skip


@pytest.mark.parametrize("layout", ["NHCW", "HWCN", "CNHW", "NCWH", "HCWN"])
def test_other_layouts(layout: str) -> None:
    order = ["NCHW".index(c) for c in layout]
    back = [layout.index(c) for c in "NCHW"]

    def program(x: Any) -> Any:
        axes = {"layout": layout}
        return conv(np.tanh(conv(x, **axes)), **axes)

    x = normal(*IMAGE)
    after = check(program, np.ascontiguousarray(x.transpose(order)), transposes=2)
    assert all(n.attrs["out"][1] == 3 for n in after.nodes if n.op.name == "conv")
    wanted = np.asarray(conv(np.tanh(conv(x))))
    close(graphc.jit(program)(np.ascontiguousarray(x.transpose(order))).transpose(back), wanted)


def test_results_in_another_layout() -> None:
    """What has channels last already, on either side, is not turned there."""

    def enters(x: Any) -> Any:
        return np.tanh(conv(x, result_layout="NHWC"))

    def leaves(x: Any) -> Any:
        return np.tanh(conv(x, layout="NHWC", result_layout="NCHW"))

    check(enters, normal(*IMAGE), transposes=1)
    check(leaves, normal(2, 6, 10, 8), transposes=1)


def test_transposes_around_channels_last() -> None:
    """A program that turns its images for every layer does so no more."""

    def layer(x: Any) -> Any:
        y = nn.conv(np.transpose(x, (0, 2, 3, 1)), W, padding=1, kernel_layout="OIHW")
        return np.maximum(np.transpose(y, (0, 3, 1, 2)), 0)

    def program(x: Any) -> Any:
        return layer(layer(layer(x)))

    assert count(before(program, normal(*IMAGE))) == 6
    check(program, normal(*IMAGE), transposes=2)


def loss_gradients(x: Any, w: Any, v: Any) -> Any:
    """Of sum(conv(relu(conv(x, w)), v)^2) / 2, by hand."""
    h = conv(x, w)
    a = np.maximum(h, 0)
    g = conv(a, v)
    gv = nn.conv_kernel_gradient(a, g, v.shape, padding=1, **FIRST)
    ga = nn.conv_input_gradient(g, v, a.shape, padding=1, **FIRST)
    gh = np.where(h > 0, ga, 0)
    gw = nn.conv_kernel_gradient(x, gh, w.shape, padding=1, **FIRST)
    return w - 0.125 * gw, v - 0.125 * gv


def test_gradients() -> None:
    """The gradients of kernels read images with channels last, and are turned to the kernel's
    layout; of the image, both sides have channels last.
    """
    arrays = normal(*IMAGE), normal(8, 8, 3, 3), normal(8, 8, 3, 3, seed=1)
    after = check(loss_gradients, *arrays, transposes=3, rtol=1e-4)
    convs = [n for n in after.nodes if n.op.name == "conv"]
    kernels = [n for n in convs if n.attrs["lhs"] == (3, 0, 1, 2)]
    assert [n.attrs["rhs"] for n in kernels] == [(3, 0, 1, 2)] * 2
    assert [n.attrs["out"] for n in kernels] == [(2, 3, 0, 1)] * 2
    assert all(n.attrs["lhs"] == n.attrs["out"] == (0, 3, 1, 2) for n in convs if n not in kernels)


def test_the_gradient_of_a_kernel_alone() -> None:
    def program(x: Any, g: Any) -> Any:
        return nn.conv_kernel_gradient(x, g, (8, 8, 3, 3), padding=1, **FIRST)

    after = check(program, normal(*IMAGE), normal(*IMAGE, seed=1), transposes=3)
    (node,) = (n for n in after.nodes if n.op.name == "conv")
    assert node.attrs["lhs"] == node.attrs["rhs"] == (3, 0, 1, 2)


def test_a_large_kernel_is_no_gradient() -> None:
    def program(x: Any, w: Any) -> Any:
        return nn.conv(x, w, **FIRST)

    check(program, normal(2, 8, 5, 5), normal(16, 8, 5, 5), transposes=1)
    assert is_channels_last(turned(program, normal(2, 8, 6, 6), normal(16, 8, 5, 5)))


# ------------------------------------------------------------------------------------------ values


@pytest.mark.parametrize(
    "x, w",
    [
        ((0, 3, 5, 5), (8, 3, 3, 3)), ((2, 0, 5, 5), (8, 0, 3, 3)), ((2, 3, 5, 5), (0, 3, 3, 3)),
        ((1, 3, 2, 5), (8, 3, 3, 3)), ((2, 3, 1, 1), (8, 3, 1, 1)),
    ],
)  # fmt: skip
def test_zero_and_unit_sizes(x: tuple[int, ...], w: tuple[int, ...]) -> None:
    def program(x: Any, w: Any) -> Any:
        y = np.maximum(nn.conv(x, w, padding=(w.shape[2] // 2, 0), **FIRST), 0)
        z = np.concatenate([y, y + 1], axis=1)
        return z, z.sum((2, 3)), z.reshape(z.shape[0], z.shape[1] * z.shape[2] * z.shape[3])

    arrays = normal(*x), normal(*w)
    wanted = [np.asarray(one) for one in program(*arrays)]
    after = turned(program, *arrays)
    for results in (graphc.jit(program)(*arrays), evaluate(after, arrays)):
        for found, one in zip(results, wanted, strict=True):
            close(found, one)


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i4", "c8"])
def test_dtypes(dtype: str) -> None:
    def program(x: Any, w: Any) -> Any:
        return conv(conv(x, w) + x, w)

    x, w = (np.rint(4 * normal(*s)).astype(dtype) / 1 for s in (IMAGE, (8, 8, 3, 3)))
    arrays = [(a / 64 if dtype != "i4" else a).astype(dtype) for a in (x, w)]
    graph = before(program, *arrays)
    after = turned(program, *arrays)
    assert count(after) == 2
    wanted = evaluate(graph, arrays)[0]
    for found in (evaluate(after, arrays)[0], graphc.jit(program)(*arrays)):
        close(found, wanted, 3e-3 if dtype == "f2" else 2e-5)


def test_symbolic_space() -> None:
    def program(x: Any, w: Any) -> Any:
        x = np.maximum(conv(x, w), 0)
        x = nn.max_pool(x, 2, layout="NCHW")
        y = conv(x, w)
        return y.reshape(y.shape[0], y.shape[1], y.shape[2] * y.shape[3]).mean(-1)

    function = graphc.jit(program, dims={"x": ("n", None, "h", "w")})
    w = normal(8, 8, 3, 3) / 8
    for shape in ((2, 8, 6, 10), (1, 8, 9, 4)):
        close(function(normal(*shape), w), np.asarray(program(normal(*shape), w)), 1e-4)
    assert function.cache_info().programs == 1
    assert count(layouts(run(function.lower(normal(*IMAGE), w).graph, BEFORE).graph)) == 1


# ------------------------------------------------------------------------------------ what stays


def test_few_features_stay() -> None:
    """Filters of an image, and depthwise convolutions: until a wide one comes."""
    x, few, wide, deep = (
        normal(2, 3, 9, 9), normal(6, 3, 3, 3), normal(16, 6, 3, 3), normal(3, 2, 3, 3),
    )  # fmt: skip
    graph = before(lambda x, w: np.tanh(conv(np.tanh(conv(x, w)), w[:, ::-1])), x, few[:3])
    assert layouts(graph) is graph
    graph = before(
        lambda x, w: nn.depthwise_conv(x, w, layout="NCHW", kernel_layout="IOHW"), x, deep
    )
    assert layouts(graph) is graph

    def program(x: Any, w: Any, v: Any) -> Any:
        return conv(np.tanh(conv(x, w)), v).max((2, 3))

    after = check(program, x, few, wide, transposes=2)
    first, second = (n for n in after.nodes if n.op.name == "conv")
    assert first.attrs["out"] == (0, 1, 2, 3) and second.attrs["out"] == (0, 3, 1, 2)


def test_too_little_work_stays() -> None:
    """Fewer than 10 multiply-adds for an element that would be turned."""
    x = normal(1, 1, 9, 40)
    for width, stays in ((9, True), (11, False)):
        graph = before(lambda x, w: nn.conv(x, w, **FIRST), x, normal(16, 1, 1, width))
        assert (layouts(graph) is graph) == stays


def test_graphs_without_convolutions_stay() -> None:
    def program(x: Any) -> Any:
        return np.transpose(np.tanh(np.transpose(x, (0, 2, 3, 1))), (0, 3, 1, 2))

    graph = before(program, normal(*IMAGE))
    assert layouts(graph) is graph and step(graph) is graph


def test_channels_last_stays() -> None:
    network, (_, dense) = Network("NHWC"), vgg_parameters()
    (_, blocks, last), stem = resnet_parameters(), unit(7, 8, 16, 9)
    layers = [unit(3, 8, 8, 0), unit(3, 8, 16, 1), unit(3, 16, 16, 2), unit(3, 16, 16, 3)]
    for graph in (
        before(network.resnet, normal(2, 33, 30, 8), stem, blocks, last),
        before(lambda x, w: nn.conv(nn.conv(x, w), w), normal(2, 9, 9, 8), normal(3, 3, 8, 8)),
        before(lambda x, w: nn.conv(x, w, layout="NWC"), normal(2, 9, 8), normal(3, 8, 8)),
        before(
            # of fewer features image and results are exchanged, and the kernel is turned behind it
            lambda x, g: nn.conv_kernel_gradient(x, g, (3, 3, 8, 8)),
            normal(2, 9, 9, 8), normal(2, 7, 7, 8),
        ),
        before(lambda g, w: nn.conv_input_gradient(g, w, (2, 9, 9, 8)),
               normal(2, 7, 7, 4), normal(3, 3, 8, 4)),
    ):  # fmt: skip
        assert layouts(graph) is graph
    # its only transpose is that before channels and space become one axis: it comes into memory
    after = turned(network.vgg, normal(2, 12, 12, 8), layers, dense)
    assert count(after) == 1 and count(after, "keep") == 2


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs(seed: int) -> None:
    graph, _ = random_graph(seed, 30)
    graph = run(graph, BEFORE).graph
    after = verify(layouts(graph))
    if not any(node.op.name == "conv" for node in graph.nodes):
        assert after is graph
    assert layouts(after) is after


def test_random_layouts() -> None:
    """Chains of ops over images whose axes are shuffled at random, against evaluate."""
    rng, changed = np.random.default_rng(5), 0
    for _ in range(60):
        graph, arrays = random_chain(rng)
        after = verify(layouts(graph))
        changed += after is not graph
        for found, wanted in zip(evaluate(after, arrays), evaluate(graph, arrays), strict=True):
            close(found, wanted, 1e-4)
    assert changed > 15


def random_chain(rng: np.random.Generator) -> tuple[Graph, list[np.ndarray]]:
    """Convolutions, transposes, reshapes, reductions... of small images, in any layout."""
    x = param(parse_type("f32[2, 8, 3, 6]"), "x")
    w = [param(parse_type("f32[3, 3, 8, 8]"), "w"), param(parse_type("f32[3, 3, 6, 8]"), "v")]
    value: Value = x
    for _ in range(8):
        rank, shape = value.type.rank, value.shape
        axis = int(rng.integers(rank))
        kind = rng.integers(8)
        if kind < 2 and rank == 4:
            axes = tuple(int(k) for k in rng.permutation(4))
            kernels = [k for k in w if k.shape[2] == shape[axes[1]]]
            if kernels:
                pad = int(kernels[0].type.shape[0]) // 2
                value = lookup("conv")(
                    value, kernels[0], stride=(1, 1), low=(pad,) * 2, high=(pad,) * 2,
                    lhs_dilation=(1, 1), rhs_dilation=(1, 1), groups=1, batch_groups=1, lhs=axes,
                    rhs=(3, 2, 0, 1), out=tuple(int(k) for k in rng.permutation(4)),
                )  # fmt: skip
                value = lookup("tanh")(value)
        elif kind == 2:
            value = lookup("transpose")(value, axes=tuple(int(k) for k in rng.permutation(rank)))
        elif kind == 3:
            merged = (*shape[:axis], shape[axis] * shape[(axis + 1) % rank], *shape[axis + 2 :])
            if axis + 1 < rank > 2:
                value = lookup("reshape")(value, shape=merged)
        elif kind == 4:
            parts = [n for n in (2, 3) if isinstance(shape[axis], int) and shape[axis] % n == 0]
            if parts and rank < 6:
                split = (*shape[:axis], parts[0], shape[axis] // parts[0], *shape[axis + 1 :])
                value = lookup("reshape")(value, shape=split)
        elif kind == 5:
            wide = (*shape[:axis], 2, *shape[axis:])
            if rank < 5:
                axes = tuple(k + (k >= axis) for k in range(rank))
                value = lookup("broadcast")(value, shape=wide, axes=axes)
        elif kind == 6:
            if rank > 4:
                value = lookup("reduce")(value, kind="sum", axes=(axis,))
        else:
            value = lookup("concatenate")(value, lookup("neg")(value), axis=axis)
            index = lookup("constant")(value=Literal(rng.integers(0, int(shape[axis]), 2)))
            value = lookup("gather")(value, index, axes=(axis,), mode="raise")
    graph = Graph.of("chain", (x, *w), [value])
    return graph, [
        normal(*(int(n) for n in p.type.shape), seed=k) for k, p in enumerate(graph.params)
    ]


def test_compiled_graphs() -> None:
    """The pass alone, then fusion."""
    graph = before(lambda x: conv(grouped(conv(x))), normal(*IMAGE))
    after = layouts(graph)
    x = normal(*IMAGE)
    close(compiled(after)(x)[0], evaluate(graph, [x])[0], 1e-4)
