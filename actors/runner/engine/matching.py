"""Which tokens may come next, so that an answer keeps to its structure.

A model may think before it answers. Its thoughts are free; the structure holds behind them:

    choice ----> opening ----> thoughts ----> gap ----> held
       |        (the tag that   (until the   (white
       |         opens them)     closing tag) space)
       +---------------------------------------------> held

A prompt that leaves thoughts open starts in `thoughts`, one without any in `held`. In `choice` the
model may begin the opening tag or the structure itself; so thoughts and answer come in one pass,
and a model that does not think is held from its first token.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from actorllm.actors.runner.engine.types import EngineError, Structure
from actorllm.actors.runner.engine.vocab import Vocab

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from actorllm.actors.runner.engine.compiler import Compiler

__all__ = ["Matcher", "Matchers"]

_KEPT = 32
"""Compiled structures that are kept, those used last."""
_CALL = b"<|call|>"
"""Ends what gpt-oss says with a call of a tool, which takes the place of the structure. No other
answer ends before it has come to its structure."""
_LONGEST_GAP = 16
"""Bytes of white space between thoughts and structure."""


class Matchers:
    """The compiled structures of one vocabulary. Any thread may use it."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        self._compiler: Compiler | None = None
        self._building = threading.Lock()
        self._compiled: OrderedDict[tuple[str, str, tuple[str, ...]], LLMatcher] = OrderedDict()
        self._listing = threading.Lock()  # never held while something is compiled

    def compile(self, structure: Structure) -> "LLMatcher":
        """Compile a structure, unless it was.

        The first call reads the vocabulary, which takes a second if it is large, and a large
        schema takes long: so call it in a thread of its own before the work is submitted.

        Raises:
            EngineError: The structure cannot be kept to.
        """
        key = (structure.kind, structure.text, structure.marks)
        with self._listing:
            made = self._compiled.get(key)
            if made is not None:
                self._compiled.move_to_end(key)
                return made
        made = self._ready().compile(structure)
        with self._listing:
            self._compiled[key] = made
            while len(self._compiled) > _KEPT:
                self._compiled.popitem(last=False)
        return made

    def begin(self, structure: Structure) -> "Matcher":
        """Give the matcher of one answer.

        Raises:
            EngineError: The structure cannot be kept to.
        """
        return Matcher(structure, self.compile(structure).deep_copy(), self._vocab)

    def _ready(self) -> "Compiler":
        # Imported with the first structure: the first token of a model does without grammars.
        from actorllm.actors.runner.engine.compiler import Compiler

        with self._building:
            if self._compiler is None:
                self._compiler = Compiler(self._vocab)
            return self._compiler


class Matcher:
    """Where one answer stands. Every token that is generated must be allowed, and then taken."""

    def __init__(self, structure: Structure, held: "LLMatcher", vocab: Vocab) -> None:
        self._held = held
        self._vocab = vocab
        self._opening = structure.opening.encode()
        self._closings = tuple(tag.encode() for tag in structure.closings if tag)
        self._longest = max(map(len, self._closings), default=0)
        self._seen = b""
        """What matters of the text: of the opening tag so far, of the thoughts' end, the gap."""
        self._stage: Literal["choice", "opening", "thoughts", "gap", "held"] = (
            "held" if not self._closings else "choice" if self._opening else "thoughts"
        )

    def allows(self, token: int) -> bool:
        """Tell whether a token may come next."""
        if self._stage == "held":
            return self._fits(token)
        if self._vocab.ends(token):
            return self._stage == "thoughts" and self._vocab.piece(token) == _CALL
        seen = self._seen + self._vocab.piece(token)
        if self._stage == "thoughts":
            closed = self._closed(seen)
            return closed is None or _is_gap(closed)
        if self._stage == "gap":
            return _is_gap(seen) or self._fits(token)
        opens = self._opening.startswith(seen) or seen.startswith(self._opening)
        return opens or (self._stage == "choice" and self._fits(token))

    def allowed(self) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Mark tokens that may come next: in free text the way on to its end, else all of them.

        It is asked for after a token was not allowed, which is rare in free text.

        Raises:
            EngineError: No token may come next, or finding out would take too long.
        """
        if self._stage in ("opening", "thoughts"):
            marks = np.zeros(self._vocab.size, np.bool_)
        else:
            bits = np.frombuffer(self._held.compute_bitmask(), np.uint8)
            marks = np.unpackbits(bits, count=self._vocab.size, bitorder="little").view(np.bool_)
            self._check()
        if self._stage == "thoughts":
            marks[self._first_of(self._rest_of_closing())] = True
        elif self._stage in ("choice", "opening"):
            marks[self._first_of(self._opening[len(self._seen) :])] = True
        if not marks.any():
            raise EngineError("the structure leaves no token to choose from")
        return marks

    def take(self, token: int) -> None:
        """Note the next token, which was allowed."""
        if self._vocab.ends(token):
            return
        if self._stage != "held":
            seen = self._seen + self._vocab.piece(token)
            if self._took_free(seen):
                return
            self._stage, self._seen = "held", b""
        self._held.consume_token(token)
        self._check()

    def replay(self, tokens: Sequence[int]) -> None:
        """Take the tokens of an answer that is resumed.

        Raises:
            EngineError: They do not keep to the structure.
        """
        for token in tokens:
            if not self.allows(token):
                raise EngineError("the tokens to be resumed do not keep to the structure")
            self.take(token)

    def _took_free(self, seen: bytes) -> bool:
        """Take text outside of the structure; false if it belongs to the structure."""
        if self._stage in ("choice", "opening"):
            if not seen.startswith(self._opening):
                opens = self._opening.startswith(seen)
                self._stage, self._seen = "opening", seen
                return opens
            self._stage, seen = "thoughts", seen[len(self._opening) :]
        if self._stage == "thoughts":
            closed = self._closed(seen)
            if closed is None:
                self._seen = seen[-self._longest :]
            else:
                self._stage, self._seen = "gap", closed
            return True
        self._seen = seen
        return _is_gap(seen)

    def _closed(self, seen: bytes) -> bytes | None:
        """Give what follows the closing tag; None if there is none."""
        ends = [seen.find(tag) + len(tag) for tag in self._closings if tag in seen]
        return seen[min(ends) :] if ends else None

    def _rest_of_closing(self) -> bytes:
        tag = self._closings[0]
        begun = next(n for n in range(len(tag) - 1, -1, -1) if self._seen.endswith(tag[:n]))
        return tag[begun:]

    def _first_of(self, text: bytes) -> int:
        """Give the token with which a tag, or the rest of one, begins."""
        tag = text.decode("utf-8", "replace")
        return self._vocab.tokenize(tag, add_special=False, parse_special=True)[0]

    def _fits(self, token: int) -> bool:
        if self._vocab.ends(token):
            return self._held.is_accepting()
        return self._held.validate_tokens([token]) == 1

    def _check(self) -> None:
        if self._held.is_error():
            from actorllm.actors.runner.engine.grammar import one_line

            raise EngineError(one_line(self._held.get_error()))


def _is_gap(text: bytes) -> bool:
    return len(text) <= _LONGEST_GAP and not text.strip()
