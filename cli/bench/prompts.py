"""Texts of about so many tokens, the same for the same seed.

Servers count tokens, clients do not: two texts of known length, sent at the warm-up, tell how many
tokens a word takes with this model and how many its template adds.
"""

import random
from collections.abc import Sequence

import attrs

__all__ = ["Ruler", "ruling_words", "text"]

_GUESSED_TOKENS = 1.3
"""Tokens of a word, if the server counts none."""

# Short and common: a token each in most vocabularies, so that texts come out as long as wished.
_LIST = """
able area back ball base bear bird blue boat body book born both call came card care case city
club cold come cook cost dark data date deep door down draw drop each east easy edge face fact
fall farm fast feel fire fish five food foot form four free full game gave girl give goes gold
gone good gray grew hall hand hard head hear heat held help here high hill hold home hope hour
idea into iron join jump just keep kind knew know lake land last late lead left less life line
list live long look lost made main make many mark mind moon more most move much name near need
next nine noon note once only open over page part pass past
"""
_WORDS = _LIST.split()

_MOST_RULING_WORDS = 64


@attrs.frozen
class Ruler:
    """How words become prompt tokens, with one server and model."""

    per_word: float = _GUESSED_TOKENS
    overhead: float = 0.0
    """Tokens of a prompt without a word in it."""
    measured: bool = False

    @classmethod
    def of_counts(cls, words: Sequence[int], counts: Sequence[int | None]) -> "Ruler":
        """Make one of two texts: their words, and the tokens that a server counted for them.

        A server that counted none, or always the same, gives the guess.
        """
        short, long = counts
        if short is None or long is None or long <= short:
            return cls()
        fewer, more = words
        per_word = (long - short) / (more - fewer)
        return cls(per_word, max(short - per_word * fewer, 0.0), measured=True)

    def words(self, tokens: int) -> int:
        """Say how many words make a prompt of about so many tokens, at least one."""
        return max(round((tokens - self.overhead) / self.per_word), 1)


def ruling_words(tokens: int) -> tuple[int, int]:
    """Return the lengths of the two texts for prompts of so many tokens: they fit where it fits."""
    return 1, min(max(tokens, 2), _MOST_RULING_WORDS)


def text(seed: str, words: int) -> str:
    """Write so many words; texts of two seeds differ from their beginning.

    All words come before one comes again, so that texts of one length have about the same number of
    tokens.
    """
    dice = random.Random(seed)  # noqa: S311 -- no secret
    chosen: list[str] = []
    while len(chosen) < words:
        chosen += dice.sample(_WORDS, len(_WORDS))
    return " ".join(chosen[:words])
