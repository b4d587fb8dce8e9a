"""A small controller for a microcontroller: the torque that holds a pendulum upright.

The weights stand for what a training would give; what is shown is the way to the board.
"""

from __future__ import annotations

from typing import Any

import numpy as np

RNG = np.random.default_rng(0)
W1 = RNG.normal(0, 0.7, (4, 16)).astype(np.float32)
W2 = RNG.normal(0, 0.3, (16, 16)).astype(np.float32)
W3 = RNG.normal(0, 0.3, (16, 1)).astype(np.float32)


def control(state: Any) -> Any:
    """Torques from -1 to 1 for states (position, angle, and their speeds)."""
    h = np.tanh(np.tanh(state @ W1) @ W2)
    return np.tanh(h @ W3)[:, 0]
