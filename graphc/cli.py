"""The command `graphc`: demo, show, build, inspect, run, bench, doctor, cache. Its commands are in
graphc/commands; they are the only modules that print.

Exit codes: 0 it worked; 1 it failed (the message says what); 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .commands import bench, build, cache, completion, demo, doctor, inspect, run, show
from .commands.command import FAILED, OK, USAGE, UsageError, UserError
from .compile import VERSION
from .errors import GraphcError

COMMANDS = (demo, show, build, inspect, run, bench, doctor, cache, completion)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; answers the exit code."""
    whole = parser()
    try:
        options, rest = whole.parse_known_args(argv)
        if rest and (not hasattr(options, "inputs") or any(r.startswith("-") for r in rest)):
            whole.error(f"unrecognized arguments: {' '.join(rest)}")
    except SystemExit as stop:  # argparse has printed help or what was wrong
        return int(stop.code or 0)
    if rest:  # argparse ends a row of positional arguments at the first option
        options.inputs += rest
    try:
        return options.run(options)
    except UsageError as error:
        _complain(error)
        return USAGE
    except (UserError, GraphcError, ArithmeticError) as error:
        _complain(error)
        return FAILED
    except BrokenPipeError:  # `graphc show ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        return 130


def _complain(error: BaseException) -> None:
    notes = getattr(error, "__notes__", ())
    print("\n  ".join([f"graphc: {error}", *notes]), file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    whole = argparse.ArgumentParser(
        prog="graphc", description="Write NumPy. Ship native code.",
        epilog="Start with `graphc demo`; `graphc COMMAND --help` has examples.",
    )  # fmt: skip
    whole.add_argument("--version", action="version", version=f"graphc {VERSION}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    whole.set_defaults(whole=whole)
    return whole


__all__ = ["COMMANDS", "FAILED", "OK", "USAGE", "UsageError", "UserError", "main"]
