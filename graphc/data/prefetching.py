"""A thread that makes elements before they are asked for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

_END = object()


class _Failure:
    def __init__(self, error: BaseException):
        self.error = error


def ahead(items: Iterator[Any], count: int) -> Iterator[Any]:
    """The items, so many of them made ahead by a thread of its own.

    An error of theirs is raised where their element would have come. The thread ends with the
    items, or when the iterator that this answers is closed or forgotten.
    """
    made: queue.Queue[Any] = queue.Queue(count)
    stop = threading.Event()

    def put(item: Any) -> bool:
        while not stop.is_set():
            try:
                made.put(item, timeout=0.05)  # so that it sees the end
                return True
            except queue.Full:
                continue
        return False

    def run() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:
            put(_Failure(error))
            return
        put(_END)

    thread = threading.Thread(target=run, name="graphc.data.prefetch", daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stop.set()
        thread.join()
