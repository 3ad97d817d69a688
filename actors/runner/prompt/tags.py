"""The tags between which a model writes its thoughts."""

from attrs import frozen

__all__ = ["NO_TAGS", "ThinkingTags", "opens_thinking"]


@frozen
class ThinkingTags:
    """The text before and after a model's thoughts; both empty when it has no such tags."""

    open: str = ""
    close: str = ""

    def __bool__(self) -> bool:
        return bool(self.open and self.close)


NO_TAGS = ThinkingTags()


def opens_thinking(prompt: str, tags: ThinkingTags) -> bool:
    """Tell whether the model's answer to `prompt` starts inside of its thoughts."""
    return bool(tags) and prompt.rstrip().endswith(tags.open.strip())
