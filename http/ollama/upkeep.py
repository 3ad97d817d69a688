"""`/api/partials`, `/api/prune` and `/api/key`: what the disk and the registries know of us."""

from quart import Blueprint
from quart.wrappers import Response

from actorllm.http.edge import Edge, read_body
from actorllm.http.errors import json_response
from actorllm.http.wire.binding import body
from actorllm.protocol.durations import format_time, parse_duration
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.transfers import ListPartials, PartialRow, Prune, ShowKey

__all__ = ["PruneBody", "blueprint"]


@body("api.PruneRequest")
class PruneBody:
    """Body of `/api/prune`."""

    dry_run: bool = False
    older_than: str = "1h"


def _seconds(text: str) -> float:
    try:
        return max(0.0, parse_duration(text) / 1e9)
    except ValueError as e:
        raise Refused.because(400, f"older_than: {e}") from None


def _partial(row: PartialRow) -> dict[str, object]:
    return {
        "digest": row.digest,
        "model": row.model,
        "total": row.total,
        "completed": row.completed,
        "modified_at": format_time(row.modified_at, None),
        "in_flight": row.in_flight,
    }


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("ollama_upkeep", __name__)

    @api.get("/api/partials")
    async def partials() -> Response:
        listed = await edge.ask("/downloader", ListPartials())
        return json_response({"partials": list(map(_partial, listed.partials))})

    @api.post("/api/prune")
    async def prune() -> Response:
        body = await read_body(PruneBody, edge.settings.max_request_bytes)
        wanted = Prune(_seconds(body.older_than), body.dry_run)
        pruned = await edge.order("/downloader", wanted)
        removed = [{"kind": r.kind, "digest": r.digest, "size": r.size} for r in pruned.removed]
        answer = {"removed": removed, "count": pruned.count, "freed": pruned.freed}
        return json_response(answer | ({"skipped": pruned.skipped} if pruned.skipped else {}))

    @api.get("/api/key")
    async def key() -> Response:
        return json_response({"key": (await edge.ask("/downloader", ShowKey())).key})

    return api
