"""What all dialects write alike: log probabilities, rendered prompts, and what was degraded."""

from collections.abc import Sequence
from typing import Any

from actorllm.protocol.messages.generation import Done, Logprob, TopLogprob

__all__ = ["debug_info", "logprobs", "notices"]

Json = dict[str, Any]

_IMPOSSIBLE = -9999.0
"""What OpenAI says of tokens that cannot come."""


def logprobs(items: Sequence[Logprob]) -> list[Json]:
    """Write log probabilities."""
    written = []
    for item in items:
        entry = _logprob(item)
        if item.top:
            entry["top_logprobs"] = list(map(_logprob, item.top))
        written.append(entry)
    return written


def _logprob(item: Logprob | TopLogprob) -> Json:
    # A token that a grammar forbids has minus infinity, which JSON cannot say.
    value = max(item.logprob, _IMPOSSIBLE)
    return {"token": item.token, "logprob": value, "bytes": item.bytes}


def notices(done: Done) -> Json:
    """Say what was degraded since the answer began, in a key of our own.

    What was known by then, such as a prompt that was cut, is in the header `Actorllm-Notice`.
    """
    facts: Json = {
        "notices": done.notices,
        "shifted_tokens": done.shifted_tokens,
        "failovers": done.failovers,
    }
    said = {key: value for key, value in facts.items() if value}
    return {"actorllm": said} if said and done.rendered is None else {}


def debug_info(done: Done) -> Json:
    """Tell the rendered prompt, where it was asked for."""
    if done.rendered is None:
        return {}
    info: Json = {"rendered_template": done.rendered}
    if done.image_count:
        info["image_count"] = done.image_count
    return {"_debug_info": info}
