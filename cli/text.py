"""Text on its way to a terminal: made harmless, measured, wrapped.

Names, errors and above all the output of a model are not ours: an escape sequence in them could
retitle, clear or reprogram the terminal, so control characters never reach one.
"""

import unicodedata
from typing import TextIO

__all__ = ["Wrapper", "one_line", "printable", "safe", "width"]

_KEEP = "\n\t"
_ZERO_WIDTH = ("Mn", "Me", "Cf")
_ERASE_WORD = "\x1b[{0}D\x1b[K"


def printable(text: str) -> str:
    """Drop control characters other than newline and tab."""
    if text.isprintable():
        return text
    return "".join(c for c in text if c in _KEEP or unicodedata.category(c) not in ("Cc", "Cs"))


def safe(text: str, stream: TextIO) -> str:
    """Return what may be written to a stream: a terminal gets printable text, a pipe everything."""
    return printable(text) if stream.isatty() else text


def one_line(text: str, limit: int = 2000) -> str:
    """Join lines by spaces, drop control characters and cut what is longer than `limit`."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def width(text: str) -> int:
    """Return the number of terminal cells that a line of text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    if unicodedata.category(char) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


class Wrapper:
    """Wraps a stream at words, while it comes.

    A word is shown as soon as its first letter is there; when it turns out not to fit, it is
    erased from the end of the line and begun again on the next one.
    """

    def __init__(self, columns: int) -> None:
        # A cursor behind a full line is in no definite column, so the last one stays empty.
        self._columns = max(columns - 1, 2)
        self._column = 0
        self._word = ""

    def feed(self, text: str) -> str:
        """Return what to write to the terminal for the next piece of text."""
        return "".join(map(self._char, text))

    def _char(self, char: str) -> str:
        if char == "\n":
            self._column, self._word = 0, ""
            return char
        cells = 4 if char == "\t" else _cells(char)
        if char.isspace():
            self._word = ""
            if self._column + cells > self._columns:
                self._column = 0
                return "\n"
            self._column += cells
            return " " * cells
        broken = ""
        if self._column + cells > self._columns:
            broken = self._break(cells)
        self._column += cells
        if cells == 2:  # scripts without spaces may be broken anywhere
            self._word = ""
        elif cells or self._word:
            self._word += char
        return broken + char

    def _break(self, cells: int) -> str:
        taken = width(self._word)
        if not self._word or taken >= self._column or taken + cells > self._columns:
            # Nothing to carry, or a word that no line can hold.
            self._column, self._word = 0, ""
            return "\n"
        self._column = taken
        return f"{_ERASE_WORD.format(taken)}\n{self._word}"
