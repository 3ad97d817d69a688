"""What a Jinja chat template can do, as far as its text tells."""

import functools
import re

from attrs import frozen

from actorllm.actors.runner.prompt.tags import KNOWN_TAGS, NO_TAGS, ThinkingTags

__all__ = ["JinjaFacts", "jinja_facts"]

_MARKS: dict[str, tuple[str, ...]] = {
    "<think:opensource>": ("<think{}>", ":opensource"),
    "<|open|>think<|sep|>": ("<|open|>", "('think')"),
}
"""Where a template puts its tags together: what it contains instead, by the opening tag."""
_SPLITS_THOUGHTS = re.compile(r"content\.split\(\s*['\"]</think>['\"]")
_ASKS_FOR_CALLS = ("tool_calls", "assistant_tool_call")
_TAKES_RESULTS = re.compile(r"tool_response|tool_results|ipython|['\"]tool['\"]", re.IGNORECASE)


@frozen
class JinjaFacts:
    """What a template supports."""

    tools: bool
    """It declares tools to the model."""
    thinking: bool
    """The model writes thoughts that can be told from its answer."""
    tool_round_trip: bool
    """It renders past calls and their results."""
    tags: ThinkingTags


@functools.lru_cache(maxsize=64)
def jinja_facts(source: str) -> JinjaFacts:
    """Return what the template `source` supports."""
    tags = _tags(source)
    return JinjaFacts(
        tools="tools" in source or "tool_call" in source,
        thinking=bool(tags),
        tool_round_trip=any(word in source for word in _ASKS_FOR_CALLS)
        and _TAKES_RESULTS.search(source) is not None,
        tags=tags,
    )


def _tags(source: str) -> ThinkingTags:
    for tags in KNOWN_TAGS:
        if all(mark in source for mark in _MARKS.get(tags.open, (tags.open, tags.close))):
            return tags
    if _SPLITS_THOUGHTS.search(source):
        # It removes past thoughts, so the model writes some, although no tag opens them here.
        return ThinkingTags("<think>", "</think>")
    return NO_TAGS
