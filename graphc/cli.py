"""The command `graphc`: demo, show, doctor, cache. The only module that prints.

Exit codes: 0 it worked; 1 it failed (the message says what); 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import inspect
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from .cache import Cache, Entry
from .compile import FORMAT, STAGES, VERSION
from .errors import GraphcError

OK, FAILED, USAGE = 0, 1, 2
PICTURES = ("dot", "graphml")
PYTHON_NUMBERS: dict[str, Any] = {"bool": True, "int": 1, "float": 1.0, "complex": 1j}
"""Types of Python numbers in --arg, with a number to trace with."""

PROGRAM_TEXTS = ("graph", "loops", "convolution")
"""The parts of a key that are texts of many lines."""

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
  float, int, bool and complex are Python numbers.

stages:
  graph     what was traced               llvm      LLVM IR
  passes    after all passes, with times  asm       the assembly of this machine
  loops     naive loops of each kernel    cuda      CUDA C
  schedule  loops in their final order    dot, graphml   a picture of the traced graph
"""
CACHE_EXAMPLES = """
examples:
  graphc cache list        one line per entry, the one used last first
  graphc cache why 3f9a    what entry 3f9a... was made from; would this process use it?
  graphc cache clear       removes all entries; compiled programs that run keep running
"""


class UsageError(Exception):
    """The command line asks for something that is not there."""


class UserError(Exception):
    """What the command was pointed at does not work."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; answers the exit code."""
    parser = _parser()
    try:
        options = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has printed help or what was wrong
        return int(stop.code or 0)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graphc", description="Write NumPy. Ship native code.",
        epilog="Start with `graphc demo`; `graphc COMMAND --help` has examples.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"graphc {VERSION}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_show(commands)
    _add_doctor(commands)
    _add_cache(commands)
    return parser


def _add(
    commands: Any, name: str, run: Callable[[Any], int], text: str, epilog: str = ""
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(run=run)
    return parser


# ------------------------------------------------------------------------------------------- demo


def _add_demo(commands: Any) -> None:
    parser = _add(
        commands,
        "demo",
        _demo,
        "compile a real function, say what happened, and time it against NumPy",
    )
    names = ("black-scholes", "softmax", "layer-norm")
    parser.add_argument("example", nargs="?", choices=names, default=names[0])
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="to time each side (default: 0.5)"
    )


def _demo(options: argparse.Namespace) -> int:
    from . import demo  # imports all of graphc; --help should not wait for it

    for line in demo.account(demo.EXAMPLES[options.example], options.seconds):
        print(line, flush=True)
    return OK


# ------------------------------------------------------------------------------------------- show


