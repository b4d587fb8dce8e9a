"""Cards: the parts of complex numbers, and conversions between dtypes: cast, bitcast, select.

How the other elementwise ops compute with complex numbers stands in complex_math.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..ir import Value
from ..loops.ir import Bitcast, Expr, Pair, Select, cast, const, scalar
from ..opdef import Attrs, Linear, NotDifferentiable, OpDef, Sample, register
from ..types import BOOL, C64, C128, F32, F64, DType, TensorType
from . import complex_math as cm
from .define import SHAPES, Element, check_alike, check_count, check_kind, samples_of
from .formula import Formula, select, zeros
from .formula import cast as cast_value

_COMPLEX_OF = {F32: C64, F64: C128}


def _infer_part(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("real or imag", types, 1)
    check_kind("real or imag", types[0], "c")
    return types[0].with_dtype(types[0].dtype.real)


def _infer_conj(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("conj", types, 1)
    check_kind("conj", types[0], "iufc")
    return types[0]


def _lower_conj(args: Sequence[Element], type: TensorType) -> Element:
    return cm.conj(args[0]) if isinstance(args[0], Pair) else args[0]


# The transposes are those of real-linear maps for the form Re(cotangent * tangent), as in JAX.


def _transpose_real(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    return Formula(g).f("complex", 0).value


def _transpose_imag(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    return COMPLEX(zeros(g.type), Formula(g).f("neg").value)


def _transpose_conj(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    return CONJ(g)


def _transpose_complex(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    return REAL(g) if k == 0 else Formula(IMAG(g)).f("neg").value


REAL = register(
    OpDef(
        name="real",
        doc="Re a",
        kind="elementwise",
        infer=_infer_part,
        evaluate=lambda operands, attrs: np.real(operands[0]).copy(),
        lower=lambda args, type: args[0].re,
        source="numpy.real",
        derivative=Linear(_transpose_real),
        linear=(0,),
        cost=0,
        samples=samples_of("c", 1, -3.0, 3.0),
    )
)
IMAG = register(
    OpDef(
        name="imag",
        doc="Im a",
        kind="elementwise",
        infer=_infer_part,
        evaluate=lambda operands, attrs: np.imag(operands[0]).copy(),
        lower=lambda args, type: args[0].im,
        source="numpy.imag",
        derivative=Linear(_transpose_imag),
        linear=(0,),
        cost=0,
        samples=samples_of("c", 1, -3.0, 3.0),
    )
)
CONJ = register(
    OpDef(
        name="conj",
        doc="Re a - i Im a; a itself when real",
        kind="elementwise",
        infer=_infer_conj,
        evaluate=lambda operands, attrs: np.asarray(np.conjugate(operands[0])),
        lower=_lower_conj,
        source="numpy.conjugate",
        derivative=Linear(_transpose_conj),
        involution=True,
        linear=(0,),
        numpy=(np.conjugate,),
        samples=samples_of("iufc", 1, -3.0, 3.0),
    )
)


def _infer_complex(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("complex", types, 2)
    check_alike("complex", types)
    if types[0].dtype not in _COMPLEX_OF:
        raise TypeMismatch(f"complex: operand 0 is {types[0]}; complex takes f32 or f64")
    return types[0].with_dtype(_COMPLEX_OF[types[0].dtype])


def _evaluate_complex(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    re, im = (np.asarray(a) for a in operands)
    result = np.empty(re.shape, _COMPLEX_OF[ty.dtype(re.dtype)].numpy)
    result.real, result.imag = re, im  # re + 1j*im would turn an infinity into NaN
    return result


COMPLEX = register(
    OpDef(
        name="complex",
        doc="a + i b",
        kind="elementwise",
        infer=_infer_complex,
        evaluate=_evaluate_complex,
        lower=lambda args, type: Pair(args[0], args[1]),
        source="C99 CMPLX",
        derivative=Linear(_transpose_complex, joint=True),
        linear=(0, 1),
        cost=0,
        samples=lambda: [
            Sample((TensorType(d, s),) * 2) for d in _COMPLEX_OF for s in (SHAPES[1], SHAPES[3])
        ],
    )
)


# ------------------------------------------------------------------------------------ conversions


def dtype_of(attrs: Attrs, name: str) -> DType:
    """The attribute `dtype`, checked."""
    dtype = attrs.get("dtype")
    if not isinstance(dtype, DType):
        raise TypeMismatch(f"{name}: the attribute dtype is {dtype!r}, not a dtype")
    return dtype


def _infer_cast(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("cast", types, 1)
    return types[0].with_dtype(dtype_of(attrs, "cast"))


def convert(array: Any, dtype: DType) -> np.ndarray:
    """NumPy's astype without its warnings; a complex number becomes a real one by its real part."""
    array = np.asarray(array)
    with np.errstate(all="ignore"):
        if array.dtype.kind == "c" and not dtype.is_complex:
            array = array != 0 if dtype is BOOL else array.real
        if array.dtype.name == "bfloat16" or dtype is ty.BF16:
            # ml_dtypes converts to and from f32 alone
            array = array if array.dtype == np.float64 else array.astype(np.float32)
        return np.ascontiguousarray(array.astype(dtype.numpy)).reshape(array.shape)


