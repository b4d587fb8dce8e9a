"""Datasets: what is gone through, in which order, and by which threads.

A dataset of arrays that is shuffled, cut or repeated stays an order of indices; a batch of it is
one indexing of each array. Any other step goes element by element.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from .. import pytrees
from .prefetching import ahead

Order = Callable[[], Iterator[int]]


class Dataset:
    """Elements, nested arrays as a rule, that can be gone through any number of times.

    Made by `arrays`, `from_function` and the methods here. `len` where it is known.
    """

    def __init__(
        self, start: Callable[[], Iterator[Any]], length: int | None = None,
        indexed: tuple[Any, Order] | None = None,
    ):  # fmt: skip
        self._start = start
        self._length = length
        self._indexed = indexed
        """The arrays and the order of an epoch, as long as that is all."""

    def __iter__(self) -> Iterator[Any]:
        return self._start()

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("how many elements the dataset has is not known before it was read")
        return self._length

    def _reordered(self, change: Callable[[Iterator[Any]], Iterator[Any]], length: Any) -> Dataset:
        """The elements (or, of arrays, their indices) through a change of their order."""
        if self._indexed is not None:
            source, order = self._indexed
            return _of(source, lambda: change(order()), length)
        return Dataset(lambda: change(iter(self)), length)

    # -- order
    def shuffle(
        self, buffer: int | None = None, *, seed: int | None = None, reshuffle: bool = True
    ) -> Dataset:
        """In random order.

        Args:
            buffer: the next element is drawn from so many; None: from all of an epoch.
            seed: of the order; None takes one of the system's.
            reshuffle: another order in every epoch. What stands behind it in the chain then sees
                other elements every time: `shuffle().take(n)` and `shuffle().skip(n)` of it are
                no training and test set. Take and skip first, or give reshuffle=False.
        """
        if buffer is not None and buffer < 1:
            raise ValueError(f"buffer is {buffer}; expected 1 or more")
        entropy = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
        epochs = itertools.count()

        def change(items: Iterator[Any]) -> Iterator[Any]:
            rng = np.random.default_rng([entropy, next(epochs) if reshuffle else 0])
            return _drawn(items, buffer, rng)

        return self._reordered(change, self._length)

    def take(self, count: int) -> Dataset:
        """The first elements, so many."""
        length = None if self._length is None else min(count, self._length)
        return self._reordered(lambda items: itertools.islice(items, count), length)

    def skip(self, count: int) -> Dataset:
        """All but the first elements, so many."""
        length = None if self._length is None else max(self._length - count, 0)
        return self._reordered(lambda items: itertools.islice(items, count, None), length)

    def repeat(self, count: int | None = None) -> Dataset:
        """Epoch after epoch, so many times or without end."""
        length = None if self._length is None or count is None else count * self._length
        if self._indexed is not None:
            source, order = self._indexed
            return _of(source, lambda: _repeated(order, count), length)
        return Dataset(lambda: _repeated(self.__iter__, count), length)

    # -- elements
    def batch(self, size: int, *, drop_last: bool = False) -> Dataset:
        """So many elements stacked to one; the last one may have fewer, or is left out."""
        if size < 1:
            raise ValueError(f"size is {size}; expected 1 or more")
        length = None
        if self._length is not None:
            length = self._length // size if drop_last else -(-self._length // size)
        if self._indexed is not None:
            source, order = self._indexed

            def gather(indices: list[int]) -> Any:
                return pytrees.map_leaves(lambda a: a[np.asarray(indices)], source)

            return Dataset(lambda: map(gather, _grouped(order(), size, drop_last)), length)
        return Dataset(lambda: map(_stacked, _grouped(iter(self), size, drop_last)), length)

    def unbatch(self) -> Dataset:
        """The elements of batches, one by one."""

        def start() -> Iterator[Any]:
            for batch in self:
                leaves, structure = pytrees.flatten(batch)
                for row in zip(*leaves, strict=True):
                    yield structure.unflatten(list(row))

        return Dataset(start)

    def map(self, function: Callable[..., Any], *, workers: int = 0) -> Dataset:
        """The function of every element; a tuple is handed over as several arguments.

        Args:
            workers: threads that compute elements ahead, in order. NumPy and compiled functions
                run beside each other.
        """

        def call(element: Any) -> Any:
            return function(*element) if type(element) is tuple else function(element)

        if not workers:
            return Dataset(lambda: map(call, iter(self)), self._length)
        return Dataset(lambda: _computed(call, iter(self), workers), self._length)

    def filter(self, condition: Callable[..., Any]) -> Dataset:
        """The elements for which the condition holds."""

        def holds(element: Any) -> bool:
            return bool(condition(*element) if type(element) is tuple else condition(element))

        return Dataset(lambda: filter(holds, iter(self)))

    def cache(self) -> Dataset:
        """The elements, kept when they are first gone through to the end."""
        kept: list[Any] = []
        complete = False

        def start() -> Iterator[Any]:
            nonlocal complete
            if complete:
                yield from kept
                return
            found = []
            for element in self:
                found.append(element)
                yield element
            if not complete:
                kept[:] = found
                complete = True

        return Dataset(start, self._length)

    def prefetch(self, count: int = 1) -> Dataset:
        """So many elements are made ahead, by a thread."""
        if count < 1:
            raise ValueError(f"count is {count}; expected 1 or more")
        return Dataset(lambda: ahead(iter(self), count), self._length)


# ----------------------------------------------------------------------------------------- sources


def arrays(*parts: Any) -> Dataset:
    """The rows of arrays of one length: of one, or nested, a row; of several, a tuple of rows.

    Raises:
        ValueError: when the lengths differ.
    """
    source = pytrees.map_leaves(np.asarray, parts[0] if len(parts) == 1 else tuple(parts))
    lengths = {len(a) for a in pytrees.flatten(source)[0]}
    if len(lengths) != 1:
        raise ValueError(f"arrays of the lengths {sorted(lengths)}; expected one length")
    (length,) = lengths
    return _of(source, lambda: iter(range(length)), length)


def _of(source: Any, order: Order, length: int | None) -> Dataset:
    def start() -> Iterator[Any]:
        for index in order():
            yield pytrees.map_leaves(lambda a: a[index], source)  # noqa: B023  called at once

    return Dataset(start, length, (source, order))


def from_function(start: Callable[[], Iterable[Any]], length: int | None = None) -> Dataset:
    """What the function answers, called for every epoch: a generator function, for example."""
    return Dataset(lambda: iter(start()), length)


def zipped(*datasets: Dataset) -> Dataset:
    """Tuples of an element of each, as long as all have some."""
    lengths = [d._length for d in datasets]
    known = [n for n in lengths if n is not None]
    return Dataset(lambda: zip(*datasets, strict=False), min(known) if known == lengths else None)


# ------------------------------------------------------------------------------------------- steps


def _drawn(items: Iterator[Any], buffer: int | None, rng: np.random.Generator) -> Iterator[Any]:
    if buffer is None:
        every = list(items)
        for place in rng.permutation(len(every)):
            yield every[place]
        return
    waiting = list(itertools.islice(items, buffer))
    for item in items:
        place = int(rng.integers(len(waiting)))
        yield waiting[place]
        waiting[place] = item
    for place in rng.permutation(len(waiting)):
        yield waiting[place]


def _repeated(start: Callable[[], Iterator[Any]], count: int | None) -> Iterator[Any]:
    for _ in itertools.count() if count is None else range(count):
        empty = True
        for element in start():
            empty = False
            yield element
        if empty:  # without end there would be nothing to yield, ever
            return


def _grouped(items: Iterator[Any], size: int, drop_last: bool) -> Iterator[list[Any]]:
    while group := list(itertools.islice(items, size)):
        if len(group) < size and drop_last:
            return
        yield group


def _stacked(elements: list[Any]) -> Any:
    first, structure = pytrees.flatten(elements[0])
    rows = [first, *(pytrees.flatten(one)[0] for one in elements[1:])]
    return structure.unflatten([np.stack(column) for column in zip(*rows, strict=True)])


def _computed(call: Callable[[Any], Any], items: Iterator[Any], workers: int) -> Iterator[Any]:
    """In order, by threads; no more is begun than can soon be taken."""
    with ThreadPoolExecutor(workers, thread_name_prefix="graphc.data") as pool:
        waiting: deque[Future[Any]] = deque()
        try:
            for item in itertools.islice(items, 2 * workers):
                waiting.append(pool.submit(call, item))
            while waiting:
                found = waiting.popleft().result()
                for item in itertools.islice(items, 1):
                    waiting.append(pool.submit(call, item))
                yield found
        finally:
            for one in waiting:
                one.cancel()
