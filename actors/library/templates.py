"""What a model's template can do, and which of its two templates makes the prompts.

A model may have a Go template (a layer) and a Jinja template (in its weights). Go templates are
analysed elsewhere, with their parser; of a Jinja template the text says enough.
"""

import re
from typing import Final

import attrs

__all__ = ["TemplateFacts", "jinja_facts", "uses_jinja"]

_TOOL_RESULTS: Final = re.compile(
    r"tool_responses?|tool_results?|ipython|role['\"]?\]?\s*==\s*['\"]tool['\"]"
)


@attrs.frozen
class TemplateFacts:
    """What a template has a place for."""

    tools: bool = False
    suffix: bool = False
    """Text after the gap that is to be filled."""
    thinking: bool = False
    tool_round_trip: bool = False
    """Both calls of tools and their results."""


def jinja_facts(text: str) -> TemplateFacts:
    """Look what a Jinja template mentions."""
    calls = "tool_calls" in text or "assistant_tool_call" in text
    return TemplateFacts(
        tools="tools" in text or "tool_call" in text,
        thinking=_thinks(text),
        tool_round_trip=calls and _TOOL_RESULTS.search(text) is not None,
    )


def _thinks(text: str) -> bool:
    if "<think>" in text and "</think>" in text:
        return True
    cuts = "content.split('</think>')" in text or 'content.split("</think>")' in text
    return cuts and "reasoning_content" not in text and "<SPECIAL_12>" not in text


def uses_jinja(
    go: TemplateFacts | None, jinja: TemplateFacts | None, *, go_template: bool | None
) -> bool:
    """Decide whether the Jinja template makes a model's prompts.

    Args:
        go: Facts of the Go template; None: the model has none.
        jinja: Facts of the Jinja template; None: the weights have none.
        go_template: The user's wish for the Go template; None: no wish, the abler one wins.
    """
    if go is None:
        return True
    if go_template is not None or jinja is None:
        return go_template is False
    ours, theirs = _set(go), _set(jinja)
    if len(theirs) > len(ours):
        return jinja.tool_round_trip or not go.tool_round_trip
    same = theirs == ours and "tools" in ours
    return same and jinja.tool_round_trip and not go.tool_round_trip


def _set(facts: TemplateFacts) -> frozenset[str]:
    found = {"tools": facts.tools, "insert": facts.suffix, "thinking": facts.thinking}
    return frozenset(ability for ability, has in found.items() if has)
