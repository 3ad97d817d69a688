"""Grammars of calls on the vocabulary of the model that comes with the package."""

import copy
import functools
import random
import re
from pathlib import Path

import numpy as np
import pytest

from actorllm.actors.runner.engine.matching import Matcher, Matchers
from actorllm.actors.runner.engine.opening import open_model
from actorllm.actors.runner.engine.types import EngineSettings, Structure
from actorllm.actors.runner.engine.vocab import Vocab

END = re.compile(
    r"^\]<\]minimax\[>\[$|^\s*(```|\]<\]minimax\[>\[)?(</|<\|close\|>|<\|END)|end[｜|]>$|_end\|>$|suffix\|>|_call[|]?>$|<.?eom|escape|<\|\""
)
VALUE_END = re.compile(
    r"(parameter|param|arg_value|escape|argument<\|sep\|)>$|<\|\"\|>$|^\]<\]minimax\[>\[$|eom|<.end.>$"
)
MARKS = re.compile(rb"[<>\[\]0-9e+-]|[\x80-\xff]")
BLOBS = Path(__file__).parents[2] / "actors" / "library" / "builtin" / "blobs"


@pytest.fixture(scope="session")
def vocab():
    weights = max(BLOBS.iterdir(), key=lambda file: file.stat().st_size)
    opened = open_model(EngineSettings(model_path=str(weights), num_ctx=256, slots=1, threads=1))
    yield opened.model.vocab
    opened.free()


def values_in(text: bytes, ends: list[str]) -> list[str]:
    """Choose the ends of the plain text that was begun last: a message to oneself, or a value."""
    own = [end for end in ends if "eom" in end or end == "<|end|>"]
    if own and b"<atem" not in text:
        return own
    return [end for end in ends if end not in own]


class Bench:
    """Tries texts on structures."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        self._matchers = Matchers(vocab)
        tokens = range(vocab.size)
        self._goes_on = np.array([not vocab.ends(token) for token in tokens])
        # What could begin a mark or a number.
        self._marked = np.array([bool(MARKS.search(vocab.piece(token))) for token in tokens])
        self._tokens = functools.cache(self._tokenized)

    def taken(self, structure: Structure, text: str) -> tuple[str, bool]:
        """Give the beginning of a text that is allowed, and whether it may end there."""
        matcher = self._matchers.begin(structure)
        taken = b""
        for token in self._vocab.tokenize(text, add_special=False, parse_special=True):
            if not matcher.allows(token):
                break
            matcher.take(token)
            taken += self._vocab.piece(token)
        return taken.decode("utf-8", "replace"), matcher.allows(self._vocab.eos)

    def written(self, structure: Structure, seed: int, *, words: int = 12, most: int = 400) -> str:
        """Write an answer: `words` tokens by chance, then whatever brings it to its end."""
        chance = random.Random(seed)
        matcher = self._matchers.begin(structure)
        ends = [mark for mark in structure.marks if END.search(mark)]
        values = [mark for mark in ends if VALUE_END.search(mark)]
        text = b""
        pending: list[int] = []
        for step in range(most):
            if matcher.allows(self._vocab.eos):
                return text.decode("utf-8", "replace")
            if not pending and step > words:
                chance.shuffle(values)
                pending = self._way_out(matcher, ends, values_in(text, values))
            token = pending.pop(0) if pending else -1
            if token < 0 or not matcher.allows(token):
                token, pending = self._any(matcher, chance), []
            matcher.take(token)
            text += self._vocab.piece(token)
        raise AssertionError(f"no end: {text!r}")

    def _way_out(self, matcher: Matcher, ends: list[str], values: list[str]) -> list[int]:
        """Give tokens that bring an answer nearer to its end: strings have no line breaks."""
        free = matcher.allowed().sum() > self._vocab.size // 2
        in_text = free and matcher.allows(self._tokens("\n")[0])
        tried = values if in_text else [*"\"'"] if free else [*ends, *"]})\"'"]
        ways = map(self._tokens, tried)
        return next((list(way) for way in ways if self._leads(matcher, way)), [])

    @staticmethod
    def _leads(matcher: Matcher, way: list[int]) -> bool:
        if not matcher.allows(way[0]):
            return False
        probe = copy.copy(matcher)
        probe._held = matcher._held.deep_copy()
        for token in way:
            if not probe.allows(token):
                return False
            probe.take(token)
        return True

    def _any(self, matcher: Matcher, chance: random.Random) -> int:
        """Choose a token by chance: one that begins nothing, unless there is nothing else."""
        allowed = matcher.allowed() & self._goes_on
        plain = allowed & ~self._marked
        return int(chance.choice((plain if plain.any() else allowed).nonzero()[0]))

    def _tokenized(self, text: str) -> list[int]:
        return self._vocab.tokenize(text, add_special=False, parse_special=True)


@pytest.fixture(scope="session")
def bench(vocab):
    return Bench(vocab)
