"""Calls one after the other: between tags of their own, or in a list."""

from collections.abc import Callable, Sequence

from actorllm.actors.runner.forms.declared import Parameters
from actorllm.actors.runner.forms.grammar import SPACES, Grammar
from actorllm.actors.runner.forms.tagged import Tagged
from actorllm.actors.runner.parse.schemas import moved
from actorllm.protocol.chat import JsonObject

__all__ = [
    "Rest",
    "Writes",
    "behind",
    "in_list",
    "in_list_or_row",
    "in_row",
    "invoked",
    "json_call",
    "keyed_call",
]

Writes = Callable[[Grammar, Parameters], str]
"""Gives what stands in a rule for one call of a tool."""

Rest = Callable[[Grammar, Sequence[Parameters], bool], str]
"""Gives what follows the mark before the first call: this call, and further ones if there may be
many."""


def json_call(name: str = "name", arguments: str = "arguments", **more: JsonObject) -> Writes:
    """Give calls that are JSON objects with these keys, and others before them."""

    def write(g: Grammar, tool: Parameters) -> str:
        properties = {**more, name: {"const": tool.name}, arguments: tool.schema}
        return g.json(_object(properties))

    return write


def keyed_call(g: Grammar, tool: Parameters) -> str:
    """Write a JSON object whose only key is the tool's name."""
    return g.json(_object({tool.name: tool.schema}))


def _object(properties: JsonObject) -> JsonObject:
    """Give the schema of an object with these members; each may refer to parts of itself."""
    return {
        "type": "object",
        "properties": {
            key: moved(schema, f"/properties/{key.replace('~', '~0').replace('/', '~1')}")
            for key, schema in properties.items()
        },
        "required": list(properties),
        "additionalProperties": False,
    }


def invoked(head: str, parameters: Tagged, end: str) -> Writes:
    """Give calls with tagged parameters between `head`, with the name for `{}`, and `end`."""

    def write(g: Grammar, tool: Parameters) -> str:
        begin = g.mark(head.replace("{}", tool.name))
        return f"{begin} {parameters.arguments(g, tool)} {SPACES} {g.mark(end)}"

    return write


def _one(g: Grammar, tools: Sequence[Parameters], writes: Writes) -> str:
    return g.either([writes(g, tool) for tool in tools])


def behind(open_: str, writes: Writes, close: str = "", *, lead: str = SPACES) -> Rest:
    """Give calls each of which stands behind a mark of its own and `lead`, and before `close`."""

    def rest(g: Grammar, tools: Sequence[Parameters], many: bool) -> str:
        end = f"{SPACES} {g.mark(close)}" if close else ""
        one = g.rule(f"{lead} {_one(g, tools, writes)} {end}")
        return f"{one} ({SPACES} {g.mark(open_)} {one})*" if many else one

    return rest


def in_row(writes: Writes, close: str, between: str = SPACES) -> Rest:
    """Give calls one behind the other, all of them before one `close`."""

    def rest(g: Grammar, tools: Sequence[Parameters], many: bool) -> str:
        one = _one(g, tools, writes)
        row = f"{one} ({between} {one})*" if many else one
        return f"{SPACES} {row} {SPACES} {g.mark(close)}"

    return rest


def in_list(writes: Writes, close: str = "", *, opened: bool = False) -> Rest:
    """Give calls in a list, which the mark has `opened` already or not, before `close`."""

    def rest(g: Grammar, tools: Sequence[Parameters], many: bool) -> str:
        one = _one(g, tools, writes)
        row = f'{one} ({SPACES} "," {SPACES} {one})*' if many else one
        end = f"{SPACES} {g.mark(close)}" if close else ""
        begin = "" if opened else f'{SPACES} "["'
        return f'{begin} {SPACES} {row} {SPACES} "]" {end}'

    return rest


def in_list_or_row(writes: Writes, close: str) -> Rest:
    """Give calls in a list, or without its brackets one behind the other."""
    ways = (in_list(writes, close), in_row(writes, close))

    def rest(g: Grammar, tools: Sequence[Parameters], many: bool) -> str:
        return g.either([way(g, tools, many) for way in ways])

    return rest
