"""What inspect, run and bench share: an artifact, its functions, and arrays for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from graphc_runtime import nested
from graphc_runtime.errors import ArtifactError

from .. import types as ty
from ..errors import GraphcError
from .command import UsageError, UserError

if TYPE_CHECKING:
    from graphc_runtime.artifact import Artifact
    from graphc_runtime.manifest import Argument, Function

    from ..aot.signature import Signature


def opened(place: str) -> Artifact:
    """An artifact, whose manifest was checked.

    Raises:
        UserError: when it is none, or damaged.
    """
    from graphc_runtime.artifact import open_artifact

    try:
        return open_artifact(place)
    except ArtifactError as error:
        raise UserError(str(error)) from None


def function_of(artifact: Artifact, name: str | None) -> Function:
    """What the manifest says of a function; of the only one, where none is named.

    Raises:
        UsageError: when there is no such function.
    """
    functions = {one.name: one for one in artifact.manifest.functions}
    if name is None and len(functions) == 1:
        (name,) = functions
    if name is None or name not in functions:
        what = "name one with --function" if name is None else f"there is no function {name!r}"
        raise UsageError(f"{what}; the functions are {', '.join(functions)}")
    return functions[name]


def signature_text(function: Function | Signature) -> str:
    """`predict(x: f32[b, 784]) -> f32[b, 10]`, of what was built or of what a manifest says."""
    given = ", ".join(
        f"{a.path}: {a.type if a.kind == 'array' else a.kind}" for a in function.arguments
    )
    return f"{function.name}({given}) -> {', '.join(str(o.type) for o in function.outputs)}"


def read_inputs(function: Function, texts: Sequence[str]) -> list[Any]:
    """The leaves of the arguments from `x.npy`, `0.5` or `NAME=...`.

    Raises:
        UsageError: for a wrong number of them, or a name that there is not. UserError: for a file
        that cannot be read.
    """
    arguments = function.arguments
    found: dict[str, Any] = {}
    free = [a.path for a in arguments]
    for text in texts:
        named = re.match(r"([A-Za-z_][\w.\[\]'\"]*)=(.+)", text)
        name = named[1] if named else next((f for f in free if f not in found), None)
        match = [a for a in arguments if name in (a.path, a.name)]
        if not match:
            shown = ", ".join(free)
            raise UsageError(f"{text!r} is no input; {function.name} takes {shown}")
        if match[0].path in found:
            raise UsageError(f"{name} is given twice")
        found[match[0].path] = _value(named[2] if named else text, match[0])
    lacking = [path for path in free if path not in found]
    if lacking:
        raise UsageError(f"{function.name} needs {', '.join(lacking)} too: NAME.npy or a number")
    return [found[path] for path in free]


def _value(text: str, argument: Argument) -> Any:
    type_ = ty.parse_type(argument.type)
    if not text.endswith(".npy"):
        try:
            number = np.asarray(complex(text) if type_.dtype.is_complex else float(text))
        except ValueError:
            raise UsageError(f"{text!r} is neither a file .npy nor a number") from None
        if type_.rank:
            raise UsageError(f"{argument.path} is {type_}, not a number; give a file .npy")
        array = number.astype(type_.dtype.numpy)
    else:
        try:
            array = np.load(text, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"{text} cannot be read: {error}") from None
    return array.item() if argument.kind != "array" else array


def random_inputs(
    function: Function, extents: Mapping[str, int], rng: np.random.Generator
) -> list[Any]:
    """Leaves of the right types: floats from 0 to 1, integers 0 or 1."""
    made: list[Any] = []
    for argument in function.arguments:
        type_ = ty.parse_type(argument.type)
        shape = tuple(ty.substitute(e, extents) for e in type_.shape)
        if type_.dtype.is_float or type_.dtype.is_complex:
            array = rng.random(shape).astype(type_.dtype.numpy)
        else:
            array = rng.integers(0, 2, shape).astype(type_.dtype.numpy)
        made.append(np.asarray(array).item() if argument.kind != "array" else array)
    return made


def caller(artifact: Artifact, function: Function) -> Callable[[Sequence[Any]], Any]:
    """Calls a function with the leaves of its arguments.

    Raises:
        UserError: when the artifact has no code for this machine, or its files are damaged.
    """
    try:
        call = artifact.functions[function.name]
    except ArtifactError as error:
        raise UserError(str(error)) from None
    packers = [nested.packer(p.structure) for p in function.parameters]
    return lambda leaves: call(*(pack(leaves) for pack in packers))


def called(artifact: Artifact, function: Function, leaves: Sequence[Any]) -> dict[str, Any]:
    """The arrays that a function answers, by their paths.

    Raises:
        UserError: with what it refuses.
    """
    call = caller(artifact, function)
    try:
        result = call(leaves)
    except (GraphcError, TypeError, ValueError, ArithmeticError, IndexError, MemoryError) as error:
        raise UserError(str(error)) from None
    found: dict[int, Any] = {}
    nested.leaves_of(function.structure, result, "result", found)
    return {
        function.outputs[one.output].path: found[k]
        for k, one in enumerate(function.results)
        if one.form != "static"
    }
