"""What random graphs and the programs found in the compiler, each as small as it could be made."""

from __future__ import annotations

import re

import numpy as np
import pytest

from graphc.codegen.target import Target
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops import ir as L
from graphc.loops.lower import lower
from graphc.loops.machine import Machine
from graphc.loops.schedule import reduction_target
from graphc.opdef import lookup
from graphc.ops import build
from graphc.passes.fuse import fuse
from graphc.types import C64, C128, F16, F32, F64, I32, I64
from tests.compiled import compiled, lowered_graph, run
from tests.loops.running import MACHINES, run_graph
from tests.programs import PROGRAMS, M, N, arguments, dot, op, reduce, tensor
from tests.random_graphs import assert_close, expression, tolerances


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_a_reshape_of_nothing_read_the_first_element(shape: tuple[int, int]) -> None:
    """Index arithmetic over an extent of 0 left a load without a loop around it."""
    x = tensor(F16, *shape)
    centred = op("sub", x, reduce(x, "sum", 1, keep=True))
    graph = Graph.of("f", (x,), (build.reshape(op("exp", x), (0,)), centred, reduce(x, "sum", 0)))
    for node in fuse(graph).nodes:
        func = lower(node.attrs["body"], "f").func
        top = [s for s in func.body if isinstance(s, L.Let) and isinstance(s.value, L.Load)]
        assert not [s for s in top if s.value.buffer.access == "in"]  # type: ignore[union-attr]
    arrays = arguments(graph)
    assert_close(run(graph, arrays), evaluate(graph, arrays), tolerances(graph, arrays))


def test_a_result_over_a_parameter_that_the_next_result_reads() -> None:
    """Both results were written in place, the first over what the second needed."""
    x, y = tensor(F32, 40), tensor(F32, 40, name="y")
    graph = Graph.of("f", (x, y), (op("mul", y, 2.0), op("mul", x, 3.0)))
    a, b = arguments(graph)
    one, two = compiled(graph, aliases={0: 0, 1: 1})(a.copy(), b.copy())
    np.testing.assert_array_equal(one, 2 * b)
    np.testing.assert_array_equal(two, 3 * a)


def test_a_sum_of_nan_was_blamed_under_check_finite() -> None:
    x = tensor(F32, N, M)
    function = compiled(Graph.of("f", (x,), (reduce(x, "sum", 1),)), check_finite=True)
    assert np.isnan(function(np.full((3, 70), np.nan, np.float32))[0]).all()


def test_a_complex_product_is_carried_from_step_to_step() -> None:
    """With another accumulator beside it, its loop passed for a reduction that lanes may share."""
    x = tensor(C64, 100)
    func = lower(Graph.of("f", (x,), (reduce(x, "prod"),)), "f", check_finite=True).func
    loops = [s for s in L.statements(func.body) if isinstance(s, L.For)]
    assert [reduction_target(s) for s in loops] == [None]


def test_a_loss_over_a_product_lost_its_threads_and_tiles() -> None:
    """The contraction stood inside the loop of the sum, which added 4900 numbers in a row."""
    x, y = tensor(F32, N, M), tensor(F32, N, M, name="y")
    graph = Graph.of("f", (x, y), (reduce(dot(x, y, ((1,), (1,))), "sum"),))
    assert len(fuse(graph).nodes) == 2
    a, b = arguments(graph, {"n": 70, "m": 66})
    exact = (a.astype(np.float64) @ b.astype(np.float64).T).sum()
    np.testing.assert_allclose(run(graph, (a, b))[0], exact, rtol=1e-4)


def test_long_chains_of_movement_overflowed_the_stack() -> None:
    x = tensor(F32, 4, 6)
    value = x
    for _ in range(301):
        value = op("transpose", value, axes=(1, 0))
    (array,) = arguments(Graph.of("f", (x,), (value,)))
    np.testing.assert_array_equal(run(Graph.of("f", (x,), (value,)), (array,))[0], array.T)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: f"{m.vector_bytes} bytes")
def test_a_map_beside_a_contraction_wrote_past_its_row(machine: Machine) -> None:
    """Stores before the loop of a contraction stood outside the mask of its last columns."""
    graph = PROGRAMS["product_beside_maps"].graph(N, M)
    assert len(fuse(graph).nodes) == 1
    env = {"n": 5, "m": 19}
    arrays = arguments(graph, env)
    off = tolerances(PROGRAMS["product_beside_maps"].graph(5, 19), arrays)
    assert_close(run_graph(graph, arrays, env, machine), evaluate(graph, arrays), off)


