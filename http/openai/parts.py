"""Parts that the routes of `/v1` share: options, efforts, images, identifiers, usage."""

import random
from collections.abc import Sequence
from typing import Any

from actorllm.http.facts import cached_tokens, logprobs, thinking_tokens
from actorllm.http.wire import base64
from actorllm.http.wire.binding import body
from actorllm.protocol.chat import JsonObject, Think, ToolCall
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import JsonError, dumps, loads, quote_plain, text
from actorllm.protocol.messages.generation import Done, Logprob
from actorllm.protocol.options import kind_of

__all__ = [
    "DONE",
    "FINGERPRINT",
    "ReasoningBody",
    "StreamOptionsBody",
    "arguments_of",
    "biases",
    "event",
    "finish_reason",
    "go_type",
    "identifier",
    "image_of_url",
    "sampling",
    "stop_texts",
    "system_role",
    "think_of_effort",
    "total_usage",
    "usage",
    "written_calls",
    "written_logprobs",
]

FINGERPRINT = "fp_ollama"
DONE = b"data: [DONE]\n\n"

_EFFORTS: dict[str, Think] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "ultra": "max",
    "max": "max",
}
_IMAGE_PREFIXES = tuple(
    f"data:{kind};base64," for kind in ("image/jpeg", "image/jpg", "image/png", "image/webp", "")
)


@body("openai.Reasoning")
class ReasoningBody:
    """How hard to think."""

    effort: str = ""
    max_tokens: int | None = None
    """Tokens after which thoughts are ended."""
    summary: str | None = None


@body("openai.StreamOptions")
class StreamOptionsBody:
    """What a stream shall say beside the text."""

    include_usage: bool = False


def sampling(**given: Any) -> JsonObject:
    """Return the options that were given."""
    return {key: value for key, value in given.items() if value is not None}


def think_of_effort(effort: str) -> Think:
    """Translate an effort; an empty one is unset.

    Raises:
        Refused: 400, there is no such effort.
    """
    if not effort:
        return None
    if effort not in _EFFORTS:
        raise Refused.because(
            400,
            f'invalid reasoning value: {quote_plain(effort[:100])} (must be "minimal", "low", "medium", '
            '"high", "xhigh", "ultra", "max", or "none")',
        )
    return _EFFORTS[effort]


def image_of_url(url: str) -> bytes:
    """Decode a data URL.

    Raises:
        Refused: 400, it is another URL, of another type, or broken.
    """
    if url.startswith(("http://", "https://")):
        raise Refused.because(
            400,
            "image URLs are not currently supported, please use base64 encoded data instead",
        )
    for prefix in _IMAGE_PREFIXES:
        if url.startswith(prefix):
            try:
                return base64.decode(url[len(prefix) :])
            except base64.Base64Error:
                break
    raise Refused.because(400, "invalid image input")


def arguments_of(written: str) -> JsonObject:
    """Read the arguments of a tool call, which are JSON in a string.

    Raises:
        JsonError: They are no JSON object.
    """
    try:
        value = loads(written.encode())
    except OverflowError:
        raise JsonError("a number is too large") from None
    if not isinstance(value, dict):
        raise JsonError("the arguments are no object")
    return value


def system_role(role: str) -> str:
    """Lower-case a role; `developer` is OpenAI's newer word for `system`."""
    role = role.lower()
    return "system" if role == "developer" else role


def biases(value: JsonObject | None) -> JsonObject | None:
    """Check what is added to the logits of tokens.

    Raises:
        Refused: 400, it is not numbers by tokens.
    """
    kind = kind_of("logit_bias")
    assert kind is not None
    try:
        kind.convert(value or {})
    except TypeError as e:
        raise Refused.because(400, f"logit_bias must be of {e}") from None
    return value


def stop_texts(value: Any) -> list[str] | None:
    """Read where to stop: a text or several; what else it is, is ignored, as the reference does."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [v for v in value if isinstance(v, str)]
    return None


def go_type(value: Any) -> str:
    """Name the type that Go decodes a value to."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "float64"
    return {type(None): "<nil>", str: "string", list: "[]interface {}"}.get(
        type(value), "map[string]interface {}"
    )


def identifier(prefix: str) -> str:
    """Make up an identifier."""
    return f"{prefix}-{random.randrange(999)}"  # noqa: S311 -- a label, no secret


def event(value: Any) -> bytes:
    """Write a server-sent event without a name."""
    return b"data: " + dumps(value) + b"\n\n"


def finish_reason(done: Done, *, called: bool) -> str:
    """Say why a chat ended."""
    return "tool_calls" if called and done.reason == "stop" else done.reason


def usage(done: Done | None) -> JsonObject:
    """Count tokens; zeros while nothing is known."""
    return total_usage([done], [done]) if done else total_usage([], [])


def total_usage(prompts: Sequence[Done], answers: Sequence[Done]) -> JsonObject:
    """Count the tokens of several generations: some may share a prompt, which is counted once."""
    prompt = sum(done.prompt_eval_count for done in prompts)
    completion = sum(done.eval_count for done in answers)
    counted: JsonObject = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    cached = sum(map(cached_tokens, prompts))
    if cached:
        counted["prompt_tokens_details"] = {"cached_tokens": cached}
    thought = sum(map(thinking_tokens, answers))
    if thought:
        counted["completion_tokens_details"] = {"reasoning_tokens": thought}
    return counted


def written_calls(calls: tuple[ToolCall, ...]) -> list[JsonObject]:
    """Write tool calls, whose arguments are JSON in a string."""
    return [
        {
            "id": call.id,
            "index": call.index,
            "type": "function",
            "function": {"name": call.name, "arguments": text(call.arguments)},
        }
        for call in calls
    ]


def written_logprobs(items: tuple[Logprob, ...]) -> JsonObject:
    """Write log probabilities as a key of a choice; nothing if there are none."""
    return {"logprobs": {"content": logprobs(items)}} if items else {}
