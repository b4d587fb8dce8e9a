"""`cond` and `switch`: one of several functions is run, and the others are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..cell import current_trace, mark
from ..errors import ShapeMismatch, TypeMismatch
from ..ir import Value
from ..locations import refuse
from ..opdef import lookup
from ..opened import Leaves, Opened, leaves_of, name_of, run, trace_of, traced
from ..ops import build
from ..tracer import Tracer
from ..types import I64
from .bodies import Function, as_type, closed, described, nested, serial
from .loops import predicate


def cond(
    pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any
) -> Any:
    """`true_fun(*operands)` where pred holds, else `false_fun(*operands)`; the other is not run.

    Both have to answer the same types, nested in the same way. A predicate that is known while
    tracing decides at once. Under vmap with different predicates both are computed, and chosen
    from. Source: jax.lax.cond.
    """
    if current_trace() is None:
        return true_fun(*operands) if _number(pred, "pred") else false_fun(*operands)
    mark()
    known = _known(pred)
    if known is not None:
        return true_fun(*operands) if known else false_fun(*operands)
    index = build.cast(predicate(pred, "the predicate of cond"), I64)
    return _chosen("cond", index, (false_fun, true_fun), operands)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """What the branch at `index` answers for the operands; an index outside is the nearest one.

    All branches have to answer the same types. Source: jax.lax.switch.
    """
    functions = tuple(branches)
    if not functions:
        raise TypeError("switch: there are no branches")
    if current_trace() is None:
        place = int(_number(index, "index"))
        return functions[min(max(place, 0), len(functions) - 1)](*operands)
    mark()
    known = _known(index)
    if known is not None:
        return functions[min(max(int(known), 0), len(functions) - 1)](*operands)
    value = traced(index, "the index of switch").value
    if value.shape:
        refuse(f"the index of switch is {value.type}, an array", ShapeMismatch)
    if not value.dtype.is_integer:
        refuse(f"the index of switch is {value.type}; expected an integer", TypeMismatch)
    return _chosen("switch", build.cast(value, I64), functions, operands)


def _number(x: Any, what: str) -> Any:
    array = np.asarray(x)
    if array.ndim:
        raise ShapeMismatch(f"{what} has the shape {array.shape}; expected one number")
    return array[()]


def _known(x: Any) -> Any:
    """The number, where it is known while tracing."""
    if not isinstance(x, Tracer):
        return _number(x, "the predicate")
    found = x.known()
    return None if found is None or found.ndim else found[()]


def _chosen(what: str, index: Value, functions: Sequence[Any], operands: Sequence[Any]) -> Any:
    names = [f"operand {k}" for k in range(len(operands))]
    since = serial()
    runs = [run(f, operands, {}, range(len(operands)), names) for f in functions]
    results = [leaves_of(one.returned, "result") for one in runs]
    titles = [name_of(f) for f in functions]
    rows = _unified(what, titles, results)
    graphs, captured = closed(
        *(
            Function(title, one.params, tuple(row), since, hoisted=False)
            for title, one, row in zip(titles, runs, rows, strict=True)
        )
    )
    mark()
    if not rows[0]:
        return runs[0].returned
    opened: Opened = runs[0]
    made = lookup("switch")(index, *opened.primals, *captured, branches=tuple(graphs))
    values = made if isinstance(made, tuple) else (made,)
    weak = [all(t.weak for t in leaf) for leaf in zip(*(r.tracers for r in results), strict=True)]
    return nested(results[0], values, weak)


def _unified(what: str, titles: Sequence[str], results: Sequence[Leaves]) -> list[list[Value]]:
    """The results of all branches, in one type each."""
    first = results[0]
    for title, one in zip(titles, results, strict=True):
        if one.tree != first.tree:
            refuse(
                f"{what}: {titles[0]} returns the structure {first.tree}, and {title} {one.tree}",
                TypeMismatch,
            )
    rows: list[list[Value]] = [[] for _ in results]
    for k, path in enumerate(first.paths):
        leaves = [one.tracers[k] for one in results]
        strong = next((t for t in leaves if not t.weak), None)
        strong = _widest(leaves) if strong is None else strong
        for row, leaf, title in zip(rows, leaves, titles, strict=True):
            value = as_type(leaf, strong.value.type)
            if value is None:
                others = [t for t, one in zip(titles, leaves, strict=True) if one is strong]
                refuse(
                    f"{what}: {path} is {described(strong)} in {others[0]}, and {described(leaf)} "
                    f"in {title}; all branches have to answer the same types: cast one of them",
                    TypeMismatch,
                )
            assert value is not None
            row.append(value)
    return rows


def _widest(leaves: Sequence[Tracer]) -> Tracer:
    """Python numbers become the most general of them."""
    dtype = build.result_type(*(t.value for t in leaves))
    value = build.cast(leaves[0].value, dtype)
    return Tracer(trace_of("a choice"), value, weak=True)


__all__ = ["cond", "switch"]
