"""Makes reference.md from the docstrings. Run by hand: python docs/make_reference.py [--check]

--check compares instead of writing; exit code 1 when the file is out of date.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import graphc_runtime

import graphc
import graphc.numpy
import graphc.ops
from graphc import cli, environment
from graphc.jit import METHODS
from graphc.opdef import KINDS, cards
from graphc.passes import pipeline

TARGET = Path(__file__).with_name("reference.md")
LEAKED = {"annotations", "Any", "IMPLEMENTATIONS", "names_of", "remedy"}
"""Names that a namespace module needs for itself."""
HEAD = "# Reference\n\nMade from the docstrings by `make_reference.py`; do not edit.\n"


def first(thing: Any) -> str:
    """The first sentence of a docstring, on one line."""
    text = inspect.getdoc(thing) or ""
    line = " ".join(text.split("\n\n")[0].split())
    return line.replace("|", "\\|")


def signature(thing: Any) -> str:
    """The parameters, without annotations and defaults that print as addresses."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return ""
    shown = []
    for p in parameters:
        p = p.replace(annotation=inspect.Parameter.empty)
        if p.default is not inspect.Parameter.empty and not isinstance(
            p.default, (int, float, str, tuple, type(None))
        ):
            p = p.replace(default=inspect.Parameter.empty)
        shown.append(str(p))
    return f"({', '.join(shown)})"


def section(title: str, *lines: str) -> Iterator[str]:
    """A heading with what belongs to it."""
    yield f"\n## {title}\n"
    yield from lines


def public_names() -> Iterator[str]:
    """graphc itself."""
    yield from section("graphc", "| name | |", "|---|---|")
    for name in graphc.__all__:
        thing = getattr(graphc, name)
        if isinstance(thing, ModuleType):
            yield f"| `{name}` | {first(thing)} |"
        elif isinstance(thing, str):
            yield f"| `{name}` | the version |"
        elif isinstance(thing, type):
            bases = ", ".join(b.__name__ for b in thing.__bases__)
            yield f"| `{name}({bases})` | {first(thing)} |"
        else:
            yield f"| `{name}` | {first(thing)} |"
    yield "\n### graphc.jit\n"
    yield f"`jit{signature(graphc.jit)}`\n"
    yield f"```text\n{inspect.getdoc(graphc.jit)}\n```\n"
    yield "What a jitted function has:\n\n| method | |\n|---|---|"
    for name, method in METHODS.items():
        if not name.startswith("_"):
            yield f"| `{name}` | {first(method)} |"
    yield f"\n### graphc.spec\n\n`spec{signature(graphc.spec)}`\n"
    yield f"```text\n{inspect.getdoc(graphc.spec)}\n```"


def namespace(title: str, module: ModuleType) -> Iterator[str]:
    """The functions of a namespace: names, in columns."""
    functions, other = [], []
    for name in sorted(getattr(module, "__all__", dir(module)), key=str.lower):
        thing = getattr(module, name, None)
        if name.startswith("_") or name in LEAKED or isinstance(thing, ModuleType):
            continue
        (functions if callable(thing) and not isinstance(thing, type) else other).append(name)
    yield from section(title, first(module) + "\n")
    yield " ".join(f"`{name}`" for name in functions)
    if other:
        yield "\nDtypes and constants: " + " ".join(f"`{name}`" for name in other)


def functions(title: str, module: ModuleType) -> Iterator[str]:
    """The functions of a namespace that is all graphc's: with parameters and texts."""
    yield from section(title, first(module))
    for name in module.__all__:
        thing = getattr(module, name)
        if isinstance(thing, ModuleType):  # has a section of its own
            continue
        yield f"\n### {title}.{name}\n\n`{name}{signature(thing)}`\n"
        yield f"```text\n{inspect.getdoc(thing)}\n```"


def command_line() -> Iterator[str]:
    """Help texts."""
    yield from section("The command line")
    os.environ["COLUMNS"] = "100"  # help is wrapped for this width
    parser = cli.parser()
    yield f"```text\n{parser.format_help()}```"
    for action in parser._actions:
        for name, sub in (getattr(action, "choices", None) or {}).items():
            yield f"\n### graphc {name}\n\n```text\n{sub.format_help()}```"


def passes() -> Iterator[str]:
    """The pipeline, in order."""
    yield from section("Passes", "| pass | |", "|---|---|")
    seen: set[str] = set()
    for step in pipeline.PIPELINE:
        for one in step.passes if isinstance(step, pipeline.Repeat) else (step,):
            if one.__name__ in seen:
                continue
            seen.add(one.__name__)
            module = importlib.import_module(f"graphc.passes.{one.__name__}")
            yield f"| `{one.__name__}` | {first(module)} |"


def ops() -> Iterator[str]:
    """The cards, by kind."""
    yield from section(
        "Ops", "The primitives of the graph; `graphc.numpy` composes everything else.\n"
    )
    for kind in KINDS:
        yield f"\n### {kind}\n\n| op | |\n|---|---|"
        for card in sorted(cards(), key=lambda c: c.name):
            if card.kind == kind:
                text = card.doc.replace("|", "\\|")
                yield f"| `{card.name}` | {text} |"


def runtime() -> Iterator[str]:
    """graphc_runtime."""
    yield from section("graphc_runtime", first(graphc_runtime) + "\n", "| name | |", "|---|---|")
    for name in graphc_runtime.__all__:
        yield f"| `{name}` | {first(getattr(graphc_runtime, name))} |"


def variables() -> Iterator[str]:
    """Environment variables."""
    yield from section("Environment variables", f"```text\n{inspect.getdoc(environment)}\n```")


def reference() -> str:
    """The whole document."""
    parts = [HEAD]
    for part in (
        public_names(),
        command_line(),
        variables(),
        namespace("graphc.numpy", graphc.numpy),
        namespace("graphc.numpy.linalg", graphc.numpy.linalg),
        namespace("graphc.numpy.fft", graphc.numpy.fft),
        functions("graphc.linalg", graphc.linalg),
        functions("graphc.nn", graphc.nn),
        functions("graphc.nn.initializers", graphc.nn.initializers),
        functions("graphc.nn.losses", graphc.nn.losses),
        functions("graphc.nn.metrics", graphc.nn.metrics),
        functions("graphc.random", graphc.random),
        functions("graphc.optim", graphc.optim),
        functions("graphc.optim.schedules", graphc.optim.schedules),
        functions("graphc.optim.course", graphc.optim.course),
        functions("graphc.data", graphc.data),
        passes(),
        ops(),
        runtime(),
    ):
        parts.extend(part)
    return "\n".join(parts) + "\n"


def main() -> int:
    """Writes or compares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true")
    made = reference()
    if parser.parse_args().check:
        return 0 if TARGET.exists() and TARGET.read_text(encoding="utf-8") == made else 1
    TARGET.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
