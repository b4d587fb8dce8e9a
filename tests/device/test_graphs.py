"""Where graphs cannot decide: older drivers and refused calls; and the driver's calls themselves,
with what the stand-in refuses."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from graphc_runtime import cuda, cuda_decisions, cuda_graphs
from graphc_runtime.cuda_graphs import IF, WHILE

import graphc
from graphc import device_put
from graphc.codegen import nvcc
from graphc.device import conditional
from tests.device import standin
from tests.device.test_control import random
from tests.device.test_decisions import (
    F32,
    I64,
    Called,
    doubled,
    replayed,
    starting,
)

# ------------------------------------------------------------------------------------ older drivers


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], cuda.Device]]:
    """Makes this process one with a driver of a version."""
    if standin.count("kernels") is None:
        pytest.skip("needs the stand-in driver, and this is a device")

    def make(version: int) -> cuda.Device:
        monkeypatch.setenv("FAKE_CUDA_DRIVER", str(version))
        made = cuda.Device()
        monkeypatch.setattr(cuda, "_devices", {0: made})
        monkeypatch.setattr(cuda_decisions, "_said", set())
        return made

    yield make


def test_a_driver_without_decisions_asks_and_says_so_once(older: Any) -> None:
    older(12020)
    with pytest.warns(UserWarning, match=r"waits for each decision .* CUDA 12\.2; .* 12\.4"):
        called = Called(doubled, *starting(1)[0])
        for numbers in starting(1, 200, 30, 6):
            called(*numbers)
    assert all(called.downloads) and not called.graphs()
    again = Called(lambda x: graphc.cond(x > 0, lambda x: x + 1, lambda x: -x, x), F32(1))
    again(F32(-3))


def test_a_driver_with_loops_alone_chooses_by_several_nodes(older: Any, states: None) -> None:
    assert not older(12040).has_switch
    replayed(doubled, starting(200, 60, 30, 12))
    before = standin.count("decisions") or 0
    called = Called(lambda i, x: graphc.switch(i, [np.exp, np.sin, np.cos], x), I64(0), random(3))
    for i in (1, 1, 5, -7, 0, 2):
        called(I64(i), random(3))
    assert (standin.count("decisions") or 0) - before == 3 * 5
    assert not any(called.downloads[1:])


def test_bodies_are_never_empty(older: Any) -> None:
    """Drivers before 12.8 refuse those, of arms whose arrays all are."""
    older(12040)
    called = Called(
        lambda i, x, y: (graphc.switch(i, [np.exp, np.sin], x), y + 1),
        I64(0), np.zeros((0, 3), F32), random(3),
    )  # fmt: skip
    for i in (0, 0, 1, 0):  # results of one size change places
        called(I64(i), np.zeros((0, 3), F32), random(3))
    assert not any(called.downloads[2:]) and called.graphs()
    with pytest.raises(cuda.DeviceError, match="cuGraphInstantiateWithFlags failed"):
        captured(lambda capture: capture.decide(IF, capture.condition(), [nothing]))


def test_what_the_driver_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "_DECIDING_CALLS", ("cuGraphLaunch", "cuGraphOfMine"))
    assert cuda.device().cannot_decide() == "the driver has no cuGraphOfMine"


def test_kernels_that_cannot_be_built_are_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> bytes:
        raise graphc.BuildError("ptxas: unresolved extern function")

    monkeypatch.setattr(conditional, "build_source", refuse)
    monkeypatch.setattr(conditional, "_known", {})
    made, why = conditional.decisions(cuda.device())
    assert made is None and "unresolved extern function" in why


def test_a_call_that_is_refused_is_said_and_the_host_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = cuda_graphs.Calls.call

    def refuse(self: Any, name: str, *arguments: Any) -> None:
        if name == "cuGraphAddNode_v2":
            raise cuda.DeviceError("cuGraphAddNode_v2 failed: operation not supported (error 801)")
        original(self, name, *arguments)

    monkeypatch.setattr(cuda_graphs.Calls, "call", refuse)
    monkeypatch.setattr(cuda_decisions, "_said", set())
    called = Called(doubled, *starting(1)[0])
    called(*starting(1)[0])
    with pytest.warns(UserWarning, match="decision .* cuGraphAddNode_v2 failed: operation not"):
        called(*starting(30)[0])
    called(*starting(6)[0])
    assert all(called.downloads) and not called.graphs()


def test_a_kernel_that_is_refused_in_a_body_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the graph's, of which no warning tells; and captures go on afterwards."""
    called = Called(doubled, *starting(1)[0])
    called(*starting(1)[0])
    original = cuda.Device.launch

    def refuse(self: Any, *args: Any) -> None:
        if self.capturing is None or len(self.capturing._streams) > 1:
            raise RuntimeError("too many resources requested for launch")
        original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(cuda.Device, "launch", refuse)
        with pytest.raises(graphc.DeviceError, match=r"kernel k\d+_.*too many"):
            called(*starting(30)[0])
    assert cuda.device().capturing is None
    replayed(doubled, starting(200, 60, 30))


