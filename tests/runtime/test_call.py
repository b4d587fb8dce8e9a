"""Calls of compiled callables, on the native path and, where the meaning is the same, on the
fallback."""

from __future__ import annotations

import ctypes
import gc
import threading
import tracemalloc
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

F4, F8, I8 = np.dtype("f4"), np.dtype("f8"), np.dtype("i8")

KERNELS = Path(__file__).with_name("kernels.ll").read_text()


@pytest.fixture(scope="module")
def kernels(build: Callable[..., bytes], native: Any) -> Any:
    return native.load(build(KERNELS))


class Caller:
    """Makes callables of one kind, native or fallback, that note what they missed."""

    def __init__(self, runtime: Any, kernels: Any, kind: type) -> None:
        self.runtime, self.kernels, self.kind = runtime, kernels, kind
        self.missed: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def miss(self, *args: Any, **kwargs: Any) -> str:
        self.missed.append((args, kwargs))
        return "missed"

    def new(self, error: Callable[..., Any] | None = None) -> Any:
        return self.kind(self.miss, error) if error else self.kind(self.miss)

    def spec(self, arguments: Any, outputs: Any, entry: str, shapes: str = "", **rest: Any) -> Any:
        where = self.kernels.address
        shape = {"shapes": where(shapes)} if shapes else {}
        rest.setdefault("keep", self.kernels)
        return self.runtime.Specialization(
            tuple(arguments), tuple(outputs), where(entry), **shape, **rest
        )

    def make(self, *args: Any, error: Callable[..., Any] | None = None, **rest: Any) -> Any:
        function = self.new(error)
        self.runtime.add_specialization(function, self.spec(*args, **rest))
        return function

    def array(self, dtype: np.dtype, *shape: Any, **rest: Any) -> Any:
        return self.runtime.ArgumentSpec("array", dtype, shape, **rest)

    def output(self, dtype: np.dtype, *shape: Any, **rest: Any) -> Any:
        return self.runtime.OutputSpec(dtype, shape, **rest)

    def adder(self, **rest: Any) -> Any:
        x = self.array(F4, "n")
        return self.make([x, x], [self.output(F4, "n")], "add", symbols=("n",), **rest)


@pytest.fixture(params=["native", "fallback"])
def caller(request: pytest.FixtureRequest, native: Any, kernels: Any) -> Caller:
    kind = native.compiled_type() if request.param == "native" else native.fallback.Compiled
    return Caller(native, kernels, kind)


@pytest.fixture
def fast(native: Any, kernels: Any) -> Caller:
    return Caller(native, kernels, native.compiled_type())


# -------------------------------------------------------------------------------------- matching
@pytest.mark.parametrize("n", [0, 1, 2, 8, 1000, 70_000, 600_000])
def test_values(caller: Caller, n: int) -> None:
    f = caller.adder()
    x, y = np.arange(n, dtype=F4), np.ones(n, F4)
    for _ in range(3):
        r = f(x, y)
        assert type(r) is np.ndarray and r.dtype == F4 and r.shape == (n,)
        assert r.flags.owndata and r.flags.c_contiguous and r.flags.writeable
        np.testing.assert_array_equal(r, x + y)
    assert not caller.missed
    assert caller.runtime.call_statistics(f) == (1, 3, 0)


def test_misses(caller: Caller) -> None:
    f = caller.adder()
    x = np.ones(8, F4)

    class Sub(np.ndarray):
        pass

    unaligned = np.frombuffer(bytes(33), np.uint8)[1:].view(F4)
    misses = [
        (x,), (x, x, x), (), (x, x.astype(F8)), (x, x[:4]), (x[::2], x[::2]), (x, x.reshape(2, 4)),
        (x, 1.0), (x, list(x)), (x, None), (x, x.view(Sub)), (x, x.astype(">f4")), (x, x[::-1]),
        (unaligned, unaligned),
        (x[0], x[0]), (x, x.view("i4")), (np.float32(1), x),
    ]  # fmt: skip
    for args in misses:
        assert f(*args) == "missed", args
        assert caller.missed[-1][0] is not None and len(caller.missed[-1][0]) == len(args)
        assert all(a is b for a, b in zip(caller.missed[-1][0], args, strict=True))
    assert f(x, y=x) == "missed" and caller.missed[-1] == ((x,), {"y": x})
    assert f(x, x, **{}) is not None and len(caller.missed) == len(misses) + 1
    assert caller.runtime.call_statistics(f)[2] == len(misses) + 1


