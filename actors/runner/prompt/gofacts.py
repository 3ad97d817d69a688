"""What a Go template can do; parser and interpreter are imported with the first one that is seen.

A model that comes as a GGUF file alone has none, and its first token need not wait for them.
"""

import functools
from typing import TYPE_CHECKING

from attrs import frozen

from actorllm.actors.runner.prompt.tags import ThinkingTags

if TYPE_CHECKING:
    from actorllm.actors.runner.prompt.gotemplate import GoTemplate

__all__ = ["GoFacts", "go_facts", "go_template"]


@frozen
class GoFacts:
    """What a Go template supports."""

    variables: frozenset[str]
    """The names that it reads, in lower case."""
    tools: bool
    insert: bool
    """It fills in the middle."""
    thinking: bool
    """The model writes thoughts that can be told from its answer."""
    tool_round_trip: bool
    """It renders past calls and their results."""
    tags: ThinkingTags
    tool_tag: str
    """The text with which the model starts its calls."""


@functools.lru_cache(maxsize=32)
def go_template(source: str) -> "GoTemplate":
    """Return the template of `source`, parsed once.

    Raises:
        TemplateError: the source is not a valid template.
    """
    from actorllm.actors.runner.prompt.gotemplate import GoTemplate

    return GoTemplate(source)


def go_facts(source: str) -> GoFacts:
    """Return what the template `source` supports."""
    return go_template(source).facts