def _lower_cast(args: Sequence[Element], type: TensorType) -> Element:
    x, to = args[0], type.dtype
    if isinstance(x, Pair):
        if to.is_complex:
            return Pair(cast(x.re, to.real), cast(x.im, to.real))
        if to is BOOL:
            nothing = const(0, x.re.dtype)
            return scalar("or", scalar("ne", x.re, nothing), scalar("ne", x.im, nothing))
        return cast(x.re, to)
    if to.is_complex:
        return Pair(cast(x, to.real), const(0, to.real))
    return cast(x, to)


def _cast_samples() -> Iterable[Sample]:
    for number, source in enumerate(ty.DTYPES.values()):
        for target in ty.DTYPES.values():
            shape = SHAPES[(number + target.bits) % len(SHAPES)]
            low = 0.0 if "u" in (source.kind, target.kind) else -3.0
            yield Sample((TensorType(source, shape),), {"dtype": target}, low, 9.0)


def _transpose_cast(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    return cast_value(g, operands[0].dtype)


CAST = register(
    OpDef(
        name="cast",
        doc="a converted to dtype",
        kind="elementwise",
        infer=_infer_cast,
        evaluate=lambda operands, attrs: convert(operands[0], attrs["dtype"]),
        lower=_lower_cast,
        source="numpy.ndarray.astype",
        derivative=Linear(_transpose_cast),
        samples=_cast_samples,
    )
)


def _infer_bitcast(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("bitcast", types, 1)
    check_kind("bitcast", types[0], "biuf")
    dtype = dtype_of(attrs, "bitcast")
    if dtype.kind not in "iuf" or dtype.bits != types[0].dtype.bits:
        raise TypeMismatch(
            f"bitcast: operand 0 is {types[0]} and the result would be {dtype}; "
            f"it takes an integer or a float of as many bits"
        )
    return types[0].with_dtype(dtype)


def _bitcast_samples() -> Iterable[Sample]:
    for source in ty.DTYPES.values():
        for target in ty.DTYPES.values():
            if source.bits == target.bits and source.kind in "biuf" and target.kind in "iuf":
                low = 0.0 if source.kind in "bu" else -3.0
                yield Sample((TensorType(source, SHAPES[1]),), {"dtype": target}, low, 9.0)


def _lower_bitcast(args: Sequence[Expr], type: TensorType) -> Expr:
    return args[0] if args[0].dtype is type.dtype else Bitcast(args[0], type.dtype)


BITCAST = register(
    OpDef(
        name="bitcast",
        doc="the bits of a, read as dtype",
        kind="elementwise",
        infer=_infer_bitcast,
        evaluate=lambda operands, attrs: np.asarray(operands[0]).view(attrs["dtype"].numpy),
        lower=_lower_bitcast,
        source="numpy.ndarray.view",
        derivative=NotDifferentiable("it reads the bits of a number as those of another"),
        samples=_bitcast_samples,
    )
)


def _infer_select(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count("select", types, 3)
    check_kind("select", types[0], "b")
    check_alike("select (operands 1 and 2)", types[1:])
    if types[0].shape != types[1].shape:
        raise ShapeMismatch(
            f"select: operand 0 is {types[0]} and operand 1 is {types[1]}; "
            f"the operands must have one shape"
        )
    return types[1]


def _lower_select(args: Sequence[Any], type: TensorType) -> Element:
    cond, a, b = args
    if isinstance(a, Pair):
        return Pair(Select(cond, a.re, b.re), Select(cond, a.im, b.im))
    return Select(cond, a, b)


def _transpose_select(k: int, g: Value, operands: Sequence[Value], attrs: Attrs) -> Value:
    none = zeros(g.type)
    return select(operands[0], g, none) if k == 1 else select(operands[0], none, g)


SELECT = register(
    OpDef(
        name="select",
        doc="a where the condition holds, else b",
        kind="elementwise",
        infer=_infer_select,
        evaluate=lambda operands, attrs: np.where(*operands),
        lower=_lower_select,
        source="numpy.where",
        derivative=Linear(_transpose_select, joint=True),
        linear=(1, 2),
        samples=lambda: [
            Sample((TensorType(BOOL, s), TensorType(d, s), TensorType(d, s)))
            for d in ty.DTYPES.values()
            for s in (SHAPES[1], SHAPES[3], SHAPES[2])
        ],
    )
)
