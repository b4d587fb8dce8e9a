"""The JavaScript module beside a WebAssembly library, for browsers and Node, and its TypeScript
declaration.

    import { load } from "./model.mjs";
    const model = await load(new URL("model.wasm", import.meta.url));
    const { result } = model.predict({ b: 1, x: new Float32Array(784) });

A function takes one object: extents as numbers, arrays as typed arrays, scalars as numbers (64-bit
integers as BigInt). It answers an object with a typed array for each output. What is written over
is written into the array that was given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..types import Dim, Extent, product
from .interface import WEIGHTS_HEADER, Interface
from .signature import Argument, Output, Signature

TEMPLATE = Path(__file__).with_name("wasm.mjs")
"""The module, with $NAMES where a library's own facts stand."""
ARRAYS: Mapping[str, str] = {
    "bool": "Uint8Array", "i8": "Int8Array", "i16": "Int16Array", "i32": "Int32Array",
    "i64": "BigInt64Array", "u8": "Uint8Array", "u16": "Uint16Array", "u32": "Uint32Array",
    "u64": "BigUint64Array", "f16": "Uint16Array", "bf16": "Uint16Array", "f32": "Float32Array",
    "f64": "Float64Array", "c64": "Float32Array", "c128": "Float64Array",
}  # fmt: skip
"""f16 and bf16 are their bits; a complex number is two numbers."""


def print_module(interface: Interface) -> str:
    """LIBRARY.mjs."""
    lib = interface.library
    rows = ",\n".join(_function(e.signature) for e in interface.exports)
    weights = interface.weights_bytes if interface.weights is not None else 0
    text = TEMPLATE.read_text(encoding="utf-8")
    facts = {"FUNCTIONS": rows, "WEIGHTS_BYTES": str(weights), "LIBRARY": lib,
             "ALIGN": str(WEIGHTS_HEADER)}  # fmt: skip
    for name, value in facts.items():
        text = text.replace(f"${name}", value)
    return text


def print_declaration(interface: Interface) -> str:
    """LIBRARY.d.mts."""
    lib = interface.library
    parts = [
        f"/* {lib}.d.mts: made by graphc; do not edit. */",
        f"export interface {_title(lib)} {{",
    ]
    for export in interface.exports:
        sig = export.signature
        doc = "\n   * ".join(sig.doc.strip().splitlines() or [sig.name]).replace("*/", "* /")
        given = [f"{s}: number" for s in sig.symbols]
        given += [f"{a.name}: {_given(a)}" for a in sig.arguments]
        made = [f"{o.name}: {ARRAYS[o.type.dtype.name]}" for o in sig.outputs]
        parts.append(f"  /** {doc} */")
        parts.append(f"  {sig.name}(given: {{ {'; '.join(given)} }}): {{ {'; '.join(made)} }};")
    parts.append("}")
    weights = ", weights: ArrayBuffer | Uint8Array" if interface.weights is not None else ""
    parts.append("/** The functions of the library in `source`: its bytes, or where they are. */")
    source = "ArrayBuffer | Uint8Array | URL | string | Response"
    parts.append(f"export function load(source: {source}{weights}): Promise<{_title(lib)}>;\n")
    return "\n".join(parts)


def _title(library: str) -> str:
    return library[0].upper() + library[1:]


def _given(argument: Argument) -> str:
    if not argument.by_value:
        return ARRAYS[argument.type.dtype.name]
    name = argument.type.dtype.name
    return "bigint" if name in ("i64", "u64") else "boolean" if name == "bool" else "number"


def _function(sig: Signature) -> str:
    inputs = ", ".join(_one(a, by_value=a.by_value) for a in sig.arguments)
    outputs = ", ".join(_one(o, alias=o.alias) for o in sig.outputs)
    names = json.dumps(list(sig.symbols))
    return f"  {sig.name}: {{ extents: {names}, inputs: [{inputs}], outputs: [{outputs}] }}"


def _one(one: Argument | Output, **facts: bool | int) -> str:
    more = "".join(f", {k}: {json.dumps(v)}" for k, v in facts.items())
    count = product(one.type.shape)
    text = f"2 * ({_js(count)})" if one.type.dtype.is_complex else _js(count)
    head = f'name: "{one.name}", type: {ARRAYS[one.type.dtype.name]}'
    wide = json.dumps(one.type.dtype.name in ("i64", "u64"))
    return f"{{ {head}, wide: {wide}, count: (e) => {text}{more} }}"


def _js(extent: Extent) -> str:
    """An extent as JavaScript computes it from the object `e`."""
    if not isinstance(extent, Dim):
        return str(extent)
    terms = []
    for monomial, coefficient in extent.terms:
        atoms = [f"e.{a}" if isinstance(a, str) else _quotient(*a) for a in monomial]
        terms.append(" * ".join([f"({coefficient})", *atoms]))
    return " + ".join(terms)


def _quotient(sign: str, left: Extent, right: Extent) -> str:
    a, b = f"({_js(left)})", f"({_js(right)})"
    quotient = f"Math.floor({a} / {b})"
    return quotient if sign == "//" else f"({a} - {b} * {quotient})"
