"""`graphc show`: every stage of a function."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..compile import STAGES
from ..errors import GraphcError
from .command import OK, UsageError, UserError, add_command
from .functions import find_place, last_line, read_argument, read_static

PICTURES = ("dot", "graphml")

SHOW_EXAMPLES = """
examples:
  graphc show model.py:softmax --arg "x: f32[4096, 1024]"
  graphc show model.py:softmax --arg "x: f32[b, 1024]" --stage loops        one program for every b
  graphc show model.py:step --arg "x: f64[n]" --arg "rate: float" --stage asm --output step.s
  graphc show model.py:norm --arg "x: f32[8, 8]" --static "axis=0"          decided while tracing
  graphc show package.module:function --arg "f32[64]" --stage dot | dot -Tsvg > graph.svg

types:
  bool i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64 c64 c128, then the extents in brackets:
  f32[b, 784], f64[]. A name instead of a number is a symbolic extent.
  float, int, bool and complex are Python numbers. Containers are written as in Python:
  {w: f32[784, 10], b: f32[10]}, (f32[3], f32[]). `like NAME`: the types of NAME in the file.

stages:
  graph     what was traced               llvm      LLVM IR
  passes    after all passes, with times  asm       the assembly of this machine
  loops     naive loops of each kernel    cuda      CUDA C
  schedule  loops in their final order    dot, graphml   a picture of the traced graph
"""


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "show",
        _run,
        "trace a function for given types and print a stage of it",
        SHOW_EXAMPLES,
    )
    parser.add_argument("function", metavar="FILE.py:FUNCTION", help="or package.module:function")
    parser.add_argument(
        "--arg", action="append", default=[], metavar='"NAME: TYPE"', dest="arguments",
        help="an argument's type; once for each argument. Without a name: the next one in order",
    )  # fmt: skip
    parser.add_argument(
        "--static", action="append", default=[], metavar="NAME=VALUE",
        help="an argument that is known while tracing; VALUE is a Python literal",
    )  # fmt: skip
    parser.add_argument(
        "--stage", "--text", default="graph", choices=(*STAGES, *PICTURES), metavar="STAGE",
        help="one of the stages below (default: graph)",
    )  # fmt: skip
    parser.add_argument("--output", metavar="FILE", help="write there instead of printing")


def _run(options: argparse.Namespace) -> int:
    statics = dict(read_static(text) for text in options.static)
    module, function = find_place(options.function)
    arguments = [read_argument(text, module) for text in options.arguments]
    lowered = _lower(function, options.function, arguments, statics)
    if options.stage in PICTURES:
        from .. import dot

        text = getattr(dot, options.stage)(lowered.graph)
    else:
        text = lowered.text(options.stage)
    if options.output is None:
        print(text.rstrip("\n"))
        return OK
    try:
        Path(options.output).write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{options.output} cannot be written: {error.strerror}") from None
    return OK


def _lower(
    function: Any, name: str, arguments: Sequence[tuple[str | None, Any]], statics: dict[str, Any]
) -> Any:
    import graphc

    positional = [value for argument, value in arguments if argument is None]
    named = {argument: value for argument, value in arguments if argument is not None}
    twice = sorted(set(named) & set(statics))
    if len(positional) + len(named) != len(arguments) or twice:
        raise UsageError(f"an argument is given twice: {', '.join(twice or sorted(named))}")
    try:
        inspect.signature(function).bind(*positional, **named, **statics)
        if not hasattr(function, "lower"):
            function = graphc.jit(function, static_argnames=tuple(statics))
    except (
        TypeError,
        ValueError,
    ) as error:  # as Python says it: a missing or an unexpected argument
        raise UsageError(f"the arguments do not fit {name}: {error}") from None
    try:
        return function.lower(*positional, **named, **statics)
    except GraphcError:
        raise
    except Exception as error:
        raise UserError(f"{name} failed while it was traced: {last_line(error)}") from None
