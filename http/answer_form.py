"""The form of an answer as OpenAI's and Anthropic's clients describe it."""

from typing import Any

from actorllm.protocol.errors import Refused

__all__ = ["form_of"]


def form_of(kind: str, schema: Any, *, key: str) -> Any:
    """Give the format of an answer whose form is described; None: it is free.

    A form that nobody knows is not taken for none: who asks for one relies on it.

    Args:
        kind: What is wanted; empty: plain text.
        schema: Of a `json_schema`.
        key: Where the description stands in the body.

    Raises:
        Refused: 400, there is no such form, or it lacks its schema.
    """
    kind = kind.strip().lower()
    if kind in ("", "text"):
        return None
    if kind == "json_object":
        return "json"
    if kind != "json_schema":
        said = f"{key}.type must be text, json_object or json_schema, not {kind[:40]!r}"
        raise Refused.because(400, said)
    if schema in (None, ""):
        raise Refused.because(400, f"{key} has the type json_schema, but no schema")
    return schema
