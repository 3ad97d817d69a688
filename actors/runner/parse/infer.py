"""Which family a Jinja template belongs to, told from its text.

A template writes past calls and thinking the way its model was trained to write them, so the tags
in it tell the format. Rows are tried from the top: the telling marks first, shared ones last.
"""

from collections.abc import Callable

from attrs import evolve

from actorllm.actors.runner.parse.calls import Toolbox
from actorllm.actors.runner.parse.cohere import COHERE
from actorllm.actors.runner.parse.deepseek import DEEPSEEK, DEEPSEEK_DSML
from actorllm.actors.runner.parse.fenced import Dialect, FencedParser
from actorllm.actors.runner.parse.functionary import FUNCTIONARY, functionary_parser
from actorllm.actors.runner.parse.gemma import FUNCTION_GEMMA, GEMMA4
from actorllm.actors.runner.parse.glimmer import glimmer_parser
from actorllm.actors.runner.parse.glm import GLM
from actorllm.actors.runner.parse.harmony import harmony_parser
from actorllm.actors.runner.parse.hermes import APERTUS, HERMES, json_dialect
from actorllm.actors.runner.parse.kimi import KIMI_K2, KIMI_K3
from actorllm.actors.runner.parse.llama import llama_parser
from actorllm.actors.runner.parse.minimax import MINICPM, MINIMAX_M2, MINIMAX_M3
from actorllm.actors.runner.parse.mistral import MISTRAL
from actorllm.actors.runner.parse.parsed import OutputParser
from actorllm.actors.runner.parse.pythonic import LFM2, OLMO3
from actorllm.actors.runner.parse.qwen_coder import QWEN_CODER, SEED

__all__ = ["family_name", "infer_parser", "thinking_tags"]

_Make = Callable[[Toolbox, bool], OutputParser]
"""Makes a parser from the tools and whether the prompt opened the thinking."""


def _glimmer(tools: Toolbox, _: bool) -> OutputParser:
    return glimmer_parser(tools)


def _harmony(tools: Toolbox, _: bool) -> OutputParser:
    return harmony_parser(tools)


def _functionary(tools: Toolbox, _: bool) -> OutputParser:
    return functionary_parser(tools)


def _llama(tools: Toolbox, in_thinking: bool) -> OutputParser:
    return llama_parser(tools, in_thinking=in_thinking)


_FAMILIES: tuple[tuple[str, tuple[str, ...], Dialect | _Make], ...] = (
    ("glimmer", ("<atem:",), _glimmer),
    ("glimmer", ("atem:function_calls",), _glimmer),
    ("harmony", ("<|channel|>", "<|message|>"), _harmony),
    ("functionary-3.2", (">>>", "recipient"), _functionary),
    ("dsml", ("｜DSML｜",), DEEPSEEK_DSML),
    ("deepseek", ("<｜tool▁call▁begin｜>",), DEEPSEEK),
    ("kimi-k2", ("<|tool_call_argument_begin|>",), KIMI_K2),
    ("kimi-k3", ("<|open|>", "<|sep|>"), KIMI_K3),
    ("minimax-m3", ("]<]minimax[>[",), MINIMAX_M3),
    ("minimax-m2", ("minimax:tool_call",), MINIMAX_M2),
    ("gemma4", ("<|channel>", "<|tool_call>"), GEMMA4),
    ("functiongemma", ("<start_function_call>",), FUNCTION_GEMMA),
    ("mistral", ("[TOOL_CALLS]",), MISTRAL),
    ("cohere", ("<|START_ACTION|>",), COHERE),
    ("glm", ("<arg_key>",), GLM),
    ("seed", ("seed:tool_call",), SEED),
    ("apertus", ("<|tools_prefix|>",), APERTUS),
    ("lfm2", ("<|tool_call_start|>",), LFM2),
    ("lfm2", ("<|tool_list_start|>",), LFM2),
    ("lfm2", ("List of tools: [", "<|im_start|>"), LFM2),
    ("olmo3", ("<function_calls>",), OLMO3),
    ("qwen-coder", ("<function=", "<tool_call>"), QWEN_CODER),
    ("minicpm", ('<function name="',), MINICPM),
    ("functionary-3.1", ("<function=",), FUNCTIONARY),
    ("nemotron", ("<TOOLCALL>",), json_dialect(("<TOOLCALL>", "</TOOLCALL>"))),
    ("tool-calls", ("<tool_calls>",), json_dialect(("<tool_calls>", "</tool_calls>"))),
    ("granite-closed", ("<|/tool_call|>",), json_dialect(("<|tool_call|>", "<|/tool_call|>"))),
    ("granite", ("<|tool_call|>",), json_dialect(("<|tool_call|>", ""))),
    ("functools", (" functools[",), json_dialect(("functools", ""))),
    (
        "command-r",
        ("tool_name", "```json"),
        json_dialect(("Action: ```json", "```"), ("Action:```json", "```")),
    ),
    ("llama", ("<|python_tag|>", "<|eot_id|>"), _llama),
    ("llama", ('"parameters"', "<|eot_id|>"), _llama),
)
_APRIEL = ("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]")


def infer_parser(text: str, tools: Toolbox, *, in_thinking: bool = False) -> OutputParser:
    """Give the parser for answers to prompts of this template.

    Without tools in the request, tags of calls are content: nobody could answer the calls.

    Args:
        text: The Jinja template.
        tools: The request's tools.
        in_thinking: Whether the prompt ends with the opening tag.
    """
    family = _family(text)
    if not isinstance(family, Dialect):
        return family(tools, in_thinking)
    dialect = family
    if not tools.names:
        dialect = evolve(dialect, fences=())
    return FencedParser(dialect, tools, in_thinking=in_thinking)


def thinking_tags(text: str) -> tuple[str, str]:
    """Give the tags around thinking in answers to this Jinja template's prompts."""
    family = _family(text)
    dialect = family if isinstance(family, Dialect) else HERMES
    return dialect.think_open + "".join(dialect.think_labels[:1]), dialect.think_close


def family_name(text: str) -> str:
    """Give the name of a Jinja template's family, the key of its form in `forms`."""
    return _row(text)[0]


def _row(text: str) -> tuple[str, Dialect | _Make]:
    found = (
        (name, family) for name, marks, family in _FAMILIES if all(mark in text for mark in marks)
    )
    return next(found, ("hermes", HERMES))


def _family(text: str) -> Dialect | _Make:
    """Give the first family all of whose marks the template has."""
    _, family = _row(text)
    if isinstance(family, Dialect) and all(mark in text for mark in _APRIEL):
        return evolve(family, think_open=_APRIEL[0], think_close=_APRIEL[1])
    return family
