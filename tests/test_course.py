"""The programs of examples/course in a short form: what they print, and the pictures they write.

Their data is no part of the repository (GRAPHC_DATA, or ../shared/data): a program whose data is
not there is skipped, and says which file it wants.
"""

from __future__ import annotations

import re
import struct
import sys
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import graphc
from examples.course import (
    autoencoder,
    boston,
    cyclegan,
    dqn,
    graph_quizzes,
    imdb_conv1d,
    linear_regression,
    material,
    mnist_mlp,
    mnist_softmax,
    pca,
    rbm,
    sentiment_bilstm,
    som_colors,
    word2vec,
)

Run = Callable[..., str]
MNIST, IMDB = "mnist/mnist.npz", "imdb/imdb.npz"


def needs(name: str) -> pytest.MarkDecorator:
    path = material.place() / name
    return pytest.mark.skipif(not path.is_file(), reason=f"course data: no {path}")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """What a program prints with these options."""

    def ran(program: ModuleType, *options: object) -> str:
        monkeypatch.setattr(sys, "argv", [program.__name__, *map(str, options)])
        program.main()
        return capsys.readouterr().out

    return ran


def numbers(text: str, pattern: str) -> list[float]:
    """The numbers that follow a pattern, in order."""
    return [float(n) for n in re.findall(pattern + r"\s*(-?\d+(?:\.\d+)?)", text)]


def pixels(path: Path) -> np.ndarray:
    """The pixels of a PNG whose rows are not filtered."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    channels = {0: 1, 2: 3}[kind]
    assert depth == 8
    start = data.index(b"IDAT") + 4
    (count,) = struct.unpack(">I", data[start - 8 : start - 4])
    rows = np.frombuffer(zlib.decompress(data[start : start + count]), np.uint8)
    rows = rows.reshape(height, 1 + width * channels)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, channels)


def assert_plot(path: Path, printed: str) -> None:
    """The plot is there, or the program said why it is not."""
    if find_spec("matplotlib") is None:
        assert "no plot: it needs Matplotlib" in printed and not path.exists()
    else:
        assert path.read_bytes().startswith(b"\x89PNG") and f"plot: {path}" in printed


# ------------------------------------------------------------------------------------ no training
def test_graph_quizzes(run: Run) -> None:
    printed = run(graph_quizzes)
    assert numbers(printed, "pow:") == [7776] and numbers(printed, "quiz:") == [15625]
    assert numbers(printed, "constants:") == [48] and numbers(printed, r"add\(3, 5\):") == [8]
    pruned = printed.split("only the sum is wanted")[1].split("shapes known")[0]
    assert "add" in pruned and "mul" not in pruned
    assert "n - 2" in printed and printed.rstrip().endswith("(2,)")


@needs(MNIST)
def test_pca(run: Run, tmp_path: Path) -> None:
    printed = run(pca, "--digits", 200, "--pictures", tmp_path)
    found, exact = re.findall(r"(?:directions|NumPy):\s+(.*)", printed)
    assert found == exact and len(found.split(", ")) == 5
    whole, low = re.search(
        r"neighbour: ([\d.]+) in 784 dimensions, ([\d.]+) in 50", printed
    ).groups()  # type: ignore[union-attr]
    assert float(whole) > 0.6 and float(low) > 0.6
    assert_plot(tmp_path / "pca.png", printed)


# -------------------------------------------------------------------------------- small data sets
@needs("birth_life/birth_life_2010.txt")
def test_linear_regression(run: Run, tmp_path: Path) -> None:
    """A compiled epoch and steps from Python come to the same, beside least squares."""
    printed = run(linear_regression, "--show", "--pictures", tmp_path)
    assert "life expectancy = -6.0702 births + 84.929" in printed
    assert "stepped from Python: -6.0702, 84.929" in printed
    assert "least squares:       -5.7188, 85.7135" in printed
    assert printed.startswith("graph step(")
    assert_plot(tmp_path / "linear_regression.png", printed)


@needs("boston/BostonHousing.csv")
def test_boston(run: Run) -> None:
    found = re.findall(r"rows ([\d.]+) \(least squares ([\d.]+)\)", run(boston))
    assert [float(r2) for r2, _ in found] == pytest.approx([0.7667, 0.6652, 0.7900], abs=2e-4)
    assert all(float(r2) == pytest.approx(float(exact), abs=2e-4) for r2, exact in found)


@needs("colors/colors.csv")
def test_som_colors(run: Run, tmp_path: Path) -> None:
    printed = run(som_colors, "--rounds", 40, "--pictures", tmp_path)
    assert numbers(printed, "to its neuron:")[0] < 0.03
    image = pixels(tmp_path / "som_colors.png")
    assert image.shape == (300, 300, 3)
    apart = np.abs(np.diff(image[::10, ::10].astype(int), axis=0)).mean()
    assert apart < 25  # neighbours are alike; of the map at random: 85


@pytest.mark.skipif(find_spec("gymnasium") is None, reason="gymnasium is not installed")
def test_dqn(run: Run, tmp_path: Path) -> None:
    printed = run(dqn, "--steps", 1100, "--pictures", tmp_path)
    assert numbers(printed, "first 20:")[0] > 10
    assert_plot(tmp_path / "dqn.png", printed)


def test_dqn_learns_what_pays() -> None:
    """Two states, and the action that is the state's number pays: Q tells them apart."""
    rng = np.random.default_rng(0)
    seen = rng.integers(0, 2, 64).astype(np.float32)
    state = np.stack([seen, 1 - seen, 0 * seen, 0 * seen], axis=1)
    action = rng.integers(0, 2, 64).astype(np.int32)
    reward = (action == seen).astype(np.float32)
    batch = (state, action, reward, state, np.ones(64, np.float32))
    target = p = mnist_mlp.make_parameters(0, (4, 16, 2))
    step = graphc.jit(graphc.grad(dqn.loss))
    for _ in range(200):
        for one, g in zip(p, step(p, target, batch), strict=True):
            for name in one:
                one[name] = one[name] - np.float32(0.5) * g[name]
    np.testing.assert_array_equal(np.argmax(dqn.values(p, state), axis=1), seen)


