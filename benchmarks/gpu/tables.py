"""What a run prints and keeps: a table of times, a list of what is not right, and JSON."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .checks import GROUPS
from .limits import fraction

SHOWN = ("graphc", "graphc-generated", "graphc-wgmma", "torch", "torch-compile", "jax", "cupy")
PEERS = ("torch", "torch-compile", "jax", "cupy")
Row = dict[str, Any]


@dataclass
class Record:
    """Everything that was found so far; written after every row, so that a run which is cut keeps
    what it has."""

    path: Path
    device: str
    host_tests: str = ""
    checks: list[Row] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    written: float = 0.0

    def add_row(self, row: Row) -> None:
        with self.lock:
            self.rows.append(row)
            self._write()

    def add_check(self, line: Row) -> None:
        with self.lock:
            self.checks.append(line)
            if time.perf_counter() - self.written > 2:
                self._write()

    def add_left(self, what: str) -> None:
        with self.lock:
            self.left.append(what)

    def write(self) -> None:
        with self.lock:
            self._write()

    def _write(self) -> None:
        worst: dict[str, Row] = {}
        for one in self.checks:
            if (
                one["outcome"] == "ok"
                and one["error"] > worst.get(one["group"], {"error": -1})["error"]
            ):
                worst[one["group"]] = {"name": one["name"], "error": one["error"]}
        found = {
            "device": self.device,
            "command": " ".join(["python -m benchmarks.gpu", *sys.argv[1:]]),
            "host tests": self.host_tests,
            "checks": {g: sum(one["group"] == g for one in self.checks) for g in GROUPS},
            "not right": [one for one in self.checks if one["outcome"] != "ok"],
            "nearest to what is allowed": worst,
            "not run": self.left,
            "rows": [self._with_fraction(row) for row in self.rows],
        }
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(found, indent=1) + "\n")
        os.replace(new, self.path)
        self.written = time.perf_counter()

    def _with_fraction(self, row: Row) -> Row:
        part = None if row["column"] == "limit" else fraction(row, limits(self.rows))
        return row if part is None else row | {"of the limit": round(part, 4)}


def limits(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["column"] == "limit"]


def table(rows: list[Row]) -> str:
    """A line for each case: times of the columns in microseconds, and what graphc's is of the limit
    and of the best peer's."""
    cases: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row["column"] != "limit":
            cases.setdefault(row["case"], {})[row["column"]] = row
    bounds = limits(rows)
    lines = [_limit(one) for one in bounds]
    head = f"{'us':32s}" + "".join(f"{c:>17s}" for c in SHOWN)
    lines.append(f"{head}      GB/s  TFLOP/s  of limit  generated  peer/graphc  error")
    lines += [_line(case, found, bounds) for case, found in cases.items()]
    return "\n".join(lines)


def _limit(one: Row) -> str:
    if "failed" in one:
        return f"limit: {one['case']:25s}        failed  {one['failed'][:80]}"
    rate = f"{one['gbs']:.0f} GB/s" if "gbs" in one else f"{one['tflops']:.1f} TFLOP/s"
    return f"limit: {one['case']:25s}{1e3 * one['ms']:14.1f}  {rate}"


def _time(one: Row | None) -> str:
    if one is None:
        return ""
    if "same" in one:
        return "="
    return f"{1e3 * one['ms']:.1f}" if "ms" in one else "failed"


def _percent(part: float | None) -> str:
    return "" if part is None else f"{100 * part:.1f}%"


def _line(case: str, found: dict[str, Row], bounds: list[Row]) -> str:
    line = f"{case:32s}" + "".join(f"{_time(found.get(c)):>17s}" for c in SHOWN)
    own = found.get("graphc", {})
    line += f"{own.get('gbs', 0):10.0f} {own.get('tflops', 0):8.1f}"
    generated = found.get("graphc-generated", {})
    for one in (own, generated):
        line += f" {_percent(fraction(one, bounds)):>9s}"
    peers = [found[c]["ms"] for c in PEERS if "ms" in found.get(c, {})]
    line += f"  {min(peers) / own['ms']:11.2f}" if peers and "ms" in own else " " * 13
    line += f"  {own['error']:.1e}" if own.get("error") is not None else ""
    calls = [f"{c} {found[c]['us a call']:.1f}" for c in SHOWN if "us a call" in found.get(c, {})]
    if calls:
        line += f"  us a call: {', '.join(calls)}"
    mode = found.get("torch-compile", {}).get("mode")
    return f"{line}  [{mode}]" if mode else line


def summary(lines: list[Row], left: list[str]) -> str:
    """How many checks of each group are right, and the first that are not."""
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
