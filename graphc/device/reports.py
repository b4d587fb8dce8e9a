"""reports: what the kernels of a call report, such as an index out of bounds.

Called by loaded.py, which makes one for a call that may fail; the call's results, and what other
programs make of them, keep it. The device writes a call's number to a word of the host behind the
call's kernels (`graphc_runtime.gpu_run`), so a report is read without waiting once they have run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from graphc_runtime import cuda
from graphc_runtime.errors import error_of

from ..errors import GraphcError
from .array import DeviceArray, Watch


class Report:
    """What one call reports. `messages` are the texts of codes 1, 2..."""

    __slots__ = ("_device", "_messages", "number", "word")
    _numbers = itertools.count()

    def __init__(self, device: cuda.Device, messages: Sequence[str]):
        self._device, self._messages = device, messages
        self.word = device.words.take()
        self.number = next(self._numbers)

    @property
    def failed(self) -> bool | None:
        """Did a kernel report something? None as long as that is not known."""
        code = self.word.value
        return None if code is None else code != 0

    def check(self) -> None:
        """Raises what was reported first; waits for the device.

        Raises:
            IndexError, NonFiniteError, LinAlgError: with the message of the program.
        """
        if self.word.value is None:
            self._device.synchronize()
        code = self.word.value
        if code is None or not 0 <= code <= len(self._messages):
            raise GraphcError(f"a kernel reported the unknown error {code}; a bug of graphc")
        if code:
            raise error_of(self._messages[code - 1])


def of_all(arrays: Iterable[DeviceArray]) -> frozenset[Watch]:
    """What may have gone wrong while the arrays were made: no more than the first of what has, and
    what is not known yet, so that states of many steps do not remember all of them."""
    found = {watch: watch.failed for array in arrays for watch in array.watches}
    failed = [watch for watch, it in found.items() if it]
    if failed:
        return frozenset([min(failed, key=lambda watch: watch.number)])
    return frozenset(watch for watch, it in found.items() if it is None)
