"""Checks blocks of seeds in processes of their own; knows nothing of graphs.

A process that dies takes one seed with it, not the run: the seed that it worked on is reported, and
another process does the rest of its block. A seed that computes for `SEED_SECONDS` dies in the same
way.
"""

from __future__ import annotations

import faulthandler
import json
import multiprocessing
import resource
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

Check = Callable[[Sequence[int], Callable[[int], None]], Iterator[tuple[int, str]]]
"""Answers the seeds that fail, with what happened, and says which seed it begins with."""

BLOCK = 25
"""Seeds that a process is given at a time."""
SEED_SECONDS = 300.0
"""How long one seed may compute. Time of the processor, so that a paused process may wait."""
_CONTEXT = multiprocessing.get_context("spawn")


def blocks(start: int, count: int) -> list[range]:
    """The seeds in blocks that do not depend on `count`, so that a longer run can go on."""
    end = start + count
    return [range(s, min(s + BLOCK, end)) for s in range(start, end, BLOCK)]


class Log:
    """A file of the blocks that were run, a line each: what a later run need not do again."""

    def __init__(self, path: Path | None, options: str) -> None:
        self.path, self.options = path, options
        self.done: set[tuple[int, int]] = set()
        self.failures: dict[int, str] = {}
        if path is None or not path.exists():
            return
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry["options"] == options:
                self.done.add((entry["start"], entry["count"]))
                self.failures.update({int(s): text for s, text in entry["failures"].items()})

    def __contains__(self, block: range) -> bool:
        return (block.start, len(block)) in self.done

    def add(self, block: range, failures: dict[int, str]) -> None:
        """Writes that the block was run."""
        if self.path is None:
            return
        entry = {
            "options": self.options,
            "start": block.start,
            "count": len(block),
            "failures": failures,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


@dataclass(slots=True)
class Outcome:
    """What a run has done so far."""

    wanted: int
    earlier: int = 0
    """Seeds that the log held already."""
    checked: int = 0
    failures: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    peak_bytes: int = 0
    """The most memory that one process held."""

    def __str__(self) -> str:
        pace = self.checked / self.seconds if self.seconds else 0.0
        return (
            f"{self.earlier + self.checked} of {self.wanted} graphs, {len(self.failures)} failures"
            f" ({self.checked} now, {self.seconds:.0f} s, {pace:.1f} a second, "
            f"at most {self.peak_bytes / 1e6:.0f} MB a process)"
        )


def run(
    check: Check,
    todo: Iterable[range],
    jobs: int,
    show: Callable[[int, str], None],
    log: Log,
    seconds: float | None = None,
    progress: float = 60.0,
) -> Outcome:
    """Checks every block that the log lacks; calls `show` for each seed that fails, then prints how
    far it is every `progress` seconds. After `seconds` no other block is begun.
    """
    todo = list(todo)
    queue = deque(block for block in todo if block not in log)
    outcome = Outcome(sum(map(len, todo)), sum(len(b) for b in todo if b in log))
    outcome.failures.update({s: t for s, t in log.failures.items() if any(s in b for b in todo)})
    for seed, text in outcome.failures.items():
        show(seed, text)
    started = shown = time.monotonic()
    workers = [_Worker(check, show) for _ in range(min(jobs, len(queue)))]
    try:
        busy = [w for w in workers if w.give(queue)]
        while busy:
            for worker in _ready(busy, progress):
                found = worker.receive()
                outcome.seconds = time.monotonic() - started
                if found is None:
                    continue
                outcome.checked += len(worker.block)
                outcome.failures.update(found)
                outcome.peak_bytes = max(outcome.peak_bytes, worker.peak_bytes)
                log.add(worker.block, found)
                late = seconds is not None and outcome.seconds > seconds
                if late or not worker.give(queue):
                    busy.remove(worker)
            if time.monotonic() - shown >= progress:
                shown = time.monotonic()
                print(f"{time.strftime('%H:%M:%S')} {outcome}", flush=True)
    finally:
        for worker in workers:
            worker.stop()
    return outcome


def _ready(busy: Sequence[_Worker], timeout: float) -> list[_Worker]:
    ready = wait([worker.pipe for worker in busy], timeout)
    return [worker for worker in busy if worker.pipe in ready]


class _Worker:
    """A process, the block that it works on, and what it has found there."""

    pipe: Connection
    process: SpawnProcess

    def __init__(self, check: Check, show: Callable[[int, str], None]) -> None:
        self.check, self.show = check, show
        self.current = _CONTEXT.Value("q", -1, lock=False)
        self.block = range(0)
        self.left: list[int] = []
        """The block without the seeds that killed a process."""
        self.found: dict[int, str] = {}
        self.peak_bytes = 0
        self.start()

    def start(self) -> None:
        self.pipe, other = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(
            target=_work, args=(self.check, other, self.current), daemon=True
        )
        self.process.start()
        other.close()  # so that the death of the process closes the pipe

    def give(self, queue: deque[range]) -> bool:
        """Sends the next block, if there is one."""
        if not queue:
            return False
        self.block, self.found = queue.popleft(), {}
        self.left = list(self.block)
        self.pipe.send(self.left)
        return True

    def receive(self) -> dict[int, str] | None:
        """The failures of the block when it is done."""
        try:
            message = self.pipe.recv()
        except (EOFError, ConnectionError):
            return self.died()
        if isinstance(message, int):
            self.peak_bytes = message
            return self.found
        self.fail(*message)
        return None

    def fail(self, seed: int, text: str) -> None:
        if seed not in self.found:  # a block that is run again finds the same
            self.found[seed] = text
            self.show(seed, text)

    def died(self) -> dict[int, str] | None:
        """Blames the seed and gives what is left of the block to another process."""
        self.process.join()
        code = self.process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        seed = self.current.value
        if seed not in self.left:
            raise RuntimeError(f"a process ended before its first seed: {how}")
        self.fail(seed, f"the process died: {how}")
        self.left.remove(seed)
        self.pipe.close()
        self.start()
        self.pipe.send(self.left)
        return None

    def stop(self) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def _work(check: Check, pipe: Connection, current: Any) -> None:
    """A process: checks the blocks that come, sends (seed, text) for each failure, and its peak
    memory when a block is done.
    """
    faulthandler.enable()

    def begin(seed: int) -> None:
        current.value = seed
        signal.setitimer(signal.ITIMER_VIRTUAL, SEED_SECONDS)  # its signal ends the process

    while True:
        current.value = -1
        try:
            seeds = pipe.recv()
        except EOFError:
            return
        for failure in check(seeds, begin):
            pipe.send(failure)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
