"""Durations and times as the wire spells them: Go's durations and RFC 3339.

A duration is an int of nanoseconds in the range of 64 bits.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from actorllm.protocol.errors import Refused

__all__ = [
    "FOREVER",
    "LONGEST",
    "format_duration",
    "format_time",
    "keep_alive",
    "parse_duration",
]

FOREVER = -1
"""A keep_alive without end, whichever negative duration said so."""
LONGEST = 2**63 - 1
"""The longest duration that there is: 292 years."""

_US = 1_000
_MS = 1_000_000
_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_UNITS = {
    "ns": 1,
    "us": _US,
    "µs": _US,  # U+00B5, micro sign
    "μs": _US,  # U+03BC, Greek mu
    "ms": _MS,
    "s": _SECOND,
    "m": _MINUTE,
    "h": _HOUR,
}
_TERM = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")
_MAX_QUOTED = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_duration(text: str) -> int:
    """Read a duration such as `300ms`, `-1.5h` or `2h45m`; a bare `0` needs no unit.

    Raises:
        ValueError: The text is no duration; says why as Go's parser does.
    """
    rest = text[1:] if text[:1] in {"+", "-"} else text
    if rest == "0":
        return 0
    if not rest or len(rest) > _MAX_QUOTED:
        raise _invalid(text)
    total = 0
    while rest:
        match = _TERM.match(rest)
        assert match is not None  # every group of the pattern may be empty
        total += _term(text, match[1], match[2], match[3])
        rest = rest[match.end() :]
    if text.startswith("-"):
        if total > LONGEST + 1:
            raise _invalid(text)
        return -total
    if total > LONGEST:
        raise _invalid(text)
    return total


def _term(text: str, whole: str, fraction: str | None, unit: str) -> int:
    if not whole and not fraction:
        raise _invalid(text)
    if not unit:
        raise ValueError(f"time: missing unit in duration {_quoted(text)}")
    scale = _UNITS.get(unit)
    if scale is None:
        raise ValueError(f"time: unknown unit {_quoted(unit)} in duration {_quoted(text)}")
    value = int(whole or "0") * scale
    if fraction:
        value += int(fraction) * scale // 10 ** len(fraction)
    return value


def _invalid(text: str) -> ValueError:
    return ValueError(f"time: invalid duration {_quoted(text)}")


def _quoted(text: str) -> str:
    """Quote for an error text: quotes, backslashes, control and non-ASCII characters escaped."""
    made = []
    for char in text[:_MAX_QUOTED]:
        if char in {'"', "\\"}:
            made.append("\\" + char)
        elif " " <= char <= "~":
            made.append(char)
        else:
            made.extend(f"\\x{byte:02x}" for byte in char.encode("utf-8", "replace"))
    return f'"{"".join(made)}"'


def format_duration(nanoseconds: int) -> str:
    """Write a duration: `1m30s`, `1.5s`, `250µs`, `0s`."""
    sign = "-" if nanoseconds < 0 else ""
    left = abs(nanoseconds)
    if left == 0:
        return "0s"
    if left < _SECOND:
        unit, scale = ("ns", 1) if left < _US else ("µs", _US) if left < _MS else ("ms", _MS)
        return f"{sign}{_decimal(left, scale)}{unit}"
    minutes, left = divmod(left, _MINUTE)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_decimal(left, _SECOND)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _decimal(value: int, scale: int) -> str:
    whole, fraction = divmod(value, scale)
    if not fraction:
        return str(whole)
    digits = len(str(scale)) - 1
    return f"{whole}.{fraction:0{digits}d}".rstrip("0")


def keep_alive(value: Any) -> int | None:
    """Read a request's keep_alive: decoded JSON to nanoseconds.

    Numbers are seconds; whatever is negative means `FOREVER`, null that nothing was said.

    Raises:
        Refused: 400, in the words of the protocol.
    """
    if value is None:
        return None
    if type(value) is int or type(value) is float:
        if not 0 <= value < LONGEST / _SECOND:
            return FOREVER
        return int(value * _SECOND)
    if isinstance(value, str):
        try:
            nanoseconds = parse_duration(value)
        except ValueError as e:
            raise Refused.because(400, str(e)) from None
        return FOREVER if nanoseconds < 0 else nanoseconds
    raise Refused.because(400, f"Unsupported type: '{_go_type(value)}'")


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "map[string]interface {}" if isinstance(value, dict) else "[]interface {}"


def format_time(nanoseconds: int, zone: tzinfo | None = UTC) -> str:
    """Write a time: RFC 3339 with up to nine decimals, without trailing zeros.

    Args:
        nanoseconds: Since the Unix epoch.
        zone: The zone to write it in. None: the machine's own, with the offset of that day.
    """
    seconds, fraction = divmod(nanoseconds, _SECOND)
    moment, offset = _moment(seconds, zone)
    decimals = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{moment}{decimals}{offset}"


@lru_cache(maxsize=64)  # the frames of a stream are many in a second
def _moment(seconds: int, zone: tzinfo | None) -> tuple[str, str]:
    at = (_EPOCH + timedelta(seconds=seconds)).astimezone(zone)
    moment = at.replace(tzinfo=None).isoformat(timespec="seconds")
    return moment, _offset(at.utcoffset() or timedelta())


def _offset(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    if not minutes:
        return "Z"
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
