"""Prompts and answers under the magnifying glass: what a model would read, how it would be read.

The edge says these to `/prompts`. What needs the vocabulary of a model is a stream of exactly one
item, since the model may have to be loaded first: leaving the stream gives up waiting for it.
"""

import attrs

from actorllm.protocol.chat import ChatMessage, JsonObject, Think, Tool, ToolCall
from actorllm.protocol.codec import Ask, Stream, Value, message

__all__ = [
    "AnswerPart",
    "DetokenizeText",
    "DetokenizedText",
    "ParseAnswer",
    "ParsedAnswer",
    "RenderPrompt",
    "RenderedPrompt",
    "TextTokens",
    "TokenizeText",
]


@message
class RenderedPrompt(Value):
    """A prompt as the engine would get it."""

    text: str
    template: str
    """What made it: `renderer`, `go`, `jinja`, or `none`, which is ChatML."""
    reason: str
    """Why this template, in a few words."""
    starts_in_thinking: bool
    """The prompt leaves thoughts open: the answer starts inside of them."""
    tokens: tuple[int, ...] = ()
    """Empty without a model."""
    images: int = 0
    num_ctx: int = 0
    """Tokens of context that the request would have; 0 without a model."""
    truncated_messages: int = 0
    truncated_tokens: int = 0
    notices: tuple[str, ...] = ()
    """What was dropped or ignored, a line each."""


@message
class RenderPrompt(Stream[RenderedPrompt]):
    """Make the prompt of a conversation. Refused with 400 or 404, and as a generation would be."""

    client: str
    """Who asks: the unit of fairness."""
    messages: tuple[ChatMessage, ...]
    model: str = ""
    """Empty: the renderer or the template alone makes the text, and there are no tokens."""
    renderer: str = ""
    """A renderer in place of the model's."""
    template: str = ""
    """A Go or Jinja template in place of the model's."""
    tools: tuple[Tool, ...] = ()
    think: Think = None
    options: JsonObject = attrs.field(factory=dict)
    keep_alive: int | None = None
    """Nanoseconds; negative: forever; None: not given."""
    truncate: bool = True
    drop_unsupported_thinking: bool = False
    """Ignore `think` where the model cannot, instead of refusing."""


@message
class AnswerPart:
    """What one piece of a model's output gave; all fields may be empty."""

    content: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


@message
class ParsedAnswer(Value):
    """A model's output as it would be answered."""

    parser: str
    """The name of the parser; empty: it was told from the model's template."""
    whole: AnswerPart
    parts: tuple[AnswerPart, ...]
    """One for each piece of the output, and one for its end."""
    unparsed: bool
    """A call could not be read and is content."""


@message
class ParseAnswer(Ask[ParsedAnswer]):
    """Read a model's output. Refused with 400 or 404."""

    chunks: tuple[str, ...]
    model: str = ""
    parser: str = ""
    """A parser in place of the model's."""
    messages: tuple[ChatMessage, ...] = ()
    """The conversation before; parsers heed its last message. Empty: a user's greeting."""
    tools: tuple[Tool, ...] = ()
    think: Think = None


@message
class TextTokens(Value):
    """The tokens of a text."""

    tokens: tuple[int, ...]
    pieces: tuple[bytes, ...] = ()
    """The bytes of each token, if they were asked for."""


@message
class TokenizeText(Stream[TextTokens]):
    """Split a text into the tokens of a model. Refused with 400, 404 or 413."""

    client: str
    model: str
    text: str
    add_special: bool = False
    """Add the tokens that the model wants around a prompt."""
    parse_special: bool = True
    """Read the names of special tokens in the text as these tokens, as in a prompt."""
    pieces: bool = False
    keep_alive: int | None = None


@message
class DetokenizedText(Value):
    """The text of tokens; bytes that are no UTF-8 are replaced."""

    text: str


@message
class DetokenizeText(Stream[DetokenizedText]):
    """Join the tokens of a model to a text. Refused with 400, 404 or 413."""

    client: str
    model: str
    tokens: tuple[int, ...]
    keep_alive: int | None = None
