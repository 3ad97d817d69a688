"""`/api/blobs/<digest>`: is it there, and uploads that never lie in memory as a whole."""

from quart import Blueprint, request
from quart.wrappers import Response

from actorllm.http.connection import BodyTooLarge, RequestBody
from actorllm.http.edge import Edge
from actorllm.http.respond import empty
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import quote_plain
from actorllm.protocol.messages.blobs import AdoptBlob, CommitBlob, FindBlob, UploadBlob, WriteBlob

__all__ = ["blueprint"]

_WRITE_TIMEOUT = 120.0
"""Seconds that a disk may take for a part."""
_VERIFY_TIMEOUT = 600.0
"""Seconds for the last write of a large file to reach the disk."""


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("ollama_blobs", __name__)

    @api.route("/api/blobs/<digest>", methods=["HEAD"])
    async def find(digest: str) -> Response:
        if not (await edge.ask("/blobs", FindBlob(digest))).exists:
            raise Refused.because(404, f"blob {quote_plain(digest)} not found")
        found = empty(200)
        del found.headers["Content-Length"]  # it would be that of the blob
        return found

    @api.post("/api/blobs/<digest>")
    async def upload(digest: str) -> Response:
        if (await edge.ask("/blobs", FindBlob(digest))).exists:
            return empty(200)
        if name := request.args.get("adopt"):
            ask = AdoptBlob(digest, name)
            await edge.node.ref("/blobs").ask(ask, timeout=_VERIFY_TIMEOUT)
            return empty(201)
        body = request.body
        assert isinstance(body, RequestBody)
        if (body.expected or 0) > edge.settings.max_blob_bytes:
            raise BodyTooLarge
        await _store(edge, digest, body)
        return empty(201)

    return api


async def _store(edge: Edge, digest: str, body: RequestBody) -> None:
    blobs = edge.node.ref("/blobs")
    async with blobs.stream(UploadBlob(digest)) as items:
        number = (await anext(items)).upload
        size = 0
        async for part in body:
            size += len(part)
            if size > edge.settings.max_blob_bytes:
                raise BodyTooLarge
            # Each answer is the permission to read on: at most one part is on its way.
            await blobs.ask(WriteBlob(number, part), timeout=_WRITE_TIMEOUT)
        await blobs.ask(CommitBlob(number), timeout=_VERIFY_TIMEOUT)
