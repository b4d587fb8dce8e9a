"""Dataclasses whose methods are written when they are first called."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
import threading
from dataclasses import field
from typing import Any

import pytest
from graphc_runtime.records import dataclass

OPTIONS = [
    {"frozen": f, "slots": s, "eq": e} for f in (False, True) for s in (False, True)
    for e in (False, True)
]  # fmt: skip


def classes(options: dict[str, bool]) -> list[Any]:
    """The same class twice: ours, and the standard library's."""

    def make(decorate: Any) -> Any:
        @decorate(**options)
        class Point:
            x: int
            y: int = 2
            tags: list[int] = field(default_factory=list)
            place: Any = field(default=None, compare=False, repr=False)
            total: int = field(init=False, default=7)

            def double(self) -> int:
                return 2 * self.x

        return Point

    return [make(dataclass), make(dataclasses.dataclass)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_does_what_the_standard_library_does(options: dict[str, bool]) -> None:
    ours, theirs = classes(options)
    for args, kwargs in (((1,), {}), ((1, 3), {"tags": [4]}), ((), {"x": 5, "place": 6})):
        a, b = ours(*args, **kwargs), theirs(*args, **kwargs)
        assert dataclasses.asdict(a) == dataclasses.asdict(b)
        assert repr(a) == repr(b)
        assert a.double() == b.double() and ours(0).tags is not ours(0).tags
        same, other = copy.copy(a), dataclasses.replace(a, x=-1)
        assert (same == a, other == a) == (options["eq"], False)
        assert a != (1, 2) and a.__match_args__ == b.__match_args__
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)
    if options["eq"] and options["frozen"]:
        plain = dataclass(frozen=True, slots=options["slots"])(type("P", (), {
            "__annotations__": {"x": "int", "seen": "int"}, "seen": field(hash=False, default=0),
        }))  # fmt: skip
        assert hash(plain(1, 2)) == hash(plain(1, 3)) != hash(plain(2, 2))
        assert plain(1, 2) != plain(1, 3)
    for wrong in ((), (1, 2, 3, 4, 5)):
        for kind in (ours, theirs):
            with pytest.raises(TypeError, match="argument"):
                kind(*wrong)


@dataclass(frozen=True, slots=True)
class Frozen:
    a: int
    b: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Derived(Frozen):
    c: str = "c"

    def __post_init__(self) -> None:
        object.__setattr__(self, "a", self.a + 1)


def test_frozen() -> None:
    one = Frozen(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'a'"):
        one.a = 2  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'a'"):
        del one.a  # pyright: ignore[reportAttributeAccessIssue]
    assert pickle.loads(pickle.dumps(one)) == one == copy.deepcopy(one)
    derived = Derived(1, (2,), "d")
    assert (derived.a, derived.b, derived.c) == (2, (2,), "d") and derived != one
    assert pickle.loads(pickle.dumps(derived)) == derived and not hasattr(derived, "__dict__")
    assert {derived: 3}[Derived(1, (2,), "d")] == 3


def test_what_a_class_writes_itself_stays() -> None:
    @dataclass(frozen=True)
    class Own:
        x: int

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 5

        def __repr__(self) -> str:
            return "own"

    assert Own(1) == Own(2) and hash(Own(1)) == 5 and repr(Own(1)) == "own"


def test_a_field_without_a_default_follows_none_that_has_one() -> None:
    with pytest.raises(TypeError, match=r"Wrong\.y has no default, but follows x"):

        @dataclass
        class Wrong:
            x: int = 1
            y: int  # pyright: ignore[reportGeneralTypeIssues]

    with pytest.raises(TypeError, match=r"Named\.x is given by keyword only"):

        @dataclass
        class Named:
            x: int = field(kw_only=True)


def test_threads_may_make_the_first_objects_at_once() -> None:
    @dataclass(frozen=True, slots=True)
    class Shared:
        x: int

    ready, found = threading.Barrier(8), []

    def make(k: int) -> None:
        ready.wait()
        found.append(Shared(k) == Shared(k) and hash(Shared(k)) == hash(Shared(k)))

    threads = [threading.Thread(target=make, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 8


def test_the_import_compiles_few_methods() -> None:
    """What the standard library would compile for each class is half the time of the import."""
    program = """if True:
        import graphc_runtime.records as records
        made, method = [], records._method
        records._method = lambda *a: made.append(a[1]) or method(*a)
        import graphc
        print(len(made), len([name for name in made if name != "__init__"]))
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600
    )
    made, others = map(int, done.stdout.split())
    assert made > 50 and others < 25, done.stdout
