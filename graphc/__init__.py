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
    GraphcError,
    LoweringError,
    NonFiniteError,
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
    from . import nn as nn
    from . import optim as optim
    from . import random as random
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
    "GraphcError",
    "LoweringError",
    "NonFiniteError",
    "ShapeMismatch",
    "TraceError",
    "TypeMismatch",
    "VerifyError",
    "__version__",
    "check_grads",
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "data",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacrev",
    "jit",
    "jvp",
    "linearize",
    "load",
    "nn",
    "numpy",
    "optim",
    "random",
    "save",
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
    "Tracer": ".trace",
    "data": ".data",
    "nn": ".nn",
    "optim": ".optim",
    "load": ".saving",
    "save": ".saving",
    "random": ".random",
    **{name: f".transforms.{room}" for room, names in _TRANSFORMS.items() for name in names},
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
