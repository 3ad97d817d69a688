"""Finding tags in text that arrives in pieces.

    Tags       a set of literal tags
    Scanner    the text not yet consumed; gives text and tags, holds back what may become a tag
    JsonEnd    where a JSON object or array ends

Each character is looked at a bounded number of times: text that cannot be part of a tag is
consumed at once, and only a suffix shorter than the longest tag is ever kept.
"""

import re
from collections.abc import Iterable

from attrs import frozen

__all__ = ["JsonEnd", "Scanner", "Tags", "Token"]


class Tags:
    """A set of literal tags; of two that match at one place the longer wins."""

    def __init__(self, tags: Iterable[str]) -> None:
        self.tags = frozenset(tag for tag in tags if tag)
        by_length = sorted(self.tags, key=lambda tag: (-len(tag), tag))
        self._pattern = re.compile("|".join(map(re.escape, by_length)) if by_length else r"(?!)")
        self._prefixes = frozenset(tag[:n] for tag in self.tags for n in range(1, len(tag)))
        self._reach = max((len(tag) for tag in self.tags), default=1) - 1

    def find(self, text: str, start: int) -> re.Match[str] | None:
        return self._pattern.search(text, start)

    def match(self, text: str, at: int) -> re.Match[str] | None:
        return self._pattern.match(text, at)

    def may_begin(self, text: str, at: int) -> bool:
        """Whether all of the text from `at` on is the beginning of a longer tag."""
        return len(text) - at <= self._reach and text[at:] in self._prefixes

    def held_from(self, text: str, start: int) -> int:
        """Where the earliest suffix begins that may still become a tag; the end, if there is none."""
        for at in range(max(start, len(text) - self._reach), len(text)):
            if text[at:] in self._prefixes:
                return at
        return len(text)

    @property
    def reach(self) -> int:
        """The most characters that are ever held back."""
        return self._reach


_SPACES = re.compile(r"\s*")


@frozen
class Token:
    """Text up to a tag. An empty tag: no tag is in sight, and the text was all that is certain."""

    text: str
    tag: str = ""


class Scanner:
    """The part of the output that was not consumed yet."""

    def __init__(self) -> None:
        self._text = ""
        self._at = 0
        self._closed = False

    def push(self, text: str) -> None:
        self._text = self._text[self._at :] + text
        self._at = 0

    def close(self) -> None:
        """Say that no more text will come: nothing is held back from now on."""
        self._closed = True

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def empty(self) -> bool:
        return self._at >= len(self._text)

    def take(self, tags: Tags) -> Token:
        """Consume text up to and with the next tag, or all that cannot be part of one."""
        match = tags.find(self._text, self._at)
        near_end = match is None or match.end() >= len(self._text) - tags.reach
        held = len(self._text)
        if near_end and not self._closed:
            held = tags.held_from(self._text, self._at)
        if match is not None and match.start() < held:
            token = Token(self._text[self._at : match.start()], match.group())
            self._at = match.end()
            return token
        token = Token(self._text[self._at : held])
        self._at = held
        return token

    def take_spaces(self) -> str:
        """Consume the white space that comes next."""
        return self.take_match(_SPACES)

    def take_match(self, pattern: re.Pattern[str]) -> str:
        """Consume what `pattern`, which must match the empty string too, matches next."""
        match = pattern.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return match.group()

    def take_all(self) -> str:
        """Consume everything."""
        text = self._text[self._at :]
        self._at = len(self._text)
        return text

    def take_tag(self, tags: Tags) -> bool | None:
        """Consume a tag if one comes next; None: that is not certain yet."""
        if not self._closed and tags.may_begin(self._text, self._at):
            return None
        match = tags.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return match is not None

    def take_json(self, end: "JsonEnd") -> str:
        """Consume text up to the end of the JSON value that `end` follows, or all there is."""
        stop = end.find(self._text, self._at)
        stop = len(self._text) if stop < 0 else stop
        piece = self._text[self._at : stop]
        self._at = stop
        return piece


_STRUCTURE = re.compile(r'["{}\[\]]')
_IN_STRING = re.compile(r'["\\]')


class JsonEnd:
    """Follows one JSON object or array through pieces of text, strings and escapes respected."""

    def __init__(self) -> None:
        self.depth = 0
        self.in_string = False
        self._escaped = False

    def find(self, text: str, start: int) -> int:
        """Give the index behind the value's last bracket, or -1 if it goes on behind `text`."""
        at = start
        while at < len(text):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            match = (_IN_STRING if self.in_string else _STRUCTURE).search(text, at)
            if match is None:
                return -1
            at = match.end()
            if self._step(match.group()):
                return at
        return -1

    def follow(self, text: str) -> None:
        """Follow `text` through however many values it holds."""
        at = 0
        while 0 <= at < len(text):
            at = self.find(text, at)

    def _step(self, char: str) -> bool:
        """Take one structural character; whether it ended the value."""
        if char == "\\":
            self._escaped = True
        elif char == '"':
            self.in_string = not self.in_string and self.depth > 0
        elif char in "{[":
            self.depth += 1
        elif self.depth > 0:
            self.depth -= 1
            return self.depth == 0
        return False
