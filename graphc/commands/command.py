"""What every command has: exit codes, errors, and how it is added to the parser."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

OK, FAILED, USAGE = 0, 1, 2


class UsageError(Exception):
    """The command line asks for something that is not there."""


class UserError(Exception):
    """What the command was pointed at does not work."""


def add_command(
    commands: Any, name: str, run: Callable[[Any], int], text: str, epilog: str = ""
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(run=run)
    return parser
