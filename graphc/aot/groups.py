"""Structures of the C header: an argument that is a container in Python is one in C.

    typedef struct { float *w; float *b; } model_params;
    static inline int32_t model_step_of(int64_t b, model_params *params, const float *x, ...)

Arrays are pointers, and so are the numbers that a call writes over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .interface import Interface
from .signature import C_TYPES, Argument, Signature


def print_groups(interface: Interface, sig: Signature, known: dict[str, str]) -> str:
    """The structures of one function that are not `known` yet, and the function that takes them;
    nothing, where no argument is a container of several arrays.
    """
    groups = _groups(sig)
    if not groups:
        return ""
    lib = interface.library
    parts, names = [], {}
    for root, members in groups.items():
        name, body = f"{lib}_{root}", _fields(root, members)
        if known.get(name, body) != body:
            name = f"{lib}_{sig.name}_{root}"
        if name not in known:
            parts.append(f"/* {root}: what Python has as a container. */")
            parts.append(f"typedef struct {{\n{body}}} {name};")
            known[name] = body
        names[root] = name
    parts.append(_function(interface, sig, groups, names))
    return "\n".join(parts) + "\n"


def _root(argument: Argument) -> str | None:
    """The container that an argument is in."""
    found = re.match(r"([A-Za-z_]\w*)[.\[]", argument.path)
    return found[1] if found else None


def _groups(sig: Signature) -> dict[str, list[Argument]]:
    found: dict[str, list[Argument]] = {}
    for argument in sig.arguments:
        root = _root(argument)
        if root is not None:
            found.setdefault(root, []).append(argument)
    return {root: members for root, members in found.items() if len(members) > 1}


def _member(root: str, argument: Argument) -> str:
    return argument.name.removeprefix(f"{root}_")


def _fields(root: str, members: Sequence[Argument]) -> str:
    lines = ""
    for one in members:
        kind = C_TYPES[one.type.dtype.name]
        shape = ", ".join(map(str, one.type.shape))
        lines += f"    {kind} *{_member(root, one)}; /* [{shape}]; in Python {one.path} */\n"
    return lines


def _function(
    interface: Interface, sig: Signature, groups: dict[str, list[Argument]], names: dict[str, str]
) -> str:
    from .header import declared, wrapped

    params = [f"int64_t {s}" for s in sig.symbols]
    given = list(sig.symbols)
    if interface.weights is not None:
        params.append("const void *weights")
        given.append("weights")
    member_of = {a.name: root for root, members in groups.items() for a in members}
    seen: set[str] = set()
    for argument in sig.arguments:
        root = member_of.get(argument.name)
        if root is None:
            params.append(declared(argument))
            given.append(argument.name)
            continue
        if root not in seen:
            seen.add(root)
            params.append(f"const {names[root]} *{root}")
        place = f"{root}->{_member(root, argument)}"
        given.append(f"*{place}" if argument.by_value else place)
    for output in sig.written:
        params.append(f"{C_TYPES[output.type.dtype.name]} *restrict {output.name}")
        given.append(output.name)
    params += ["void *workspace", "int64_t workspace_bytes"]
    given += ["workspace", "workspace_bytes"]
    lib = interface.library
    return (
        f"/* {lib}_{sig.name} with its containers as structures. */\n"
        f"static inline int32_t {lib}_{sig.name}_of(\n    {wrapped(params)}) {{\n"
        f"    return {lib}_{sig.name}(\n        {wrapped(given, 88, 8)});\n}}"
    )
