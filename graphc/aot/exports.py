"""Functions and their derivatives, traced for the types that they are exported with.

value            f itself
grad             the gradient by `wrt`                          as graphc.grad
value_and_grad   both
jvp              the value, and its derivative along `NAME_tangent` of each of `wrt`
vjp              the value, and the derivatives of sum(cotangent * value) by each of `wrt`
hvp              the product of the Hessian by `wrt` with `NAME_tangent`
vmap             f for each of `batch` rows of every argument
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from graphc_runtime.records import dataclass

from .. import pytrees
from ..arguments import Binder
from ..errors import BuildError
from ..specs import Spec
from ..trace import TracedFunction, trace_call
from ..types import Dim, TensorType
from .library import Function
from .signature import signature_of

TRANSFORMS = ("value", "grad", "value_and_grad", "jvp", "vjp", "hvp", "vmap")
BATCH = "batch"
"""The extent of the rows that vmap adds."""


@dataclass(frozen=True, slots=True)
class Source:
    """A Python function and what it is traced with: a spec, an array or a number for each argument
    (nested as the function takes them), or a value that is known while tracing.

    `wrt` names the arguments that derivatives are by; `donate` those whose buffers results are
    written over.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    static: Mapping[str, Any]
    wrt: tuple[str, ...] = ()
    donate: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    @property
    def moving(self) -> tuple[str, ...]:
        """The arguments that derivatives are by: the first one, unless others are named."""
        for name in self.wrt:
            if name not in self.arguments:
                known = ", ".join(self.arguments)
                raise BuildError(f"wrt names {name!r}; the arguments of {self.name} are {known}")
        return self.wrt or tuple(self.arguments)[:1]


def source(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    static: Mapping[str, Any] | None = None,
    wrt: Iterable[str] = (),
    donate: Iterable[str] = (),
) -> Source:
    """A source of those of the arguments that the function has, in its own order.

    Raises:
        BuildError: for an argument that is missing.
    """
    static = dict(static or {})
    front = getattr(function, "__dict__", {}).get("_front")
    given = tuple(donate)
    if front is not None and not given:
        given = tuple(sorted(front.binder.donated, key=front.binder.names.index))
    parameters = inspect.signature(function).parameters
    found: dict[str, Any] = {}
    lacking = []
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name in arguments:
            found[name] = arguments[name]
        elif name not in static and parameter.default is parameter.empty:
            lacking.append(name)
    title = getattr(function, "__name__", type(function).__name__)
    if lacking:
        raise BuildError(
            f'{title} needs a type for {", ".join(lacking)}: --arg "{lacking[0]}: f32[...]"'
        )
    own = {k: v for k, v in static.items() if k in parameters}
    return Source(function, found, own, tuple(wrt), given)


def export(one: Source, name: str, doc: str | None = None) -> Function:
    """The function traced, with its signature.

    Raises:
        TraceError: where it does what a graph cannot hold. BuildError: for a name or an extent that
        C cannot have.
    """
    function = one.function
    front = getattr(function, "__dict__", {}).get("_front")
    if front is None or one.donate:
        static = tuple(one.static)
        plain = front.function if front is not None else function
        if front is not None:
            static = (*static, *front.binder.static)
        binder = Binder(plain, static, (), one.donate)
    else:
        binder = front.binder
    call = binder.bind((), {**one.arguments, **one.static})
    traced = trace_call(binder, call, name)
    text = inspect.getdoc(function) if doc is None else doc
    return Function(signature_of(traced, name, text or "", _where(function)), traced, call)


def _where(function: Any) -> str:
    plain = inspect.unwrap(function)
    known = getattr(plain, "where", None)
    if isinstance(known, str):
        return known  # of an artifact's function: where it was written
    code = getattr(plain, "__code__", None)
    if code is None:
        return ""
    return f"{code.co_filename.rpartition('/')[2]}:{code.co_firstlineno}"


# ------------------------------------------------------------------------------------ transforms


def transform(kind: str, one: Source) -> Source:
    """The derivative of a function, or the function over rows, as a source of its own.

    Raises:
        BuildError: where the kind is none of TRANSFORMS.
    """
    if kind == "value":
        return one
    if kind in ("grad", "value_and_grad"):
        return _gradient(kind, one)
    if kind in ("jvp", "hvp"):
        return _along(kind, one)
    if kind == "vjp":
        return _pulled(one)
    if kind == "vmap":
        return _mapped(one)
    raise BuildError(f"there is no export {kind!r}; the exports are {', '.join(TRANSFORMS)}")


