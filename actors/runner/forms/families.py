"""The form of each family of models, by the names that `parse` gives them."""

from collections.abc import Mapping
from types import MappingProxyType

from actorllm.actors.runner.forms.channels import Functionary, Glimmer, Harmony
from actorllm.actors.runner.forms.declared import (
    Parameters,
    json_arguments,
    members_of,
    object_of,
    properties_of,
)
from actorllm.actors.runner.forms.grammar import SPACES, Grammar
from actorllm.actors.runner.forms.literals import Literals
from actorllm.actors.runner.forms.marked import Bare, Form, Marked
from actorllm.actors.runner.forms.pieces import (
    Writes,
    behind,
    in_list,
    in_list_or_row,
    in_row,
    invoked,
    json_call,
    keyed_call,
)
from actorllm.actors.runner.forms.tagged import Tagged
from actorllm.actors.runner.parse.schemas import alternatives, moved
from actorllm.protocol.chat import JsonObject

__all__ = ["FORMS", "form_of"]

_CALL = "<tool_call>"
_COUNT = r"/[0-9]{1,3}/"


def _named(before: str, after: str, end: str = "") -> Writes:
    """Give calls that are a name between marks, then JSON."""

    def write(g: Grammar, tool: Parameters) -> str:
        last = f"{SPACES} {g.mark(end)}" if end else ""
        head = g.mark(f"{before}{tool.name}{after}")
        return f"{head} {SPACES} {json_arguments(g, tool)} {last}"

    return write


def _tags(open_: str, close: str) -> Marked:
    """Give calls that are JSON, each between tags of its own."""
    return Marked(open_, behind(open_, json_call(), close))


def _lists(open_: str, close: str = "", writes: Writes | None = None) -> Marked:
    """Give calls in one JSON list between tags."""
    return Marked(open_, in_list(writes or json_call(), close))


def _literal(before: str, literals: Literals, end: str) -> Writes:
    def write(g: Grammar, tool: Parameters) -> str:
        begin = g.text(before.replace("{}", tool.name))
        return f"{begin} {literals.arguments(g, tool)} {g.text(end)}"

    return write


def _qwen_coder(call: str, *, lines: bool) -> Marked:
    values = Tagged(
        lambda key, _: (f"<parameter={key}>",), "</parameter>", lines=lines, trimmed=not lines
    )
    writes = invoked("<function={}>", values, "</function>")
    return Marked(f"<{call}>", behind(f"<{call}>", writes, f"</{call}>"))


def _attributes(prefix: str, block: str) -> Marked:
    """Give invocations whose names are attributes, each tag's name behind `prefix`."""
    values = Tagged(lambda key, _: (f'<{prefix}parameter name="{key}">',), f"</{prefix}parameter>")
    writes = invoked(f'<{prefix}invoke name="{{}}">', values, f"</{prefix}invoke>")
    return Marked(f"<{block}>", in_row(writes, f"</{block}>"))


def _dsml(block: str) -> Marked:
    mark = "｜DSML｜"

    def head(key: str, kind: str) -> tuple[str, ...]:
        said = "true" if kind == "string" else "false"
        return (f'<{mark}parameter name="{key}" string="{said}">',)

    values = Tagged(head, f"</{mark}parameter>")
    writes = invoked(f'<{mark}invoke name="{{}}">', values, f"</{mark}invoke>")
    return Marked(f"<{mark}{block}>", in_row(writes, f"</{mark}{block}>"))


def _deepseek(writes: Writes) -> Marked:
    return Marked("<｜tool▁calls▁begin｜>", in_row(writes, "<｜tool▁calls▁end｜>"))


_DEEPSEEK_ENDS = ("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>")
_DEEPSEEK_V3 = _deepseek(_named(_DEEPSEEK_ENDS[0], "<｜tool▁sep｜>", _DEEPSEEK_ENDS[1]))
_DEEPSEEK_R1 = _deepseek(
    _named(f"{_DEEPSEEK_ENDS[0]}function<｜tool▁sep｜>", "\n```json\n", f"\n```{_DEEPSEEK_ENDS[1]}")
)


