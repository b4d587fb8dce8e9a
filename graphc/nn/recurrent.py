"""Recurrent layers: cells, which take one step, and layers, which go along the time of sequences.

A layer answers the outputs of all steps and the last state, which another call can begin with; what
is not used is not computed. The product of the inputs and the kernel is one product of all steps,
before the loop, which only has the product with the state left.

Parameters are dicts: "kernel" [i, k*u], "recurrent" [u, k*u] and "bias" [k*u], where i counts the
inputs, u the units and k the gates, which are neighbours in Keras's order; so Keras's weights fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import numpy as xp
from .. import pytrees, random
from ..control.loops import scan
from . import initializers
from .activations import sigmoid, tanh
from .layers import dense

Parameters = Mapping[str, Any]
Step = Callable[[Parameters, Any, Any], Any]
"""Of the parameters, the state, and the inputs times the kernel: the new state."""


def _init(key: Any, inputs: int, units: int, gates: int, dtype: Any) -> dict[str, Any]:
    """Kernel, recurrent kernel and bias as Keras begins them."""
    keys = random.split(key)
    return {
        "kernel": initializers.glorot_uniform(keys[0], (inputs, gates * units), dtype),
        "recurrent": initializers.orthogonal(keys[1], (units, gates * units), dtype),
        "bias": initializers.zeros(key, (gates * units,), dtype),
    }


def _run(
    step: Step, parameters: Parameters, x: Any, state: Any, parts: int, reverse: bool, mask: Any,
    unroll: int | bool,
) -> tuple[Any, Any]:  # fmt: skip
    """The outputs of all steps, and the last state; the output is the state, or its first part."""
    inputs = dense(xp.swapaxes(x, 0, 1), parameters["kernel"], parameters["bias"])
    if state is None:
        zero = xp.zeros((x.shape[0], parameters["recurrent"].shape[0]), inputs.dtype)
        state = zero if parts == 1 else (zero,) * parts

    def one(before: Any, row: Any) -> tuple[Any, Any]:
        z, seen = row if mask is not None else (row, None)
        after = step(parameters, before, z)
        if seen is not None:
            after = pytrees.map_together(lambda a, b: xp.where(seen, a, b), after, before)
        return after, after if parts == 1 else after[0]

    one.__name__ = step.__name__.strip("_")
    rows = inputs
    if mask is not None:
        rows = inputs, xp.swapaxes(xp.asarray(mask).astype(bool), 0, 1)[..., None]
    state, outputs = scan(one, state, rows, reverse=reverse, unroll=unroll)
    return xp.swapaxes(outputs, 0, 1), state


# ------------------------------------------------------------------------------------- simple rnn


def simple_rnn_init(key: Any, inputs: int, units: int, dtype: Any = "float32") -> dict[str, Any]:
    """The parameters of `simple_rnn`: a Glorot uniform kernel, an orthogonal recurrent one, zeros.

    Shapes: kernel [inputs, units], recurrent [units, units], bias [units]
    """
    return _init(key, inputs, units, 1, dtype)


def _simple_rnn(activation: Callable[[Any], Any]) -> Step:
    def simple_rnn(p: Parameters, h: Any, z: Any) -> Any:
        return activation(z + h @ p["recurrent"])

    return simple_rnn


def simple_rnn_cell(
    parameters: Parameters, state: Any, x: Any, *, activation: Callable[[Any], Any] = tanh
) -> Any:
    """activation(x @ kernel + state @ recurrent + bias), the new state.

    Shapes: state [n, u], x [n, i] -> [n, u]
    """
    z = dense(x, parameters["kernel"], parameters["bias"])
    return _simple_rnn(activation)(parameters, state, z)


def simple_rnn(
    parameters: Parameters, x: Any, state: Any = None, *, reverse: bool = False, mask: Any = None,
    unroll: int | bool = 1, activation: Callable[[Any], Any] = tanh,
) -> tuple[Any, Any]:  # fmt: skip
    """`simple_rnn_cell` along time: the outputs, which are the states, and the last state.

    The options are those of `lstm`.

    Shapes: x [n, t, i], state [n, u] -> ([n, t, u], [n, u])
    Source: Elman, Finding structure in time, 1990; Keras's SimpleRNN
    """
    return _run(_simple_rnn(activation), parameters, x, state, 1, reverse, mask, unroll)


# ------------------------------------------------------------------------------------------- lstm


def lstm_init(
    key: Any, inputs: int, units: int, dtype: Any = "float32", *, peephole: bool = False,
    forget_bias: float = 1.0,
) -> dict[str, Any]:  # fmt: skip
    """The parameters of `lstm`; the bias is 0, and `forget_bias` at the gate that forgets.
    `peephole` adds zeros of that name, for the gates i, f and o.

    Shapes: kernel [inputs, 4*units], recurrent [units, 4*units], bias [4*units],
        peephole [3, units]
    """
    found = _init(key, inputs, units, 4, dtype)
    rest = initializers.zeros(key, (units,), dtype)
    forget = initializers.constant(key, (units,), dtype, value=forget_bias)
    found["bias"] = xp.concatenate([rest, forget, rest, rest])
    if peephole:
        found["peephole"] = initializers.zeros(key, (3, units), dtype)
    return found


def _lstm(p: Parameters, state: Any, z: Any) -> tuple[Any, Any]:
    h, c = state
    i, f, g, o = xp.split(z + h @ p["recurrent"], 4, axis=-1)
    if "peephole" in p:
        i, f = i + c * p["peephole"][0], f + c * p["peephole"][1]
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    if "peephole" in p:
        o = o + c * p["peephole"][2]
    return sigmoid(o) * tanh(c), c


def lstm_cell(parameters: Parameters, state: tuple[Any, Any], x: Any) -> tuple[Any, Any]:
    """The new state (h, c): with the gates i, f, g, o of x @ kernel + h @ recurrent + bias, c is
    sigmoid(f) c + sigmoid(i) tanh(g), and h, the output, sigmoid(o) tanh(c). With "peephole" in the
    parameters, i and f also see the old c, and o the new one.

    Shapes: state ([n, u], [n, u]), x [n, i] -> ([n, u], [n, u])
    """
    return _lstm(parameters, state, dense(x, parameters["kernel"], parameters["bias"]))


def lstm(
    parameters: Parameters, x: Any, state: tuple[Any, Any] | None = None, *, reverse: bool = False,
    mask: Any = None, unroll: int | bool = 1,
) -> tuple[Any, tuple[Any, Any]]:  # fmt: skip
    """`lstm_cell` along time: the outputs h of all steps, and the last state.

    `state` is zeros unless given. `reverse`: from the last step to the first; the outputs stand in
    the order of x. `mask` [n, t]: where it is False, a step leaves the state and the output as they
    were. `unroll`: as in `graphc.scan`.

    Shapes: x [n, t, i], state ([n, u], [n, u]) -> ([n, t, u], ([n, u], [n, u]))
    Source: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; Gers and Schmidhuber,
        Recurrent Nets that Time and Count, 2000; Keras's LSTM
    """
    return _run(_lstm, parameters, x, state, 2, reverse, mask, unroll)


# -------------------------------------------------------------------------------------------- gru


def gru_init(key: Any, inputs: int, units: int, dtype: Any = "float32") -> dict[str, Any]:
    """The parameters of `gru`, as Keras's with reset_after, whose two rows of biases are here
    "bias" and "recurrent_bias".

    Shapes: kernel [inputs, 3*units], recurrent [units, 3*units], bias, recurrent_bias [3*units]
    """
    found = _init(key, inputs, units, 3, dtype)
    return found | {"recurrent_bias": initializers.zeros(key, (3 * units,), dtype)}


def _gru(p: Parameters, h: Any, z: Any) -> Any:
    update, reset, new = xp.split(z, 3, axis=-1)
    past = dense(h, p["recurrent"], p["recurrent_bias"])
    kept, seen, old = xp.split(past, 3, axis=-1)
    keep = sigmoid(update + kept)
    return keep * h + (1 - keep) * tanh(new + sigmoid(reset + seen) * old)


def gru_cell(parameters: Parameters, state: Any, x: Any) -> Any:
    """The new state: with the gates z, r, g of a = x @ kernel + bias and those of
    b = state @ recurrent + recurrent_bias, k = sigmoid(a_z + b_z) and
    n = tanh(a_g + sigmoid(a_r + b_r) b_g), it is k state + (1 - k) n.

    Shapes: state [n, u], x [n, i] -> [n, u]
    """
    return _gru(parameters, state, dense(x, parameters["kernel"], parameters["bias"]))


def gru(
    parameters: Parameters, x: Any, state: Any = None, *, reverse: bool = False, mask: Any = None,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:  # fmt: skip
    """`gru_cell` along time: the outputs, which are the states, and the last state.

    The options are those of `lstm`.

    Shapes: x [n, t, i], state [n, u] -> ([n, t, u], [n, u])
    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014; Keras's GRU
        and torch's, whose gates are in the order r, z, n
    """
    return _run(_gru, parameters, x, state, 1, reverse, mask, unroll)


# ------------------------------------------------------------------------------------ both ways


def bidirectional(
    layer: Callable[..., tuple[Any, Any]], forwards: Parameters, backwards: Parameters, x: Any,
    states: tuple[Any, Any] = (None, None), **options: Any,
) -> tuple[Any, tuple[Any, Any]]:  # fmt: skip
    """A layer from the first step to the last and one back, with parameters of their own: the
    outputs of both beside each other, and both last states.

    `options` are those of the layer. Keras's Bidirectional(LSTM(u)) without sequences is both last
    h beside each other.

    Shapes: x [n, t, i] -> ([n, t, 2*u], (state, state))
    Source: Schuster and Paliwal, Bidirectional Recurrent Neural Networks, 1997
    """
    there, last = layer(forwards, x, states[0], **options)
    back, first = layer(backwards, x, states[1], **options | {"reverse": True})
    return xp.concatenate([there, back], axis=-1), (last, first)


__all__ = [
    "bidirectional", "gru", "gru_cell", "gru_init", "lstm", "lstm_cell", "lstm_init", "simple_rnn",
    "simple_rnn_cell", "simple_rnn_init",
]  # fmt: skip