def test_empty_callable_and_exceptions_of_miss(caller: Caller) -> None:
    assert caller.new()(1, a=2) == "missed" and caller.missed == [((1,), {"a": 2})]

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise KeyError("mine")

    f = caller.kind(refuse)
    for _ in range(3):
        with pytest.raises(KeyError, match="mine"):
            f(1)


def test_most_recent_first_and_many(caller: Caller) -> None:
    f = caller.new()
    for n in range(1, 9):
        x = caller.array(F4, n)
        spec = caller.spec([x, x], [caller.output(F4, n)], "nothing")
        caller.runtime.add_specialization(f, spec)
    for n in [1, 8, 3, 3, 5, 1, 8, 2, 4, 6, 7]:
        assert f(np.ones(n, F4), np.ones(n, F4)).shape == (n,)
    assert f(np.ones(9, F4), np.ones(9, F4)) == "missed"
    assert caller.runtime.call_statistics(f) == (8, 11, 1)
    caller.runtime.clear_specializations(f)
    assert f(np.ones(1, F4), np.ones(1, F4)) == "missed"


def test_symbols_have_to_agree(caller: Caller) -> None:
    x, y = caller.array(F4, "n", "m"), caller.array(F4, "m", "n")
    f = caller.make([x, y], [caller.output(F4, "m", 3, "n")], "nothing", symbols=("n", "m"))
    assert f(np.ones((2, 5), F4), np.ones((5, 2), F4)).shape == (5, 3, 2)
    assert f(np.ones((2, 5), F4), np.ones((2, 5), F4)) == "missed"
    assert f(np.ones((2, 0), F4), np.ones((0, 2), F4)).shape == (0, 3, 2)
    square = caller.make(
        [caller.array(F4, "n", "n")], [caller.output(F4)], "nothing", symbols=("n",)
    )
    assert square(np.ones((3, 3), F4)).shape == () and square(np.ones((3, 4), F4)) == "missed"


@pytest.mark.parametrize("kind", ["l", "q", "L", "Q"])
def test_integers_of_one_width_are_one_dtype(fast: Caller, kind: str) -> None:
    wanted = np.dtype("i8" if kind in "lq" else "u8")
    f = fast.make([fast.array(wanted, "n")], [fast.output(F4, "n")], "nothing", symbols=("n",))
    assert f(np.ones(3, kind)).shape == (3,)
    assert f(np.ones(3, "f8")) == "missed"


def test_strides(caller: Caller) -> None:
    x = caller.array(F4, "n", "m", strided=True)
    f = caller.make([x], [caller.output(F4, "n", "m")], "copy", symbols=("n", "m"))
    a = np.arange(48, dtype=F4).reshape(6, 8)
    for view in (
        a,
        a.T,
        a[::2],
        a[::-1, ::-2],
        a[1:1],
        a[:, 3:4],
        np.broadcast_to(a[0], (5, 8)),
        a[:1, ::3],
    ):
        np.testing.assert_array_equal(f(view), view)
    assert not caller.missed
    odd = np.zeros((3, 3), [("a", "u1"), ("x", "u4"), ("b", "u1", 3)])["x"].view(F4)
    records = np.zeros(
        (3, 3), np.dtype({"names": ["x"], "formats": ["f4"], "offsets": [0], "itemsize": 6})
    )["x"]
    assert f(odd) == "missed" or odd.flags.aligned
    assert f(records) == "missed"


def test_scalars(caller: Caller) -> None:
    kinds = [caller.runtime.ArgumentSpec(k) for k in ("float", "int", "bool", "complex")]
    f = caller.make(kinds, [caller.output(F8, 5)], "scalars")
    assert f(1.5, -3, True, 2 - 4j).tolist() == [1.5, -3, 1, 2, -4]
    assert f(float("inf"), 2**62, False, 1j).tolist() == [np.inf, 2.0**62, 0, 0, 1]
    for bad in [(1, 1, True, 1j), (1.0, True, True, 1j), (1.0, 1, 1, 1j), (1.0, 1, True, 1.0),
                (1.0, 2**63, True, 1j),
                (np.float64(1), 1, True, 1j), (1.0, -(2**70), True, 1j)]:  # fmt: skip
        assert f(*bad) == "missed"


