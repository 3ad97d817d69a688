"""`/api/tags`, `/api/ps`, `/api/show`, `/api/copy` and `/api/delete`."""

from typing import Any

from quart import Blueprint, request
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.errors import JSON, json_response
from actorllm.http.listing import Listing
from actorllm.http.ollama.frames import tool_calls
from actorllm.http.respond import empty
from actorllm.http.wire.binding import body
from actorllm.protocol.chat import ChatMessage, JsonObject
from actorllm.protocol.durations import format_time
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.models import (
    CopyModel,
    DeleteModel,
    ModelDetails,
    ModelInfo,
    ModelRow,
    ShowModel,
)
from actorllm.protocol.messages.scheduling import ListLoaded, LoadedModel

__all__ = ["CopyBody", "DeleteBody", "ShowBody", "blueprint"]

Json = dict[str, Any]

_COPILOT = "GitHubCopilotChat/"
"""This client shows `general.basename` to people, who know the model by the name they asked for."""


@body("api.ShowRequest")
class ShowBody:
    """Body of `/api/show`."""

    model: str = ""
    name: str = ""
    system: str = ""
    template: str = ""
    """Taken and ignored, as the reference does."""
    verbose: bool = False
    options: JsonObject | None = None


@body("api.CopyRequest")
class CopyBody:
    """Body of `/api/copy`."""

    source: str = ""
    destination: str = ""


@body("api.DeleteRequest")
class DeleteBody:
    """Body of `/api/delete`."""

    model: str = ""
    name: str = ""


def _details(info: ModelInfo) -> Json:
    return {
        "parent_model": info.parent_model,
        "format": info.format,
        "family": info.family,
        "families": info.families or None,
        "parameter_size": info.parameter_size,
        "quantization_level": info.quantization_level,
    }


def _lengths(info: ModelInfo) -> Json:
    lengths = {"context_length": info.context_length, "embedding_length": info.embedding_length}
    return {key: value for key, value in lengths.items() if value}


def _remote(model: ModelRow | ModelDetails) -> Json:
    remote = {"remote_model": model.remote_model, "remote_host": model.remote_host}
    return {key: value for key, value in remote.items() if value}


def _row(model: ModelRow) -> Json:
    return (
        {"name": model.name, "model": model.name}
        | _remote(model)
        | {
            "modified_at": format_time(model.modified_at, None),
            "size": model.size,
            "digest": model.digest,
            "details": _details(model.details) | _lengths(model.details),
            "capabilities": model.capabilities,
        }
    )


def _loaded(model: LoadedModel) -> Json:
    return {
        "name": model.name,
        "model": model.name,
        "size": model.size,
        "digest": model.digest,
        "details": _details(model.details),
        "expires_at": format_time(model.expires_at, None),
        "size_vram": model.size_vram,
        "context_length": model.context_length,
    }


def _message(message: ChatMessage) -> Json:
    said: Json = {"role": message.role, "content": message.content}
    if message.thinking:
        said["thinking"] = message.thinking
    if message.tool_calls:
        said["tool_calls"] = tool_calls(message.tool_calls)
    return said


def _shown(model: ModelDetails) -> Json:
    texts = {
        "license": model.license,
        "modelfile": model.modelfile,
        "parameters": model.parameters,
        "template": model.template,
        "system": model.system,
    }
    shown: Json = {key: value for key, value in texts.items() if value}
    shown["details"] = _details(model.details)
    if model.messages:
        shown["messages"] = list(map(_message, model.messages))
    shown |= _remote(model)
    shown["model_info"] = model.model_info
    if model.projector_info:
        shown["projector_info"] = model.projector_info
    shown["tensors"] = [
        {"name": t.name, "type": t.type, "shape": t.shape} for t in model.tensors
    ] or None
    shown["capabilities"] = model.capabilities
    shown["modified_at"] = format_time(model.modified_at, None)
    if model.requires:
        shown["requires"] = model.requires
    return shown


def _required(model: str) -> str:
    if not model:
        raise Refused.because(400, "model is required")
    return model


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("ollama_models", __name__)
    limit = edge.settings.max_request_bytes
    listing = Listing(edge, lambda models: {"models": list(map(_row, models))}, JSON)

    @api.route("/api/tags", methods=["GET", "HEAD"])
    async def tags() -> Response:
        return await listing.response()

    @api.get("/api/ps")
    async def ps() -> Response:
        loaded = await edge.ask("/scheduler", ListLoaded())
        return json_response({"models": list(map(_loaded, loaded.models))})

    @api.post("/api/show")
    async def show() -> Response:
        body = await read_body(ShowBody, limit)
        model = _required(body.model or body.name)
        wanted = ShowModel(model, body.system, body.options or {}, body.verbose)
        shown = _shown(await edge.ask("/library", wanted))
        if request.headers.get("User-Agent", "").startswith(_COPILOT):
            shown["model_info"] = shown["model_info"] | {"general.basename": model}
        return json_response(shown)

    @api.post("/api/copy")
    async def copy() -> Response:
        body = await read_body(CopyBody, limit)
        await edge.order("/library", CopyModel(body.source, body.destination))
        return empty()

    @api.delete("/api/delete")
    async def delete() -> Response:
        body = await read_body(DeleteBody, limit)
        await edge.order("/library", DeleteModel(_required(body.model or body.name)))
        return empty()

    return api
