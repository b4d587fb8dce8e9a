"""`graphc doctor`: what of this machine is used, and whether it works."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .command import FAILED, OK, add_command


def add(commands: Any) -> None:
    text = "say what of this machine graphc can use, and whether it works"
    parser = add_command(commands, "doctor", _run, text)
    parser.add_argument("--json", action="store_true", help="for programs")


def _run(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from .. import doctor  # imports all of graphc; --help should not wait for it

    checks = []
    for check in doctor.examine():
        checks.append(check)
        if not options.json:
            print(check, flush=True)
    works = doctor.works(checks)
    if options.json:
        print(json.dumps({"works": works, "checks": [asdict(c) for c in checks]}, indent=1))
    elif not works:
        print("\ngraphc does not work here; the lines above that begin with `failed` say why")
    else:
        print("\ngraphc works here")
    return OK if works else FAILED
