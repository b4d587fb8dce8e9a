"""Keys, splits and bits: known answers, and the same bits however they are computed."""

from __future__ import annotations

from typing import Any

import graphc_runtime
import numpy as np
import pytest

import graphc
from graphc import random
from graphc.errors import GraphcError, TypeMismatch
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.loops.scalar import apply
from tests.codegen import cuda_graphs
from tests.codegen.test_cuda import needs_gcc
from tests.codegen.test_programs import TARGETS, X86, has
from tests.compiled import compiled

ALL_ONES = 0xFFFFFFFF
KNOWN = [
    # key, counter, words: Random123's kat_vectors, threefry2x32 with 20 rounds
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((ALL_ONES, ALL_ONES), (ALL_ONES, ALL_ONES), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]
JAX: dict[int, dict[str, Any]] = {
    # jax.random 0.10.2 with its default generator and 64-bit types: PRNGKey(seed), split(key, 3),
    # fold_in(key, 7), bits(key, (2, 2))
    0: {
        "key": [0, 0],
        "split": [[1797259609, 2579123966], [928981903, 3453687069], [4146024105, 2718843009]],
        "fold_in": [2716826189, 292468403],
        "uint8": [[167, 146], [40, 53]],
        "uint16": [[20391, 13970], [3624, 43061]],
        "uint32": [[4070199207, 4202968722], [1427181096, 2012915765]],
        "uint64": [
            [7719171245655871230, 3989946895414531357],
            [17807037942121513089, 10597664315880824766],
        ],
    },
    2**40 + 7: {
        "key": [256, 7],
        "split": [[2775665504, 110793307], [1038896816, 4099356745], [980683688, 2277133135]],
        "fold_in": [2184174600, 1935394093],
        "uint8": [[59, 249], [231, 31]],
        "uint16": [[55611, 30457], [16615, 11807]],
        "uint32": [[2750142779, 3384506105], [3184410855, 2030317087]],
        "uint64": [
            [11921392564426150491, 4462027852737886281],
            [4212004369957800783, 8035997017941587625],
        ],
    },
    -1: {
        "key": [ALL_ONES, ALL_ONES],
        "split": [[1094285764, 1314454335], [1355514454, 2365093262], [399813750, 1719144391]],
        "fold_in": [921105589, 916768269],
        "uint8": [[251, 216], [177, 107]],
        "uint16": [[33531, 63448], [41905, 20331]],
        "uint32": [[258048763, 3694393304], [1907139505, 1506496363]],
        "uint64": [
            [4699921570172828479, 5821890251550389646],
            [1717186982460264391, 6849241744987794047],
        ],
    },
}


@pytest.mark.parametrize(("key", "counter", "words"), KNOWN)
def test_known_answers_of_random123(key: Any, counter: Any, words: Any) -> None:
    operands = [np.array(x, np.uint32) for x in (*key, *counter)]
    found = [int(apply(f"threefry_{name}", *operands)) for name in ("first", "second")]
    assert found == list(words)


@pytest.mark.parametrize("seed", JAX)
@pytest.mark.parametrize("traced", [False, True])
def test_the_same_as_jax(seed: int, traced: bool) -> None:
    expected = JAX[seed]
    key = random.key(seed)
    assert key.dtype == np.uint32 and key.tolist() == expected["key"]

    def all_of(key: Any) -> Any:
        whole = [random.bits(key, (2, 2), name) for name in list(expected)[3:]]
        return random.split(key, 3), random.fold_in(key, 7), whole

    split, folded, whole = (graphc.jit(all_of) if traced else all_of)(key)
    assert split.tolist() == expected["split"] and folded.tolist() == expected["fold_in"]
    for name, found in zip(list(expected)[3:], whole, strict=True):
        assert found.dtype == name and found.tolist() == expected[name]


def test_a_traced_seed_and_a_traced_number_make_the_same_keys() -> None:
    make = graphc.jit(lambda seed, data: random.fold_in(random.key(seed), data))
    for seed in (0, 7, 2**40 + 7, -1):
        found = make(np.int64(seed), np.int32(5))
        assert found.tolist() == random.fold_in(random.key(seed), 5).tolist()


def test_split_takes_a_shape() -> None:
    key = random.key(1)
    assert random.split(key, (2, 3)).shape == (2, 3, 2)
    assert random.split(key, (2, 3)).reshape(6, 2).tolist() == random.split(key, 6).tolist()


def test_elements_beyond_2_to_the_32_have_counters_of_their_own() -> None:
    """The upper word of a position counts too (evaluated at single places, not as an array)."""
    key = random.key(3)
    low = random.keys.plain_words(key, np.array([5, 2**32 + 5], np.uint64))
    assert low[0].tolist() != low[1].tolist()

    def far(key: Any) -> Any:
        return random.bits(key, (2**33 + 8,))[2**33 + 3 :]

    words = random.keys.plain_words(key, np.arange(2**33 + 3, 2**33 + 8, dtype=np.uint64))
    assert graphc.jit(far)(key).tolist() == (words[:, 0] ^ words[:, 1]).tolist()


# -------------------------------------------------------------------------------------- everywhere


def graph_of(count: int = 1003) -> Graph:
    def draw(key: Any) -> Any:
        whole = random.bits(key, (count,)), random.bits(key, (17, 5), np.uint64)
        real = random.uniform(key, (count,), np.float32), random.uniform(key, (count,))
        small = random.uniform(key, (33,), np.float16), random.bernoulli(key, 0.3, (count,))
        return *whole, *real, *small, random.randint(key, (count,), -5, 1000)

    return graphc.jit(draw).trace(random.key(0)).graph


def same(found: Any, expected: Any) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes()


@X86
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_same_bits_in_any_number_of_lanes(target: Any) -> None:
    if not has(target):
        pytest.skip("this processor cannot run it")
    graph, key = graph_of(), random.key(9)
    same(compiled(graph, passes=True, target=target)(key), evaluate(graph, [key]))


@needs_gcc
def test_the_same_bits_on_cuda() -> None:
    graph, key = graph_of(), random.key(9)
    kernels = cuda_graphs.graph_kernels(graph)
    (programs,) = cuda_graphs.build([kernels])
    for backwards in (False, True):
        same(cuda_graphs.run(kernels, programs, [key], backwards), evaluate(graph, [key]))


def test_the_same_bits_on_any_number_of_threads() -> None:
    before, key = graphc_runtime.get_threads(), random.key(4)
    found = []
    try:
        for threads in (1, 2, 5):
            graphc_runtime.set_threads(threads)
            draws = random.normal(key, (300_000,), np.float32), random.gamma(key, 0.7, (20_000,))
            found.append(tuple(d.tobytes() for d in draws))
    finally:
        graphc_runtime.set_threads(before)
    assert len(set(found)) == 1


def test_vmap_over_keys_is_a_call_for_each() -> None:
    keys = random.split(random.key(2), 5)
    for draw in (
        lambda k: random.normal(k, (3,)),
        lambda k: random.gamma(k, 0.5, (3,)),
        lambda k: random.permutation(k, 7),
        lambda k: random.randint(k, (4,), 0, 100),
        lambda k: random.split(k, 2),
    ):
        found = graphc.jit(graphc.vmap(draw))(keys)
        np.testing.assert_array_equal(found, np.stack([draw(k) for k in keys]))


def test_symbolic_extents() -> None:
    def noisy(x: Any, key: Any) -> Any:
        return x + random.uniform(key, x.shape, np.float32)

    f, key = graphc.jit(noisy, dims={"x": ("n", 3)}), random.key(8)
    for n in (1, 6):
        x = np.zeros((n, 3), np.float32)
        np.testing.assert_array_equal(f(x, key), random.uniform(key, (n, 3), np.float32))


# ----------------------------------------------------------------------------------------- refused


def test_what_is_no_key_is_refused() -> None:
    for wrong in (0, np.zeros(2, np.int64), np.zeros((3, 2), np.uint32)):
        with pytest.raises(TypeMismatch, match=r"a key is u32\[2\]"):
            random.uniform(wrong, (3,))
        with pytest.raises(TypeMismatch, match=r"a key is u32\[2\]"):
            graphc.jit(lambda w: random.uniform(w, (3,)))(wrong)
    with pytest.raises(TypeMismatch, match="a seed is an integer, got float"):
        random.key(1.0)
    with pytest.raises(OverflowError, match="does not fit 64 bits"):
        random.key(2**64)
    with pytest.raises(TypeMismatch, match="bits are unsigned integers"):
        random.bits(random.key(0), (3,), np.int32)
    with pytest.raises(TypeMismatch, match="is a float dtype, not i32"):
        random.uniform(random.key(0), (3,), np.int32)


def test_numpy_random_in_a_trace_names_graphc_random() -> None:
    with pytest.raises(GraphcError, match=r"graphc\.random\.normal\(key, shape\)"):
        graphc.jit(lambda x: x + np.random.normal(size=3))(np.ones(3))
    with pytest.raises(AttributeError, match=r"use graphc\.random"):
        graphc.numpy.random.normal()