def _guarded_row() -> Graph:
    """A product of padded operands, with loads that all lanes do once where the padding ends."""
    z, y = tensor(C128, 5), tensor(F32, 2, 3, 5, name="y")
    tamed = build.select(op("lt", op("abs", z), 100.0), z, build.full_like(z, 0.75))
    one = build.full((), 1.0, F64)
    left = op("pad", op("real", tamed), one, low=(8,), high=(11,), interior=(0,))
    flat = build.reshape(op("transpose", build.cast(y, F64), axes=(0, 2, 1)), (30,))
    right = op("pad", flat, one, low=(9,), high=(1,), interior=(0,))
    left, right = build.reshape(left, (2, 3, 4)), build.reshape(right, (2, 5, 4))
    return Graph.of("f", (z, y), (dot(left, right, ((2,), (2,)), 1),))


def test_a_mask_was_read_from_another_register() -> None:
    """LLVM tested it by vmovmskps of ymm23, which reads ymm7: loads of a row were left out."""
    graph = _guarded_row()
    arrays = arguments(graph)
    assert_close(run(graph, arrays), evaluate(graph, arrays), tolerances(graph, arrays))


def test_masks_are_not_read_by_instructions_of_sixteen_registers() -> None:
    target = Target(
        "x86_64-unknown-linux-gnu",
        "skylake-avx512",
        "+avx2,+fma,+f16c,+avx512f,+avx512dq,+avx512bw,+avx512vl",
    )
    x = tensor(F64, 99)
    sines = lowered_graph(Graph.of("f", (x,), (op("sin", x),)), target=target).text("asm")
    assert "ktestb" in sines
    for assembly in (sines, lowered_graph(_guarded_row(), target=target).text("asm")):
        assert not re.search(r"v(movmskp[sd]|pmovmskb)\s+%[xy]mm(1[6-9]|2\d|3[01])", assembly)


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
def test_a_root_of_minus_infinity_was_folded_to_nan(dtype: str) -> None:
    """NumPy's power is C99's, but a square root where one exponent is for all elements."""
    for base, root in (("-inf", np.inf), ("-0.0", 0.0)):
        graph = expression(f"{dtype}[3]", f"pow(c({base}), c(0.5))")
        for found in (run(graph, arguments(graph)), run(graph, arguments(graph), passes=True)):
            np.testing.assert_array_equal(found[0].astype(np.float64), root)
            assert not np.signbit(found[0].astype(np.float64)).any()


@pytest.mark.parametrize("dtype", ["c64", "c128"])
def test_complex_powers_of_integers_are_products(dtype: str) -> None:
    """They were e**(n log z): (-5+0j)**3 had an imaginary part, inf**-26 was 0 and not NaN, and
    the tenth power of 8e18 was off by a hundred ulp.
    """
    bases = [-5, 3 - 2j, 8e18 if dtype == "c128" else 7, 1j, -0.5 + 2j, np.inf, complex(0, np.inf)]
    exponents = [0, 1, 2, 3, 4, 7, 10, -1, -2, -3, -26]
    graph = expression(f"{dtype}[77];{dtype}[77]", "pow(x, y)")
    kind = graph.params[0].dtype.numpy
    z = np.repeat(np.array(bases, kind), len(exponents))
    n = np.tile(np.array(exponents, kind), len(bases))
    (wanted,), (found,) = evaluate(graph, (z, n)), run(graph, (z, n))
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(wanted))
    finite = np.isfinite(wanted)
    np.testing.assert_allclose(found[finite], wanted[finite], rtol=8 * np.finfo(kind).eps)
    whole = finite & (n.real >= 0) & (np.abs(wanted) < 1e6)
    np.testing.assert_array_equal(found[whole], wanted[whole])


def test_one_element_that_only_some_lanes_may_read() -> None:
    """Where any lane passed the guard, all lanes had the element."""
    x, row, column = tensor(I32), tensor(I64, name="i"), tensor(I64, name="j")
    zeros = build.full((7, 5), 0.0, F32)
    part = build.broadcast_to(build.cast(x, F32), (3, 2))
    updated = lookup("dynamic_update")(zeros, part, row, column)
    graph = Graph.of("f", (x, row, column), (updated,))
    arrays = [np.int32(3), np.int64(1), np.int64(1)]
    (found,) = run(graph, [np.asarray(a) for a in arrays])
    expected = np.zeros((7, 5), np.float32)
    expected[1:4, 1:3] = 3
    np.testing.assert_array_equal(found, expected)