def test_without_gymnasium(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(SystemExit, match="needs gymnasium: pip install"):
        run(dqn, "--steps", 1)


# ------------------------------------------------------------------------------------------ MNIST
@needs(MNIST)
def test_mnist_softmax(run: Run) -> None:
    few, more = (run(mnist_softmax, "--epochs", n, "--seeds", 1, "--limit", 6400) for n in (1, 10))
    assert numbers(few, "seed 0: loss")[0] > numbers(more, "seed 0: loss")[0]
    assert numbers(more, "mean of 1: loss .*, accuracy")[0] > 0.75


@needs(MNIST)
@pytest.mark.parametrize("form", [(), ("--as-printed",)])
def test_mnist_mlp(run: Run, form: tuple[str, ...]) -> None:
    printed = run(mnist_mlp, "--epochs", 4, "--seeds", 1, "--limit", 8192, *form)
    assert numbers(printed, "mean of 1: loss .*, accuracy")[0] > 0.7


def test_the_numbers_of_parameters() -> None:
    """As the course's summaries count them."""
    assert sum(p.size for layer in mnist_mlp.make_parameters(0) for p in layer.values()) == 118_282
    assert sum(p.size for p in imdb_conv1d.make_parameters(0).values()) == 2_789_889


@needs(MNIST)
def test_rbm(run: Run, tmp_path: Path) -> None:
    printed = run(rbm, "--epochs", 3, "--limit", 1000, "--pictures", tmp_path)
    errors = numbers(printed, "squared error")
    assert len(errors) == 4 and errors[0] > errors[1] > errors[2] and errors[3] < 0.1
    assert pixels(tmp_path / "rbm.png").shape == (2 * 2 * 30, 2 * 10 * 30, 1)


@needs(MNIST)
def test_autoencoder(run: Run, tmp_path: Path) -> None:
    printed = run(autoencoder, "--epochs", 2, "--limit", 512, "--pictures", tmp_path)
    first, second = numbers(printed, "on test images")
    assert first > second and second < 0.68
    assert pixels(tmp_path / "autoencoder.png").shape == (2 * 3 * 30, 2 * 10 * 30, 1)
    assert_plot(tmp_path / "autoencoder_loss.png", printed)


# ------------------------------------------------------------------------------------------ texts
@needs(IMDB)
def test_imdb_conv1d(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORDS": 2000, "LENGTH": 60, "FEATURES": 32, "BATCH": 50}.items():
        monkeypatch.setattr(imdb_conv1d, name, value)
    printed = run(imdb_conv1d, "--epochs", 6, "--seeds", 1, "--limit", 1000)
    losses = numbers(printed, "loss")
    assert len(losses) == 6 and losses[-1] < losses[0] - 0.1
    assert numbers(printed, "best")[0] > 0.6


@needs("sentiment/imdb_labelled.txt")
def test_sentiment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentiment_bilstm, "LENGTH", 16)
    printed = run(sentiment_bilstm, "--epochs", 3, "--seeds", 1, "--limit", 640)
    losses = numbers(printed, "loss")
    assert len(losses) == 3 and losses[-1] < losses[0]
    matrix = [int(n) for n in re.findall(r"\d+", printed.split("confusion")[1].split("]]")[0])]
    assert sum(matrix) == 600
    accuracy = numbers(printed, "test accuracy")[0]
    assert (matrix[0] + matrix[3]) / 600 == pytest.approx(accuracy, abs=1e-3)


@needs("sentiment/imdb_labelled.txt")
def test_no_sentence_is_on_both_sides() -> None:
    """The course's figure came by a leak; here a sentence is trained on or tested, never both."""
    x, _, x_test, _, words = sentiment_bilstm.numbered(0)
    assert (len(x), len(x_test)) == (2400, 600) and x.max() < words
    assert x_test.max() < words  # words that only test sentences have are the unknown word
    known = {row.tobytes() for row in x}
    whole = [row for row in x_test if 1 not in row]
    assert len(whole) > 50 and not any(row.tobytes() in known for row in whole)


@needs(IMDB)
def test_word2vec(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word2vec, "BATCH", 256)
    printed = run(word2vec, "--epochs", 2, "--limit", 60_000)
    first, second = numbers(printed, "loss")
    assert second < first
    assert (
        printed.count("good: ") == 1
        and len(printed.split("good: ")[1].split("\n")[0].split(", ")) == 5
    )


# ---------------------------------------------------------------------------------------- images
@needs("cifar10_subset/cifar10_subset.npz")
def test_cyclegan(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one level in the generators: what takes time here is the compilation."""
    monkeypatch.setattr(cyclegan, "DOWN", ((3, 8),))
    monkeypatch.setattr(cyclegan, "UP", ((8, 8),))
    monkeypatch.setattr(cyclegan, "PATCH", ((3, 8, 2), (8, 1, 1)))
    printed = run(cyclegan, "--steps", 60)
    losses = numbers(printed, "generators")
    assert len(losses) == 7 and losses[-1] < losses[0]


def test_the_generator_joins_what_went_down() -> None:
    p = cyclegan.make_generator(np.array([0, 7], np.uint32))
    found = cyclegan.generate(p, np.zeros((1, 32, 32, 3), np.float32))
    assert found.shape == (1, 32, 32, 3)
    shapes = [one["kernel"].shape[2:] for one in (*p["down"], *p["up"], p["last"])]
    assert shapes == [(3, 16), (16, 32), (32, 64), (64, 32), (64, 16), (32, 16), (16, 3)]


# ------------------------------------------------------------------------------------ the material
def test_missing_data_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRAPHC_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit, match=r"no data at .*nowhere: set GRAPHC_DATA to the folder"):
        material.mnist()
    monkeypatch.setenv("GRAPHC_DATA", str(tmp_path))
    for load in (material.mnist, material.boston, material.colors, material.sentences):
        with pytest.raises(SystemExit, match=r"is missing: examples/course/README\.md says where"):
            load()


def test_images_are_png(tmp_path: Path) -> None:
    image = np.linspace(0, 1, 6 * 4 * 3).reshape(6, 4, 3)
    material.save_image(tmp_path / "new" / "a.png", image)
    np.testing.assert_array_equal(pixels(tmp_path / "new" / "a.png"), np.rint(image * 255))


@pytest.mark.filterwarnings("default")
def test_without_matplotlib(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    material.save_curves(tmp_path / "a.png", {"a": [1, 2]}, "x", "y")
    assert "pip install matplotlib" in capsys.readouterr().out
    assert not (tmp_path / "a.png").exists()
