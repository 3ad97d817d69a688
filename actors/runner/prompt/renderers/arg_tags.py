"""Calls whose arguments are pairs of `<arg_key>` and `<arg_value>`: GLM and Poolside."""

from typing import Any

from actorllm.actors.runner.prompt.gojson import go_json
from actorllm.protocol.chat import ToolCall

__all__ = ["tagged_call"]


def tagged_call(call: ToolCall, *, spaced: bool = False, line: str = "") -> str:
    """Return a call in tags.

    Args:
        call: what the model asked for.
        spaced: put spaces into the JSON of values.
        line: what ends each line; empty: all in one.
    """
    pairs = "".join(
        f"<arg_key>{name}</arg_key>{line}<arg_value>{_value(value, spaced)}</arg_value>{line}"
        for name, value in call.arguments.items()
    )
    return f"<tool_call>{call.name}{line}{pairs}</tool_call>{line}"


def _value(value: Any, spaced: bool) -> str:
    return value if isinstance(value, str) else go_json(value, sort=True, spaced=spaced)
