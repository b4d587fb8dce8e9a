"""The pipeline: order, groups, records, dumps, verification, and whole random graphs through it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc import environment
from graphc.errors import VerifyError
from graphc.evaluate import evaluate
from graphc.ir import Graph
from graphc.passes.algebraic import algebraic
from graphc.passes.attention import attention
from graphc.passes.canonicalize import canonicalize
from graphc.passes.control import control
from graphc.passes.cse import cse
from graphc.passes.expand import expand
from graphc.passes.fold import fold
from graphc.passes.inline import inline
from graphc.passes.joins import joins
from graphc.passes.pipeline import (
    DIRECT,
    EXACT,
    PIPELINE,
    SIMPLIFY,
    WHOLE,
    Repeat,
    layouts,
    run,
)  # fmt: skip
from graphc.passes.prune import prune
from graphc.passes.small_matrices import small_matrices
from graphc.passes.sparse_cotangents import sparse_cotangents
from graphc.passes.stability import stability
from graphc.passes.winograd import winograd
from graphc.verify import verify
from tests.random_graphs import assert_close, expression, random_graph, tolerances, where_finite

NO_FUSION = PIPELINE[:-2]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRAPHC_DUMP", "GRAPHC_VERIFY", "GRAPHC_CACHE_DIR", "GRAPHC_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


def test_order() -> None:
    assert SIMPLIFY.passes == (canonicalize, fold, control, cse, algebraic)
    assert NO_FUSION == (
        inline, small_matrices, prune, SIMPLIFY, stability, sparse_cotangents, SIMPLIFY, layouts,
        winograd, attention, joins,
    )  # fmt: skip
    assert [p.__name__ for p in PIPELINE[-2:]] == ["fuse", "order"]
    assert not {stability, attention} & set(EXACT)
    assert [step for step in PIPELINE if step not in DIRECT] == [sparse_cotangents, winograd]
    assert [step for step in DIRECT if step not in WHOLE] == [attention]
    assert EXACT == (
        expand, inline, small_matrices, prune, SIMPLIFY, SIMPLIFY, layouts, *PIPELINE[-3:],
    )  # fmt: skip


def test_records() -> None:
    outcome = run(expression("f32[3]", "mul(c(1.0), neg(neg(x)))"), NO_FUSION)
    assert outcome.graph.nodes == ()
    first = outcome.records[:5]
    assert [(r.name, r.nodes_before, r.nodes_after, r.changed) for r in first] == [
        ("inline", 4, 4, False),
        ("small_matrices", 4, 4, False),
        ("prune", 4, 4, False),
        ("canonicalize", 4, 2, True),
        ("fold", 2, 2, False),
    ]
    assert all(r.seconds >= 0 for r in outcome.records)
    assert str(outcome).splitlines()[3].startswith("canonicalize")


def test_an_unchanged_graph_is_the_same_object() -> None:
    graph = expression("f32[3]", "exp(x)")
    outcome = run(graph, NO_FUSION)
    assert outcome.graph is graph
    assert [r.name for r in outcome.records].count("cse") == 2  # one round of each group


def test_a_group_ends() -> None:
    def flip(graph: Graph) -> Graph:
        return Graph(graph.name, graph.params, graph.nodes, graph.results)

    assert len(run(expression("f32[3]", "exp(x)"), (Repeat((flip,)),)).records) == 4


def test_stop_after() -> None:
    graph = expression("f32[3]", "mul(c(1.0), neg(neg(x)))")
    assert run(graph, stop_after="canonicalize").records[-1].name == "canonicalize"
    assert len(run(graph, stop_after="canonicalize").records) == 4
    with pytest.raises(ValueError, match="no pass 'nothing'"):
        run(graph, stop_after="nothing")


def test_dumps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "dump"
    monkeypatch.setenv("GRAPHC_DUMP", str(folder))
    graph = expression("f32[3]", "mul(c(1.0), neg(neg(x)))")
    for _ in range(2):  # the second run replaces the files of the first
        found = run(graph, NO_FUSION)
        assert sorted(p.name for p in folder.iterdir()) == [
            "00-trace.txt", "04-canonicalize.txt", "08-algebraic.txt",
        ]  # fmt: skip
    assert (folder / "00-trace.txt").read_text() == f"{graph}\n"
    assert (folder / "08-algebraic.txt").read_text() == f"{found.graph}\n"


def test_a_pass_that_breaks_the_graph_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(graph: Graph) -> Graph:
        return Graph(graph.name, (), graph.nodes, graph.results)

    graph = expression("f32[3]", "exp(x)")
    assert run(graph, (breaks,)).graph.params == ()
    monkeypatch.setenv("GRAPHC_VERIFY", "1")
    with pytest.raises(VerifyError) as caught:
        run(graph, (breaks,))
    assert "after the pass breaks" in caught.value.__notes__


def test_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert environment.dump_folder() is None and not environment.verify_passes()
    assert environment.num_threads() >= 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environment.cache_folder() == tmp_path / "graphc"
    for text, expected in (("", None), ("off", None), (str(tmp_path / "c"), tmp_path / "c")):
        monkeypatch.setenv("GRAPHC_CACHE_DIR", text)
        assert environment.cache_folder() == expected
    monkeypatch.setenv("GRAPHC_VERIFY", "0")
    assert not environment.verify_passes()
    monkeypatch.setenv("GRAPHC_NUM_THREADS", "3")
    assert environment.num_threads() == 3
    monkeypatch.setenv("GRAPHC_NUM_THREADS", "none")
    with pytest.raises(ValueError, match="GRAPHC_NUM_THREADS is 'none'"):
        environment.num_threads()


def check_seed(seed: int, size: int) -> None:
    graph, arguments = random_graph(seed, size)
    found = run(verify(graph), NO_FUSION, verify_each=True).graph
    want, off = evaluate(graph, arguments), tolerances(graph, arguments)
    exact = run(graph, EXACT[:-2], verify_each=True).graph
    assert_close(evaluate(exact, arguments), want, off)
    assert_close(evaluate(found, arguments), want, where_finite(off, want))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(10, 30))
def test_random_graphs(seed: int, size: int) -> None:
    check_seed(seed, size)


@pytest.mark.heavy
def test_many_random_graphs() -> None:
    for seed in range(5000):
        check_seed(seed, 10 + seed % 20)
