"""Values of settings as people write them; each reader raises ValueError with what to write instead."""

import math
import re
from collections.abc import Callable

__all__ = [
    "cache_type",
    "flag",
    "grace",
    "mirrors",
    "number",
    "rate",
    "seconds",
    "size",
    "time_limit",
    "wait",
    "words",
]

_RATE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) *([kmg]?)b?")
_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}
_LEAST_RATE = 64e3
_LEAST_WAIT, _MOST_WAIT = 0.01, 30.0
_MOST_GRACE = 3600.0
_MIRROR = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]{1,300}/?")

_TRUE = {"1", "t", "true", "y", "yes", "on"}
_FALSE = {"0", "f", "false", "n", "no", "off"}


def flag(text: str) -> bool:
    """Read yes or no."""
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("use 1 or 0")


def number(least: int, most: int) -> Callable[[str], int]:
    """Make a reader of whole numbers within bounds."""

    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"use a whole number from {least} to {most}")

    return parse


def size(text: str) -> int:
    """Read a size like `500MB` (decimal) or `2GiB` (binary)."""
    match = re.fullmatch(r"(\d{1,15})\s*([KMGT]?)(i?)B?", text, re.IGNORECASE | re.ASCII)
    if match is None:
        raise ValueError('use bytes or a size such as "500MB" or "2GiB"')
    count = int(match[1])
    for _ in range(" KMGT".index(match[2].upper() or " ")):
        count *= 1024 if match[3] else 1000
    return count


def seconds(text: str) -> float:
    """Read `300` (seconds) or `1h30m`; a negative one is `inf`."""
    from actorllm.protocol.durations import parse_duration  # brings the codec: not at every start

    try:
        value = parse_duration(f"{text}s" if text.removeprefix("-").isdecimal() else text) / 1e9
    except ValueError:
        hint = 'use seconds or a duration such as "90s", "5m" or "1h30m"'
        raise ValueError(hint) from None
    return math.inf if value < 0 else value


def time_limit(text: str) -> float:
    """Read a time as `seconds` does; 0 is `inf`."""
    return seconds(text) or math.inf


def wait(text: str) -> float:
    """Read the seconds of a wait, which is neither none nor long."""
    value = seconds(text)
    if not _LEAST_WAIT <= value <= _MOST_WAIT:
        raise ValueError('use a duration from "10ms" to "30s"')
    return value


def grace(text: str) -> float:
    """Read the seconds for which something may go on that is to end."""
    value = seconds(text)
    if value > _MOST_GRACE:
        raise ValueError('use a duration up to "1h"; 0: none')
    return value


def rate(text: str) -> float:
    """Read bytes for each second, like `800k`, `25MB` or `1.5GB`; units are decimal."""
    match = _RATE.fullmatch(text.lower().removesuffix("/s"))
    if match is None or not (value := float(match[1]) * _UNITS[match[2]]) >= _LEAST_RATE:
        raise ValueError('use bytes for each second, at least 64 kB, such as "800k" or "25MB"')
    return value


def mirrors(text: str) -> tuple[tuple[str, str], ...]:
    """Read `https://mirror` (of the default registry) or `host=https://mirror`, comma-separated."""
    found = []
    for part in words(text):
        host, is_named, url = part.rpartition("=")
        match = _MIRROR.fullmatch(url)
        if match is None or bool(host) != bool(is_named):
            raise ValueError("use http(s)://host[:port], or registry=http(s)://host[:port]")
        found.append((host.lower(), url.rstrip("/")))
    return tuple(found)


def words(text: str) -> tuple[str, ...]:
    """Read what commas separate."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def cache_type(text: str) -> str:
    """Read a type that the KV cache can have."""
    if text.lower() not in {"f16", "q8_0", "q4_0"}:
        raise ValueError("use f16, q8_0 or q4_0")
    return text.lower()
