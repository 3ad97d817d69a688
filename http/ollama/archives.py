"""`/api/export` and `/api/import`: models as one file, never in memory as a whole."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

from quart import Blueprint, request
from quart.utils import encode_headers
from quart.wrappers import Response

from actorllm.actors.kernel import Items
from actorllm.http.connection import RequestBody, Send, Writing
from actorllm.http.edge import Edge, Log
from actorllm.http.errors import is_expected, json_response, problem_of, refusal
from actorllm.http.stream import log_crash
from actorllm.protocol.messages.archives import (
    Export,
    ExportPart,
    FeedImport,
    FinishImport,
    Import,
    Imported,
)

__all__ = ["TAR", "blueprint"]

TAR = "application/x-tar"
_WINDOW = 4
"""Parts that are read ahead."""
_FEED_TIMEOUT = 120.0
"""Seconds that a disk may take for a part."""
_FINISH_TIMEOUT = 600.0
"""Seconds until all models are written."""


class _Archive(Writing):
    """The bytes of an archive. One that cannot be completed breaks the connection."""

    def __init__(
        self, source: Callable[[], AbstractAsyncContextManager[Items[ExportPart]]], log: Log
    ) -> None:
        super().__init__()
        self._source = source
        self._log = log
        self._started = False

    async def write(self, send: Send) -> None:
        try:
            async with self._source() as items:
                async for item in items:
                    if not self._started:
                        await self._start(send, item.total)
                    if item.data:
                        await send(_body(item.data, more=True))
        except Exception as e:  # noqa: BLE001 -- whatever it is, the client must notice
            await self.fail(send, e)
        else:
            await send(_body(b"", more=False))

    async def _start(self, send: Send, total: int) -> None:
        self._started = True
        self.headers["Content-Type"] = TAR
        self.headers["Content-Length"] = str(total)
        await self._head(send, 200)

    async def fail(self, send: Send, error: Exception) -> None:
        if not is_expected(error):
            log_crash(self._log, error)
        problem = problem_of(error)
        if self._started:
            # Without its end the body is shorter than promised: no client takes it for whole.
            self._log.error("export broken off", problem=problem.text)
            return
        refused = refusal(problem)
        self.headers.update(refused.headers)
        await self._head(send, refused.status_code)
        await send(_body(await refused.get_data(as_text=False), more=False))

    async def _head(self, send: Send, status: int) -> None:
        self.status_code = status
        headers = encode_headers(self.headers)
        await send({"type": "http.response.start", "status": status, "headers": headers})


def _body(data: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def _take_in(edge: Edge, body: RequestBody, name: str) -> Imported:
    archives = edge.node.ref("/archives")
    async with archives.stream(Import(name)) as items:
        id_ = (await anext(items)).id
        async for part in body:
            # Each answer is the permission to read on: at most one part is on its way.
            await archives.ask(FeedImport(id_, part), timeout=_FEED_TIMEOUT)
        return await archives.ask(FinishImport(id_), timeout=_FINISH_TIMEOUT)


def blueprint(edge: Edge) -> Blueprint:
    """Make the routes."""
    api = Blueprint("ollama_archives", __name__)

    @api.get("/api/export")
    async def export() -> Response:
        models = tuple(request.args.getlist("model"))
        source = partial(edge.node.ref("/archives").stream, Export(models), window=_WINDOW)
        return _Archive(source, edge.log)

    @api.post("/api/import")
    async def import_() -> Response:
        body = request.body
        assert isinstance(body, RequestBody)
        imported = await _take_in(edge, body, request.args.get("name", ""))
        models = [{"name": model.name, "size": model.size} for model in imported.models]
        return json_response(
            {"models": models, "stored": imported.stored, "reused": imported.reused}
        )

    return api
