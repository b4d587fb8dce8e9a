"""The cycle collector is paused while a program is compiled, and only then."""

from __future__ import annotations

import gc
import os
import threading

import numpy as np
import pytest

import graphc
from graphc.collector import collector_paused


def test_paused_while_tracing_and_running_afterwards() -> None:
    seen = []

    @graphc.jit
    def f(x):  # type: ignore[no-untyped-def]
        seen.append(gc.isenabled())
        return x + 1

    f(np.ones(3))
    assert seen == [False]
    assert gc.isenabled()


def test_runs_again_after_an_error() -> None:
    with pytest.raises(graphc.TraceError):
        graphc.jit(lambda x: float(x))(np.ones(()))
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        graphc.jit(lambda x: x * 2)(np.ones(3))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_pauses_that_overlap_in_threads() -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with collector_paused():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    with collector_paused():
        pass
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_meanwhile_collects() -> None:
    with collector_paused():
        child = os.fork()
        if child == 0:
            os._exit(0 if gc.isenabled() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert gc.isenabled()