def _derived(one: Source, kind: str, arguments: Mapping[str, Any], run: Any) -> Source:
    """A function of those arguments: `run` gets them as a dict."""
    names = tuple(arguments)

    def program(*args: Any, **named: Any) -> Any:
        return run({**dict(zip(names, args, strict=False)), **named})

    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    program.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, positional) for n in names]
    )
    program.__name__ = program.__qualname__ = f"{one.name}_{kind}"
    program.__wrapped__ = one.function  # type: ignore[attr-defined]
    program.__doc__ = _DOCS[kind].format(name=one.name, wrt=", ".join(one.moving))
    return Source(program, arguments, {}, one.wrt, ())


_DOCS = {
    "grad": "The gradient of {name} by {wrt}.",
    "value_and_grad": "{name}, and its gradient by {wrt}.",
    "jvp": "{name}, and its derivative along a tangent of {wrt}.",
    "vjp": "{name}, and the derivatives of sum(cotangent * {name}) by {wrt}.",
    "hvp": "The product of the Hessian of {name} by {wrt} with a tangent.",
    "vmap": "{name} for each of a number of rows.",
}


def _of_moving(one: Source, values: Mapping[str, Any]) -> Callable[..., Any]:
    """The function of the moving arguments alone."""
    moving = one.moving

    def function(*given: Any) -> Any:
        own = dict(zip(moving, given, strict=True))
        return one.function(**{**values, **own}, **one.static)

    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, positional) for n in moving]
    )
    function.__name__ = one.name
    return function


def _single(found: Sequence[Any]) -> Any:
    """One array where there is one, else all."""
    return found[0] if len(found) == 1 else tuple(found)


def _gradient(kind: str, one: Source) -> Source:
    from ..transforms.gradients import grad, value_and_grad

    chosen = {"grad": grad, "value_and_grad": value_and_grad}[kind]

    def run(values: Mapping[str, Any]) -> Any:
        moving = [values[n] for n in one.moving]
        places = tuple(range(len(moving)))
        function = _of_moving(one, values)
        return chosen(function, places[0] if len(places) == 1 else places)(*moving)

    return _derived(one, kind, one.arguments, run)


def _along(kind: str, one: Source) -> Source:
    from ..transforms.products import hvp, jvp

    tangents = {n: f"{n}_tangent" for n in one.moving}
    arguments = {**one.arguments, **{t: one.arguments[n] for n, t in tangents.items()}}

    def run(values: Mapping[str, Any]) -> Any:
        own = {n: values[n] for n in one.arguments}
        primals = [values[n] for n in one.moving]
        along = [values[tangents[n]] for n in one.moving]
        function = _of_moving(one, own)
        if kind == "jvp":
            return jvp(function, primals, along)
        return _single(hvp(function, primals, along))

    return _derived(one, kind, arguments, run)


def _pulled(one: Source) -> Source:
    from ..transforms.products import vjp

    traced = export(one, "vjp").traced
    arguments = {**one.arguments, "cotangent": result_specs(traced)}

    def run(values: Mapping[str, Any]) -> Any:
        own = {n: values[n] for n in one.arguments}
        result, pull = vjp(_of_moving(one, own), *(values[n] for n in one.moving))
        return result, _single(pull(values["cotangent"]))

    return _derived(one, "vjp", arguments, run)


def result_specs(traced: TracedFunction) -> Any:
    """A spec for everything that a function returns, nested likewise."""
    leaves = []
    for result in traced.results:
        if result.form == "static":
            raise BuildError(
                f"{traced.graph.name} returns {result.value!r}, which has no cotangent"
            )
        leaves.append(Spec(traced.graph.results[result.position].type))
    return traced.out_tree.unflatten(leaves)


def _mapped(one: Source) -> Source:
    from ..transforms.batches import vmap

    arguments = {n: _with_rows(v) for n, v in one.arguments.items()}

    def run(values: Mapping[str, Any]) -> Any:
        names = tuple(values)

        def function(*given: Any) -> Any:
            return one.function(**dict(zip(names, given, strict=True)), **one.static)

        return vmap(function)(*values.values())

    return _derived(one, "vmap", arguments, run)


def _with_rows(value: Any) -> Any:
    """The specs of an argument with one more axis in front."""
    leaves, structure = pytrees.flatten(value)
    found = []
    for leaf in leaves:
        if not isinstance(leaf, Spec):
            raise BuildError(f"vmap needs types of arrays, and one argument is {leaf!r}")
        shape = (Dim.symbol(BATCH), *leaf.type.shape)
        found.append(Spec(TensorType(leaf.type.dtype, shape)))
    return structure.unflatten(found)


__all__ = ["TRANSFORMS", "Source", "export", "result_specs", "source", "transform"]
