"""The tags between which a model writes its thoughts."""

from attrs import frozen

__all__ = ["KNOWN_TAGS", "NO_TAGS", "ThinkingTags", "open_tags", "opens_thinking"]


@frozen
class ThinkingTags:
    """The text before and after a model's thoughts; both empty when it has no such tags."""

    open: str = ""
    close: str = ""

    def __bool__(self) -> bool:
        return bool(self.open and self.close)


NO_TAGS = ThinkingTags()
KNOWN_TAGS = (
    ThinkingTags("<think>", "</think>"),
    ThinkingTags("<seed:think>", "</seed:think>"),
    ThinkingTags("<mm:think>", "</mm:think>"),
    ThinkingTags("<think:opensource>", "</think:opensource>"),
    ThinkingTags("<|START_THINKING|>", "<|END_THINKING|>"),
    ThinkingTags("[THINK]", "[/THINK]"),
    ThinkingTags("<|channel>thought", "<channel|>"),
    ThinkingTags("<|channel|>analysis<|message|>", "<|end|>"),
    ThinkingTags("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    ThinkingTags("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
)
"""The tags of public models; where several fit, the first."""


def opens_thinking(prompt: str, tags: ThinkingTags) -> bool:
    """Tell whether the model's answer to `prompt` starts inside of its thoughts."""
    return bool(tags) and prompt.rstrip().endswith(tags.open.strip())


def open_tags(prompt: str) -> ThinkingTags:
    """Return the known tags with whose opening `prompt` ends."""
    return next((tags for tags in KNOWN_TAGS if opens_thinking(prompt, tags)), NO_TAGS)
