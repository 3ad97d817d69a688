"""Sizes, counts and times as people read them."""

from datetime import UTC, datetime, timedelta

__all__ = ["FOREVER", "ago", "byte_size", "count", "parse_time", "span", "until"]

FOREVER = timedelta(days=20 * 365)
"""An expiry further away than this is none."""

_STEP = 1000


def byte_size(size: int) -> str:
    """Return a size in decimal units: `512 B`, `4.7 GB`, `17 MB`."""
    value, unit = float(size), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if value < _STEP:
            break
        value, unit = value / _STEP, larger
    if value >= 10 or value == int(value):
        return f"{int(value)} {unit}"
    return f"{value:.1f} {unit}"


def count(number: int) -> str:
    """Return a number of parameters: `950`, `4.5M`, `8.0B`."""
    for unit, size in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if number >= size:
            value = number / size
            return f"{value:.0f}{unit}" if value >= 100 else f"{value:.1f}{unit}"
    return str(number)


def span(time: timedelta) -> str:
    """Return a length of time in one rough unit: `2 minutes`, `About an hour`, `3 weeks`."""
    seconds = int(time.total_seconds())
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    minutes, hours = seconds // 60, round(seconds / 3600)
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for unit, days, below in (("days", 1, 14), ("weeks", 7, 60), ("months", 30, 730)):
        if hours < 24 * below:
            return f"{hours // (24 * days)} {unit}"
    return f"{hours // (24 * 365)} years"


def ago(then: datetime, now: datetime) -> str:
    """Say when something was: `2 minutes ago`; the zero time is `Never`."""
    if then.year <= 1:
        return "Never"
    return f"{span(then - now)} from now" if then > now else f"{span(now - then)} ago"


def until(then: datetime, now: datetime) -> str:
    """Say when a loaded model expires: `4 minutes from now`, `Forever` or `Stopping...`."""
    if then <= now:
        return "Stopping..."
    return "Forever" if then - now > FOREVER else ago(then, now)


def parse_time(text: str) -> datetime:
    """Read RFC 3339 with up to nine decimals; what is no time is the zero time."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
