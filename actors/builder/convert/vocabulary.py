"""Tokens as GGUF has them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import attrs
from gguf import GGUFWriter, TokenType

from actorllm.actors.builder.convert.errors import ConvertError

__all__ = ["AddedToken", "Vocabulary", "add_vocabulary", "added_tokens", "completed"]

_MAX_TOKENS: Final = 1 << 21
_LEAST_SCORE: Final = -1000.0
"""Of tokens that are found as they are written, never by merging."""


@attrs.frozen
class Vocabulary:
    """A tokenizer."""

    model: Literal["llama", "gpt2", "t5", "bert"]
    """The algorithm, as GGUF names it: SentencePiece BPE, byte-level BPE, Unigram, WordPiece."""
    tokens: tuple[bytes, ...]
    types: tuple[int, ...]
    """Numbers of `TokenType`."""
    pre: str = "default"
    scores: tuple[float, ...] | None = None
    merges: tuple[str, ...] = ()
    add_space_prefix: bool | None = None
    remove_extra_whitespaces: bool | None = None
    charsmap: bytes = b""
    lowercase: bool | None = None
    strip_accents: bool | None = None


@attrs.frozen
class AddedToken:
    """A token that is found in the text before anything else."""

    id: int
    text: str
    special: bool


def added_tokens(files: Mapping[str, Any]) -> list[AddedToken]:
    """Collect the added tokens of a folder; later files overrule earlier ones.

    Args:
        files: Objects by the names of their files; some may be missing.

    Raises:
        ConvertError: One is malformed.
    """
    found: dict[int, AddedToken] = {}
    for text, number in (files.get("added_tokens.json") or {}).items():
        _add(found, number, text, special=False)
    decoder = (files.get("tokenizer_config.json") or {}).get("added_tokens_decoder") or {}
    lines = [{"id": number, **_line(line)} for number, line in _line(decoder).items()]
    for line in [*lines, *((files.get("tokenizer.json") or {}).get("added_tokens") or ())]:
        checked = _line(line)
        number = checked.get("id")
        if isinstance(number, str) and number.isdecimal():
            number = int(number[:10])
        _add(found, number, checked.get("content"), special=bool(checked.get("special")))
    return list(found.values())


def _line(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConvertError("the files of the tokenizer have a malformed added token")
    return value


def _add(found: dict[int, AddedToken], number: Any, text: Any, *, special: bool) -> None:
    if type(number) is not int or not 0 <= number < _MAX_TOKENS or not isinstance(text, str):
        raise ConvertError("the files of the tokenizer have a malformed added token")
    found[number] = AddedToken(number, text, special)


def completed(
    vocabulary: Vocabulary, added: Iterable[AddedToken], rows: int, notices: list[str]
) -> Vocabulary:
    """Lay added tokens over a vocabulary and give it one token for each row of the embeddings.

    Args:
        vocabulary: The tokens that are found by the algorithm.
        added: Further ones, or others in their places.
        rows: Of the embeddings.
        notices: Gets how many tokens had no row.

    Raises:
        ConvertError: The vocabulary is larger than the embeddings.
    """
    if len(vocabulary.tokens) > rows:
        have = len(vocabulary.tokens)
        raise ConvertError(f"the tokenizer has {have} tokens, the embeddings have {rows} rows")
    pad = rows - len(vocabulary.tokens)
    tokens = [*vocabulary.tokens, *(f"[PAD{rows - pad + i}]".encode() for i in range(pad))]
    types = [*vocabulary.types, *[int(TokenType.UNUSED)] * pad]
    scores = vocabulary.scores
    wide = None if scores is None else [*scores, *[_LEAST_SCORE] * pad]
    lost = 0
    for token in added:
        if token.id >= rows:
            lost += 1
            continue
        tokens[token.id] = token.text.encode(errors="replace")
        kind = TokenType.CONTROL if token.special else TokenType.USER_DEFINED
        if types[token.id] != TokenType.UNKNOWN:
            types[token.id] = int(kind)
        if wide is not None and vocabulary.model == "llama":
            wide[token.id] = _LEAST_SCORE
    if lost:
        notices.append(f"{lost} added tokens have no row in the embeddings and are left out")
    return attrs.evolve(
        vocabulary,
        tokens=tuple(tokens),
        types=tuple(types),
        scores=None if wide is None else tuple(wide),
    )


def add_vocabulary(gguf: GGUFWriter, vocabulary: Vocabulary) -> None:
    """Write a vocabulary."""
    gguf.add_tokenizer_model(vocabulary.model)
    gguf.add_tokenizer_pre(vocabulary.pre)
    gguf.add_token_list(list(vocabulary.tokens))
    gguf.add_token_types(list(vocabulary.types))
    if vocabulary.scores is not None:
        gguf.add_token_scores(list(vocabulary.scores))
    if vocabulary.merges:
        gguf.add_token_merges(list(vocabulary.merges))
    if vocabulary.charsmap:
        gguf.add_precompiled_charsmap(vocabulary.charsmap)
    for value, add in (
        (vocabulary.add_space_prefix, gguf.add_add_space_prefix),
        (vocabulary.remove_extra_whitespaces, gguf.add_remove_extra_whitespaces),
    ):
        if value is not None:
            add(value)
    for key, flag in (
        ("lowercase", vocabulary.lowercase),
        ("strip_accents", vocabulary.strip_accents),
    ):
        if flag is not None:
            gguf.add_bool(f"tokenizer.ggml.normalizer.{key}", flag)
