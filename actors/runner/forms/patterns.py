"""Strings as their schema wants them, as regular expressions that plain text has to match.

JSON Schema's patterns are ECMAScript's and match anywhere in a string. llguidance's are Rust's and
match the whole of it.
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache

from actorllm.actors.runner.engine.dates import DATE, DATE_TIME, TIME
from actorllm.actors.runner.engine.grammar import check
from actorllm.actors.runner.engine.types import EngineError, Structure
from actorllm.protocol.chat import JsonObject

__all__ = ["LIMITS_OF_TEXT", "in_full", "texts_of"]

LIMITS_OF_TEXT = ("pattern", "format", "minLength", "maxLength")
"""Keywords of a schema that limit strings."""

_ANY = "(?s:.*)"
_LONGEST_PATTERN = 2_000
_REMEMBERED = 128
"""Limits of strings of which is known whether any string keeps to them."""
_ESCAPE = (
    r"\\u\{(?P<braced>[0-9a-fA-F]{1,6})\}|\\u(?P<four>[0-9a-fA-F]{4})|\\x(?P<two>[0-9a-fA-F]{2})"
    r"|\\(?P<kind>[dDwWsS])|\\(?P<control>[tnrfv])|(?P<same>\\[pP]\{\w{1,40}\})"
    r"|\\(?P<escaped>[^A-Za-z0-9])"
)
_PART = re.compile(
    rf"{_ESCAPE}|(?P<open>\((?:\?:|\?<[A-Za-z_]\w*>|(?!\?)))|(?P<close>\))"
    r"|(?P<repeat>[*+?]|\{\d{1,9}(?:,\d{0,9})?\})\??"
    r"|(?P<class>\[\^?(?!\]))|(?P<or>\|)|(?P<begin>\^)|(?P<end>\$)|(?P<dot>\.)|(?P<char>[^\\(\[])"
)
_IN_CLASS = re.compile(rf"{_ESCAPE}|(?P<end>\])|(?P<range>-(?!-))|(?P<char>[^\\-])")
_SPACES = (
    r"\t\n\x{b}\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}"
)
_KINDS = {"d": "0-9", "w": "A-Za-z0-9_", "s": _SPACES}

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HOST = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HEX = "[0-9a-fA-F]"
_FORMATS = {
    "date": DATE,
    "time": TIME,
    "date-time": DATE_TIME,
    "duration": r"P([0-9]{1,9}W|[0-9]{1,9}D|([0-9]{1,9}D)?T([0-9]{1,9}H)?([0-9]{1,9}M)?[0-9]{1,9}[HMS]|"
    r"[0-9]{1,9}[YM])",
    "email": rf"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@{_HOST}(\.{_HOST})+",
    "hostname": rf"{_HOST}(\.{_HOST})*",
    "ipv4": rf"({_OCTET}\.){{3}}{_OCTET}",
    "ipv6": f"({_HEX}{{1,4}}:){{7}}{_HEX}{{1,4}}|::|::{_HEX}{{1,4}}|{_HEX}{{1,4}}(:{_HEX}{{1,4}}){{0,5}}::"
    f"({_HEX}{{1,4}})?",
    "uuid": f"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:\x{2f}?#@!$&'()*+,;=%\[\]-]+",
    "unknown": _ANY,
}
"""Shapes of formats: each a part of what its format allows, and all of it but for rare notations."""


def texts_of(schema: JsonObject, also: str = "") -> tuple[list[str], list[str]]:
    """Give the regular expressions that a string has to match, and the keywords they leave out.

    Args:
        schema: Of a string.
        also: What the format demands of strings whose schema limits them. Nothing is held if no
            string would be left.
    """
    limits = [keyword for keyword in LIMITS_OF_TEXT if keyword in schema]
    made = {keyword: _text_of(keyword, schema) for keyword in limits}
    texts = [text for text in made.values() if text not in (None, _ANY)]
    if texts and also:
        texts.append(also)
    if not _leaves_some(tuple(texts)):
        return [], limits
    return [str(text) for text in texts], [key for key, text in made.items() if text is None]


@lru_cache(maxsize=_REMEMBERED)
def _leaves_some(texts: tuple[str | None, ...]) -> bool:
    """Whether there is a text that matches all of these."""
    parts = [{"pattern": f"^(?:{text})$"} for text in texts]
    try:
        check(Structure("schema", json.dumps({"type": "string", "allOf": parts})))
    except EngineError:
        return False
    return True


def _text_of(keyword: str, schema: JsonObject) -> str | None:
    value = schema[keyword]
    if keyword == "pattern":
        return in_full(value) if isinstance(value, str) else None
    if keyword == "format":
        return _FORMATS.get(value) if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return f"(?s:.{{{value},}})" if keyword == "minLength" else f"(?s:.{{0,{value}}})"


def in_full(pattern: str) -> str | None:
    """Write a pattern so that it matches the whole of each text in which it was to be found.

    None if it has what cannot be written so: assertions within it, references to its groups.
    """
    try:
        ways = [_anchored(way) for way in _ways(_parts(pattern))]
        made = "|".join(ways)
        check(Structure("lark", f"start: T\nT: /{made}/\n"))
    except (_Unwritable, EngineError):
        return None
    return made


class _Unwritable(Exception):  # noqa: N818 -- a verdict on a pattern, no failure of the program
    """A pattern has no counterpart."""


_Part = tuple[str, str]
"""What a part of a pattern is (a group of `_PART`), and how Rust writes it."""


def _parts(pattern: str) -> Iterator[_Part]:
    at = 0
    if len(pattern) > _LONGEST_PATTERN:
        raise _Unwritable
    while at < len(pattern):
        found = _PART.match(pattern, at)
        if found is None:
            raise _Unwritable
        at = found.end()
        kind = str(found.lastgroup)
        if kind == "class":
            text, at = _class(pattern, at)
            yield "class", found[0] + text
        else:
            yield kind, _written(found)


def _class(pattern: str, at: int) -> tuple[str, int]:
    """Write a class of characters from behind its bracket on; give it and where it ends."""
    text = ""
    while found := _IN_CLASS.match(pattern, at):
        at = found.end()
        if found.lastgroup == "end":
            return f"{text}]", at
        text += "-" if found.lastgroup == "range" else _written(found, in_class=True)
    raise _Unwritable


def _written(found: re.Match[str], *, in_class: bool = False) -> str:
    kind, text = str(found.lastgroup), str(found[str(found.lastgroup)])
    if kind in ("braced", "four", "two"):
        code = int(text, 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise _Unwritable
        return f"\\x{{{code:x}}}"
    if kind == "kind":
        inner = _KINDS[text.lower()]
        return f"[^{inner}]" if text.isupper() else inner if in_class else f"[{inner}]"
    if kind == "control":
        return "\\x{b}" if text == "v" else f"\\{text}"
    if kind == "dot":
        return r"[^\n\r\x{2028}\x{2029}]"
    if kind == "open":
        return "(?:"
    if kind in ("escaped", "char"):
        return text if text.isalnum() else f"\\x{{{ord(text):x}}}"
    return text


def _ways(parts: Iterator[_Part]) -> list[list[_Part]]:
    """Split a pattern where it has alternatives."""
    ways: list[list[_Part]] = [[]]
    depth = 0
    for part in parts:
        depth += (part[0] == "open") - (part[0] == "close")
        if part[0] == "or" and depth == 0:
            ways.append([])
        else:
            ways[-1].append(part)
    return ways


def _anchored(way: list[_Part]) -> str:
    """Let any text come before and behind an alternative, unless it says where it begins and ends."""
    begins = bool(way) and way[0][0] == "begin"
    ends = bool(way) and way[-1][0] == "end"
    inner = way[begins : len(way) - ends]
    if any(kind in ("begin", "end") for kind, _ in inner):
        raise _Unwritable
    text = "".join(text for _, text in inner)
    return f"{'' if begins else _ANY}(?:{text}){'' if ends else _ANY}"
