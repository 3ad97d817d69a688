"""How long passes take, and whose turn it is where streams and prompts take turns."""

from actorllm.actors.runner.engine.batching import ChunkSizer

__all__ = ["Pace"]

_OLD = 0.9
"""What is left of the old rate when a new one comes."""


class Pace:
    """The speeds of an engine, from its passes.

    Prompts share one budget of rows and time between two passes of streams.

    Args:
        num_batch: Most rows of a pass.
        tiles: Whether small passes are slow behind many cells.
    """

    def __init__(self, num_batch: int, *, tiles: bool) -> None:
        self.chunks = ChunkSizer(num_batch, tiles=tiles)
        self.step_seconds = 0.0
        """Of the last pass of generating streams."""
        self.decode_rate = 0.0
        """Tokens per second of all streams."""
        self._num_batch = self._left = num_batch

    @property
    def streams_turn(self) -> bool:
        """Whether prompts have used up their budget."""
        return self._left <= 0

    def stepped(self, seconds: float, generating: int) -> None:
        """Learn from a pass of so many generating streams; prompts have their whole budget again."""
        self._left = self._num_batch
        if seconds > 0:
            self.step_seconds = seconds
            rate = generating / seconds
            old = self.decode_rate
            self.decode_rate = _OLD * old + (1 - _OLD) * rate if old else rate

    def read(self, rows: int, seconds: float) -> None:
        """Learn from a pass over rows of prompts."""
        self.chunks.measured(rows, seconds)
        share = seconds / ChunkSizer.SHARED_SECONDS
        self._left -= max(rows, int(self._num_batch * share))
