"""`jit(tune=True)`: what wins, when nothing is measured, and what is believed. Times are made up by
a clock that trials advance.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import graphc_runtime
import numpy as np
import pytest

import graphc
from graphc import cache, environment, measuring, tuning
from graphc import compile as road
from graphc.backends import Evaluator
from graphc.codegen.target import Target
from graphc.errors import BuildError, GraphcError
from graphc.jit import set_backend
from graphc.loops.choice import ESTIMATE, Choice
from graphc.types import F32, F64, I32, TensorType
from tests.codegen.test_programs import PROGRAMS

RNG = np.random.default_rng(3)
A, B = (RNG.random((96, 96), np.float32) for _ in range(2))
Times = Callable[[Choice, int], float]


class Lab:
    """Trials that take the time that `times` says, by a clock of their own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.times: Times = lambda choice, m: 1e-3
        self.build_seconds = 0.0
        self.built: list[tuple[Choice, int]] = []
        self.operands: list[measuring.Operands] = []

    def clock(self) -> float:
        return self.now

    def trial(self, lowered: road.Lowered, operands: measuring.Operands) -> measuring.Trial:
        fixed = lowered.tuner
        assert isinstance(fixed, tuning.Fixed)
        self.built.append((fixed.choice, fixed.m))
        self.operands.append(operands)
        self.now += self.build_seconds

        def run() -> None:
            self.now += self.times(fixed.choice, fixed.m)

        return run


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    """A laboratory, an empty cache on disk, and a process that knows nothing."""
    made = Lab()
    monkeypatch.setattr(measuring, "clock", made.clock)
    monkeypatch.setattr(measuring, "trial", made.trial)
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    tuning.forget()
    yield made
    tuning.forget()


def product(a: Any, b: Any) -> Any:
    return a @ b


def tuned(function: Any, *args: Any) -> Any:
    """The only record of a tuned function."""
    (record,) = graphc.jit(function, tune=True).lower(*args).tuning
    return record


def wide_is_slow(choice: Choice, m: int) -> float:
    return 0.5e-3 if choice.width == 1 else 1e-3


# ---------------------------------------------------------------------------------------- winners


def test_the_best_candidate_wins(lab: Lab) -> None:
    lab.times = wide_is_slow
    f = graphc.jit(product, tune=True)
    np.testing.assert_allclose(f(A, B), A @ B, rtol=1e-5)
    record = tuned(product, A, B)
    assert record.chosen.startswith("tile of") and "1 registers" in record.chosen
    assert record.candidates[0].what == "the estimate"
    assert record.candidates[0].seconds == pytest.approx(1e-3)
    assert {c.what for c in record.candidates if c.seconds < 0.9e-3} >= {record.chosen}
    lowered = f.lower(A, B)
    default = graphc.jit(product).lower(A, B)
    assert lowered.text("schedule") != default.text("schedule")
    assert lowered.text("loops") == default.text("loops")


def test_steps_add_up(lab: Lab) -> None:
    """A later step keeps what an earlier one found."""
    a, b = RNG.random((96, 2000), np.float32), RNG.random((2000, 96), np.float32)

    def times(choice: Choice, m: int) -> float:
        return 1e-3 - 1e-4 * (choice.width == 1) - 1e-4 * (choice.terms == 128)

    lab.times = times
    record = tuned(product, a, b)
    assert "1 registers" in record.chosen and "slices of 128 terms" in record.chosen
    assert min(c.seconds for c in record.candidates) == pytest.approx(8e-4)


@pytest.mark.parametrize("gain", [0.015, 0.025])
def test_a_winner_gains_two_percent(lab: Lab, gain: float) -> None:
    lab.times = lambda choice, m: 1e-3 * (1 if choice == ESTIMATE else 1 - gain)
    record = tuned(product, A, B)
    assert (record.chosen == "the estimate") == (gain < tuning.GAIN)
    assert len(record.candidates) > 3


def test_luck_does_not_win(lab: Lab) -> None:
    """What was fast once and is not when it meets the estimate again stays out."""
    runs = 0

    def times(choice: Choice, m: int) -> float:
        nonlocal runs
        runs += choice.width == 1
        return 0.5e-3 if choice.width == 1 and runs < 10 else 1e-3

    lab.times = times
    assert tuned(product, A, B).chosen == "the estimate"


