"""Eigenvalues and singular values over values, and what is made of them.

The cards are those of graphc/ops/spectral.py. Derivatives of pinv and lstsq have rules of their
own: those of singular vectors do not exist where singular values are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Graph, Value, param
from ..opdef import lookup
from ..ops import build
from ..ops.build import cast, full_like
from ..ops.matrices import adjoint, hermitian
from ..ops.spectral import EIG, EIGH, SVD
from ..types import I64
from . import decompositions as d
from . import products
from . import reductions as r
from . import ufuncs as u
from .creation import eye
from .dispatch import implements, value
from .shaping import expand, reshape


class EigResult(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class SVDResult(NamedTuple):
    U: Any
    S: Any
    Vh: Any


def _square_operand(a: Any, what: str) -> Value:
    x = d._matrix_operand(a, what)
    d._square(x, what)
    return x


def _lower(uplo: str) -> bool:
    if uplo.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return uplo.upper() == "L"


@implements(np.linalg.eigh, name="linalg.eigh")
def eigh(a: Any, UPLO: str = "L") -> EighResult:
    return EighResult(*EIGH(_square_operand(a, "eigh"), lower=_lower(UPLO), vectors=True))


@implements(np.linalg.eigvalsh, name="linalg.eigvalsh")
def eigvalsh(a: Any, UPLO: str = "L") -> Value:
    return EIGH(_square_operand(a, "eigvalsh"), lower=_lower(UPLO), vectors=False)


@implements(np.linalg.eig, name="linalg.eig")
def eig(a: Any) -> EigResult:
    """The results are complex; NumPy's are real where all values happen to be."""
    return EigResult(*EIG(_square_operand(a, "eig"), vectors=True))


@implements(np.linalg.eigvals, name="linalg.eigvals")
def eigvals(a: Any) -> Value:
    """The result is complex; NumPy's is real where all values happen to be."""
    return EIG(_square_operand(a, "eigvals"), vectors=False)


# --------------------------------------------------------------------------------- singular values


def _matrices(a: Any, what: str, symmetric: bool = False) -> Value:
    x = d._matrix_operand(a, what)
    if len(x.shape) < 2:
        raise ShapeMismatch(f"{what}: {x.type} has fewer than two axes")
    if symmetric:
        d._square(x, what)
        return hermitian(x, True)
    return x


@implements(np.linalg.svdvals, name="linalg.svdvals")
def svdvals(x: Any, /) -> Value:
    return SVD(_matrices(x, "svdvals"), full=False, vectors=False)


@implements(np.linalg.svd, name="linalg.svd")
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    x = _matrices(a, "svd", hermitian)
    if not compute_uv:
        return SVD(x, full=False, vectors=False)
    return SVDResult(*SVD(x, full=bool(full_matrices), vectors=True))


def _epsilon(dtype: ty.DType) -> float:
    return float(np.finfo(dtype.real.numpy).eps)


def _rounding(x: Value, dtype: ty.DType) -> Any:
    """The larger extent of matrices times the distance of 1 to the next number."""
    rows, columns = x.shape[-2:]
    if isinstance(rows, int) and isinstance(columns, int):
        return max(rows, columns) * _epsilon(dtype)
    larger = u.maximum(build.extent(rows), build.extent(columns))
    return u.multiply(cast(larger, dtype.real), _epsilon(dtype))


@implements(np.linalg.matrix_rank, name="linalg.matrix_rank")
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Value:
    if len(value(A).shape) < 2:
        return cast(r.any(u.not_equal(value(A), 0)), I64)
    x = _matrices(A, "matrix_rank", hermitian)
    lengths = svdvals(x)
    if tol is None:
        relative = _rounding(x, lengths.dtype) if rtol is None else rtol
        greatest = r.max(lengths, -1, keepdims=True, initial=0)
        limit = u.multiply(greatest, _per_matrix(relative))
    else:
        limit = _per_matrix(tol)
    return r.count_nonzero(u.greater(lengths, limit), -1)


def _per_matrix(x: Any) -> Any:
    """A tolerance with an axis for the singular values."""
    if isinstance(x, (int, float)):
        return x
    z = value(x)
    return expand(z, (len(z.shape),)) if z.shape else z


def _custom(
    name: str, operands: Sequence[Value], function: Callable[..., Any], rule: Callable[..., Any]
) -> Any:
    """`function` of the operands, with a rule for its tangents."""
    from ..ops.calls import CUSTOM_JVP, Rule  # few programs need it

    params = [param(v.type, f"p{k}") for k, v in enumerate(operands)]
    results = function(*params)
    body = Graph.of(name, params, results if isinstance(results, tuple) else (results,))
    return CUSTOM_JVP(*operands, body=body, rule=Rule(name, rule), count=len(operands))


def _inverted(lengths: Value, relative: Any) -> tuple[Value, Value]:
    """1 / s, but 0 for those that count as 0; and which do not."""
    limit = u.multiply(_per_matrix(relative), r.max(lengths, -1, keepdims=True, initial=0))
    large = u.greater(lengths, limit)
    inverse = u.divide(1, u.where(large, lengths, full_like(lengths, 1)))
    return u.where(large, inverse, full_like(lengths, 0)), large


@implements(np.linalg.pinv, name="linalg.pinv")
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = r._MISSING) -> Value:
    x = _matrices(a, "pinv", hermitian)
    shape = x.shape
    if ty.product(shape) == 0:
        return build.zeros((*shape[:-2], shape[-1], shape[-2]), x.dtype)
    if rcond is None:
        rcond = 1e-15 if rtol is r._MISSING else rtol
        rcond = _rounding(x, x.dtype) if rcond is None else rcond
    return _pseudoinverse(x, rcond)


