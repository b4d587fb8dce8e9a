"""`graphc run`: a function of an artifact over arrays in files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from .artifacts import called, function_of, opened, read_inputs
from .command import OK, UserError, add_command

EXAMPLES = """
examples:
  graphc run build/model x.npy -o y.npy                        the only function
  graphc run build/model --function step w=w.npy x=x.npy rate=0.1 -o out.npz
"""


def add(commands: Any) -> None:
    parser = add_command(commands, "run", _run, "call a function of an artifact", EXAMPLES)
    parser.add_argument("artifact", metavar="ARTIFACT", help="a folder or a zip")
    parser.add_argument("inputs", nargs="*", metavar="[NAME=]INPUT",
                        help="a file .npy, or a number; in order, or by name")  # fmt: skip
    parser.add_argument("--function", metavar="NAME", help="(default: the only one)")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="y.npy, or y.npz for several results"
    )


def _run(options: argparse.Namespace) -> int:
    artifact = opened(options.artifact)
    function = function_of(artifact, options.function)
    results = called(artifact, function, read_inputs(function, options.inputs))
    if options.output is None:
        for path, value in results.items():
            print(f"{path} = {np.array2string(np.asarray(value), threshold=20)}")
        return OK
    place = Path(options.output)
    if place.suffix not in (".npy", ".npz") or (place.suffix == ".npy" and len(results) != 1):
        raise UserError(f"{function.name} has {len(results)} results; write them to a file .npz")
    try:
        if place.suffix == ".npy":
            np.save(place, next(iter(results.values())), allow_pickle=False)
        else:
            arrays = {k: np.asarray(v) for k, v in results.items()}
            np.savez(place, allow_pickle=False, **arrays)
    except OSError as error:
        raise UserError(f"{place} cannot be written: {error.strerror}") from None
    return OK