def test_what_cannot_be_built_is_no_candidate(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.times = wide_is_slow

    def trial(lowered: Any, operands: Any) -> measuring.Trial:
        if lowered.tuner.choice.width == 1:
            raise BuildError("no")
        return lab.trial(lowered, operands)

    monkeypatch.setattr(measuring, "trial", trial)
    record = tuned(product, A, B)
    assert record.chosen == "the estimate"
    assert all("1 registers" not in c.what for c in record.candidates)


def test_maps_are_tuned_in_lanes(lab: Lab) -> None:
    lab.times = lambda choice, m: 1e-3 - 1e-4 * choice.lanes
    x = RNG.random(100_000)
    record = tuned(lambda x: np.exp(x) * x, x)
    assert record.chosen == "4 registers of lanes" or record.chosen == "2 registers of lanes"
    f = graphc.jit(lambda x: np.exp(x) * x, tune=True)
    np.testing.assert_allclose(f(x), np.exp(x) * x, rtol=1e-14)


def test_small_kernels_are_left_alone(lab: Lab) -> None:
    f = graphc.jit(product, tune=True)
    small = A[:8, :8].copy()
    f(small, small)
    assert not lab.built and f.lower(small, small).tuning == ()
    assert "no kernel is worth measuring" in f.explain(small, small)


# ---------------------------------------------------------------------------------- convolutions

IMAGE = RNG.random((1, 14, 14, 64), np.float32)
FILTER = RNG.random((3, 3, 64, 64), np.float32)


def convolution(x: Any, w: Any) -> Any:
    return graphc.nn.conv(x, w, padding="same")


def edge_of(lab: Lab, direct: float, two: float, four: float) -> str:
    lab.times = lambda choice, m: {0: direct, 2: two, 4: four}[m]
    records = graphc.jit(convolution, tune=True).lower(IMAGE, FILTER).tuning
    assert records[0].kernel == "convolution"
    return records[0].chosen


@pytest.mark.parametrize(
    ("times", "chosen"),
    [
        ((3e-3, 1e-3, 2e-3), "Winograd F(2x2)"),
        ((3e-3, 2e-3, 1e-3), "Winograd F(4x4)"),
        ((1e-3, 2e-3, 2e-3), "direct"),
    ],
    ids=str,
)  # fmt: skip
def test_convolutions_are_direct_or_by_tiles(
    lab: Lab, times: tuple[float, float, float], chosen: str
) -> None:
    assert edge_of(lab, *times) == chosen
    wanted = graphc.jit(convolution, precision="direct")(IMAGE, FILTER)
    got = graphc.jit(convolution, tune=True)(IMAGE, FILTER)
    np.testing.assert_allclose(got, wanted, rtol=1e-4)


def test_tiles_must_be_worth_their_digits() -> None:
    best = tuning._best_edge
    assert best({0: 1.0, 2: 0.9, 4: 0.85}, 0) == 0, "faster, but not by enough"
    assert best({0: 1.0, 2: 0.9, 4: 0.75}, 0) == 4
    assert best({0: 1.0, 2: 0.9, 4: 0.89}, 2) == 2, "no 2 %"
    assert best({0: 1.0, 2: 0.9, 4: 0.8}, 2) == 4
    assert best({0: 1.0, 2: 1.01, 4: 1.2}, 2) == 2
    assert best({0: 1.0, 2: 1.1, 4: 1.2}, 2) == 0


def test_direct_precision_forbids_tiles(lab: Lab) -> None:
    lab.times = lambda choice, m: 1e-4 if m else 1e-3
    f = graphc.jit(convolution, tune=True, precision="direct")
    records = f.lower(IMAGE, FILTER).tuning
    assert all(r.kernel != "convolution" for r in records)
    assert all(m == 0 for _, m in lab.built)
    assert "tiles(" not in f.lower(IMAGE, FILTER).text("passes")


# -------------------------------------------------------------------------------------- the cache


def test_another_process_does_not_measure(lab: Lab) -> None:
    lab.times = wide_is_slow
    first = tuned(product, A, B)
    count = len(lab.built)
    assert first.source == "measured" and count > 3
    tuning.forget()  # as a new process
    again = tuned(product, A, B)
    assert len(lab.built) == count
    assert again == replace(first, source="disk cache")
    other = graphc.jit(lambda p, q: np.cumsum(p @ q, axis=0), tune=True)  # has the kernel too
    record = other.lower(A, B).tuning[0]
    assert record == replace(first, source="this process") and len(lab.built) == count


def test_a_warm_program_does_not_look(lab: Lab) -> None:
    lab.times = wide_is_slow
    graphc.jit(product, tune=True)(A, B)
    tuning.forget()
    store = road.disk_cache(environment.cache_folder())
    for one in store.list():
        entry = store.get(one.key)
        assert entry is not None
        if entry.meta["name"].startswith("tuning of"):
            store.discard(one.key)
    count = len(lab.built)
    f = graphc.jit(product, tune=True)
    np.testing.assert_allclose(f(A, B), A @ B, rtol=1e-5)
    assert len(lab.built) == count
    assert "1 registers" in f.explain(A, B), "the entry of the program says what was tuned"


def test_threads_and_sizes_have_entries_of_their_own(lab: Lab) -> None:
    before = graphc_runtime.get_threads()
    try:
        counts = []
        for threads in (1, 2, 1):
            graphc_runtime.set_threads(threads)
            tuned(product, A, B)
            counts.append(len(lab.built))
    finally:
        graphc_runtime.set_threads(before)
    assert 0 < counts[0] < counts[1] == counts[2]
    tuned(product, A[:90], B)
    assert len(lab.built) > counts[2]


def tuning_entry() -> tuple[cache.Cache, str, cache.Entry]:
    """The entry of the only kernel that was tuned."""
    store = road.disk_cache(environment.cache_folder())
    found = [(one.key, store.get(one.key)) for one in store.list()]
    ((key, entry),) = [(k, e) for k, e in found if e and e.meta["name"] == "tuning of dot"]
    return store, key, entry


@pytest.mark.parametrize(
    "damage",
    [
        {"value": {"height": 99, "width": 1}},
        {"value": {"height": True}},
        {"value": {"columns": "elsewhere"}},
        {"value": {"depth": 3}},
        {"value": 4},
        {"value": None},
        {"candidates": "none"},
        {"candidates": [["the estimate", "fast"]]},
        {"chosen": 3},
    ],
    ids=str,
)
def test_a_foreign_entry_is_measured_again(lab: Lab, damage: dict[str, Any]) -> None:
    tuned(product, A, B)
    store, key, entry = tuning_entry()
    store.put(key, cache.Entry({**entry.meta, **damage}))
    tuning.forget()
    count = len(lab.built)
    assert tuned(product, A, B).source == "measured" and len(lab.built) > count
    assert tuning_entry()[2].meta["value"] == {}, "and put right"


def test_a_damaged_entry_is_measured_again(lab: Lab) -> None:
    tuned(product, A, B)
    store, key, _ = tuning_entry()
    assert store.folder is not None
    path = store.folder / f"{key}.gcc"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    tuning.forget()
    assert tuned(product, A, B).source == "measured"


def test_a_lie_is_slow_and_not_wrong(lab: Lab) -> None:
    """What parses is taken where it is legal, and is no danger."""
    tuned(product, A, B)
    store, key, entry = tuning_entry()
    lie = {"height": 29, "width": 4, "block": 64, "terms": 1, "columns": "local", "rows": "packed"}
    store.put(key, cache.Entry({**entry.meta, "value": lie}))
    tuning.forget()
    f = graphc.jit(product, tune=True)
    np.testing.assert_allclose(f(A, B), A @ B, rtol=1e-5)
    assert tuned(product, A, B).source == "this process"


def test_without_a_disk_cache_it_is_measured_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", "off")
    graphc.jit(product, tune=True)(A, B)
    count = len(lab.built)
    assert count > 3
    graphc.jit(product, tune=True)(A, B)
    assert len(lab.built) == count


def test_the_command_line_knows_the_entries(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    from graphc import cli, doctor

    tuned(product, A, B)
    assert cli.main(["cache", "list"]) == 0
    assert "tuning of dot" in capsys.readouterr().out
    assert cli.main(["cache", "why", "tuning of dot"]) == 0
    shown = capsys.readouterr().out
    assert "chosen     the estimate" in shown and "tuned for" in shown
    (check,) = doctor._cache()
    assert "1 entries" in check.value and "1 of them tuned" in check.value
    assert cli.main(["cache", "clear"]) == 0
    tuning.forget()
    assert tuned(product, A, B).source == "measured"


# ----------------------------------------------------------------------------------------- sizes


def test_symbolic_extents_are_measured_at_the_first_call(lab: Lab) -> None:
    f = graphc.jit(product, tune=True, dims={"a": ("n", None)})
    np.testing.assert_allclose(f(A, B), A @ B, rtol=1e-5)
    assert {o.arrays[0].shape for o in lab.operands} == {(96, 96)}
    count = len(lab.built)
    np.testing.assert_allclose(f(A[:31].copy(), B), A[:31] @ B, rtol=1e-5)
    assert len(lab.built) == count > 3


def test_unknown_sizes_are_estimated_and_not_kept(lab: Lab) -> None:
    f = graphc.jit(product, tune=True)
    lowered = f.lower(graphc.spec("f32[n, 96]"), graphc.spec("f32[96, 96]"))
    (record,) = lowered.tuning
    assert not lab.built
    assert (record.chosen, record.source) == ("the estimate", "the sizes are not known")
    np.testing.assert_allclose(lowered.compile()(A, B), A @ B, rtol=1e-5)
    store = road.disk_cache(environment.cache_folder())
    assert not store.list(), "a later process may know them"


def test_strided_arguments_are_measured_as_they_lie(lab: Lab) -> None:
    f = graphc.jit(product, tune=True)
    np.testing.assert_allclose(f(A, B.T[::-1]), A @ B.T[::-1], rtol=1e-5)
    assert [o.arrays[1].strides for o in lab.operands[-1:]] == [(-4, 4 * 96)]


@pytest.mark.parametrize("dtype", [F32, F64, I32], ids=str)
def test_samples(dtype: Any) -> None:
    type = TensorType(dtype, (3, 4))
    for steps in ((), (4, 1), (1, 3), (-4, 1), (-8, -2), (0, 1)):
        made = measuring.sample(type, {}, steps)
        assert made.shape == (3, 4) and np.all((made >= 0) & (made <= 1.5))
        if steps:
            assert made.strides == tuple(s * dtype.nbytes for s in steps)


# ------------------------------------------------------------------------------- time and threads


def test_time_is_bounded(lab: Lab) -> None:
    lab.build_seconds = 1.0
    tuned(product, A, B)
    assert len(lab.built) <= tuning.KERNEL_SECONDS + 2


def test_few_candidates_of_a_long_kernel(lab: Lab) -> None:
    """The product of 2048 in f64 took 20 s: eight candidates ran four times each."""
    lab.times = lambda choice, m: 0.6
    record = tuned(product, A, B)
    assert lab.now < 2 * tuning.KERNEL_SECONDS and 2 <= len(record.candidates) <= 3


def test_a_program_with_many_kernels_stops_and_goes_on_later(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.build_seconds = 1.0
    monkeypatch.setattr(tuning, "PROGRAM_SECONDS", 3.0)

    def two(a: Any, b: Any) -> Any:
        return a @ b, a[:70] @ b

    sources = [r.source for r in graphc.jit(two, tune=True).lower(A, B).tuning]
    assert sorted(sources) == ["measured", "no time was left to measure"]
    sources = [r.source for r in graphc.jit(two, tune=True).lower(A, B).tuning]
    assert sorted(sources) == ["measured", "this process"]


def test_threads_that_call_at_once_measure_once(lab: Lab) -> None:
    functions = [graphc.jit(product, tune=True) for _ in range(2)]
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda f=f: results.append(f(A, B)))
        for f in (functions[0], *functions, functions[1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(r, results[0]) for r in results) and len(results) == 4
    assert [choice for choice, _ in lab.built].count(ESTIMATE) == 1


def test_progress_is_for_terminals(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    class Terminal:
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            written.append(text)

        def flush(self) -> None:
            pass

    monkeypatch.setattr(sys, "stderr", Terminal())
    tuned(product, A, B)
    assert not written, "it took no time"
    lab.build_seconds = 0.6
    tuned(product, A[:90], B)
    assert "graphc: tuning dot" in written[0] and written[-1] == "\r\033[K"


def test_a_race_leaves_out_what_is_far_behind(lab: Lab) -> None:
    counts = [0, 0]

    def run(k: int) -> None:
        counts[k] += 1
        lab.now += (1.0, 2.0)[k]

    assert measuring.race([lambda: run(0), lambda: run(1)], 1e9) == [1.0, 2.0]
    assert counts[1] < counts[0] == measuring.ROUNDS + 1


# ----------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("value", [1, None, "yes", 2.0], ids=repr)
def test_tune_is_true_or_false(value: Any) -> None:
    with pytest.raises(TypeError, match=f"tune is {value!r}; expected True or False"):
        graphc.jit(product, tune=value)


@pytest.mark.parametrize("debug", ["nan", "evaluate"])
def test_what_is_debugged_is_not_tuned(debug: str) -> None:
    with pytest.raises(TypeError, match=f"tune is True and debug is '{debug}'"):
        graphc.jit(product, tune=True, debug=debug)


def test_other_backends_and_targets_are_not_tuned() -> None:
    before = set_backend(Evaluator())
    try:
        with pytest.raises(TypeError, match="only graphc's own native code can be tuned"):
            graphc.jit(product, tune=True)(A, B)
    finally:
        set_backend(before)
    target = Target("aarch64-unknown-linux-gnu", "generic", "+neon")
    graph = graphc.jit(product).lower(A, B).graph
    with pytest.raises(GraphcError, match="says nothing of aarch64"):
        road.lower_graph(graph, tuner=tuning.Tuner(), target=target)
    with pytest.raises(GraphcError, match="on the processor, not on a GPU"):
        graphc.jit(product, tune=True).lower(A, B).text("cuda")


def test_operands_lie_where_a_caller_s_do() -> None:
    """NumPy's arrays begin 16 bytes behind a line, what the program makes itself begins at one."""
    lowered = graphc.jit(lambda a, b: np.tanh(a @ b) @ b).lower(A, B)
    last = lowered.kernels[-1].node
    found = [a.ctypes.data % 64 for a in tuning._alone(last, (), {}, {}).operands().arrays]
    made = [v.node.op.name != "param" for v in last.operands]
    assert found == [0 if own else measuring.NUMPYS_OFFSET for own in made] + [0]
    assert set(made) == {True, False}


# -------------------------------------------------------------------------------------- for real


def test_a_real_measurement(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another process finds what this one measured, and computes the same bits."""
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    tuning.forget()
    monkeypatch.setattr(tuning, "KERNEL_SECONDS", 4.0)
    f = graphc.jit(product, tune=True)
    got = f(A, B)
    np.testing.assert_allclose(got, A @ B, rtol=1e-5)
    record = tuned(product, A, B)
    assert all(c.seconds > 0 for c in record.candidates) and len(record.candidates) > 1
    assert f"dot: {record.chosen}" in f.explain(A, B)
    program = (
        "import sys, numpy as np, graphc\n"
        "from graphc import measuring\n"
        "def race(*_): raise SystemExit('measured')\n"
        "measuring.race = race\n"
        "a, b = np.load(sys.argv[1])\n"
        "f = graphc.jit(lambda p, q: p @ q, tune=True)\n"
        "np.save(sys.argv[2], f(a, b))\n"
        "g = graphc.jit(lambda p, q: np.cumsum(p @ q, axis=0), tune=True)\n"
        "assert g.lower(a, b).tuning[0].source != 'measured'\n"
    )
    np.save(tmp_path / "in.npy", np.stack([A, B]))
    command = [sys.executable, "-c", program, str(tmp_path / "in.npy"), str(tmp_path / "out.npy")]
    subprocess.run(command, check=True, env=dict(os.environ))
    assert np.load(tmp_path / "out.npy").tobytes() == got.tobytes()


@pytest.mark.parametrize("name", ["dense_layer", "softmax", "gathers", "distances", "attention"])
def test_kernels_run_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kernel of a program, with constants, indices and symbolic extents, can be a trial."""
    monkeypatch.setenv("GRAPHC_CACHE_DIR", "off")
    monkeypatch.setattr(tuning, "WORK", 0)
    monkeypatch.setattr(tuning, "KERNEL_SECONDS", 0.05)
    tuning.forget()
    graph = PROGRAMS[name].graph(graphc.types.Dim.symbol("n"), 37)
    lowered = road.lower_graph(graph, tuner=tuning.Tuner({"n": 24}))
    assert lowered.tuning and all(r.source == "measured" for r in lowered.tuning)
    tuning.forget()
