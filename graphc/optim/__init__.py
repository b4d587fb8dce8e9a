"""graphc.optim: optimizers, schedules of their rates, clipping of gradients; pure functions.

    opt = optim.adam(1e-3)
    state = opt.init(params)
    params, state = opt.update(params, gradients, state)

`params` is an array or nested (dict, list, tuple, dataclass); the gradients and the parts of the
state are nested like it. The state is a dict: "step", how often it was updated, and what the
optimizer keeps for every parameter. Inside `graphc.jit` the update of all parameters is one kernel;
with the parameters and the state donated, it is done in their memory.

A rate is a number or a schedule, a function of the step (`optim.schedules`). The optimizers here
have their standard form; `optim.course` has them as a course on deep learning prints them. Loaded
when it is first asked for.
"""

from __future__ import annotations

from . import course, schedules
from .clipping import clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
from .optimizers import (
    Optimizer,
    adadelta,
    adagrad,
    adam,
    adamax,
    adamw,
    ftrl,
    nadam,
    rmsprop,
    sgd,
)

__all__ = [
    "Optimizer",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "course",
    "ftrl",
    "global_norm",
    "nadam",
    "rmsprop",
    "schedules",
    "sgd",
]