def test_the_doctor_says_who_decides(older: Any) -> None:
    from graphc import doctor

    older(13000)
    (check,) = (c for c in doctor._cuda() if c.name == "cuda decisions")
    assert (check.state, check.value) == ("ok", "by conditional nodes of CUDA graphs")
    older(12030)
    (check,) = (c for c in doctor._cuda() if c.name == "cuda decisions")
    assert check.state == "slow" and "12.3" in check.value and "wait" in check.meaning


# --------------------------------------------------------------------------------------- the driver


def test_the_structures_are_those_of_cuda_h() -> None:
    params = cuda_graphs._NodeParams
    assert ctypes.sizeof(params) == 256 and params.conditional.offset == 16
    inner = cuda_graphs._Conditional
    names = ("handle", "kind", "size", "bodies", "context")
    offsets = [getattr(inner, name).offset for name in names]
    assert offsets == [0, 8, 12, 16, 24] and ctypes.sizeof(inner) == 32
    assert params.reserved2.offset == 248


def captured(work: Callable[[cuda.Capture], None]) -> cuda.Graph:
    device = cuda.device()

    def run() -> None:
        capture = device.capturing
        assert capture is not None
        work(capture)

    return device.capture(run)


def nothing() -> None:
    return None


def twice(capture: cuda.Capture) -> None:
    condition = capture.condition()
    for _ in range(2):
        capture.decide(IF, condition, [nothing])


def no_condition(capture: cuda.Capture) -> None:
    capture.decide(WHILE, 77, [nothing])


def two_bodies(capture: cuda.Capture) -> None:
    capture.decide(WHILE, capture.condition(), [nothing, nothing])


def unused(capture: cuda.Capture) -> None:
    capture.condition()


def of_an_inner_graph(capture: cuda.Capture) -> None:
    made: list[int] = []
    capture.decide(IF, capture.condition(), [lambda: made.append(capture.condition())])
    capture.decide(IF, made[0], [nothing])


def calls_the_host(capture: cuda.Capture) -> None:
    def body() -> None:
        capture._calls.call("cuLaunchHostFunc", ctypes.c_void_p(capture.stream.handle), None, None)

    capture.decide(IF, capture.condition(), [body])


