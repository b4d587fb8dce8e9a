"""`graphc build`: a native library, its header and a Python package, of functions."""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ..aot.targets import PLATFORMS
from ..errors import GraphcError
from .artifacts import signature_text
from .command import OK, UsageError, UserError, add_command
from .functions import find_place, function_of, last_line, read_argument, read_static

EXAMPLES = """
examples:
  graphc build model.py:predict --arg "x: f32[b, 784]" -o build/model
  graphc build model.py:loss --export value,grad,hvp --arg "w: f64[n]" --arg "x: f64[b, n]" -o fit
  graphc build model.py:loss --export value --export step=train_step --export "each=vmap(grad)" ...
  graphc build model.py:predict --arg ... --target aarch64-linux-gnu,wasm32 -o dist/model
  graphc build model.py:step --arg "p: like init()" --arg "step/x: f32[b, 784]" --donate p ...

exports (several with commas, or the option again; NAME=... chooses the name):
  value            the function itself          jvp    and its derivative along a tangent
  grad             its gradient                 vjp    and its derivatives by a cotangent
  value_and_grad   both                         hvp    the product of its Hessian with a tangent
  vmap             for each of `batch` rows     vmap(grad), jvp(grad): one inside another
  NAME=FUNCTION    another function of the file; NAME=grad(FUNCTION) a derivative of it

targets:
  host, {targets}

types are those of `graphc show --help`; `NAME/ARGUMENT: TYPE` is for one export alone.
"""


def add(commands: Any) -> None:
    text = "make a native library with a C header, and a Python package, of functions"
    parser = add_command(commands, "build", _run, text, EXAMPLES.replace("{targets}", _targets()))
    parser.add_argument("function", metavar="FILE.py:FUNCTION", help="or package.module:function")
    several: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True,
                        help="the artifact; its last part names the library")  # fmt: skip
    parser.add_argument("--export", metavar="[NAME=]EXPORT", dest="exports", **several,
                        help="what is exported (default: value)")  # fmt: skip
    parser.add_argument("--arg", metavar='"NAME: TYPE"', dest="arguments", **several,
                        help="an argument's type, of every export that has it")  # fmt: skip
    parser.add_argument("--static", metavar="NAME=VALUE", **several,
                        help="an argument that is known while tracing")  # fmt: skip
    parser.add_argument("--wrt", metavar="NAMES", default="",
                        help="what derivatives are by (default: the first argument)")  # fmt: skip
    parser.add_argument("--donate", metavar="NAMES", default="",
                        help="arguments that results are written over")  # fmt: skip
    parser.add_argument("--name", help="of the library (default: the folder's name)")
    parser.add_argument("--target", default="host", metavar="NAMES",
                        help="the machines, with commas between (default: host)")  # fmt: skip
    parser.add_argument("--cpu", default="auto", metavar="NAMES",
                        help="auto (all levels of the target, chosen at the first call), baseline, "
                        "native, or names such as x86-64-v3")  # fmt: skip
    parser.add_argument("--threads", default="none", choices=("none", "pool", "openmp"),
                        help="what loops run on (default: none, the caller's thread)")  # fmt: skip
    parser.add_argument("--weights", default="embed", choices=("embed", "file"),
                        help="constants in the library, or in a file that is mapped")  # fmt: skip
    parser.add_argument("--linker", choices=("ld", "lld", "zig", "own"),
                        help="(default: the first that is there)")  # fmt: skip
    parser.add_argument("--gpu", default="", metavar="sm_80,...",
                        help="GPUs that kernels are compiled for, too")  # fmt: skip
    parser.add_argument("--emit", default="", metavar="obj,pyext",
                        help="more files: one object; an extension module that needs Python "
                        "alone")  # fmt: skip
    parser.add_argument("--no-graph", dest="graph", action="store_false",
                        help="leave out the graphs, which graphc.load derives again")  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="say nothing while it works")
    parser.add_argument("--json", action="store_true", help="for programs")


def _targets() -> str:
    return textwrap.fill(", ".join(p.name for p in PLATFORMS), 92, subsequent_indent="  ")


def _run(options: argparse.Namespace) -> int:
    from ..aot.build import build

    module, function = find_place(options.function)
    statics = dict(read_static(text) for text in options.static)
    title = options.function.rpartition(":")[2].rpartition(".")[2]
    asked = [one for text in options.exports or ["value"] for one in _split(text)]
    read = Arguments(options.arguments, module)
    functions = []
    for text in asked:
        name, inner, which = _parsed(text)
        chosen = function if which is None else function_of(module, which, options.function)
        functions.append(_export(options, chosen, which or title, name, inner, read, statics))
    wrt, donate = _split(options.wrt), _split(options.donate)
    read.refuse_unused({"--wrt": wrt, "--donate": donate, "--static": list(statics)})
    try:
        artifact = build(
            options.output, *functions, name=options.name, target=options.target, cpu=options.cpu,
            threads=options.threads, weights=options.weights, linker=options.linker,
            gpu=tuple(_split(options.gpu)), emit=_split(options.emit),
            graph=options.graph, doc=inspect.getdoc(module) or "", progress=_progress(options),
        )  # fmt: skip
    except (GraphcError, KeyboardInterrupt):
        raise
    except OSError as error:
        raise UserError(f"{options.output} cannot be written: {error}") from None
    except Exception as error:
        raise UserError(f"{title} failed while it was traced: {last_line(error)}") from None
    if options.json:
        print(json.dumps(_described(artifact), indent=1))
    else:
        print("\n".join(_summary(artifact)))
    return OK


