"""The graph quizzes: what a graph computes, and what is left of it when only one result is wanted.

    python -m examples.course.graph_quizzes

No data. The course prints 6 ** 5 = 7776, 5 ** 6 = 15625, 48 and 8; the product behind the sum is
not in the printed graph, and a shape that depends on the argument has a letter until the run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc

from . import material


def add_multiply_pow(x: Any, y: Any) -> Any:
    """(x y) ** (x + y): with 2 and 3, 6 ** 5."""
    op1 = x + y
    op2 = x * y
    return op2**op1


def quiz(x: Any, y: Any) -> Any:
    """(x + y) ** (x y): with 2 and 3, 5 ** 6."""
    return (x + y) ** (x * y)


def pruned(x: Any, y: Any) -> Any:
    """Only the sum is wanted: the product behind it is not computed."""
    add_op = x + y
    mul_op = x * y
    _unused = mul_op * add_op
    return add_op


def drop_two(x: Any) -> Any:
    """All elements but the last two: the extent of the result is n - 2."""
    return x[:-2]


def main() -> None:
    material.options(__doc__).parse_args()
    two, three = np.int32(2), np.int32(3)
    print("add, multiply, pow:", graphc.jit(add_multiply_pow)(two, three))
    print("quiz:              ", graphc.jit(quiz)(two, three))
    print("constants:         ", graphc.jit(lambda: np.multiply(6, 8))())
    print("add(3, 5):         ", graphc.jit(np.add)(np.int32(3), np.int32(5)))

    print("\nwhat is left when only the sum is wanted")
    print(graphc.jit(pruned).lower(two, three).text("graph").strip())

    print("\nshapes known before the run, and after it")
    lowered = graphc.jit(drop_two).lower(graphc.spec(("n",), "int32"))
    print(lowered.text("graph").strip())
    print(graphc.jit(drop_two)(np.array([0, 1, 1, 3], np.int32)).shape)


if __name__ == "__main__":
    main()
