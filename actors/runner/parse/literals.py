"""Values as models write them outside JSON: Python literals, Gemma's quoting, bare words.

A mixture of Python and JSON is read, since models mix them: both kinds of quotes with their
escapes, `True` and `true`, `None` and `null`, lists, objects with or without quotes on their keys,
and bare words, which are strings.
"""

import re
from typing import Any

from attrs import frozen

from actorllm.actors.runner.parse.calls import MAX_DEPTH, BadCall, load_json, valid_text
from actorllm.protocol.chat import JsonObject

__all__ = ["LiteralReader", "Quoting"]

_SPACES = re.compile(r"\s*")
# A doubled single quote inside a string is kept as it is: models write both Python and SQL.
_STRING = {
    '"': re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]++|\\.|'')*+)'", re.DOTALL),
}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\n": ""}
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?|-?\.\d+")
_WORDS: dict[str, Any] = {
    "True": True,
    "true": True,
    "False": False,
    "false": False,
    "None": None,
    "null": None,
}


@frozen
class Quoting:
    """How a format writes strings and bare words."""

    mark: str = ""
    """What stands on both sides of a string, beside the usual quotes; nothing escapes in it."""
    bare_ends: str = ",)]}"
    """Characters that end a bare word."""


class LiteralReader:
    """Reads values from `text`, from its begin on. Errors are `BadCall`."""

    def __init__(self, text: str, quoting: Quoting | None = None) -> None:
        self.text = text
        self.at = 0
        self._quoting = quoting or Quoting()
        self._bare = re.compile(f"[^{re.escape(self._quoting.bare_ends)}]+")
        self._key = re.compile(f"[^{re.escape(self._quoting.bare_ends)}:]+")

    def skip(self) -> None:
        match = _SPACES.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def peek(self) -> str:
        """Give the next character that is no white space, or nothing at the end."""
        self.skip()
        return self.text[self.at : self.at + 1]

    def accept(self, token: str) -> bool:
        """Consume `token` if it comes next."""
        self.skip()
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise BadCall(f"{token} is missing in the call")

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Consume what `pattern` matches next."""
        self.skip()
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def at_end(self) -> bool:
        return not self.peek()

    def value(self, depth: int = 0) -> Any:
        """Read one value."""
        if depth > MAX_DEPTH:
            raise BadCall("the call is nested too deeply")
        char = self.peek()
        mark = self._quoting.mark
        if mark and self.accept(mark):
            return self._marked(mark)
        if char in _STRING and (match := self.match(_STRING[char])):
            return _unescaped(match[1])
        if self.accept("["):
            return self._items(depth)
        if self.accept("{"):
            return self.members("}", depth)
        return self._word()

    def _marked(self, mark: str) -> str:
        end = self.text.find(mark, self.at)
        if end < 0:
            raise BadCall("a string is not closed")
        text = self.text[self.at : end]
        self.at = end + len(mark)
        return text

    def _items(self, depth: int) -> list[Any]:
        items: list[Any] = []
        while not self.accept("]"):
            items.append(self.value(depth + 1))
            if not self.accept(",") and self.peek() != "]":
                raise BadCall("a list is not closed")
        return items

    def members(self, close: str, depth: int = 0, colon: str = ":") -> JsonObject:
        """Read `key: value` pairs up to `close`."""
        members: JsonObject = {}
        while not self.accept(close):
            key = self._name()
            self.expect(colon)
            members[key] = self.value(depth + 1)
            if not self.accept(",") and self.peek() != close:
                raise BadCall("an object is not closed")
        return members

    def _name(self) -> str:
        char = self.peek()
        mark = self._quoting.mark
        if mark and self.accept(mark):
            return self._marked(mark)
        if char in _STRING and (match := self.match(_STRING[char])):
            return _unescaped(match[1])
        pattern = self._key if self._quoting.mark else _KEYWORD
        found = self.match(pattern)
        if found is None:
            raise BadCall("a key is missing in the call")
        return found.group().strip()

    def _word(self) -> Any:
        match = self.match(self._bare)
        if match is None or match.group()[0] in _STRING:
            raise BadCall("a value is missing, or a string is not closed")
        word = match.group().strip()
        if word in _WORDS:
            return _WORDS[word]
        return _number(word) if _NUMBER.fullmatch(word) else word


_KEYWORD = re.compile(r"[^\W\d][\w.-]*")


def _number(word: str) -> int | float:
    """Read a number as JSON would, leading zeros allowed."""
    digits = re.sub(r"^(-?)0+(?=\d)", r"\1", word)
    value: int | float = load_json(re.sub(r"^(-?)\.", r"\g<1>0.", digits))
    return value


def _unescaped(text: str) -> str:
    return valid_text(_ESCAPE.sub(_escape, text)) if "\\" in text else text


def _escape(match: re.Match[str]) -> str:
    what = match[1]
    if len(what) > 1:
        return chr(int(what[1:], 16))
    return _ESCAPED.get(what, what)
