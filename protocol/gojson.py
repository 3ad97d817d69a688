"""JSON as Go's `encoding/json` writes and reads it: what clients of the wire have seen so far.

Writing: `<`, `>`, `&`, U+2028 and U+2029 are escaped, floats have Go's spelling (`14`, not `14.0`),
vectors of float32 have the shortest digits that round to the same float32.

Reading: the first value of the input counts, what follows it is ignored; the texts of syntax errors
are those of Go's scanner (`goscan`); lone surrogates and invalid UTF-8 become U+FFFD; nesting is bounded.
"""

import math
import re
from array import array
from collections.abc import Callable, Iterable
from functools import lru_cache
from json import JSONDecodeError, JSONDecoder
from json.encoder import encode_basestring
from typing import Any, NoReturn, Self

from actorllm.protocol.goscan import complaint, complaint_of_constant

__all__ = [
    "MAX_DEPTH",
    "Float32s",
    "JsonError",
    "Number",
    "dumps",
    "loads",
    "quote",
    "quote_plain",
    "text",
    "to_bytes",
]

MAX_DEPTH = 200
"""Deepest nesting that is read. Go allows 10,000; message frames and our walks want less."""


class JsonError(ValueError):
    """The input is not JSON; the text is that of Go's decoder."""

    def __init__(self, message: str, *, empty: bool = False) -> None:
        super().__init__(message)
        self.empty = empty
        """There was nothing but white space."""


class Number(float):
    """A number that remembers how it was spelled."""

    __slots__ = ("literal",)
    literal: str

    def __new__(cls, literal: str) -> Self:
        number = super().__new__(cls, literal)
        number.literal = literal
        return number


class Float32s(tuple[float, ...]):
    """A vector of float32, written with as many digits as a float32 needs."""

    __slots__ = ()


# Writing -----------------------------------------------------------------------------------------

_SPECIAL = re.compile("[<>&\u2028\u2029]")
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_CONTROLS = re.compile(r"\\u00([01][0-9a-f])")
_SURROGATES = re.compile("[\ud800-\udfff]")
_SHORT_KEY = 64
"""Characters of a key that is remembered as it is written."""


def quote(value: str) -> str:
    """Write a string, in quotes."""
    quoted = encode_basestring(value)
    return quoted.translate(_ESCAPES) if _SPECIAL.search(quoted) else quoted


def quote_plain(value: str) -> str:
    """Quote a string within a text of errors, as Go's `%q` does: it is for people, not JSON."""
    return _CONTROLS.sub(r"\\x\1", encode_basestring(value))


def dumps(value: Any) -> bytes:
    """Write a value in UTF-8, without white space.

    Raises:
        TypeError: The value holds what JSON cannot say (NaN and infinities among them).
    """
    return to_bytes(text(value))


def to_bytes(written: str) -> bytes:
    """Encode text that `text` or `quote` wrote; lone surrogates become the escape of U+FFFD."""
    try:
        return written.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub(r"\\ufffd", written).encode()


def text(value: Any) -> str:
    """Write a value as `dumps` does, without the encoding."""
    writer = _WRITERS.get(type(value)) or _writer_by_base(value)
    return writer(value)


def _writer_by_base(value: Any) -> Callable[[Any], str]:
    for kind, writer in _WRITERS.items():
        if isinstance(value, kind):
            return writer
    raise TypeError(f"{type(value).__name__} is not JSON")


def _write_object(value: dict[str, Any]) -> str:
    return "{" + ",".join([_key(str(k)) + text(v) for k, v in value.items()]) + "}"


def _key(name: str) -> str:
    return _short_key(name) if len(name) <= _SHORT_KEY else f"{quote(name)}:"


@lru_cache(maxsize=512)  # a list has the same ones again and again, and so have frames
def _short_key(name: str) -> str:
    return f"{quote(name)}:"


def _write_list(value: Iterable[Any]) -> str:
    return "[" + ",".join(map(text, value)) + "]"


def _write_float(value: float) -> str:
    if not math.isfinite(value):
        raise TypeError("NaN and infinities are not JSON")
    return _go_spelling(repr(float(value)), value)


