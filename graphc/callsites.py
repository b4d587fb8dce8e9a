"""Whether a function was called by the Python code of a frame, or by compiled code it called.

`rng.normal(size=3)` runs Cython code that looks up `numpy.empty` and takes what it answers for a
real array. The caller's frame is the same as for `np.empty(3)`; what differs is the callee that its
call instruction names.
"""

from __future__ import annotations

import dis
from types import CodeType, FrameType
from typing import Any

_LIMIT = 65536
_callees: dict[tuple[CodeType, int], tuple[str, str]] = {}


def is_direct(frame: FrameType, name: str, function: Any) -> bool:
    """Whether the call that a frame stands at names `function`, an attribute or variable `name`."""
    key = (frame.f_code, frame.f_lasti)
    found = _callees.get(key)
    if found is None:
        if len(_callees) > _LIMIT:
            _callees.clear()
        found = _callees[key] = _callee(*key)
    kind, callee = found
    if kind == "attribute":
        return callee == name
    if kind != "variable":
        return False
    for names in (frame.f_locals, frame.f_globals):
        if callee in names:
            return names[callee] is function
    return False


def _callee(code: CodeType, offset: int) -> tuple[str, str]:
    """("attribute" or "variable", its name) of the callee of the call at an offset, if known."""
    # a frame stands at the call or, when it called Python code, at the last cache entry behind it
    before = [i for i in dis.get_instructions(code) if i.offset <= offset]
    call = before.pop() if before else None
    if call is None or call.positions is None or call.positions.col_offset is None:
        return "", ""
    start = (call.positions.lineno, call.positions.col_offset)
    end = (call.positions.end_lineno, call.positions.end_col_offset)
    best: dis.Instruction | None = None
    for instruction in before:
        place = instruction.positions
        if place is None or place.col_offset is None or (place.lineno, place.col_offset) != start:
            continue
        if not instruction.opname.startswith("LOAD_"):
            continue  # from 3.13 on PUSH_NULL follows the callee, at its place
        stop = (place.end_lineno, place.end_col_offset)
        if stop >= end:
            continue
        if best is None or stop >= _stop(best):
            best = instruction
    if best is None:
        return "", ""
    if best.opname in ("LOAD_ATTR", "LOAD_METHOD"):
        return "attribute", str(best.argval)
    if best.opname.startswith(
        ("LOAD_GLOBAL", "LOAD_FAST", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF")
    ):
        return "variable", str(best.argval)
    return "", ""


def _stop(instruction: dis.Instruction) -> Any:
    place = instruction.positions
    assert place is not None
    return (place.end_lineno, place.end_col_offset)
