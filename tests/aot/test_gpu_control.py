"""Loops and choices in the GPU code of artifacts: the bits of `jit(device="cuda")`, on the stand-in
driver."""

from __future__ import annotations

import inspect
import json
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda, cuda_decisions, cuda_graphs, gpu_run
from graphc_runtime.artifact import Artifact, open_artifact
from graphc_runtime.cuda_decisions import SOURCE
from graphc_runtime.errors import ArtifactError, DeviceError
from graphc_runtime.gpu_program import GpuProgram

import graphc
from graphc import device_put
from graphc.aot import gpu
from graphc.codegen.cuda import CudaKernel, translation_unit
from graphc.device import loaded
from graphc.errors import BuildError
from tests.aot.test_artifact_damage import changed, described
from tests.aot.test_gpu_program import shipped
from tests.device import conftest, standin
from tests.device.test_control import leaves, recurrent
from tests.device.test_decisions import doubled

F32, I64 = np.float32, np.int64


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(F32)


Call = tuple[Sequence[np.ndarray], dict[str, int]]


class Shipped:
    """A function as an artifact has it, which has been called with some numbers one after the
    other. The results have the bits of the jitted function."""

    def __init__(self, function: Callable[..., Any], specs: Sequence[str], calls: Sequence[Call]):
        plan, code, constants = shipped(function, *specs)
        decisions = {cuda.device().arch: standin.image(SOURCE)}
        self.program = GpuProgram("f", plan, code, constants, {}, decisions)
        wanted = jitted(function, specs, calls)
        self.downloads: list[int] = []
        for (arrays, env), results in zip(calls, wanted, strict=True):
            outputs = [np.full_like(w, 7) for w in results]
            before = standin.count("downloads") or 0
            self.program([*arrays], outputs, env)
            self.downloads.append((standin.count("downloads") or 0) - before)
            for got, one in zip(outputs, results, strict=True):
                assert got.tobytes() == one.tobytes(), (got, one)

    @property
    def graphs(self) -> int:
        """So many graphs were made."""
        return sum(graph is not None for graph in self.program._runner.graphs.values())


def jitted(
    function: Callable[..., Any], specs: Sequence[str], calls: Sequence[Call]
) -> list[list[np.ndarray]]:
    """What the jitted function answers each call with."""
    names = inspect.signature(function).parameters
    dims = {n: s[s.index("[") + 1 : -1] for n, s in zip(names, specs, strict=True)}
    dims = {name: extents for name, extents in dims.items() if "n" in extents}
    program = graphc.jit(function, device="cuda", library=False, dims=dims)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaded, "build_cubins", _built)
        return [[x.numpy() for x in leaves(program(*map(device_put, a)))] for a, _ in calls]


def _built(kernels: Sequence[CudaKernel], arch: str, driver: int) -> list[bytes]:
    """All kernels in one unit, as the artifact has them: one compilation serves both."""
    return [standin.image(translation_unit(kernels))] * len(kernels)


