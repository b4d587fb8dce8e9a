"""Calls of all kinds, most of them wrong, in a process of their own: an exception each time that
says what is wrong, or a result; never a crash."""

from __future__ import annotations

import pytest

from . import built
from .test_extension import place

SCRIPT = """
import random
import numpy as np, ml_dtypes
rng = random.Random({seed})
functions = [(n, getattr(module, n)) for n in names]
dtypes = ["?", "i1", "i4", "i8", "u1", "u8", "f2", "f4", "f8", "c8", "c16", ml_dtypes.bfloat16]

def array():
    shape = [rng.choice([0, 1, 2, 3, 4, 6, 700]) for _ in range(rng.choice([0, 1, 1, 2, 2, 3]))]
    if np.prod(shape) > 5000:
        shape = [2, 6]
    a = np.zeros(shape, rng.choice(dtypes))
    how = rng.random()
    if how < 0.1:
        a = np.zeros([2 * e for e in shape], a.dtype)[tuple(slice(None, None, 2) for _ in shape)]
    elif how < 0.15:
        a = a.astype(a.dtype.newbyteorder())
    elif how < 0.2:
        a.flags.writeable = False
    elif how < 0.25:
        a = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(shape) if shape else a
    return a

def value(depth=0):
    kind = rng.random()
    if kind < 0.55 or depth > 2:
        return rng.choice([f4, f4, f8, array])()
    if kind < 0.7:
        return rng.choice([None, True, 0, 1, -1, 2**63, -(2**70), 1.5, 1e400, float("nan"), 1j, "x",
                           b"xy", np.float32(1), np.int64(3), object(), int, [], (), {{}}])
    if kind < 0.8:
        return tuple(value(depth + 1) for _ in range(rng.randrange(4)))
    if kind < 0.9:
        return [value(depth + 1) for _ in range(rng.randrange(4))]
    keys = rng.sample(["w", "s", "x", 1, None], rng.randrange(4))
    return {{key: value(depth + 1) for key in keys}}

def f4():
    return np.zeros(rng.choice([(2, 6), (6, 4), (4,), (3,), (2, 4), (), (0, 6), (2, 3)]), "f4")

def f8():
    return np.zeros(rng.choice([0, 1, 3]), "f8")

known = (TypeError, ValueError, IndexError, OverflowError, ArithmeticError, MemoryError,
         BufferError, Refused)
answered = 0
for number in range({count}):
    name, function = rng.choice(functions)
    args = [value() for _ in range(rng.choice([1, 1, 2, 3, 3, 3, 4, 15]))]
    kwargs = {{rng.choice(["x", "w", "b", "rate", "q"]): value()}} if rng.random() < 0.1 else {{}}
    try:
        function(*args, **kwargs)
        answered += 1
    except known as error:
        assert str(error), name
print({count}, answered > 0)
"""
PACKAGE = """
import model as module
from graphc_runtime.errors import ArtifactError as Refused
names = module.__all__
"""
EXTENSION = """
import functions as module
names = [n for n in dir(module) if not n.startswith("_")]
class Refused(Exception): pass
"""


def check(kind: str, seed: int, count: int) -> None:
    script = SCRIPT.format(seed=seed, count=count)
    if kind == "package":
        text = built.answer(PACKAGE + script, built.folder().parent)
    else:
        text = built.answer(EXTENSION + script, place())
    assert text == f"{count} True"


@pytest.mark.parametrize("kind", ["package", "extension"])
def test_wrong_calls(kind: str) -> None:
    check(kind, 1, 1500)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(2, 12))
@pytest.mark.parametrize("kind", ["package", "extension"])
def test_many_wrong_calls(kind: str, seed: int) -> None:
    check(kind, seed, 10_000)
