"""`/v1/audio/transcriptions`: a chat with a model that hears."""

from io import BytesIO

import attrs
from quart import Blueprint, request
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from actorllm.http.connection import RequestBody
from actorllm.http.edge import Edge
from actorllm.http.errors import json_response
from actorllm.http.frames import notice_header
from actorllm.http.generation import check_request, client_of_request, collect
from actorllm.http.openai.refusals import refusal
from actorllm.http.v1 import PLAIN_JSON, Unreadable, install
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.errors import Problem
from actorllm.protocol.messages.generation import GenerateRequest

__all__ = ["blueprint"]

_MAX_PARTS = 32
_TASK = "Transcribe the following audio."


@attrs.frozen
class Transcription:
    """The fields of a form."""

    model: str
    audio: bytes
    language: str = ""
    prompt: str = ""
    response_format: str = ""
    """`text`; everything else is JSON."""


def _refused(text: str) -> Unreadable:
    return Unreadable(Problem(400, text))


def _unparsed(why: str) -> Unreadable:
    return _refused(f"failed to parse multipart form: {why}")


def parse(content_type: str, data: bytes) -> Transcription:
    """Read a form.

    Raises:
        Unreadable: It is none, or the model or the file is missing.
    """
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data":
        raise _unparsed("request Content-Type isn't multipart/form-data")
    boundary = options.get("boundary", "").encode("latin-1", "replace")
    if not boundary:
        raise _unparsed("no multipart boundary param in Content-Type")
    parser = MultiPartParser(
        stream_factory=lambda *_, **__: BytesIO(),  # the body is in memory, and bounded, already
        max_form_memory_size=len(data),
        max_form_parts=_MAX_PARTS,
    )
    try:
        fields, files = parser.parse(BytesIO(data), boundary, len(data))
    except (ValueError, HTTPException):
        raise _unparsed("multipart: NextPart: EOF") from None
    if not fields.get("model"):
        raise _refused("model is required")
    file = files.get("file")
    if file is None:
        raise _refused("file is required: http: no such file")
    audio = file.stream.read()
    if not audio:
        raise _refused("audio file is empty")
    rest = (fields.get(key, "") for key in ("language", "prompt", "response_format"))
    return Transcription(fields["model"], audio, *rest)


def transcription_request(form: Transcription) -> GenerateRequest:
    """Translate a form."""
    task = _TASK
    if form.language:
        task += f" The language is {form.language}."
    if form.prompt:
        task += f" {form.prompt}"
    is_known = form.response_format in {"", "json", "text"}
    unknown = f"response_format {form.response_format[:40]!r} is not built: the answer is JSON"
    return GenerateRequest(
        model=form.model,
        kind="chat",
        messages=(ChatMessage("user", task, images=(form.audio,)),),
        options={"temperature": 0},
        think=False,
        notices=() if is_known else (unknown,),
    )


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("openai_audio", __name__)
    install(api, edge, refusal)

    @api.post("/v1/audio/transcriptions")
    async def transcriptions() -> Response:
        body = request.body
        assert isinstance(body, RequestBody)
        data = await body.read(edge.settings.max_request_bytes)
        form = parse(request.headers.get("Content-Type", ""), data)
        wanted = transcription_request(form)
        check_request(wanted)
        answer = await collect(edge, wanted, client_of_request())
        assert answer.done is not None
        edge.metrics.finished(answer.done)
        text = answer.content.strip()
        if form.response_format == "text":
            return TrioResponse(text, content_type="text/plain")
        response = json_response({"text": text}, content_type=PLAIN_JSON)
        response.headers.update(notice_header(answer.notices, edge.metrics))
        return response

    return api
