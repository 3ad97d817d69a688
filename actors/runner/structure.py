"""`format` to the structure that the sampler keeps to, or a refusal that says what cannot be kept."""

import json
from typing import Any

from actorllm.actors.runner.engine.grammar import check
from actorllm.actors.runner.engine.types import EngineError, Structure
from actorllm.actors.runner.parse import PARSERS
from actorllm.actors.runner.prompt import Rendered
from actorllm.actors.runner.prompt.tags import KNOWN_TAGS, NO_TAGS, ThinkingTags
from actorllm.protocol.chat import Think
from actorllm.protocol.errors import Refused

__all__ = ["refused", "structure_of"]

_JSON_OBJECT = '{"type": "object"}'
_HARMONY_ANSWERS = (
    "<|channel|>final<|message|>",
    "<|channel|>final <|constrain|>json<|message|>",
)
"""The headers of gpt-oss's answer, behind its messages to itself."""


def structure_of(
    wanted: Any, rendered: Rendered | None = None, *, parser: str | None = None, think: Think = None
) -> Structure | None:
    """Return the structure of the answer to a request; None if its format is open.

    Thoughts before the answer are free. Whether there may be some follows from the prompt: it left
    them open, or it did not close them and the model has tags for them.

    Args:
        wanted: None, "", "json" or a JSON Schema object.
        rendered: The prompt; None if it is the client's own text.
        parser: The parser that the model declares.
        think: The request's `think`.

    Raises:
        Refused: 400, naming what cannot be kept to.
    """
    if not wanted and wanted != {}:
        return None
    text = _JSON_OBJECT if wanted in ("json", {}) else json.dumps(wanted)
    structure = Structure("schema", text, *_thoughts(rendered, parser, think))
    try:
        check(structure)
    except EngineError as e:
        raise refused(e) from None
    return structure


def refused(error: EngineError) -> Refused:
    """Refuse a format for what the engine said of it."""
    return Refused.because(400, f"invalid JSON schema in format: {error}")


def _thoughts(
    rendered: Rendered | None, parser: str | None, think: Think
) -> tuple[str, tuple[str, ...]]:
    """Give the tag that may open thoughts, and those that close them."""
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


def _declared_tags(parser: str | None) -> ThinkingTags:
    """Give the tags of a declared parser: those of which it must see a token."""
    info = PARSERS.get(parser or "")
    if info is None or not info.thinking:
        return NO_TAGS
    fits = (tags for tags in KNOWN_TAGS if tags.open.startswith(info.preserved))
    return next(fits, NO_TAGS)
