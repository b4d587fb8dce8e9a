"""Programs that cannot be traced: messages name what, what to write instead, and the line."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.trace import trace_function

X = np.arange(6.0).reshape(2, 3)
TABLE = [1, 2, 3]
REAL = np.zeros(3)
KEPT: list[Any] = []


class Holder:
    table = np.arange(5.0)
    out = np.zeros((2, 3))


def line_of(program: Any) -> int:
    return program.__code__.co_firstlineno


REFUSED: list[tuple[Any, str]] = [
    (
        lambda x: x if x.sum() > 0 else -x,
        r"truth value.*Tracer bool\[\].*np\.where.*graphc\.numpy\.where",
    ),
    (lambda x: max(x[0, 0], x[0, 1]), r"truth value.*np\.maximum"),
    (lambda x: x.any() and x, "truth value"),
    (lambda x: 3.0 in x, "truth value"),
    (lambda x: math.sin(x[0, 0]), r"float\(\) of Tracer f64\[\].*math.*numpy"),
    (lambda x: float(x[0, 0]), r"float\(\)"),
    (lambda x: int(x[0, 0]), r"int\(\).*static_argnames"),
    (lambda x: complex(x[0, 0]), r"complex\(\)"),
    (lambda x: range(x.astype(int)[0, 0]), r"an integer \(range.*static_argnames"),
    (lambda x: TABLE[x.astype(int)[0, 0]], "an integer"),
    (lambda x: np.zeros(x.astype(int)[0, 0]), "shape|an integer"),
    (lambda x: x.item(), r"item\(\)"),
    (lambda x: x.tolist(), r"tolist\(\)"),
    (lambda x: x.tobytes(), r"tobytes\(\)"),
    (lambda x: f"{x[0, 0]:.3f}", r"format\(x, '.3f'\)"),
    (lambda x: Holder.table[x.astype(int)], r"NumPy array from outside.*np\.take\(table, i"),
    (
        lambda x: Holder.out.__setitem__(0, x[0]),
        r"converted to a NumPy array.*inside the traced function",
    ),
    (
        lambda x: Holder.out.__iadd__(x),
        r"numpy\.add writes traced values into a NumPy array.*np\.zeros",
    ),
    (lambda x: np.add(x, 1, out=Holder.out), r"writes traced values into a NumPy array"),
    (lambda x: np.add.at(Holder.out, 0, x[0]), r"numpy\.add\.at writes traced values"),
    (lambda x: np.copyto(Holder.out, x), r"numpy\.copyto writes traced values"),
    (lambda x: np.fill_diagonal(Holder.out, x[0, 0]), "converted to a NumPy array"),
    (
        lambda x: np.sum(x, axis=0, out=REAL),
        "from outside of the traced function is changed in place",
    ),
    (lambda x: np.sum(x, axis=0, out=Holder.out[0]), r"numpy\.sum writes traced values"),
    (
        lambda x: REAL.__setitem__(0, x[0, 0]),
        r"captured|from outside of the traced function is changed in place",
    ),
    (
        lambda x: np.random.rand(3) + x,
        r"numpy\.random\.rand is called while tracing.*pass the arrays in",
    ),
    (lambda x: np.random.default_rng().normal() + x, r"numpy\.random\.default_rng.*fixed seed"),
    (lambda x: np.vectorize(lambda v: v + 1)(x), "converted to a NumPy array"),
    (lambda x: np.save("file", x), r"numpy\.save cannot be traced: .*files"),
    (lambda x: np.roots(x[0]), r"numpy\.roots (cannot be traced|has no meaning)"),
    (lambda x: np.array2string(x), "cannot be traced"),
    (lambda x: x[x > 1], r"returns result.*x\[mask\].*extent is not known"),
    (lambda x: np.cumsum(x[x > 1]), r"numpy\.cumsum of x\[mask\].*np\.where"),
    (lambda x: x[x > 1] + x[x > 2], "different traced masks"),
    (lambda x: x[x > 1] + np.ones(3), r"x\[mask\] meets an array of 1 axes"),
    (lambda x: len(x[x > 1]), r"len\(\) of x\[mask\].*Write \.size"),
    (lambda x: list(x[x > 1]), r"x\[mask\] is used as an array.*compress\(mask, x, size=n"),
    (lambda x: np.sort(x[x > 1]), r"numpy\.sort of x\[mask\].*compress\(mask, x, size=n"),
    (lambda x: x[x > 1][:2], r"indexed by what is not a number.*compress\(mask, x, size=n"),
    (lambda x: np.median(x[x[:, 0] > 1], axis=0), r"numpy\.quantile of x\[mask\] along an axis"),
    (lambda x: x[x > 1] @ x[0], r"a product of x\[mask\] with another array"),
    (lambda x: np.compress(x[0] > 1, x, 1), r"x\[mask\].*compress\(mask, x, size=n"),
    (lambda x: np.extract(x > 1, x), r"x\[mask\].*compress\(mask, x, size=n"),
    (lambda x: np.delete(x[0], x[0] > 1), r"x\[mask\].*compress\(mask, x, size=n"),
    (
        lambda x: graphc.numpy.compress(x[0] > 1, x, 1),
        r"State it: graphc\.numpy\.compress\(mask, x",
    ),
    (lambda x: np.argwhere(x), r"State it: graphc\.numpy\.argwhere\(x, size=n, fill_value=k\)"),
    (lambda x: graphc.numpy.flatnonzero(x), r"State it: graphc\.numpy\.flatnonzero\(x, size=n"),
    (
        lambda x: np.unique(x),
        r"numpy\.unique\(x\).*graphc\.numpy\.unique\(x, size=n, fill_value=v\)",
    ),
    (lambda x: np.unique(x, return_counts=True), r"State it: graphc\.numpy\.unique\(x, size=n"),
    (lambda x: len(np.unique(x)), r"len\(\) of numpy\.unique\(x\).*Write \.size"),
    (lambda x: len(np.nonzero(x)[0]), r"len\(\) of the positions of nonzero.*Write \.size"),
    (lambda x: x[x > 1].cumsum(), r"the attribute cumsum of x\[mask\]"),
    (
        lambda x: x.copy().__setitem__(x > 1, x),
        r"x\[mask\] = value with an array of 2 axes.*np\.where",
    ),
    (lambda x: x.copy().__setitem__(x > 1, x[x > 2]), "different traced masks"),
    (lambda x: x.copy().__setitem__(x > 1, x.T[x.T > 1]), "different traced masks"),
    (lambda x: x[[0, 1, 1], x[0] > 1], "mask stands among index arrays.*np.where"),
    (lambda x: x[x[:, 0] > 1, x[0] > 1], "two traced boolean masks stand in one index"),
    (lambda x: x[:, None][0, :, x[0] > 1], r"numbers stand apart in one index.*x\[:, i\]\[mask\]"),
    (lambda x: np.nonzero(x)[0] + 1, r"positions of nonzero elements.*nonzero\(x, size=n"),
    (lambda x: x[np.nonzero(x)[0]], "positions of some axes.*all axes together"),
    (lambda x: np.where(x > 1), "returns result.*positions of nonzero elements.*size=n"),
    (lambda x: x[: x.astype(int)[0, 0]], r"returns result.*x\[:n\].*extent is not known"),
    (
        lambda x: len(x[: x.astype(int)[0, 0]]),
        r"bound of a slice is traced.*x\[i : i \+ length\].*np\.take.*static_argnames",
    ),
    (
        lambda x: x.copy().__setitem__(slice(None, x.astype(int)[0, 0]), x),
        r"x\[:n\] = value with an array of 2 axes and a traced n.*bound static",
    ),
    (lambda x: x[:: x.astype(int)[0, 0]], "the step of a slice is traced.*positive number"),
    (lambda x: x[x.astype(int)[0, 0] :: -1], "goes backwards.*turns a window round"),
    (
        lambda x: x[x.astype(int)[0, 0] : x.astype(int)[0, 0] + 7],
        "slice of 7 elements .* axis of extent 2.*no more elements",
    ),
    (lambda x: x.reshape((1,) * 63 + (2, 3)), "an array of 65 axes is made, .* at most 64"),
    (lambda x: x.resize(3, 2), r"x\.resize\(\) in place"),
    (lambda x: x.flags, "memory layout"),
    (lambda x: setattr(x, "shape", (3, 2)), r"write x = x\.reshape"),
    (lambda x: x.view("f4"), "changes the width"),
    (lambda x: pickle.dumps(x), "cannot be pickled"),
    (lambda x: np.hypot.reduceat(x, x.astype(int)[0]), "reduceat needs indices that are known"),
    (lambda x: np.hypot.at(x.copy(), [0, 1], 1.0), r"numpy\.hypot\.at with an index array"),
    (
        lambda x: np.hypot.reduce(x, axis=(0, 1)),
        r"numpy\.hypot\.reduce with where= or several axes",
    ),
    (lambda x: x.reshape(4, 2), r"cannot reshape array of size 6 into shape \(4, 2\)"),
    (
        lambda x: x.copy().__setitem__(0, np.ones(2)),
        r"could not broadcast input array from shape \(2\)|\(2,\)",
    ),
    (lambda x: x.copy().__iadd__(1j), r"Cannot cast ufunc 'add' output"),
    (lambda x: np.add(x, np.ones((2, 2, 3)), out=np.zeros((2, 3))), "non-broadcastable output"),
    (lambda x: np.copyto(np.zeros((2, 3), int), x), "Cannot cast array data"),
    (lambda x: np.r_["0,2", x[0]], "directive string"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_message_names_remedy_and_line(number: int) -> None:
    program, message = REFUSED[number]
    with pytest.raises((graphc.GraphcError, TypeError), match=rf"(?s){message}") as found:
        trace_function(program, [X])
    text = "\n".join([str(found.value), *getattr(found.value, "__notes__", [])])
    assert f"{__file__}:{line_of(program)} in <lambda>" in text, text
    assert isinstance(found.value, graphc.GraphcError)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (lambda x: x + np.ones(4), "do not broadcast"),
        (lambda x: x @ x, "matmul|contract|dot"),
        (lambda x: np.concatenate([x, np.ones((2, 4))]), "concatenate"),
        (lambda x: ~x, "invert"),
        (lambda x: x.astype("datetime64[s]"), "has no place in a graph"),
    ],
)
def test_errors_from_below_name_the_line(program: Any, message: str) -> None:
    with pytest.raises(graphc.GraphcError, match=message) as found:
        trace_function(program, [X])
    text = "\n".join([str(found.value), *getattr(found.value, "__notes__", [])])
    assert f"{__file__}:{line_of(program)} in <lambda>" in text


def test_a_tracer_that_escapes() -> None:
    def program(x: Any) -> Any:
        KEPT.append(x)
        return x

    trace_function(program, [X])
    with pytest.raises(
        graphc.TraceError, match=r"after the trace has ended.*return it.*test_errors"
    ):
        KEPT.pop() + 1


def test_numpy_errors_stay_what_they_are() -> None:
    for program, kind in [
        (lambda x: x.sum(axis=5), np.exceptions.AxisError),
        (lambda x: np.squeeze(x, 0), ValueError),
        (lambda x: x.transpose(0, 0), ValueError),
        (lambda x: np.split(x, 4, axis=1), ValueError),
        (lambda x: x.astype("int8", casting="safe"), TypeError),
        (lambda x: len(x[0, 0]), TypeError),
        (lambda x: list(x[0, 0]), TypeError),
        (lambda x: hash(x), TypeError),
        (lambda x: x + "text", TypeError),
        (lambda x: np.zeros(2, int).__setitem__(0, 1j), TypeError),
        (lambda x: np.zeros(2, np.int8).__setitem__(0, 300), OverflowError),
        (lambda x: np.zeros(2, int).__setitem__(0, math.nan), ValueError),
    ]:
        with pytest.raises(kind):
            program(X)
        with pytest.raises(kind):
            trace_function(program, [X])


def test_symbolic_extents() -> None:
    spec = graphc.spec("f64[n, 3]")
    for program, message in [
        (lambda x: len(x), r"len\(\) needs the extent n.*shape\[0\]"),
        (lambda x: [row for row in x], "loop over an axis of symbolic extent n"),
        (lambda x: x if x.shape[0] > 4 else -x, "depends on the extent at run time"),
        (lambda x: range(x.shape[0]), "the extent n is symbolic"),
        (lambda x: np.hypot.reduce(x), "along an axis of symbolic extent n"),
        (lambda x: np.diagonal(x.T), "diagonal of an axis of symbolic extent"),
    ]:
        with pytest.raises(graphc.GraphcError, match=message):
            trace_function(program, [spec])


def test_arguments() -> None:
    class Unknown:
        pass

    for args, options, message in [
        ((Unknown(),), {}, r"argument x is a Unknown.*static_argnames='x'"),
        (([X, {1, 2}],), {}, r"argument x\[1\] is a set"),
        (([X],), {"static_argnames": "x"}, "argument x is static, and a list cannot be hashed"),
        ((np.array(["a"]),), {}, "argument x: dtype <U1 has no place in a graph"),
        ((np.array([None]),), {}, "argument x: dtype object has no place in a graph"),
        ((np.ma.array([1.0]),), {}, "argument x is a MaskedArray"),
    ]:
        with pytest.raises(graphc.GraphcError, match=message):
            graphc.jit(lambda x: x, debug="evaluate", **options)(*args)


def test_wrong_options() -> None:
    def program(x: Any, n: int) -> Any:
        return x

    for options, message in [
        ({"static_argnames": "m"}, "static_argnames has 'm'; the parameters are x, n"),
        ({"static_argnums": 4}, "static_argnums has 4; the function has 2 parameters"),
        ({"donate": "y"}, "donate has 'y'"),
        ({"dims": {"y": "b"}}, "dims names 'y'"),
        ({"dims": {"x": 3}}, r"dims\['x'\] is 3"),
        ({"dims": {"x": "..., ..."}}, "more than one"),
        ({"debug": "maybe"}, "debug is 'maybe'"),
    ]:
        with pytest.raises((TypeError, graphc.GraphcError), match=message):
            graphc.jit(program, **options)
    with pytest.raises(TypeError, match="jit takes a function, got int"):
        graphc.jit(3)


def test_dims_that_do_not_fit() -> None:
    f = graphc.jit(lambda x, y: x + y, dims={"x": "b, 3", "y": ("b", ...)}, debug="evaluate")
    f(X, X)
    with pytest.raises(
        graphc.ShapeMismatch,
        match=r"axis 0 of y is 4, expected 2 \(b with b = 2 from axis 0 of x\)",
    ):
        f(X, np.ones((4, 3)))
    with pytest.raises(
        graphc.ShapeMismatch, match=r"dims\['x'\] names 2 axes \(b, _\); the argument is f64\[3\]"
    ):
        f(np.ones(3), X)


def test_large_python_numbers() -> None:
    with pytest.raises(OverflowError, match="argument n is the Python int 36893488147419103232"):
        graphc.jit(lambda n: n, debug="evaluate")(2**65)


def test_nan_is_found() -> None:
    def program(x: Any) -> Any:
        y = np.log(x - 1)
        return y * 2

    f = graphc.jit(program, debug="nan")
    f(np.full(3, 4.0))
    with pytest.raises(
        graphc.NonFiniteError,
        match=rf"log: made a NaN.*{__file__}:{line_of(program) + 1} in program",
    ):
        f(np.zeros(3))


def test_tracers_copy_as_arrays_do() -> None:
    graph = trace_function(
        lambda x: (copy.copy(x), copy.deepcopy([x]), isinstance(x, np.ndarray)), [X]
    )
    assert [r.form for r in graph.results] == ["array", "array", "static"]
    assert graph.results[2].value is True
