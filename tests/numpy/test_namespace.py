"""No name of NumPy's is left unsaid: it is implemented, or refused with a remedy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import graphc.numpy as gnp
from graphc.types import BF16

from .tracing import same, traced


def _public(module: object) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [n for n in dir(module) if not n.startswith("_")]


@pytest.mark.parametrize("name", ["", "linalg", "fft"])
def test_every_public_name_is_implemented_or_refused(name: str) -> None:
    theirs, ours = (getattr(m, name) if name else m for m in (np, gnp))
    lead = f"{name}." if name else ""
    left = [
        n for n in _public(theirs)
        if not hasattr(ours, n) and lead + n not in gnp.REFUSED and n not in ("test", "core")
    ]  # fmt: skip
    assert not left


def test_no_name_is_both_and_every_refusal_says_what_to_do() -> None:
    for name, remedy in gnp.REFUSED.items():
        owner = gnp
        for part in name.split(".")[:-1]:
            owner = getattr(owner, part)
        assert name.rpartition(".")[2] not in vars(owner), name
        assert len(remedy) > 10
    with pytest.raises(AttributeError, match="whole arrays"):
        gnp.vectorize  # noqa: B018  reading the name is the test


def test_every_function_of_the_array_api() -> None:
    names = """
    abs acos acosh add all any arange argmax argmin argsort asarray asin asinh astype atan atan2
    atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift
    bitwise_xor bool broadcast_arrays broadcast_to can_cast ceil clip complex128 complex64
    concat conj copysign cos cosh count_nonzero cumulative_prod cumulative_sum diff divide e
    empty empty_like equal exp expand_dims expm1 eye finfo flip float32 float64 floor
    floor_divide full full_like greater greater_equal hypot iinfo imag inf int16 int32 int64
    int8 isdtype isfinite isinf isnan less less_equal linspace log log10 log1p log2 logaddexp
    logical_and logical_not logical_or logical_xor matmul matrix_transpose max maximum mean
    meshgrid min minimum moveaxis multiply nan negative newaxis nextafter nonzero not_equal ones
    ones_like permute_dims pi positive pow prod real reciprocal remainder repeat reshape
    result_type roll round searchsorted sign signbit sin sinh sort sqrt square squeeze stack std
    subtract sum take take_along_axis tan tanh tensordot tile tril triu trunc uint16 uint32
    uint64 uint8 unique_all unique_counts unique_inverse unique_values unstack var vecdot where
    zeros zeros_like
    """.split()
    assert not [n for n in names if not hasattr(gnp, n)]
    fft = """
    fft fftfreq fftn fftshift hfft ifft ifftn ifftshift ihfft irfft irfftn rfft rfftfreq rfftn
    """.split()
    assert not [n for n in fft if not hasattr(gnp.fft, n)]
    info = gnp.__array_namespace_info__()
    assert info.default_device() == "cpu" and "float32" in info.dtypes(kind="real floating")


def test_plain_arrays_go_to_numpy() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert type(gnp.mean(x)) is np.float64
    assert isinstance(gnp.zeros(3), np.ndarray)
    same(gnp.unique(np.array([3, 1, 3])), np.array([1, 3]))
    same(gnp.unique(np.array([3, 1, 3]), size=3, fill_value=9), np.array([1, 3, 9]))
    same(gnp.special.softmax(x, axis=1).sum(1), np.ones(2))


def test_types_of_tracers() -> None:
    x = np.ones((2, 3), np.float32)
    assert gnp.finfo(x).eps == traced(gnp.finfo, x).eps == np.finfo(np.float32).eps
    assert gnp.iinfo(np.int8).max == 127 and gnp.finfo(BF16.numpy).bits == 16

    def asked(v: object) -> object:
        return (
            gnp.shape(v), gnp.ndim(v), gnp.size(v), gnp.result_type(v, 1.0), gnp.iscomplexobj(v),
            gnp.can_cast(v, np.float64), gnp.common_type(v),
        )  # fmt: skip

    assert traced(asked, x) == ((2, 3), 2, 6, np.dtype("f"), False, True, np.float32)


def test_scipy_ufuncs_are_found_by_name() -> None:
    special = pytest.importorskip("scipy.special")
    assert gnp.IMPLEMENTATIONS[special.erf] is gnp.special.erf
    assert gnp.IMPLEMENTATIONS.get(special.jv) is None
    x = np.linspace(-4, 4, 17)
    for name in (
        "erf",
        "erfc",
        "expit",
        "log_expit",
        "ndtr",
        "psi",
        "gammaln",
        "entr",
        "exp10",
        "i0",
    ):
        for dtype in (np.float64, np.float32):
            v = x.astype(dtype) + dtype(0.125)
            limit = 1e-5 if dtype is np.float32 else 1e-12
            same(
                traced(gnp.IMPLEMENTATIONS[getattr(special, name)], v),
                getattr(special, name)(v),
                limit,
                name,
            )
    tails = 10.0 ** -np.arange(0.5, 300, 7)
    odd = np.array([0.0, 0.5, 1.0, -0.5, 2.0, np.nan])
    for name, ends in (("ndtri", (0, 1)), ("erfinv", (-1, 1)), ("erfcinv", (0, 2))):
        v = np.concatenate([tails, np.linspace(*ends, 101), odd, 0.5 + 1e-9 * np.arange(-3, 4)])
        for dtype in (np.float64, np.float32):
            given = v[(np.abs(v) > 1e-37) | (v == 0)].astype(dtype)
            limit = 3e-7 if dtype is np.float32 else 2e-15
            with np.errstate(all="ignore"):
                wanted = getattr(special, name)(given.astype(np.float64)).astype(dtype)
            found = traced(gnp.IMPLEMENTATIONS[getattr(special, name)], given)
            np.testing.assert_allclose(found, wanted, rtol=limit, err_msg=name)
    p = np.linspace(0, 1, 11)
    with np.errstate(all="ignore"):
        same(traced(gnp.special.logit, p), special.logit(p), 1e-12)
        for name in ("xlogy", "xlog1py", "rel_entr", "kl_div"):
            a, b = np.meshgrid(np.append(p, np.nan), p)
            same(
                traced(getattr(gnp.special, name), a, b), getattr(special, name)(a, b), 1e-12, name
            )
    m = np.random.default_rng(0).normal(size=(3, 4)) * 100
    for name in ("logsumexp", "softmax", "log_softmax"):
        ours = getattr(gnp.special, name)
        for axis in (0, 1, None):
            found = traced(lambda v, f=ours, k=axis: f(v, axis=k), m)
            same(found, getattr(special, name)(m, axis=axis), 1e-12, name)
    same(traced(gnp.special.logsumexp, m, b=m > 0), special.logsumexp(m, b=m > 0), 1e-12)
