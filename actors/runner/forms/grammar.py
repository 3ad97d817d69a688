"""Rules of a grammar in llguidance's notation (a dialect of Lark) while they are put together.

Marks of a format may be special tokens of a vocabulary or plain text. Which they are is known only
where the vocabulary is, so a rule names its marks, and `engine.grammar` spells them:

    mark_0       the mark itself
    to_mark_0    any text that does not have it, and the mark
    no_mark_0    one or more characters of such text, without the mark
"""

import json
from collections.abc import Callable
from typing import Any

from actorllm.actors.runner.engine.grammar import json_rule
from actorllm.actors.runner.engine.types import Structure

__all__ = ["SPACES", "Grammar"]

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

    def structure(self, start: str) -> Structure:
        """Put the grammar of an answer together."""
        rules = [f"{name}: {body}\n" for body, name in self._rules.items()]
        text = "".join([f"start: {start}\n", *rules, *self._bodies])
        return Structure("lark", text, marks=tuple(self._marks))

    def _number(self, mark: str) -> int:
        if mark not in self._marks:
            self._marks.append(mark)
        return self._marks.index(mark)
