"""A function's syntax tree with control flow as calls, for traced and for plain conditions alike.

    if c:                    def then(): nonlocal x; x = 1
        x = 1                def orelse(): nonlocal x; x = 2
    else:             ->     __graphc__.if_stmt(c, then, orelse, __graphc__.variables(...))
        x = 2

`__graphc__` is the module `graphc.python_control.operators`: its functions look at the condition
while the function runs, and either run the bodies as Python would or put them into the graph.
Lines and columns stay those of the user's source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import TraceError
from .jumps import PREFIX, extra_test, lower
from .liveness import Liveness, Names
from .scopes import assigned_in, bound_in, changed_in, outer_names, parameters, read_in
from .source import Function, own_nodes

OPERATORS = "__graphc__"
THUNK = f"{PREFIX}thunk"
"""The parameter by which a lambda that was made here is known."""

_REFUSED = ("locals", "eval", "exec")
_COMPARISONS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip


def rewrite(node: Function, outside: Iterable[str], file: str, owner: str) -> Function:
    """The definition rewritten, without decorators, defaults and annotations. Changes `node`.

    Args:
        outside: names that the function finds in functions around it.
        owner: the class whose method it is, for names like `__x`; or "".
    """
    if owner:
        _Mangler(owner).visit(node)
    _bare(node.args)
    scope = _Scope(frozenset(outside), frozenset(), file)
    if isinstance(node, ast.Lambda):
        node.body = scope.inside(node).expression(node.body)
        return node
    node.decorator_list, node.returns = [], None
    _function(node, scope)
    return node


def _bare(args: ast.arguments) -> None:
    args.defaults, args.kw_defaults = [], [None] * len(args.kwonlyargs)
    for one in (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg):
        if one is not None:
            one.annotation = None


class _Mangler(ast.NodeTransformer):
    """Private names of a class as the compiler writes them: `__x` is `_Owner__x`."""

    def __init__(self, owner: str):
        self.prefix = "_" + owner.lstrip("_")

    def _name(self, name: str) -> str:
        private = name.startswith("__") and not name.endswith("__") and "." not in name
        return self.prefix + name if private else name

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._name(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self._name(node.attr)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self._name(node.arg)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node


@dataclass(slots=True)
class _Scope:
    """A function while it is rewritten.

    Attributes:
        visible: names of variables of this function and of those around it.
        guarded: those that may have no value, or none that is known, when they are read.
        first: the name of the first parameter, which `super()` means.
    """

    visible: Names
    guarded: Names
    file: str
    first: str = ""
    count: list[int] = field(default_factory=lambda: [0])
    life: Liveness | None = None

    def inside(self, node: Any, guarded: Iterable[str] = ()) -> _Scope:
        """The scope of a function that stands in this one."""
        own = parameters(node.args)
        if isinstance(node.body, list):
            own |= bound_in(node.body) - outer_names(node.body)
        kept = frozenset(self.guarded - own)
        plain = [*node.args.posonlyargs, *node.args.args]
        return _Scope(
            self.visible | own, kept | frozenset(guarded), self.file,
            plain[0].arg if plain else self.first, self.count,
        )  # fmt: skip

    def expression(self, node: Any) -> Any:
        """An expression (or any node without statements) rewritten."""
        return _Expressions(self).visit(node)

    def number(self) -> int:
        self.count[0] += 1
        return self.count[0]


def _function(node: ast.FunctionDef, outer: _Scope) -> None:
    """Rewrites the body of a function in place."""
    node.body = lower(node.body, outer.file)
    controlled = [
        one for one in own_nodes(node) if isinstance(one, (ast.If, ast.While, ast.For, ast.Delete))
    ]
    guarded = set().union(*(bound_in([one]) for one in controlled))
    guarded |= bound_in(node.body) & read_in(controlled)
    guarded |= set().union(
        *(
            bound_in([g])
            for one in controlled
            if isinstance(one, ast.For) and (g := extra_test(one))
        )
    )
    scope = outer.inside(node, guarded)
    scope.life = Liveness(node.body)
    names = guarded - parameters(node.args) - outer_names(node.body)
    start = [_assign(name, _call("unbound", node, ast.Constant(name)), node) for name in
             sorted(names)]  # fmt: skip
    others = sorted(outer_names(node.body))
    shared: list[ast.stmt] = [ast.copy_location(ast.Nonlocal(others), node)] if others else []
    node.body = [*shared, *start, *_Statements(scope).block(node.body)] or [ast.Pass()]
    ast.fix_missing_locations(node)


# ---------------------------------------------------------------------------------- statements


class _Statements:
    def __init__(self, scope: _Scope):
        self.scope = scope

    def block(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        return [made for one in body for made in self.statement(one)]

    def statement(self, one: ast.stmt) -> list[ast.stmt]:
        method = getattr(self, f"_{type(one).__name__}", None)
        if method is not None:
            return method(one)
        return [self.scope.expression(one)]

    # -- with statements inside
    def _FunctionDef(self, one: ast.FunctionDef) -> list[ast.stmt]:
        one.decorator_list = [self.scope.expression(d) for d in one.decorator_list]
        one.args = self.scope.expression(one.args)
        inner = list(own_nodes(one))
        if not any(isinstance(n, (ast.Yield, ast.YieldFrom, ast.Await, ast.Global)) for n in inner):
            _function(one, self.scope)
        return [one]

    def _ClassDef(self, one: ast.ClassDef) -> list[ast.stmt]:
        return [one]  # its methods are rewritten when they are called

    _AsyncFunctionDef = _ClassDef

    def _Nonlocal(self, one: ast.Nonlocal) -> list[ast.stmt]:
        return []  # said at the beginning of the function

    def _With(self, one: ast.With) -> list[ast.stmt]:
        one.items = [self.scope.expression(item) for item in one.items]
        one.body = self.block(one.body)
        return [one]

    def _Try(self, one: ast.Try) -> list[ast.stmt]:
        one.body, one.orelse = self.block(one.body), self.block(one.orelse)
        one.finalbody = self.block(one.finalbody)
        for handler in one.handlers:
            handler.type = self.scope.expression(handler.type) if handler.type else None
            handler.body = self.block(handler.body)
        return [one]

    _TryStar = _Try

    def _Match(self, one: ast.Match) -> list[ast.stmt]:
        one.subject = self.scope.expression(one.subject)
        for case in one.cases:
            case.guard = self.scope.expression(case.guard) if case.guard else None
            case.body = self.block(case.body)
        return [one]

    # -- simple ones with a meaning of their own
    def _AugAssign(self, one: ast.AugAssign) -> list[ast.stmt]:
        target = one.target
        made: list[ast.stmt] = []
        if isinstance(target, ast.Name) and target.id in self.scope.guarded:
            load = self.scope.expression(ast.copy_location(ast.Name(target.id, ast.Load()), target))
            made.append(ast.copy_location(ast.Expr(load), one))
        return [*made, self.scope.expression(one)]

    def _Delete(self, one: ast.Delete) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for target in one.targets:
            if isinstance(target, ast.Name):
                unbound = _call("unbound", one, ast.Constant(target.id))
                made.append(_assign(target.id, unbound, one))
            else:
                made.append(ast.copy_location(ast.Delete([self.scope.expression(target)]), one))
        return made

    def _Assert(self, one: ast.Assert) -> list[ast.stmt]:
        message = _thunk(self.scope.expression(one.msg) if one.msg else ast.Constant(None), one)
        call = _call("assert_stmt", one, self.scope.expression(one.test), message)
        return [ast.copy_location(ast.Expr(call), one)]

    def _Raise(self, one: ast.Raise) -> list[ast.stmt]:
        one = self.scope.expression(one)
        if one.exc is not None:
            one.exc = _call("raised", one, one.exc)
        return [one]

    # -- control flow
    def _If(self, one: ast.If) -> list[ast.stmt]:
        life = self.scope.life
        assert life is not None
        test = self.scope.expression(one.test)
        region = _Region(self.scope, one, [*one.body, *one.orelse], life.after[id(one)])
        then = region.function("then", self.block(one.body))
        orelse = region.function("orelse", self.block(one.orelse))
        call = _call("if_stmt", one, test, _load(then.name, one), _load(orelse.name, one),
                     region.variables(life.after[id(one)]))  # fmt: skip
        return [*region.before, then, orelse, ast.copy_location(ast.Expr(call), one)]

    def _While(self, one: ast.While) -> list[ast.stmt]:
        life = self.scope.life
        assert life is not None
        head = life.head[id(one)]
        region = _Region(self.scope, one, [*one.body, ast.Expr(one.test)], head)
        asked = ast.copy_location(ast.Return(self.scope.expression(one.test)), one.test)
        test = region.function("test", [asked])
        body = region.function("body", self.block(one.body))
        binds = ast.Constant(bool(bound_in([one.test])))
        call = _call("while_stmt", one, _load(test.name, one), _load(body.name, one),
                     region.variables(head), binds)  # fmt: skip
        made = [*region.before, test, body, ast.copy_location(ast.Expr(call), one)]
        return [*made, *self.block(one.orelse)]

    def _For(self, one: ast.For) -> list[ast.stmt]:
        life = self.scope.life
        assert life is not None
        head, going = life.head[id(one)], extra_test(one)
        region = _Region(self.scope, one, [one.target, *one.body], head)
        item = f"{PREFIX}item"
        given = ast.copy_location(
            ast.Assign([self.scope.expression(one.target)], _load(item, one.target)), one.target
        )
        body = region.function("body", [given, *self.block(one.body)], item)
        functions = [*region.before, body]
        asked: ast.expr = ast.Constant(None)
        if going is not None:
            test = region.function("test", [ast.Return(self.scope.expression(going))])
            functions.append(test)
            asked = _load(test.name, one)
        call = _call("for_stmt", one, self._iterable(one.iter), asked, _load(body.name, one),
                     region.variables(head))  # fmt: skip
        made = [*functions, ast.copy_location(ast.Expr(call), one)]
        return [*made, *self.block(one.orelse)]

    def _iterable(self, node: ast.expr) -> ast.expr:
        """What a loop goes over: `range(n)` may have a traced n."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return self.scope.expression(node)
        if node.func.id not in ("range", "enumerate", "zip", "reversed"):
            return self.scope.expression(node)
        made = ast.Call(
            _call("iterable", node.func, self.scope.expression(node.func)),
            [self._iterable(a) if isinstance(a, ast.Call) else self.scope.expression(a)
             for a in node.args],
            [self.scope.expression(k) for k in node.keywords],
        )  # fmt: skip
        return ast.copy_location(made, node)