def _pseudoinverse(x: Value, relative: Any) -> Value:
    tolerance = cast(value(relative), x.dtype.real)

    def function(z: Value, limit: Value) -> Value:
        left, lengths, right = SVD(z, full=False, vectors=True)
        inverse, _ = _inverted(lengths, limit)
        scaled = u.multiply(adjoint(right), expand(inverse, (len(inverse.shape) - 1,)))
        return products.matmul(scaled, adjoint(left))

    def rule(primals: Sequence[Value], tangents: Sequence[Value]) -> list[Value]:
        """With p the result: -p da p + p p^H da^H (1 - a p) + (1 - p a) da^H p^H p.

        Source: Golub and Pereyra, 1973, for matrices of constant rank
        """
        z, dz = primals[0], tangents[0]
        p = _pseudoinverse(z, primals[1])
        mm, dzh = products.matmul, adjoint(dz)
        first = mm(mm(p, dz), p)
        second = mm(mm(p, adjoint(p)), mm(dzh, _rest(mm(z, p))))
        third = mm(mm(_rest(mm(p, z)), dzh), mm(adjoint(p), p))
        return [u.subtract(u.add(second, third), first)]

    return _custom("pinv", (x, tolerance), function, rule)


def _rest(x: Value) -> Value:
    """1 - x."""
    return u.subtract(eye(x.shape[-1], dtype=x.dtype), x)


class LstsqResult(NamedTuple):
    x: Any
    residuals: Any
    rank: Any
    s: Any


@implements(np.linalg.lstsq, name="linalg.lstsq")
def lstsq(a: Any, b: Any, rcond: Any = None) -> LstsqResult:
    """The residuals are there whenever a has more rows than columns; NumPy's are empty, too, where
    the rank is less than the number of columns.
    """
    x, y = d._matrix_operand(a, "lstsq"), d._matrix_operand(b, "lstsq")
    if len(x.shape) != 2:
        raise np.linalg.LinAlgError(
            f"{len(x.shape)}-dimensional array given. Array must be two-dimensional"
        )
    if len(y.shape) not in (1, 2):
        raise np.linalg.LinAlgError(
            f"{len(y.shape)}-dimensional array given. Array must be one or two-dimensional"
        )
    if x.shape[0] != y.shape[0]:
        raise np.linalg.LinAlgError("Incompatible dimensions")
    dtype = u.result_dtype(x, y)
    x, y = cast(x, dtype), cast(y, dtype)
    right = expand(y, (1,)) if len(y.shape) == 1 else y
    # NumPy takes f64's precision for f32 too
    limit = _rounding(x, ty.F64) if rcond is None else _machine(rcond, dtype)
    found, rank, lengths = _least_squares(x, right, cast(value(limit), dtype.real))
    rows, columns = x.shape
    if columns >= rows if isinstance(rows, int) and isinstance(columns, int) else False:
        rest = build.zeros((0,), dtype.real)
    else:
        rest = r.sum(d._squares(u.subtract(right, products.matmul(x, found))), 0)
    if len(y.shape) == 1:
        found = reshape(found, found.shape[:1])
    return LstsqResult(found, rest, rank, lengths)


def _machine(rcond: Any, dtype: ty.DType) -> Any:
    """A tolerance; -1 means the distance of 1 to the next number."""
    return _epsilon(dtype) if isinstance(rcond, (int, float)) and rcond == -1 else rcond


def _least_squares(x: Value, y: Value, limit: Value) -> tuple[Value, Value, Value]:
    def function(z: Value, w: Value, tolerance: Value) -> tuple[Value, Value, Value]:
        left, lengths, right = SVD(z, full=False, vectors=True)
        inverse, large = _inverted(lengths, tolerance)
        inside = products.matmul(adjoint(left), w)
        found = products.matmul(adjoint(right), u.multiply(expand(inverse, (1,)), inside))
        return found, r.count_nonzero(large, -1), lengths

    def rule(primals: Sequence[Value], tangents: Sequence[Value]) -> list[Value]:
        """d(p b) = dp b + p db, p the pseudoinverse, and the singular values' own."""
        z, w, tolerance = primals
        dz, dw, _ = tangents
        p = _pseudoinverse(z, tolerance)
        mm, dzh = products.matmul, adjoint(dz)
        found = mm(p, w)
        first = mm(p, u.subtract(dw, mm(dz, found)))
        off = u.subtract(w, mm(z, found))
        second = mm(mm(p, adjoint(p)), mm(dzh, off))
        reach = mm(dzh, mm(adjoint(p), found))
        third = u.subtract(reach, mm(p, mm(z, reach)))
        left, _, right = SVD(z, full=False, vectors=True)
        moved = mm(mm(adjoint(left), dz), adjoint(right))
        ds = cast_real(d._diagonal(moved, 0, -2, -1))
        return [u.add(u.add(first, second), third), ds]

    return _custom("lstsq", (x, y, limit), function, rule)


def cast_real(x: Value) -> Value:
    """The real part."""
    return lookup("real")(x) if x.dtype.is_complex else x


def spectral(x: Value, order: Any, axes: tuple[int, int], keepdims: bool) -> Value:
    """The matrix norms of order 2, -2 and "nuc"."""
    from .shaping import moveaxis

    lengths = svdvals(moveaxis(x, axes, (-2, -1)))
    if order == "nuc":
        found = r.sum(lengths, -1)
    else:
        found = r.max(lengths, -1, initial=0) if order == 2 else r.min(lengths, -1)
    return r.keep(found, x, axes) if keepdims else found
