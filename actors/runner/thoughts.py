"""The tags between which a model thinks before it answers, as prompt and parser tell them."""

from actorllm.actors.runner.parse import PARSERS
from actorllm.actors.runner.prompt.rendering import Rendered
from actorllm.actors.runner.prompt.tags import KNOWN_TAGS, NO_TAGS, ThinkingTags
from actorllm.protocol.chat import Think

__all__ = ["thinking_tags_of", "thoughts_of"]

_HARMONY_ANSWERS = (
    "<|channel|>final<|message|>",
    "<|channel|>final <|constrain|>json<|message|>",
)
"""The headers of gpt-oss's answer, behind its messages to itself."""
_CHANNELS = {
    "harmony": ("<|channel|>analysis<|message|>", ("<|end|>",)),
    "glimmer": (" to=self<|message|>", ("<|eom|>",)),
}
"""How messages of a model to itself begin and end, by the parser."""


def thoughts_of(
    rendered: Rendered | None, parser: str | None, think: Think
) -> tuple[str, tuple[str, ...]]:
    """Give the tag that may open thoughts, and those that close them.

    Without an opening tag the prompt has opened them; without closing ones there are none.
    """
    if rendered is None:
        return "", ()
    if rendered.choice.harmony or parser == "harmony":
        return "", _HARMONY_ANSWERS
    tags = rendered.tags or _declared_tags(parser)
    if not tags:
        return "", ()
    if rendered.starts_in_thinking:
        return "", (tags.close,)
    if think is False or rendered.text.rstrip().endswith(tags.close.strip()):
        return "", ()
    return tags.open, (tags.close,)


def thinking_tags_of(
    rendered: Rendered | None, parser: str | None, think: Think
) -> tuple[str, tuple[str, ...]]:
    """Give the tags around thoughts: as `thoughts_of`, but of formats with channels, too."""
    name = "harmony" if rendered is not None and rendered.choice.harmony else parser or ""
    if rendered is None or think is False or name not in _CHANNELS:
        return thoughts_of(rendered, parser, think)
    return _CHANNELS[name]


def _declared_tags(parser: str | None) -> ThinkingTags:
    """Give the tags of a declared parser: those of which it must see a token."""
    info = PARSERS.get(parser or "")
    if info is None or not info.thinking:
        return NO_TAGS
    fits = (tags for tags in KNOWN_TAGS if tags.open.startswith(info.preserved))
    return next(fits, NO_TAGS)