def test_static_arguments_have_no_buffer(caller: Caller) -> None:
    x, static = caller.array(F4, "n"), caller.runtime.ArgumentSpec
    for value, equal, other in [
        (3, 3, 4), (10**6, int("1000000"), 5), ("sum", "".join(["s", "um"]), "max"),
        (None, None, 0), (1, 1, True), (1, 1, 1.0), ((1, 2), None, (1, 2, 3)),
    ]:  # fmt: skip
        arguments = [static("static", value=value), x, static("static", value=value), x]
        f = caller.make(arguments, [caller.output(F4, "n")], "add", symbols=("n",))
        same = value if equal is None else equal
        assert f(value, np.ones(2, F4), same, np.ones(2, F4)).tolist() == [2, 2]
        assert f(value, np.ones(2, F4), other, np.ones(2, F4)) == "missed"


def test_keywords(caller: Caller) -> None:
    x, axis = caller.array(F4, "n"), caller.runtime.ArgumentSpec("static", value=1)
    f = caller.new()
    for names in (("y",), ("y", "axis"), ("x", "y", "axis")):
        arguments = [x, x, axis][: 2 if len(names) == 1 else 3]
        spec = caller.spec(
            arguments, [caller.output(F4, "n")], "add", symbols=("n",), keywords=names
        )
        caller.runtime.add_specialization(f, spec)
    one = np.ones(2, F4)
    assert f(one, y=one).tolist() == f(one, y=one, axis=1).tolist() == [2, 2]
    assert f(x=one, y=one, axis=1).tolist() == [2, 2]
    assert f(one, one) == f(one, z=one) == f(one, y=one, axis=2) == f(y=one) == "missed"
    assert f(one, axis=1, y=one) == "missed"  # another order: another specialization
    assert caller.missed[-1][0][0] is one and list(caller.missed[-1][1]) == ["axis", "y"]


# --------------------------------------------------------------------------------------- results
def test_result_forms(caller: Caller) -> None:
    x, o = caller.array(F4, "n"), [caller.output(F4, "n"), caller.output(I8)]
    data = np.ones(3, F4)

    def call(outputs: Any, result: Any) -> Any:
        return caller.make([x], outputs, "nothing", symbols=("n",), result=result)(data)

    assert type(call(o, "tuple")) is tuple and len(call(o, "tuple")) == 2
    assert type(call(o, "list")) is list and [r.shape for r in call(o, "list")] == [(3,), ()]
    assert call([], "tuple") == () and call([], "list") == []
    assert call(o, lambda made: {"a": made[0], "b": made[1]})["a"].shape == (3,)
    with pytest.raises(ZeroDivisionError):
        call(o, lambda made: 1 / 0)
    scalar = call([caller.output(I8, scalar=True)], "single")
    assert type(scalar) is np.int64
    assert type(call([caller.output(I8)], "single")) is np.ndarray


def test_donated_argument_comes_back(caller: Caller) -> None:
    x, out = caller.array(F4, 4, donated=True), caller.output(F4, 4, alias=0)
    f = caller.make([x], [out], "bump")
    data = np.zeros(4, F4)
    assert f(data) is data and data[0] == 1
    data.flags.writeable = False
    assert f(data) == "missed"
    y = caller.array(F4, 4)
    g = caller.make([x, y], [out], "nothing")
    a, wide = np.zeros(4, F4), np.zeros(12, F4)
    assert g(a, np.zeros(4, F4)) is a
    assert g(a, a) == "missed" and g(wide[0:4], wide[3:7]) == "missed"
    assert type(g(wide[0:4], wide[4:8])) is np.ndarray


def test_error_codes(caller: Caller) -> None:
    seen = []

    def explain(code: int, outputs: list[Any]) -> None:
        seen.append((code, [o.shape for o in outputs]))
        raise FloatingPointError("explained")

    out = [caller.output(F4, 2), caller.output(F4)]
    f = caller.make([], out, "fails", result="tuple", error=explain)
    with pytest.raises(FloatingPointError, match="explained"):
        f()
    assert seen == [(7, [(2,), ()])]
    for silent in (None, lambda code, outputs: None):
        with pytest.raises(RuntimeError, match="error code 7"):
            caller.make([], out, "fails", result="tuple", error=silent)()


