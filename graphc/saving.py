"""`graphc.save` and `graphc.load`: nested arrays in a safetensors file, the structure beside them.

Every array is a tensor of its own, named by how it is reached ("layers.0.w"), so any program that
reads safetensors finds it. The structure (dicts, lists, tuples, None, Python numbers, strings) is
JSON in the file's metadata; a file of others, which has none, is a dict. Classes (named tuples,
dataclasses) are not named in the file: `load(path, like=...)` puts the arrays into the structure of
an example.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from . import pytrees
from .errors import GraphcError

KEY = "graphc"
"""Of the structure, in the metadata."""

_PLAIN = (bool, int, float, str)


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise GraphcError(
            "save and load need the library safetensors: pip install graphc[save]"
        ) from None
    return safetensors


def save(path: str | os.PathLike[str], tree: Any, metadata: dict[str, str] | None = None) -> None:
    """Writes nested arrays into a file; one that is there is replaced when all is written.

    Args:
        metadata: texts that are kept in the file.
    """
    library = _safetensors()
    if metadata and KEY in metadata:
        raise ValueError(f"metadata has the key {KEY!r}, which is that of the structure")
    arrays: dict[str, np.ndarray] = {}
    structure = json.dumps(_described(tree, "", arrays))
    path = Path(path)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        library.numpy.save_file(arrays, beside, {**(metadata or {}), KEY: structure})
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _described(x: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """The structure of x as JSON; its arrays are entered under their names."""
    if x is None or type(x) in _PLAIN:
        return {"value": x}
    if isinstance(x, dict):
        for key in x:
            if type(key) not in (str, int):
                raise TypeError(f"a key of {name or 'the tree'} is {key!r}; expected str or int")
        return {"dict": [[k, _described(v, _below(name, k), arrays)] for k, v in x.items()]}
    if isinstance(x, (list, tuple)) or pytrees.is_container(x):
        parts = _parts(x)
        kind = type(x).__name__ if type(x) in (list, tuple) else "other"
        return {kind: [_described(v, _below(name, k), arrays) for k, v in parts]}
    array = np.asarray(x)
    if array.dtype.kind in "OUS":
        raise TypeError(f"{name or 'the tree'} is no array of numbers: {type(x).__name__}")
    own = name or "array"
    while own in arrays:  # {1: a, "1": b}
        own += "'"
    leaf = {"array": own}
    if array.dtype.kind == "c":  # a last axis of real and imaginary parts
        leaf["complex"] = array.dtype.name
        array = np.stack([np.real(array), np.imag(array)], axis=-1)
    arrays[own] = np.ascontiguousarray(array).reshape(array.shape)
    return leaf


def _parts(x: Any) -> list[tuple[Any, Any]]:
    """What a list, tuple or dataclass holds, with names."""
    if isinstance(x, (list, tuple)):
        names = getattr(x, "_fields", range(len(x)))
        return list(zip(names, x, strict=True))
    return [(name, getattr(x, name)) for name in type(x).__dataclass_fields__]


def _below(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def load(path: str | os.PathLike[str], like: Any = None) -> Any:
    """The nested arrays of a file; or the functions of an artifact that `graphc build` made, where
    the path is its folder or a zip file of it.

    Args:
        like: an example of the structure, such as parameters at their start: the answer has its
            classes. Its arrays must have the shapes and dtypes of the file's.

    Raises:
        ValueError: when the file and `like` differ, or when the file has classes and there is no
            `like`. ArtifactError: when an artifact is damaged, or newer than this graphc.
    """
    if _is_artifact(path):
        if like is not None:
            raise ValueError(f"{os.fspath(path)} is an artifact; `like` is for files of arrays")
        from .aot.loading import load_artifact

        return load_artifact(path)
    library = _safetensors()
    with library.safe_open(os.fspath(path), framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata() or {}
    if KEY not in metadata:
        tree: Any = arrays
    else:
        tree = _rebuilt(json.loads(metadata[KEY]), arrays, like is None)
    return tree if like is None else _fitted(tree, like, "the file")


def _is_artifact(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder or a zip file."""
    place = Path(path)
    if not place.is_file():
        return place.is_dir()
    with place.open("rb") as file:
        return file.read(2) == b"PK"


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The texts that were saved with the arrays."""
    with _safetensors().safe_open(os.fspath(path), framework="np") as file:
        metadata = file.metadata() or {}
    return {k: v for k, v in metadata.items() if k != KEY}


def _rebuilt(node: dict[str, Any], arrays: dict[str, np.ndarray], alone: bool) -> Any:
    if "value" in node:
        return node["value"]
    if "array" in node:
        found = arrays[node["array"]]
        return found.view(node["complex"])[..., 0] if "complex" in node else found
    if "dict" in node:
        return {k: _rebuilt(v, arrays, alone) for k, v in node["dict"]}
    ((kind, parts),) = node.items()
    if kind == "other" and alone:
        raise ValueError(
            "the file has a named tuple or a dataclass; load(path, like=...) takes an example of it"
        )
    row = [_rebuilt(v, arrays, alone) for v in parts]
    return tuple(row) if kind == "tuple" else row


def _fitted(found: Any, like: Any, where: str) -> Any:
    """What was found, in the containers of `like`."""
    if isinstance(like, dict):
        if not isinstance(found, dict) or set(found) != set(like):
            raise ValueError(f"{where} has not the keys {list(like)}")
        return {k: _fitted(found[k], v, f"{where}[{k!r}]") for k, v in like.items()}
    if like is None or type(like) in _PLAIN:
        if type(found) is not type(like):
            raise ValueError(f"{where} is {found!r}; expected something like {like!r}")
        return found
    if pytrees.is_container(like):
        parts = _parts(like)
        if not isinstance(found, (list, tuple)) or len(found) != len(parts):
            raise ValueError(f"{where} has not the {len(parts)} parts of {type(like).__name__}")
        row = [_fitted(f, v, f"{where}.{k}") for f, (k, v) in zip(found, parts, strict=True)]
        if isinstance(like, (list, tuple)):
            return type(like)(*row) if hasattr(like, "_fields") else type(like)(row)
        made = object.__new__(type(like))
        for (name, _), part in zip(parts, row, strict=True):
            object.__setattr__(made, name, part)
        return made
    wanted, array = np.asarray(like), np.asarray(found)
    if (wanted.shape, wanted.dtype) != (array.shape, array.dtype):
        raise ValueError(
            f"{where} is {array.dtype}{array.shape}; expected {wanted.dtype}{wanted.shape}"
        )
    return found
