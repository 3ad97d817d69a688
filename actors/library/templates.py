"""What the library must know of templates and parsers, and who tells it.

A model may have a Go template (a layer), a Jinja template (in its weights), and the names of a
renderer and a parser. What they can do is the knowledge of the runner's prompts and parsers; it
comes in as an `Analysis`, so that the library can be used, and tested, without them.
"""

from collections.abc import Callable

import attrs

__all__ = ["Abilities", "Analysis", "Choice", "TemplateFacts", "Templates"]


@attrs.frozen
class TemplateFacts:
    """What a template has a place for."""

    tools: bool = False
    suffix: bool = False
    """Text after the gap that is to be filled."""
    thinking: bool = False


@attrs.frozen
class Abilities:
    """What a parser of a model's output understands."""

    tools: bool = False
    thinking: bool = False


@attrs.frozen
class Templates:
    """All that a model brings for making prompts. Empty: it does not bring that."""

    go: str = ""
    jinja: str = ""
    renderer: str = ""
    parser: str = ""
    family: str = ""


@attrs.frozen
class Choice:
    """What makes the prompts of a model."""

    native: bool
    """The Jinja template, or the fallback where there is no template at all."""
    harmony: bool = False
    """The model speaks harmony (gpt-oss)."""


@attrs.frozen
class Analysis:
    """What others know of templates and parsers."""

    go: Callable[[str], TemplateFacts]
    """Facts of a Go template; of one that does not parse: none of them."""
    jinja: Callable[[str], TemplateFacts]
    """Facts of a Jinja template."""
    parser: Callable[[str], Abilities]
    """Of a parser by its name; of an unknown one: nothing."""
    choose: Callable[[Templates, bool | None], Choice]
    """What makes the prompts; the second argument is the user's wish for the Go template."""
