"""`while` and `for`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import types as ty
from ..ir import Value, param
from ..locations import refuse
from ..ops import build
from ..tracer import Tracer
from .branches import if_stmt
from .carries import Carries, FirstStepDiffers
from .emission import State, repeat_over, repeat_while
from .iterables import Range, Rows, row_parameter, rows_of
from .reach import base_of
from .region import Region, Variables
from .truth import truth

WRITTEN_OUT = 16
"""A `for` of so many steps, or fewer, is run step by step while tracing, as Python would."""


def while_stmt(
    test: Callable[[], Any], body: Callable[[], None], variables: Variables, binds: bool
) -> None:
    """Runs the loop while its test is known, and puts the rest into the graph.

    `binds`: the test assigns variables, as in `while (x := f(x)) > 1`.
    """
    while True:
        asked = truth(test())
        if isinstance(asked, Tracer):
            _While(variables, test, body).run()
            if binds:
                test()
            return
        if not asked:
            return
        body()


class _While:
    def __init__(self, variables: Variables, test: Callable[[], Any], body: Callable[[], None]):
        self.region = Region("while", variables)
        self.test, self.body = test, body

    def run(self) -> None:
        region = self.region
        region.trace.transformed = True
        carries = Carries(region, sure=False)
        carries.begin()
        outcome = carries.settled(self._step)
        states = carries.states(outcome)
        if not any(s.next is not s.param for s in states):
            refuse(f"nothing that {region.what} asks for changes in it: it would never end")
        carries.finish(repeat_while(region, carries.given, states, None), outcome)

    def _step(self) -> Value:
        asked = truth(self.test())
        self.body()
        return _as_value(asked)


def _as_value(asked: bool | Tracer) -> Value:
    return asked.value if isinstance(asked, Tracer) else build.constant(asked)


# ------------------------------------------------------------------------------------------ for


def for_stmt(
    iterable: Any,
    going: Callable[[], Any] | None,
    body: Callable[[Any], None],
    variables: Variables,
) -> None:
    """Runs the loop, or puts it into the graph.

    Into the graph go ranges with a traced bound, and loops of more than WRITTEN_OUT steps over a
    range or a traced array, where a traced array takes part. `going`: what has to hold before
    each step, where the loop has a `break`.
    """
    rows = rows_of(iterable)
    if rows is None:
        _written_out(iterable, going, body, variables)
        return
    length = rows.length()
    known = isinstance(length, int)
    if not known or (length > WRITTEN_OUT and _is_traced(rows, variables)):
        _For(variables, rows, going, body).run()
        return
    for done, item in enumerate(rows.python()):
        asked = True if going is None else truth(going())
        if isinstance(asked, Tracer):
            _For(variables, rows.rest(done), going, body).run()
            return
        if not asked:
            return
        body(item)


def _is_traced(rows: Rows, variables: Variables) -> bool:
    return bool(rows.arrays()) or variables.is_traced()


def _written_out(
    iterable: Any, going: Callable[[], Any] | None, body: Callable[[Any], None],
    variables: Variables,
) -> None:  # fmt: skip
    """Python's own loop; after a traced `break` the other steps are conditional."""
    for item in iterable:
        asked = True if going is None else truth(going())
        if isinstance(asked, Tracer):
            if_stmt(asked, lambda item=item: body(item), _nothing, variables)
        elif asked:
            body(item)
        else:
            return


def _nothing() -> None:
    pass


class _For:
    def __init__(
        self, variables: Variables, rows: Rows, going: Callable[[], Any] | None,
        body: Callable[[Any], None],
    ):  # fmt: skip
        self.region, self.variables = Region("for", variables), variables
        self.rows, self.going, self.body = rows, going, body
        self.peeled = False
        self.length = rows.length()
        self.index: Value | None = None
        self.taken: list[tuple[Value, Tracer]] = []

    def run(self) -> None:
        region = self.region
        region.trace.transformed = True
        low = None if self.length is None else ty.bounds(self.length)[0]
        carries = Carries(region, sure=low is not None and low >= 1)
        carries.begin()
        carries.may_peel = self._may_peel()
        counted = self.going is None and self.length is not None
        carries.may_append = counted and isinstance(self.length, int)
        try:
            with region.explained(self._note()):
                outcome = carries.settled(self._step)
        except FirstStepDiffers:
            self._peeled()
            return
        self._check_rows(carries)
        states = carries.states(outcome)
        index = self._index()
        if counted:
            rows = [(own, tracer.value) for own, tracer in self.taken]
            outputs = carries.outputs(outcome)
            values = repeat_over(region, [index, *states], rows, self.length, outputs)
            values, stacked = values[: len(states) + 1], values[len(states) + 1 :]
            if isinstance(self.length, int):  # elsewhere nothing is appended
                carries.append(stacked, self.length, outcome)
        else:
            most = self.length if isinstance(self.length, int) else None
            values = repeat_while(region, carries.given, [index, *states], most)
        carries.finish(values[1:], outcome)

    def _may_peel(self) -> bool:
        """Whether the first step can be run on its own, as Python would."""
        if not isinstance(self.length, int) or self.length < 2 or self.peeled:
            return False
        return self.going is None or truth(self.going()) is True

    def _peeled(self) -> None:
        """Runs the first step, after which variables have the types that steps give them."""
        self.body(next(iter(self.rows.python())))
        rest = _For(self.variables, self.rows.rest(1), self.going, self.body)
        rest.peeled = True
        rest.run()

    def _step(self) -> Value | None:
        self.index = param(ty.TensorType(ty.I64, ()), "step")
        k = Tracer(self.region.trace, self.index, weak=True)
        self.taken, rows = [], {}
        staged = self.going is not None or self.length is None
        for x in self.rows.arrays():
            if staged:
                rows[id(x)] = x[k]
                continue
            own, rows[id(x)] = row_parameter(x, self._path(x))
            self.taken.append((own, x))
        asked = None
        if staged:
            asked = self._goes_on(k)
        self.body(self.rows.item(k, rows))
        return asked

    def _goes_on(self, k: Tracer) -> Value:
        length = self.length
        if length is None:
            assert isinstance(self.rows, Range)
            length = self.rows.steps()
        inside = k < length
        if self.going is None:
            return _as_value(inside)
        asked = truth(self.going())
        if not isinstance(asked, Tracer):
            return _as_value(inside if asked else False)
        return (inside & asked).value

    def _index(self) -> State:
        assert self.index is not None
        one = build.constant(1)
        return State(self.index, build.constant(0), build.binary(_add(), self.index, one))

    def _path(self, x: Tracer) -> str:
        one = self.region.reach.cells.get(id(base_of(x)))
        return one.path if one is not None else "the array"

    def _check_rows(self, carries: Carries) -> None:
        """Raises TraceError where a step writes to the array that the loop goes over."""
        for x in self.rows.arrays():
            if id(base_of(x)) in carries.cells:
                path = self._path(x)
                refuse(
                    f"{path} is changed in {self.region.what}, which goes over its rows; go over "
                    f"its indices: for i in range(len({path}))"
                )

    def _note(self) -> str:
        if not isinstance(self.length, int):
            return ""
        return (
            f"{self.region.what} has {self.length} steps and is one loop of the compiled program; "
            "over list(...) of the same it is written out, and its variable is known"
        )


def _add() -> Any:
    from ..ops.arithmetic import ADD

    return ADD


__all__ = ["WRITTEN_OUT", "for_stmt", "while_stmt"]
