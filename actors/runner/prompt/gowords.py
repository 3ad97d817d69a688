"""What our parser of Go templates complains of, in the words in which Go does."""

import re

__all__ = ["in_gos_words"]

_POSITION = re.compile(r"^template:(\d+):(\d+): ")
_OPENED_BY = re.compile(r"\{\{-?\s*(\w+)[^{}]*\Z")
_CLAUSES = {"block": "block clause", "template": "template clause", "define": "define clause"}
_WORDS = tuple(
    (re.compile(ours), gos)
    for ours, gos in (
        (r"unexpected (end|else|break|continue)", r"unexpected {{\1}}"),
        (r"(break|continue) outside range", r"{{\1}} outside {{range}}"),
        (r"function '(.*)' not defined", r'function "\1" not defined'),
        (r"undefined variable '(.*)'", r'undefined variable "\1"'),
        (r"bad number syntax: '(.*)'", r'illegal number syntax: "\1"'),
        (r"invalid quoted literal", "invalid syntax"),
        (r"too many declarations in command", "too many declarations in range"),
        (r"unexpected pipe", 'unexpected "|" in command'),
        (r"unexpected '([#/])'", r'unexpected "\1" in command'),
    )
)


def in_gos_words(error: str, source: str) -> str:
    """Translate a complaint of the parser, with its place in the source, as far as it is known."""
    place = _POSITION.match(error)
    if place is None:
        return f"template: {error}"
    line, column = int(place[1]), int(place[2])
    before = "\n".join([*source.split("\n")[: line - 1], ""]) if line > 1 else ""
    opened = _OPENED_BY.search(before + source.split("\n")[line - 1][: column - 1])
    return f"template: :{line}: {_complaint(error[place.end() :], opened[1] if opened else '')}"


def _complaint(ours: str, keyword: str) -> str:
    if ours == "missing value for command" and keyword in {"if", "range", "with", *_CLAUSES}:
        return f"missing value for {_CLAUSES.get(keyword, keyword)}"
    if ours == "expected quoted template name" and keyword in _CLAUSES:
        return f'unexpected "}}}}" in {_CLAUSES[keyword]}'
    for pattern, gos in _WORDS:
        if pattern.fullmatch(ours):
            return pattern.sub(gos, ours)
    return ours
