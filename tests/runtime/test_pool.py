"""Threads and memory blocks of the native runtime."""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

# body: writes worker + 1 into each of its items, so that parts and gaps can be seen
BODY = """
define void @body(ptr %ctx, i64 %begin, i64 %end, i64 %worker) {
entry:
  %mark = add i64 %worker, 1
  %some = icmp slt i64 %begin, %end
  br i1 %some, label %loop, label %out
loop:
  %i = phi i64 [ %begin, %entry ], [ %next, %loop ]
  %p = getelementptr i64, ptr %ctx, i64 %i
  %old = load i64, ptr %p
  %new = add i64 %old, %mark
  store i64 %new, ptr %p
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %loop, label %out
out:
  ret void
}
@inner = global ptr null
define void @nested(ptr %ctx, i64 %begin, i64 %end, i64 %worker) {
entry:
  br label %loop
loop:
  %i = phi i64 [ %begin, %entry ], [ %next, %loop ]
  %off = mul i64 %i, 64
  %row = getelementptr i64, ptr %ctx, i64 %off
  %f = load ptr, ptr @inner
  call void %f(ptr @body, ptr %row, i64 64, i64 1, i64 64)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %loop, label %out
out:
  ret void
}
"""

Loop = Callable[[int, np.ndarray, int, int, int], None]


@pytest.fixture(scope="module")
def bodies(build: Callable[..., bytes], native: object) -> object:
    loaded = native.load(build(BODY))
    inner = ctypes.c_void_p.from_address(loaded.address("inner"))
    inner.value = native.call._native.code.address("gc_parallel_for")
    return loaded


@pytest.fixture
def loop(native: object) -> Iterator[Loop]:
    address = native.call._native.code.address("gc_parallel_for")
    i64 = ctypes.c_int64
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, i64, i64, i64)(address)
    before = native.get_threads()
    yield lambda body, data, n, grain, most: call(body, data.ctypes.data, n, grain, most)
    native.set_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 100, 1001])
