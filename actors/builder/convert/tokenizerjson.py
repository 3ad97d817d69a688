"""tokenizer.json: byte-level BPE, SentencePiece as BPE, Unigram, WordPiece."""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gguf import TokenType

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.pretokenizer import pretokenizer
from actorllm.actors.builder.convert.vocabulary import Vocabulary

__all__ = ["vocabulary_of", "wordpiece"]

_MAX_TOKENS: Final = 1 << 21
_BYTE: Final = re.compile(r"<0x[0-9A-F]{2}>")
_SPACE: Final = "\u2581"
_ESCAPED_SPACE: Final = "\u0120"
"""How byte-level BPE writes a space; GGUF puts a space between the halves of a merge."""
_CONTROL: Final = frozenset({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})


def vocabulary_of(tokenizer: Mapping[str, Any], notices: list[str]) -> Vocabulary:
    """Read a tokenizer, without its added tokens.

    Args:
        tokenizer: tokenizer.json.
        notices: Gets what llama.cpp does in another way.

    Raises:
        ConvertError: It is malformed, or llama.cpp has no such tokenizer.
    """
    model = tokenizer.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    if not isinstance(model, dict):
        raise ConvertError("tokenizer.json has no model")
    if kind == "BPE" and model.get("byte_fallback"):
        return _sentencepiece(tokenizer, model, notices)
    if kind == "BPE":
        return _byte_level(tokenizer, model, notices)
    if kind == "WordPiece":
        normalizer = tokenizer.get("normalizer") or {}
        return wordpiece(_ordered(model), normalizer if isinstance(normalizer, dict) else {})
    if kind == "Unigram":
        return _unigram(tokenizer, model)
    raise ConvertError(f"tokenizers of the kind {str(kind)[:40]} are not supported")


def _ordered(model: Mapping[str, Any]) -> list[str]:
    """Return the tokens by their numbers; a number that none has is named after itself."""
    vocab = model.get("vocab")
    if not isinstance(vocab, dict) or not vocab:
        raise ConvertError("tokenizer.json has no vocabulary")
    if any(type(number) is not int or not 0 <= number < _MAX_TOKENS for number in vocab.values()):
        raise ConvertError("tokenizer.json has a token with an invalid number")
    by_number = {number: token for token, number in vocab.items()}
    if len(by_number) != len(vocab):
        raise ConvertError("tokenizer.json has two tokens with one number")
    return [by_number.get(number, f"[PAD{number}]") for number in range(max(by_number) + 1)]


