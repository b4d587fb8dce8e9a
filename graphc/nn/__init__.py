"""graphc.nn: what networks of images are made of, as pure functions of arrays.

Convolutions (transposed and depthwise ones, and both gradients of them), pooling and resizing. They
take NumPy arrays and traced values, as `graphc.numpy` does. Axes are named by layouts: "NHWC" and
"HWIO" unless given, where N is the batch, C the channels, I and O the channels that a kernel takes
and gives, and the other letters are axes of space. What has one value per axis of space takes one
number for all of them too. Bias and activation are NumPy: `np.maximum(nn.conv(x, w) + b, 0)`.

Loaded when it is first asked for.
"""

from __future__ import annotations

from ..numpy.dispatch import Entry, public
from . import convolutions, pooling, resizing

conv = public(Entry("nn.conv", convolutions.conv))
conv_transpose = public(Entry("nn.conv_transpose", convolutions.conv_transpose))
depthwise_conv = public(Entry("nn.depthwise_conv", convolutions.depthwise_conv))
conv_input_gradient = public(Entry("nn.conv_input_gradient", convolutions.conv_input_gradient))
conv_kernel_gradient = public(Entry("nn.conv_kernel_gradient", convolutions.conv_kernel_gradient))
max_pool = public(Entry("nn.max_pool", pooling.max_pool))
avg_pool = public(Entry("nn.avg_pool", pooling.avg_pool))
resize = public(Entry("nn.resize", resizing.resize))

__all__ = [
    "avg_pool",
    "conv",
    "conv_input_gradient",
    "conv_kernel_gradient",
    "conv_transpose",
    "depthwise_conv",
    "max_pool",
    "resize",
]
