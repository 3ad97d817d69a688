"""The tokenizer of a folder, whichever files it is in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from gguf import GGUFWriter, SpecialVocab

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.jsonfile import MAX_JSON, read_json
from actorllm.actors.builder.convert.sentencepiece import (
    BPE,
    SentencePieceModel,
    parse_sentencepiece,
)
from actorllm.actors.builder.convert.tokenizerjson import vocabulary_of, wordpiece
from actorllm.actors.builder.convert.vocabulary import (
    Vocabulary,
    add_vocabulary,
    added_tokens,
    completed,
)

__all__ = ["add_words"]

Words = Literal["text", "encoder"]

_FILES: Final = (
    "tokenizer.json", "tokenizer_config.json", "added_tokens.json", "generation_config.json",
    "config.json",
)  # fmt: skip
_ENDS: Final = ("add_eot_token_id", "add_eom_token_id")
"""What GGUF can name beside the one end of a sequence."""


def add_words(gguf: GGUFWriter, folder: Path, rows: int, words: Words, notices: list[str]) -> None:
    """Write the tokenizer, the special tokens and the chat template.

    Args:
        gguf: Gets them.
        folder: Has the files of the tokenizer.
        rows: Of the embeddings.
        words: What the vocabulary is for.
        notices: Gets what is not as it was.

    Raises:
        ConvertError: Files are missing or malformed, or llama.cpp has no such tokenizer.
    """
    files = {name: read_json(folder / name) or {} for name in _FILES}
    found = _sentencepiece(folder, files) if words == "text" else None
    found = found or _from_json(folder, files, notices)
    added = added_tokens(files)
    if found.model == "bert":
        added = [token for token in added if token.id >= len(found.tokens)]
    vocabulary = completed(found, added, rows, notices)
    add_vocabulary(gguf, vocabulary)
    _add_special(gguf, folder, vocabulary, files, notices)


def _from_json(folder: Path, files: Mapping[str, Any], notices: list[str]) -> Vocabulary:
    if files["tokenizer.json"]:
        return vocabulary_of(files["tokenizer.json"], notices)
    path = folder / "vocab.txt"
    if path.is_file():
        lines = _content(path).decode(errors="replace").splitlines()
        lower = files["tokenizer_config.json"].get("do_lower_case")
        return wordpiece(lines, {"lowercase": lower})
    raise ConvertError("tokenizer.json or tokenizer.model is needed")


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_JSON:
        raise ConvertError(f"{path.name} is too large")
    return path.read_bytes()


def _sentencepiece(folder: Path, files: Mapping[str, Any]) -> Vocabulary | None:
    """Read tokenizer.model; None: there is none, or it is of another kind."""
    path = folder / "tokenizer.model"
    if not path.is_file():
        return None
    try:
        model = parse_sentencepiece(_content(path), path.name)
    except ConvertError:
        if files["tokenizer.json"]:  # tiktoken's files have the same name
            return None
        raise
    return _of_pieces(model, files["tokenizer_config.json"].get("add_prefix_space"))


def _of_pieces(model: SentencePieceModel, prefix: Any) -> Vocabulary:
    bpe = model.algorithm == BPE
    return Vocabulary(
        model="llama" if bpe else "t5",
        tokens=tuple(piece.text for piece in model.pieces),
        types=tuple(piece.kind for piece in model.pieces),
        scores=tuple(piece.score for piece in model.pieces),
        add_space_prefix=prefix if isinstance(prefix, bool) else model.add_dummy_prefix,
        remove_extra_whitespaces=None if bpe else model.remove_extra_whitespaces,
        charsmap=b"" if bpe else model.charsmap,
    )


def _add_special(
    gguf: GGUFWriter,
    folder: Path,
    vocabulary: Vocabulary,
    files: Mapping[str, Any],
    notices: list[str],
) -> None:
    try:
        special = SpecialVocab(folder, n_vocab=len(vocabulary.tokens))
    except Exception as e:  # it trusts the files, and fails in any way where they are malformed
        raise ConvertError("the files of the tokenizer are malformed") from e
    if files["tokenizer.json"]:
        # What tokenizer.json does not add is not added; llama.cpp's defaults differ.
        special.add_special_token.setdefault("bos", False)
        special.add_special_token.setdefault("eos", False)
    ids: dict[str, int] = special.special_token_ids
    ends = _ends(files, len(vocabulary.tokens))
    if "eos" not in ids and ends:
        ids["eos"] = ends[0]
    if vocabulary.model == "bert":
        _name_bert(ids, vocabulary)
    ids.pop("cls", None)
    special.add_to_gguf(gguf, quiet=True)
    others = [end for end in ends if end != ids.get("eos")]
    for end, add in zip(others, _ENDS, strict=False):
        getattr(gguf, add)(end)
    if len(others) > len(_ENDS):
        notices.append(f"only {len(_ENDS) + 1} of {len(others) + 1} ends of a text are kept")


def _ends(files: Mapping[str, Any], count: int) -> list[int]:
    """Return the tokens that end an answer, as the configs list them."""
    for name in ("generation_config.json", "config.json"):
        value = files[name].get("eos_token_id")
        listed = value if isinstance(value, list) else [value]
        ends = [end for end in listed if type(end) is int and 0 <= end < count]
        if ends:
            return list(dict.fromkeys(ends))
    return []


def _name_bert(ids: dict[str, int], vocabulary: Vocabulary) -> None:
    """Find the special tokens of WordPiece by their texts, where nothing else names them."""
    by_text = {token: number for number, token in enumerate(vocabulary.tokens)}
    for kind, text in (
        ("bos", b"[CLS]"), ("sep", b"[SEP]"), ("unk", b"[UNK]"), ("pad", b"[PAD]"),
        ("mask", b"[MASK]"),
    ):  # fmt: skip
        if text in by_text:
            ids.setdefault(kind, by_text[text])
