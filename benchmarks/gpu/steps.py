"""What is timed of training: a step is forwards, backwards and Adam's update of all the weights, on
arrays that stay on the device, with the state donated.

Networks, batches, losses and Adam are those of the family `train` of the suite that benchmarks/
uses on processors, and one large batch besides; graphc's losses are benchmarks/training.py's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cases import Case

RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-12
Loss = Callable[[Any, Sequence[Any], Any, Any], Any]


@dataclass(frozen=True)
class Network:
    """`weights` and `batch` of a generator; the loss of a module, the weights and a batch."""

    name: str
    weights: Callable[[Any], list[np.ndarray]]
    batch: Callable[[Any], tuple[np.ndarray, np.ndarray]]
    jax: Loss
    torch: Loss
    flops: float = 0.0

    def arrays(self) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        return self.weights(rng), *self.batch(rng)


def glorot(rng: Any, *shape: int) -> np.ndarray:
    limit = np.sqrt(6.0 / (shape[-1] + shape[-2]) / np.prod(shape[:-2]))
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def zeros(n: int) -> np.ndarray:
    return np.zeros(n, np.float32)


# ------------------------------------------------------------------------------------- networks


def mlp(batch: int) -> Network:
    def weights(rng: Any) -> list[np.ndarray]:
        sizes = ((784, 128), (128, 128), (128, 10))
        return [a for n, m in sizes for a in (glorot(rng, n, m), zeros(m))]

    def data(rng: Any) -> tuple[np.ndarray, np.ndarray]:
        return rng.random((batch, 784), dtype=np.float32), rng.integers(0, 10, batch)

    def jax(jax: Any, weights: Sequence[Any], x: Any, y: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = weights
        h = jax.nn.relu(jax.nn.relu(x @ w1 + b1) @ w2 + b2)
        scores = jax.nn.log_softmax(h @ w3 + b3)
        return -jax.numpy.take_along_axis(scores, y[:, None], 1).mean()

    def torch(torch: Any, weights: Sequence[Any], x: Any, y: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = weights
        h = torch.relu(torch.addmm(b1, x, w1))
        h = torch.relu(torch.addmm(b2, h, w2))
        return torch.nn.functional.cross_entropy(torch.addmm(b3, h, w3), y)

    flops = 2.0 * batch * (784 * 128 * 2 + (128 * 128 + 1280) * 3)
    return Network(f"mlp-{batch}", weights, data, jax, torch, flops)


def autoencoder(batch: int) -> Network:
    """28 -> 14 -> 7 -> 4 -> 8 -> 16 -> 14 -> 28."""
    shapes = ((1, 32), (32, 32), (32, 16), (16, 16), (16, 32), (32, 32), (32, 1))

    def weights(rng: Any) -> list[np.ndarray]:
        return [a for n, m in shapes for a in (glorot(rng, 3, 3, n, m), zeros(m))]

    def data(rng: Any) -> tuple[np.ndarray, np.ndarray]:
        x = rng.random((batch, 28, 28, 1), dtype=np.float32)
        return x, x.copy()

    def jax(jax: Any, weights: Sequence[Any], x: Any, y: Any) -> Any:
        def conv(x: Any, layer: int, padding: str = "SAME") -> Any:
            found = jax.lax.conv_general_dilated(
                x, weights[2 * layer], (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            return found + weights[2 * layer + 1]

        def down(x: Any, layer: int) -> Any:
            window = (1, 2, 2, 1)
            h = jax.nn.relu(conv(x, layer))
            return jax.lax.reduce_window(h, -np.inf, jax.lax.max, window, window, "SAME")

        def up(x: Any, layer: int, padding: str = "SAME") -> Any:
            return jax.nn.relu(conv(x, layer, padding)).repeat(2, 1).repeat(2, 2)

        h = down(down(down(x, 0), 1), 2)
        z = conv(up(up(up(h, 3), 4), 5, "VALID"), 6)
        return (jax.nn.softplus(z) - y * z).mean()

    def torch(torch: Any, weights: Sequence[Any], x: Any, y: Any) -> Any:
        functional = torch.nn.functional

        def conv(x: Any, layer: int, padding: str = "same") -> Any:
            return functional.conv2d(x, *weights[2 * layer : 2 * layer + 2], padding=padding)

        def down(x: Any, layer: int) -> Any:
            return functional.max_pool2d(torch.relu(conv(x, layer)), 2, ceil_mode=True)

        def up(x: Any, layer: int, padding: str = "same") -> Any:
            return functional.interpolate(torch.relu(conv(x, layer, padding)), scale_factor=2)

        # one channel: the same memory in either order
        x, y = x.reshape(-1, 1, 28, 28), y.reshape(-1, 1, 28, 28)
        h = down(down(down(x, 0), 1), 2)
        z = conv(up(up(up(h, 3), 4), 5, "valid"), 6)
        return functional.binary_cross_entropy_with_logits(z, y)

    products = (28 * 28 * 32, 14 * 14 * 1024, 49 * 512, 16 * 256, 64 * 512, 14 * 14 * 1024,
                28 * 28 * 32)  # fmt: skip
    flops = 2.0 * batch * 9 * (3 * sum(products) - products[0])
    return Network("autoencoder", weights, data, jax, torch, flops)


def imdb(batch: int, words: int, length: int, width: int) -> Network:
    """Words of reviews embedded, a convolution along the text, its maximum."""

    def weights(rng: Any) -> list[np.ndarray]:
        table = rng.uniform(-0.05, 0.05, (words, width)).astype(np.float32)
        return [table, glorot(rng, 3, width, width), zeros(width), glorot(rng, width, 128),
                zeros(128), glorot(rng, 128, 1), zeros(1)]  # fmt: skip

    def data(rng: Any) -> tuple[np.ndarray, np.ndarray]:
        x = rng.integers(0, words, (batch, length))
        return x, rng.integers(0, 2, (batch, 1)).astype(np.float32)

    def jax(jax: Any, weights: Sequence[Any], x: Any, y: Any) -> Any:
        table, kernel, b, w1, b1, w2, b2 = weights
        h = jax.lax.conv_general_dilated(
            table[x], kernel, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")
        )
        h = jax.nn.relu(h + b).max(1)
        z = jax.nn.relu(h @ w1 + b1) @ w2 + b2
        return (jax.nn.softplus(z) - y * z).mean()

    def torch(torch: Any, weights: Sequence[Any], x: Any, y: Any) -> Any:
        functional = torch.nn.functional
        table, kernel, b, w1, b1, w2, b2 = weights
        h = functional.embedding(x, table).transpose(1, 2)
        h = torch.relu(functional.conv1d(h, kernel, b)).amax(2)
        z = torch.addmm(b2, torch.relu(torch.addmm(b1, h, w1)), w2)
        return functional.binary_cross_entropy_with_logits(z, y)

    flops = 3 * 2.0 * batch * ((length - 2) * 3 * width * width + width * 128 + 128)
    return Network("imdb", weights, data, jax, torch, flops)


# --------------------------------------------------------------------------------- calls of columns


def of_graphc(column: Any, network: Network) -> Callable[[], Any]:
    import graphc
    from graphc import optim, pytrees

    from ..training import LOSSES

    adam = optim.adam(RATE, BETA1, BETA2, EPSILON, epsilon_hat=True)
    loss = LOSSES["mlp-512" if network.name.startswith("mlp") else network.name]
    loss_and_gradient = graphc.value_and_grad(loss)

    def step(weights: Any, state: Any, x: Any, y: Any) -> Any:
        loss, gradient = loss_and_gradient(weights, x, y)
        return loss, *adam.update(weights, gradient, state)

    compiled = column.jit(step, donate=("weights", "state"))
    weights, x, y = network.arrays()
    state = adam.init(weights)
    kept: list[Any] = [
        pytrees.map_leaves(lambda a: column.put(np.asarray(a)), one) for one in (weights, state)
    ]
    x, y = column.put(x), column.put(y)

    def call() -> Any:
        loss, *kept[:] = compiled(*kept, x, y)
        return loss

    call.__dict__["function"] = compiled
    return call


def of_jax(column: Any, network: Network) -> Callable[[], Any]:
    jax, jnp = column.jax, column.jnp
    tree = jax.tree_util.tree_map

    def step(weights: Any, m: Any, v: Any, t: Any, x: Any, y: Any) -> Any:
        loss, gradient = jax.value_and_grad(lambda w: network.jax(jax, w, x, y))(weights)
        t = t + 1
        rate = RATE * jnp.sqrt(1 - BETA2**t) / (1 - BETA1**t)
        m = tree(lambda a, g: BETA1 * a + (1 - BETA1) * g, m, gradient)
        v = tree(lambda a, g: BETA2 * a + (1 - BETA2) * g * g, v, gradient)
        weights = tree(lambda w, a, b: w - rate * a / (jnp.sqrt(b) + EPSILON), weights, m, v)
        return weights, m, v, t, loss

    compiled = jax.jit(step, donate_argnums=(0, 1, 2, 3))
    weights, x, y = network.arrays()
    weights = [column.put(w) for w in weights]
    zero = [tree(jnp.zeros_like, weights) for _ in "mv"]
    kept: list[Any] = [weights, *zero, jnp.zeros((), jnp.float32)]
    x, y = column.put(x), column.put(y)

    def call() -> Any:
        *kept[:], column.last = compiled(*kept, x, y)
        return column.last

    return call


def torch_arrays(column: Any, network: Network) -> tuple[list[Any], Any, Any]:
    """The weights as torch's layers keep them, and a batch."""
    weights, x, y = network.arrays()
    turned = [np.ascontiguousarray(np.moveaxis(w, (-1, -2), (0, 1))) if w.ndim > 2 else w
              for w in weights]  # fmt: skip
    return [column.put(w) for w in turned], column.put(x), column.put(y)


