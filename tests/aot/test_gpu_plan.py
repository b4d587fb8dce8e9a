"""Plans for GPUs as they are read from artifacts: extents, and what is refused."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
from graphc_runtime.errors import ArtifactError
from graphc_runtime.extents import extent, number
from graphc_runtime.gpu_plan import DEPTH, Plan, read_plan

import graphc
from graphc.aot import gpu
from graphc.aot.program import Block
from graphc.trace import trace_function


@pytest.mark.parametrize(
    ("text", "value"),
    [(5, 5), ("b", 7), ("2*b + 1", 15), ("(b + 3)//4", 2), ("-b + 9", 2), ("(b - 9)%4", 2),
     ("b*n", 21), ("b" + " + b" * 600, 7 * 601)],
)  # fmt: skip
def test_extents(text: int | str, value: int) -> None:
    assert number(extent(text, ("b", "n"), "here"), {"b": 7, "n": 3}) == value


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "b.real", "b**2", "q", "1.5", "True", "b if b else b", "(" * 500, "\0",
     "b" + "+b" * 50000, "b - (" * 150 + "b" + ")" * 150, "-" * 900 + "b", f"b + {2**62}", "", -1,
     2**62, True, None, [1]],
)  # fmt: skip
def test_what_is_no_extent(text: Any) -> None:
    with pytest.raises(ArtifactError, match=r"here.* extent"):
        extent(text, ("b",), "here")


@pytest.mark.parametrize("text", ["b - 8", "b//(b - 7)", "b%(b - 7)", "b*4000000000000000000"])
def test_extents_that_no_call_has(text: str) -> None:
    with pytest.raises(ArtifactError, match="the extent"):
        number(extent(text, ("b",), "here"), {"b": 7})


# ---------------------------------------------------------------------------------------- refusals


def program(x: Any, xs: Any, k: Any) -> Any:
    """Every kind of step."""

    def step(s: Any, row: Any) -> Any:
        s = graphc.while_loop(lambda s: s.sum() < row[0], lambda s: s * 2 + 1, s, max_steps=9)
        return s, graphc.switch(k, [lambda s: s + 1, lambda s: s * s], s)

    return graphc.scan(step, x, xs, reverse=True)


@pytest.fixture(scope="module")
def tree() -> dict[str, Any]:
    """The plan of `program`, which needs no compiler."""
    specs = [graphc.spec(s) for s in ("f32[3]", "f32[n, 3]", "i64[]")]
    return gpu.make_gpu_program(trace_function(program, specs), "f", (), Block()).plan


def read(tree: Any) -> Plan:
    return read_plan(tree, 5, ("n",), 0)


def nodes(tree: Any) -> Iterator[Any]:
    """Every object and list."""
    yield tree
    inner = tree.values() if isinstance(tree, dict) else tree
    for one in inner:
        if isinstance(one, (dict, list)):
            yield from nodes(one)


def named(tree: Any, **wanted: Any) -> Any:
    """The first object with these entries."""
    return next(
        one for one in nodes(tree)
        if isinstance(one, dict) and all(one.get(k) == v for k, v in wanted.items())
    )  # fmt: skip


def test_a_plan_has_every_kind_of_step(tree: dict[str, Any]) -> None:
    kinds = {one.get("step") for one in nodes(tree) if isinstance(one, dict)}
    assert kinds == {"launch", "copy", "loop", "branch", None}
    assert named(tree, length="n")["reverse"] and named(tree, limit=9)
    assert len(read(tree).steps) == len(tree["steps"])


def loop(tree: Any) -> Any:
    return named(tree, step="loop", length="n")


def inner(tree: Any) -> Any:
    return named(loop(tree)["body"], step="loop", length=None)


def launch(tree: Any) -> Any:
    return named(loop(tree)["body"], step="launch")


DAMAGE: dict[str, tuple[Any, str]] = {
    "a kind": (lambda t: t["steps"][0].update(step="goto"), "has the step 'goto'"),
    "no step": (lambda t: t["steps"].append(7), "is no object"),
    "a length": (lambda t: loop(t).update(length="m"), "'m' is no extent"),
    "a length less than 0": (lambda t: loop(t).update(length=-2), "no extent"),
    "no length": (lambda t: loop(t).update(length=None), "no length and no condition"),
    "a length as well": (lambda t: inner(t).update(length=3), "no condition, or both"),
    "rows of a condition": (
        lambda t: inner(t).update(rows=loop(t)["rows"]),
        "binds a name twice|no condition, or both",
    ),
    "a direction": (lambda t: loop(t).update(reverse=1), "no reverse of the type bool"),
    "a limit": (lambda t: inner(t)["until"].update(limit=-1), "has the limit -1"),
    "an answer": (lambda t: inner(t)["until"].update(answer=["arena", 8]), "no place of the arena"),
    "a count": (lambda t: inner(t)["until"].pop("count"), "no place"),
    "an index": (
        lambda t: named(t, step="branch").update(index=["buffer", 5]),
        "there is no such place",
    ),
    "no arms": (lambda t: named(t, step="branch").update(arms=[]), "has no arms"),
    "a state that nobody binds": (
        lambda t: loop(t)["turns"][0].update(now="elsewhere"),
        "there is no such place",
    ),
    "a state twice": (
        lambda t: loop(t)["turns"][0].update(next=loop(t)["turns"][0]["now"]),
        "binds a name twice",
    ),
    "a row outside its loop": (
        lambda t: t["steps"].append(
            {**launch(t), "buffers": [["local", loop(t)["rows"][0]["name"]]]}
        ),
        "there is no such place",
    ),
    "a row before its loop": (
        lambda t: loop(t)["before"].append(
            {**launch(t), "buffers": [["local", loop(t)["rows"][0]["name"]]]}
        ),
        "there is no such place",
    ),
    "a buffer": (lambda t: launch(t)["buffers"].append(["buffer", 5]), "there is no such place"),
    "a constant": (
        lambda t: launch(t)["buffers"].append(["constant", 0]),
        "there is no such place",
    ),
    "a place of another kind": (
        lambda t: launch(t)["buffers"].append([["arena"], 0]),
        "there is no such place",
    ),
    "no place": (lambda t: launch(t)["buffers"].append("arena"), "is no place"),
    "beyond what is kept": (
        lambda t: launch(t)["buffers"].append(["kept", 1 << 40]),
        "no place of the kept",
    ),
    "beyond the arena": (
        lambda t: (t.update(arena=256), launch(t)["buffers"].append(["arena", 512])),
        "no place of the arena",
    ),
    "a kernel": (lambda t: launch(t).update(kernel="a b"), "which is no name"),
    "a grid": (lambda t: launch(t)["grid"].pop(), "a grid or a block"),
    "a block": (lambda t: launch(t).update(block=[64, 64, 1]), "a grid or a block"),
    "a block of none": (lambda t: launch(t).update(block=[0, 1, 1]), "has the threads 0"),
    "a symbol": (lambda t: launch(t).update(symbols=["m"]), "the unknown symbol 'm'"),
    "shared memory": (lambda t: launch(t).update(dynamic_bytes=1 << 30), "has the dynamic_bytes"),
    "what is kept": (lambda t: t.update(kept=-1), "has the kept -1"),
    "the arena": (lambda t: t.update(arena="b"), "'b' is no extent"),
    "constants": (lambda t: t.update(constants=[[1, 8]]), "is not in the file of constants"),
    "no constants": (lambda t: t.update(constants=[[1]]), "is no pair of numbers"),
    "messages": (lambda t: t.update(messages=[None]), "is no text"),
    "setup with a buffer": (
        lambda t: t["setup"].append({**launch(t), "buffers": [["buffer", 0]]}),
        "there is no such place",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_plans(tree: dict[str, Any], name: str) -> None:
    change, said = DAMAGE[name]
    damaged = copy.deepcopy(tree)
    read(damaged)
    change(damaged)
    with pytest.raises(ArtifactError, match=said):
        read(damaged)


def test_nests_have_a_depth(tree: dict[str, Any]) -> None:
    steps: list[Any] = []
    for _ in range(DEPTH):
        steps = [{"step": "branch", "index": ["buffer", 0], "arms": [steps]}]
    read({**tree, "steps": steps})
    steps = [{"step": "branch", "index": ["buffer", 0], "arms": [steps]}]
    with pytest.raises(ArtifactError, match="nested too deeply"):
        read({**tree, "steps": steps})


VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 7, 1 << 70, 0.5, "", "x", "n", "n - 9", [], {}, [[]], ["arena", 0],
    ["arena", "n"], ["local", "now1"], "launch", "loop", "branch",
)  # fmt: skip


def test_random_damage_is_refused_or_is_a_plan(tree: dict[str, Any]) -> None:
    """And raises no other error."""
    rng, refused = random.Random(3), 0
    for _ in range(1500):
        damaged = copy.deepcopy(tree)
        place = rng.choice([one for one in nodes(damaged) if one])
        key = rng.choice([*place] if isinstance(place, dict) else range(len(place)))
        if rng.random() < 0.2:
            del place[key]
        elif rng.random() < 0.2:
            place[key] = copy.deepcopy(rng.choice([*nodes(damaged)]))
        else:
            place[key] = rng.choice(VALUES)
        try:
            read(damaged)
        except ArtifactError:
            refused += 1
    assert refused > 700