class _Region:
    """The statements of one `if` or loop as functions that share the variables around them."""

    def __init__(self, scope: _Scope, node: Any, body: Sequence[ast.AST], live: Iterable[str]):
        self.node, self.number = node, scope.number()
        bound = bound_in(body)
        self.bound = sorted(bound)
        self.asked = sorted(read_in(body) - bound - {OPERATORS})
        later = set(live) & scope.visible - bound
        self.read = sorted(later.union(self.asked))
        self.augmented = sorted(bound - assigned_in(body))
        self.changed = sorted(changed_in(body))
        self.before: list[ast.stmt] = []
        self.put: ast.expr = ast.Constant(None)
        if self.bound:
            values = f"{PREFIX}values"
            targets = ast.Tuple([ast.Name(n, ast.Store()) for n in self.bound], ast.Store())
            given = ast.Assign([targets], ast.Name(values, ast.Load()))
            put = self.function("put", [given], values)
            self.before.append(put)
            self.put = _load(put.name, node)

    def function(self, name: str, body: Sequence[ast.stmt], parameter: str = "") -> ast.FunctionDef:
        """The statements as a function."""
        shared: list[ast.stmt] = [ast.Nonlocal(list(self.bound))] if self.bound else []
        made = ast.FunctionDef(
            name=f"{PREFIX}{name}_{self.number}",
            args=_arguments([parameter] if parameter else []),
            body=[*shared, *(body or [ast.Pass()])],
            decorator_list=[],
        )  # fmt: skip
        if hasattr(ast, "type_param"):
            made.type_params = []  # type: ignore[attr-defined]
        ast.copy_location(made, self.node)
        return ast.fix_missing_locations(made)

    def variables(self, live: Iterable[str]) -> ast.expr:
        """The expression that tells the operators which variables there are."""
        node = self.node
        gets = [_thunk(ast.Name(n, ast.Load()), node) for n in self.bound]
        reads = [_thunk(ast.Name(n, ast.Load()), node) for n in self.read]
        made = _call(
            "variables", node,
            _strings(self.bound), ast.Tuple(gets, ast.Load()), self.put,
            _strings(self.read), ast.Tuple(reads, ast.Load()), _strings(self.asked),
            _strings(sorted(set(live) & set(self.bound))),
            _strings(self.augmented), _strings(self.changed),
        )  # fmt: skip
        return made


