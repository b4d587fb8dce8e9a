"""`python -m benchmarks.gpu [--out FOLDER] [--seconds 225] [--only checks|speed]
[--groups GROUP...] [--cases REGEX] [--columns NAME...]`: correctness of
the whole op set, then times of every column, in one call; needs nothing but what lies beside it.

Every group of checks and every column is a process of its own, so that none can end the others: a
kernel that hangs or breaks the device's context is recorded, and the checks behind it are started
anew. Columns compile while the checks run, and are timed one after the other. Results are JSON in
the folder; a table comes last. `--tiny --standin` rehearses on a machine without a device.
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
from typing import Any

from . import checks
from .checks import CHUNK, GROUPS

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS = ("torch", "graphc", "torch-compile", "jax", "cupy")
SHARE = {"torch": 1.0, "graphc": 1.3, "torch-compile": 0.6, "jax": 0.8, "cupy": 0.6}
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

    def __init__(self, out: Path, until: float, workers: int, extra: list[str], patience: float):
        self.lines: list[dict[str, Any]] = []
        self.left: list[str] = []
        self._jobs: queue.Queue[tuple[str, int, int]] = queue.Queue()
        self._until, self._extra, self._patience = until, extra, patience
        self._log = open(out / "checks.log", "w")
        self._lock = threading.Lock()
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
                    self.left.append(f"{group} {first}-{last}")
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
            with self._lock:
                self.lines.append(facts)
                print(line, file=self._log, end="")
        status = process.wait()
        ended.set()
        if status == 0:
            return last
        after = max(done, default=first - 1) + 1
        if status == checks.DEAD or after >= last:
            return after
        if time.perf_counter() > self._until:
            with self._lock:
                self.left.append(f"{group} {after}-{last}")
            return last
        with self._lock:
            self.lines.append({
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

    def __init__(self, name: str, out: Path, seconds: float, extra: list[str]):
        self.name, self.seconds = name, seconds
        self.go = out / f"{name}.go"
        self.go.unlink(missing_ok=True)
        self._log = open(out / "columns.log", "a")
        command = [sys.executable, "-m", "benchmarks.gpu.speed", name, str(self.go), str(seconds)]
        self._process = subprocess.Popen(
            [*command, *extra], cwd=ROOT, env=environment(), stdout=subprocess.PIPE,
            stderr=self._log, text=True,
        )  # fmt: skip
        self.lines: list[dict[str, Any]] = []
        self.ready = threading.Event()
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
            self.lines.append(facts)
            shown = facts.get("failed") or f"{facts.get('ms', 0):.4f} ms"
            note(f"{facts['column']:14s} {facts['case']:32s} {shown[:100]}")
        self.ready.set()

    def time(self, seconds: float) -> None:
        """Lets it go and waits until it is done."""
        self.go.touch()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            note(f"{self.name} is stopped: its time is over")
            self._process.kill()
        self._reader.join(5)
        self.go.unlink(missing_ok=True)

    def stop(self) -> None:
        self._process.kill()


# ----------------------------------------------------------------------------------------- tables


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each case: times of the columns in microseconds, and graphc's rates."""
    cases: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        cases.setdefault(row["case"], {})[row["column"]] = row
    lines = [f"{'us':32s}" + "".join(f"{c:>14s}" for c in COLUMNS) + "      GB/s  TFLOP/s  error"]
    for case, found in cases.items():
        if "limit" in found:
            one = found["limit"]
            rate = f"{one['gbs']:.0f} GB/s" if "gbs" in one else f"{one['tflops']:.0f} TFLOP/s"
            lines.append(f"limit: {case:25s}{1e3 * one['ms']:14.1f}  {rate}")
            continue
        line = f"{case:32s}"
        for column in COLUMNS:
            one = found.get(column)
            text = "" if one is None else "failed" if "ms" not in one else f"{1e3 * one['ms']:.1f}"
            line += f"{text:>14s}"
        own = found.get("graphc", {})
        line += f"{own.get('gbs', 0):10.0f} {own.get('tflops', 0):8.1f}"
        line += f"  {own['error']:.1e}" if own.get("error") is not None else ""
        if "us a call" in own:
            line += f"  {own['us a call']:.1f} us a call"
        lines.append(line)
    return "\n".join(lines)


