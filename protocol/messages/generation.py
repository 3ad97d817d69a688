"""Prompts in, tokens out.

The edge says `Submit` (or `SubmitEmbed`) to the queue, which answers with a `Ticket`: the path of
the job actor that was born for the request. The edge then opens `Follow` (or asks `FollowEmbed`)
at the job. A job that nobody follows within seconds ends by itself; one whose follower leaves is
cancelled at once, wherever it is: queued, loading, in prefill or in decode.
"""

from typing import Any, Literal

import attrs

from actorllm.protocol.chat import ChatMessage, JsonObject, Think, Tool, ToolCall, ToolChoice
from actorllm.protocol.codec import Ask, Stream, Value, message

__all__ = [
    "Chunk",
    "Done",
    "EmbedRequest",
    "Embeddings",
    "Follow",
    "FollowEmbed",
    "GenerateRequest",
    "Logprob",
    "Submit",
    "SubmitEmbed",
    "Ticket",
    "TopLogprob",
]


@message
class GenerateRequest:
    """A prompt or a conversation to be continued, as the client asked for it."""

    model: str
    """The name as the client wrote it."""
    kind: Literal["generate", "chat"]
    prompt: str = ""
    tokens: tuple[int, ...] = ()
    """A prompt of `generate` that is tokens already; they are taken as they are."""
    suffix: str = ""
    system: str = ""
    template: str = ""
    """A Go template in place of the model's."""
    context: tuple[int, ...] | None = None
    """Tokens that the prompt goes on from. None: not given; given, though empty, it stands for the
    conversation so far, and the model's own messages are left out."""
    raw: bool = False
    images: tuple[bytes, ...] = ()
    messages: tuple[ChatMessage, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    """None: calls are the model's own affair, and nothing holds them to their schemas."""
    format: Any = None
    """Decoded JSON: None, "json" or a JSON Schema object."""
    grammar: str = ""
    """GBNF that the answer keeps to, in place of a format; its rule `root` is the answer."""
    options: JsonObject = attrs.field(factory=dict)
    """As sent; checked against `protocol.options` when the job starts."""
    keep_alive: int | None = None
    """Nanoseconds; negative: forever; None: not given."""
    think: Think = None
    think_budget: int | None = None
    """Most tokens of thoughts; then they are ended. None: no limit."""
    truncate: bool = True
    shift: bool | None = None
    logprobs: bool = False
    top_logprobs: int = 0
    render_only: bool = False
    """Answer with the rendered prompt in `Done.rendered` and generate nothing."""
    template_variables: JsonObject = attrs.field(factory=dict)
    """Further variables of the model's Jinja template."""
    default_options: JsonObject = attrs.field(factory=dict)
    """Options of the dialect, weaker than the request's and stronger than the model's."""
    drop_unsupported_thinking: bool = False
    """Ignore `think` where the model cannot, instead of refusing (the Anthropic dialect)."""
    notices: tuple[str, ...] = ()
    """What of the client's request was left out on the way here."""


@message
class EmbedRequest:
    """Texts to be embedded."""

    model: str
    inputs: tuple[str, ...] = ()
    tokens: tuple[tuple[int, ...], ...] = ()
    """Inputs that are tokens already, in place of `inputs`; they are taken as they are."""
    truncate: bool = True
    dimensions: int = 0
    """0: all of them."""
    normalize: bool = True
    """Vectors have length one; scores lie between 0 and 1."""
    query: str | None = None
    """Rank the inputs, which are documents, against it: each gets a vector of one score."""
    options: JsonObject = attrs.field(factory=dict)
    keep_alive: int | None = None


@message
class Ticket(Value):
    """A request was admitted."""

    job: str
    """Path of the job actor."""


@message
class Submit(Ask[Ticket]):
    """Admit a generation. Refused with 503 and a Retry-After when the queue is full."""

    request: GenerateRequest
    client: str
    """Who asks: the unit of fairness (an address, or a key where there is one)."""


@message
class SubmitEmbed(Ask[Ticket]):
    """Admit an embedding."""

    request: EmbedRequest
    client: str


@message
class TopLogprob:
    """One of the most likely tokens at a position."""

    token: str
    logprob: float
    bytes: tuple[int, ...]


@message
class Logprob:
    """The log probability of a generated token."""

    token: str
    logprob: float
    bytes: tuple[int, ...]
    top: tuple[TopLogprob, ...] = ()


@message
class Done:
    """How a generation ended. Durations in nanoseconds."""

    reason: str
    """`stop`, `length`, `load`, `unload`; empty for a rendered prompt alone."""
    context: tuple[int, ...] = ()
    """Tokens of prompt and output; empty for raw requests and for chats."""
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    """All tokens of the prompt."""
    prompt_cached_count: int = 0
    """Those that were in the cache."""
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    thinking_count: int = 0
    """Those of the generated tokens that were thoughts, without their tags."""
    think_budget: int | None = None
    """The request's, if it was kept to."""
    rendered: str | None = None
    image_count: int = 0
    notices: tuple[str, ...] = ()
    """What was degraded or dropped since the first chunk, a line each: never silent."""
    truncated_messages: int = 0
    truncated_tokens: int = 0
    shifted_tokens: int = 0
    """Tokens that context shift pushed out of the window."""
    failovers: int = 0
    """How many runners died under this stream."""
    stop_sequence: str = ""
    """The stop sequence that ended the text, if one did."""


@message
class Chunk(Value):
    """What came since the last chunk; the last one has `done`."""

    content: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[Logprob, ...] = ()
    notices: tuple[str, ...] = ()
    """On the first chunk: what was degraded, dropped or ignored, as far as it is known by then."""
    done: Done | None = None


@message
class Follow(Stream[Chunk]):
    """Open the stream of a job; leaving it cancels the job. A refusal may come before any item."""


@message
class Embeddings(Value):
    """Vectors, one per input, in order."""

    vectors: tuple[tuple[float, ...], ...]
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    truncated: tuple[int, ...] = ()
    """Tokens that each input lost; empty: all are whole."""


@message
class FollowEmbed(Stream[Embeddings]):
    """Wait for a job's vectors: exactly one item. Leaving the stream cancels the job."""
