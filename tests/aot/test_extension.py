"""Extension modules: an artifact in one file that needs Python alone, without NumPy on its path."""

from __future__ import annotations

import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from graphc_runtime.artifact import open_artifact

from graphc.aot.build import build, export
from graphc.aot.extension import SUFFIX, link_extension
from graphc.aot.library import build_library
from graphc.aot.linkers import found as linkers_of
from graphc.aot.targets import choose_levels
from graphc.aot.targets import platform as platform_of
from graphc.errors import BuildError

from . import built

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason=f"extension modules are made for 64-bit Linux, not for {sys.platform}",
)
HEAD = """
import sys
sys.path.insert(0, {place!r})
import array, inspect, pickle
import functions as f

def arr(kind, shape, values):
    flat = memoryview(array.array(kind, values)).cast("B")
    return flat.cast(kind, shape) if shape else flat.cast(kind)

x = arr("f", (2, 6), range(12))
w = arr("f", (6, 4), [0.1] * 24)
b = array.array("f", [0] * 4)
"""


@lru_cache(maxsize=4)
def place(threads: str = "none") -> Path:
    """A folder with the module `functions`."""
    where = platform_of("host")
    made = [e.made() for e in built.exports()]
    library = build_library("functions", made, where, choose_levels(where, "auto"), threads=threads)
    folder = built.folder().parent / f"extension-{threads}"
    folder.mkdir(exist_ok=True)
    (folder / f"functions{SUFFIX}").write_bytes(link_extension(library))
    return folder


def run(script: str, threads: str = "none") -> str:
    """What a script prints in a Python that has no packages at all."""
    head = HEAD.format(place=str(place(threads)))
    end = "\nassert 'numpy' not in sys.modules\n"
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "dev", "-W", "error", "-c", head + script + end],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr or f"ended by signal {-found.returncode}"
    return found.stdout.strip()


@pytest.mark.parametrize("threads", ["none", "pool"])
def test_values(threads: str) -> None:
    text = run("r = f.layer(x, w, b)\nprint(r.format, r.shape, r.readonly, r.tolist())", threads)
    x = np.arange(12, dtype=np.float32).reshape(2, 6)
    expected = np.tanh(x @ np.full((6, 4), 0.1, np.float32))
    head, _, rows = text.partition("[")
    assert head.strip() == "f (2, 4) False"
    np.testing.assert_allclose(eval("[" + rows), expected, rtol=1e-5)


def test_numbers_and_results() -> None:
    script = """
x = array.array("d", [1, 2])
scaled, total, plain = f.numbers(x, 2, 3, True, 1j)
print(scaled.tolist(), total.format, total.shape, plain.tolist(), f.weak(x, 1.5)[0].tolist())
print(f.numbers(x, 2.5, 3, False, 1)[0].tolist())
"""
    assert run(script).splitlines() == ["[2.0, 4.0] Zd () 3.0 3.0", "[4.0, 5.0]"]


def test_no_rows() -> None:
    script = """
import ctypes
empty = (ctypes.c_float * 6 * 0)()
r = f.layer(empty, w, b)
print(r.shape, r.nbytes, bytes(r))
"""
    assert run(script) == "(0, 4) 0 b''"


def test_arrays_written_over() -> None:
    script = """
p = array.array("f", [1, 1, 1])
same, norm = f.step(p, arr("f", (2, 3), [1] * 6), 0.5)
print(same is p, p.tolist(), norm.tolist())
"""
    assert run(script) == "True [0.0, 0.0, 0.0] 0.0"


def test_signatures_and_pickles() -> None:
    script = """
print(inspect.signature(f.loss), f.layer.__doc__.splitlines()[0])
print(pickle.loads(pickle.dumps(f.layer)) is f.layer)
print(f.layer(w=w, b_2=b, x=x) == f.layer(x, w, b))
"""
    assert run(script).splitlines() == [
        "(w, x, y) One layer: tanh of a product and a bias.", "True", "True"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("f.layer(x, w)", "TypeError layer() lacks the argument b_2"),
        ("f.layer(x, w, b, b)", "TypeError layer() takes 3 arguments, and 4 were given"),
        ("f.layer(x, w, c=b)", "TypeError layer() has no argument 'c', or two of them"),
        ("f.layer(x, w, x=x)", "TypeError layer() has no argument 'x', or two of them"),
        ("f.layer(x, w, w)", "TypeError layer: b_2 has another number of axes; expected f32[4]"),
        ("f.layer(x, w, array.array('d', b))",
         "TypeError layer: b_2 has elements of another type; expected f32[4]"),
        ("f.layer(x, w, 5)", "TypeError layer: b_2 has no contiguous buffer; expected f32[4]"),
        ("f.layer(x, w, b[:3])", "ValueError layer: axis 0 of b_2 is 3 and not 4; expected f32[4]"),
        ("f.layer(x, w, memoryview(arr('f', None, [0] * 8))[::2])",
         "TypeError layer: b_2 has no contiguous buffer; expected f32[4]"),
        ("f.weak(array.array('d'), '1')",
         "TypeError weak: scale is another object; expected a Python float"),
        ("f.weak(array.array('d'), 10**400)", "OverflowError int too large to convert to float"),
        ("f.numbers(array.array('d'), 1.0, 2**64, True, 1j)",
         "OverflowError int too big to convert"),
        ("f.numbers(array.array('d'), 1.0, True, True, 1j)",
         "TypeError numbers: count is another object; expected a Python int"),
        ("f.step(bytes(12), arr('f', (1, 3), [0] * 3), 1.0)",
         "TypeError step: params_w has no contiguous buffer that may be written; expected f32[k]"),
        ("f.shifted(array.array('d', [1]))",
         "ValueError shifted: an extent is negative or too large"),
        ("f.taken(array.array('d', [1]), array.array('q', [7]))",
         "IndexError taken: gather: an index is out of bounds"),
        ("f.identity()", "TypeError identity() lacks the argument arrays_bf16"),
    ],
)  # fmt: skip
def test_wrong_calls(call: str, said: str) -> None:
    script = f"""
try:
    {call}
except Exception as error:
    print(type(error).__name__, error)
"""
    assert run(script).startswith(said)


