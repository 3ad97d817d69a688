"""Create: a model from uploaded files or from another model."""

import attrs

from actorllm.protocol.chat import ChatMessage, JsonObject
from actorllm.protocol.codec import Stream, Value, message

__all__ = ["Create", "CreateStatus"]


@message
class CreateStatus(Value):
    """A step of a creation, or of a transfer that it needs. The last one says `success`."""

    status: str
    digest: str | None = None
    """Of the blob that is transferred."""
    total: int | None = None
    """Bytes."""
    completed: int | None = None
    """Bytes."""


@message
class Create(Stream[CreateStatus]):
    """Make a model. Refused before the first item where the request is invalid by itself."""

    model: str
    """Name as the client wrote it."""
    source: str = ""
    """`from` on the wire: the model that this one is built on."""
    files: dict[str, str] | None = None
    """Relative path to digest of an uploaded blob. None: not given; empty: given without a file."""
    adapters: dict[str, str] | None = None
    drafts: dict[str, str] | None = None
    """`draft_files` on the wire."""
    template: str = ""
    """A Go template."""
    license: tuple[str, ...] = ()
    system: str = ""
    parameters: JsonObject = attrs.field(factory=dict)
    """Kept as they are; their types are checked when the model runs."""
    messages: tuple[ChatMessage, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    """Least version of the server that can run the model."""
    quantize: str = ""
    """Type to convert the weights to, like `q4_K_M`."""
    draft_quantize: str = ""
    remote_host: str = ""
    info: JsonObject = attrs.field(factory=dict)
    """What a stand-in for a remote model says of it: fields of the config."""
