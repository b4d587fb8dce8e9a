"""Python functions written as text, for the structure of one signature: `Writer` collects their
lines, and the objects that they name. What is written are words of ours; keys and values of others
are in the name space.

Who calls it: nested.py for the functions of artifacts, graphc/unpacking.py for compiled ones.
"""

from __future__ import annotations

from typing import Any


class Writer:
    """Lines of one function, and the objects that they name: those of `space` to begin with."""

    def __init__(self, **space: Any) -> None:
        self.lines: list[str] = []
        self.space: dict[str, Any] = space
        self.count = 0

    def fresh(self, stem: str) -> str:
        """A name that is not in use."""
        self.count += 1
        return f"{stem}{self.count}"

    def constant(self, value: Any) -> str:
        """The name of an object."""
        name = self.fresh("k")
        self.space[name] = value
        return name

    def require(self, condition: str) -> None:
        """The function answers None unless this holds."""
        self.lines.append(f"    if not ({condition}): return None")

    def function(self, head: str, result: str) -> Any:
        """The function of these parameters."""
        text = "\n".join([f"def made({head}):", *self.lines, f"    return {result}"])
        exec(text, self.space)
        return self.space["made"]
