"""What the syntax tree of a Go template tells: variables, tags; and the cut after the answer."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from gotpl.parse import nodes as go

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.tags import ThinkingTags

__all__ = ["cut_after_response", "thinking_tags", "tool_tag", "variables"]

Path = tuple[Any, ...]


def walk(node: Any, path: Path = ()) -> Iterator[tuple[Any, Path]]:
    """Yield `node` and everything in it, each with its ancestors, in the order of the text."""
    yield node, path
    inner = (*path, node)
    for field in dataclasses.fields(node):
        if field.name == "declarations":
            continue
        value = getattr(node, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if dataclasses.is_dataclass(part):
                yield from walk(part, inner)


def variables(template: go.ParsedTemplate) -> frozenset[str]:
    """Return the names that a template reads, in lower case."""
    found: set[str] = set()
    for node, _ in walk(template):
        if isinstance(node, go.VariableNode):
            found.add(node.name.lower())
        if isinstance(node, (go.FieldNode, go.VariableNode, go.ParenthesizedNode)):
            found.update(name.lower() for name in node.fields)
    return frozenset(found)


def reads(node: Any, name: str) -> bool:
    """Tell whether `.name` is read in `node`."""
    return any(
        isinstance(part, go.FieldNode) and part.fields[:1] == (name,) for part, _ in walk(node)
    )


def thinking_tags(root: go.ListNode) -> ThinkingTags:
    """Infer the tags around thoughts from the loop over the messages that prints `.Thinking`."""
    opened = closed = ""
    for node, path in walk(root):
        if not isinstance(node, go.FieldNode) or node.fields[:1] != ("Thinking",):
            continue
        loop = next((part for part in reversed(path) if isinstance(part, go.RangeNode)), None)
        if loop is None or not _over_messages(loop):
            continue
        around = next(part for part in reversed(path) if isinstance(part, go.ListNode)).nodes
        if isinstance(around[0], go.TextNode):
            opened = around[0].text.strip()
        if isinstance(around[-1], go.TextNode):
            closed = around[-1].text.strip()
    return ThinkingTags(opened, closed)


def _over_messages(loop: go.RangeNode) -> bool:
    return any(
        isinstance(part, (go.FieldNode, go.VariableNode)) and "Messages" in part.fields
        for part, _ in walk(loop.pipeline)
    )


def tool_tag(root: go.ListNode) -> str:
    """Return the text with which calls start in the model's output; `{` if none is seen."""
    for node, _ in walk(root):
        if isinstance(node, go.IfNode) and reads(node.pipeline, "ToolCalls"):
            return str(_first_text(node.body)).split("{", maxsplit=1)[0].strip() or "{"
    return "{"


def _first_text(nodes: go.ListNode) -> str:
    for node in nodes.nodes:
        if isinstance(node, go.TextNode):
            if node.text.strip():
                return str(node.text)
        elif isinstance(node, (go.IfNode, go.RangeNode, go.WithNode)):
            return _first_text(node.body)
        else:
            break
    return ""


def cut_after_response(nodes: go.ListNode) -> go.ListNode:
    """Return `nodes` without all that follows the first `.Response`: the model goes on there."""
    return _cut(nodes) or nodes


def _cut(nodes: go.ListNode) -> go.ListNode | None:
    for position, node in enumerate(nodes.nodes):
        if reads(node, "Response"):
            kept = (*nodes.nodes[:position], _cut_node(node))
            return dataclasses.replace(nodes, nodes=kept)
    return None


def _cut_node(node: Any) -> Any:
    if isinstance(node, (go.IfNode, go.WithNode, go.RangeNode)):
        if reads(node.pipeline, "Response"):
            raise TemplateError("the model's template asks whether there is a .Response")
        body = _cut(node.body)
        if body is not None:
            return dataclasses.replace(node, body=body, else_body=None)
        if node.else_body is not None:
            return dataclasses.replace(node, else_body=_cut(node.else_body))
    return node
