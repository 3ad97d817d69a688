"""Structures as grammars of llguidance, which says of what it cannot keep to that it cannot."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from llguidance import LLMatcher, LLParserLimits

from actorllm.actors.runner.engine.lexemes import lark_of
from actorllm.actors.runner.engine.numbers import countable, numbered
from actorllm.actors.runner.engine.patterns import formatted, readable
from actorllm.actors.runner.engine.schema import chooses_one, closed, counted, names_openly
from actorllm.actors.runner.engine.types import EngineError, Structure

__all__ = ["LIMITS", "MAX_GRAMMAR", "Spell", "check", "grammar_of", "json_rule", "kept", "one_line"]

MAX_GRAMMAR = 1024 * 1024
"""Characters of a structure that are accepted."""

LIMITS = LLParserLimits(max_items_in_row=20_000, verbose_errors=False)
"""llguidance's own bounds on memory and time, but for objects of some thousand keys, and without the
client's schema in messages."""

_LONGEST_MESSAGE = 300

_FREELY = '%llguidance {"no_forcing": true}\n'
"""Text that is forced may be split into tokens in any way, as the model likes it."""

_RULES: dict[str, Any] = {
    # A gap between two parts has at most one space, or line breaks and one indentation: models
    # like to lose themselves in white space. It is also what llama.cpp's converter allows.
    "whitespace_flexible": True,
    "whitespace_pattern": r" |\n{1,2}[ \t]{0,20}",
    "item_separator": ",",
    "key_separator": ":",
    "coerce_one_of": False,
    "lenient": False,
}
"""Said in full, for a schema may bring an `x-guidance` of its own."""
_ANY_ESCAPE = {"json_allow_general_unicode_escapes": True}
_SHORT_ESCAPES = {"json_allowed_escapes": 'nrbtf\\"'}


Spell = Callable[[str], Sequence[str | int]]
"""Splits a mark into plain text and the numbers of special tokens."""


def grammar_of(structure: Structure, spell: Spell = lambda mark: [mark]) -> str:
    """Give the grammar of a structure, in llguidance's notation.

    Args:
        structure: What to keep to.
        spell: How the vocabulary writes marks; by default as plain text.

    Raises:
        EngineError: The structure is too large or malformed.
    """
    if len(structure.text) > MAX_GRAMMAR:
        raise EngineError(f"{len(structure.text)} characters are too many")
    if structure.kind == "lark":
        rules = (_rules_of_mark(n, spell(mark)) for n, mark in enumerate(structure.marks))
        return LLMatcher.grammar_from_lark(f"{_FREELY}{structure.text}{''.join(rules)}")
    return _from_gbnf(structure.text) if structure.kind == "gbnf" else _from_schema(structure.text)


def _from_schema(text: str) -> str:
    try:
        return _of_json(kept(json.loads(text)))
    except (ValueError, RecursionError) as e:
        raise EngineError(one_line(str(e))) from None


def kept(schema: Any) -> Any:
    """Give a schema as it is kept to: closed, where that leaves it a part of itself.

    Raises:
        EngineError: It nests too deep, or an answer could break it.
    """
    counted(schema)
    countable(schema)
    readable(schema)
    shut = closed(schema)
    if shut != schema and chooses_one(schema):
        # Closed objects can exclude each other where open ones do not, and would be let through.
        _check(_of_json(schema))
    return shut


def _of_json(schema: Any) -> str:
    return LLMatcher.grammar_from_lark(f"{_FREELY}start: {json_rule(schema)}\n")


def json_rule(schema: Any) -> str:
    """Give what stands in a rule for JSON values of a schema."""
    if isinstance(schema, dict):
        # An escaped key is not known for the one that it is, and would be held as any other.
        rules = _RULES | (_SHORT_ESCAPES if names_openly(schema) else _ANY_ESCAPE)
        schema = formatted(numbered(schema)) | {"x-guidance": rules}
    return f"%json {json.dumps(schema)}"


def _rules_of_mark(number: int, pieces: Sequence[str | int]) -> str:
    """Write the rules of a mark: itself, the text up to it, text without it, and its two halves.

    Special tokens are never part of a text, so all of a text may come before one. A mark in plain
    text ends the text before it where it comes first.
    """
    spelled = [f"<[{p}]>" if isinstance(p, int) else json.dumps(p) for p in pieces]
    plain = next((n for n, piece in enumerate(pieces) if isinstance(piece, int)), len(pieces))
    last, rest = "".join(map(str, pieces[:plain])), " ".join(spelled[plain:]) or '""'
    regex = _in_regex(last)
    if plain == len(pieces):
        free, way = f"~/(?s:.*{regex}.*)/", f"[suffix={json.dumps(last)}]: /(?s:.*)/"
    else:
        lead = f"/(?s:.*){regex}/" if last else "/(?s:.+)/?"
        free, way = "/(?s:.*)/", f": {lead} {rest}"
    return (
        f"mark_{number}: {' '.join(spelled)}\n"
        f"to_mark_{number}{way}\n"
        f"FREE_{number}: {free}\n"
        f"NO_MARK_{number}: /(?s:.+)/ & FREE_{number}\nno_mark_{number}: NO_MARK_{number}\n"
        f"LAST_{number}: {json.dumps(last)}\nrest_{number}: {rest}\n"
    )


def _in_regex(text: str) -> str:
    """Write a text so that it stands for itself in a regular expression between slashes."""
    return "".join(c if c.isalnum() else "\\n" if c == "\n" else f"\\x{{{ord(c):x}}}" for c in text)


def _from_gbnf(text: str) -> str:
    return LLMatcher.grammar_from_lark(_FREELY + lark_of(text))


def check(structure: Structure) -> None:
    """Find out whether a structure can be kept to, whatever the vocabulary.

    Raises:
        EngineError: It cannot; the text names the keyword.
    """
    _check(grammar_of(structure))


def _check(grammar: str) -> None:
    bad, messages = LLMatcher.validate_grammar_with_warnings(grammar, limits=LIMITS)
    if bad:
        raise EngineError(one_line(messages[0]))


def one_line(message: str) -> str:
    """Bring a message of llguidance into the form of ours, without the grammar that it quotes."""
    if message.startswith("panic"):  # of its own bounds, as that of 65,525 symbols
        return "it is too large"
    text = re.split(r"\n +1 \| |<state>|<non-verbose/>|\. Enable '", message, maxsplit=1)[0]
    text = re.sub(r"^at \d+\(\d+\): (failed to compile JSON schema: )?", "", text)
    return " ".join(text.split())[:_LONGEST_MESSAGE]
