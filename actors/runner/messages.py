"""What a runner is told and what it says. Imports no llama.cpp: the daemon speaks this, too."""

import attrs

from actorllm.actors.runner.engine.types import EngineSettings
from actorllm.protocol.codec import Ask, Stream, Value, message
from actorllm.protocol.messages.generation import Chunk, GenerateRequest
from actorllm.protocol.messages.models import ResolvedModel
from actorllm.protocol.messages.prompts import DetokenizedText, RenderedPrompt, TextTokens
from actorllm.protocol.options import Options

__all__ = [
    "Detokenize",
    "Embed",
    "Embedded",
    "Generate",
    "Load",
    "LoadReport",
    "Piece",
    "Render",
    "Resume",
    "RunnerArgs",
    "Tokenize",
]


@message
class RunnerArgs(Value):
    """What a runner is made from: the weights and how to load them. Names come with requests."""

    settings: EngineSettings
    memory: int = 0
    """Bytes that the scheduler has planned for it; 0: not known."""


@message
class LoadReport(Value):
    """Progress of a load; the last one has `ready`."""

    fraction: float
    ready: bool = False
    num_ctx: int = 0
    """Tokens of context of each slot."""
    slots: int = 0
    deterministic: bool = False
    """Whether deterministic requests are guaranteed to be so."""
    can_embed: bool = False
    notices: tuple[str, ...] = ()
    """What was degraded, a line each."""


@message
class Load(Stream[LoadReport]):
    """Load the weights. Refused with 500 when they cannot be loaded. Leaving aborts the load."""


@message
class Resume:
    """What a stream has delivered before its runner died."""

    tokens: tuple[int, ...] = ()
    content: int = 0
    """Characters."""
    thinking: int = 0
    """Characters."""
    tool_calls: int = 0


@message
class Generate(Stream["Piece"]):
    """Continue a prompt."""

    request: GenerateRequest
    model: ResolvedModel
    options: Options
    """Merged; the seed is chosen."""
    now: float
    """Unix seconds of the request: templates may print the date, and must print it again."""
    resume: Resume = attrs.field(factory=Resume)


@message
class Piece(Value):
    """What came of a stream at a time: a token, or as many as there are in some milliseconds."""

    tokens: tuple[int, ...]
    """Those that a resumed stream must not repeat."""
    chunk: Chunk


@message
class Embedded(Value):
    """Vectors in the order of the inputs."""

    vectors: tuple[tuple[float, ...], ...]
    prompt_tokens: int
    truncated: tuple[int, ...] = ()
    """Tokens that each input lost; empty: all are whole."""


@message
class Embed(Stream[Embedded]):
    """Compute vectors: exactly one item. Refused with 400 for inputs that do not fit."""

    inputs: tuple[str, ...]
    truncate: bool
    normalize: bool
    dimensions: int
    num_ctx: int | None
    """The request's, if it gave one: the limit of an input."""
    query: str | None = None
    """Rank the inputs against it."""
    tokens: tuple[tuple[int, ...], ...] = ()
    """In place of `inputs`."""


@message
class Render(Ask[RenderedPrompt]):
    """Make the prompt of a generation, and generate nothing."""

    work: Generate


@message
class Tokenize(Ask[TextTokens]):
    """Split a text into tokens."""

    text: str
    add_special: bool
    parse_special: bool
    pieces: bool


@message
class Detokenize(Ask[DetokenizedText]):
    """Join tokens. Refused with 400 for one that the model has not."""

    tokens: tuple[int, ...]