def test_shared_memory_is_refused() -> None:
    script = """
room = arr("f", None, [1] * 6)
try:
    f.step(room[:3], memoryview(room).cast("B").cast("f", (2, 3)), 0.5)
except ValueError as error:
    print(error)
"""
    assert run(script) == "step: params_w is written, and shares memory with x"


def test_no_reference_is_lost_or_kept() -> None:
    """Neither where a call succeeds nor where it fails."""
    script = """
def count():
    return [sys.getrefcount(o) for o in (x, w, b, f.layer)]

def fails():
    for wrong in ((x, w), (x, w, w), (w, w, b), (x, w, None)):
        try:
            f.layer(*wrong)
        except (TypeError, ValueError):
            pass

f.layer(x, w, b)
fails()
before = count()
blocks = sys.getallocatedblocks()
for _ in range(2000):
    f.layer(x, w, b)
    f.step(array.array("f", [1, 1, 1]), arr("f", (2, 3), [1] * 6), 0.5)
    fails()
print(count() == before, sys.getallocatedblocks() - blocks < 100)
kept = f.layer(x, w, b)
first = kept.tolist()
for _ in range(100):
    f.layer(x, w, b)
print(kept.tolist() == first)
b.append(1)  # no buffer of it is held
"""
    assert run(script).splitlines() == ["True True", "True"]


def test_threads_call_at_once() -> None:
    script = """
import threading
big = arr("f", (400, 6), [0.5] * 2400)
expected, wrong = f.layer(big, w, b), []

def work():
    for _ in range(200):
        if f.layer(big, w, b) != expected:
            wrong.append(1)

threads = [threading.Thread(target=work) for _ in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print(wrong)
"""
    assert run(script, "pool") == "[]"


def test_with_numpy() -> None:
    """Every dtype, beside what the artifact's package answers."""
    script = f"""
import sys
sys.path.insert(0, {str(place())!r})
import numpy as np, ml_dtypes
import functions as f
names = {sorted(built.DTYPES)!r}
row = [np.arange(3).astype(ml_dtypes.bfloat16 if n == "bf16" else {{"b": "?"}}.get(n[0]) or
       f"{{n[0]}}{{int(n[1:]) // 8}}") for n in names]
given = [a.view(np.uint16) if n == "bf16" else a for n, a in zip(names, row)]
found = f.identity(*given)
print(all(np.asarray(m).tobytes() == a.tobytes() and np.asarray(m).dtype == a.dtype
          for m, a in zip(found, given)) and len(found) == 15)
x = np.ones((5, 6), "f4")
print(np.asarray(f.wide(x)).shape, f.weak(np.zeros(2), np.float64(1.5))[0].tolist())
r = np.asarray(f.wide(x))
r[0] = 1  # results may be written
"""
    found = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True,
                           text=True, check=False, timeout=120)  # fmt: skip
    assert found.stdout.splitlines() == ["True", "(5, 700) 3.0"], found.stderr


@pytest.mark.parametrize("target", ["x86_64-windows", "wasm32", "armv7"])
def test_other_platforms_are_refused(target: str) -> None:
    where = platform_of(target)
    made = [export(built.layer, x="f32[n, 6]", w="f32[6, 4]", b="f32[4]").made()]
    library = build_library("functions", made, where, where.levels[:1])
    with pytest.raises(BuildError, match="extension modules are made for 64-bit Linux"):
        link_extension(library)


def test_built_into_an_artifact(tmp_path: Path) -> None:
    """Beside the package, which holds it as a module of its own."""
    one = export(built.layer, x="f32[n, 6]", w="f32[6, 4]", b="f32[4]")
    build(tmp_path / "functions", one, cpu="baseline", emit=["pyext"])
    path = tmp_path / "functions" / f"functions{SUFFIX}"
    assert path.is_file()
    open_artifact(tmp_path / "functions").check()
    script = HEAD.format(place=str(path.parent)) + "print(f.layer(x, w, b).shape)"
    found = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True,
                           text=True, check=False, timeout=120)  # fmt: skip
    assert found.stdout.strip() == "(2, 4)", found.stderr
    with pytest.raises(BuildError, match="expected one of 'obj', 'pyext'"):
        build(tmp_path / "other", one, emit=["egg"])


def test_every_linker_makes_one(tmp_path: Path) -> None:
    where = platform_of("host")
    made = [export(built.layer, x="f32[n, 6]", w="f32[6, 4]", b="f32[4]").made()]
    library = build_library("functions", made, where, where.levels[:1])
    for linker in linkers_of(where):
        (tmp_path / f"functions{SUFFIX}").write_bytes(link_extension(library, linker))
        script = HEAD.format(place=str(tmp_path)) + "print(f.layer(x, w, b).shape)"
        found = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True,
                               text=True, check=False, timeout=120)  # fmt: skip
        assert found.stdout.strip() == "(2, 4)", f"{linker}: {found.stderr}"
