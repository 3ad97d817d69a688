"""What the stepper needs of llama.cpp: implemented by `context` and, without a model, by `fake`."""

from collections.abc import Sequence
from typing import Protocol

from actorllm.actors.runner.engine.batching import Order, Pass
from actorllm.actors.runner.engine.store import State
from actorllm.actors.runner.engine.types import TokenLogprob, Work

__all__ = ["Backend", "Sampler"]


class Sampler(Protocol):
    """Chooses the tokens of one stream."""

    def pick(self, row: int, position: int) -> int:
        """Choose a token from the logits of an output row of the last pass.

        Args:
            row: Index of the row in the pass.
            position: Of the token to be chosen, counted from the begin of the prompt.
        """

    def force(self, token: int) -> None:
        """Note a token that was not chosen, but had to come."""

    def logprob(self, row: int, token: int) -> TokenLogprob:
        """Report a chosen token's probability and its rivals'."""

    def close(self) -> None:
        """Free what it holds."""


class Backend(Protocol):
    """What evaluates rows and keeps the cells of the slots."""

    can_cut: bool
    """Whether cells can be forgotten from the end of a sequence."""
    can_cut_saved: bool
    """Whether that is so of restored states, too: with sliding windows they lack old cells."""
    can_shift: bool
    unified: bool
    """Whether all slots share one pool of cells, so that a copy shares them."""
    cells: int
    """Of all slots together."""
    deterministic: bool
    """Whether orderly passes give the same bits whatever their shape."""
    order: Order
    """What makes a pass orderly."""
    tiles: bool
    """Whether attention is quick in passes of many rows only (see `attention`)."""
    bos: int
    n_vocab: int

    def decode(self, plan: Pass) -> None:
        """Evaluate the rows of a pass and forget its fillers.

        Raises:
            EngineError: The pass failed and left no cells behind.
        """

    def decode_on(self, tokens: Sequence[int]) -> None:
        """Evaluate the last pass again, one position further, with its fillers where they were.

        Args:
            tokens: One for each of its rows but the fillers; it had one of each slot.

        Raises:
            EngineError: As `decode`.
        """

    def cut(self, slot: int, length: int) -> bool:
        """Keep a slot's first cells; false if they are of no use, and all must be forgotten."""

    def copy(self, source: int, target: int, length: int) -> None:
        """Replace a slot's cells by the first ones of another."""

    def state_size(self, slot: int) -> int:
        """Give the bytes that `save` would."""

    def save(self, slot: int) -> State | None:
        """Give the state of a slot; None if it cannot be had."""

    def restore(self, slot: int, data: State) -> bool:
        """Put a saved state into an empty slot; false if it does not fit, and it is empty."""

    def shift(self, slot: int, keep: int, discard: int) -> None:
        """Forget cells after the first `keep` and move the rest up."""

    def sampler(self, work: Work) -> Sampler:
        """Make the sampler of a work.

        Raises:
            EngineError: The structure is malformed, or the resumed tokens do not keep to it.
        """

    def piece(self, token: int) -> bytes | None:
        """Give a token's bytes, or None if it ends the generation."""
