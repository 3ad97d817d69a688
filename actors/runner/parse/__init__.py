"""From a model's output text to typed deltas: content, thinking, tool calls.

    factory     make_parser: the parser for one answer
    parsed      Parsed, OutputParser: what a parser is and gives
    registry    PARSERS: the parsers that a model can declare, and what they can do
    infer       the family of a Jinja template, told from its text
    generic     models known by the tags of their Go template
    fenced      the machine behind most formats; a `Dialect` is one family's way to write
    scan        tags in text that arrives in pieces; the end of a JSON value
    calls       from the text of a call to the call
    coerce      values written as plain text, read as their declared types

All parsers are pure: text in, deltas out. The joined result does not depend on how the text was
split, and nothing is lost: a call that cannot be read is shown as content, and says so.
"""

from actorllm.actors.runner.parse.factory import TemplateFacts, make_parser, opens_thinking
from actorllm.actors.runner.parse.parsed import OutputParser, Parsed
from actorllm.actors.runner.parse.registry import PARSERS, ParserInfo

__all__ = [
    "PARSERS",
    "OutputParser",
    "Parsed",
    "ParserInfo",
    "TemplateFacts",
    "make_parser",
    "opens_thinking",
]
