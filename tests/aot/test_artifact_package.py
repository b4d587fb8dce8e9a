"""The artifact as a Python package: without the compiler, from a zip file, in pickles and pools."""

from __future__ import annotations

import ast
import shutil
import zipfile
from pathlib import Path

import pytest

from . import built

CALL = """
import numpy as np
x, w, b = np.ones((3, 6), "f4"), np.ones((6, 4), "f4"), np.zeros(4, "f4")
"""


@pytest.fixture(params=["embed", "file"])
def where(request: pytest.FixtureRequest) -> Path:
    return built.folder(request.param)


def zipped(folder: Path, to: Path, inside: str = "model") -> Path:
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, Path(inside) / path.relative_to(folder))
    return to


def test_import_needs_the_runtime_and_numpy_alone(where: Path) -> None:
    script = f"""{CALL}
import model
assert np.allclose(model.layer(x, w, b), np.tanh(6.0))
loaded = {{m.partition(".")[0] for m in sys.modules}}
print(sorted(loaded & {{"graphc", "llvmlite", "optree", "networkx", "ml_dtypes", "scipy"}}))
print(model.__doc__, model.__all__[:2], model.layer.__module__, model.layer.__name__)
"""
    lines = built.answer(script, where.parent).splitlines()
    assert lines == ["[]", "Functions for tests. ['layer', 'wide'] model layer"]


def test_a_function_without_a_library_that_it_needs() -> None:
    script = """
class _NoMl:
    def find_spec(self, name, path=None, target=None):
        if name == "ml_dtypes":
            raise ImportError(name)
sys.meta_path.insert(0, _NoMl())
import model
try:
    model.identity({})
except Exception as error:
    print(type(error).__name__, error)
"""
    text = built.answer(script, built.folder().parent)
    assert text.startswith("TypeMismatch arrays is a dict of []")
    script = script.replace("{}", "dict.fromkeys([" + str(list(built.DTYPES))[1:-1] + "])")
    text = built.answer(script, built.folder().parent)
    assert text == "ArtifactError an array is bfloat16; install ml_dtypes, which knows it"


def test_import_from_a_zip_file(where: Path, tmp_path: Path) -> None:
    one, two = zipped(where, tmp_path / "one.zip"), zipped(where, tmp_path / "two.zip", "other")
    script = f"""{CALL}
import model, other
print(model.wide(x).sum() == other.wide(x).sum(), np.allclose(model.layer(x, w, b), np.tanh(6.0)))
"""
    assert built.answer(script, one, two) == "True True"


def test_two_libraries_from_zip_files_are_two(tmp_path: Path) -> None:
    """The loader takes libraries of one path for one."""
    import numpy as np

    from graphc.aot.build import build, export

    for k in (1, 2):
        factor = np.float64(k)
        build(tmp_path / f"lib{k}", export(lambda x, f=factor: x * f, name="scaled", x="f64[n]"),
              name="lib", cpu="baseline")  # fmt: skip
        zipped(tmp_path / f"lib{k}", tmp_path / f"{k}.zip", f"lib{k}")
    script = """
import numpy as np, gc
import lib1
gc.collect()
import lib2
print(lib1.scaled(np.ones(1)), lib2.scaled(np.ones(1)))
"""
    assert built.answer(script, tmp_path / "1.zip", tmp_path / "2.zip") == "[1.] [2.]"


def test_functions_are_pickled_by_reference() -> None:
    script = f"""{CALL}
import model, pickle, copy
from graphc_runtime.artifact import open_artifact
text = pickle.dumps(model.layer)
assert len(text) < 60 and pickle.loads(text) is model.layer
assert copy.deepcopy(model.layer) is model.layer
loose = open_artifact({str(built.folder())!r}).functions["layer"]
again = pickle.loads(pickle.dumps(loose))
print(np.array_equal(again(x, w, b), model.layer(x, w, b)))
"""
    assert built.answer(script, built.folder().parent) == "True"


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("zip", [False, True])
def test_process_pool(method: str, zip: bool, tmp_path: Path) -> None:
    place = built.folder().parent
    if zip:
        place = zipped(built.folder(), tmp_path / "model.zip")
    program = tmp_path / "program.py"
    program.write_text(
        f"""
import sys
sys.path[:0] = {[str(place), str(built.ROOT / "typings")]!r}
import multiprocessing
import numpy as np
import model

if __name__ == "__main__":
    model.wide(np.ones((2, 6), "f4"))  # threads run before the fork
    parts = [np.full((4, 6), k, "f4") for k in range(8)]
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        found = pool.map(model.wide, parts)
    print(all(np.array_equal(f, model.wide(p)) for f, p in zip(found, parts)))
"""
    )
    found = built.run(f"import runpy\nrunpy.run_path({str(program)!r}, run_name='__main__')")
    if method == "spawn":  # the child imports the program's file
        import subprocess
        import sys

        found = subprocess.run([sys.executable, str(program)], capture_output=True, text=True,
                               check=False, timeout=120)  # fmt: skip
    assert found.stdout.strip() == "True", found.stderr


def test_threads() -> None:
    script = f"""{CALL}
import model
from concurrent.futures import ThreadPoolExecutor
expected = model.wide(x)
with ThreadPoolExecutor(8) as pool:
    found = list(pool.map(lambda _: model.wide(x), range(2000)))
print(all(np.array_equal(f, expected) for f in found))
"""
    assert built.answer(script, built.folder().parent) == "True"


def test_stub_says_what_the_functions_take(tmp_path: Path) -> None:
    text = (built.folder() / "__init__.pyi").read_text()
    functions = {f.name: f for f in ast.parse(text).body if isinstance(f, ast.FunctionDef)}
    assert "x: npt.NDArray[np.float32]" in ast.unparse(functions["layer"].args)
    assert ast.get_docstring(functions["layer"]).startswith("One layer")  # type: ignore[union-attr]
    assert ast.unparse(functions["weak"].returns) == "tuple[float, npt.NDArray[np.float64]]"  # type: ignore[arg-type]
    assert "scale: float" in ast.unparse(functions["weak"].args)
    nested = ast.unparse(functions["nested"])
    assert "batch: tuple[npt.NDArray[np.float32], list[npt.NDArray[np.float32]]]" in nested
    module = ast.parse((built.folder() / "__init__.py").read_text())
    assert ast.get_docstring(module) == "Functions for tests."


def test_a_moved_artifact_works(tmp_path: Path) -> None:
    shutil.copytree(built.folder("file"), tmp_path / "elsewhere")
    script = f"{CALL}\nimport elsewhere\nprint(np.allclose(elsewhere.layer(x, w, b), np.tanh(6.0)))"
    assert built.answer(script, tmp_path) == "True"


def test_without_native_calls() -> None:
    """The slower path answers the same, with a warning that says why it is taken."""
    script = f"""{CALL}
import warnings
import graphc_runtime.call as call
def refuse(): raise call._Unusable("a test says so")
call._check_platform = refuse
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    import model
print(len(said), "a test says so" in str(said[0].message))
print(np.allclose(model.layer(x, w, b), np.tanh(6.0)))
p = {{"w": np.ones(3, "f4")}}
print(model.step(p, np.ones((2, 3), "f4"), 0.5)[0]["w"] is p["w"], p["w"])
"""
    assert built.answer(script, built.folder().parent).splitlines() == [
        "1 True", "True", "True [0. 0. 0.]"
    ]  # fmt: skip
