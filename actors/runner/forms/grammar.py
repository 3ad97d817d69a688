"""Rules of a grammar in llguidance's notation (a dialect of Lark) while they are put together.

Marks of a format may be special tokens of a vocabulary or plain text. Which they are is known only
where the vocabulary is, so a rule names its marks, and `engine.grammar` spells them:

    mark_0       the mark itself
    to_mark_0    any text that does not have it, and the mark
    no_mark_0    one or more characters of such text, without the mark
    FREE_0       such text, for terminals
    LAST_0       as much of the mark as a terminal can end with
    rest_0       the rest of it
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from actorllm.actors.runner.engine.grammar import json_rule
from actorllm.actors.runner.engine.types import Structure

__all__ = ["KEY", "SPACES", "Grammar"]

_DEEPEST = 8
"""Levels of an argument that are held to their schemas."""
_MOST_VALUES = 500
"""Values of arguments, in all, that are held to their schemas."""

KEY = r"/[A-Za-z_][A-Za-z0-9_]{0,63}/"
"""A name that is not declared."""

SPACES = r"/[ \t\n]{1,8}/?"
"""White space that models like to put between the parts of a call."""


class Grammar:
    """Collects rules. Equal rules get one name.

    Args:
        answer: A JSON Schema to which words beside calls must keep; None: they are free.
    """

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self._rules: dict[str, str] = {}
        self._recursive: dict[Any, str] = {}
        self._bodies: list[str] = []
        self._marks: list[str] = []
        self._terminals: dict[str, str] = {}
        self._values = 0
        self._left_out: dict[str, list[str]] = {}

    def rule(self, body: str) -> str:
        """Add a rule; give its name."""
        return self._rules.setdefault(body, f"r{len(self._rules)}")

    def either(self, bodies: list[str]) -> str:
        """Add a rule of alternatives; give its name."""
        return self.rule("\n | ".join(bodies))

    def recursive(self, key: object, body: Callable[[str], str]) -> str:
        """Add a rule that uses itself; `body` makes it from the name. One for each `key`."""
        made = self._recursive.get(key)
        if made is None:
            made = self._recursive[key] = f"n{len(self._recursive)}"
            self._bodies.append(f"{made}: {body(made)}\n")
        return made

    def json(self, schema: Any) -> str:
        """Add the rule of a JSON value; give its name."""
        return self.rule(json_rule(schema))

    def text(self, text: str) -> str:
        """Give plain text as it stands in a rule."""
        return json.dumps(text, ensure_ascii=False)

    def mark(self, text: str) -> str:
        """Give the name of a mark's rule."""
        return f"mark_{self._number(text)}"

    def to_mark(self, text: str) -> str:
        """Give the name of the rule of any text up to a mark, the mark included."""
        return f"to_mark_{self._number(text)}"

    def no_mark(self, text: str) -> str:
        """Give the name of the rule of text without a mark."""
        return f"no_mark_{self._number(text)}"

    def held(self, limits: Sequence[str], mark: str = "") -> str:
        """Give the name of the terminal of text that keeps to all limits and has no mark."""
        free = [f"FREE_{self._number(mark)}"] if mark else []
        return self._terminal(f"({' & '.join([*limits, *free])})")

    def before(self, text: str, mark: str) -> str:
        """Give the name of the rule of a terminal and the mark behind it.

        Text and mark are one terminal as far as they can: one alone would take the mark's
        beginning for more of the text.
        """
        number = self._number(mark)
        return self.rule(f"{self._terminal(f'{text} LAST_{number}')} rest_{number}")

    def may_nest(self, depth: int) -> bool:
        """Tell whether one more value may be written by its schema, so deep in an argument.

        References may lead anywhere, also back: a grammar of all that they say can be endless.
        """
        self._values += 1
        return depth <= _DEEPEST and self._values <= _MOST_VALUES

    def leave_out(self, tool: str, key: str, keyword: str) -> None:
        """Note a keyword of a schema to which the grammar does not hold."""
        said = f"{keyword} of {key[:80]!r}" if key else keyword
        found = self._left_out.setdefault(tool, [])
        if said not in found:
            found.append(said)

    @property
    def left_out(self) -> Mapping[str, Sequence[str]]:
        """What is not held, by tool."""
        return self._left_out

    def structure(self, start: str) -> Structure:
        """Put the grammar of an answer together."""
        rules = [f"{name}: {body}\n" for body, name in self._rules.items()]
        rules += [f"{name}: {body}\n" for body, name in self._terminals.items()]
        text = "".join([f"start: {start}\n", *rules, *self._bodies])
        return Structure("lark", text, marks=tuple(self._marks))

    def _terminal(self, body: str) -> str:
        return self._terminals.setdefault(body, f"T{len(self._terminals)}")

    def _number(self, mark: str) -> int:
        if mark not in self._marks:
            self._marks.append(mark)
        return self._marks.index(mark)
