"""A CUDA device for the tests of this folder: the machine's own, or the stand-in."""

import pytest
from graphc_runtime import cuda, cuda_decisions

from . import standin


def _install() -> str:
    """What keeps the tests from running; empty when there is a device now."""
    if cuda.available()[0]:
        return ""
    why = standin.missing()
    if not why:
        standin.install()
    return why


MISSING = _install()


@pytest.fixture(autouse=True)
def device() -> object:
    if MISSING:
        pytest.skip(MISSING)
    return cuda.device()


@pytest.fixture(params=["brought back", "in pairs"])
def states(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in which the states of a loop change places."""
    if request.param == "in pairs":
        monkeypatch.setattr(cuda_decisions, "PAIR_BYTES", 0)
