"""graphc: write NumPy, ship native code.

    import graphc, numpy as np

    @graphc.jit
    def f(x, w):
        return np.tanh(x @ w)

The names below are the public ones. What every first call needs (the tracer, the namespace, the
ops) is loaded here; the passes, the code generator and LLVM when something is compiled that the
disk cache does not have.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import backends as _backends  # noqa: F401  the first call needs it
from . import compile as _compile  # noqa: F401  the first call needs it
from . import numpy as numpy
from . import text as _text  # noqa: F401  the first call needs it
from .codegen import plan as _plan  # noqa: F401  the first call needs it
from .errors import (
    BuildError,
    DeviceError,
    GraphcError,
    LoweringError,
    NonFiniteError,
    OutOfDeviceMemory,
    ShapeMismatch,
    TraceError,
    TypeMismatch,
    VerifyError,
)
from .jit import jit
from .passes import fuse as _fuse  # noqa: F401  the first call needs it
from .passes import pipeline as _pipeline  # noqa: F401  the first call needs it
from .specs import spec

if TYPE_CHECKING:
    from . import data as data
    from . import linalg as linalg
    from . import nn as nn
    from . import optim as optim
    from . import random as random
    from .aot.build import build as build
    from .aot.build import export as export
    from .control.associative import associative_scan as associative_scan
    from .control.branches import cond as cond
    from .control.branches import switch as switch
    from .control.loops import fori_loop as fori_loop
    from .control.loops import map as map
    from .control.loops import scan as scan
    from .control.loops import while_loop as while_loop
    from .device.array import DeviceArray as DeviceArray
    from .device.array import device_put as device_put
    from .python_control.convert import python_control_flow as python_control_flow
    from .saving import load as load
    from .saving import save as save
    from .trace import Tracer as Tracer
    from .transforms.batches import vmap as vmap
    from .transforms.checking import check_grads as check_grads
    from .transforms.custom import checkpoint as checkpoint
    from .transforms.custom import custom_jvp as custom_jvp
    from .transforms.custom import custom_vjp as custom_vjp
    from .transforms.gradients import grad as grad
    from .transforms.gradients import stop_gradient as stop_gradient
    from .transforms.gradients import value_and_grad as value_and_grad
    from .transforms.jacobians import hessian as hessian
    from .transforms.jacobians import jacfwd as jacfwd
    from .transforms.jacobians import jacrev as jacrev
    from .transforms.products import hvp as hvp
    from .transforms.products import jvp as jvp
    from .transforms.products import linearize as linearize
    from .transforms.products import vjp as vjp

__version__ = "0.1.0"

__all__ = [
    "BuildError",
    "DeviceArray",
    "DeviceError",
    "GraphcError",
    "LoweringError",
    "NonFiniteError",
    "OutOfDeviceMemory",
    "ShapeMismatch",
    "TraceError",
    "TypeMismatch",
    "VerifyError",
    "__version__",
    "associative_scan",
    "build",
    "check_grads",
    "checkpoint",
    "cond",
    "custom_jvp",
    "custom_vjp",
    "data",
    "device_put",
    "export",
    "fori_loop",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacrev",
    "jit",
    "jvp",
    "linalg",
    "linearize",
    "load",
    "map",
    "nn",
    "numpy",
    "optim",
    "python_control_flow",
    "random",
    "save",
    "scan",
    "spec",
    "stop_gradient",
    "switch",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]

_TRANSFORMS = {
    "batches": ("vmap",),
    "checking": ("check_grads",),
    "custom": ("checkpoint", "custom_jvp", "custom_vjp"),
    "gradients": ("grad", "stop_gradient", "value_and_grad"),
    "jacobians": ("hessian", "jacfwd", "jacrev"),
    "products": ("hvp", "jvp", "linearize", "vjp"),
}
_CONTROL = {
    "associative": ("associative_scan",),
    "branches": ("cond", "switch"),
    "loops": ("fori_loop", "map", "scan", "while_loop"),
}
_LATER = {
    "build": ".aot.build",
    "export": ".aot.build",
    "DeviceArray": ".device.array",
    "Tracer": ".trace",
    "data": ".data",
    "linalg": ".linalg",
    "device_put": ".device.array",
    "nn": ".nn",
    "python_control_flow": ".python_control.convert",
    "optim": ".optim",
    "random": ".random",
    "load": ".saving",
    "save": ".saving",
    **{name: f".transforms.{room}" for room, names in _TRANSFORMS.items() for name in names},
    **{name: f".control.{room}" for room, names in _CONTROL.items() for name in names},
}
"""Names that are loaded when they are first asked for, and their modules."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        module = import_module(_LATER[name], __name__)
        found = module if _LATER[name] == f".{name}" else getattr(module, name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_LATER})
