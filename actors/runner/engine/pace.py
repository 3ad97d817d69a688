"""How long passes take, and whose turn it is where streams and prompts take turns."""

from collections import deque

from actorllm.actors.runner.engine.batching import ChunkSizer

__all__ = ["Pace"]

_LEAST_PART = 2
"""A pass over a prompt is worth its cost from this part of the budget on."""
_OLD = 0.9
"""What is left of the old rate when a new one comes."""
_STEPS = 4


class Pace:
    """The speeds of an engine, from its passes.

    Where streams and prompts take turns, prompts share one budget of rows and time between two
    passes of streams.

    Args:
        num_batch: Most rows of a pass.
        tiles: Whether small passes are slow behind many cells.
    """

    def __init__(self, num_batch: int, *, tiles: bool) -> None:
        self.chunks = ChunkSizer(num_batch, tiles=tiles)
        self._steps: deque[float] = deque(maxlen=_STEPS)
        self.decode_rate = 0.0
        """Tokens per second of all streams."""
        self._num_batch = self._left = num_batch

    @property
    def step_seconds(self) -> float:
        """What a pass of the generating streams takes; 0 before the first.

        Of the last few it is the quickest: one that something else held up is no reason for the
        next prompts to keep everybody waiting.
        """
        return min(self._steps, default=0.0)

    @property
    def streams_turn(self) -> bool:
        """Whether prompts have used up their budget, but for what is not worth a pass."""
        return self._left * _LEAST_PART < self._num_batch

    def limit(self, *, alone: bool, turns: bool, behind: int) -> int:
        """Give the most tokens of prompts in the next pass, by what is left of their budget.

        Args:
            alone: Whether no stream waits for the pass.
            turns: Whether the streams' pass is another one.
            behind: Cells that are there of the longest prompt.
        """
        most = self.chunks.limit(
            alone=alone, step_seconds=self.step_seconds, then_step=turns, behind=behind
        )
        return most if alone else max(1, most * self._left // self._num_batch)

    def stepped(self, seconds: float, generating: int) -> None:
        """Learn from a pass of so many generating streams; after it, it is the prompts' turn."""
        self.renew()
        if seconds > 0:
            self._steps.append(seconds)
            rate = generating / seconds
            old = self.decode_rate
            self.decode_rate = _OLD * old + (1 - _OLD) * rate if old else rate

    def renew(self) -> None:
        """Give prompts their whole budget again: streams had a pass."""
        self._left = self._num_batch

    @property
    def renewed(self) -> bool:
        """Whether streams had a pass, and prompts none after it."""
        return self._left == self._num_batch

    def read(self, rows: int, seconds: float) -> None:
        """Learn from a pass over rows of prompts."""
        self.chunks.measured(rows, seconds)
        self.spend(seconds, rows)

    def spend(self, seconds: float, rows: int = 1) -> None:
        """Take what prompts have used up of their budget from it."""
        share = seconds / ChunkSizer.SHARED_SECONDS
        self._left -= max(rows, int(self._num_batch * share))
