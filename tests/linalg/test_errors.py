"""What NumPy refuses when it runs, compiled code refuses with the same error; threads, processes,
and what there is without SciPy.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import graphc_runtime
import numpy as np
import pytest
from graphc_runtime import lapack

import graphc
from graphc import linalg
from graphc.compile import lower_graph
from graphc.errors import GraphcError, LoweringError

from .test_numpy import data, near, positive

LinAlgError = np.linalg.LinAlgError


def refused(function: Any, *arrays: np.ndarray) -> None:
    """NumPy and the compiled function raise LinAlgError with one message."""
    with pytest.raises(LinAlgError) as theirs:
        function(*arrays)
    with pytest.raises(LinAlgError) as ours:
        graphc.jit(function)(*arrays)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 20])
def test_singular_matrices(n: int) -> None:
    a = np.zeros((n, n))
    refused(lambda a, b: np.linalg.solve(a, b), a, data(n))
    refused(lambda a: np.linalg.inv(a), a)
    batch = np.stack([np.eye(n)] * 5)
    batch[3] = 0
    refused(lambda a: np.linalg.inv(a), batch)
    near(graphc.jit(lambda a: np.linalg.det(a))(batch), np.linalg.det(batch), 1e-15)
    sign, size = graphc.jit(lambda a: tuple(np.linalg.slogdet(a)))(batch)
    assert sign[3] == 0 and size[3] == -np.inf
    with pytest.raises(LinAlgError, match="Singular matrix"):
        graphc.jit(lambda a, b: linalg.solve_triangular(a, b))(a, data(n))


@pytest.mark.parametrize("n", [1, 3, 4, 20])
@pytest.mark.parametrize("code", "dF")
def test_matrices_that_are_not_positive_definite(n: int, code: str) -> None:
    refused(lambda a: np.linalg.cholesky(a), -np.eye(n, dtype=code))
    unknown = np.full((n, n), np.nan, code)
    found = graphc.jit(lambda a: np.linalg.cholesky(a))(unknown)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(np.linalg.cholesky(unknown)))


@pytest.mark.parametrize("n", [2, 5, 20])
def test_not_a_number(n: int) -> None:
    a = positive(data(n, n))
    a[n - 1, 0] = np.nan
    refused(lambda a: np.linalg.eigvals(a), a)
    refused(lambda a: np.linalg.eig(a), a)
    refused(lambda a: np.linalg.svd(a), a)
    refused(lambda a: np.linalg.svdvals(a), a)
    refused(lambda a: np.linalg.pinv(a), a)
    found = graphc.jit(lambda a: np.linalg.solve(a, a))(a)
    assert np.all(np.isnan(found) == np.isnan(np.linalg.solve(a, a)))
    _, size = graphc.jit(lambda a: tuple(np.linalg.slogdet(a)))(a)
    assert np.isnan(size)
    a[0, 0] = np.inf
    refused(lambda a: np.linalg.eigvals(a), a)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_one_of_many_small_matrices(n: int) -> None:
    batch = np.stack([np.eye(n)] * 64)
    batch[40] = -batch[40]
    refused(lambda a: np.linalg.cholesky(a), batch)
    batch[40, n - 1] = 0
    refused(lambda a: np.linalg.inv(a), batch)


def test_shapes_that_do_not_fit() -> None:
    for function, arrays in (
        (np.linalg.inv, (data(3, 4),)),
        (np.linalg.solve, (data(3, 4), data(3))),
        (np.linalg.eigh, (data(3, 4),)),
        (np.linalg.lstsq, (data(3, 4), data(4))),
        (np.linalg.cond, (data(0, 0),)),
        (np.linalg.cholesky, (data(3),)),
    ):
        with pytest.raises(LinAlgError):
            graphc.jit(function)(*arrays)


def test_the_error_says_where_it_comes_from() -> None:
    with pytest.raises(LinAlgError) as caught:
        graphc.jit(lambda a: np.linalg.inv(a))(np.zeros((9, 9)))
    assert any("test_errors.py" in note for note in caught.value.__notes__)


def test_a_failed_call_leaves_the_function_usable() -> None:
    solve = graphc.jit(lambda a, b: np.linalg.solve(a, b))
    a, b = data(6, 6), data(6)
    for _ in range(3):
        with pytest.raises(LinAlgError):
            solve(np.zeros((6, 6)), b)
        near(solve(a, b), np.linalg.solve(a, b), 1e-11)


def test_threads() -> None:
    function = graphc.jit(lambda a: (np.linalg.svd(a, False), np.linalg.inv(a)))
    arrays = [data(8, 30, 30, seed=k) for k in range(12)]
    function(arrays[0])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(function, arrays))
    for a, ((u, s, vh), inverse) in zip(arrays, found, strict=True):
        near(u * s[:, None, :] @ vh, a, 1e-12)
        near(inverse, np.linalg.inv(a), 1e-9)


def test_the_lock_of_the_interpreter_is_released() -> None:
    graph = graphc.jit(lambda a: np.linalg.inv(a)).lower(data(4, 4)).graph
    built = graphc.compile.build_graph(graph)
    assert built.routines == ("dgesv",)
    spec = graphc.compile.specialization(built, (_argument(),), "list")
    assert spec.release_gil_bytes == 0


def _argument() -> graphc_runtime.ArgumentSpec:
    return graphc_runtime.ArgumentSpec("array", np.dtype(float), (4, 4), False, False)


PROGRAM = """
import numpy as np, graphc
from graphc.compile import build_graph
f = graphc.jit(lambda a, b: np.linalg.solve(a, b))
a = np.random.default_rng(0).normal(size=(3, 20, 20))
good = np.allclose(f(a, a), np.eye(20), atol=1e-9)
try:
    f(0 * a, a)
