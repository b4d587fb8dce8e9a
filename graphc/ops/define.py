"""What all elementwise cards share: the check of their operands, their evaluation, their samples.

Called by the modules that hold the cards; never by anything above `graphc.ops`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import ShapeMismatch, TypeMismatch
from ..loops.ir import Expr, Pair, cast, scalar
from ..loops.scalar import SCALAR_OPS, apply
from ..opdef import Attrs, OpDef, Sample, register
from ..types import BOOL, DTYPES, DType, TensorType

Element = Expr | Pair
SHAPES: tuple[tuple[int, ...], ...] = ((5,), (3, 7), (), (0,), (17,), (2, 1, 3), (1,), (2, 0, 3))
_KIND_NAMES = {
    "b": "bool",
    "i": "signed integers",
    "u": "unsigned integers",
    "f": "floats",
    "c": "complex numbers",
}


def check_count(name: str, types: Sequence[TensorType], count: int) -> None:
    """Raises TypeMismatch unless there are `count` operands."""
    if len(types) != count:
        raise TypeMismatch(f"{name} takes {count} operands, got {len(types)}")


def check_alike(name: str, types: Sequence[TensorType]) -> None:
    """Raises TypeMismatch or ShapeMismatch unless all operands have the type of the first."""
    for position, type in enumerate(types):
        if type.dtype is not types[0].dtype:
            raise TypeMismatch(
                f"{name}: operand {position} is {type} and operand 0 is {types[0]}; "
                f"the operands must have one dtype"
            )
        if type.shape != types[0].shape:
            raise ShapeMismatch(
                f"{name}: operand {position} is {type} and operand 0 is {types[0]}; "
                f"the operands must have one shape"
            )


def check_kind(name: str, type: TensorType, kinds: str, position: int = 0) -> None:
    """Raises TypeMismatch unless the dtype is of one of the kinds."""
    if type.dtype.kind not in kinds:
        wanted = ", ".join(_KIND_NAMES[k] for k in kinds)
        raise TypeMismatch(f"{name}: operand {position} is {type}; {name} takes {wanted}")


def dtypes_of(kinds: str) -> tuple[DType, ...]:
    """The dtypes of some kinds, in the order of `types.DTYPES`."""
    return tuple(d for d in DTYPES.values() if d.kind in kinds)


def samples_of(
    kinds: str, arity: int, low: float, high: float, integer_low: float | None = None
) -> Callable[[], Iterable[Sample]]:
    """Samples for every dtype of the kinds, over shapes that are odd, empty and scalar."""

    def make() -> Iterable[Sample]:
        for number, dtype in enumerate(dtypes_of(kinds)):
            least = low
            if dtype.is_integer and integer_low is not None:
                least = integer_low
            if dtype.kind == "u":
                least = max(least, 0.0)
            most = max(high, least + 4.0) if dtype.is_integer else high
            for shape in (SHAPES[0], SHAPES[1 + number % (len(SHAPES) - 1)]):
                yield Sample((TensorType(dtype, shape),) * arity, {}, least, most)

    return make


def result_dtype(result: str | DType, dtype: DType) -> DType:
    """The dtype of a result: "same", "bool", "real" (of a complex operand), or a dtype."""
    if isinstance(result, DType):
        return result
    return {"same": dtype, "bool": BOOL, "real": dtype.real}[result]


def _infer(
    types: Sequence[TensorType],
    attrs: Attrs,
    name: str,
    arity: int,
    kinds: str,
    result: str | DType,
) -> TensorType:
    check_count(name, types, arity)
    check_alike(name, types)
    check_kind(name, types[0], kinds)
    return types[0].with_dtype(result_dtype(result, types[0].dtype))


def _evaluate(
    operands: Sequence[Any], attrs: Attrs, name: str, result: str | DType, ufunc: Any, reals: str
) -> np.ndarray:
    arrays = [np.asarray(a) for a in operands]
    dtype = _ours(arrays[0].dtype)
    if dtype.kind in reals:
        value = apply(name, *arrays)
    else:
        with np.errstate(all="ignore"):
            value = ufunc(*arrays)
    return np.asarray(value).astype(result_dtype(result, dtype).numpy, copy=False)


def _ours(dtype: np.dtype) -> DType:
    from ..types import dtype as of_numpy

    return of_numpy(dtype)


def elementwise(
    name: str,
    doc: str,
    kinds: str,
    numpy: tuple[Any, ...] = (),
    *,
    arity: int | None = None,
    result: str | DType = "same",
    pairs: Callable[..., Element] | None = None,
    otherwise: Callable[..., Expr] | None = None,
    reals: str | None = None,
    low: float = -3.0,
    high: float = 3.0,
    integer_low: float | None = None,
    **traits: Any,
) -> OpDef:
    """Registers the card of an elementwise op whose operands have one shape and one dtype.

    Where the scalar op of the same name (graphc/loops/scalar.py) admits the dtype, it is both the
    meaning and the lowering. For other dtypes the meaning is `numpy[0]`, and the lowering is
    `pairs` over complex operands and `otherwise` over the rest.

    `reals` narrows the kinds for which the scalar op is taken. `associative` among the traits means
    up to rounding: reassociating floats is for reductions only. `identity` is one number for all
    dtypes: compare its sign bit too where the dtype is a float.
    """
    op = SCALAR_OPS[name]
    count = op.arity if arity is None else arity
    admitted = op.kinds if reals is None else reals

    def lower(args: Sequence[Any], type: TensorType) -> Element:
        if isinstance(args[0], Pair):
            assert pairs is not None, name
            return pairs(*args)
        if args[0].dtype.kind in admitted:
            return cast(scalar(name, *args), type.dtype)
        assert otherwise is not None, name
        return otherwise(*args)

    return register(
        OpDef(
            name=name,
            doc=doc,
            kind="elementwise",
            infer=partial(_infer, name=name, arity=count, kinds=kinds, result=result),
            evaluate=partial(
                _evaluate,
                name=name,
                result=result,
                ufunc=numpy[0] if numpy else None,
                reals=admitted,
            ),
            lower=lower,
            source=", ".join(f"numpy.{f.__name__}" for f in numpy) or "C99",
            numpy=numpy,
            samples=samples_of(kinds, count, low, high, integer_low),
            **traits,
        )
    )