# --------------------------------------------------------------------------- what is exported


def _split(text: str) -> list[str]:
    """Parts between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _parsed(text: str) -> tuple[str | None, str, str | None]:
    """(name or None, kinds, another function or None) of `step=train_step`, `g=grad(f)`, `grad`."""
    from ..aot.exports import TRANSFORMS

    name, equals, inner = text.rpartition("=")
    name, inner = name.strip(), inner.strip()
    parts = [part.strip() for part in re.sub(r"\)+$", "", inner).split("(")]
    if (equals and not name) or not all(parts) or inner.count("(") != inner.count(")"):
        raise UsageError(f"--export {text!r} cannot be read; write for example step=train_step")
    which = None if parts[-1] in TRANSFORMS else parts.pop()
    for one in parts:
        if one not in TRANSFORMS:
            raise UsageError(f"there is no export {one!r}; there are {', '.join(TRANSFORMS)}")
    kinds = "(".join(parts) + ")" * (len(parts) - 1) if parts else "value"
    return name or None, kinds, which


class Arguments:
    """The types of the command line: for every export, or for one alone."""

    def __init__(self, texts: list[str], module: ModuleType):
        self._module = module
        self._general: dict[str, Any] = {}
        self._own: dict[tuple[str, str], Any] = {}
        self._used: set[Any] = set()
        self._parameters: set[str] = set()
        for text in texts:
            self._read(text)

    def _read(self, text: str) -> None:
        found = re.match(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*/\s*(.*)", text, re.DOTALL)
        name, value = read_argument(found[2] if found else text, self._module)
        if name is None:
            raise UsageError(f'--arg "{text}": an exported argument needs its name: "x: f32[b]"')
        key: Any = (found[1], name) if found else name
        place: dict[Any, Any] = self._own if found else self._general
        if key in place:
            raise UsageError(f"an argument is given twice: {name}")
        place[key] = value

    def of(self, export: str, names: tuple[str, ...]) -> Mapping[str, Any]:
        """Those of one export, which has these parameters."""
        found: dict[str, Any] = {}
        self._parameters.update(names)
        for name in names:
            if (export, name) in self._own:
                found[name] = self._own[export, name]
                self._used.add((export, name))
            elif name in self._general:
                found[name] = self._general[name]
                self._used.add(name)
        return found

    def refuse_unused(self, others: Mapping[str, Sequence[str]]) -> None:
        """Refuses what no export has: types, and the names that other options list."""
        for option, names in others.items():
            for name in names:
                if name not in self._parameters:
                    raise UsageError(f"{option} {name}: no exported function has such an argument")
        for key in (*self._general, *self._own):
            if key not in self._used:
                shown = key if isinstance(key, str) else "/".join(key)
                raise UsageError(f'--arg "{shown}": no exported function has such an argument')


def _export(
    options: argparse.Namespace, function: Any, title: str, name: str | None, kinds: str,
    read: Arguments, statics: Mapping[str, Any],
) -> Any:  # fmt: skip
    from ..aot import build as aot
    from ..errors import BuildError

    parameters = aot.inspect_names(function)
    name = name or aot.default_name(title, kinds)
    wrt = [n for n in _split(options.wrt) if n in parameters]
    donate = [n for n in _split(options.donate) if n in parameters and kinds == "value"]
    static = {k: v for k, v in statics.items() if k in parameters}
    try:
        return aot.export(
            function, kind=kinds, name=name, wrt=wrt, donate=donate, static=static,
            types=read.of(name, parameters),
        )  # fmt: skip
    except BuildError as error:
        raise UsageError(str(error)) from None
    except GraphcError:
        raise
    except Exception as error:
        raise UserError(f"{title} failed while it was traced: {last_line(error)}") from None


# ------------------------------------------------------------------------------ what is said


def _progress(options: argparse.Namespace) -> Any:
    """Writes one line over another on a terminal, and lines elsewhere."""
    if options.quiet or options.json:
        return lambda text: None
    terminal = sys.stderr.isatty()

    def show(text: str) -> None:
        end, start = ("", "\r\033[K") if terminal else ("\n", "")
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)

    return show


def _summary(artifact: Any) -> list[str]:
    from ..doctor import readable_bytes

    lines = [f"built {artifact.folder} in {artifact.seconds:.2f} s"]
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    for export in artifact.libraries[0].interface.exports:
        lines.append(f"  {signature_text(export.signature)}")
    for path in sorted(p for p in Path(artifact.folder).rglob("*") if p.is_file()):
        if "graphs" not in path.parts:
            size = readable_bytes(path.stat().st_size)
            lines.append(f"  {path.relative_to(artifact.folder)!s:<32}{size:>10}")
    for library in artifact.libraries:
        where = library.interface.where.name
        levels = ", ".join(p.level.name for p in library.interface.exports[0].programs)
        how = artifact.linkers.get(where)
        lines.append(f"  {where}: {levels}{f'; linked by {how}' if how else ''}")
    return lines


def _described(artifact: Any) -> dict[str, Any]:
    folder = Path(artifact.folder)
    return {
        "folder": str(folder),
        "seconds": round(artifact.seconds, 3),
        "functions": [signature_text(e.signature) for e in artifact.libraries[0].interface.exports],
        "files": {
            str(p.relative_to(folder)): p.stat().st_size
            for p in sorted(folder.rglob("*"))
            if p.is_file()
        },
        "linkers": dict(artifact.linkers),
    }
