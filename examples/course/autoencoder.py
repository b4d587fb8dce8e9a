"""A denoising convolutional autoencoder on MNIST: 28 -> 14 -> 7 -> 4 -> 8 -> 16 -> 14 -> 28.

    python -m examples.course.autoencoder --epochs 5
    python -m examples.course.autoencoder                    50 epochs of batches of 128
    python -m examples.course.autoencoder --device cuda      on the GPU

Noise 0.5 N(0, 1), cut to 0..1; binary cross-entropy; Adam. The course prints 0.1497 on the test
images after the first epoch and 0.0985 after 50.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import graphc
from graphc import nn, optim, random

from . import material

BATCH, TEST_BATCH = 128, 500
CHANNELS = ((1, 32), (32, 32), (32, 16), (16, 16), (16, 32), (32, 32), (32, 1))


def make_parameters(seed: int) -> list[dict[str, Any]]:
    keys = random.split(random.key(seed), len(CHANNELS))
    return [
        {"kernel": nn.initializers.glorot_uniform(k, (3, 3, a, b)), "bias": np.zeros(b, np.float32)}
        for k, (a, b) in zip(keys, CHANNELS, strict=True)
    ]


def logits(p: list[dict[str, Any]], x: Any) -> Any:
    """(batch, 28, 28, 1) before the sigmoid."""

    def layer(x: Any, k: int, padding: str = "same") -> Any:
        return nn.relu(nn.conv(x, p[k]["kernel"], padding=padding) + p[k]["bias"])

    for k in range(3):
        x = nn.max_pool(layer(x, k), 2, padding="same")
    for k in range(3, 6):
        x = nn.upsample(layer(x, k, "valid" if k == 5 else "same"), 2)
    return nn.conv(x, p[6]["kernel"], padding="same") + p[6]["bias"]


def loss(p: list[dict[str, Any]], noised: Any, clean: Any, rows: Any) -> Any:
    """Of the images of these rows: the network gets the noised ones, and clean ones are wanted."""
    return nn.losses.binary_cross_entropy(logits(p, noised[rows]), clean[rows], from_logits=True)


def noisy(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    return np.clip(images + np.float32(0.5) * noise, 0, 1)


def run(
    seed: int, epochs: int, limit: int, device: str | None = None
) -> tuple[list[tuple[float, float]], np.ndarray]:
    """((training loss, test loss) of each epoch, ten test images: clean, noised and rebuilt)."""
    rng = np.random.default_rng(seed)
    images, _, test_images, _ = (a[:limit, ..., None] for a in material.mnist())
    clean, noised = (material.put(a, device) for a in (images, noisy(rng, images)))
    test_noised = noisy(rng, test_images)
    tested = [material.put(a, device) for a in (test_noised, test_images)]
    adam = optim.adam(1e-3)
    p = make_parameters(seed)
    state = adam.init(p)

    def step(p: Any, state: Any, noised: Any, clean: Any, rows: Any) -> tuple[Any, Any, Any]:
        value, gradient = graphc.value_and_grad(loss)(p, noised, clean, rows)
        return *adam.update(p, gradient, state), value

    train = graphc.jit(step, donate=("p", "state"), device=device)
    test = graphc.jit(loss, device=device)
    blocks = np.arange(len(test_images) // TEST_BATCH * TEST_BATCH).reshape(-1, TEST_BATCH)
    curve = []
    for epoch in range(epochs):
        start, values = time.perf_counter(), []
        for rows in material.batches(rng, len(images), BATCH):
            p, state, value = train(p, state, noised, clean, rows)
            values.append(value.item())
        seconds = time.perf_counter() - start
        parts = [test(p, *tested, rows).item() for rows in blocks]
        curve.append((float(np.mean(values)), float(np.mean(parts))))
        print(
            f"epoch {epoch + 1:2}: loss {curve[-1][0]:.4f}, on test images {curve[-1][1]:.4f}, "
            f"{seconds / len(values) * 1e3:.1f} ms a step",
            flush=True,
        )
    rebuild = graphc.jit(lambda p, x: nn.sigmoid(logits(p, x)), device=device)
    rebuilt = material.fetched(rebuild(p, test_noised[:10]))
    return curve, np.stack([test_images[:10], test_noised[:10], rebuilt])[..., 0]


def main() -> None:
    parser = material.options(__doc__)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--limit", type=int, default=60_000, help="so many images, at least 500")
    material.device_option(parser)
    material.picture_option(parser)
    given = parser.parse_args()
    curve, shown = run(given.seed, given.epochs, given.limit, given.device)
    material.save_image(given.pictures / "autoencoder.png", material.grid(shown))
    training, test = zip(*curve, strict=True)
    curves = {"training": training, "test": test}
    material.save_curves(
        given.pictures / "autoencoder_loss.png", curves, "epoch", "binary cross-entropy"
    )


if __name__ == "__main__":
    main()
