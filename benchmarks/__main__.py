"""`python -m benchmarks WORKLOAD ...`: the shared suite, graphc a column. Options: the suite's."""

import runpy
import sys
from pathlib import Path

from .column import register

RESULTS = Path(__file__).parent / "results" / "results.json"

if __name__ == "__main__":
    register()
    if not any(part.split("=")[0] == "--json" for part in sys.argv):
        sys.argv += ["--json", str(RESULTS)]
    runpy.run_module("bench", run_name="__main__", alter_sys=True)
