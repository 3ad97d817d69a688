"""Evaluates a parsed Go template.

gotpl parses the text; it cannot tell Go's structs from maps, nor print either as the reference
does, so the evaluation is ours. It only reads: a template can change nothing but its own variables.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from gotpl.parse import nodes as go

from actorllm.actors.runner.prompt.errors import LimitExceeded, TemplateError
from actorllm.actors.runner.prompt.gofuncs import functions, is_true
from actorllm.actors.runner.prompt.govalues import Struct, print_go
from actorllm.actors.runner.prompt.limits import Budget, text_size

__all__ = ["evaluate"]

_DEEPEST_CALL = 50
_NOTHING = object()


class _Break(Exception):  # noqa: N818 -- control flow, as in Go
    pass


class _Continue(Exception):  # noqa: N818 -- control flow, as in Go
    pass


def evaluate(
    root: go.ListNode,
    named: Mapping[str, go.ListNode],
    data: Mapping[str, Any],
    now: datetime,
    budget: Budget,
) -> str:
    """Return the text of the template `root` for `data`.

    Args:
        root: the parsed template.
        named: its `define`d templates.
        data: the values of the top level.
        now: the date that `currentDate` tells.
        budget: what the rendering may use.

    Raises:
        TemplateError: the template failed or was stopped.
    """
    run = _Run(named, functions(budget, now), budget)
    run.block(root, data, [{"$": data}])
    return "".join(run.out)


Scopes = list[dict[str, Any]]


class _Run:
    def __init__(
        self,
        named: Mapping[str, go.ListNode],
        known: Mapping[str, Callable[..., Any]],
        budget: Budget,
    ) -> None:
        self.out: list[str] = []
        self._named = named
        self._functions = known
        self._budget = budget
        self._depth = 0

    # -- statements --

    def block(self, nodes: go.ListNode, dot: Any, scopes: Scopes) -> None:
        for node in nodes.nodes:
            self._budget.tick()
            self._statement(node, dot, scopes)

    def _statement(self, node: Any, dot: Any, scopes: Scopes) -> None:
        match node:
            case go.TextNode():
                self._write(node.text)
            case go.ActionNode():
                value = self._pipe(node.pipeline, dot, scopes)
                if not node.pipeline.declarations:
                    self._write(print_go(value))
            case go.IfNode() | go.WithNode():
                self._branch(node, dot, [*scopes, {}])
            case go.RangeNode():
                self._range(node, dot, [*scopes, {}])
            case go.BreakNode():
                raise _Break
            case go.ContinueNode():
                raise _Continue
            case go.TemplateCallNode():
                value = None if node.pipeline is None else self._pipe(node.pipeline, dot, scopes)
                self._call_template(node.name, value)
            case go.BlockNode():
                self._call_template(node.name, self._pipe(node.pipeline, dot, scopes), node.body)

    def _write(self, text: str) -> None:
        self._budget.charge(text_size(text) + 8)
        self.out.append(text)

    def _branch(self, node: go.IfNode | go.WithNode, dot: Any, scopes: Scopes) -> None:
        value = self._pipe(node.pipeline, dot, scopes)
        if is_true(value):
            self.block(node.body, value if isinstance(node, go.WithNode) else dot, scopes)
        elif node.else_body is not None:
            self.block(node.else_body, dot, scopes)

    def _range(self, node: go.RangeNode, dot: Any, scopes: Scopes) -> None:
        declared = node.pipeline.declarations
        values = self._commands(node.pipeline, dot, scopes)
        rounds = 0
        for key, value in _items(values):
            rounds += 1
            self._budget.tick()
            inner = [*scopes, {}]
            pairs = zip(declared, (key, value) if len(declared) > 1 else (value,), strict=False)
            for variable, item in pairs:
                self._set(variable.name, item, inner, assign=node.pipeline.is_assignment)
            try:
                self.block(node.body, value, inner)
            except _Continue:
                continue
            except _Break:
                break
        if not rounds and node.else_body is not None:
            self.block(node.else_body, dot, scopes)

    def _call_template(self, name: str, data: Any, body: go.ListNode | None = None) -> None:
        nodes = self._named.get(name, body)
        if nodes is None:
            raise TemplateError(f"the model's template calls {name!r}, which it does not define")
        self._depth += 1
        if self._depth > _DEEPEST_CALL:
            raise LimitExceeded("the model's template calls itself too deep")
        self.block(nodes, data, [{"$": data}])
        self._depth -= 1

    # -- expressions --

    def _pipe(self, pipe: go.PipeNode, dot: Any, scopes: Scopes) -> Any:
        value = self._commands(pipe, dot, scopes)
        for variable in pipe.declarations:
            self._set(variable.name, value, scopes, assign=pipe.is_assignment)
        return value

    def _commands(self, pipe: go.PipeNode, dot: Any, scopes: Scopes) -> Any:
        value: Any = _NOTHING
        for command in pipe.commands:
            self._budget.tick()
            value = self._command(command, dot, scopes, value)
        return value

    def _command(self, command: go.CommandNode, dot: Any, scopes: Scopes, piped: Any) -> Any:
        first, *rest = command.arguments
        if not isinstance(first, go.IdentifierNode):
            if rest or piped is not _NOTHING:
                raise TemplateError("the model's template passes values to what is no function")
            return self._term(first, dot, scopes)
        if first.name in ("and", "or"):
            return self._logic(first.name, rest, dot, scopes, piped)
        values = [self._term(term, dot, scopes) for term in rest]
        if piped is not _NOTHING:
            values.append(piped)
        return self._call(first.name, values)

    def _call(self, name: str, values: list[Any]) -> Any:
        function = self._functions.get(name)
        if function is None:
            raise TemplateError(f"the model's template calls {name}, which is not allowed")
        try:
            return function(*values)
        except TypeError as error:
            raise TemplateError(f"the model's template calls {name} wrongly") from error

    def _logic(self, name: str, terms: list[Any], dot: Any, scopes: Scopes, piped: Any) -> Any:
        value: Any = _NOTHING
        for term in terms:
            value = self._term(term, dot, scopes)
            if is_true(value) == (name == "or"):
                return value
        value = value if piped is _NOTHING else piped
        if value is _NOTHING:
            raise TemplateError(f"the model's template gives nothing to {name}")
        return value

    def _term(self, term: Any, dot: Any, scopes: Scopes) -> Any:
        match term:
            case go.DotNode():
                return dot
            case go.FieldNode():
                return _fields(dot, term.fields)
            case go.VariableNode():
                return _fields(self._variable(term.name, scopes), term.fields)
            case go.ParenthesizedNode():
                return _fields(self._pipe(term.pipeline, dot, scopes), term.fields)
            case go.IdentifierNode():
                return self._call(term.name, [])
            case go.StringNode() | go.BoolNode():
                return term.value
            case go.CharacterNode():
                return ord(term.value)
            case go.NumberNode():
                return _number(term.text)
            case _:
                return None

    def _variable(self, name: str, scopes: Scopes) -> Any:
        for scope in reversed(scopes):
            if name in scope:
                return scope[name]
        raise TemplateError(f"the model's template reads {name}, which is not set")

    def _set(self, name: str, value: Any, scopes: Scopes, *, assign: bool) -> None:
        if not assign:
            scopes[-1][name] = value
            return
        for scope in reversed(scopes):
            if name in scope:
                scope[name] = value
                return
        raise TemplateError(f"the model's template sets {name}, which is not declared")


def _fields(value: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        if isinstance(value, (Struct, dict)):
            value = value.get(name)
        else:
            raise TemplateError(f"the model's template asks for .{name} of a value without fields")
    return value


def _items(values: Any) -> Iterator[tuple[Any, Any]]:
    if values is None:
        return iter(())
    if isinstance(values, dict):
        return ((key, values[key]) for key in sorted(values))
    if isinstance(values, (list, tuple)):
        return iter(enumerate(values))
    if isinstance(values, int) and not isinstance(values, bool):
        return ((number, number) for number in range(values))
    raise TemplateError("the model's template ranges over a value that is no list")


def _number(text: str) -> float:
    plain = text.replace("_", "").lower()
    if plain.endswith("i") or len(plain) > 40:
        raise TemplateError("the model's template has a number that is not supported")
    try:
        if plain.lstrip("+-").startswith("0") and plain.lstrip("+-").isdigit():
            return int(plain, 8)
        return int(plain, 0)
    except ValueError:
        return float.fromhex(plain) if "0x" in plain else float(plain)