def _kimi_k2(g: Grammar, tool: Parameters) -> str:
    head = g.mark(f"<|tool_call_begin|>functions.{tool.name}:")
    begin, end = g.mark("<|tool_call_argument_begin|>"), g.mark("<|tool_call_end|>")
    return f"{head} {_COUNT} {begin} {SPACES} {json_arguments(g, tool)} {SPACES} {end}"


def _kimi_k3() -> Marked:
    def head(key: str, kind: str) -> tuple[str, ...]:
        said = "number" if kind == "integer" else kind or "object"
        return (f'<|open|>argument key="{key}" type="{said}"<|sep|>',)

    values = Tagged(head, "<|close|>argument<|sep|>", gap="", typed=True)

    def write(g: Grammar, tool: Parameters) -> str:
        begin = g.mark(f'<|open|>call tool="{tool.name}" index="')
        end = g.mark("<|close|>call<|sep|>")
        return f"{begin} {_COUNT} {g.mark(chr(34) + '<|sep|>')} {values.arguments(g, tool)} {end}"

    return Marked(
        "<|open|>tools<|sep|>",
        in_row(write, "<|close|>tools<|sep|>"),
        wraps=(("<|open|>response<|sep|>", "<|close|>response<|sep|>"),),
        tail=("<|close|>message<|sep|>",),
        empty_words=True,
    )


_M3 = "]<]minimax[>["


def _m3_members(g: Grammar, tool: str, schema: JsonObject, depth: int = 0) -> str:
    """Give an object's members, each between marked tags of its name; objects in them, too."""
    parts = []
    for key, inner, required in members_of(schema):
        whole, *others = alternatives(inner)
        values = Tagged(lambda name, _: (f"{_M3}<{name}>",), f"{_M3}</{key}>", stop=_M3)
        parts_known = not others and whole.get("type") == "object" and properties_of(whole)
        if parts_known and g.may_nest(depth):
            nested = _m3_members(g, tool, whole, depth + 1)
            one = f"{SPACES} {g.mark(f'{_M3}<{key}>')} {nested} {SPACES} {g.mark(values.close)}"
        else:
            one = values.parameter(g, tool, key, inner)
        parts.append(one if required else f"({one})?")
    return " ".join(parts)


def _minimax_m3(g: Grammar, tool: Parameters) -> str:
    begin = g.mark(f'{_M3}<invoke name="{tool.name}">')
    members = _m3_members(g, tool.name, object_of(g, tool))
    return f"{begin} {members} {SPACES} {g.mark(_M3 + '</invoke>')}"


def _glm() -> Marked:
    values = Tagged(
        lambda key, _: (f"<arg_key>{key}</arg_key>", "<arg_value>"), "</arg_value>", trimmed=True
    )

    def write(g: Grammar, tool: Parameters) -> str:
        return f"{g.text(tool.name)} {values.arguments(g, tool)}"

    return Marked(_CALL, behind(_CALL, write, "</tool_call>"))


def _glimmer() -> Glimmer:
    values = Tagged(lambda key, _: (f'<atem:parameter name="{key}">',), "</atem:parameter>")
    writes = invoked('<atem:invoke name="{}">', values, "</atem:invoke>")
    return Glimmer(writes, "<atem:function_calls>", "</atem:function_calls>")


def _cohere() -> Marked:
    writes = json_call(
        "tool_name", "parameters", tool_call_id={"type": "string", "pattern": r"^[0-9]{1,3}$"}
    )
    marks = ("TEXT", "RESPONSE")
    return Marked(
        "<|START_ACTION|>",
        in_list(writes, "<|END_ACTION|>"),
        wraps=tuple((f"<|START_{mark}|>", f"<|END_{mark}|>") for mark in marks),
    )


_PYTHON = Literals(
    words=(("True", "true"), ("False", "false"), ("None", "null")), colon="=", quoted_keys=True
)
_GEMMA4 = Literals(quote='<|"|>')
_FUNCTION_GEMMA = Literals(quote="<escape>")
_PYTHON_CALL = _literal("{}(", _PYTHON, ")")
_MINICPM = Tagged(lambda key, _: (f'<param name="{key}">',), "</param>")
_MISTRAL = "[TOOL_CALLS]"


