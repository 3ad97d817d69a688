"""The vocabulary: text to tokens and back, for any thread."""

import ctypes
import threading
from collections.abc import Sequence

import llama_cpp as cpp

from actorllm.actors.runner.engine.types import EngineError

__all__ = ["Vocab"]

_MAX_TEXT = 64 * 1024 * 1024
"""Bytes of text that are tokenized at most."""


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
        self._lock = threading.Lock()  # between those who read and the one who frees the model
        self._closed = False
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
        with self._lock:
            self._check_open()
            return self._tokenize(data, add_special, parse_special)

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
            with self._lock:
                self._check_open()
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
        """Refuse further use, since the model is about to be freed."""
        with self._lock:
            self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("the engine is not running")

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
