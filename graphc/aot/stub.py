"""The Python files of an artifact: `__init__.py`, which opens it, and `__init__.pyi`, its types."""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from typing import Any

from graphc_runtime.artifact import described
from graphc_runtime.manifest import DTYPES, Function, Manifest

from ..errors import BuildError

_TAKEN = frozenset(("np", "npt", "annotations", "Any"))


def print_package(found: Manifest) -> str:
    """`__init__.py`."""
    names = [f.name for f in found.functions]
    functions = "\n".join(f"{n} = _artifact.functions[{n!r}]" for n in names)
    return f"""{_docstring(found.doc or f"{found.library}: functions compiled by graphc.", "")}

from graphc_runtime.artifact import open_package as _open_package

_artifact = _open_package(__file__, __name__)
{functions}

__all__ = [{", ".join(map(repr, names))}]
"""


def print_stub(found: Manifest) -> str:
    """`__init__.pyi`.

    Raises:
        BuildError: for a function or a parameter whose name means something else there.
    """
    parts = [
        _docstring(found.doc or f"{found.library}: functions compiled by graphc.", ""),
        "from typing import Any\n\nimport numpy as np\nimport numpy.typing as npt\n",
    ]
    parts += [_function(f) for f in found.functions]
    return "\n".join(parts)


def _function(facts: Function) -> str:
    for name in (facts.name, *(p.name for p in facts.parameters)):
        if name in _TAKEN or keyword.iskeyword(name):
            raise BuildError(f"{name!r} cannot be a name in the artifact's stub; rename it")
    types: list[str] = ["Any"] * len(facts.arguments)
    for k, argument in enumerate(facts.arguments):
        plain = _array(argument.dtype)
        if not argument.shape and argument.kind == "array":
            number = _scalar(argument.dtype)
            plain = f"{plain} | {number} | {_python(argument.dtype)}"
        types[k] = plain if argument.kind == "array" else argument.kind
    params = [f"{p.name}: {_type(p.structure, types)}" for p in facts.parameters]
    result = _type(facts.structure, [_made(facts, one) for one in facts.results])
    head = f"def {facts.name}({', '.join(params)}) -> {result}:"
    if len(head) > 100:
        lines = "".join(f"    {param},\n" for param in params)
        head = f"def {facts.name}(\n{lines}) -> {result}:"
    return f"{head}\n{_docstring(described(facts), '    ')}\n"


def _array(dtype: str) -> str:
    return f"npt.NDArray[{_scalar(dtype)}]"


def _made(facts: Function, result: Any) -> str:
    if result.form == "static":
        return type(result.value).__name__
    output = facts.outputs[result.output]
    if result.form == "array":
        return _array(output.dtype)
    if result.form == "scalar":
        return _scalar(output.dtype)
    return _python(output.dtype)


def _scalar(dtype: str) -> str:
    """NumPy's number of a dtype."""
    if dtype == "bf16":
        return "Any"
    return f"np.{'bool_' if dtype == 'bool' else DTYPES[dtype]}"


def _python(dtype: str) -> str:
    """Python's number of a dtype."""
    if dtype in ("bool", "bf16"):
        return {"bool": "bool", "bf16": "float"}[dtype]
    return {"f": "float", "i": "int", "u": "int", "c": "complex"}[dtype[0]]


def _type(structure: Any, types: Sequence[str]) -> str:
    """The type of a nested value whose leaves have these types."""
    if isinstance(structure, int):
        return types[structure]
    if structure is None:
        return "None"
    ((kind, inner),) = structure.items()
    if kind == "static":
        return type(inner).__name__
    if kind == "tuple":
        return f"tuple[{', '.join(_type(x, types) for x in inner) or '()'}]"
    if kind == "object":
        return "Any"
    parts = inner if kind == "list" else [pair[1] for pair in inner]
    found = list(dict.fromkeys(_type(x, types) for x in parts))
    value = " | ".join(found) or "Any"
    if kind == "list":
        return f"list[{value}]"
    keys = list(dict.fromkeys(type(key).__name__ for key, _ in inner))
    return f"dict[{' | '.join(keys) or 'Any'}, {value}]"


def _docstring(text: str, indent: str) -> str:
    """A docstring; whatever stands in the text, it ends where it should."""
    safe = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if safe.endswith('"'):
        safe = safe[:-1] + '\\"'
    lines = f'"""{safe}"""' if "\n" not in safe else f'"""{safe}\n"""'
    shown = [f"{indent}{line}".rstrip() for line in lines.splitlines()]
    return "\n".join(shown)
