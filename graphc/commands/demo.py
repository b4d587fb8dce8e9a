"""`graphc demo`: what happens to a real function, and how fast it is."""

from __future__ import annotations

import argparse
from typing import Any

from .command import OK, add_command


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "demo",
        _run,
        "compile a real function, say what happened, and time it against NumPy",
    )
    names = ("black-scholes", "softmax", "layer-norm")
    parser.add_argument("example", nargs="?", choices=names, default=names[0])
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="to time each side (default: 0.5)"
    )


def _run(options: argparse.Namespace) -> int:
    from .. import demo  # imports all of graphc; --help should not wait for it

    for line in demo.account(demo.EXAMPLES[options.example], options.seconds):
        print(line, flush=True)
    return OK
