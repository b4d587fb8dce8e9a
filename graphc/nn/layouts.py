"""Which axis is what, and where windows stand: the arguments that all of graphc.nn share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import types as ty
from ..errors import ShapeMismatch
from ..evaluate import evaluate
from ..ir import Graph, Node, Value, reachable
from ..numpy.dispatch import is_tracing, static
from ..ops import build
from ..ops.creation import EXTENT
from ..ops.window import Window
from ..types import Dim, Extent

Axes = tuple[int, ...]
Shape = Sequence[Extent]

# ----------------------------------------------------------------------------------------- layouts


def _axes(what: str, layout: str, roles: str, space: str | None, rank: int) -> Axes:
    """Where the letters of a layout stand: those of `roles`, then those of `space` in its order.

    Raises:
        ShapeMismatch: naming the layout and what was expected.
    """
    own = "".join(c for c in layout if c not in roles)
    letters = roles + (own if space is None else space)
    if len(layout) != rank or sorted(layout) != sorted(letters) or len(set(layout)) != rank:
        expected = f"{rank} letters, {roles[0]} and {roles[1]} among them, each once"
        if space is not None:
            expected += f", and {space or 'no others'} for space"
        raise ShapeMismatch(f"{what} {layout!r} does not fit an array of rank {rank}: {expected}")
    return tuple(layout.index(c) for c in letters)


def image_layout(rank: int) -> str:
    """The layout where none is given: NHWC and the like; beyond 3 axes of space, letters from a."""
    count = rank - 2
    if count < 0:
        raise ShapeMismatch(f"an array of rank {rank} has no axes for a batch and for channels")
    space = "DHW"[3 - count :] if count <= 3 else "".join(chr(ord("a") + k) for k in range(count))
    return f"N{space}C"


def check_ranks(operand: int, kernel: int) -> None:
    """Raises ShapeMismatch unless a kernel has the rank of what it slides over."""
    if operand != kernel:
        raise ShapeMismatch(f"an array of rank {operand} and a kernel of rank {kernel}")


def image_axes(rank: int, layout: str | None) -> Axes:
    """Of an array of images: the axis of the batch, that of the channels, those of space.

    Raises:
        ShapeMismatch: when the layout does not fit the rank.
    """
    layout = image_layout(rank) if layout is None else layout
    return _axes("layout", layout, "NC", None, rank)


def convolution_axes(
    rank: int, layout: str | None, kernel_layout: str | None, result_layout: str | None
) -> tuple[Axes, Axes, Axes]:
    """The axes of the operand, the kernel (out, in, space) and the result of a convolution.

    What is not given follows from `layout`: a kernel is HWIO where channels come last and OIHW
    where they come first; the result is laid out as the operand.

    Raises:
        ShapeMismatch: when a layout does not fit.
    """
    layout = image_layout(rank) if layout is None else layout
    lhs = _axes("layout", layout, "NC", None, rank)
    space = "".join(c for c in layout if c not in "NC")
    if kernel_layout is None:
        kernel_layout = f"OI{space}" if lhs[1] < min(lhs[2:], default=0) else f"{space}IO"
    rhs = _axes("kernel_layout", kernel_layout, "OI", space, rank)
    return lhs, rhs, _axes("result_layout", result_layout or layout, "NC", space, rank)


# ----------------------------------------------------------------------------------------- windows


def per_axis(spec: Any, count: int, what: str) -> tuple[Any, ...]:
    """One value for each axis of space, from one for all or a sequence.

    Raises:
        ShapeMismatch: when the sequence has another length.
    """
    static(spec, what)
    if not isinstance(spec, Iterable):
        return (spec if isinstance(spec, Dim) else int(spec),) * count
    found = tuple(one if isinstance(one, Dim) else int(one) for one in spec)
    if len(found) != count:
        raise ShapeMismatch(f"{what} has {len(found)} values for {count} axes of space")
    return found


def padded(windows: Sequence[Window], padding: Any) -> tuple[Window, ...]:
    """The windows with the edges that a padding argument means.

    "valid": none. "same": as many as make ceil(extent / stride) windows, one more behind than
    before where their number is odd; "same_lower": one more before. A number: that many before and
    behind; or for each axis of space a number or a pair. Negative ones cut.

    Raises:
        ShapeMismatch: for any other padding.
    """
    static(padding, "padding")
    if isinstance(padding, str):
        if padding not in ("valid", "same", "same_lower"):
            raise ShapeMismatch(
                f"padding {padding!r} is none of 'valid', 'same', 'same_lower'; a number or pairs "
                f"of numbers are possible too"
            )
        if padding == "valid":
            return tuple(windows)
        pairs = [_same(one, padding == "same_lower") for one in windows]
    else:
        rows = padding if isinstance(padding, Iterable) else (padding,) * len(windows)
        pairs = [tuple(r) if isinstance(r, Iterable) else (r, r) for r in rows]
        if len(pairs) != len(windows) or any(len(p) != 2 for p in pairs):
            raise ShapeMismatch(
                f"padding {padding!r} does not fit {len(windows)} axes of space; expected a number "
                f"or a pair of numbers for each"
            )
    return tuple(
        Window(w.extent, w.size, w.stride, low, high, w.dilation, w.spread)
        for w, (low, high) in zip(windows, pairs, strict=True)
    )


def span(one: Window) -> Extent:
    """How many places a window covers."""
    return (one.size - 1) * one.dilation + 1


def _same(one: Window, more_before: bool) -> tuple[Extent, Extent]:
    """The edges that make ceil(extent / stride) windows."""
    places, covered, stride = (one.extent - 1) * one.spread + 1, span(one), one.stride
    count = (places + stride - 1) // stride
    total = (count - 1) * stride + covered - places
    if not isinstance(total, Dim):
        total = max(total, 0)
        low = (total + more_before) // 2
        return low, total - low
    inside = total
    if stride > 1 and (isinstance(covered, Dim) or covered < stride):
        if covered - 1 + more_before in (0, 1):
            return 0, total
        # total > -stride, so the quotient is 0 where total is negative, and else at least 1
        inside = total * (1 - 1 // (1 + (total + stride) // stride))
    # where total is negative, what is cut off is behind the last window
    low = (inside + int(more_before)) // 2
    return low, total - low


def require(windows: Iterable[Window]) -> None:
    """Inside a trace: whoever binds the symbols checks that the windows fit."""
    if not is_tracing():
        return
    from ..trace import current_trace  # as in graphc/numpy/dispatch.py

    trace = current_trace()
    assert trace is not None
    for one in windows:
        if ty.symbols(one.count):
            trace.require(one.count)


def settled(x: Value) -> Value:
    """A value that depends on extents alone, as a constant where they are numbers."""
    if any(ty.symbols(n) for node in reachable([x]) for n in _extents(node)):
        return x
    return build.constant(evaluate(Graph.of("settled", (), (x,)), ())[0])


def _extents(node: Node) -> Iterable[Extent]:
    attrs = node.attrs
    return (*node.results[0].shape, *([attrs["value"]] if node.op is EXTENT else []))