def _merges(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = model.get("merges")
    pairs = [
        tuple(merge.split(" ")) if isinstance(merge, str) else merge
        for merge in (found if isinstance(found, list) else ())
    ]
    if any(
        not isinstance(pair, list | tuple)
        or len(pair) != 2
        or not all(isinstance(half, str) for half in pair)
        for pair in pairs
    ):
        raise ConvertError("tokenizer.json has a malformed merge")
    return [(left, right) for left, right in pairs]


def _byte_level(
    tokenizer: Mapping[str, Any], model: Mapping[str, Any], notices: list[str]
) -> Vocabulary:
    for key in ("continuing_subword_prefix", "end_of_word_suffix", "dropout"):
        if model.get(key):
            raise ConvertError(f"the tokenizer has a {key}, which llama.cpp lacks")
    tokens = _ordered(model)
    joined = (
        " ".join(half.replace(" ", _ESCAPED_SPACE) for half in pair) for pair in _merges(model)
    )
    return Vocabulary(
        model="gpt2",
        tokens=tuple(token.encode(errors="replace") for token in tokens),
        types=(int(TokenType.NORMAL),) * len(tokens),
        pre=pretokenizer(tokenizer, notices),
        merges=tuple(joined),
    )


def _sentencepiece(
    tokenizer: Mapping[str, Any], model: Mapping[str, Any], notices: list[str]
) -> Vocabulary:
    """Read SentencePiece's BPE, which tokenizer.json spells as merges.

    The merges come from the scores, best first and all of one result together, so the place of a
    result's first merge orders results as their scores did.
    """
    tokens = _ordered(model)
    ranks: dict[str, int] = {}
    for rank, (left, right) in enumerate(_merges(model)):
        ranks.setdefault(left + right, rank)
    unknown = model.get("unk_token")
    return Vocabulary(
        model="llama",
        tokens=tuple(token.encode(errors="replace") for token in tokens),
        types=tuple(int(_kind(token, unknown)) for token in tokens),
        scores=tuple(-float(ranks.get(token, 0)) for token in tokens),
        add_space_prefix=_space_prefix(tokenizer, notices),
    )


def _kind(token: str, unknown: Any) -> TokenType:
    if token == unknown:
        return TokenType.UNKNOWN
    return TokenType.BYTE if _BYTE.fullmatch(token) else TokenType.NORMAL


def _space_prefix(tokenizer: Mapping[str, Any], notices: list[str]) -> bool:
    """Tell whether a space is put before the text, and that nothing else is done to it."""
    prefixed = False
    for step in _parts(tokenizer.get("normalizer"), "normalizers"):
        kind, pattern = step.get("type"), step.get("pattern")
        if kind == "Prepend" and step.get("prepend") == _SPACE:
            prefixed = True
        elif kind != "Replace" or pattern != {"String": " "} or step.get("content") != _SPACE:
            raise ConvertError(f"the tokenizer normalizes text by {str(kind)[:40]}, llama.cpp not")
    for step in _parts(tokenizer.get("pre_tokenizer"), "pretokenizers"):
        if step.get("type") == "Metaspace":
            prefixed = step.get("prepend_scheme", "always") != "never"
            if prefixed:
                notices.append("a text that begins with a space gets one space more")
        elif step.get("type") != "Split" or step.get("pattern") != {"String": " "}:
            raise ConvertError("the tokenizer splits text by a rule that llama.cpp lacks")
    return prefixed


def _parts(value: Any, key: str) -> Sequence[Mapping[str, Any]]:
    if isinstance(value, dict) and value.get("type") == "Sequence":
        value = value.get(key)
    steps = value if isinstance(value, list) else [] if value is None else [value]
    if any(not isinstance(step, dict) for step in steps):
        raise ConvertError("tokenizer.json is malformed")
    return steps


def _unigram(tokenizer: Mapping[str, Any], model: Mapping[str, Any]) -> Vocabulary:
    lines, unknown = model.get("vocab"), model.get("unk_id")
    if not isinstance(lines, list) or not 0 < len(lines) < _MAX_TOKENS:
        raise ConvertError("tokenizer.json has no vocabulary")
    for line in lines:
        if (
            not isinstance(line, list)
            or len(line) != 2
            or not isinstance(line[0], str)
            or type(line[1]) not in {int, float}
        ):
            raise ConvertError("tokenizer.json has a malformed token")
    kinds = [TokenType.UNKNOWN if i == unknown else TokenType.NORMAL for i in range(len(lines))]
    pre = _parts(tokenizer.get("pre_tokenizer"), "pretokenizers")
    normalizers = _parts(tokenizer.get("normalizer"), "normalizers")
    metaspace = [step for step in pre if step.get("type") == "Metaspace"]
    return Vocabulary(
        model="t5",
        tokens=tuple(line[0].encode(errors="replace") for line in lines),
        types=tuple(map(int, kinds)),
        scores=tuple(float(line[1]) for line in lines),
        add_space_prefix=any(step.get("prepend_scheme") != "never" for step in metaspace),
        remove_extra_whitespaces=any(step.get("type") == "WhitespaceSplit" for step in pre)
        or any(step.get("type") == "Replace" for step in normalizers),
        charsmap=_charsmap(normalizers),
    )


def _charsmap(normalizers: Sequence[Mapping[str, Any]]) -> bytes:
    for step in normalizers:
        encoded = step.get("precompiled_charsmap")
        if isinstance(encoded, str):
            try:
                return b64decode(encoded, validate=True)
            except (ValueError, binascii.Error) as e:
                raise ConvertError("tokenizer.json has a malformed normalizer") from e
    return b""


def wordpiece(tokens: Sequence[str], normalizer: Mapping[str, Any]) -> Vocabulary:
    """Make a vocabulary of WordPiece tokens.

    GGUF marks the beginnings of words, where WordPiece marks their continuations.

    Args:
        tokens: In the order of their numbers.
        normalizer: Of tokenizer.json, or what else says `lowercase` and `strip_accents`.
    """
    lowercase = normalizer.get("lowercase")
    strip = normalizer.get("strip_accents")
    return Vocabulary(
        model="bert",
        tokens=tuple(_marked(token).encode(errors="replace") for token in tokens),
        types=tuple(int(_wordpiece_kind(token)) for token in tokens),
        lowercase=lowercase if isinstance(lowercase, bool) else None,
        strip_accents=strip if isinstance(strip, bool) else None,
    )


def _marked(token: str) -> str:
    if token in _CONTROL:
        return token
    return token[2:] if token.startswith("##") else _SPACE + token


def _wordpiece_kind(token: str) -> TokenType:
    if token == "[UNK]":  # noqa: S105 -- a token of text
        return TokenType.UNKNOWN
    return TokenType.CONTROL if token in _CONTROL else TokenType.NORMAL
