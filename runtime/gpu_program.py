"""Runs the GPU code of an artifact: plans that graphc/aot/gpu.py wrote, cubins, by pycuda.

Who calls it: `artifact.py`, when functions are asked for on a GPU. NumPy arrays in, NumPy arrays
out: they are copied to the device and back. Nothing of the compiler is needed.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import cuda

MOST_NODES = 4096
"""Of the text of an extent; a longer one is damaged."""


class GpuProgram:
    """One function on one device.

    `plan` as the artifact holds it, `cubins` by architecture, `constants` the block of them.

    Raises:
        DeviceError: there is no GPU, or no code for its architecture.
    """

    def __init__(
        self, name: str, plan: Mapping[str, Any], cubins: Mapping[str, bytes], constants: bytes,
        device: cuda.Device | None = None,
    ):  # fmt: skip
        self.device = device or cuda.device()
        self.name, self.plan = name, plan
        launches = [*plan["setup"], *plan["launches"]]
        self._functions: dict[str, Any] = {}
        if launches:
            module = self.device.load(_chosen(name, cubins, self.device.arch))
            for one in launches:
                self._functions[one["kernel"]] = self.device.function(
                    module, one["kernel"], one["dynamic_bytes"]
                )
        self._constants = [self._uploaded(constants, *place) for place in plan["constants"]]
        self._kept = self.device.allocate(plan["kept"])
        self._error = self.device.allocate(4)
        self.device.clear(int(self._error), 4)
        if plan["setup"]:
            scratch = self.device.allocate(plan["setup_arena"])
            self._launch(plan["setup"], [], int(scratch), {})
            self.device.synchronize()

    def _uploaded(self, constants: bytes, place: int, nbytes: int) -> Any:
        memory = self.device.allocate(nbytes)
        self.device.upload(int(memory), np.frombuffer(constants, np.uint8, nbytes, place))
        return memory

    def __call__(
        self, arrays: Sequence[np.ndarray], outputs: Sequence[np.ndarray], env: Mapping[str, int]
    ) -> None:
        """Runs for contiguous arrays of the right types; writes the outputs. An output that is
        written over an input is the input's array.

        Raises:
            DeviceError, OutOfDeviceMemory. IndexError: with the message of the program.
        """
        device, aliases = self.device, dict(map(tuple, self.plan["aliases"]))
        held = [device.allocate(a.nbytes) for a in arrays]
        for memory, array in zip(held, arrays, strict=True):
            device.upload(int(memory), np.ascontiguousarray(array))
        results = [
            held[aliases[k]] if k in aliases else device.allocate(o.nbytes)
            for k, o in enumerate(outputs)
        ]
        arena = device.allocate(number(self.plan["arena"], env))
        buffers = [int(memory) for memory in (*held, *results)]
        self._launch(self.plan["launches"], buffers, int(arena), env)
        self._check()
        for memory, output in zip(results, outputs, strict=True):
            device.download(output, int(memory))

    def _launch(
        self, launches: Sequence[Mapping[str, Any]], buffers: Sequence[int], arena: int,
        env: Mapping[str, int],
    ) -> None:  # fmt: skip
        with self.device.active():
            for one in launches:
                grid = tuple(min(number(e, env), limit) for e, limit in one["grid"])
                if 0 in grid:
                    continue
                values = [
                    self._address(kind, at, buffers, arena, env) for kind, at in one["buffers"]
                ]
                values += [env[s] for s in one["symbols"]]
                if one["fails"]:
                    values.append(int(self._error))
                function = self._functions[one["kernel"]]
                try:
                    self.device.launch(
                        function, grid, tuple(one["block"]), cuda.pack(values),
                        one["dynamic_bytes"],
                    )  # fmt: skip
                except Exception as error:
                    at = f" ({one['line']})" if one["line"] else ""
                    raise cuda.DeviceError(f"kernel {one['kernel']}{at}: {error}") from None

    def _address(
        self, kind: str, where: int | str, buffers: Sequence[int], arena: int,
        env: Mapping[str, int],
    ) -> int:  # fmt: skip
        if kind == "buffer":
            return buffers[int(where)]
        if kind == "constant":
            return int(self._constants[int(where)])
        return (arena if kind == "arena" else int(self._kept)) + number(where, env)

    def _check(self) -> None:
        """Raises what the kernels reported."""
        if not any(one["fails"] for one in self.plan["launches"]):
            return
        code = np.zeros(1, np.int32)
        self.device.download(code, int(self._error))
        if code[0]:
            self.device.clear(int(self._error), 4)
            messages = self.plan["messages"]
            known = 0 < code[0] <= len(messages)
            raise IndexError(messages[code[0] - 1] if known else f"unknown error {code[0]}")


def check_plan(plan: Any, buffers: int, constants_bytes: int) -> None:
    """Whether a plan is one, for so many buffers and bytes of constants.

    Raises:
        ValueError: with what is wrong.
    """
    try:
        for one in (*plan["setup"], *plan["launches"]):
            good = type(one["kernel"]) is str and type(one["fails"]) is bool
            good = good and type(one["dynamic_bytes"]) is int and type(one["line"]) is str
            good = good and len(one["block"]) == 3 and all(type(b) is int for b in one["block"])
            good = good and all(type(s) is str for s in one["symbols"]) and len(one["grid"]) == 3
            for extent, limit in one["grid"]:
                good = good and type(extent) in (int, str) and type(limit) is int
            for kind, where in one["buffers"]:
                good = good and _is_place(kind, where, buffers, len(plan["constants"]))
            if not good:
                raise ValueError("a launch is damaged")
        for place, nbytes in plan["constants"]:
            if not 0 <= place <= place + nbytes <= constants_bytes:
                raise ValueError("a constant is not in the file")
        for k, argument in plan["aliases"]:
            if not (0 <= k < buffers and 0 <= argument < buffers):
                raise ValueError("an output is written over nothing")
        sizes = [plan["kept"], plan["setup_arena"]]
        if not all(type(n) is int and 0 <= n < 2**48 for n in sizes):
            raise ValueError("a size is damaged")
        if type(plan["arena"]) not in (int, str) or not all(
            type(m) is str for m in plan["messages"]
        ):
            raise ValueError("the plan is damaged")
    except (TypeError, KeyError) as error:
        raise ValueError(f"the plan is damaged: {error}") from None


def _is_place(kind: Any, where: Any, buffers: int, constants: int) -> bool:
    """Whether something says where a buffer is."""
    if kind in ("arena", "kept"):
        return type(where) is str or (type(where) is int and where >= 0)
    most = buffers if kind == "buffer" else constants if kind == "constant" else 0
    return type(where) is int and 0 <= where < most


def _chosen(name: str, cubins: Mapping[str, bytes], arch: str) -> bytes:
    """The code for a device: cubins run on later minor versions of their architecture."""
    major, minor = int(arch[3:-1]), int(arch[-1])
    fitting = []
    for one in cubins:
        if not one[3:].isdigit():  # sm_90a: for just that processor
            if one[3:-1] == arch[3:]:
                return cubins[one]
            continue
        if int(one[3:-1]) == major and int(one[-1]) <= minor:
            fitting.append((int(one[-1]), one))
    if not fitting:
        made = ", ".join(cubins) or "none"
        raise cuda.DeviceError(
            f"{name} has no code for this GPU ({arch}); the artifact was built for {made}. "
            f"Build it again with --gpu {arch}"
        )
    return cubins[max(fitting)[1]]


def number(extent: int | str, env: Mapping[str, int]) -> int:
    """The value of an extent's text: integers, names, + - * // % and parentheses.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(extent, int):
        return extent
    try:
        tree = ast.parse(extent, mode="eval")
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"{extent!r} is no extent") from None
    if sum(1 for _ in ast.walk(tree)) > MOST_NODES:
        raise ValueError("an extent is too long")
    return _value(tree.body, env)


def _value(node: ast.expr, env: Mapping[str, int]) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name) and node.id in env:
        return env[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, env)
    if isinstance(node, ast.BinOp):
        a, b = _value(node.left, env), _value(node.right, env)
        if isinstance(node.op, ast.Add):
            return a + b
        if isinstance(node.op, ast.Sub):
            return a - b
        if isinstance(node.op, ast.Mult):
            return a * b
        if isinstance(node.op, ast.FloorDiv) and b:
            return a // b
        if isinstance(node.op, ast.Mod) and b:
            return a % b
    raise ValueError(f"{ast.unparse(node)!r} is no extent")


__all__ = ["GpuProgram", "number"]