def test_shapes_function(caller: Caller) -> None:
    x = caller.array(F4, "n", "m")
    out = [caller.output(F4, None), caller.output(F4, "m")]
    f = caller.make([x], out, "nothing", "shapes", symbols=("n", "m"), result="tuple")
    assert [r.shape for r in f(np.ones((4, 3), F4))] == [(12,), (3,)]
    assert f(np.ones((3, 3), F4)) == "missed"


@pytest.mark.parametrize("words", [1, 512, 513, 40_000, 500_000])
def test_arena(caller: Caller, words: int) -> None:
    x = caller.array(F4, "n")
    f = caller.make([x], [caller.output(I8, 3)], "arena", symbols=("n",), arena_bytes=8 * words)
    for _ in range(2):
        address, last, workers = f(np.zeros(words, F4)).tolist()
        assert address % 64 == 0 and last == words - 1 and workers == caller.runtime.get_threads()
    per_worker = {"arena_bytes": 64, "arena_worker_bytes": 8 * words}
    g = caller.make([x], [caller.output(I8, 3)], "arena", symbols=("n",), **per_worker)
    assert g(np.zeros(words, F4))[1] == words - 1


def test_out_of_memory(caller: Caller) -> None:
    f = caller.make([], [caller.output(F4, 1 << 50)], "nothing")
    g = caller.make([], [caller.output(F4)], "nothing", arena_bytes=1 << 50)
    for call in (f, g):
        with pytest.raises(MemoryError, match=r"(?i)allocate"):
            call()
    h = caller.make(
        [], [caller.output(F4, 2), caller.output(F4, 1 << 50)], "nothing", result="list"
    )
    with pytest.raises(MemoryError):
        h()


def test_many_arguments(caller: Caller) -> None:
    """More than fit in a frame on the stack."""
    x = [caller.array(F4, "n", 2, strided=True) for _ in range(300)]
    out = [caller.output(F4, "n", 2) for _ in range(200)]
    f = caller.make(x, out, "nothing", symbols=("n",), result="tuple")
    made = f(*[np.ones((3, 2), F4)] * 300)
    assert len(made) == 200 and {m.shape for m in made} == {(3, 2)}


def test_rank_64_and_0(caller: Caller) -> None:
    high = (1,) * 60 + (2, 1, 3, 1)
    f = caller.make(
        [caller.array(F4, *high), caller.array(F4)], [caller.output(F4, *high)], "nothing"
    )
    assert f(np.ones(high, F4), np.array(1, F4)).shape == high


# ------------------------------------------------------------------------------------ the object
def test_it_is_an_object_like_others(caller: Caller) -> None:
    f = caller.adder()
    f.note = 3
    assert f.__dict__["note"] == 3 and f.note == 3
    assert weakref.ref(f)() is f and callable(f) and gc.is_tracked(f)

    class Model:
        call = f

    model = Model()
    assert Model.call is f
    assert isinstance(model.call, types.MethodType) and model.call.__self__ is model
    assert model.call(5, k=6) == "missed"
    assert caller.missed[-1] == ((model, 5), {"k": 6})


def test_methods_attached_to_the_type(fast: Caller) -> None:
    kind = fast.kind
    kind.explain_for_test = lambda self, n: (self, n)
    try:
        f = fast.adder()
        assert f.explain_for_test(4) == (f, 4)
        assert f(np.ones(2, F4), np.ones(2, F4)).tolist() == [2, 2]
    finally:
        del kind.explain_for_test


def test_a_python_subclass(fast: Caller) -> None:
    class Special(fast.kind):  # type: ignore[misc, name-defined]
        """A subclass has its own attributes; its calls may be slower."""

        def twice(self, x: Any) -> tuple[Any, Any]:
            return self(x), self(x)

    f = Special(fast.miss)
    x = fast.array(F4, "n")
    spec = fast.spec([x, x], [fast.output(F4, "n")], "add", symbols=("n",))
    fast.runtime.add_specialization(f, spec)
    assert f(np.ones(2, F4), np.ones(2, F4)).tolist() == [2, 2]
    assert f.twice(1) == ("missed", "missed")
    f.self, gone = f, weakref.ref(f)
    del f
    gc.collect()
    assert gone() is None


