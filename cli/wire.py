"""The shapes of decoded JSON.

The same as in `actorllm.protocol.chat`, without the import of the codec behind it: commands that
only print a table should start fast.
"""

import json
from typing import Any

from actorllm.cli.errors import NoApi

__all__ = ["Json", "Think", "body_error", "error_text", "json_object", "number"]

Json = dict[str, Any]
"""A decoded JSON object."""

Think = bool | str | None
"""None: not set; true or false; or a level."""


def json_object(content: bytes) -> Json:
    """Decode what a server says.

    Raises:
        NoApi: It is not JSON, or not an object.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as e:
        raise NoApi("the server's answer is not JSON") from e
    if not isinstance(value, dict):
        raise NoApi("the server's answer is not a JSON object")
    return value


def number(item: Json, key: str) -> int:
    """Return a whole number of an object; 0 if it is absent or none."""
    value = item.get(key)
    return value if isinstance(value, int) else 0


def body_error(content: bytes) -> str:
    """Return the text of an answer with an error status; empty if it is none of our APIs'."""
    try:
        return error_text(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def error_text(error: Any) -> str:
    """Return the text of an `error`, which one API says plainly and others in an object."""
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)
