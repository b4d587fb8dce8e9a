"""graphc.nn: what neural networks are made of, as pure functions of arrays.

Convolutions (transposed and depthwise ones, and both gradients of them), pooling, resizing, dense
layers, embeddings, activations, normalization, attention, recurrent layers; `initializers`,
`losses` and `metrics` in modules of their own. They take NumPy arrays and traced values, as
`graphc.numpy` does, and parameters are arguments.

Axes of images are named by layouts: "NHWC" and "HWIO" unless given, where N is the batch, C the
channels, I and O the channels that a kernel takes and gives, and the other letters are axes of
space. What has one value per axis of space takes one number for all of them too. Elsewhere the
batch is the first axis, and features or channels are the last one.

Loaded when it is first asked for.
"""

from __future__ import annotations

from ..numpy.dispatch import Entry, public
from . import convolutions, initializers, losses, metrics, pooling, resizing
from .activations import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    linear,
    log_sigmoid,
    log_softmax,
    mish,
    prelu,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    swish,
    tanh,
)  # fmt: skip
from .attention import attention, multi_head_attention, positions
from .layers import (
    dense,
    dropout,
    embedding,
    flatten,
    global_avg_pool,
    global_max_pool,
    one_hot,
    upsample,
)  # fmt: skip
from .normalization import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from .recurrent import (
    bidirectional,
    gru,
    gru_cell,
    gru_init,
    lstm,
    lstm_cell,
    lstm_init,
    simple_rnn,
    simple_rnn_cell,
    simple_rnn_init,
)  # fmt: skip

conv = public(Entry("nn.conv", convolutions.conv))
conv_transpose = public(Entry("nn.conv_transpose", convolutions.conv_transpose))
depthwise_conv = public(Entry("nn.depthwise_conv", convolutions.depthwise_conv))
conv_input_gradient = public(Entry("nn.conv_input_gradient", convolutions.conv_input_gradient))
conv_kernel_gradient = public(Entry("nn.conv_kernel_gradient", convolutions.conv_kernel_gradient))
max_pool = public(Entry("nn.max_pool", pooling.max_pool))
avg_pool = public(Entry("nn.avg_pool", pooling.avg_pool))
resize = public(Entry("nn.resize", resizing.resize))

__all__ = [
    "attention",
    "avg_pool",
    "batch_norm",
    "bidirectional",
    "celu",
    "conv",
    "conv_input_gradient",
    "conv_kernel_gradient",
    "conv_transpose",
    "dense",
    "depthwise_conv",
    "dropout",
    "elu",
    "embedding",
    "flatten",
    "gelu",
    "global_avg_pool",
    "global_max_pool",
    "glu",
    "group_norm",
    "gru",
    "gru_cell",
    "gru_init",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "initializers",
    "instance_norm",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "losses",
    "lstm",
    "lstm_cell",
    "lstm_init",
    "max_pool",
    "metrics",
    "mish",
    "multi_head_attention",
    "one_hot",
    "positions",
    "prelu",
    "relu",
    "relu6",
    "resize",
    "rms_norm",
    "selu",
    "sigmoid",
    "silu",
    "simple_rnn",
    "simple_rnn_cell",
    "simple_rnn_init",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
    "upsample",
]
