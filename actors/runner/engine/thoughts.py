"""Where the thoughts of an answer begin and end, how many tokens they are, and when they must end.

    before ----> inside ----> after
       |      (opening tag,     ^
       |       or opened in     |
       |       the prompt)      |
       +---- other words -------+

A budget that is spent ends them: the tokens of the closing tag are forced, one after the other.
It is a function of the tokens alone, so a stream that another engine resumes ends them alike.
"""

from collections import deque
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
        self._thinking = thinking or Thinking()
        self._opening = self._thinking.opening.encode()
        self._closings = tuple(tag.encode() for tag in self._thinking.closings if tag)
        self._longest = max(map(len, self._closings), default=0)
        self._seen = b""
        """What matters of the text: of the opening tag so far, of the thoughts' end."""
        self._inside = 0
        """Tokens since the opening tag."""
        self._sizes: deque[int] = deque(maxlen=max(1, self._longest))
        """Bytes of the last of them."""
        self._forced = 0
        """Tokens of the ending that were forced."""
        self._said = False
        """Whether there was more than white space."""
        self._state: Literal["before", "inside", "after"] = (
            "after" if not self._closings else "before" if self._opening else "inside"
        )

    @property
    def count(self) -> int:
        """Tokens of thoughts so far, without their tags; 0 if they are blank."""
        return self._inside if self._said else 0

    @property
    def over(self) -> bool:
        """Whether no token to come can be one, or can end them."""
        return self._state == "after"

    @property
    def ended(self) -> bool:
        """Whether the budget ended them."""
        return self._forced > 0

    @property
    def forced(self) -> int | None:
        """The token that must come next; None: the model chooses."""
        return self._thinking.ending[self._forced] if self._spent else None

    @property
    def _spent(self) -> bool:
        budget = self._thinking.budget
        if self._state != "inside" or budget is None:
            return False
        return self._inside - self._forced >= budget and bool(self._thinking.ending)

    def take(self, piece: bytes) -> None:
        """Note the text of the next token."""
        if self._state == "before":
            self._open(piece)
        elif self._state == "inside":
            self._forced += self._spent
            self._inside += 1
            self._sizes.append(len(piece))
            self._look(piece)

    def _open(self, piece: bytes) -> None:
        """Look for the opening tag at the beginning; other words end the search."""
        self._seen += piece
        text = self._seen.lstrip()
        if text.startswith(self._opening):
            rest = text[len(self._opening) :]
            self._state, self._seen, self._inside = "inside", b"", int(bool(rest))
            self._look(rest)
        elif not self._opening.startswith(text) or len(self._seen) - len(text) > _LONGEST_LEAD:
            self._state = "after"

    def _look(self, piece: bytes) -> None:
        """Look for a closing tag in the thoughts, of which `piece` is new."""
        self._seen += piece
        found = [at for tag in self._closings if (at := self._seen.find(tag)) >= 0]
        end = min(found) if found else len(self._seen) - self._begun_closing()
        self._said = self._said or bool(self._seen[:end].strip())
        if found:
            self._end(len(self._seen) - end)
        elif self._forced and self._forced == len(self._thinking.ending):
            self._state = "after"  # the tokens have another text than the tag, but it was said
            self._inside -= self._forced
        self._seen = self._seen[-self._longest :]

    def _begun_closing(self) -> int:
        """Count the bytes at the end with which a closing tag begins."""
        sizes = range(min(self._longest, len(self._seen)), 0, -1)
        ends = (n for n in sizes if any(tag.startswith(self._seen[-n:]) for tag in self._closings))
        return next(ends, 0)

    def _end(self, tag: int) -> None:
        """End the thoughts; the tokens of the tag's bytes are none of them."""
        self._state = "after"
        while self._sizes and tag >= self._sizes[-1]:
            tag -= self._sizes.pop()
            self._inside -= 1