@pytest.mark.parametrize(
    ("work", "call"),
    [
        (twice, "cuGraphAddNode_v2"), (no_condition, "cuGraphAddNode_v2"),
        (two_bodies, "cuGraphAddNode_v2"), (of_an_inner_graph, "cuGraphAddNode_v2"),
        (unused, "cuGraphInstantiateWithFlags"), (calls_the_host, "cuGraphInstantiateWithFlags"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)  # fmt: skip
def test_the_stand_in_refuses_what_is_wrong(
    work: Callable[[cuda.Capture], None], call: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if standin.count("kernels") is None:
        pytest.skip("needs the stand-in driver, and this is a device")
    with pytest.raises(cuda.DeviceError, match=f"^{call} failed: invalid argument"):
        captured(work)
    assert "the stand-in driver: " in capfd.readouterr().err


def test_a_default_is_the_value_of_each_run() -> None:
    """graphc gives none; the driver's are assigned whenever a graph begins."""
    device = cuda.device()
    source, target, none = (device.allocate(4) for _ in range(3))
    device.upload(int(source), np.array([7], np.int32))
    device.clear(int(none), 4)

    def work(capture: cuda.Capture) -> None:
        for value, place in ((1, target), (0, none)):
            condition, graph = ctypes.c_uint64(), capture._state()[0]
            capture._calls.call(
                "cuGraphConditionalHandleCreate", ctypes.byref(condition), graph,
                capture._context(), ctypes.c_uint(value), ctypes.c_uint(1),
            )  # fmt: skip
            bodies = [lambda place=place: device.copy(int(place), int(source), 4)]
            capture.decide(IF, condition.value, bodies)

    graph = captured(work)
    for _ in range(2):
        device.clear(int(target), 4)
        device.replay(graph)
        found = np.zeros(2, np.int32)
        device.download(found[:1], int(target))
        device.download(found[1:], int(none))
        assert found.tolist() == [7, 0]


def test_other_threads_run_while_one_captures() -> None:
    double = graphc.jit(lambda x: x * 2, device="cuda")
    x = device_put(random(8))
    double(x)  # the pool holds memory from now on; beginning with it takes a context
    found: list[np.ndarray] = []

    def run(capture: cuda.Capture) -> None:
        other = threading.Thread(target=lambda: found.append(double(x).numpy()))
        other.start()
        other.join()
        assert cuda.device().capturing is capture
        assert cuda.device().target == capture.stream.handle

    graph = captured(run)
    np.testing.assert_array_equal(found[0], x.numpy() * 2)
    kernels = standin.count("kernels")
    assert cuda.device().target == cuda.device().stream.handle
    cuda.device().replay(graph)
    assert standin.count("kernels") == kernels  # the graph holds nothing of the other's


def test_what_is_not_captured_has_no_conditions() -> None:
    kept: list[cuda.Capture] = []
    captured(kept.append)
    device = cuda.device()
    kept[0]._streams.append(device.stream)
    with device.active(), pytest.raises(cuda.DeviceError, match="no longer captured"):
        kept[0].condition()


def test_a_node_that_nobody_waits_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream has to be told that what follows waits for the node."""
    if standin.count("kernels") is None:
        pytest.skip("needs the stand-in driver, and this is a device")
    original = cuda_graphs.Calls.call

    def forget(self: Any, name: str, *arguments: Any) -> None:
        if name != "cuStreamUpdateCaptureDependencies_v2":
            original(self, name, *arguments)

    monkeypatch.setattr(cuda_graphs.Calls, "call", forget)

    def work(capture: cuda.Capture) -> None:
        for _ in range(2):
            capture.decide(IF, capture.condition(), [nothing])

    with pytest.raises(cuda.DeviceError, match="cuStreamEndCapture failed: invalid argument"):
        captured(work)


def test_a_condition_is_set_inside_a_graph_alone() -> None:
    if standin.count("kernels") is None:
        pytest.skip("needs the stand-in driver, and this is a device")
    made, _ = conditional.decisions(cuda.device())
    assert made is not None
    memory = made._device.allocate(8)
    made._device.clear(int(memory), 8)
    with pytest.raises(cuda.DeviceError, match="illegal memory access"), cuda.device().active():
        made._launch("graphc_choose", 1, 1, [5, int(memory), 2])


# ------------------------------------------------------------------------------------------- nvcc


@pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")
@pytest.mark.parametrize("arch", [*nvcc.ARCHITECTURES, "sm_100"])
def test_nvcc_takes_the_kernels_that_decide(arch: str) -> None:
    cubin = nvcc.compile_cubin(cuda_decisions.SOURCE, arch)
    assert all(name.encode() in cubin for name in cuda_decisions.NAMES)
    assert b"cudaGraphSetConditional" in cubin


@pytest.mark.skipif(not nvcc.available(), reason="nvcc is not on PATH nor in CUDA_HOME")
def test_nvcc_refuses_names_that_ptxas_does_not_know() -> None:
    """So the name in the kernels that decide is one that it leaves to the driver."""
    unknown = cuda_decisions.SOURCE.replace("cudaGraphSetConditional", "cudaGraphSetNothing")
    with pytest.raises(graphc.BuildError, match="cudaGraphSetNothing"):
        nvcc.compile_cubin(unknown)
    used = nvcc.resources(cuda_decisions.SOURCE)
    assert set(used) == set(cuda_decisions.NAMES)
    assert not any(one.stack_bytes or one.spill_bytes for one in used.values())
