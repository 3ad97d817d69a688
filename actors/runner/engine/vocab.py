"""The vocabulary: text to tokens and back, for any thread."""

import ctypes
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

import llama_cpp as cpp

from actorllm.actors.runner.engine.blocks import Blocks
from actorllm.actors.runner.engine.types import EngineError

__all__ = ["Vocab"]

_MAX_TEXT = 64 * 1024 * 1024
"""Bytes of text that are tokenized at most."""
_FEW = 32 * 1024
"""Bytes of text in which special tokens are too few to be counted."""
_SPECIAL: int = cpp.LLAMA_TOKEN_ATTR_CONTROL | cpp.LLAMA_TOKEN_ATTR_UNKNOWN


class Vocab:
    """The vocabulary of a loaded model."""

    def __init__(self, model: cpp.llama_model_p) -> None:
        self._vocab = cpp.llama_model_get_vocab(model)
        vocab = self._vocab
        self.size: int = cpp.llama_vocab_n_tokens(vocab)
        self.bos: int = cpp.llama_vocab_bos(vocab)
        self.eos: int = cpp.llama_vocab_eos(vocab)
        self.fim: tuple[int, ...] = (
            cpp.llama_vocab_fim_pre(vocab),
            cpp.llama_vocab_fim_suf(vocab),
            cpp.llama_vocab_fim_mid(vocab),
        )
        """The tokens that fill in the middle; -1 for one that there is not."""
        self.add_bos: bool = cpp.llama_vocab_get_add_bos(vocab)
        self.add_eos: bool = cpp.llama_vocab_get_add_eos(vocab)
        self._hidden: int = (
            cpp.LLAMA_TOKEN_ATTR_CONTROL
            | cpp.LLAMA_TOKEN_ATTR_UNKNOWN
            | cpp.LLAMA_TOKEN_ATTR_UNUSED
        )
        self._lock = threading.Condition()  # between those who read and the one who frees the model
        self._readers = 0
        self._closed = False
        self._blocks: dict[bool, Blocks] = {}
        self._pieces: dict[int, bytes] = {}
        self._ends: dict[int, bool] = {}

    @property
    def handle(self) -> cpp.llama_vocab_p:
        return self._vocab

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Split a text into tokens.

        Args:
            text: Any text; lone surrogates become replacement characters.
            add_special: Add the tokens that the model wants around a prompt (BOS, EOS).
            parse_special: Read the names of special tokens in the text as these tokens.

        Raises:
            EngineError: The text is too long, or the model is gone.
        """
        data = text.encode("utf-8", "replace")
        if len(data) > _MAX_TEXT:
            raise EngineError(f"a text of {len(data)} bytes is too long to be tokenized")
        with self._reading():
            if len(data) <= _FEW:
                return self._tokenize(data, add_special, parse_special)
            first, *others = self._blocks_for(parse_special).of(data)
            if not others:
                return self._tokenize(data, add_special, parse_special)
            parts = (self._tokenize(part, False, parse_special) for part in (first, *others))
            before, after = self._around() if add_special else ((), ())
            return [*before, *chain.from_iterable(parts), *after]

    def _around(self) -> tuple[list[int], list[int]]:
        """Give the tokens that the model wants before and after a prompt."""
        bare, all_ = (self._tokenize(b"a", special, False) for special in (False, True))
        ends = range(len(bare), len(all_) + 1)
        end = next((end for end in ends if all_[end - len(bare) : end] == bare), len(all_))
        return all_[: end - len(bare)], all_[end:]

    def _blocks_for(self, parse_special: bool) -> Blocks:
        """Cut at what is looked for in any text, or also at what stands for no text."""
        blocks = self._blocks.get(parse_special)
        if blocks is None:
            looked_for = cpp.LLAMA_TOKEN_ATTR_USER_DEFINED | (_SPECIAL if parse_special else 0)
            attributes = ((t, cpp.llama_vocab_get_attr(self._vocab, t)) for t in range(self.size))
            blocks = Blocks(self._spell(t) for t, attribute in attributes if attribute & looked_for)
            self._blocks[parse_special] = blocks
        return blocks

    def _tokenize(self, data: bytes, add_special: bool, parse_special: bool) -> list[int]:
        capacity = len(data) + 8
        while True:
            tokens = (cpp.llama_token * capacity)()
            count = cpp.llama_tokenize(
                self._vocab, data, len(data), tokens, capacity, add_special, parse_special
            )
            if count >= 0:
                return list(tokens[:count])
            if -count <= capacity:
                raise EngineError("the text cannot be tokenized")
            capacity = -count

    def piece(self, token: int) -> bytes:
        """Give a token's bytes; special tokens are spelled out."""
        piece = self._pieces.get(token)
        if piece is None:
            with self._reading():
                piece = self._pieces[token] = self._spell(token)
        return piece

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        """Join the bytes of tokens; special tokens are spelled out."""
        return b"".join(map(self.piece, tokens))

    def ends(self, token: int) -> bool:
        """Tell whether a token ends the generation."""
        ends = self._ends.get(token)
        if ends is None:
            ends = self._ends[token] = cpp.llama_vocab_is_eog(self._vocab, token)
        return ends

    def special(self, token: int) -> bool:
        """Tell whether a token stands for something else than its text."""
        attributes = cpp.llama_vocab_get_attr(self._vocab, token)
        if attributes & self._hidden:
            return True
        # Tags of thoughts and tools are no controls, but never parts of a text either.
        piece = self.piece(token)
        tag = piece.startswith(b"<") and piece.endswith(b">")
        return tag and bool(attributes & cpp.LLAMA_TOKEN_ATTR_USER_DEFINED)

    def close(self) -> None:
        """Refuse further use, since the model is about to be freed, and wait for those who read."""
        with self._lock:
            self._closed = True
            self._lock.wait_for(lambda: not self._readers)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Keep the model from being freed; many may read at once, for seconds if a text is long."""
        with self._lock:
            if self._closed:
                raise EngineError("the engine is not running")
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                self._lock.notify_all()

    def _spell(self, token: int) -> bytes:
        if not 0 <= token < self.size:
            raise EngineError(f"token {token} is not in the vocabulary of {self.size} tokens")
        capacity = 64
        while True:
            buffer = ctypes.create_string_buffer(capacity)
            count = cpp.llama_token_to_piece(self._vocab, token, buffer, capacity, 0, True)
            if count >= 0:
                return buffer.raw[:count]
            capacity = -count
