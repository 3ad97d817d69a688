"""A stream: the progress of one work, from its prompt to its finish."""

import math
from collections.abc import Sequence
from typing import Literal

from actorllm.actors.runner.engine.backend import Sampler
from actorllm.actors.runner.engine.slots import Kind, Slot
from actorllm.actors.runner.engine.text import TextAssembler
from actorllm.actors.runner.engine.thoughts import Thoughts
from actorllm.actors.runner.engine.types import Delta, Finish, FinishReason, TokenLogprob, Work

__all__ = ["OUTPUT_BOUND", "Stream"]

OUTPUT_BOUND = 64 * 1024
"""Characters that were delivered and not yet drained, from which on a stream is parked."""

_WINDOWS_WITHOUT_LIMIT = 10
"""Windows that a work without `max_tokens` may fill."""


class Stream:
    """One work in progress. `tokens` is the sequence so far, `placed` how much was evaluated."""

    def __init__(self, work: Work, now: float) -> None:
        self.work = work
        self.tokens = [*work.prompt, *work.resume]
        self.placed = 0
        self.cached = 0
        self.discarded = 0
        self.slot: Slot | None = None
        self.sampler: Sampler | None = None
        self.finish: Finish | None = None
        self.backlog = 0
        self.apart = 0
        """Tokens that are evaluated, but have no cells in its slot yet."""
        self.awaited: tuple[Stream, int] | None = None
        """A prompt that is evaluated, and how many tokens of it this one waits for."""
        self.fresh = False
        """Whether there is output that should not wait: a first token, or the end."""
        cap = _WINDOWS_WITHOUT_LIMIT * work.window
        self._limit = min(work.max_tokens, cap) if work.max_tokens > 0 else cap
        self._queued_at = now
        self._began_at = now
        self._begun = False
        self.first_at = math.inf
        """When it got its first token."""
        self._guaranteed = False
        self._text = TextAssembler(work.stops)
        self.thoughts = Thoughts(work.thinking)
        self._watched = bool(work.stops) or not self.thoughts.over
        """Whether the text decides on what comes next."""
        self._pieces: list[bytes] = []
        """Of tokens whose text was not read yet: it is, at once, when somebody takes it."""
        self._new_tokens: list[int] = []
        self._new_text: list[str] = []
        self._new_logprobs: list[TokenLogprob] = []

    @property
    def generating(self) -> bool:
        return self.first_at < math.inf

    @property
    def begins(self) -> bool:
        """Whether it has a single token from this engine."""
        return self.generating and self.generated == len(self.work.resume) + 1

    @property
    def parked(self) -> bool:
        return self.backlog >= OUTPUT_BOUND

    @property
    def phase(self) -> Literal["prefill", "decode", "parked"]:
        if not self._continues:
            return "prefill"
        return "parked" if self.parked else "decode"

    @property
    def due(self) -> bool:
        """Whether its next row is a token that it generated, and somebody takes what follows."""
        return self._continues and not self.parked

    @property
    def _continues(self) -> bool:
        return self.generating and len(self.tokens) - self.placed <= 1

    @property
    def generated(self) -> int:
        return len(self.tokens) - len(self.work.prompt)

    @property
    def room(self) -> int:
        """Cells left in the window; the last one is kept free for a filler row."""
        assert self.slot is not None
        return self.work.window - 1 - len(self.slot.tokens)

    @property
    def pending(self) -> bool:
        """Whether `collect` would give anything."""
        return bool(self._new_tokens) or self.finish is not None

    @property
    def steady(self) -> bool:
        """Whether its next row, which is due, comes right behind its last one."""
        return self.finish is None and not self.parked and self.room > 0

    def begin(self, slot: Slot, cached: int, now: float, *, guaranteed: bool) -> None:
        """Note the slot, the tokens that need no evaluation, and if determinism is sure.

        A stream that was sent back to the queue begins again; what is told of its begin stays.
        """
        self.slot = slot
        self.placed = cached
        self.discarded = 0
        if not self._begun:
            self._begun = True
            self._guaranteed = guaranteed
            self.cached = min(cached, len(self.work.prompt))
            self._began_at = now

    def place(self, tokens: Sequence[int], kind: Kind) -> None:
        """Note that its next tokens have cells now, of a kind."""
        assert self.slot is not None
        self.slot.place(tokens, kind)
        self.placed += len(tokens)

    def replay(self, pieces: list[bytes], now: float) -> None:
        """Take resumed tokens, whose text was delivered already, through the assembler."""
        self._pieces += pieces
        self._read()
        self._new_text.clear()
        self._check(now)

    def left(self, *, can_cut: bool) -> int:
        """Count the tokens of a prompt that are next, in one go.

        Args:
            can_cut: Whether cells can be forgotten from the end. A state that cannot be cut is
                saved before the last token, which is evaluated again.
        """
        left = len(self.tokens) - self.placed
        return min(left - (left > 1 and not can_cut), max(self.room, 1))

    def part(self, rows: int) -> tuple[Slot, Sequence[int], bool]:
        """Give its slot, the next tokens of its prompt, and whether they are the last ones."""
        assert self.slot is not None
        tokens = self.tokens[self.placed : self.placed + rows]
        return self.slot, tokens, self.placed + rows == len(self.tokens)

    def pick(self, row: int) -> int:
        """Choose the next token from an output row, unless it is forced.

        Raises:
            EngineError: The structure leaves no token.
        """
        assert self.sampler is not None
        forced = self.thoughts.forced if self._watched else None
        if forced is None:
            return self.sampler.pick(row, len(self.tokens))
        self.sampler.force(forced)
        return forced

    def take(
        self, token: int, piece: bytes | None, logprob: TokenLogprob | None, now: float
    ) -> None:
        """Take a sampled token; `piece` is None if it ends the generation."""
        if not self.generating:
            self.first_at = now
            self.fresh = True
        self.tokens.append(token)
        if piece is None:
            self.end("stop", now)
            return
        self._new_tokens.append(token)
        self._pieces.append(piece)
        if logprob is not None:
            self._new_logprobs.append(logprob)
        if self._watched:
            self._read()
        self._check(now)

    def _read(self) -> None:
        """Make text of the tokens that have none yet."""
        pieces, self._pieces = self._pieces, []
        if self._watched:
            for piece in pieces:
                self.thoughts.take(piece)
            self._watched = bool(self.work.stops) or not self.thoughts.over
        text = self._text.feed(b"".join(pieces))
        if text:
            self._new_text.append(text)

    def _check(self, now: float) -> None:
        if self._text.stop is not None:
            self.end("stop", now)
        elif self.generated >= self._limit:
            self.end("length", now)

    def end(
        self, reason: FinishReason, now: float, *, error: str = "", window_full: bool = False
    ) -> None:
        """Finish. Held-back text comes out unless a stop sequence or the client ended it."""
        if self.finish is not None:
            return
        self._read()
        if reason in ("stop", "length") and (rest := self._text.finish()):
            self._new_text.append(rest)
        began = self._began_at if self._begun else now
        first = min(self.first_at, now)
        self.fresh = True
        self.finish = Finish(
            reason=reason,
            stop_text=self._text.stop or "",
            prompt_tokens=len(self.work.prompt),
            cached_tokens=self.cached,
            prompt_seconds=first - began,
            generated_tokens=self.generated,
            thinking_tokens=self.thoughts.count,
            thinking_ended=self.thoughts.ended,
            generation_seconds=now - first,
            queued_seconds=began - self._queued_at,
            discarded_tokens=self.discarded,
            window_full=window_full,
            deterministic=self._guaranteed,
            error=error,
        )

    def collect(self) -> Delta:
        """Give what is new since the last time."""
        self.fresh = False
        self._read()
        text = "".join(self._new_text)
        self.backlog += len(text)
        delta = Delta(
            self.work.id, tuple(self._new_tokens), text, tuple(self._new_logprobs), self.finish
        )
        self._new_tokens, self._new_text, self._new_logprobs = [], [], []
        return delta
