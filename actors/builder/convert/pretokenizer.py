"""The name of the rule that splits text before byte-level BPE, as llama.cpp knows it.

A GGUF file names the rule; llama.cpp has a table of names. tokenizer.json spells the rule out, so
the name is found by comparing the rule itself: a rule that is not in the table is refused, since the
model would get other tokens than it was trained on.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from actorllm.actors.builder.convert.errors import ConvertError

__all__ = ["pretokenizer"]

_TAIL: Final = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_CONTRACTIONS: Final = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_CASED: Final = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+{suffix}|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*{suffix}"
)
_SLASHED: Final = r" ?[^\s\p{L}\p{N}]+[\r\n/]*"

_CL100K: Final = (
    _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + _TAIL
)
_QWEN2: Final = (
    _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + _TAIL
)
_QWEN35: Final = (
    _CONTRACTIONS
    + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"
    + _TAIL
)
_TEKKEN: Final = _CASED.replace("{suffix}", "") + r"|\p{N}|" + _SLASHED + "|" + _TAIL
_O200K: Final = (
    _CASED.replace("{suffix}", _CONTRACTIONS + "?") + r"|\p{N}{1,3}|" + _SLASHED + "|" + _TAIL
)

_NAMES: Final[Mapping[tuple[str, ...], tuple[str, str]]] = {
    ("gpt-2",): ("gpt-2", ""),
    ("digits", "gpt-2"): ("smollm", ""),
    (_CL100K, "bytes"): ("smaug-bpe", "llama-bpe"),
    (_QWEN2, "bytes"): ("qwen2", ""),
    (_QWEN35, "bytes"): ("qwen35", ""),
    (_TEKKEN, "bytes"): ("", "tekken"),
    (_O200K, "bytes"): ("gpt-4o", ""),
}
"""Steps to the names for merges that are always followed, and for whole words that come first."""


def pretokenizer(tokenizer: Mapping[str, Any], notices: list[str]) -> str:
    """Return the name of a tokenizer's rule.

    Args:
        tokenizer: tokenizer.json.
        notices: Gets what llama.cpp does in another way.

    Raises:
        ConvertError: llama.cpp has no such rule, or normalises nothing where this one does.
    """
    _check_normalizer(tokenizer.get("normalizer"), notices)
    steps = _steps(tokenizer.get("pre_tokenizer"))
    names = _NAMES.get(tuple(steps))
    if names is None:
        shown = " then ".join(steps)[:160] or "nothing"
        raise ConvertError(f"the tokenizer splits text by a rule that llama.cpp lacks: {shown}")
    model = tokenizer.get("model")
    words_first = isinstance(model, dict) and model.get("ignore_merges") is True
    name = names[words_first]
    if name:
        return name
    what = "takes whole words before it merges" if words_first else "merges before whole words"
    notices.append(f"the tokenizer {what}, llama.cpp does not: rare words may get other tokens")
    return names[not words_first]


def _check_normalizer(normalizer: Any, notices: list[str]) -> None:
    kinds = [step.get("type") for step in _flat(normalizer, "normalizers")]
    if kinds == ["NFC"]:
        notices.append("text is not normalized to NFC before it is tokenized")
    elif kinds:
        raise ConvertError(f"the tokenizer normalizes text by {str(kinds[0])[:40]}, llama.cpp not")


def _steps(pre_tokenizer: Any) -> list[str]:
    return [_step(step) for step in _flat(pre_tokenizer, "pretokenizers")]


def _flat(value: Any, key: str) -> list[dict[str, Any]]:
    """Return the steps of a sequence, or the one step that there is."""
    if value is None:
        return []
    if isinstance(value, dict) and value.get("type") == "Sequence":
        value = value.get(key)
    steps = value if isinstance(value, list) else [value]
    if any(not isinstance(step, dict) for step in steps):
        raise ConvertError("tokenizer.json is malformed")
    return steps


def _step(step: dict[str, Any]) -> str:
    """Spell a step out; two that do the same are spelled the same."""
    kind = step.get("type")
    if kind == "ByteLevel" and not step.get("add_prefix_space"):
        return "gpt-2" if step.get("use_regex", True) else "bytes"
    if kind == "Digits" and step.get("individual_digits"):
        return "digits"
    if kind == "Split":
        pattern = step.get("pattern")
        regex = pattern.get("Regex") if isinstance(pattern, dict) else None
        behavior, invert = step.get("behavior"), bool(step.get("invert"))
        # Keeping what matches is the same as cutting around it where everything matches.
        if isinstance(regex, str) and (behavior, invert) in {
            ("Isolated", False), ("Removed", True), ("Isolated", True),
        }:  # fmt: skip
            return "digits" if regex in {r"\p{N}", r"\d"} else _plain(regex)
    return f"{kind}"


def _plain(regex: str) -> str:
    """Undo spellings that mean the same: escapes of line ends that JSON resolved."""
    return re.sub("[\r\n]", lambda found: {"\r": r"\r", "\n": r"\n"}[found[0]], regex)