except np.linalg.LinAlgError as error:
    print(error, good)
print(build_graph(f.lower(a, a).graph).source)
"""


def test_code_from_the_disk_cache(tmp_path: Path) -> None:
    """Addresses of LAPACK are not in it: they are found anew in every process."""
    texts = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True,
            env={"GRAPHC_CACHE_DIR": str(tmp_path), "PATH": "", "HOME": str(tmp_path)},
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert texts[0].splitlines()[0] == texts[1].splitlines()[0] == "Singular matrix True"
    assert texts[1].splitlines()[1] == "disk cache"


def test_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lapack, "available", lambda: False)
    a, spd = data(2, 9, 9), positive(data(9, 9))
    near(graphc.jit(lambda a: np.linalg.inv(a))(a), np.linalg.inv(a), 1e-9)
    near(graphc.jit(lambda a: np.linalg.det(a))(a), np.linalg.det(a), 1e-9)
    near(graphc.jit(lambda a: np.linalg.cholesky(a))(spd), np.linalg.cholesky(spd), 1e-11)
    near(graphc.jit(lambda a: np.linalg.svdvals(a))(a[0]), np.linalg.svdvals(a[0]), 1e-11)
    near(graphc.jit(lambda a: np.linalg.eigvalsh(a))(spd), np.linalg.eigvalsh(spd), 1e-11)
    q, upper = graphc.jit(lambda a: np.linalg.qr(a))(a)
    near(q @ upper, a, 1e-12)
    for turned in (0, 1):
        for lower in (False, True):
            t = data(9, 9) + 9 * np.eye(9)

            def solve(a: np.ndarray, b: np.ndarray, how: Any = (turned, lower)) -> np.ndarray:
                return linalg.solve_triangular(a, b, *how)

            near(graphc.jit(solve)(t, data(9)), solve(t, data(9)), 1e-12)
    refused(lambda a: np.linalg.inv(a), np.zeros((9, 9)))
    refused(lambda a: np.linalg.cholesky(a), -np.eye(5))
    refused(lambda a: np.linalg.svdvals(a), np.full((3, 3), np.nan))
    for function, n in ((np.linalg.inv, 17), (np.linalg.eigvals, 3)):
        with pytest.raises(GraphcError, match="pip install scipy"):
            graphc.jit(function)(data(n, n))


def test_cuda_names_what_it_has_not() -> None:
    graph = graphc.jit(lambda a: np.linalg.inv(a)).lower(data(9, 9)).graph
    with pytest.raises(LoweringError, match="solve"):
        lower_graph(graph).text("cuda")
