"""graphc.data: batches of arrays, made while the program before them is running.

    train = data.arrays(x, y).shuffle(seed=0).batch(128).prefetch(2)
    for x, y in train:
        ...

A `Dataset` is gone through again and again; each time is an epoch. Its methods make new ones and
change nothing. Loaded when it is first asked for.
"""

from __future__ import annotations

from .datasets import Dataset, arrays, from_function, zipped
from .progress import progress

__all__ = ["Dataset", "arrays", "from_function", "progress", "zipped"]
