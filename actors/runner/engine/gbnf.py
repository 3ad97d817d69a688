r"""GBNF, the grammars of llama.cpp: rules of characters, choices and repetitions.

    root   ::= "yes" | "no" rest?     # a comment
    rest   ::= ("," [^,\n]{1,9})+

Escapes are `\n \r \t`, `\xHH`, `\uHHHH` and `\UHHHHHHHH`; any other mark behind a backslash stands
for itself. A rule goes on in the next line behind `|`, before it, and within parentheses.
"""

import re

from attrs import frozen

from actorllm.actors.runner.engine.types import EngineError

__all__ = ["Chars", "Choice", "Node", "Ref", "Repeat", "Series", "Text", "read"]

_LAST = 0x10FFFF
_MOST_RULES = 1000
_DEEPEST = 50
_MOST_TIMES = 2000
_SPACES = re.compile(r"(?:[ \t]+|#[^\r\n]*)*+")
_LINES = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)*+")
_OR = re.compile(rf"{_LINES.pattern}\|{_LINES.pattern}")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TIMES = re.compile(r"\{[ \t]*([0-9]{1,9})[ \t]*(?:(,)[ \t]*([0-9]{1,9})?[ \t]*)?\}")
_ESCAPE = re.compile(
    r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([^A-Za-z0-9]|[nrt]))"
)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t"}
_MARKS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


@frozen
class Chars:
    """One character out of ranges, both ends included."""

    ranges: tuple[tuple[int, int], ...]


@frozen
class Text:
    """A text as it stands."""

    text: str


@frozen
class Ref:
    """Another rule."""

    name: str


@frozen
class Series:
    """One after the other."""

    parts: tuple["Node", ...]


@frozen
class Choice:
    """One of several."""

    options: tuple["Node", ...]


@frozen
class Repeat:
    """Several times the same; `most` of None: without end."""

    part: "Node"
    least: int
    most: int | None


Node = Chars | Text | Ref | Series | Choice | Repeat


def read(text: str) -> dict[str, Node]:
    """Read the rules of a grammar, by name.

    Raises:
        EngineError: It is malformed, too large, or has no rule `root`.
    """
    return _Reader(text).rules()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def rules(self) -> dict[str, Node]:
        rules: dict[str, Node] = {}
        self._skip(_LINES)
        while self._at < len(self._text):
            name = self._name()
            self._skip(_SPACES)
            self._take("::=")
            self._skip(_LINES)
            if name in rules:
                raise EngineError(f"rule '{name[:40]}' is defined twice")
            rules[name] = self._choice(0)
            if self._at < len(self._text) and self._text[self._at] not in "\r\n":
                raise self._error("expected the end of the line")
            self._skip(_LINES)
            if len(rules) > _MOST_RULES:
                raise EngineError(f"more than {_MOST_RULES} rules")
        if "root" not in rules:
            raise EngineError("there is no rule 'root'")
        return rules

    def _choice(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise EngineError(f"parentheses nest deeper than {_DEEPEST}")
        space = _LINES if depth else _SPACES
        options = [self._series(depth, space)]
        while found := _OR.match(self._text, self._at):
            self._at = found.end()
            options.append(self._series(depth, space))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _series(self, depth: int, space: re.Pattern[str]) -> Node:
        parts: list[Node] = []
        while (mark := self._next()) and mark not in "|)\r\n":
            part = self._part(mark, depth)
            self._skip(space)
            for _ in range(_DEEPEST):
                if (times := self._times()) is None:
                    break
                part = Repeat(part, *times)
                self._skip(space)
            parts.append(part)
        return parts[0] if len(parts) == 1 else Series(tuple(parts))

    def _part(self, mark: str, depth: int) -> Node:
        if mark == '"':
            return self._quoted()
        if mark == "[":
            return self._class()
        if mark == ".":
            self._at += 1
            return Chars(((0, _LAST),))
        if mark == "(":
            self._at += 1
            self._skip(_LINES)
            inner = self._choice(depth + 1)
            self._take(")")
            return inner
        return Ref(self._name())

    def _times(self) -> tuple[int, int | None] | None:
        mark = self._next()
        if mark in _MARKS:
            self._at += 1
            return _MARKS[mark]
        if mark != "{":
            return None
        found = _TIMES.match(self._text, self._at)
        if found is None:
            raise self._error("expected {n}, {n,} or {n,m}")
        least = int(found[1])
        most = int(found[3]) if found[3] else None if found[2] else least
        if max(least, most or 0) > _MOST_TIMES or (most is not None and most < least):
            raise self._error(f"a repetition is of at most {_MOST_TIMES} times, and not backwards")
        self._at = found.end()
        return least, most

    def _quoted(self) -> Node:
        self._at += 1
        text: list[str] = []
        while self._next() != '"':
            text.append(self._character())
        self._at += 1
        return Text("".join(text))

    def _class(self) -> Node:
        self._at += 1
        negated = self._next() == "^"
        self._at += negated
        ranges: list[tuple[int, int]] = []
        while self._next() != "]":
            low = high = ord(self._character())
            if self._next() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                high = ord(self._character())
            if high < low:
                raise self._error("a range is backwards")
            ranges.append((low, high))
        self._at += 1
        found = _merged(ranges)
        if negated:
            found = _others(found)
        if not found:
            raise self._error("a class has no character")
        return Chars(found)

    def _character(self) -> str:
        found = self._next()
        if not found:
            raise self._error("unexpected end")
        if found != "\\":
            self._at += 1
            return found
        escape = _ESCAPE.match(self._text, self._at)
        if escape is None:
            raise self._error("unknown escape")
        self._at = escape.end()
        if escape[4]:
            return _PLAIN.get(escape[4], escape[4])
        number = int(escape[1] or escape[2] or escape[3], 16)
        if number > _LAST or 0xD800 <= number <= 0xDFFF:
            raise self._error("no character has this number")
        return chr(number)

    def _name(self) -> str:
        found = _NAME.match(self._text, self._at)
        if found is None:
            raise self._error("expected a name")
        self._at = found.end()
        return found[0]

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, mark: str) -> None:
        if not self._text.startswith(mark, self._at):
            raise self._error(f"expected '{mark}'")
        self._at += len(mark)

    def _skip(self, space: re.Pattern[str]) -> None:
        found = space.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _error(self, what: str) -> EngineError:
        before = self._text[: self._at]
        line, column = before.count("\n") + 1, self._at - before.rfind("\n")
        return EngineError(f"{what} in line {line}, column {column}")


def _merged(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    made: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if made and low <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(high, made[-1][1]))
        else:
            made.append((low, high))
    return tuple(made)


def _others(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    made, begin = [], 0
    for low, high in ranges:
        if low > begin:
            made.append((begin, low - 1))
        begin = high + 1
    return (*made, (begin, _LAST)) if begin <= _LAST else tuple(made)
