"""Words of the host's memory that a device writes when it gets there, one for each call that may
fail: the host reads them without waiting.

Called by cuda.py, which has one `Words` a device, and by gpu_run.py, which has the device write
them. A word that nobody holds is used again, but not before the device has written it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

PENDING = -1
"""In a word that the device has not written."""
BLOCK = 1024
"""So many words are made at once."""


class Word:
    """One number, an i32 that is not PENDING; it goes back to where it came from."""

    __slots__ = ("_words", "place")

    def __init__(self, words: Words, place: tuple[Any, int]):
        self._words, self.place = words, place
        self.array[0] = PENDING

    @property
    def array(self) -> np.ndarray:
        """Where it is."""
        block, k = self.place
        return block.held[k : k + 1]

    @property
    def value(self) -> int | None:
        """None until the device has written it."""
        found = int(self.array[0])
        return None if found == PENDING else found

    def __del__(self) -> None:
        self._words.give(self.place)


class Words:
    """The words of a device. `make` gives memory that it can write to, so many i32 as `held`."""

    def __init__(self, make: Callable[[int], Any]):
        self._make = make
        self._free: deque[tuple[Any, int]] = deque()  # without a lock: a collection gives, too

    def take(self) -> Word:
        """A word that is the caller's alone.

        Raises:
            OutOfDeviceMemory.
        """
        try:
            place = self._free.popleft()
        except IndexError:
            return Word(self, self._more())
        block, k = place
        if block.held[k] == PENDING:  # a call whose results nobody wanted runs still
            self._free.append(place)
            place = self._more()
        return Word(self, place)

    def give(self, place: tuple[Any, int]) -> None:
        """Takes one back, whether it is written or not."""
        self._free.append(place)

    def _more(self) -> tuple[Any, int]:
        block = self._make(BLOCK)
        block.held[:] = 0
        self._free.extendleft((block, k) for k in range(1, BLOCK))
        return block, 0