# ------------------------------------------------------------------------------------------- loops


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_of_any_length(reverse: bool) -> None:
    def run(h: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = h * F32(0.5) + x
            return h, h * F32(2)

        return graphc.scan(step, h, xs, reverse=reverse)

    calls: list[Call] = [((random(3), random(n, 3)), {"n": n}) for n in (4, 4, 0, 0, 1, 5, 4)]
    one = Shipped(run, ("f32[3]", "f32[n, 3]"), calls)
    assert one.graphs and set(one.downloads) <= {1, 2}, "results are all that the host reads"


def test_a_scan_with_products() -> None:
    calls: list[Call] = [
        ((random(4, 8), random(6, 4, 8) + F32(k), random(8, 8)), {}) for k in range(3)
    ]
    assert Shipped(recurrent, ("f32[4, 8]", "f32[6, 4, 8]", "f32[8, 8]"), calls).graphs == 1


def test_a_loop_in_a_loop_over_a_symbolic_extent() -> None:
    def run(x: Any) -> Any:
        def outer(i: Any, x: Any) -> Any:
            return graphc.fori_loop(0, 3, lambda j, y: y * F32(0.5) + i + j, x)

        return graphc.fori_loop(0, 4, outer, x)

    Shipped(run, ("f32[n]",), [((random(n),), {"n": n}) for n in (7, 7, 0, 300)])


# ------------------------------------------------------------------------------------- decisions


DOUBLED = ("f32[5]", "i64[]")


def starting(value: float) -> Call:
    return (np.full(5, value, F32), np.array(3, I64)), {}


@pytest.fixture(params=["brought back", "in pairs"])
def states(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in pairs":
        monkeypatch.setattr(cuda_decisions, "PAIR_BYTES", 0)


def test_a_loop_of_none_one_odd_and_even_iterations(states: None) -> None:
    one = Shipped(doubled, DOUBLED, [starting(k) for k in (200, 60, 30, 12, 6, 1, 0)])
    assert one.graphs == 1 and set(one.downloads[1:]) == {2}, "a graph asks nobody"
    assert one.downloads[0] == 2 + 1, "the first call reads what the condition says"


@pytest.mark.parametrize("limit", [0, 3])
def test_a_limit(limit: int) -> None:
    def run(x: Any) -> Any:
        return graphc.while_loop(lambda s: s.sum() < 20, lambda s: s + 1, x, max_steps=limit)

    Shipped(run, ("f32[4]",), [((np.full(4, start, F32),), {}) for start in (0, 4.5, 1, 9)])


def test_choices() -> None:
    def run(i: Any, x: Any, y: Any) -> Any:
        arms = [lambda x, y: x + y, lambda x, y: (x * y) @ y, lambda x, y: y]
        chosen = graphc.switch(i, arms, x, y)
        return graphc.cond(chosen.sum() > 0, lambda c: np.exp(c), lambda c: c - 1, chosen)

    calls: list[Call] = [
        ((np.array(index, I64), random(3, 3), random(3, 3) + 1), {})
        for index in (-1, 0, 1, 2, 7, 2**40, 0)
    ]
    assert Shipped(run, ("i64[]", "f32[3, 3]", "f32[3, 3]"), calls).graphs == 1


def nested(s: Any, xs: Any, k: Any) -> Any:
    """A choice in a loop in a scan."""

    def step(s: Any, x: Any) -> Any:
        def body(s: Any) -> Any:
            return graphc.cond(s[0] > s[1], lambda s: s + s[::-1], lambda s: s * 3 + 1, s)

        s = graphc.while_loop(lambda s: s.max() < x[0], body, s)
        return s * F32(0.125), graphc.switch(k, [lambda s: s, lambda s: s * s], s)

    return graphc.scan(step, s, xs)


NESTED = ("f32[5]", "f32[n, 2]", "i64[]")


def nest(n: int, k: int) -> Call:
    return (random(5), abs(random(n, 2)) * 30, np.array(k, I64)), {"n": n}


def test_a_choice_in_a_loop_in_a_scan(states: None) -> None:
    calls = [nest(n, k) for n, k in ((4, 0), (4, 1), (4, 0), (0, 1), (1, 1), (4, 1))]
    assert Shipped(nested, NESTED, calls).graphs


# --------------------------------------------------------------------------- older drivers, errors


def test_an_older_driver_is_asked_for_each_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    if conftest.MISSING:
        pytest.skip(conftest.MISSING)
    monkeypatch.setattr(cuda_decisions, "_said", set())
    monkeypatch.setattr(cuda.Device, "cannot_decide", lambda self: "the test says so")
    plan, code, constants = shipped(doubled, *DOUBLED)
    with pytest.warns(UserWarning, match="waits for each decision .* the test says so"):
        program = GpuProgram("f", plan, code, constants)
    x, out = np.full(5, 30, F32), [np.empty(5, F32), np.empty((), I64)]
    for _ in range(3):
        program([x, np.array(3, I64)], out, {})
        np.testing.assert_array_equal(out[0], np.full(5, 123, F32))
        assert out[1] == 5
    assert not program._runner.graphs


def test_a_graph_that_the_driver_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    original = cuda_graphs.Calls.call

    def refuse(self: Any, name: str, *arguments: Any) -> None:
        if name == "cuGraphAddNode_v2":
            raise DeviceError("cuGraphAddNode_v2 failed: operation not supported")
        original(self, name, *arguments)

    program, out = Shipped(doubled, DOUBLED, []).program, [np.empty(5, F32), np.empty((), I64)]
    monkeypatch.setattr(cuda_graphs.Calls, "call", refuse)
    monkeypatch.setattr(cuda_decisions, "_said", set())
    program([np.full(5, 30, F32), np.array(3, I64)], out, {})
    with pytest.warns(UserWarning, match="operation not supported"):
        program([np.full(5, 60, F32), np.array(3, I64)], out, {})
    np.testing.assert_array_equal(out[0], np.full(5, 121, F32))


def test_an_error_in_a_body() -> None:
    def run(x: Any, places: Any) -> Any:
        def body(state: Any) -> Any:
            total, k = state
            return total + x[places[k]], k + 1

        return graphc.while_loop(lambda s: s[1] < 4, body, (x[0], I64(0)))[0]

    program = Shipped(run, ("f32[5]", "i64[4]"), []).program
    x, out = random(5), np.empty((), F32)
    for third in (3, 3, 9, 4, -9, 0):
        places = np.array([1, 2, third, 4])
        if abs(third) > 5:
            with pytest.raises(IndexError, match="index"):
                program([x, places], [out], {})
        else:
            program([x, places], [out], {})
            np.testing.assert_allclose(out, run(x, places), rtol=1e-6)


def test_a_plan_that_decides_needs_its_kernels() -> None:
    plan, code, constants = shipped(doubled, *DOUBLED)
    with pytest.raises(DeviceError, match="has no code for this GPU"):
        GpuProgram("f", plan, code, constants)


def test_a_compiler_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, arch: str) -> bytes:
        raise BuildError("ptxas: unresolved extern function")

    monkeypatch.setattr(gpu, "compile_cubin", refuse)
    with pytest.raises(BuildError, match=r"CUDA 12\.4 or later.* unresolved extern"):
        gpu.make_decisions(["sm_80"])


# --------------------------------------------------------------------------------------- artifacts


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact with a scan, a loop, a nest, and a function without."""
    if conftest.MISSING:
        pytest.skip(conftest.MISSING)
    place = tmp_path_factory.mktemp("control") / "model"

    def plain(x: Any) -> Any:
        return x * 2

    def training(state: Any, xs: Any) -> Any:
        def step(w: Any, x: Any) -> Any:
            return w - F32(0.1) * x * (w * x).sum(), (w * w).sum()

        w, losses = graphc.scan(step, state["w"], xs)
        return {"w": w}, losses

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu, "compile_cubin", lambda source, arch: standin.image(source))
        patch.setattr(gpu, "has_compiler", lambda: True)
        graphc.build(
            place,
            graphc.export(nested, s=NESTED[0], xs=NESTED[1], k=NESTED[2]),
            graphc.export(training, state={"w": "f32[4]"}, xs="f32[n, 4]", donate="state"),
            graphc.export(plain, x="f32[n]"),
            gpu=cuda.device().arch, cpu="baseline",
        )  # fmt: skip
    return place


@pytest.fixture(scope="module")
def opened(whole: Path) -> Artifact:
    found = open_artifact(whole)
    found.check()
    return found


def test_an_artifact_has_the_kernels_that_decide_where_it_decides(opened: Artifact) -> None:
    arch = cuda.device().arch
    files = {f.name: f.gpu for f in opened.manifest.functions}
    assert {name: one.decisions for name, one in files.items() if one} == {
        "nested": {arch: f"gpu/decisions/{arch}.cubin"}, "training": {}, "plain": {},
    }  # fmt: skip


def test_an_artifact_runs_as_the_jitted_function(opened: Artifact) -> None:
    on_gpu, calls = opened.on_gpu("nested"), [nest(3, 0), nest(3, 1), nest(0, 1), nest(3, 1)]
    for (arrays, _), wanted in zip(calls, jitted(nested, NESTED, calls), strict=True):
        for got, one in zip(leaves(on_gpu(*arrays)), wanted, strict=True):
            assert got.tobytes() == one.tobytes()


def test_donated_states_are_written_over(opened: Artifact) -> None:
    step, w, expected = opened.on_gpu("training"), random(4), random(4)
    for n in (3, 3, 4, 3):
        xs = random(n, 4)
        for x in xs:
            expected = expected - F32(0.1) * x * (expected * x).sum()
        state, losses = step({"w": w}, xs)
        assert state["w"] is w and losses.shape == (n,)
        np.testing.assert_allclose(w, expected, rtol=1e-5)


def test_many_threads(opened: Artifact) -> None:
    on_gpu, host = opened.on_gpu("nested"), graphc.jit(nested)
    cases = [(random(5) + F32(k), abs(random(3, 2)) * 30, np.array(k % 2, I64)) for k in range(6)]
    wanted = [leaves(host(*case)) for case in cases]
    wrong: list[Any] = []

    def work(first: int) -> None:
        for k in range(first, first + 12):
            found = leaves(on_gpu(*cases[k % 6]))
            for got, one in zip(found, wanted[k % 6], strict=True):
                if not np.allclose(got, one, rtol=1e-5):
                    wrong.append((k, got, one))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong
    assert 0 < len(on_gpu.program._runner.graphs) <= gpu_run.GRAPHS


def test_a_changed_plan_is_refused(whole: Path, tmp_path: Path) -> None:
    """Also where the manifest is made to fit."""
    place = tmp_path / "copy"
    shutil.copytree(whole, place)
    path = place / "gpu" / "nested.json"
    tree = json.loads(path.read_bytes())
    tree["steps"][-1]["length"] = "m"
    path.write_text(json.dumps(tree))
    with pytest.raises(ArtifactError, match=r"nested\.json .* has .* bytes and not"):
        open_artifact(place)
    content = path.read_bytes()
    changed(place, lambda t: t["files"].update({"gpu/nested.json": described(content)}))
    with pytest.raises(ArtifactError, match=r"nested\.json in .*length: 'm' is no extent"):
        open_artifact(place).on_gpu("nested")
    assert open_artifact(place).on_gpu("plain")(np.ones(2, F32)).tolist() == [2, 2]


def test_kernels_that_decide_are_listed(whole: Path, tmp_path: Path) -> None:
    place = tmp_path / "copy"
    shutil.copytree(whole, place)

    def change(tree: Any) -> None:
        tree["functions"][0]["gpu"]["decisions"] = {"sm_80": "gpu/elsewhere.cubin"}

    changed(place, change)
    with pytest.raises(ArtifactError, match=r"uses gpu/elsewhere\.cubin and does not list it"):
        open_artifact(place)
