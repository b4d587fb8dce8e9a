"""Threads of the user: the device is made, used and let go in any of them.

pycuda ends the process where a thread has no context, or ends with one, so each case is a process
of its own.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from .conftest import MISSING

START = """
import gc, threading
import numpy as np
from tests.device import conftest
import graphc
from graphc import device_put
from graphc.device.array import the_device

program = graphc.jit(lambda x: np.tanh(x @ x) @ x, device="cuda")
array = np.eye(8, dtype=np.float32)
wanted = np.tanh(array @ array) @ array

def run():
    given = device_put(array)
    for _ in range(4):
        found = program(given)
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5)

def thread(work):
    one = threading.Thread(target=work)
    one.start()
    one.join()
"""
CASES = {
    "the first use is in a thread that ends": "thread(run); gc.collect(); run()",
    "a thread frees": """
        held = [device_put(array)]
        thread(held.clear)
        run()
    """,
    "a thread frees a program": """
        run()
        held = [program]
        del program
        thread(held.clear)
        thread(gc.collect)
    """,
    "a thread runs first": "the_device(); thread(run); run()",
    "nothing is held while a thread runs": """
        run(); gc.collect()
        the_device().free_held()
        thread(run)
    """,
    "many threads at once": """
        the_device()
        double = graphc.jit(lambda x: x * 2, device="cuda")
        def many():
            for _ in range(20):
                np.testing.assert_array_equal(double(device_put(array)).numpy(), array * 2)
        threads = [threading.Thread(target=many) for _ in range(6)]
        for one in threads: one.start()
        for one in threads: one.join()
    """,
    "arrays are there when the interpreter ends": """
        run()
        kept = device_put(array)
        loop = [kept, program]; loop.append(loop)
    """,
    "a context of the user's": """
        the_device()
        import pycuda.driver as driver
        mine = driver.Device(0).retain_primary_context()
        mine.push()
        run(); thread(run)
        held = [device_put(array)]
        mine.pop()
        held.clear(); run()
        mine.detach()
    """,
    "another stream waits in a thread": """
        import pycuda.driver as driver
        device = the_device()
        with device.active():
            other = driver.Stream()
        def work():
            device.let_wait(other.handle)
            device.wait_for(other.handle)
        thread(work)
        with device.active():
            del other
    """,
}


@pytest.mark.parametrize("case", CASES)
def test_threads(case: str) -> None:
    if MISSING:
        pytest.skip(MISSING)
    code = START + textwrap.dedent(CASES[case])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=Path(__file__).parent.parent.parent,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
