"""conditional: the kernels by which captured graphs decide, built for a device.

What they do is in `graphc_runtime.cuda_decisions`. Where there is no such thing, `decisions` says
why, and the host is asked for each decision.
"""

from __future__ import annotations

from typing import Any

from graphc_runtime import cuda
from graphc_runtime.cuda_decisions import SOURCE, Decisions
from graphc_runtime.forking import ForkLock

from ..errors import BuildError
from .build import build_source

_known: dict[Any, tuple[Decisions | None, str]] = {}
_lock = ForkLock()


def decisions(device: cuda.Device) -> tuple[Decisions | None, str]:
    """The kernels that decide on a device; or None, and why it cannot."""
    with _lock:
        if device not in _known:
            _known[device] = _made(device)
        return _known[device]


def _made(device: cuda.Device) -> tuple[Decisions | None, str]:
    why = device.cannot_decide()
    if why:
        return None, why
    try:
        return Decisions(device, build_source(SOURCE, device.arch, device.driver_version)), ""
    except (BuildError, cuda.DeviceError) as error:
        return None, f"the kernels that decide are refused: {error}"
