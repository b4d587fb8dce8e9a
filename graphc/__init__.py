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
    from . import nn as nn
    from .device.array import DeviceArray as DeviceArray
    from .device.array import device_put as device_put
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
    "check_grads",
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "device_put",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacrev",
    "jit",
    "jvp",
    "linearize",
    "nn",
    "numpy",
    "spec",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
]

_TRANSFORMS = {
    "batches": ("vmap",),
    "checking": ("check_grads",),
    "custom": ("checkpoint", "custom_jvp", "custom_vjp"),
    "gradients": ("grad", "stop_gradient", "value_and_grad"),
    "jacobians": ("hessian", "jacfwd", "jacrev"),
    "products": ("hvp", "jvp", "linearize", "vjp"),
}
_LATER = {
    "DeviceArray": ".device.array",
    "Tracer": ".trace",
    "device_put": ".device.array",
    "nn": ".nn",
    **{name: f".transforms.{room}" for room, names in _TRANSFORMS.items() for name in names},
}
"""Names that are loaded when they are first asked for, and their modules."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        module = import_module(_LATER[name], __name__)
        found = module if name == "nn" else getattr(module, name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_LATER})
