"""Options of a model's run: which there are, their types and defaults, and how layers of them merge.

`Options` is the one table: a field's name is the key on the wire, its annotation the type that is
accepted, its metadata whether it takes effect when a model is loaded. Ranges are not checked here:
what a value means, and whether it makes sense, is the business of who uses it. Only what could
grow without bound has its limit here.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from actorllm.protocol.codec import evolve, message
from actorllm.protocol.errors import Refused

__all__ = ["Kind", "LogitBias", "Options", "kind_of", "merge"]

LogitBias = tuple[tuple[int, float], ...]
"""Pairs of a token and what is added to its logit; on the wire an object, tokens as its keys."""

_INT64 = 2**63
_INT32 = 2**31
_FLOAT32_MAX = 3.4028234663852886e38
_MOST_BIASES = 1024
_LONGEST_KEY = 12
"""Characters of a token's number."""


@message
class Options:
    """All options with their defaults. None: chosen by the daemon."""

    num_keep: int = 4
    """Tokens at the start that context shift never drops."""
    seed: int = -1
    """Negative: a random one for each request."""
    num_predict: int = -1
    """Most tokens to generate; 0 and less: no limit of its own."""
    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    """Tokens back that the penalties look at; 0: off, -1: the whole context."""
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    """Texts that end the output; they are not part of it."""
    deterministic: bool = False
    """The same bytes for the same seed, whatever else runs. Ours, unknown to other servers."""
    top_n_sigma: float = -1.0
    """Only tokens whose logit is at most so many standard deviations below the best; 0 and less: off."""
    xtc_probability: float = 0.0
    """How often all but the least likely of the tokens above `xtc_threshold` are left out."""
    xtc_threshold: float = 0.1
    """Least probability of a token that can be left out; above 0.5: off."""
    dynatemp_range: float = 0.0
    """How far the temperature goes down and up with the entropy of the choice; 0: it is fixed."""
    dynatemp_exponent: float = 1.0
    """Shape of the way from entropy to temperature."""
    dry_multiplier: float = 0.0
    """Strength of the penalty on repeating sequences (DRY); 0: off."""
    dry_base: float = 1.75
    """By what the penalty grows with each token of the repetition."""
    dry_allowed_length: int = 2
    """Tokens that may be repeated without penalty."""
    dry_penalty_last_n: int = -1
    """Tokens back in which repetitions are looked for; 0: off, -1: the whole context."""
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    """Texts that no repetition reaches across."""
    mirostat: int = 0
    """1 or 2: version of Mirostat, in place of all samplers that narrow; 0: off."""
    mirostat_tau: float = 5.0
    """The surprise that Mirostat aims at, in bits."""
    mirostat_eta: float = 0.1
    """How fast Mirostat learns."""
    logit_bias: LogitBias = ()
    """Token numbers with what is added to their logits, such as `{"42": -100}`; -100 and less: never."""
    n_probs: int = 0
    """Like `logprobs` with `top_logprobs`, for clients that know this name; 0: none."""

    num_ctx: int | None = None
    """Tokens of context for each slot."""
    num_batch: int | None = None
    """Tokens that one decode step may hold."""
    num_gpu: int = -1
    """Layers on the GPU; negative: as many as fit; 0: CPU only."""
    main_gpu: int | None = None
    use_mmap: bool | None = None
    num_thread: int = 0
    """Threads of the CPU backend; 0: by the machine."""
    draft_num_predict: int | None = None
    """Tokens to draft at once; by default 4 where the model has a draft layer."""


@attrs.frozen
class Kind:
    """What values an option takes."""

    name: str
    """As error texts call it: `integer`, `float32`, `boolean`, `array` or `object`."""
    convert: Callable[[Any], Any]
    """Decoded JSON to the field's value. Raises TypeError with the text after `must be of`."""


def _integer(value: Any) -> int:
    if type(value) is float and math.isfinite(value):
        value = int(value)  # floats for integers are cut, as clients without integers rely on
    if type(value) is int and -_INT64 <= value < _INT64:
        return value
    raise TypeError("type integer")


def _float(value: Any) -> float:
    if type(value) in {int, float} and abs(value) <= _FLOAT32_MAX:
        return float(value)
    raise TypeError("type float32")


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise TypeError("type boolean")


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError("type array")
    if not all(isinstance(item, str) for item in value):
        raise TypeError("an array of strings")
    return tuple(value)


def _biases(value: Any) -> LogitBias:
    if not isinstance(value, dict) or len(value) > _MOST_BIASES:
        raise TypeError(f"type object, with at most {_MOST_BIASES} members")
    return tuple((_token(key), _float(bias)) for key, bias in value.items())


def _token(key: str) -> int:
    if key.isascii() and key.isdigit() and len(key) <= _LONGEST_KEY and int(key) < _INT32:
        return int(key)
    raise TypeError("type object, with token numbers as keys")


_INTEGER = Kind("integer", _integer)
_BOOLEAN = Kind("boolean", _boolean)
_KINDS: dict[Any, Kind] = {
    int: _INTEGER,
    int | None: _INTEGER,
    float: Kind("float32", _float),
    bool: _BOOLEAN,
    bool | None: _BOOLEAN,
    tuple[str, ...]: Kind("array", _strings),
    LogitBias: Kind("object", _biases),
}
# Typed loosely, since type checkers do not see that @message makes an attrs class.
_FIELDS: tuple["attrs.Attribute[Any]", ...] = attrs.fields(Options)  # type: ignore[arg-type]
_TABLE = {field.name: _KINDS[field.type] for field in _FIELDS}


def kind_of(key: str) -> Kind | None:
    """Return what values an option takes, None if there is no such option."""
    return _TABLE.get(key)


def merge(base: Options, *layers: Mapping[str, Any]) -> tuple[Options, tuple[str, ...]]:
    """Lay options over each other; a later layer wins.

    Args:
        base: What holds where no layer says anything.
        layers: Decoded JSON objects: the model's parameters, then the request's options. A null
            says nothing.

    Returns:
        The result, and the keys that are no options, each once, for the caller to report.

    Raises:
        Refused: A value of a wrong type: 500, as clients of the protocol expect it.
    """
    values: dict[str, Any] = {}
    ignored: dict[str, None] = {}
    for layer in layers:
        for key, value in layer.items():
            kind = _TABLE.get(key)
            if kind is None:
                ignored[key] = None
            elif value is not None:
                values[key] = _converted(key, kind, value)
    changed = evolve(base, **values)
    return changed, tuple(ignored)


def _converted(key: str, kind: Kind, value: Any) -> Any:
    try:
        return kind.convert(value)
    except TypeError as e:
        raise Refused.because(500, f'option "{key}" must be of {e}') from None
