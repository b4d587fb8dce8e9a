"""Makes the working tree importable:
`graphc`, and `runtime/` as `graphc_runtime`, when they are not installed.
"""

import importlib.util
import pathlib
import sys
from collections.abc import Callable, Iterator

import pytest

ROOT = pathlib.Path(__file__).parent.parent

if importlib.util.find_spec("graphc_runtime") is None:
    spec = importlib.util.spec_from_file_location(
        "graphc_runtime",
        ROOT / "runtime" / "__init__.py",
        submodule_search_locations=[str(ROOT / "runtime")],
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["graphc_runtime"] = module
    spec.loader.exec_module(module)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files instead of comparing"
    )


@pytest.fixture(autouse=True)
def threads_stay() -> Iterator[None]:
    """A test that changes how many threads there are changes them back: later ones depend on it."""
    import graphc_runtime

    before = graphc_runtime.get_threads()
    yield
    after = graphc_runtime.get_threads()
    if after != before:
        graphc_runtime.set_threads(before)
    assert after == before, f"{after} threads are left where {before} were"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)`: compares a text with the file golden/NAME beside the test's module."""

    def check(name: str, text: str) -> None:
        path = request.path.parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{path.name}: see --update-golden"

    return check
