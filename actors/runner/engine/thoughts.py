"""Where the thoughts of an answer begin and end, how many tokens they are, and when they must end.

    before ----> inside ----> after
       |      (opening tag,     ^
       |       or opened in     |
       |       the prompt)      |
       +---- other words -------+

A budget that is spent ends them: the tokens of the closing tag are forced, one after the other.
It is a function of the tokens alone, so a stream that another engine resumes ends them alike.
"""

from typing import Literal

from actorllm.actors.runner.engine.types import Thinking

__all__ = ["Thoughts"]

_LONGEST_LEAD = 16
"""Bytes of white space before the opening tag."""


class Thoughts:
    """Follows the thoughts of one answer.

    Args:
        thinking: The tags and the budget; None: there are no thoughts.
    """

    def __init__(self, thinking: Thinking | None) -> None:
        self.count = 0
        """Tokens of thoughts so far, those of the tags included."""
        self._thinking = thinking or Thinking()
        self._closings = tuple(tag.encode() for tag in self._thinking.closings if tag)
        self._longest = max(map(len, self._closings), default=0)
        self._opening = self._thinking.opening.encode()
        self._seen = b""
        self._forced = 0
        """Tokens of the ending that were forced."""
        self._state: Literal["before", "inside", "after"] = (
            "after" if not self._closings else "before" if self._opening else "inside"
        )

    @property
    def forced(self) -> int | None:
        """The token that must come next; None: the model chooses."""
        return self._thinking.ending[self._forced] if self._spent else None

    @property
    def _spent(self) -> bool:
        budget, ending = self._thinking.budget, self._thinking.ending
        if self._state != "inside" or budget is None or self._forced >= len(ending):
            return False
        return self.count - self._forced >= budget

    def take(self, piece: bytes) -> None:
        """Note the text of the next token."""
        if self._state == "after":
            return
        self._forced += self._spent
        self.count += 1
        self._seen += piece
        if self._state == "before" and not self._opened():
            return
        if any(tag in self._seen for tag in self._closings):
            self._state = "after"
        elif self._forced and self._forced == len(self._thinking.ending):
            self._state = "after"  # the tag has another text than its tokens: it was said
        self._seen = self._seen[-self._longest :]

    def _opened(self) -> bool:
        """Tell whether the opening tag is complete; what is none ends the search."""
        text = self._seen.lstrip()
        if text.startswith(self._opening):
            self._state, self._seen = "inside", text[len(self._opening) :]
            return True
        lead = len(self._seen) - len(text)
        if not self._opening.startswith(text) or lead > _LONGEST_LEAD:
            self._state, self.count = "after", 0
        return False
