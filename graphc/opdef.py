"""What an op is: one card.

Cards live in `graphc/ops/`; this module defines the card and the registry.

A card is everything the compiler knows about an op, next to each other; no pass, printer or test
keeps a table of op names of its own. Calling a card makes a node: `ADD(x, y)` is the value of a new
`add` node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from graphc_runtime.records import dataclass

from .errors import TypeMismatch
from .types import TensorType

if TYPE_CHECKING:
    from .ir import Value

Attrs = Mapping[str, Any]
Types = Sequence[TensorType]
Infer = Callable[[Sequence[TensorType], Attrs], "TensorType | tuple[TensorType, ...]"]
Evaluate = Callable[[Sequence[Any], Attrs], Any]

KINDS = (
    "elementwise", "movement", "creation", "reduction", "contraction", "opaque", "call", "control",
)  # fmt: skip
"""The kinds of ops, and what `lower` is in each (see graphc/loops/lower.py for the context `c`):

    elementwise   scalar(args, type) -> Expr            the scalar expression of one element
                  (complex operands come as Pair(re, im) and a complex result is a Pair)
    movement      lower(c, index) -> Expr               reads `c.operand(k, index')`, with
                                                        `c.select` where it must choose
    creation      lower(c, index) -> Expr
    reduction     lower(c, index) -> Expr               through `c.reduce(kind, extents, body)`
    contraction   the same
    opaque        emit(c) -> statements                 writes whole result buffers itself: sort,
                                                        scan, scatter
    call          a sub-graph: fusion
    control       nothing: its sub-graphs become loops and branches around kernels (codegen/plan.py)
