"""Programs as courses write them: plain Python over arrays and numbers, without a word of graphc.

Each is run as it is, and as `jit(program, control_flow="python")`, for several arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

RNG = np.random.default_rng(7)
PROGRAMS: list[tuple[Callable[..., Any], list[tuple[Any, ...]]]] = []


def program(*calls: Any) -> Callable[..., Any]:
    """Adds a function to PROGRAMS with the arguments it is called with."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        PROGRAMS.append((function, [c if isinstance(c, tuple) else (c,) for c in calls]))
        return function

    return add


@program(3.0, -2.0, 0.0)
def absolute(x):
    if x > 0:
        y = x * 2
    else:
        y = -x
    return y


@program(30.0, 7.0, 1.0)
def early_return(x):
    if x > 10:
        return x
    if x > 5:
        return x * 2
    return x - 1


@program(95, 85, 75, 10)
def grade(points):
    if points >= 90:
        mark = 1
    elif points >= 80:
        mark = 2
    elif points >= 70:
        mark = 3
    else:
        mark = 5
    return mark


@program(6, 27, 1)
def collatz(n):
    steps = 0
    while n != 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps


@program(2.0, 9.0, 1e-3)
def newton_sqrt(a):
    x = a
    while abs(x * x - a) > 1e-12 * a:
        x = 0.5 * (x + a / x)
    return x


@program((12, 18), (17, 5), (4, 0))
def gcd(a, b):
    while b:
        a, b = b, a % b
    return a


@program(np.array([[2.0, 1], [1, 3]]), np.array([[5.0, 0], [0, 5]]))
def power_iteration(matrix):
    v = np.ones(matrix.shape[0]) / np.sqrt(matrix.shape[0])
    value = 0.0
    for _ in range(200):
        w = matrix @ v
        new = v @ w
        v = w / np.sqrt((w * w).sum())
        if abs(new - value) < 1e-12:
            break
        value = new
    return new, v


@program(2.0, 5.0, 0.25)
def bisect(a):
    low, high = 0.0, max(a, 1.0)
    while high - low > 1e-9:
        middle = (low + high) / 2
        if middle * middle > a:
            high = middle
        else:
            low = middle
    return low


@program((np.array([1, 2, 3, 4]), 3), (np.array([1, 2, 3, 4]), 9))
def linear_search(xs, key):
    i = 0
    while i < len(xs) and xs[i] != key:
        i += 1
    return i


@program((np.arange(30.0), 20.5), (np.arange(30.0), 99.0), (np.arange(5.0), 2.0))
def first_above(xs, limit):
    for i, x in enumerate(xs):
        if x > limit:
            return i
    return -1


@program(
    (RNG.normal(size=(20, 3)), RNG.random(20) > 0.4, RNG.normal(size=(4, 3)), np.eye(4)),
    (RNG.normal(size=(5, 3)), RNG.random(5) > 0.4, RNG.normal(size=(4, 3)), np.eye(4)),
)
def masked_rnn(xs, mask, u, w):
    h = np.zeros(w.shape[0])
    outputs = np.zeros((xs.shape[0], w.shape[0]))
    for t in range(xs.shape[0]):
        if mask[t]:
            h = np.tanh(u @ xs[t] + w @ h)
        outputs[t] = h
    return outputs, h


@program((RNG.normal(size=(40, 3)), RNG.normal(size=(3, 3))))
def rnn_over_rows(xs, w):
    h = np.zeros(3)
    for x in xs:
        h = np.tanh(x + w @ h)
    return h


@program(
    (RNG.normal(size=(7, 7)), np.int64(2), np.int64(5)),
    (RNG.normal(size=(7, 7)), np.int64(1), np.int64(0)),
)
def greedy_decoding(scores, start, end):
    tokens = np.zeros(20, dtype=np.int64)
    token = start
    length = 0
    for t in range(20):
        token = scores[token].argmax()
        if token in (end, 99):
            break
        tokens[t] = token
        length = length + 1
    return tokens, length


