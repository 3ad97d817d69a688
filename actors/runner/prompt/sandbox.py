"""Jinja's sandbox, closed against templates that eat time or memory.

Jinja's own sandbox keeps a template away from Python's insides but lets it build a gigabyte from
`'a' * 10**9`. Here a template is rewritten when it is compiled, so that each loop, literal,
concatenation, slice, comparison and output passes the budget of the rendering (`limits`), and every
call and operator is intercepted. Nothing is computed while compiling.
"""

import types
from collections.abc import Callable
from typing import Any, cast

from jinja2 import nodes, pass_context
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace
from jinja2.visitor import NodeTransformer

from actorllm.actors.runner.prompt.errors import LimitExceeded, TemplateError
from actorllm.actors.runner.prompt.filters import guarded_filters, printed
from actorllm.actors.runner.prompt.limits import LONGEST_INT, active, text_size
from actorllm.actors.runner.prompt.methods import BoundedFormatter, guard_method, guard_percent

__all__ = ["ChatEnvironment"]

_CALLABLE_TYPES = (dict, Namespace, Cycler, Joiner)


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`: marks the assistant's text for training; no effect."""

    tags = {"generation"}  # noqa: RUF012 -- the name and type that Jinja asks for

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class _Guards(NodeTransformer):
    """Puts the internal filters around the nodes that cost something."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        items = [cast(nodes.Expr, self.visit(item)) for item in node.nodes]
        return _filtered(nodes.Tuple(items, "load", lineno=node.lineno), "concatenated", made=True)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        return self._literal(node, node.items)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        return self._literal(node, node.items) if node.ctx == "load" else node

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        return self._literal(node, [part for pair in node.items for part in (pair.key, pair.value)])

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.iter = _filtered(cast(nodes.Expr, node.iter), "watched")
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        return self._ticked(node)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802
        # `defined` looks at the name itself, so a test is wrapped from the outside only.
        return self._ticked(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, "made") if isinstance(node.arg, nodes.Slice) else node

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.Node:  # noqa: N802
        # As a constant it goes through `finalize` and is paid for each time it is printed.
        return nodes.Const(node.data, lineno=node.lineno)

    def _literal(self, node: nodes.Expr, parts: list[nodes.Expr]) -> nodes.Node:
        plain = all(isinstance(part, nodes.Const) for part in parts)
        self.generic_visit(node)
        return node if plain else _filtered(node, "made")

    def _ticked(self, node: nodes.Expr) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(node, "ticked")


def _filtered(node: nodes.Expr, name: str, *, made: bool = False) -> nodes.Filter:
    call = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
    return _filtered(call, "made") if made else call


@pass_context
def _output(context: Context, value: Any) -> str:
    del context  # asked for so that Jinja does not print constants while compiling
    text = printed(value)
    active.get().charge(text_size(text) + 8)
    return text


class _Missing(Undefined):
    """An undefined value that vanishes when it is added to text, as in llama.cpp.

    Templates add a tool's description without asking whether there is one.
    """

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return other if isinstance(other, str) else self._fail_with_undefined_error()

    __radd__ = __add__


class ChatEnvironment(ImmutableSandboxedEnvironment):
    """The environment of chat templates, set up as transformers and llama.cpp do."""

    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[_Generation, "jinja2.ext.loopcontrols"],
            optimized=False,
            finalize=_output,
            undefined=_Missing,
            cache_size=0,
        )
        self.filters = guarded_filters(self.filters)
        self.globals.pop("lipsum", None)

    def _generate(self, source: nodes.Template, *args: Any, **named: Any) -> str:
        return super()._generate(cast(nodes.Template, _Guards().visit(source)), *args, **named)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, list) and attr in ("append", "pop"):
            return True  # as llama.cpp allows; templates collect call ids this way
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        budget = active.get()
        budget.tick()
        if operator == "%" and isinstance(left, str):
            guard_percent(budget, left, right)
        elif operator in ("*", "**", "+"):
            budget.require(_result_size(operator, left, right))
        return budget.made(super().call_binop(context, operator, left, right))

    def call_test(self, *args: Any, **kwargs: Any) -> Any:
        active.get().tick()
        return super().call_test(*args, **kwargs)

    # Positional-only names: a template may call with any keyword.
    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        budget = active.get()
        budget.tick()
        if isinstance(obj, types.BuiltinMethodType):
            guard_method(budget, obj, args, kwargs)
        elif isinstance(obj, type) and obj not in _CALLABLE_TYPES:
            raise TemplateError(f"the template calls {obj.__name__}(), which is not allowed")
        return budget.made(super().call(context, obj, *args, **kwargs))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if not isinstance(value, types.BuiltinMethodType) or not isinstance(value.__self__, str):
            return None
        text: str = value.__self__
        if value.__name__ == "format":
            return lambda *args, **named: self._formatter().vformat(text, args, named)
        if value.__name__ == "format_map":
            return lambda named: self._formatter().vformat(text, (), named)
        return None

    def _formatter(self) -> BoundedFormatter:
        def lookup(value: Any, name: str | int, is_attribute: bool) -> Any:
            return self.getattr(value, str(name)) if is_attribute else self.getitem(value, name)

        return BoundedFormatter(active.get(), lookup)


def _result_size(operator: str, left: Any, right: Any) -> int:
    """Return an upper bound of the bytes of `left operator right`."""
    if operator == "+":
        return sum(map(_shallow_size, (left, right)))
    if isinstance(left, int) and isinstance(right, int):
        bits = (
            left.bit_length() * max(right, 1)
            if operator == "**"
            else left.bit_length() + right.bit_length()
        )
        if bits > LONGEST_INT:
            raise LimitExceeded("the template computes a number that is too big")
    if operator == "**":
        return 0
    if isinstance(right, int):
        return _shallow_size(left) * max(right, 0)
    return _shallow_size(right) * max(left, 0) if isinstance(left, int) else 0


def _shallow_size(value: Any) -> int:
    if isinstance(value, str):
        return text_size(value)
    return 8 * len(value) if isinstance(value, (list, tuple)) else 0