def _add_show(commands: Any) -> None:
    parser = _add(
        commands,
        "show",
        _show,
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
    parser.add_argument("--stage", default="graph", choices=(*STAGES, *PICTURES), metavar="STAGE",
                        help="one of the stages below (default: graph)")  # fmt: skip
    parser.add_argument("--output", metavar="FILE", help="write there instead of printing")


def _show(options: argparse.Namespace) -> int:
    arguments = [read_argument(text) for text in options.arguments]
    statics = dict(read_static(text) for text in options.static)
    function = find_function(options.function)
    lowered = _lower(function, options.function, arguments, statics)
    if options.stage in PICTURES:
        from . import dot

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
        raise UserError(f"{name} failed while it was traced: {_last_line(error)}") from None


def read_argument(text: str) -> tuple[str | None, Any]:
    """(name or None, what to trace with) from `x: f32[b, 784]`, `f32[b, 784]`, `rate: float`.

    Raises:
        UsageError: when the name or the type cannot be read.
    """
    import graphc

    name, colon, type_text = text.rpartition(":")
    name, type_text = name.strip(), type_text.strip()
    if colon and not name.isidentifier():
        raise UsageError(f'--arg "{text}": {name!r} is no name; write for example "x: f32[b, 784]"')
    if type_text in PYTHON_NUMBERS:
        return name or None, PYTHON_NUMBERS[type_text]
    try:
        return name or None, graphc.spec(type_text if "[" in type_text else f"{type_text}[]")
    except GraphcError as error:
        raise UsageError(f'--arg "{text}": {error}') from None


def read_static(text: str) -> tuple[str, Any]:
    """(name, value) from `axis=0`.

    Raises:
        UsageError: when it is no assignment of a Python literal.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise UsageError(f'--static "{text}": write for example "axis=0"')
    try:
        return name.strip(), ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        raise UsageError(
            f'--static "{text}": {value!r} is no Python literal (strings need quotes)'
        ) from None


def find_function(place: str) -> Any:
    """The function at `FILE.py:FUNCTION` or `package.module:function`.

    Raises:
        UsageError: when there is no such file, module or function.
        UserError: when the file cannot be run.
    """
    source, colon, name = place.rpartition(":")
    if not colon or not source or not name:
        raise UsageError(
            f"{place!r} names no function; write FILE.py:FUNCTION, for example model.py:softmax"
        )
    module = _import(source)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = [
                k
                for k, v in vars(module).items()
                if callable(v) and getattr(v, "__module__", None) == module.__name__
            ]
            raise UsageError(
                f"{source} has no function {name!r}; it has {', '.join(known) or 'none'}"
            )
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"{place} is a {type(found).__name__}, not a function")
    return found


def _import(source: str) -> ModuleType:
    path = Path(source)
    looks_like_file = path.suffix == ".py" or os.sep in source
    if looks_like_file and not path.is_file():
        raise UsageError(f"there is no file {source}")
    try:
        if not looks_like_file:
            sys.path.insert(0, os.getcwd())
            return importlib.import_module(source)
        sys.path.insert(0, str(path.resolve().parent))  # as `python FILE.py` would
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module
    except ModuleNotFoundError as error:
        if not looks_like_file and error.name and source.startswith(error.name):
            raise UsageError(
                f"there is no module {source!r}; for a file write {source}.py:..."
            ) from None
        raise UserError(f"{source} cannot be imported: {error}") from None
    except Exception as error:
        raise UserError(f"{source} cannot be imported: {_last_line(error)}") from None


def _last_line(error: BaseException) -> str:
    """What went wrong and where, of an error in the user's own code."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}:{error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    ours = (str(Path(__file__).parent), "site-packages", "<frozen")
    own = [f for f in frames if not any(part in f.filename for part in ours)]
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{place}"


# ----------------------------------------------------------------------------------------- doctor


def _add_doctor(commands: Any) -> None:
    text = "say what of this machine graphc can use, and whether it works"
    parser = _add(commands, "doctor", _doctor, text)
    parser.add_argument("--json", action="store_true", help="for programs")


def _doctor(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from . import doctor  # imports all of graphc; --help should not wait for it

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


# ------------------------------------------------------------------------------------------ cache


def _add_cache(commands: Any) -> None:
    parser = _add(
        commands, "cache", _cache_list, "look into the folder of compiled programs", CACHE_EXAMPLES
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add(actions, "list", _cache_list, "all entries, the one used last first")
    _add(actions, "size", _cache_size, "the folder, its bytes and its limit")
    _add(actions, "clear", _cache_clear, "remove every entry")
    why = _add(actions, "why", _cache_why, "what an entry was made from")
    why.add_argument(
        "key", metavar="KEY", help="the first letters of an entry's key, or a function's name"
    )


def _store() -> Cache:
    store = Cache()
    if store.folder is None:
        raise UserError("there is no cache on disk: GRAPHC_CACHE_DIR is empty or off")
    return store


def _cache_list(options: argparse.Namespace) -> int:
    store = _store()
    found = store.list()
    for one in found:
        entry = store.get(one.key)
        name = entry.meta.get("name", "?") if entry else "damaged, removed"
        print(f"{one.key[:12]}  {_bytes(one.nbytes):>10}  {_ago(one.used):>14}  {name}")
    print(f"{len(found)} entries, {_bytes(sum(one.nbytes for one in found))} in {store.folder}")
    return OK


def _cache_size(options: argparse.Namespace) -> int:
    store = _store()
    print(f"{_bytes(store.size())} of at most {_bytes(store.limit_bytes)} in {store.folder}")
    return OK


def _cache_clear(options: argparse.Namespace) -> int:
    store = _store()
    nbytes, count = store.size(), store.clear()
    print(f"removed {count} entries, {_bytes(nbytes)}")
    return OK


def _cache_why(options: argparse.Namespace) -> int:
    store = _store()
    wanted = options.key
    shown = 0
    for one in store.list():
        entry = store.get(one.key)
        if entry is None or not (one.key.startswith(wanted) or entry.meta.get("name") == wanted):
            continue
        shown += 1
        print("\n".join(_explained(one.key, entry)))
    if not shown:
        raise UserError(
            f"no entry has the key or the name {wanted}; `graphc cache list` shows what is there"
        )
    return OK


def _explained(key: str, entry: Entry) -> list[str]:
    """What an entry was made from; each part that this process would make otherwise is named."""
    here = _parts_here()
    parts = {k: str(v) for k, v in entry.meta.get("parts", {}).items()}
    lines = [f"{key}: {entry.meta.get('name', '?')}"]
    stale = []
    for name, value in sorted(parts.items()):
        if name in PROGRAM_TEXTS:
            continue
        note = ""
        if name in here:
            note = "  (as here)" if here[name] == value else f"  (here: {here[name]})"
            stale += [name] if here[name] != value else []
        lines.append(f"  {name:<11}{value}{note}")
    if stale:
        lines.append(f"  this process does not use it: {' and '.join(stale)} differ")
    else:
        lines.append("  this process uses it for this graph and these options")
    for word in ("kernels", "results"):
        if entry.meta.get(word):
            lines.append(f"  {word:<11}{', '.join(entry.meta[word])}")
    if "chosen" in entry.meta:
        lines.append(f"  chosen     {entry.meta['chosen']}")
        lines += [f"    {s * 1e3:10.4f} ms  {what}" for what, s in entry.meta["candidates"]]
    for name in PROGRAM_TEXTS:
        lines += [f"    {line}" for line in parts.get(name, "").splitlines()]
    return lines


def _parts_here() -> dict[str, str]:
    from .codegen.target import host_fingerprint

    return {
        "machine": host_fingerprint(),
        "graphc": f"{VERSION}/{FORMAT}",
        "llvm": version("llvmlite"),
    }


def _bytes(count: float) -> str:
    from .doctor import readable_bytes

    return readable_bytes(count)


def _ago(when: float) -> str:
    minutes = max(0, int(time.time() - when)) // 60
    for unit, name in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= unit:
            count = minutes // unit
            return f"{count} {name}{'s' * (count != 1)} ago"
    return "just now"
