"""Runs the public array API test suite on `jitted_namespace` and writes the score to
docs/array_api.md.

    python -m tests.array_api.run PATH/OF/array-api-tests [--examples 5] [--evaluate] [-k
                                      EXPRESSION] [--no-write]

PATH is a checkout of data-apis/array-api-tests with its submodule array-api. With `--evaluate`
graphs are evaluated instead of compiled. Every test of the suite counts, those in skips.txt too.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "array_api.md"
MODULE = "tests.array_api.jitted_namespace"
VERSION = "2024.12"


def run_suite(
    suite: pathlib.Path, examples: int, evaluate: bool, select: str, report: pathlib.Path
) -> str:
    """Runs pytest in the checkout; the results are in the JUnit file `report`. Answers the last
    line it printed.
    """
    environment = dict(os.environ)
    environment |= {
        "ARRAY_API_TESTS_MODULE": MODULE,
        "ARRAY_API_TESTS_VERSION": VERSION,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(suite), os.environ.get("PYTHONPATH", "")]),
        "GRAPHC_ARRAY_API": "evaluate" if evaluate else "",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "array_api_tests",
        "-q",
        "--no-header",
        "--tb=line",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        f"--max-examples={examples}",
        "--disable-deadline",
        "--derandomize",
        "--disable-data-dependent-shapes",
        f"--skips-file={HERE / 'skips.txt'}",
        f"--junitxml={report}",
    ]
    if select:
        command += ["-k", select]
    done = subprocess.run(
        command, cwd=suite, env=environment, capture_output=True, text=True, check=False
    )
    if not report.exists() or done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout.strip().splitlines()[-1]


def outcomes(report: pathlib.Path) -> tuple[Counter[str], list[tuple[str, str]]]:
    """How many tests passed, failed, were skipped; and the failures with the first line of each."""
    counts: Counter[str] = Counter()
    failures: list[tuple[str, str]] = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        bad = [child for child in case if child.tag in ("failure", "error")]
        if bad:
            counts["failed"] += 1
            lines = (bad[0].get("message") or bad[0].text or "").strip().splitlines()
            failures.append((name, lines[0][:160] if lines else ""))
        elif any(child.tag == "skipped" for child in case):
            counts["skipped"] += 1
        else:
            counts["passed"] += 1
    return counts, failures


def page(
    counts: Counter[str], failures: list[tuple[str, str]], examples: int, evaluate: bool
) -> str:
    """The text of docs/array_api.md."""
    how = "traced and evaluated" if evaluate else "traced, compiled and run"
    lines = [
        "# Array API",
        "",
        f"The test suite of the Python array API standard {VERSION}, on `graphc.numpy`: every "
        f"call is {how}. The",
        "array object is NumPy's. Made by `python -m tests.array_api.run PATH`, with "
        f"{examples} examples for each test.",
        "",
        "| passed | failed | skipped | all |",
        "|---|---|---|---|",
        f"| {counts['passed']} | {counts['failed']} | {counts['skipped']} | {counts.total()} |",
        "",
        "Skipped: the array object, results whose length depends on data (`unique`, `nonzero` "
        "need `size=`), and",
        "decompositions that are not there yet (`tests/array_api/skips.txt`).",
    ]
    if failures:
        lines += ["", "## Failures", ""]
        lines += [f"- `{name}`: {reason.replace('|', '/')}" for name, reason in sorted(failures)]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suite", type=pathlib.Path, help="a checkout of data-apis/array-api-tests")
    parser.add_argument("--examples", type=int, default=5)
    parser.add_argument("--evaluate", action="store_true")
    parser.add_argument("-k", dest="select", default="")
    parser.add_argument(
        "--no-write", action="store_true", help="print the page instead of writing it"
    )
    parser.add_argument(
        "--report", type=pathlib.Path, default=None, help="where the JUnit file goes"
    )
    given = parser.parse_args()
    suite = given.suite.resolve()
    report = (given.report or suite / "graphc-array-api.xml").resolve()
    report.unlink(missing_ok=True)
    print(run_suite(suite, given.examples, given.evaluate, given.select, report))
    counts, failures = outcomes(report)
    text = page(counts, failures, given.examples, given.evaluate)
    if given.no_write or given.select:
        print(text)
    else:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text)


if __name__ == "__main__":
    main()