def test_every_item_once(native: object, bodies: object, loop: Loop, threads: int, n: int) -> None:
    native.set_threads(threads)
    body = bodies.address("body")
    for grain in (1, 16, 10_000):
        data = np.zeros(n + 2, np.int64)
        loop(body, data, n, grain, 1024)
        workers = data[:n]
        assert (workers > 0).all() and data[n:].tolist() == [0, 0]
        assert (np.diff(workers) >= 0).all()  # contiguous parts in the order of workers
        counts = np.unique(workers, return_counts=True)[1]
        assert len(counts) <= max(1, min(threads, n // grain))
        assert len(counts) <= 1 or counts.min() >= grain


def test_workers_are_limited_by_the_call(native: object, bodies: object, loop: Loop) -> None:
    native.set_threads(8)
    data = np.zeros(800, np.int64)
    loop(bodies.address("body"), data, 800, 1, 3)
    assert set(data.tolist()) == {1, 2, 3}


def test_nested_loops_run_inline(native: object, bodies: object, loop: Loop) -> None:
    native.set_threads(4)
    data = np.zeros(64 * 32, np.int64)
    for _ in range(50):
        loop(bodies.address("nested"), data, 32, 1, 1024)
    assert (data == 50).all()  # worker 0 everywhere


def test_callers_at_once(native: object, bodies: object, loop: Loop) -> None:
    native.set_threads(2)
    body, wrong = bodies.address("body"), []

    def caller() -> None:
        for _ in range(300):
            data = np.zeros(500, np.int64)
            loop(body, data, 500, 1, 1024)
            if not ((data == 1) | (data == 2)).all():
                wrong.append(data)

    threads = [threading.Thread(target=caller) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not wrong


def test_idle_workers_sleep(native: object, bodies: object, loop: Loop) -> None:
    native.set_threads(4)
    loop(bodies.address("body"), np.zeros(100, np.int64), 100, 1, 1024)
    time.sleep(0.01)
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.05


def test_workers_block_signals(native: object, bodies: object, loop: Loop) -> None:
    native.set_threads(3)
    loop(bodies.address("body"), np.zeros(100, np.int64), 100, 1, 1024)
    masks = []
    for task in Path("/proc/self/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("SigBlk"):
                masks.append(int(line.split()[1], 16))
    usual = 1 << 1 | 1 << 14  # SIGINT, SIGTERM
    assert sum(mask & usual == usual for mask in masks) >= 2


def test_fork_after_use(native: object, bodies: object, loop: Loop) -> None:
    native.set_threads(2)
    body = bodies.address("body")
    data = np.zeros(1000, np.int64)
    loop(body, data, 1000, 1, 1024)
    child = os.fork()
    if child == 0:
        data[:] = 0
        loop(body, data, 1000, 1, 1024)
        os._exit(0 if set(data.tolist()) == {1, 2} else 3)
    assert wait_for(child) == 0
    data[:] = 0
    loop(body, data, 1000, 1, 1024)
    assert set(data.tolist()) == {1, 2}


def test_fork_while_others_use_the_pool(native: object, bodies: object, loop: Loop) -> None:
    native.set_threads(2)
    body, stop = bodies.address("body"), threading.Event()

    def caller() -> None:
        data = np.zeros(5000, np.int64)
        while not stop.is_set():
            loop(body, data, 5000, 1, 1024)

    threads = [threading.Thread(target=caller) for _ in range(2)]
    for t in threads:
        t.start()
    codes = []
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                data = np.zeros(1000, np.int64)
                loop(body, data, 1000, 1, 1024)
                os._exit(0 if set(data.tolist()) <= {1, 2} and data.all() else 3)
            codes.append(wait_for(child))
    finally:
        stop.set()
        for t in threads:
            t.join(20)
    assert codes == [0] * 20


def test_parts_run_once(native: object, bodies: object, loop: Loop) -> None:
    """Whoever takes them: more workers than cores, loops back to back and after pauses."""
    native.set_threads(16)
    body = bodies.address("body")
    data = np.zeros(160, np.int64)
    expected = np.repeat(np.arange(1, 17), 10)
    for n in range(1, 3001):
        loop(body, data, 160, 1, 1024)
        if n % 100 == 0:
            time.sleep(0.0005)
    assert (data == 3000 * expected).all()


def wait_for(child: int, seconds: float = 20) -> int:
    """The exit status of a child; kills one that hangs and gives -1."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return -1


def test_thread_number_from_the_environment(native: object) -> None:
    def default(**values: str) -> int:
        return native.call.default_threads(values.get)

    assert default(GRAPHC_NUM_THREADS="3", OMP_NUM_THREADS="5") == 3
    assert default(OMP_NUM_THREADS="5,2") == 5
    assert default(GRAPHC_NUM_THREADS="x", OMP_NUM_THREADS="0") == default()
    assert default() == len(os.sched_getaffinity(0))
    with pytest.raises(ValueError, match="at least one"):
        native.set_threads(0)


def test_threads_asked_for_before_the_first_call() -> None:
    """What is said before anything was compiled holds when it is."""
    program = """
        import numpy as np, graphc, graphc_runtime
        assert graphc_runtime.get_threads() == graphc_runtime.call.default_threads()
        assert graphc_runtime.set_threads(5000) == 1024
        assert graphc_runtime.set_threads(3) == graphc_runtime.get_threads() == 3
        graphc.jit(lambda x: x + x)(np.ones(3))
        assert graphc_runtime.get_threads() == 3
    """
    code = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(code, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_where_native_calls_are_no_use_there_is_one_thread() -> None:
    program = """
        import warnings, graphc_runtime
        warnings.simplefilter("ignore")
        assert graphc_runtime.install(b"no object").name == "fallback"
        assert graphc_runtime.set_threads(3) == graphc_runtime.get_threads() == 1
    """
    code = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(code, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_no_threads_to_be_had(native_object: bytes, tmp_path: Path) -> None:
    """Where the system refuses threads the loop still gives its values."""
    (tmp_path / "native.o").write_bytes(native_object)
    root = Path(__file__).parents[2]
    program = f"""
        import sys, pathlib, ctypes, numpy as np
        sys.path.insert(0, {str(root)!r})
        import tests.conftest, graphc_runtime as runtime
        content = pathlib.Path({str(tmp_path / "native.o")!r}).read_bytes()
        refuse = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4)(lambda *a: 11)
        address = ctypes.cast(refuse, ctypes.c_void_p).value
        runtime.mapping._addresses["pthread_create"] = address
        assert runtime.install(content).name == "native"
        runtime.set_threads(4)
        call = runtime.call._native.code.address("gc_parallel_for")
        seen = []
        body_type = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 3)
        body = body_type(lambda ctx, begin, end, worker: seen.append((begin, end, worker)))
        loop = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3)(call)
        loop(ctypes.cast(body, ctypes.c_void_p), None, 100, 1, 1024)
        assert seen == [(0, 100, 0)], seen
    """
    code = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(code, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


# ---------------------------------------------------------------------------------------- memory
@pytest.fixture
def blocks(native: object) -> Iterator[tuple[Callable[[int], int], Callable[[int], None]]]:
    code = native.call._native.code
    take = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int64)(code.address("gc_block_take"))
    give = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code.address("gc_block_give"))
    limit = native.pool_statistics().limit_bytes
    native.trim_pool()
    yield take, give
    native.set_pool_limit(limit)
    native.trim_pool()


@pytest.fixture
def live(native: object) -> Callable[[], int]:
    """Bytes that are taken, besides those of arrays that other tests' modules keep."""
    gc.collect()
    before = native.pool_statistics().live_bytes
    return lambda: native.pool_statistics().live_bytes - before


@pytest.mark.parametrize(
    "size", [1, 4096, 4097, 5000, 262144, 2**20 + 3, 2**21, 2**21 + 1, 2**24, 3 * 2**22 + 5]
)
def test_block_of_any_size(
    native: object, blocks: tuple, live: Callable[[], int], size: int
) -> None:
    take, give = blocks
    block = take(size)
    assert block % (2**21 if size >= 2**21 else 4096) == 0
    ctypes.memset(block, 0xA5, size)
    held = live()
    assert size <= held <= max(4096, size * 1.125 + 1)
    give(block)
    assert live() == 0
    assert take(size) == block  # reused
    give(block)


def test_waste_is_at_most_an_eighth(native: object, blocks: tuple, live: Callable[[], int]) -> None:
    take, give = blocks
    for size in [2**12 + 1, 2**13 - 1, 2**18 + 1, 300_001, 2**19 - 1, 2**19, 2**19 + 2**16 + 1]:
        block = take(size)
        assert size <= live() <= size * 9 / 8 + 8
        give(block)


def test_the_oldest_goes_first(native: object, blocks: tuple) -> None:
    take, give = blocks
    native.set_pool_limit(3 << 20)
    held = [take(1 << 20) for _ in range(5)]
    for block in held:
        give(block)
    assert native.pool_statistics().cached_bytes == 3 << 20
    assert {take(1 << 20) for _ in range(3)} == set(held[2:])
    for block in held[2:]:
        give(block)
    native.set_pool_limit(0)
    assert native.pool_statistics().cached_bytes == 0


def test_too_large_is_refused(blocks: tuple) -> None:
    take, _ = blocks
    assert take(1 << 46) is None
    assert take((1 << 62) + 1) is None


def test_blocks_from_many_threads(native: object, blocks: tuple, live: Callable[[], int]) -> None:
    take, give = blocks
    native.set_pool_limit(1 << 20)
    wrong = []

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        for size in random.integers(1, 600_000, 300).tolist():
            block = take(size)
            word = ctypes.c_int64.from_address(block)
            word.value = seed
            other = take(size)
            if other == block or word.value != seed:
                wrong.append(size)
            give(block)
            give(other)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    statistics = native.pool_statistics()
    assert not wrong and live() == 0 and statistics.cached_bytes <= 1 << 20


@pytest.mark.skipif(shutil.which("clang-16") is None, reason="clang-16 makes native.ll")
def test_native_text_is_current() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, str(root / "runtime" / "make_native.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