"""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One well-typed use of an op, from which the registry's tests are made."""

    types: tuple[TensorType, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    low: float = -3.0
    high: float = 3.0
    """Operands are drawn from [low, high)."""


# ------------------------------------------------------------------- derivatives, as cards say them


@dataclass(frozen=True, slots=True, eq=False)
class Partials:
    """Of an elementwise op: `by[k](g, *operands, result)` is g times the derivative by operand k.

    The operands, the result and g (a tangent in forward mode, a cotangent in reverse mode: an
    elementwise derivative is its own transpose) are Formulas (graphc/ops/formula.py). None: the
    derivative by that operand is 0.
    """

    by: tuple[Callable[..., Any] | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Of an op that is linear in `OpDef.linear` (in every operand where the card lists none).

    `transpose(k, g, operands, attrs)` is the cotangent of operand k for the cotangent g of the
    result. `joint`: linear in all of them together, as a concatenation is, not in each for fixed
    others, as a product is. What is linear in one operand is both.
    """

    transpose: Callable[[int, Value, Sequence[Value], Attrs], Value]
    joint: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """`jvp(operands, results, attrs, tangents)` gives the tangents of the results, and
    `vjp(operands, results, attrs, cotangents, wanted)` the cotangents of the operands.

    None stands for a zero, in what they take and in what they answer; `wanted` says of each operand
    whether its cotangent is asked for.
    """

    jvp: Callable[..., Sequence[Value | None]]
    vjp: Callable[..., Sequence[Value | None]]


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """Of an op that is made again, larger, when it is differentiated: a loop, a choice.

    `jvp(operands, results, attrs, tangents)` gives new results and their tangents.
    `forward(operands, results, attrs, wanted)` gives new results and what to remember, and
    `backward(remembered, cotangents)` the cotangents of the operands. The new results take the
    place of the old ones, so nothing is computed twice. None stands for a zero.
    """

    jvp: Callable[..., tuple[Sequence[Value], Sequence[Value | None]]]
    forward: Callable[..., tuple[Sequence[Value], Any]]
    backward: Callable[..., Sequence[Value | None]]


@dataclass(frozen=True, slots=True, eq=False)
class Expansion:
    """`expand(operands, attrs)` is the same result written as ops that have derivatives; of an op
    with several results, their tuple.
    """

    expand: Callable[[Sequence[Value], Attrs], Value | tuple[Value, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class NotDifferentiable:
    """There is no derivative: to ask for one is an error, which says why."""

    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Zero:
    """The derivative is 0 wherever there is one."""


ZERO = Zero()


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Different forms for different uses: `forms[choose(types, attrs)]`."""

    choose: Callable[[Types, Attrs], str]
    forms: Mapping[str, Form]


Form = Partials | Linear | Rules | Staged | Expansion | NotDifferentiable | Zero
Derivative = Form | Cases


def partials(*by: Callable[..., Any] | None) -> Partials:
    """`Partials` by each operand in turn."""
    return Partials(by)


@dataclass(frozen=True, slots=True, eq=False)
class OpDef:
    """The card of an op.

    Attributes:
        name: as printed; a Python identifier.
        doc: one line, with the formula.
        kind: one of KINDS.
        infer: result type(s) of operand types and attributes. Raises TypeMismatch or ShapeMismatch,
            naming the operand.
        evaluate: the meaning, in NumPy: operands and attributes (extents already numbers) to the
            result(s).
        lower: see KINDS.
        source: whose definition the op follows (a NumPy function, a standard, a paper).
        commutative, associative: of a binary op.
        identity: y with op(x, y) == x for every x, or None.
        absorbing: y with op(x, y) == y for every x (NaN and infinity included), or None.
        idempotent: op(x, x) == x, or op(op(x)) == op(x) for a unary op.
        involution: op(op(x)) == x.
        linear: the operands in which the op is linear.
        batching: the op on batches (graphc/ops/batching.py); elementwise ops need no rule.
        derivative: see `Partials`, `Linear`, `Rules`, `Staged`, `Expansion`, `NotDifferentiable`,
            `ZERO`.
        cost: about how many arithmetic instructions an element takes; fusion recomputes only what
            is cheap.
        written_out: `lower` wants a number as the index along the axis `attrs["axis"]`: loops over
            it are written out, and what the results along that axis share is computed once.
        stored: the result is written to memory; a kernel begins with it.
        places: of an op whose result is operand 0 with few of its places changed: (c, index) to the
            place of the element of operand 1 at that index. Where the result is in the memory of
            operand 0 (`codegen.overwrite`), nothing else is written.
        changes: the same of an opaque op, whose `lower` asks `c.over`.
        pure: no effect besides the result (an index that can be out of range is still pure: it
            reports).
        numpy: the NumPy callables that mean this op exactly (ufuncs are intercepted by it).
        samples: well-typed uses, for tests.
    """

    name: str
    doc: str
    kind: str
    infer: Infer
    evaluate: Evaluate
    lower: Callable[..., Any] | None = None
    source: str = "NumPy"
    commutative: bool = False
    associative: bool = False
    identity: float | int | bool | None = None
    absorbing: float | int | bool | None = None
    idempotent: bool = False
    involution: bool = False
    linear: tuple[int, ...] = ()
    derivative: Derivative | None = None
    batching: Callable[[Sequence[Value], Sequence[bool], Attrs, Any], Any] | None = None
    cost: int = 1
    written_out: bool = False
    stored: bool = False
    places: Callable[[Any, tuple[Any, ...]], tuple[Any, ...]] | None = None
    changes: bool = False
    pure: bool = True
    numpy: tuple[Any, ...] = ()
    samples: Callable[[], Iterable[Sample]] = lambda: ()

    def infer_types(self, types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...]:
        """`infer` with the result as a tuple."""
        found = self.infer(types, attrs)
        return found if isinstance(found, tuple) else (found,)

    def form(self, types: Types, attrs: Attrs) -> Form:
        """The derivative of one use of the op."""
        found = self.derivative
        if isinstance(found, Cases):
            return found.forms[found.choose(types, attrs)]
        return NotDifferentiable("its card says nothing") if found is None else found

    def __call__(self, *operands: Value, **attrs: Any) -> Any:
        """A new node: its value, or the tuple of its values when the op has several results."""
        from .ir import make  # ir knows cards; a card makes nodes only when it is called

        node = make(self, operands, attrs)
        return node.results[0] if len(node.results) == 1 else node.results

    def __repr__(self) -> str:
        return f"<op {self.name}>"


_REGISTRY: dict[str, OpDef] = {}
_LATER: dict[str, tuple[str, Callable[[], object]]] = {}


def register(card: OpDef) -> OpDef:
    """Adds a card to the registry and returns it.

    Raises:
        ValueError: when the name is taken or the kind unknown.
    """
    if card.name in _REGISTRY:
        raise ValueError(f"two cards are named {card.name!r}")
    if card.kind not in KINDS:
        raise ValueError(f"card {card.name!r}: kind {card.kind!r} is not one of {KINDS}")
    _REGISTRY[card.name] = card
    return card


def later(name: str, kind: str, load: Callable[[], object]) -> None:
    """Announces a card that `load` registers: it is called when the card is first asked for."""
    _LATER[name] = kind, load


def lookup(name: str) -> OpDef:
    """The card of that name.

    Raises:
        TypeMismatch: when there is none.
    """
    if name in _LATER and name not in _REGISTRY:
        _LATER[name][1]()
    found = _REGISTRY.get(name)
    if found is None:
        raise TypeMismatch(f"there is no op named {name!r}")
    return found


def cards(kind: str | None = None) -> tuple[OpDef, ...]:
    """Every card, or every one of a kind, by name; those that come later are loaded.

    Import `graphc.ops` first: importing it registers or announces them.
    """
    for name, (own, load) in _LATER.items():
        if name not in _REGISTRY and kind in (None, own):
            load()
    found = (_REGISTRY[name] for name in sorted(_REGISTRY))
    return tuple(c for c in found if kind in (None, c.kind))