def of_torch(column: Any, network: Network) -> Callable[[], Any]:
    """Eager: autograd, and Adam in one kernel for all weights."""
    return _with_autograd(column, network, lambda loss: loss)


def _with_autograd(
    column: Any, network: Network, compiled: Callable[[Any], Any]
) -> Callable[[], Any]:
    torch = column.torch
    weights, x, y = torch_arrays(column, network)
    for w in weights:
        w.requires_grad_()
    adam = torch.optim.Adam(weights, RATE, (BETA1, BETA2), EPSILON, fused=True)
    loss_of = compiled(lambda weights, x, y: network.torch(torch, weights, x, y))

    def call() -> Any:
        with torch.enable_grad():
            loss = loss_of(weights, x, y)
            loss.backward()
        adam.step()
        adam.zero_grad(set_to_none=True)
        return loss.detach()

    return call


def of_torch_compile(column: Any, network: Network) -> Callable[[], Any]:
    """The whole step compiled, as one CUDA graph, where torch can; else the loss and its gradient.

    `call.facts` says which it was, why others were not, and that CUDA graphs were not skipped.
    """
    tried: dict[str, str] = {}
    found: list[tuple[float, Callable[[], Any], dict[str, Any]]] = []
    for how, mode in (("step", "reduce-overhead"), ("loss", "reduce-overhead"), ("loss", None)):
        before = column.counters()
        try:
            call = _compiled_step(column, network, how, mode)
            seconds = _quick(column, call)
        except Exception as error:
            tried[f"{how}, {mode}"] = f"{type(error).__name__}: {str(error)[:200]}"
            continue
        facts = column.compiled_since(before)
        kind = f"{how} compiled, mode {mode or 'default'}"
        found.append((seconds, call, {"mode": kind, **facts}))
        if mode is not None and not facts["CUDA graphs skipped"]:
            break
        tried[f"{how}, {mode}"] = f"{1e6 * seconds:.0f} us, {facts}"
    if not found:
        raise RuntimeError(f"torch.compile: {tried}")
    _, call, facts = min(found, key=lambda one: one[0])
    call.__dict__["facts"] = facts | ({"tried": tried} if tried else {})
    return call


