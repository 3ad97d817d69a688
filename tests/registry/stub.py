"""A small HTTP server that answers as a test wants, for what no honest registry does."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import attrs

from actorllm.protocol.names import digest_of


@attrs.frozen
class Request:
    method: str
    url: str
    """Path and query."""
    headers: dict
    """Names in lower case."""
    body: bytes

    @property
    def path(self):
        return urlsplit(self.url).path

    def range(self):
        """First byte and the one after the last, None if the request is for all."""
        text = self.headers.get("range")
        if text is None:
            return None
        first, _, last = text.removeprefix("bytes=").partition("-")
        return int(first), int(last) + 1


@attrs.frozen
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict = attrs.field(factory=dict)


def serve_blob(data):
    """An answer with ranges."""

    def answer(request):
        wanted = request.range()
        if wanted is None:
            return Reply(200, data)
        first, end = wanted
        return Reply(
            206,
            data[first:end],
            {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}"},
        )

    return answer


class Stub(ThreadingHTTPServer):
    """Answers by method and path; remembers what it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.routes = {}
        self.asked: list[Request] = []

    @property
    def host(self):
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self):
        return f"http://{self.host}"

    def on(self, method, path, answer):
        """Answer with a `Reply`, or with what a function makes of the request."""
        self.routes[method, path] = answer

    def requests(self, method, part=""):
        return [r for r in self.asked if r.method == method and part in r.url]

    def model(self, repository, *blobs, sizes=None, answer=serve_blob):
        """Offer a model of these blobs; returns the digests."""
        digests = [digest_of(blob) for blob in blobs]
        layers = [
            {
                "mediaType": "application/vnd.ollama.image.model",
                "digest": digest,
                "size": (sizes or {}).get(i, len(blob)),
            }
            for i, (digest, blob) in enumerate(zip(digests, blobs, strict=True))
        ]
        manifest = {"schemaVersion": 2, "layers": layers}
        self.on(
            "GET",
            f"/v2/{repository}/manifests/latest",
            Reply(200, json.dumps(manifest).encode()),
        )
        for digest, blob in zip(digests, blobs, strict=True):
            self.on("GET", f"/v2/{repository}/blobs/{digest}", answer(blob))
        return digests

    def handle_error(self, request, client_address):
        """Clients that leave are no error."""


class _Handler(BaseHTTPRequestHandler):
    server: Stub
    protocol_version = "HTTP/1.1"

    def _answer(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        request = Request(self.command, self.path, headers, body)
        self.server.asked.append(request)
        answer = self.server.routes.get((request.method, request.path), Reply(404))
        if callable(answer):
            answer = answer(request)
        self.send_response(answer.status)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if request.method != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *_):
        pass


for _method in ("GET", "HEAD", "POST", "PATCH", "PUT"):
    setattr(_Handler, f"do_{_method}", _Handler._answer)


@contextmanager
def stub_registry():
    """Run one while the block lasts."""
    server = Stub()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