def _go_spelling(shortest: str, value: float) -> str:
    """Turn Python's shortest spelling into Go's: exponents below -6 and from 21 on only."""
    if "e" not in shortest:
        return shortest.removesuffix(".0")
    digits, _, exponent = shortest.partition("e")
    power = int(exponent)
    if 1e-6 <= abs(value) < 1e21:
        places = max(0, len(digits.partition(".")[2]) - power)
        return f"{value:.{places}f}" if power < 0 else str(int(value))
    return f"{digits.removesuffix('.0')}e{'-' if power < 0 else '+'}{abs(power):02d}".replace(
        "e-0", "e-"
    )


def _write_float32s(value: Float32s) -> str:
    want = array("f", value)
    parts: list[str] = []
    for digits in (7, 8, 9):
        if not parts:
            parts = [f"{v:.{digits}g}" for v in value]
            wrong = _differing(want, parts, range(len(parts)))
        else:
            for i in wrong:
                parts[i] = f"{value[i]:.{digits}g}"
            wrong = _differing(want, parts, wrong)
        if not wrong:
            break
    spelled = (p if "e" not in p and "n" not in p else _odd_float32(p) for p in parts)
    return "[" + ",".join(spelled) + "]"


def _differing(want: "array[float]", parts: list[str], which: Iterable[int]) -> list[int]:
    indexes = list(which)
    got = array("f", [float(parts[i]) for i in indexes])
    return [i for i, value in zip(indexes, got, strict=True) if value != want[i]]


def _odd_float32(part: str) -> str:
    value = float(part)
    if not math.isfinite(value):
        raise TypeError("NaN and infinities are not JSON")
    return _go_spelling(part, value)


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: quote,
    bool: lambda value: "true" if value else "false",
    int: str,
    float: _write_float,
    type(None): lambda _: "null",
    dict: _write_object,
    list: _write_list,
    Float32s: _write_float32s,
    tuple: _write_list,
}


# Reading -----------------------------------------------------------------------------------------

_SPACE = re.compile(r"[ \t\n\r]*")
_MANY_DIGITS = 19


class _NotPlainError(Exception):
    """A constant that JSON does not have."""


def _refuse_constant(name: str) -> NoReturn:
    raise _NotPlainError(name)


def _read_int(literal: str) -> int | float:
    if len(literal) < _MANY_DIGITS:
        return int(literal)
    if len(literal) <= _MANY_DIGITS + 1 and -(2**63) <= int(literal) < 2**64:
        return int(literal)
    return _read_float(literal)


def _read_float(literal: str) -> float:
    value = float(literal)
    if math.isinf(value):
        raise OverflowError(literal)
    return value


_plain = JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_read_float, parse_int=_read_int
).raw_decode
_literal = JSONDecoder(
    parse_constant=_refuse_constant, parse_float=Number, parse_int=Number
).raw_decode


def loads(data: bytes, *, literals: bool = False) -> Any:
    """Read the first JSON value.

    Args:
        data: The input; what follows its first value is ignored.
        literals: Every number is a `Number`, even one that is too large for a float.

    Raises:
        JsonError: The input is empty, no JSON, or nested too deeply.
        OverflowError: A number is too large and `literals` is not set.
    """
    source = data.decode(errors="replace")
    start = _SPACE.match(source).end()  # type: ignore[union-attr]  # it matches the empty string
    if start == len(source):
        raise JsonError("EOF", empty=True)
    try:
        value, end = (_literal if literals else _plain)(source, start)
    except JSONDecodeError as e:
        raise JsonError(complaint(e, source)) from None
    except _NotPlainError as e:
        raise JsonError(complaint_of_constant(str(e))) from None
    except RecursionError:
        raise JsonError("exceeded max depth") from None
    if source.count("[", start, end) + source.count("{", start, end) > MAX_DEPTH:
        _check_depth(value, MAX_DEPTH)
    return _mended(value) if r"\ud" in source or r"\uD" in source else value


def _check_depth(value: Any, left: int) -> None:
    if isinstance(value, dict | list):
        if left == 0:
            raise JsonError("exceeded max depth")
        for item in value.values() if isinstance(value, dict) else value:
            _check_depth(item, left - 1)


def _mended(value: Any) -> Any:
    """Replace lone surrogates, which an escape can spell but UTF-8 cannot."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_mended(v) for v in value]
    if isinstance(value, dict):
        return {_mended(k): _mended(v) for k, v in value.items()}
    return value
