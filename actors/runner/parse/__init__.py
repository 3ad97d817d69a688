"""From a model's output text to typed deltas: content, thinking, tool calls.

All parsers are pure: text in, deltas out. The joined result does not depend on how the text was
split, and nothing is lost: a call that cannot be read is shown as content, and says so. What is
held back is bounded, as is the work per character.

    factory     make_parser: the parser for one answer
    registry    PARSERS: the parsers that a model can declare, and what they can do
    infer       the family of a Jinja template, told from its text
    generic     models known by the tags of their Go template
    parsed      Parsed, OutputParser: what a parser is and gives

The machines, each configured by data:

    fenced      thinking between two tags, calls between two tags; a `Dialect` is one family's way
    channels    messages with a header that says to whom they go
    bare_json   calls without tags
    chain       one machine behind the other

Their parts:

    scan        tags in text that arrives in pieces; the end of a JSON value
    fence       the text of one call while it arrives
    edges       white space at the edges of a text
    calls       from the text of a call to the call; bounds
    tagged      calls written in tags
    literals    Python literals, bare words and other quotes
    coerce      values written as plain text, read as their declared types
    schemas     those types: references followed, unions split

And the families: cohere, deepseek (Cogito), functionary, gemma (Gemma 4, FunctionGemma), glimmer,
glm (Laguna), harmony (gpt-oss), hermes (Qwen, Granite and other JSON between tags), kimi, llama,
minimax (MiniCPM), mistral, pythonic (LFM2, Olmo 3), qwen_coder (Nemotron 3, Seed).
"""

from actorllm.actors.runner.parse.factory import TemplateFacts, make_parser, opens_thinking
from actorllm.actors.runner.parse.parsed import OutputParser, Parsed, join
from actorllm.actors.runner.parse.registry import PARSERS, ParserInfo

__all__ = [
    "PARSERS",
    "OutputParser",
    "Parsed",
    "ParserInfo",
    "TemplateFacts",
    "join",
    "make_parser",
    "opens_thinking",
]
