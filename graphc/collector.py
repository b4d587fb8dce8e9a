"""Pauses Python's cycle collector while a program is compiled.

Compiling allocates many small objects that live until it ends, so the collector walks the whole
heap again and again and frees next to nothing: 13 of the 60 ms of a first call of Black-Scholes,
and more where the user's own heap is large. Called by `jit`; process-wide, so calls are counted.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_pauses = 0
_resume = False


@contextmanager
def collector_paused() -> Iterator[None]:
    """Inside, no cycles are collected; afterwards the collector is as it was before the first of
    the pauses that overlap."""
    global _pauses, _resume
    with _lock:
        if not _pauses:
            _resume = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses = max(0, _pauses - 1)  # a forked child has begun anew
            if not _pauses and _resume:
                gc.enable()


def _begin_anew() -> None:
    """In a forked child: the threads that paused the collector are not there."""
    global _pauses
    if _pauses and _resume:
        gc.enable()
    _pauses = 0
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_begin_anew
    )
