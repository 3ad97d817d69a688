"""Answers that are words, then calls behind a mark."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from attrs import frozen

from actorllm.actors.runner.forms.declared import Parameters
from actorllm.actors.runner.forms.grammar import SPACES, Grammar
from actorllm.actors.runner.forms.pieces import Rest, Writes

__all__ = ["Bare", "Form", "Marked", "Shape"]


@frozen
class Shape:
    """What an answer may be made of."""

    words: bool
    calls: bool
    many: bool = True
    """Whether there may be several calls."""


class Form(Protocol):
    """How a family writes an answer."""

    thinks: ClassVar[bool]
    """Whether the form has thoughts in it. If not, they come before it, between tags."""

    def write(self, g: Grammar, tools: Sequence[Parameters], shape: Shape) -> str:
        """Give what stands in the rule of the whole answer."""


@frozen
class Marked:
    """Words, and calls that begin with a mark.

    Words may stand between marks of their own, which the prompt has opened or the model writes.
    """

    thinks: ClassVar[bool] = False

    open: str
    rest: Rest
    wraps: tuple[tuple[str, str], ...] = ()
    """Marks around words."""
    tail: tuple[str, ...] = ()
    """Marks that may end an answer with calls."""
    empty_words: bool = False
    """Whether words between marks, though there are none, may come before calls that are due."""

    def write(self, g: Grammar, tools: Sequence[Parameters], shape: Shape) -> str:
        """Give what stands in the rule of the whole answer."""
        if not shape.calls:
            return self._words(g)
        tail = " ".join(f"({g.mark(mark)})?" for mark in self.tail)
        rest = g.rule(f"{self.rest(g, tools, shape.many)} {tail}")
        calls = f"{g.mark(self.open)} {rest}"
        if not shape.words:
            empty = [f"{g.mark(a)} {g.mark(b)}" for a, b in self.wraps if self.empty_words]
            begun = f"({g.either(empty)} {SPACES})?" if empty else SPACES
            return f"{begun} {calls}"
        ways = [f"({self._words(g)})?"]
        ways.append(calls if g.answer is not None else f"{g.to_mark(self.open)} {rest}")
        if self.wraps:
            ways.append(f"{self._wrapped(g)} {SPACES} {calls}")
        return g.either(ways)

    def _words(self, g: Grammar) -> str:
        plain = g.no_mark(self.open) if g.answer is None else g.json(g.answer)
        return g.either([plain, self._wrapped(g)]) if self.wraps else plain

    def _wrapped(self, g: Grammar) -> str:
        if g.answer is None:
            return g.either([f"{g.mark(a)} {g.to_mark(b)}" for a, b in self.wraps])
        held = f"{SPACES} {g.json(g.answer)} {SPACES}"
        return g.either([f"{g.mark(a)} {held} {g.mark(b)}" for a, b in self.wraps])


@frozen
class Bare:
    """Calls that are JSON objects from the first character on, or else words."""

    thinks: ClassVar[bool] = False

    writes: Writes
    bracket: str = "{"

    def write(self, g: Grammar, tools: Sequence[Parameters], shape: Shape) -> str:
        """Give what stands in the rule of the whole answer."""
        one = g.either([self.writes(g, tool) for tool in tools])
        between = r"/[; ,\n]{1,4}/"
        row = f"{one} ({between} {one})*" if shape.many else one
        if self.bracket == "[":
            row = f'"[" {SPACES} {one}{f""" ("," {SPACES} {one})*""" if shape.many else ""} "]"'
        # No brackets as the first thing said: they begin calls.
        words = r"/[^{\[\s](?s:.*)/" if g.answer is None else g.json(g.answer)
        if not shape.calls:
            return words
        return g.either([f"({words})?", row]) if shape.words else row
