"""The layers of graphc/DESIGN.md 1, the addresses of third-party libraries,
and the names of files, read from the source.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"graphc": ROOT / "graphc", "graphc_runtime": ROOT / "runtime"}

UPWARDS = {
    ("opdef", "ir"): "a card is called to make a node",
    ("ir", "text"): "str(graph); printing is asked for, never needed to build",
    ("ops", "derivatives"): "the rule of a call is made of derivatives of its body",
}
"""(importer, imported): imports inside functions that point upwards, and why."""

ADDRESSES = {
    "llvmlite": {"graphc.codegen.build", "graphc.codegen.target"},
    "networkx": {"graphc.dot"},
    "optree": {"graphc.pytrees"},
    "pycuda": {"graphc_runtime.cuda"},
    "safetensors": {"graphc.saving"},
    "tqdm": {"graphc.data.progress"},
    "scipy": {"graphc_runtime.lapack"},
    # the two of graphc.numpy ask for the limits of bfloat16, which NumPy does not know
    "ml_dtypes": {
        "graphc.types",
        "graphc.numpy.elementwise",
        "graphc.numpy.static",
        "graphc_runtime.exported",
    },
    "cryptography": {"graphc_runtime.signatures", "graphc.aot.signing"},
    # the order of an einsum of three operands or more
    "opt_einsum": {"graphc.numpy.products"},
}
PRINTS = {
    "graphc.cli": "the command line",
    "graphc.commands.bench": "the command line",
    "graphc.commands.build": "the command line",
    "graphc.commands.cache": "the command line",
    "graphc.commands.completion": "the command line",
    "graphc.commands.demo": "the command line",
    "graphc.commands.doctor": "the command line",
    "graphc.commands.inspect": "the command line",
    "graphc.commands.run": "the command line",
    "graphc.commands.show": "the command line",
    "graphc_runtime.make_native": "a script that is run by hand when native.c changes",
}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}


@dataclass(frozen=True, slots=True)
class Import:
    """One import: by whom, of what, where; `inside` a function."""

    importer: str
    imported: str
    line: int
    inside: bool

    def __str__(self) -> str:
        return f"{self.importer} (line {self.line}) imports {self.imported}"


@lru_cache(maxsize=1)
def sources() -> dict[str, tuple[Path, ast.Module]]:
    """Module name -> file and syntax tree."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            name = ".".join((package, *(p for p in parts if p != "__init__")))
            found[name] = path, ast.parse(path.read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=1)
def imports() -> tuple[Import, ...]:
    """Every import of the source; those for type checkers alone are left out."""
    return tuple(
        i for name, (path, tree) in sources().items() for i in _imports(name, path, tree, False)
    )


def _imports(name: str, path: Path, parent: ast.AST, inside: bool) -> Iterator[Import]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.Import):
            yield from (Import(name, a.name, node.lineno, inside) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(name, path, node)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield Import(name, full if full in sources() else base, node.lineno, inside)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        else:
            within = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _imports(name, path, node, within)


def _absolute(name: str, path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


def table() -> dict[str, int]:
    """Name -> number of its layer, from graphc/DESIGN.md."""
    text = (ROOT / "graphc" / "DESIGN.md").read_text(encoding="utf-8")
    section = text.split("## 1. Layers")[1].split("\n## ")[0]
    block = "\n".join(line for line in section.splitlines() if line.startswith("    "))
    layers = [[name.strip() for name in layer.split(",")] for layer in block.split("<")]
    return {name: number for number, layer in enumerate(layers) for name in layer}


def place(module: str) -> str | None:
    """The entry of the table that a module belongs to: the longest that fits."""
    if module == "graphc" or module.split(".")[0] == "graphc_runtime":
        return module.split(".")[0]
    name = module.removeprefix("graphc.")
    while name and name not in table():
        name = name.rpartition(".")[0]
    return name or None


def test_every_module_has_a_layer() -> None:
    homeless = [m for m in sources() if m != "graphc.__main__" and place(m) is None]
    assert not homeless, f"graphc/DESIGN.md 1 has no layer for {homeless}"


def test_every_entry_of_the_table_is_there() -> None:
    known = set(sources())
    assert not [n for n in table() if n not in known and f"graphc.{n}" not in known]


def test_no_layer_imports_a_higher_one() -> None:
    layers, wrong = table(), []
    for one in imports():
        if one.importer == "graphc.__main__" or one.imported.split(".")[0] not in FOLDERS:
            continue
        upper, lower = place(one.importer), place(one.imported)
        if upper is None or lower is None or layers[lower] <= layers[upper]:
            continue
        if one.inside and (upper, lower) in UPWARDS:
            continue
        wrong.append(f"{one}: {lower} is above {upper}")
    assert not wrong, "\n".join(wrong)


def test_listed_exceptions_are_in_use() -> None:
    used = {(place(i.importer), place(i.imported)) for i in imports() if i.inside}
    assert not [pair for pair in UPWARDS if pair not in used], (
        "no longer there: remove them from UPWARDS"
    )


def test_the_runtime_imports_the_standard_library_and_numpy() -> None:
    wrong = [
        str(i)
        for i in imports()
        if i.importer.split(".")[0] == "graphc_runtime"
        and (top := i.imported.split(".")[0]) not in sys.stdlib_module_names
        and top not in ("numpy", "graphc_runtime")
        and i.importer not in ADDRESSES.get(top, ())
    ]
    assert not wrong, "\n".join(wrong)


def test_third_party_libraries_have_an_address() -> None:
    wrong, used = [], set()
    for one in imports():
        top = one.imported.split(".")[0]
        if top in sys.stdlib_module_names or top in (*FOLDERS, "numpy", "__future__"):
            continue
        used.add((top, one.importer))
        if one.importer not in ADDRESSES.get(top, ()):
            wrong.append(str(one))
    assert not wrong, "\n".join(wrong)
    assert {(t, m) for t, modules in ADDRESSES.items() for m in modules} == used, (
        "ADDRESSES lists too much"
    )


@pytest.mark.parametrize("package", ["pycuda", "llvmlite", "optree", "scipy", "cryptography"])
def test_heavy_libraries_are_imported_on_first_use(package: str) -> None:
    at_once = [str(i) for i in imports() if i.imported.split(".")[0] == package and not i.inside]
    assert not at_once, "\n".join(at_once)


def test_only_the_command_line_prints() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for name, (path, tree) in sources().items()
        if name not in PRINTS
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not wrong, f"print( in {wrong}"


def test_no_file_has_a_vague_name() -> None:
    folders = (*FOLDERS.values(), ROOT / "tests", ROOT / "benchmarks", ROOT / "examples")
    assert not [p for f in folders for p in f.rglob("*.py") if p.stem in VAGUE]


def test_no_file_is_too_long() -> None:
    """Files that are read by people stay below 800 lines: past that there are two rooms in one."""
    # a table of numbers made by benchmarks/math_coefficients.py is no room
    long = {p.name: n for p, n in _lengths() if n > 800 and not re.search("coefficients", p.name)}
    assert not long, f"split {long}"


def _lengths() -> Iterator[tuple[Path, int]]:
    for path, _ in sources().values():
        yield path, len(path.read_text(encoding="utf-8").splitlines())


def test_every_folder_is_in_the_package() -> None:
    """Setuptools is given a list: a folder that is not in it would be missing in a wheel."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "graphc").rglob("__init__.py")
    }
    assert set(listed["tool"]["setuptools"]["packages"]) == folders | {"graphc_runtime"}
