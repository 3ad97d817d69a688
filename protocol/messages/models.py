"""Models on this machine: listed, shown, copied, deleted, and resolved for a run.

Names in these messages are as the client wrote them; the library normalises and refuses them.
Times are Unix nanoseconds, sizes are bytes, digests of models are bare hex.
"""

from typing import Literal

import attrs

from actorllm.protocol.chat import ChatMessage, JsonObject
from actorllm.protocol.codec import Ask, Value, message

__all__ = [
    "BlobAt",
    "CopyModel",
    "DeleteModel",
    "ListModels",
    "MemoryShape",
    "ModelCopied",
    "ModelDeleted",
    "ModelDetails",
    "ModelInfo",
    "ModelList",
    "ModelRow",
    "Purpose",
    "ResolveModel",
    "ResolvedModel",
    "ShowModel",
    "TensorInfo",
]

Purpose = Literal["generate", "chat", "embed", "embeddings"]
"""What a model is wanted for; the texts of refusals depend on it."""


@message
class ModelInfo:
    """What the wire calls `details`."""

    parent_model: str = ""
    """The model that the weights were taken from; ps does not say it."""
    format: str = "gguf"
    family: str = ""
    families: tuple[str, ...] = ()
    """Empty: `null` on the wire."""
    parameter_size: str = ""
    """For people, like `4.46M`."""
    quantization_level: str = ""
    context_length: int = 0
    """Tokens that it was trained for; 0: unknown, or not said, as in show and ps."""
    embedding_length: int = 0


@message
class ModelRow:
    """A model in a list."""

    name: str
    """Short display form, always with its tag."""
    digest: str
    """Of the manifest."""
    modified_at: int
    size: int
    details: ModelInfo
    capabilities: tuple[str, ...] = ()
    remote_model: str = ""
    remote_host: str = ""
    namespace: str = "library"
    """Who owns it: `/v1/models` says so."""


@message
class ModelList(Value):
    """All models, newest first; none where the asker has this very list already."""

    models: tuple[ModelRow, ...]
    unreadable: tuple[str, ...] = ()
    """Manifests that could not be read, a line each: name and reason."""
    version: str = ""
    """Another one for each other list; empty: there are none."""


@message
class ListModels(Ask[ModelList]):
    """Which models are there?"""

    known: str = ""
    """Version of the list that the asker has; empty: it has none."""


@message
class TensorInfo:
    """A tensor of a model's weights."""

    name: str
    type: str
    shape: tuple[int, ...]


@message
class ModelDetails(Value):
    """Everything that show says. An empty field is left out on the wire."""

    name: str
    license: str
    modelfile: str
    parameters: str
    template: str
    system: str
    details: ModelInfo
    messages: tuple[ChatMessage, ...]
    model_info: JsonObject
    """Metadata of the weights; keys are sorted; arrays are None unless it was asked verbosely."""
    projector_info: JsonObject
    tensors: tuple[TensorInfo, ...]
    capabilities: tuple[str, ...]
    modified_at: int
    requires: str = ""
    remote_model: str = ""
    remote_host: str = ""


@message
class ShowModel(Ask[ModelDetails]):
    """What is known of a model? Refused with 400 or 404 by its name."""

    model: str
    system: str = ""
    """In place of the model's, in the answer alone."""
    options: JsonObject = attrs.field(factory=dict)
    """On top of the model's parameters, in the answer's modelfile and parameters alone."""
    verbose: bool = False


@message
class BlobAt:
    """A blob and the file that holds it. The path never goes to a client."""

    digest: str
    path: str
    size: int


@message
class MemoryShape:
    """What the memory of a model depends on; `actors.library.memory` computes with it."""

    weights: int
    """Bytes of the weights, adapters and projectors."""
    layers: int = 0
    kv_values: int = 0
    """Values of keys and values that one token adds to the cache, over all layers."""
    state_bytes: int = 0
    """Recurrent state of one sequence."""
    heads: int = 0
    """Most attention heads of a layer."""
    embedding: int = 0
    feed_forward: int = 0
    vocabulary: int = 0


@message
class ResolvedModel(Value):
    """A model with everything that its scheduling, its prompts and its runner need."""

    name: str
    """Short display form."""
    full_name: str
    digest: str
    weights: BlobAt
    projectors: tuple[BlobAt, ...]
    adapters: tuple[BlobAt, ...]
    drafts: tuple[BlobAt, ...]
    details: ModelInfo
    renderer: str
    parser: str
    capabilities: tuple[str, ...]
    template: str | None
    """The Go template of the model; None: it has none."""
    native: bool
    """Whether prompts are made by the Jinja template of the weights (or the library's fallback)."""
    chat_template: str | None
    """The Jinja template in the weights; None: there is none."""
    harmony: bool
    system: str
    params: JsonObject
    messages: tuple[ChatMessage, ...]
    architecture: str
    context_length: int
    """Tokens that it was trained for; 0: unknown."""
    parameter_count: int
    pooling: int | None
    """Pooling type of an embedding model; None: it is none."""
    memory: MemoryShape
    splits: tuple[BlobAt, ...] = ()
    """Further files of weights that are split, in order."""


@message
class ResolveModel(Ask[ResolvedModel]):
    """Find a model for a run. Refused with 400, 403 or 404 by its name."""

    model: str
    purpose: Purpose


@message
class ModelCopied(Value):
    """The second name exists."""

    name: str
    """Its short display form."""


@message
class CopyModel(Ask[ModelCopied]):
    """Give a model a second name. Refused with 400 or 404."""

    source: str
    destination: str


@message
class ModelDeleted(Value):
    """The name is gone."""

    freed: int
    """Bytes of the blobs that went with it."""


@message
class DeleteModel(Ask[ModelDeleted]):
    """Forget a model and remove the blobs that no other one uses.

    Refused with 400, 404, and 403 for the one that comes with the program.
    """

    model: str
