"""`python -m benchmarks.gpu [--out FOLDER] [--seconds 270] [--only checks|speed]
[--groups GROUP...] [--cases REGEX] [--columns NAME...]`: correctness of
the whole op set, then times of every column, in one call; needs nothing but what lies beside it.

Every group of checks and every column is a process of its own, so that none can end the others: a
kernel that hangs or breaks the device's context is recorded, and the checks behind it are started
anew. Columns compile while the checks run, and are timed one after the other, those first that are
ready. Results are JSON in the folder, written after every row; a table comes last. `--tiny
--standin` rehearses on a machine without a device.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

from . import checks
from .checks import CHUNK, GROUPS
from .tables import Record, summary, table

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS = ("torch", "graphc", "graphc-generated", "graphc-wgmma", "jax", "cupy", "torch-compile")
SHARE = {
    "torch": 1.0, "graphc": 1.4, "graphc-generated": 0.4, "graphc-wgmma": 0.4,
    "torch-compile": 0.6, "jax": 0.8, "cupy": 0.5,
}  # fmt: skip
"""Of the time that is left for the columns."""
STARTED = time.perf_counter()


def note(text: str) -> None:
    print(f"[{time.perf_counter() - STARTED:6.1f}] {text}", flush=True)


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "typings"), os.environ.get("PYTHONPATH", "")])
    return {
        **os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1",
        "TORCHINDUCTOR_COMPILE_THREADS": "4", "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "GRAPHC_NUM_THREADS": "4",
    }  # fmt: skip


# ---------------------------------------------------------------------------------------- checks


class Checker:
    """Runs chunks of checks in several processes until all are done or the time is up."""

    def __init__(
        self, record: Record, until: float, workers: int, extra: list[str], patience: float
    ):
        self._record = record
        self._jobs: queue.Queue[tuple[str, int, int]] = queue.Queue()
        self._until, self._extra, self._patience = until, extra, patience
        self._log = open(record.path.with_name("checks.log"), "w")
        self._workers = workers

    def run(self, groups: list[str], most: int) -> None:
        jobs = []
        for group in groups:
            total = min(checks.count(group), most)
            jobs += [
                (n / total, group, n, min(n + CHUNK[group], total))
                for n in range(0, total, CHUNK[group])
            ]
        for _, group, first, last in sorted(jobs):  # every group gets its turn early
            self._jobs.put((group, first, last))
        note(f"{self._jobs.qsize()} chunks of checks")
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.1, self._until - time.perf_counter() + 5))

    def _work(self) -> None:
        while True:
            try:
                group, first, last = self._jobs.get_nowait()
            except queue.Empty:
                return
            while first < last:
                if time.perf_counter() > self._until:
                    self._record.add_left(f"{group} {first}-{last}")
                    break
                first = self._process(group, first, last)

    def _process(self, group: str, first: int, last: int) -> int:
        """Runs checks until the process ends; answers where to go on."""
        command = [sys.executable, "-m", "benchmarks.gpu.checks", group, str(first), str(last)]
        process = subprocess.Popen(
            [*command, *self._extra], cwd=ROOT, env=environment(), stdout=subprocess.PIPE,
            stderr=self._log, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        done: set[int] = set()
        seen = [time.perf_counter()]
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.5):
                now = time.perf_counter()
                if now - seen[0] > self._patience or now > self._until + 3:
                    process.kill()
                    return

        threading.Thread(target=watch, daemon=True).start()
        for line in process.stdout:
            seen[0] = time.perf_counter()
            try:
                facts = json.loads(line)
            except ValueError:
                continue
            done.add(facts["number"])
            self._record.add_check(facts)
            print(line, file=self._log, end="")
        status = process.wait()
        ended.set()
        if status == 0:
            return last
        after = max(done, default=first - 1) + 1
        if status == checks.DEAD or after >= last:
            return after
        if time.perf_counter() > self._until:
            self._record.add_left(f"{group} {after}-{last}")
            return last
        self._record.add_check({
            "group": group, "number": after, "name": f"number {after}",
            "outcome": "hung or died", "error": 0.0,
            "message": f"the process ended with status {status}",
        })  # fmt: skip
        return after + 1


def host_tests(out: Path, seconds: float) -> str:
    """The tests of the host path, on the device."""
    command = [sys.executable, "-m", "pytest", "tests/device", "-q", "-rfE", "--tb=short"]
    command += ["-p", "no:cacheprovider", "-x", "--maxfail=20"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        text = error.stdout.decode() if isinstance(error.stdout, bytes) else str(error.stdout)
        (out / "host.log").write_text(text)
        return "the tests of the host path took too long"
    (out / "host.log").write_text(done.stdout + done.stderr)
    return (done.stdout.strip().splitlines() or ["no output"])[-1]


# --------------------------------------------------------------------------------------- columns


class Column:
    """The process of a column, which prepares and waits."""

    def __init__(self, name: str, record: Record, seconds: float, extra: list[str]):
        self.name, self.seconds = name, seconds
        self.go = record.path.with_name(f"{name}.go").resolve()
        self.go.unlink(missing_ok=True)
        self._record = record
        self._log = open(record.path.with_name("columns.log"), "a")
        command = [sys.executable, "-m", "benchmarks.gpu.speed", name, str(self.go), str(seconds)]
        self._process = subprocess.Popen(
            [*command, *extra], cwd=ROOT, env=environment(), stdout=subprocess.PIPE,
            stderr=self._log, text=True,
        )  # fmt: skip
        self.ready = threading.Event()
        self._stopped = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                facts = json.loads(line)
            except ValueError:
                continue
            if "ready" in facts:
                note(f"{facts['column']} is ready after {facts['ready']:.1f} s")
                self.ready.set()
                continue
            self._record.add_row(facts)
            if "same" in facts:
                continue
            shown = facts.get("failed") or f"{facts['ms']:.4f} ms"
            note(f"{facts['column']:14s} {facts['case']:32s} {shown[:100]}")
        self.ready.set()
        status = self._process.wait()
        if status and not self._stopped:
            note(f"{self.name} ended with status {status}: see columns.log")
            failed = f"the process ended with status {status}"
            self._record.add_row({"column": self.name, "case": "all that follow", "failed": failed})

    def time(self, seconds: float) -> None:
        """Lets it go and waits until it is done."""
        self.go.touch()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            note(f"{self.name} is stopped: its time is over")
            self.stop()
        self._reader.join(5)
        self.go.unlink(missing_ok=True)

    def stop(self) -> None:
        self._stopped = True
        self._process.kill()


# ------------------------------------------------------------------------------------------ a run


def device_facts() -> str:
    query = "--query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm,power.draw"
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"], capture_output=True, text=True,
            timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi: {error}"
    return done.stdout.strip()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="graphc on a CUDA device")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "gpu-results")))
    parser.add_argument("--seconds", type=float, default=270.0)
    parser.add_argument("--checks", type=float, default=80.0, help="seconds for correctness")
    parser.add_argument("--only", choices=("checks", "speed"))
    parser.add_argument("--columns", nargs="*", default=list(COLUMNS), choices=COLUMNS)
    parser.add_argument("--cases", default="", help="a regular expression of what is timed")
    parser.add_argument("--groups", nargs="*", default=list(GROUPS), choices=list(GROUPS))
    parser.add_argument("--most", type=int, default=10**6, help="checks of a group")
    parser.add_argument("--workers", type=int, default=max(1, min(10, (os.cpu_count() or 2) - 4)))
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--standin", action="store_true")
    return parser.parse_args()


def check(given: argparse.Namespace, record: Record, extra: list[str]) -> None:
    """Correctness, for so long as it may take."""
    until = STARTED + given.checks
    checker = Checker(record, until, given.workers, extra, 600 if given.standin else 40)
    tests: list[str] = []
    out = record.path.parent
    host = threading.Thread(target=lambda: tests.append(host_tests(out, given.checks)), daemon=True)
    if given.groups == list(GROUPS):
        host.start()
    checker.run(given.groups, given.most)
    if host.ident is not None:
        host.join(max(0.1, until + 5 - time.perf_counter()))
    record.host_tests = tests[0] if tests else "not run" if host.ident is None else "did not end"
    note(f"the host path's tests: {record.host_tests}")
    print(summary(record.checks, record.left), flush=True)
    record.write()


def time_columns(columns: dict[str, Column], until: float, patience: float) -> None:
    """Times one after the other; who is ready does not wait for others, beyond `patience`."""
    left = dict(columns)
    while left:
        while not any(c.ready.is_set() for c in left.values()) and time.perf_counter() < patience:
            time.sleep(0.05)
        name = next((n for n, c in left.items() if c.ready.is_set()), next(iter(left)))
        column = left.pop(name)
        seconds = min(column.seconds * 1.15 + 5, until - time.perf_counter())
        if seconds < 3:
            note(f"no time was left for {name}")
            column.stop()
        else:
            column.time(seconds)


def main() -> None:
    given = arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "columns.log").unlink(missing_ok=True)
    extra = ["--standin"] if given.standin else []
    record = Record(given.out / "gpu.json", device_facts())
    note(f"device: {record.device}")
    until = STARTED + given.seconds
    columns: dict[str, Column] = {}
    if given.only != "checks":
        waits = 0.25 * given.seconds if given.only == "speed" else given.checks
        whole = sum(SHARE[name] for name in given.columns)
        for name in given.columns:
            share = (given.seconds - waits - 10) * SHARE[name] / whole
            more = ["--tiny"] if given.tiny else []
            more += [f"--cases={given.cases}"] if given.cases else []
            columns[name] = Column(name, record, share, [*extra, *more])
    if given.only != "speed":
        check(given, record, extra)
    # columns that compile disturb one that is timed: nobody begins before most are ready
    settled = STARTED + (0.25 * given.seconds if given.only == "speed" else given.checks + 25)
    for column in columns.values():
        column.ready.wait(max(0.0, settled - time.perf_counter()))
    time_columns(columns, until, until - 30)
    print(summary(record.checks, record.left))
    print(f"host path: {record.host_tests or 'not run'}")
    for row in record.rows:
        if "failed" in row:
            print(f"failed: {row['column']} {row['case']}: {row['failed'][:300]}")
    print(table(record.rows), flush=True)
    record.write()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
