"""JSON and numbers as Go writes them, which is how models saw them in training and at work.

Go's `encoding/json` writes no spaces, escapes `<`, `>` and `&`, and knows all numbers of decoded
JSON as 64-bit floats.
"""

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

__all__ = ["go_float", "go_json", "go_number", "json_number", "without_lone_surrogates"]

_HTML = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_LONE_SURROGATES = re.compile(r"[\ud800-\udfff]")


def go_json(
    value: Any,
    *,
    escape: bool = True,
    sort: bool = False,
    sort_nested: bool = True,
    spaced: bool = False,
) -> str:
    """Return `value` as `json.Marshal` writes it.

    Args:
        value: a decoded JSON value.
        escape: write `<`, `>`, `&` as escapes.
        sort: sort the keys of the outermost object.
        sort_nested: sort the keys of the objects inside (they are maps in Go).
        spaced: put a space after each comma and colon, as Python does.
    """
    item, key = (", ", ": ") if spaced else (",", ":")
    text = _write(value, sort, sort_nested, item, key)
    return text.translate(_HTML) if escape else text


def _write(value: Any, sort: bool, sort_nested: bool, item: str, key: str) -> str:
    if isinstance(value, dict):
        names = sorted(value) if sort else list(value)
        parts = (
            f"{_text(name)}{key}{_write(value[name], sort_nested, sort_nested, item, key)}"
            for name in names
        )
        return "{" + item.join(parts) + "}"
    if isinstance(value, (list, tuple)):
        inner = (_write(part, sort_nested, sort_nested, item, key) for part in value)
        return "[" + item.join(inner) + "]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json_number(value)
    return json.dumps(value)


def _text(value: str) -> str:
    return json.dumps(without_lone_surrogates(value), ensure_ascii=False)


def without_lone_surrogates(text: str) -> str:
    """Put the replacement character in place of halves of characters, which are no text."""
    return text if text.isascii() else _LONE_SURROGATES.sub("\ufffd", text)


def json_number(value: float) -> str:
    """Return a number as Go's JSON does: plain up to 1e21 and down to 1e-6.

    Infinity, which JSON does not know, is `null`.
    """
    number = go_float(value)
    if not math.isfinite(number):
        return "null"
    return _shortest(number, lambda exponent: exponent < -6 or exponent >= 21, short_exponent=True)


def go_number(value: float) -> str:
    """Return a 64-bit float as Go's `%v` does: 1234567 is `1.234567e+06`."""
    return _shortest(go_float(value), lambda exponent: exponent < -4 or exponent >= 6)


def go_float(value: float) -> float:
    """Return a number as a 64-bit float; a whole number beyond its range is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _shortest(
    number: float, scientific: Callable[[int], bool], *, short_exponent: bool = False
) -> str:
    if math.isnan(number) or math.isinf(number):
        return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    decimal = Decimal(repr(number))
    exponent = decimal.adjusted()
    digits = "".join(map(str, decimal.as_tuple().digits)).rstrip("0")
    sign = "-" if number < 0 else ""
    if scientific(exponent):
        rest = f".{digits[1:]}" if len(digits) > 1 else ""
        mark, size = ("-" if exponent < 0 else "+"), str(abs(exponent))
        return f"{sign}{digits[0]}{rest}e{mark}{size if short_exponent else size.zfill(2)}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    if len(digits) <= exponent + 1:
        return sign + digits.ljust(exponent + 1, "0")
    return f"{sign}{digits[: exponent + 1]}.{digits[exponent + 1 :]}"
