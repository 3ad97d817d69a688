"""The renderers by name."""

import re
from collections.abc import Sequence
from datetime import datetime

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.renderers import (
    cohere,
    deepseek,
    gemma,
    glimmer,
    glm,
    lfm2,
    nemotron,
    olmo,
    poolside,
    qwen,
)
from actorllm.actors.runner.prompt.renderers.request import Renderer, Request
from actorllm.protocol.chat import ChatMessage, Think, Tool

__all__ = ["RENDERERS", "RENDERER_BOS", "render", "resolve"]

RENDERERS: dict[str, Renderer] = {
    **cohere.RENDERERS,
    **deepseek.RENDERERS,
    **gemma.RENDERERS,
    **glimmer.RENDERERS,
    **glm.RENDERERS,
    **lfm2.RENDERERS,
    **nemotron.RENDERERS,
    **olmo.RENDERERS,
    **poolside.RENDERERS,
    **qwen.RENDERERS,
}
RENDERER_BOS: dict[str, str] = {
    name: family.BOS
    for family in (deepseek, gemma, glimmer, lfm2, poolside)
    for name in family.RENDERERS
}
"""The text with which a renderer begins, where it is the token that begins a sequence."""

_LARGE_GEMMA = 12_000_000_000  # parameters
_LARGE_NAMES = re.compile(r"(12|26|31)b")
_SMALL_NAMES = re.compile(r"e[24]b")


def resolve(name: str, *, model: str = "", parameters: int = 0) -> str:
    """Return the renderer that `name` means for a model of this name and size."""
    if name != "gemma4":
        return name
    lower = model.lower()
    if _SMALL_NAMES.search(lower):
        return "gemma4-small"
    large = _LARGE_NAMES.search(lower) is not None or parameters >= _LARGE_GEMMA
    return "gemma4-large" if large else "gemma4-small"


def render(
    name: str,
    messages: Sequence[ChatMessage],
    tools: Sequence[Tool] = (),
    think: Think = None,
    *,
    now: datetime,
) -> str:
    """Return the prompt that the renderer `name` makes.

    Raises:
        TemplateError: there is no such renderer, or it cannot render this conversation.
    """
    renderer = RENDERERS.get(name)
    if renderer is None:
        raise TemplateError(f'unknown renderer "{name}"')
    return renderer(Request(tuple(messages), tuple(tools), think, now))
