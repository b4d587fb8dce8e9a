"""examples/c: a C program trains the course's MLP to the same bits as Python with the same
library."""

from __future__ import annotations

import copy
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphc_runtime.artifact import open_artifact

import graphc
from examples.c import build, model
from examples.course import material

from . import c_caller

pytestmark = [
    pytest.mark.skipif(c_caller.CC is None, reason="there is no C compiler (cc)"),
    pytest.mark.skipif(
        not (material.place() / "mnist/mnist.npz").is_file(),
        reason=f"no data at {material.place()}: set GRAPHC_DATA",
    ),
]
EPOCHS, BATCH = 2, 512


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("c_training")
    build.build(place)
    build.write_data(place / "data")
    source = Path(build.__file__).with_name("train.c")
    command = [str(c_caller.CC), "-O2", "-Wall", "-Wextra", "-Werror", "-std=c99",
               f"-I{place / 'mlp'}", str(source), str(place / "mlp/mlp.a"), "-o",
               str(place / "train")]  # fmt: skip
    subprocess.run(command, check=True)
    return place


def data(folder: Path, name: str, *shape: int) -> np.ndarray:
    return np.fromfile(folder / f"data/{name}.u8", np.uint8).reshape(-1, *shape)


def trained(folder: Path, functions: Any) -> tuple[list[float], float, int]:
    """(mean loss of each epoch, loss and right answers on the test images) as train.c does it."""
    images, labels = data(folder, "train_images", 784), data(folder, "train_labels")
    state = functions["init"](copy.deepcopy(model.STATE))  # it is written over
    losses = []
    for _ in range(EPOCHS):
        state, rows = functions["order"](state)
        found = []
        for first in range(0, model.IMAGES - BATCH + 1, BATCH):
            chosen = rows[first : first + BATCH]
            state, value = functions["step"](state, images[chosen], labels[chosen])
            found.append(float(value))
        losses.append(sum(found) / len(found))
    value, right = functions["test"](
        state, data(folder, "test_images", 784), data(folder, "test_labels")
    )
    return losses, float(value), int(right)


def test_the_same_losses_as_python(folder: Path) -> None:
    done = subprocess.run(
        [str(folder / "train"), str(folder / "data"), str(EPOCHS)],
        capture_output=True, text=True, env={"PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    losses = [float(x) for x in re.findall(r"epoch +\d+: loss (\S+),", done.stdout)]
    last = re.search(r"test: loss (\S+), accuracy (\S+) ", done.stdout)
    assert last is not None, done.stdout
    imported = trained(folder, open_artifact(folder / "mlp").functions)
    assert [f"{x:.9g}" for x in imported[0]] == [f"{x:.9g}" for x in losses], "bit-equal"
    assert f"{imported[1]:.9g}" == f"{float(last[1]):.9g}"
    assert f"{imported[2] / 10_000:.4f}" == last[2]
    assert imported[2] > 9300, "it learns"


def test_about_the_same_as_jit(folder: Path) -> None:
    """Whose kernels are made for this very processor: the last digits may differ."""
    names = {"init": model.init, "order": model.order, "step": model.step, "test": model.test}
    compiled = trained(folder, {name: graphc.jit(f) for name, f in names.items()})
    imported = trained(folder, open_artifact(folder / "mlp").functions)
    np.testing.assert_allclose(compiled[0], imported[0], rtol=2e-3)


def test_a_file_that_is_missing(folder: Path, tmp_path: Path) -> None:
    done = subprocess.run([str(folder / "train"), str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1 and "cannot be read" in done.stderr