def _quick(column: Any, call: Callable[[], Any]) -> float:
    for _ in range(5):  # compiled, then recorded, then replayed
        call()
    column.sync()
    started = time.perf_counter()
    for _ in range(10):
        call()
    column.sync()
    return (time.perf_counter() - started) / 10


def _compiled_step(column: Any, network: Network, how: str, mode: str | None) -> Callable[[], Any]:
    torch = column.torch

    def compiled(function: Any) -> Any:
        return torch.compile(function, fullgraph=True, dynamic=False, mode=mode)

    if how == "loss":
        call = _with_autograd(column, network, compiled)
    else:
        weights, x, y = torch_arrays(column, network)
        m, v = ([torch.zeros_like(w) for w in weights] for _ in "mv")
        t = torch.zeros((), device=x.device)
        for one in (*weights, *m, *v, t):  # may be written inside a CUDA graph
            torch._dynamo.mark_static_address(one)

        def step(weights: list[Any], m: list[Any], v: list[Any], t: Any, x: Any, y: Any) -> Any:
            gradient, loss = torch.func.grad_and_value(
                lambda weights: network.torch(torch, weights, x, y)
            )(weights)
            t.add_(1)
            rate = RATE * torch.sqrt(1 - BETA2**t) / (1 - BETA1**t)
            for w, a, b, g in zip(weights, m, v, gradient, strict=True):
                a.mul_(BETA1).add_(g, alpha=1 - BETA1)
                b.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
                w.sub_(rate * a / (b.sqrt() + EPSILON))
            return loss

        fast = compiled(step)

        def call() -> Any:
            return fast(weights, m, v, t, x, y)

    def marked() -> Any:
        torch.compiler.cudagraph_mark_step_begin()
        return call()

    return marked if mode is not None else call


STARTS: dict[str, Callable[[Any, Network], Callable[[], Any]]] = {
    "graphc": of_graphc, "jax": of_jax, "torch": of_torch, "torch-compile": of_torch_compile,
}  # fmt: skip


def steps() -> list[Case]:
    def one(network: Network, tiny: Network) -> Case:
        def case(network: Network, tiny: Case | None) -> Case:
            return Case(
                f"train {network.name}", (), _no_function, None, 0, int(network.flops),
                ("graphc", "torch", "torch-compile", "jax"), peak="f32", wall=True,
                start=lambda column: STARTS[column.name](column, network), tiny=tiny,
            )  # fmt: skip

        return case(network, case(tiny, None))

    small = mlp(4)
    return [
        one(mlp(512), small), one(mlp(128), small), one(mlp(4096), small),
        one(autoencoder(128), autoencoder(2)),
        one(imdb(500, 10000, 200, 256), imdb(3, 50, 10, 16)),
    ]  # fmt: skip


def _no_function(xp: Any, *arrays: Any) -> Any:
    raise TypeError("a step of training is made by `start`")