def _mistral_call(g: Grammar, tool: Parameters) -> str:
    identity = f"({g.mark('[CALL_ID]')} /[A-Za-z0-9]{{9}}/)?"
    return f"{g.text(tool.name)} {identity} {g.mark('[ARGS]')} {SPACES} {json_arguments(g, tool)}"


def _mistral_listed(g: Grammar, tool: Parameters) -> str:
    schema = {
        "type": "object",
        "properties": {
            "name": {"const": tool.name},
            "arguments": moved(tool.schema, "/properties/arguments"),
            "id": {"type": "string", "pattern": "^[A-Za-z0-9]{9}$"},
        },
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
    return g.json(schema)


def _minicpm_call(g: Grammar, tool: Parameters) -> str:
    head = g.mark(f'{tool.name}">')
    return f"{head} {_MINICPM.arguments(g, tool)}"


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "apertus": _lists("<|tools_prefix|>", "<|tools_suffix|>", keyed_call),
        "cohere": _cohere(),
        "command-r": _lists("Action: ```json", "```", json_call("tool_name", "parameters")),
        "deepseek": _DEEPSEEK_V3,
        "deepseek-r1": _DEEPSEEK_R1,
        "dsml": _dsml("function_calls"),
        "dsml-v4": _dsml("tool_calls"),
        "functiongemma": Marked(
            "<start_function_call>",
            behind(
                "<start_function_call>",
                _literal("call:{}{", _FUNCTION_GEMMA, "}"),
                "<end_function_call>",
            ),
        ),
        "functionary-3.1": Marked(
            "<function=", behind("<function=", _named("", ">"), "</function>", lead="")
        ),
        "functionary-3.2": Functionary(),
        "functools": _lists(" functools"),
        "gemma4": Marked(
            "<|tool_call>",
            behind("<|tool_call>", _literal("call:{}{", _GEMMA4, "}"), "<tool_call|>"),
            tail=("<|tool_response>",),
        ),
        "glimmer": _glimmer(),
        "glm": _glm(),
        "granite": _lists("<|tool_call|>"),
        "granite-closed": _lists("<|tool_call|>", "<|/tool_call|>"),
        "harmony": Harmony(),
        "hermes": _tags(_CALL, "</tool_call>"),
        "kimi-k2": Marked(
            "<|tool_calls_section_begin|>", in_row(_kimi_k2, "<|tool_calls_section_end|>")
        ),
        "kimi-k3": _kimi_k3(),
        "lfm2": Marked("<|tool_call_start|>", in_list(_PYTHON_CALL, "<|tool_call_end|>")),
        "llama": Bare(json_call("name", "parameters")),
        "minicpm": Marked(
            '<function name="', behind('<function name="', _minicpm_call, "</function>", lead="")
        ),
        "minimax-m2": _attributes("", "minimax:tool_call"),
        "minimax-m3": Marked(f"{_M3}<tool_call>", in_row(_minimax_m3, f"{_M3}</tool_call>")),
        "mistral": Marked(_MISTRAL, behind(_MISTRAL, _mistral_call)),
        "mistral-list": Marked(_MISTRAL, in_list(_mistral_listed)),
        "nemotron": _lists("<TOOLCALL>", "</TOOLCALL>"),
        "olmo3": Marked("<function_calls>", in_row(_PYTHON_CALL, "</function_calls>", r"/\n/")),
        "qwen-coder": _qwen_coder("tool_call", lines=True),
        "seed": _qwen_coder("seed:tool_call", lines=False),
        "tool-calls": Marked("<tool_calls>", in_list_or_row(json_call(), "</tool_calls>")),
    }
)


def form_of(family: str, template: str = "") -> Form | None:
    """Give the form of a family; None if its calls cannot be held.

    Args:
        family: As `parse` names it.
        template: The model's template, which tells variants of a family apart.
    """
    if family == "deepseek" and "```json" in template:
        family = "deepseek-r1"
    if family == "dsml" and "function_calls>" not in template and "tool_calls>" in template:
        family = "dsml-v4"
    if family == "mistral" and template and "[ARGS]" not in template:
        family = "mistral-list"
    return FORMS.get(family)
