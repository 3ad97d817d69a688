"""What the stepper needs of llama.cpp: implemented by `context` and, without a model, by `fake`."""

from collections.abc import Callable, Sequence
from typing import Protocol

from actorllm.actors.runner.engine.batching import Order, Pass
from actorllm.actors.runner.engine.store import State
from actorllm.actors.runner.engine.types import TokenLogprob, Work

__all__ = ["Backend", "Pause", "Sampler"]

Pause = Callable[[int, float], bool]
"""Told the tokens that are evaluated, and the seconds until the next call, as far as that is known.

It may take its time, and use the backend for something else; it returns false to give up.
"""


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
    cell_bytes: int
    """Of a sequence's state, what each of its cells takes."""
    deterministic: bool
    """Whether orderly passes give the same bits whatever their shape."""
    order: Order
    """What makes a pass orderly."""
    tiles: bool
    """Whether attention is quick in passes of many rows only (see `attention`)."""
    reads_apart: bool
    """Whether a prompt can be evaluated apart, so that passes may come between."""
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

    def prepare_apart(self) -> bool:
        """Get ready to read apart, once, which takes some time; false if that cannot be."""

    def read_apart(self, slot: int, tokens: Sequence[int], position: int, pause: Pause) -> bool:
        """Evaluate tokens behind all cells of a slot, and give them to it when all have theirs.

        Args:
            slot: Of these tokens; until the end its cells stay as they are.
            tokens: One or more.
            position: Of the first one.
            pause: Called every few milliseconds.

        Returns:
            False if it was given up; then nothing is known of the slot.

        Raises:
            EngineError: It cannot be, and will not be tried again; nothing is known of the slot.
        """

    def shift(self, slot: int, keep: int, discard: int) -> None:
        """Forget cells after the first `keep` and move the rest up."""

    def sampler(self, work: Work) -> Sampler:
        """Make the sampler of a work.

        Raises:
            EngineError: The structure is malformed, or the resumed tokens do not keep to it.
        """

    def piece(self, token: int) -> bytes | None:
        """Give a token's bytes, or None if it ends the generation."""
