"""graphc's programs for the cases of the shared suite that build their call themselves:
convolutions and whole networks, with `graphc.nn` and the programs in `examples/`.

A program takes the column and the inputs as NumPy arrays and answers a function without arguments,
as those of the peers do. `register` puts them into the suite's classes.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLES = Path(__file__).parent.parent / "examples"


def register(convolutions: type, networks: dict[str, Any]) -> None:
    """Gives the suite's class of convolutions, and its networks, a method named `graphc`."""
    convolutions.graphc = convolution  # type: ignore[attr-defined]
    for name, case in networks.items():
        type(case).graphc = network  # type: ignore[attr-defined]
        assert name in NETWORKS, f"no program of graphc for the network {name}"


def convolution(case: Any, column: Any, x: Any, w: Any, upstream: Any) -> Callable[[], Any]:
    """A convolution with "same" padding; both ways: also the gradients of image and kernel."""
    graphc = column.module
    nn = importlib.import_module("graphc.nn")
    groups = x.shape[3] if case.depthwise else 1
    if case.depthwise:
        w = np.ascontiguousarray(w.transpose(0, 1, 3, 2))

    def forward(x: Any, w: Any) -> Any:
        return nn.conv(x, w, padding="same", groups=groups)

    def both_ways(x: Any, w: Any, upstream: Any) -> Any:
        dx = nn.conv_input_gradient(upstream, w, x.shape, padding="same", groups=groups)
        dw = nn.conv_kernel_gradient(x, upstream, w.shape, padding="same", groups=groups)
        if case.depthwise:  # in the order that the suite compares
            dw = dw.transpose(0, 1, 3, 2)
        return forward(x, w), dx, dw

    if case.backward:
        compiled = graphc.jit(both_ways)
        return lambda: compiled(x, w, upstream)
    compiled = graphc.jit(forward)
    return lambda: compiled(x, w)


NETWORKS = {
    "vgg16": ("vgg16", "vgg16"), "resnet50": ("resnet50", "resnet50"),
    "transformer": ("encoder", "encoder"),
}  # fmt: skip
"""The suite's name: the module in `examples/` and its function."""


def network(case: Any, column: Any, x: Any, weights: list[Any]) -> Callable[[], Any]:
    """A whole network; its weights are constants of the program."""
    sys.path.insert(0, str(EXAMPLES))
    name, function = NETWORKS[case.name]
    module = importlib.import_module(name)
    arrays = iter(weights)
    template = module.make_parameters(np.random.default_rng(0), **module.LARGE)
    parameters = _filled(template, arrays)
    if next(arrays, None) is not None:
        raise ValueError(f"{name} has fewer parameters than the suite's {case.name}")
    run = getattr(module, function)
    compiled = column.module.jit(lambda x: run(parameters, x))
    return lambda: compiled(x)


def _filled(template: Any, arrays: Iterator[Any]) -> Any:
    """The parameters with the suite's arrays in them: both are made in one order."""
    if isinstance(template, dict):
        return {key: _filled(part, arrays) for key, part in template.items()}
    if isinstance(template, (list, tuple)):
        return [_filled(part, arrays) for part in template]
    array = next(arrays)
    if np.shape(array) != np.shape(template):
        raise ValueError(f"a parameter has the shape {np.shape(template)}, not {np.shape(array)}")
    return array