# --------------------------------------------------------------------------------- expressions


class _Expressions(ast.NodeTransformer):
    def __init__(self, scope: _Scope):
        self.scope = scope
        self.shadowed: set[str] = set()

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if not isinstance(node.ctx, ast.Load) or node.id in self.shadowed:
            return node
        if node.id not in self.scope.guarded or node.id.startswith(PREFIX):
            return node
        return _call("ld", node, node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        node.args = self.visit(node.args)
        inner = _Expressions(self.scope.inside(node))
        inner.shadowed = self.shadowed - parameters(node.args)
        node.body = inner.visit(node.body)
        return node

    def _comprehension(self, node: Any) -> ast.AST:
        before = self.shadowed
        self.shadowed = before | bound_in([g.target for g in node.generators])
        self.generic_visit(node)
        self.shadowed = before
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if bound_in(node.values[1:]):
            return self.generic_visit(node)
        name = "and_" if isinstance(node.op, ast.And) else "or_"
        values = [self.visit(v) for v in node.values]
        found = values.pop()
        while values:
            found = _call(name, node, values.pop(), _thunk(found, node))
        return found

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return _call("not_", node, node.operand) if isinstance(node.op, ast.Not) else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        if bound_in([node.body, node.orelse]):
            return self.generic_visit(node)
        self.generic_visit(node)
        then, orelse = _thunk(node.body, node.body), _thunk(node.orelse, node.orelse)
        return _call("if_exp", node, node.test, then, orelse)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        plain = len(node.ops) == 1 and not isinstance(node.ops[0], (ast.In, ast.NotIn))
        if plain or bound_in(node.comparators):
            return self.generic_visit(node)
        self.generic_visit(node)
        signs = ast.Tuple([ast.Constant(_COMPARISONS[type(o)]) for o in node.ops], ast.Load())
        rest = [_thunk(c, c) for c in node.comparators]
        return _call("compare", node, node.left, signs, *rest)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func
        if isinstance(function, ast.Name) and function.id not in self.scope.visible:
            if function.id == "super" and not node.args and self.scope.first:
                node.args = [_load("__class__", node), _load(self.scope.first, node)]
                return node
            if function.id in _REFUSED:
                raise TraceError(
                    f"{self.scope.file}:{node.lineno}: {function.id}() inside of a function with "
                    'control_flow="python", whose variables it would not see'
                )
        self.generic_visit(node)
        node.func = _call("converted", function, node.func)
        return node


# --------------------------------------------------------------------------------- small pieces


def _call(name: str, where: ast.AST, *args: ast.expr) -> ast.expr:
    """A call of one of the operators, at the line where something begins."""
    function = ast.Attribute(ast.Name(OPERATORS, ast.Load()), name, ast.Load())
    made = ast.Call(function, list(args), [])
    for one in (made, function, function.value, *args):
        if not hasattr(one, "lineno"):
            for inner in ast.walk(one):
                if isinstance(inner, ast.expr) and not hasattr(inner, "lineno"):
                    _at(inner, where)
    return made


def _at(node: Any, where: Any) -> Any:
    """The node at the first line of another: a traceback names the last one of a callee."""
    node.lineno, node.col_offset = where.lineno, where.col_offset
    one_line = where.lineno == where.end_lineno
    node.end_lineno = where.lineno
    node.end_col_offset = where.end_col_offset if one_line else where.col_offset + 1
    return node


def _thunk(body: ast.expr, where: ast.AST) -> ast.expr:
    """A lambda that is known to be ours by its parameter."""
    if not hasattr(body, "lineno"):
        for one in ast.walk(body):
            if isinstance(one, ast.expr) and not hasattr(one, "lineno"):
                ast.copy_location(one, where)
    args = _arguments([THUNK])
    args.defaults = [ast.copy_location(ast.Constant(None), where)]
    return ast.copy_location(ast.Lambda(args, body), where)


def _arguments(names: Sequence[str]) -> ast.arguments:
    return ast.arguments(
        posonlyargs=[], args=[ast.arg(n) for n in names], kwonlyargs=[], kw_defaults=[],
        defaults=[], vararg=None, kwarg=None,
    )  # fmt: skip


def _strings(names: Iterable[str]) -> ast.expr:
    return ast.Tuple([ast.Constant(n) for n in names], ast.Load())


def _load(name: str, where: ast.AST) -> ast.expr:
    return ast.copy_location(ast.Name(name, ast.Load()), where)


def _assign(name: str, value: ast.expr, where: ast.AST) -> ast.stmt:
    target = ast.copy_location(ast.Name(name, ast.Store()), where)
    return ast.copy_location(ast.Assign([target], value), where)


__all__ = ["OPERATORS", "THUNK", "rewrite"]