def summary(lines: list[dict[str, Any]], left: list[str]) -> str:
    shown = []
    for group in GROUPS:
        own = [one for one in lines if one["group"] == group]
        bad = [one for one in own if one["outcome"] != "ok"]
        if own:
            shown.append(f"{group}: {len(own) - len(bad)} of {len(own)} are right")
        shown += [
            f"    {one['outcome']:12s} {one['name']:28s} {one.get('message', '')[:150]}"
            for one in bad[:12]
        ]
    return "\n".join(shown + [f"    no time was left for {one}" for one in left[:12]])


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


def main() -> None:
    parser = argparse.ArgumentParser(description="graphc on a CUDA device")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "gpu-results")))
    parser.add_argument("--seconds", type=float, default=225.0)
    parser.add_argument("--checks", type=float, default=80.0, help="seconds for correctness")
    parser.add_argument("--only", choices=("checks", "speed"))
    parser.add_argument("--columns", nargs="*", default=list(COLUMNS))
    parser.add_argument("--cases", default="", help="a regular expression of what is timed")
    parser.add_argument("--groups", nargs="*", default=list(GROUPS), choices=list(GROUPS))
    parser.add_argument("--most", type=int, default=10**6, help="checks of a group")
    parser.add_argument("--workers", type=int, default=max(1, min(10, (os.cpu_count() or 2) - 4)))
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--standin", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "columns.log").unlink(missing_ok=True)
    extra = ["--standin"] if given.standin else []
    facts = device_facts()
    note(f"device: {facts}")
    until = STARTED + given.seconds
    columns: dict[str, Column] = {}
    if given.only != "checks":
        room = given.seconds - (0 if given.only == "speed" else given.checks) - 10
        whole = sum(SHARE[name] for name in given.columns)
        for name in given.columns:
            share = room * SHARE[name] / whole
            tiny = ["--tiny"] if given.tiny else []
            some = [f"--cases={given.cases}"] if given.cases else []
            columns[name] = Column(name, given.out, share, [*extra, *tiny, *some])
    lines: list[dict[str, Any]] = []
    left: list[str] = []
    hosted = ""
    if given.only != "speed":
        checker = Checker(
            given.out, STARTED + given.checks, given.workers, extra, 600 if given.standin else 40
        )
        tests: list[str] = []
        host = threading.Thread(
            target=lambda: tests.append(host_tests(given.out, given.checks)), daemon=True
        )
        if given.groups == list(GROUPS):
            host.start()
        checker.run(given.groups, given.most)
        if host.ident is not None:
            host.join(max(0.1, STARTED + given.checks + 5 - time.perf_counter()))
        hosted = tests[0] if tests else "not run" if host.ident is None else "did not end"
        lines, left = checker.lines, checker.left
        note(f"the host path's tests: {hosted}")
        print(summary(lines, left), flush=True)
        keep(given.out, facts, hosted, lines, left, [])
    elif columns:
        for column in columns.values():  # compile before the first is timed
            column.ready.wait(max(0.0, STARTED + 45 - time.perf_counter()))
    rows: list[dict[str, Any]] = []
    for name, column in columns.items():
        seconds = min(column.seconds * 1.15 + 5, until - time.perf_counter())
        if seconds < 3:
            note(f"no time was left for {name}")
            column.stop()
            continue
        column.time(seconds)
        rows += column.lines
        keep(given.out, facts, hosted, lines, left, rows)
    print(summary(lines, left))
    print(f"host path: {hosted}")
    for row in rows:
        if "failed" in row:
            print(f"failed: {row['column']} {row['case']}: {row['failed'][:300]}")
    print(table(rows), flush=True)


def keep(
    out: Path, facts: str, hosted: str, lines: list[dict[str, Any]], left: list[str],
    rows: list[dict[str, Any]],
) -> None:  # fmt: skip
    command = " ".join(["python -m benchmarks.gpu", *sys.argv[1:]])
    bad = [one for one in lines if one["outcome"] != "ok"]
    counts = {g: sum(one["group"] == g for one in lines) for g in GROUPS}
    worst: dict[str, Any] = {}
    for one in lines:
        if (
            one["outcome"] == "ok"
            and one["error"] > worst.get(one["group"], {"error": -1})["error"]
        ):
            worst[one["group"]] = {"name": one["name"], "error": one["error"]}
    found = {
        "device": facts, "command": command, "host tests": hosted, "checks": counts,
        "not right": bad, "nearest to what is allowed": worst, "not run": left, "rows": rows,
    }  # fmt: skip
    (out / "gpu.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
