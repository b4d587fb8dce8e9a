"""The course's MLP for MNIST as four functions that a C program calls: a first state, an order of
the images, a step of training, and what the network says of images.

Images are bytes, as the files have them; everything else, random numbers included, is in here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc
from examples.course.mnist_mlp import logits, loss, make_parameters
from graphc import nn, optim, random

RATE, IMAGES = 1e-3, 48_000
ADAM = optim.adam(RATE)
PARAMETERS = make_parameters(0)
STATE = {"parameters": PARAMETERS, "adam": ADAM.init(PARAMETERS), "key": random.key(1000)}


def scaled(images: Any) -> Any:
    """From 0 to 1."""
    return images.astype(np.float32) / np.float32(255)


def init(state: Any) -> Any:
    """The state before training, written over whatever is there: parameters, Adam's moments, the
    key of the random numbers.
    """
    return STATE


def order(state: Any) -> Any:
    """The state, and the images in a new order."""
    key, used = random.split(state["key"], 2)
    return {**state, "key": key}, random.permutation(used, IMAGES).astype(np.int32)


def step(state: Any, images: Any, labels: Any) -> Any:
    """One step of Adam with dropout: the state, written over, and the loss."""
    key, used = random.split(state["key"], 2)
    parameters, y = state["parameters"], labels.astype(np.int32)
    value, gradient = graphc.value_and_grad(loss)(parameters, scaled(images), y, used)
    parameters, adam = ADAM.update(parameters, gradient, state["adam"])
    return {"parameters": parameters, "adam": adam, "key": key}, value


def test(state: Any, images: Any, labels: Any) -> Any:
    """The loss, and how many images are recognised."""
    scores, y = logits(state["parameters"], scaled(images)), labels.astype(np.int32)
    value = nn.losses.sparse_categorical_cross_entropy(scores, y, from_logits=True)
    return value, (np.argmax(scores, axis=-1) == y).sum()
