"""What all dialects write alike: log probabilities, rendered prompts, and what was degraded."""

from collections.abc import Sequence
from typing import Any

from actorllm.protocol.messages.generation import Done, Logprob, TopLogprob

__all__ = ["cached_tokens", "debug_info", "likelihood", "logprobs", "notices", "thinking_tokens"]

Json = dict[str, Any]

_IMPOSSIBLE = -9999.0
"""What OpenAI says of tokens that cannot come."""

CACHED_FROM = 256
"""Fewest cached tokens of a prompt that are told. The reference tells none, and of short prompts,
whose template alone is cached now and again, clients shall not see a difference."""

THOUGHTS_FROM = 16
"""Fewest tokens of thoughts that are told, or a part of their budget: the reference tells none."""
_TELLING_PART = 20


def cached_tokens(done: Done) -> int:
    """How many tokens of the prompt did not have to be computed; 0 if too few to tell."""
    return done.prompt_cached_count if done.prompt_cached_count >= CACHED_FROM else 0


def thinking_tokens(done: Done) -> int:
    """How many tokens were thoughts; 0 if too few to tell."""
    enough = THOUGHTS_FROM
    if done.think_budget is not None:
        enough = min(enough, done.think_budget // _TELLING_PART)
    return done.thinking_count if done.thinking_count >= enough else 0


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
    return {"token": item.token, "logprob": likelihood(item), "bytes": item.bytes}


def likelihood(item: Logprob | TopLogprob) -> float:
    """The log probability of a token; that of one that a grammar forbids cannot be said in JSON."""
    return max(item.logprob, _IMPOSSIBLE)


def notices(done: Done) -> Json:
    """Say in a key of our own what was degraded since the answer began, cached, or thought.

    What was known by then, such as a prompt that was cut, is in the header `Actorllm-Notice`.
    """
    facts: Json = {
        "notices": done.notices,
        "shifted_tokens": done.shifted_tokens,
        "failovers": done.failovers,
        "cached_tokens": cached_tokens(done),
        "thinking_count": thinking_tokens(done),
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