@program((RNG.normal(size=(6, 6)), 3), (RNG.normal(size=(6, 6)), 1))
def beam_search(scores, start):
    log = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    tokens = np.zeros((2, 18), dtype=np.int64)
    tokens[:, 0] = start
    total = np.array([0.0, -1e9])
    for t in range(1, 18):
        joint = total[:, None] + log[tokens[:, t - 1]]
        flat = joint.reshape(-1)
        best = np.argsort(-flat)[:2]
        total = flat[best]
        tokens = tokens[best // 6]
        tokens[:, t] = best % 6
    return tokens, total


@program((5.5, 10), (0.0, 4), (-3.0, 5), (1.0, 0))
def nested_loops(x, n):
    total = 0.0
    for i in range(n):
        if x > i:
            j = 0
            while j < i:
                if j == 3:
                    break
                total = total + x * j
                j += 1
            else:
                total += 100.0
        elif x < -1:
            continue
        else:
            total -= 1
    return total


@program(10, 0, 100)
def sum_of_some(n):
    s = 0
    for i in range(1, n, 2):
        if i % 3 == 0:
            continue
        s += i
    return s


@program(100.0, 0.3)
def halve_until_small(x):
    while True:
        x = x / 2
        if x < 1:
            break
    return x


@program((5.0, 3.0), (-5.0, 3.0), (1.0, 3.0))
def calls_others(x, limit):
    return clip(x, limit) + 10 * clip(x, both=True)


def clip(x, limit=2.0, *, both=False):
    if x > limit:
        return limit
    if both and x < -limit:
        return -limit
    return x


@program((1.0, 2.0), (-7.0, 1.0), (20.0, -1.0))
def expressions(x, y):
    larger = x if x > y else y
    within = 0 < x < 10
    mixed = (x > 0 and y > 0) or x < -5
    return larger, within, mixed, not mixed, x and y, x or y


class Layer:
    """Has a private attribute, a method, and can be called."""

    def __init__(self):
        self.w = np.arange(3.0)
        self.__factor = 2.0

    def activation(self, x):
        if x.sum() > 0:
            return x * self.__factor
        return x * self.w

    def __call__(self, x):
        for _ in range(3):
            x = self.activation(x) - 1
        return x


LAYER = Layer()


@program(np.array([1.0, 2, 3]), np.array([-1.0, 2, -3]))
def model(x):
    return LAYER(x)


@program(1.0, -1.0, 4.0)
def closures(x):
    count = 0

    def increase():
        nonlocal count
        if x > 0:
            count += 1
        else:
            count += 2

    for _ in range(3):
        increase()
    fold = lambda v: v if v > 2 else -v  # noqa: E731
    return count + fold(x)


@program(1.0, -1.0)
def in_place(x):
    y = np.zeros(5)
    same = y
    view = y[1:3]
    if x > 0:
        y += 1
        view[0] = x
    for i in range(30):
        if i % 5 == 2:
            y[i % 5] += 1
    return same * 2 + view.sum()


@program(1.0, 2.0)
def training(x):
    params = {"w": np.ones(3), "b": 0.0}
    for _ in range(50):
        gradient = params["w"] * x
        params["w"] = params["w"] - 0.01 * gradient
        params["b"] = params["b"] + gradient.sum()
    return params["w"].sum() + params["b"]


@program((np.arange(24.0).reshape(8, 3), 5.0), (np.arange(60.0).reshape(20, 3), 500.0))
def zip_and_enumerate(xs, limit):
    total = 0.0
    for i, (a, b) in enumerate(zip(xs, xs[::-1], strict=True)):
        if a.sum() > limit:
            continue
        total = total + (a * b).sum() * i
    return total


@program(5, 1)
def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


@program(np.array([3, 1, 2]), np.array([1, 2, 3, 9, 8, 7, 6, 5, 4, 0, 11, 12, 10, 14, 13, 15, 16]))
def insertion_sort(xs):
    xs = xs.copy()
    for i in range(1, len(xs)):
        key = xs[i]
        j = i - 1
        while j >= 0 and xs[j] > key:
            xs[j + 1] = xs[j]
            j -= 1
        xs[j + 1] = key
    return xs


@program(2.0, 40.0)
def walrus(x):
    steps = 0
    while (half := x / 2) > 1:
        x = half
        steps += 1
    return x, half, steps


@program((3.0, "double"), (3.0, "halve"))
def static_choice(x, mode):
    if mode == "double":
        scale = 2.0
    else:
        scale = 0.5
    return x * scale if x > 1 else x


@program(np.array([0.5, 2.0, 3.0]), np.array([9.0, 9.0, 9.0]))
def with_and_try(x):
    total = 0.0
    with np.errstate(all="ignore"):
        try:
            for one in x:
                if one > 2:
                    total += one
                    continue
                total -= one
        finally:
            total *= 2
    return total


@program(7, 12, 13)
def smallest_divisor(n):
    d = 2
    while d * d <= n:
        if n % d == 0:
            return d
        d += 1
    return n


@program((RNG.normal(size=(25, 3)), np.eye(3)), (RNG.normal(size=(4, 3)), np.eye(3)))
def list_of_states(xs, w):
    h = np.zeros(3)
    states, norms = [h], []
    for x in xs:
        h = np.tanh(x + w @ h)
        states.append(h)
        norms.append((h.sum(), 1))
    return np.stack(states), norms[3][0], norms[-1]


@program(0.3, 0.9)
def list_of_layers(x):
    sizes = [1, 2, 3]
    outputs = []
    for i in range(len(sizes)):
        x = x * sizes[i] if x < 1 else x - 1
        outputs.append(x)
    return np.stack(outputs)


@program(1.0, 5.0)
def loop_in_a_called_function(x):
    def inner(v):
        while v > 0.5:
            v = v * 0.5
        return v

    return inner(x) + np.sum(np.array([inner(x * 3), inner(x)]))


@program((0, 3), (5, 2))
def first_assignment_in_the_loop(a, n):
    for i in range(20):
        last = a + i * n
    return last


@program(np.array([1.0, -1.0, 2.0]))
def list_over_arrays(x):
    best = x
    for candidate in [x, x * 2, -x]:
        if candidate.sum() > best.sum():
            best = candidate
    return best


@program(np.array([[1.0, 2.0], [3.0, 4.0]]), np.eye(2))
def converge(m):
    steps = 0
    error = np.inf
    x = m
    while error > 1e-6 and steps < 100:
        new = 0.5 * x
        error = np.abs(new - x).max()
        x = new
        steps += 1
    return x, steps


@program(3.0, 50.0)
def jumps_in_the_else_of_a_loop(x):
    n = 0
    for i in range(20):
        for j in range(3):
            if j * i > x:
                break
            n += 1
        else:
            continue
        n += 100
        if i > x:
            break
    return n


@program(9.0, 2.5)
def else_of_a_while(x):
    while x > 1:
        x -= 1
        if x == 3:
            break
    else:
        x = -5.0
    return x


@program(0.5, 1.5, -1.0)
def return_in_a_try(x):
    for i in range(3):
        try:
            if x > i:
                return x + i
        except ValueError:
            pass
    return 0.0


@program(9.0, 0.5)
def views_of_a_carried_array(x):
    a = np.zeros((4, 3))
    row = a[1]
    while x > 1:
        row += x
        a[0, 0] = row[1]
        x = x / 2
    return a


@program(np.arange(30.0))
def backwards(xs):
    s = 0.0
    for i, x in enumerate(reversed(xs)):
        if x > 2:
            s = s * 0.5 + x * i
    return s


@program(9, 0)
def downwards(n):
    s = 0
    for i in range(n, 0, -2):
        s = s * 10 + i
    return s
