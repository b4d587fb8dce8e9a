"""graphc.nn's convolutions against slow definitions: on arrays, traced, symbolic and compiled."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.errors import NonFiniteError, ShapeMismatch, TypeMismatch

from ..numpy.tracing import data, same, traced
from ..ops.windows import convolution

LETTERS = {1: "W", 2: "HW", 3: "DHW"}


def edges(padding: Any, extents: Any, kernel: Any, stride: Any, dilation: Any) -> list[Any]:
    """(low, high) of each axis, by the documentation of TensorFlow's paddings."""
    found = []
    for k, (n, size, s, d) in enumerate(zip(extents, kernel, stride, dilation, strict=True)):
        if not isinstance(padding, str):
            found.append((padding[k], padding[k]) if isinstance(padding[k], int) else padding[k])
            continue
        covered = (size - 1) * d + 1
        total = covered - s if n % s == 0 else covered - n % s
        total = max(total, 0) if padding != "valid" else 0
        less, more = total // 2, total - total // 2
        found.append((more, less) if padding == "same_lower" else (less, more))
    return found


class Case:
    """Random arguments of a conv whose arrays are laid out as (N, C, space), (O, I, space)."""

    def __init__(self, seed: int):
        pick = random.Random(seed)
        count = pick.choice((1, 2, 2, 3))

        def each(*choices: int) -> tuple[int, ...]:
            return tuple(pick.choice(choices) for _ in range(count))

        self.kernel, self.stride, self.dilation = each(1, 2, 3), each(1, 2, 3), each(1, 1, 2)
        self.groups = pick.choice((1, 1, 2, 3))
        inside, share = pick.choice((1, 2, 3)), pick.choice((1, 2))
        self.extents = tuple(
            (k - 1) * d + pick.randint(1, 4)
            for k, d in zip(self.kernel, self.dilation, strict=True)
        )
        self.padding = pick.choice(
            ("valid", "same", "same_lower", each(0, 1, 2), tuple((a, 1 - a) for a in each(0, 1)))
        )
        self.x = data(pick.choice((1, 2)), inside * self.groups, *self.extents, seed=seed)
        self.w = data(share * self.groups, inside, *self.kernel, seed=seed + 1)
        space = LETTERS[count]
        self.letters = [f"NC{space}", f"OI{space}", f"NC{space}"]
        self.layouts = ["".join(pick.sample(letters, count + 2)) for letters in self.letters]
        # what has one value per axis follows the layout of the images
        self.order = [space.index(c) for c in self.layouts[0] if c in space]

    def arguments(self) -> dict[str, Any]:
        padding = self.padding
        if not isinstance(padding, str):
            padding = [padding[k] for k in self.order]
        return {
            "stride": [self.stride[k] for k in self.order], "padding": padding,
            "dilation": [self.dilation[k] for k in self.order], "groups": self.groups,
            "layout": self.layouts[0], "kernel_layout": self.layouts[1],
            "result_layout": self.layouts[2],
        }  # fmt: skip

    def place(self, array: np.ndarray, which: int) -> np.ndarray:
        """An array in the layout of the operand (0), the kernel (1) or the result (2)."""
        return array.transpose([self.letters[which].index(c) for c in self.layouts[which]])

    def convolved(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """By the definition; more images and more kernels than the case has are allowed."""
        ones, axes = (1,) * len(self.kernel), tuple(range(x.ndim))
        pairs = edges(self.padding, self.extents, self.kernel, self.stride, self.dilation)
        attrs = {
            "stride": self.stride, "low": [a for a, _ in pairs], "high": [b for _, b in pairs],
            "rhs_dilation": self.dilation, "lhs_dilation": ones, "groups": self.groups,
            "batch_groups": 1, "lhs": axes, "rhs": axes, "out": axes,
        }  # fmt: skip
        return convolution(x, w, attrs, np.float64)

    def input_gradient(self, g: np.ndarray) -> np.ndarray:
        """From the convolutions of every unit image."""
        size = self.x[0].size
        units = np.eye(size).reshape(size, *self.x.shape[1:])
        each = self.convolved(units, self.w)
        return np.tensordot(g, each, (range(1, g.ndim), range(1, g.ndim))).reshape(self.x.shape)

    def kernel_gradient(self, g: np.ndarray) -> np.ndarray:
        """From the convolutions with every unit kernel, in every group."""
        size, share = self.w[0].size, self.w.shape[0] // self.groups
        units = np.tile(np.eye(size), (self.groups, 1)).reshape(-1, *self.w.shape[1:])
        each = self.convolved(self.x, units)
        found = np.empty_like(self.w)
        for o in range(self.w.shape[0]):
            group = slice(o // share * size, (o // share + 1) * size)
            products = g[:, o, None] * each[:, group]
            found[o] = products.sum((0, *range(2, g.ndim))).reshape(self.w.shape[1:])
        return found


@pytest.mark.parametrize("seed", range(40))
def test_conv(seed: int) -> None:
    one = Case(seed)
    expected = one.place(one.convolved(one.x, one.w), 2)
    x, w, arguments = one.place(one.x, 0), one.place(one.w, 1), one.arguments()
    same(nn.conv(x, w, **arguments), expected, 1e-12)
    same(traced(nn.conv, x, w, **arguments), expected, 1e-12)
    if one.groups == 1:  # 1 * n channels of a kernel for 1 * n channels, whatever n is
        same(traced(nn.conv, x, w, symbolic=True, **arguments), expected, 1e-12)


@pytest.mark.parametrize("seed", range(100, 140))
def test_gradients(seed: int) -> None:
    one = Case(seed)
    g = data(*one.convolved(one.x, one.w).shape, seed=seed + 2)
    x, w, upstream = one.place(one.x, 0), one.place(one.w, 1), one.place(g, 2)
    arguments = one.arguments()
    dx, dw = one.place(one.input_gradient(g), 0), one.place(one.kernel_gradient(g), 1)
    for run in (lambda function, *args: function(*args, **arguments),
                lambda function, *args: traced(function, *args, **arguments)):  # fmt: skip
        same(run(nn.conv_input_gradient, upstream, w, x.shape), dx, 1e-11)
        same(run(nn.conv_kernel_gradient, x, upstream, w.shape), dw, 1e-11)


def extents_of_transpose(one: Case, given: Any, more: Any) -> tuple[int, ...]:
    """Of the result of conv_transpose, by its text."""
    pairs = edges(one.padding, (0,) * len(given), one.kernel, one.stride, one.dilation)
    found = []
    for k, (n, s) in enumerate(zip(given, one.stride, strict=True)):
        covered = (one.kernel[k] - 1) * one.dilation[k] + 1
        if isinstance(one.padding, str):
            found.append(n * s + (max(covered - s, 0) if one.padding == "valid" else 0))
        else:
            found.append((n - 1) * s - sum(pairs[k]) + covered + more[k])
    return tuple(found)


@pytest.mark.parametrize("seed", range(200, 230))
def test_conv_transpose(seed: int) -> None:
    """The transpose of the convolution that takes its result to the shape of its operand."""
    one = Case(seed)
    if isinstance(one.padding, str):
        one.padding = "same" if one.padding == "same_lower" else one.padding
        more: tuple[int, ...] = (0,) * len(one.kernel)
    else:
        more = tuple(min(1, s - 1) for s in one.stride)
    given = tuple(random.Random(seed).randint(1, 4) for _ in one.kernel)
    one.extents = extents_of_transpose(one, given, more)
    if min(one.extents) < 1:  # cut to nothing
        one.padding = (0,) * len(given)
        one.extents = extents_of_transpose(one, given, more)
    one.x = np.zeros((2, one.x.shape[1], *one.extents))
    g = data(2, one.w.shape[0], *given, seed=seed)
    expected = one.place(one.input_gradient(g), 0)
    arguments = one.arguments()
    arguments["layout"], arguments["result_layout"] = one.layouts[2], one.layouts[0]
    order = [LETTERS[len(given)].index(c) for c in one.layouts[2] if c in LETTERS[len(given)]]
    arguments |= {
        "stride": [one.stride[k] for k in order], "dilation": [one.dilation[k] for k in order],
        "output_padding": [more[k] for k in order],
    }  # fmt: skip
    if not isinstance(one.padding, str):
        arguments["padding"] = [one.padding[k] for k in order]
    g, w = one.place(g, 2), one.place(one.w, 1)
    same(nn.conv_transpose(g, w, **arguments), expected, 1e-12)
    same(traced(nn.conv_transpose, g, w, **arguments), expected, 1e-12)


def test_depthwise_conv() -> None:
    x, w = data(2, 5, 6, 3), data(3, 2, 3, 2)
    found = nn.depthwise_conv(x, w, (1, 2), "same", dilation=(2, 1))
    assert found.shape == (2, 5, 3, 6)
    for c in range(3):
        own = nn.conv(x[..., c : c + 1], w[:, :, c : c + 1], (1, 2), "same", dilation=(2, 1))
        same(found[..., 2 * c : 2 * c + 2], own, 1e-13)
    first = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    kernel = np.ascontiguousarray(w.transpose(3, 2, 0, 1))  # OIHW: 2 results of 3 channels
    there = nn.depthwise_conv(first, kernel, (1, 2), "same", dilation=(2, 1), layout="NCHW")
    same(there, found.transpose(0, 3, 1, 2), 1e-13)
    same(traced(nn.depthwise_conv, x, w, padding=1), nn.depthwise_conv(x, w, padding=1), 1e-13)


def test_default_layouts() -> None:
    x, w = data(2, 7, 3), data(3, 3, 4)
    assert nn.conv(x, w).shape == (2, 5, 4)  # NWC, WIO
    assert nn.conv(data(2, 3, 7), data(4, 3, 3), layout="NCW").shape == (2, 4, 5)  # OIW
    assert nn.conv(data(1, 4, 5, 6, 3), data(2, 2, 2, 3, 4), padding="same").shape == (
        1,
        4,
        5,
        6,
        4,
    )
    assert nn.conv(data(2, 3), data(3, 4)).shape == (2, 4)  # no space: a product
    same(nn.conv(data(2, 3), data(3, 4)), data(2, 3) @ data(3, 4), 1e-13)
    four = nn.conv(data(1, 2, 3, 2, 3, 2), data(1, 2, 2, 1, 2, 3))
    assert four.shape == (1, 2, 2, 1, 3, 3)
    found = nn.conv(data(2, 6, 5, 3), data(3, 3, 3, 4), padding=((1, 0), 1), result_layout="NCHW")
    assert found.shape == (2, 4, 5, 5)


def test_dtypes() -> None:
    x, w = (
        data(1, 6, 4, dtype="i1", low=-100, high=100),
        data(3, 4, 2, dtype="i1", low=-100, high=100),
    )
    wide = nn.conv(x.astype(np.int32), w.astype(np.int32))
    same(nn.conv(x, w, dtype=np.int32), wide)
    same(traced(nn.conv, x, w, dtype=np.int32), wide)
    unsigned = (x.astype(np.int16) + 100).astype(np.uint8)
    same(nn.conv(unsigned, w, dtype="int32"), nn.conv(unsigned.astype("i4"), w.astype("i4")))
    assert nn.conv(x.astype("f2"), w.astype("f4")).dtype == np.float32  # promoted as NumPy does
    assert nn.conv(x.astype("f2"), w.astype("f2")).dtype == np.float16
    assert nn.conv(x.astype("f2"), w.astype("f2"), dtype="f4").dtype == np.float32
    z = nn.conv(x.astype("c8"), 1j * w.astype("c8"))
    same(z, (1j * wide).astype("c8"), 1e-6)
    with pytest.raises(TypeMismatch, match="cannot be answered in i16"):
        nn.conv(x.astype("i4"), w.astype("i4"), dtype="i2")


@pytest.mark.parametrize("padding", ["valid", "same", "same_lower", 1])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_compiled_with_symbolic_extents(padding: Any, stride: int) -> None:
    """One program for every batch and extent; also where "same" covers less than a stride."""
    for size in (1, 2, 3):
        w = data(size, size, 2, 3, dtype="f4")

        @graphc.jit(dims={"x": ("b", "h", "w", None)})
        def layer(x: Any, w: Any = w) -> Any:
            return np.maximum(nn.conv(x, w, stride, padding) + 0.5, 0)

        for shape in ((1, 3, 4), (2, 5, 3), (0, 6, 7), (1, 8, 12)):
            x = data(*shape, 2, dtype="f4")
            expected = np.maximum(nn.conv(x, w, stride, padding) + np.float32(0.5), 0)
            same(layer(x), expected, 1e-5)
        assert layer.cache_info().programs == 1


@pytest.mark.parametrize("padding", ["valid", "same", 1])
def test_compiled_with_a_symbolic_kernel(padding: Any) -> None:
    @graphc.jit(dims={"x": ("b", "n", "c"), "w": ("k", "c", "m")})
    def f(x: Any, w: Any) -> Any:
        return nn.conv(x, w, 3, padding)

    for b, n, k, c, m in ((2, 7, 1, 1, 2), (1, 6, 2, 3, 1), (2, 8, 4, 2, 3), (1, 5, 5, 0, 2)):
        x, w = data(b, n, c), data(k, c, m)
        same(f(x, w), nn.conv(x, w, 3, padding), 1e-13)
    assert f.cache_info().programs == 1


def test_same_keeps_extents_simple() -> None:
    """ceil(extent / stride), so that many layers do not pile up terms."""

    @graphc.jit(dims={"x": ("b", "n", None)})
    def layers(x: Any) -> Any:
        for size in (3, 1, 2, 1):  # more and less than a stride
            x = nn.conv(x, np.ones((size, 2, 2)), 2, "same")
        return nn.max_pool(x, 3, 1, "same_lower")

    (found,) = layers.trace(np.zeros((1, 9, 2))).graph.results
    assert str(found.type) == "f64[b, ((((n + 1)//2 + 1)//2 + 1)//2 + 1)//2, 2]"
    for n in (0, 1, 7, 16, 33):
        x = data(1, n, 2)
        expected = x
        for size in (3, 1, 2, 1):
            expected = nn.conv(expected, np.ones((size, 2, 2)), 2, "same")
        same(layers(x), nn.max_pool(expected, 3, 1, "same_lower"), 1e-12)


def test_the_first_number_that_is_not_finite_is_found() -> None:
    f = graphc.jit(lambda x, w: nn.max_pool(nn.conv(x, w, padding=1), 2), debug="nan")
    x, w = data(1, 6, 2), data(3, 2, 4)
    same(f(x, w), nn.max_pool(nn.conv(x, w, padding=1), 2), 1e-13)
    with pytest.raises(NonFiniteError, match=r"conv: made a NaN or an infinity .*test_conv"):
        f(x * 1e300, w * 1e300)


def test_extents_that_do_not_fit_at_run_time() -> None:
    @graphc.jit(dims={"x": (None, "n", None)})
    def f(x: Any) -> Any:
        return nn.conv(x, np.ones((3, 2, 4)), 2)

    assert f(np.ones((1, 2, 2))).shape == (1, 0, 4)
    with pytest.raises(ShapeMismatch, match=r"the program needs .* >= 0 \(at .*test_convolutions"):
        f(np.ones((1, 0, 2)))


def test_gradients_compiled() -> None:
    """Forwards and both ways back in one program, channels last, depthwise and strided."""

    @graphc.jit
    def all_three(x: Any, w: Any, g: Any) -> Any:
        options: Any = {"stride": 2, "padding": "same", "groups": 4}
        return (
            nn.conv(x, w, **options),
            nn.conv_input_gradient(g, w, x.shape, **options),
            nn.conv_kernel_gradient(x, g, w.shape, **options),
        )

    x, w = data(2, 7, 6, 4, dtype="f4"), data(3, 3, 1, 8, dtype="f4")
    g = data(2, 4, 3, 8, dtype="f4")
    options: Any = {"stride": 2, "padding": "same", "groups": 4}
    y, dx, dw = all_three(x, w, g)
    same(y, nn.conv(x, w, **options), 1e-5)
    same(dx, nn.conv_input_gradient(g, w, x.shape, **options), 1e-5)
    same(dw, nn.conv_kernel_gradient(x, g, w.shape, **options), 1e-5)
    # <g, conv(x, w)> = <dx, x> = <dw, w>
    for a, b in ((dx, x), (dw, w)):
        assert np.vdot(a, b) == pytest.approx(np.vdot(g, y), rel=1e-4)


def test_refusals() -> None:
    x, w = data(1, 5, 5, 2), data(3, 3, 2, 4)
    with pytest.raises(ShapeMismatch, match="padding 'full' is none of 'valid', 'same'"):
        nn.conv(x, w, padding="full")
    with pytest.raises(ShapeMismatch, match="a pair of numbers for each"):
        nn.conv(x, w, padding=((1, 1),))
    with pytest.raises(ShapeMismatch, match="stride has 3 values for 2 axes of space"):
        nn.conv(x, w, (1, 1, 1))
    with pytest.raises(ShapeMismatch, match="layout 'NHWX' does not fit an array of rank 4"):
        nn.conv(x, w, layout="NHWX")
    with pytest.raises(ShapeMismatch, match=r"kernel_layout .OIXY. does not fit.*and HW for space"):
        nn.conv(x, w, kernel_layout="OIXY")
    with pytest.raises(ShapeMismatch, match="rank 4 and a kernel of rank 3"):
        nn.conv(x, w[0])
    with pytest.raises(ShapeMismatch, match="has no axes for a batch"):
        nn.conv(x[0, 0, 0], w[0, 0, 0])
    with pytest.raises(ShapeMismatch, match="output_padding belongs to a padding of numbers"):
        nn.conv_transpose(x[..., :2], data(3, 3, 4, 2), 2, "same", output_padding=1)
    with pytest.raises(ShapeMismatch, match=r"the result of the convolution is \(1, 3, 3, 4\)"):
        nn.conv_input_gradient(data(1, 5, 5, 4), w, x.shape)
    with pytest.raises(ShapeMismatch, match="has 2 channels; a kernel over 2 channels in 2 groups"):
        nn.conv(x, w, groups=2)


def test_the_package_is_loaded_when_it_is_asked_for() -> None:
    program = """
import sys, graphc
assert not [m for m in sys.modules if m.startswith("graphc.nn")]
assert "nn" in dir(graphc) and graphc.nn.conv
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("features", [1, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"padding": "same"},
        {"padding": ((1, 0), (2, 1)), "dilation": (1, 2)},
        {"padding": 1, "input_dilation": (2, 1)},
        {"padding": "same", "layout": "NCHW"},
        {"stride": 2},
    ],
)
def test_kernel_gradients_of_few_features(features: int, options: dict[str, Any]) -> None:
    """The image slides over the results there; the definition is the convolution by each kernel."""
    first = options.get("layout") == "NCHW"
    x = data(2, 9, 6, 5) if first else data(2, 6, 5, 9)
    shape = (features, 9, 3, 2) if first else (3, 2, 9, features)
    g = data(*nn.conv(x, np.zeros(shape), **options).shape, seed=1)
    wanted = np.zeros(shape)
    for place in np.ndindex(*shape):
        kernel = np.zeros(shape)
        kernel[place] = 1
        wanted[place] = np.sum(g * nn.conv(x, kernel, **options))
    same(nn.conv_kernel_gradient(x, g, shape, **options), wanted, 1e-12)
    run = graphc.jit(lambda x, g: nn.conv_kernel_gradient(x, g, shape, **options))
    same(run(x, g), wanted, 1e-12)
