"""Structures to matchers of one vocabulary, by llguidance."""

import numpy as np
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from actorllm.actors.runner.engine.grammar import LIMITS, grammar_of, one_line
from actorllm.actors.runner.engine.types import EngineError, Structure
from actorllm.actors.runner.engine.vocab import Vocab

__all__ = ["Compiler"]

_TRIED = 4
"""Tokens with which a structure is tried out."""


class Compiler:
    """Compiles structures. It reads the vocabulary, which takes a second if that is large."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        ends = [t for t in range(vocab.size) if vocab.ends(t)]
        self._words = LLTokenizer(
            TokenizerWrapper(_Words(vocab)),
            eos_token=ends or None,
            slices=LLTokenizer.json_slices(),
        )

    def compile(self, structure: Structure) -> LLMatcher:
        """Compile a structure.

        Raises:
            EngineError: It cannot be kept to.
        """
        made = LLMatcher(
            self._words, grammar_of(structure, self._spell), log_level=0, limits=LIMITS
        )
        if made.is_error():
            raise EngineError(one_line(made.get_error()))
        self._try(made.deep_copy())
        return made

    def _try(self, begun: LLMatcher) -> None:
        """Begin an answer: what is too large for each token is seen now, and not in its middle.

        The states of the lexer are shared: those that are found here are found for all.

        Raises:
            EngineError: There is none that keeps to the structure, or it would take too long.
        """
        for _ in range(_TRIED):
            bits = np.frombuffer(begun.compute_bitmask(), np.uint8)
            _check(begun)
            marks = np.unpackbits(bits, count=self._vocab.size, bitorder="little")
            tokens = map(int, np.flatnonzero(marks))
            token = next((token for token in tokens if not self._vocab.ends(token)), None)
            if token is None:
                return
            begun.consume_token(token)
            _check(begun)

    def _spell(self, mark: str) -> list[str | int]:
        """Split a mark into plain text and special tokens."""
        vocab = self._vocab
        pieces: list[str | int] = []
        for token in vocab.tokenize(mark, add_special=False, parse_special=True):
            piece = vocab.piece(token).decode("utf-8", "replace")
            if vocab.special(token) and piece in mark:
                plain, _, mark = mark.partition(piece)
                pieces += [plain, token] if plain else [token]
        return [*pieces, mark] if mark else pieces


def _check(begun: LLMatcher) -> None:
    if begun.is_error():
        said = begun.get_error()
        stuck = said.startswith("NoExtension")  # it leads to itself and to nothing else
        raise EngineError("no answer can begin to keep to it" if stuck else one_line(said))


class _Words:
    """A vocabulary as llguidance reads it."""

    def __init__(self, vocab: Vocab) -> None:
        tokens = range(vocab.size)
        self._vocab = vocab
        self.eos_token_id = max(vocab.eos, 0)
        self.bos_token_id = vocab.bos if vocab.bos >= 0 else None
        self.tokens = [vocab.piece(token) for token in tokens]
        self.special_token_ids = [token for token in tokens if vocab.special(token)]

    def __call__(self, text: bytes) -> list[int]:
        return self._vocab.tokenize(
            text.decode("utf-8", "replace"), add_special=False, parse_special=False
        )