def test_construction_is_checked(fast: Caller) -> None:
    for args in ((), (1, 2, 3)):
        with pytest.raises(TypeError, match="one or two"):
            fast.kind(*args)
    with pytest.raises(TypeError, match="no compiled callable"):
        fast.runtime.add_specialization(len, fast.spec([], [], "nothing", result="tuple"))


def test_a_cycle_is_collected(caller: Caller) -> None:
    f = caller.adder()
    f.self = f
    owner = types.SimpleNamespace(f=f)
    spec = caller.spec([], [caller.output(F4)], "nothing", keep=owner)
    caller.runtime.add_specialization(f, spec)
    gone = weakref.ref(f)
    del f, owner, spec
    gc.collect()
    assert gone() is None


def test_contradictions_are_refused(native: Any) -> None:
    array, out, make = native.ArgumentSpec, native.OutputSpec, native.Specialization
    x = array("array", F4, ("n",))
    for args, rest in [
        (((x,), (out(F4, ("n",)),), 1), {}),
        (((x,), (out(F4, ("m",)),), 1), {"symbols": ("n",)}),
        (((x,), (out(F4, (None,)),), 1), {"symbols": ("n",)}),
        (((x,), (out(F4, ("n",), alias=0),), 1), {"symbols": ("n",)}),
        (((), (), 1), {}),
        (((), (out(F4, ()),), 0), {}),
        (((array("array", np.dtype(">f4")),), (out(F4, ()),), 1), {}),
        (((array("array", np.dtype("O")),), (out(F4, ()),), 1), {}),
        (((array("float", F4),), (out(F4, ()),), 1), {}),
        (((array("text"),), (out(F4, ()),), 1), {}),  # type: ignore[arg-type]
        (((), (out(F4, (-1,)),), 1), {}),
    ]:
        with pytest.raises(native.SpecializationError):
            make(*args, **rest)


# -------------------------------------------------------------------------- threads and references
def test_threads_at_once(fast: Caller) -> None:
    f = fast.adder(release_gil_bytes=0)
    wrong: list[int] = []

    def work(seed: int) -> None:
        for n in (5, 1000, 100_000):
            x, y = np.full(n, seed, F4), np.arange(n, dtype=F4)
            expected = x + y
            wrong.extend(n for _ in range(60) if not (f(x, y) == expected).all())

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not wrong and not fast.missed


def test_miss_adds_while_others_call(caller: Caller) -> None:
    """`miss` compiles for the shape that came, as the compiler does, from several threads."""

    def miss(a: Any, b: Any) -> Any:
        n = len(a)
        x = caller.array(F4, n)
        add_symbol = caller.array(F4, "n")
        del x
        caller.runtime.add_specialization(
            f,
            caller.spec([add_symbol, add_symbol], [caller.output(F4, "n")], "add", symbols=("n",)),
        )
        return f(a, b)

    f = caller.kind(miss)
    wrong: list[int] = []

    def work() -> None:
        for i in range(40):
            if i % 10 == 9:
                caller.runtime.clear_specializations(f)
            x = np.ones(i + 1, F4)
            if f(x, x).tolist() != [2.0] * (i + 1):
                wrong.append(i)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not wrong


@pytest.fixture
def steady() -> Iterator[Callable[[Callable[[], Any], list[Any]], None]]:
    import sys

    def check(call: Callable[[], Any], objects: list[Any]) -> None:
        for _ in range(100):
            call()
        gc.collect()
        before = [sys.getrefcount(o) for o in objects]
        tracemalloc.start()
        try:
            call()
            start = tracemalloc.get_traced_memory()[0]
            for _ in range(20_000):
                call()
            grown = tracemalloc.get_traced_memory()[0] - start
        finally:
            tracemalloc.stop()
        after = [sys.getrefcount(o) for o in objects]
        assert grown < 20_000, grown
        assert all(abs(a - b) <= 3 for a, b in zip(before, after, strict=True)), (before, after)

    yield check


def test_no_reference_leaks(fast: Caller, steady: Callable[..., None]) -> None:
    x, wide = np.ones(8, F4), np.ones(1 << 17, F4)
    miss, dtype = fast.miss, F4
    add, gil = fast.adder(), fast.adder(release_gil_bytes=0)
    named = fast.make(
        [fast.array(F4, 8), fast.runtime.ArgumentSpec("static", value=10**9)],
        [fast.output(F4, 8)],
        "nothing",
        keywords=("n",),
    )
    watched = [x, wide, F4, I8, add, gil, miss, dtype, None, True, np.ndarray]
    steady(lambda: add(x, x), watched)
    steady(lambda: gil(x, x), watched)
    steady(lambda: named(x, n=10**9), watched)
    steady(lambda: (add(x), fast.missed.clear()), watched)
    many = fast.make(
        [fast.array(F4, 8)],
        [fast.output(F4, 8), fast.output(I8, scalar=True)],
        "nothing",
        result="tuple",
    )
    steady(lambda: many(x), [*watched, many])
    called = fast.make([fast.array(F4, 8)], [fast.output(F4, 8)] * 2, "nothing", result=len)
    steady(lambda: called(x), [*watched, called])
    donated = fast.make([fast.array(F4, 8, donated=True)], [fast.output(F4, 8, alias=0)], "nothing")
    steady(lambda: donated(x), [*watched, donated])

    def explain(code: int, outputs: list[Any]) -> None:
        raise ValueError

    fails = fast.make(
        [fast.array(F4, 8)], [fast.output(F4, 8)] * 2, "fails", result="list", error=explain
    )

    def failing() -> None:
        with pytest.raises(ValueError):
            fails(x)

    for _ in range(50):
        failing()
    steady(lambda: types.MethodType(add, x)(x), watched)


def test_memory_does_not_grow(fast: Caller) -> None:
    """Over 100 000 calls, by the pages that the process holds: blocks outside Python's view too."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    x = fast.array(F4, "n")
    out = [fast.output(F4, "n"), fast.output(F4, "n")]
    f = fast.make([x], out, "nothing", symbols=("n",), result="tuple", arena_bytes=10_000)
    small, large = np.ones(8, F4), np.ones(50_000, F4)
    for _ in range(2000):
        f(small), f(large)
    before = resident()
    for _ in range(100_000):
        f(small)
    for _ in range(10_000):
        f(large)
    assert resident() - before < 2 << 20
    for n in range(300):  # specializations die with their callable
        g = fast.adder()
        g.n = n
    before = resident()
    for _ in range(20_000):
        fast.adder()
    assert resident() - before < 4 << 20


def test_large_outputs_are_reused(fast: Caller) -> None:
    f = fast.adder()
    x = np.ones(1 << 20, F4)
    fast.runtime.trim_pool()
    first = f(x, x)
    address = first.ctypes.data
    assert address % (1 << 21) == 0 and first.flags.owndata
    live = fast.runtime.pool_statistics().live_bytes
    assert live >= first.nbytes
    del first
    before = fast.runtime.pool_statistics().reused
    for _ in range(50):
        again = f(x, x)
        assert again.ctypes.data == address
        del again
    assert fast.runtime.pool_statistics().reused == before + 50
    kept = [f(x, x) for _ in range(3)]
    assert len({k.ctypes.data for k in kept}) == 3
    kept[0].resize(2_000_000, refcheck=False)  # goes through our realloc
    assert kept[0][: 1 << 20].min() == 2.0
    view = kept[1][5:]
    del kept
    assert view.sum() == 2.0 * len(view)


def test_large_outputs_are_as_numpy_makes_them(fast: Caller) -> None:
    """The allocator is set around our own allocation only."""
    from numpy._core.multiarray import get_handler_name

    usual = get_handler_name()
    r = fast.adder()(np.ones(1 << 18, F4), np.ones(1 << 18, F4))
    assert get_handler_name(r) == "graphc" and get_handler_name() == usual
    assert get_handler_name(np.ones(1 << 18, F4)) == usual
    assert get_handler_name(r + r) == usual


def test_runtime_pointer(native: Any) -> None:
    address, owner, workers = native.runtime_pointer()
    assert ctypes.c_int64.from_address(address + 8).value == workers
    assert workers == native.get_threads() and owner is not None


def test_path_says_why(native: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert native.path() == native.CallPath("native")
    monkeypatch.setattr(native.call, "_native", None)
    monkeypatch.setattr(native.call, "_path", native.path())
    monkeypatch.setattr(native.call, "_OFFSETS", {**native.call._OFFSETS, "dims": 40})
    with pytest.warns(UserWarning, match="elsewhere"):
        found = native.install(b"")
    assert found.name == "fallback" and "dims" in found.reason
    assert native.compiled_type() is native.fallback.Compiled
