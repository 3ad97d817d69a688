"""A registry in the small: what /api/pull and /api/push talk to while cases run."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.replay.exchange import GOLDENS

TINY = (GOLDENS / "tiny-bert.gguf").read_bytes()
MODEL = TINY.replace(b"tiny-bert", b"pull-bert")  # other bytes: deleting it leaves the upload alone
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def _layer(data: bytes, kind: str) -> dict:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    return {"mediaType": kind, "digest": digest, "size": len(data)}


CONFIG = json.dumps({
    "model_format": "gguf", "model_family": "bert", "model_families": ["bert"],
    "model_type": "9.04K", "file_type": "F32", "architecture": "amd64", "os": "linux",
    "rootfs": {"type": "layers", "diff_ids": []},
}).encode()  # fmt: skip
LICENSE = b"Permission is granted to test."
PARTS = [
    (MODEL, "application/vnd.ollama.image.model"),
    (LICENSE, "application/vnd.ollama.image.license"),
]
LAYERS = [_layer(*p) for p in PARTS]
BLOBS = {x["digest"]: d for x, (d, _) in zip(LAYERS, PARTS, strict=True)}
CONFIG_LAYER = _layer(CONFIG, "application/vnd.docker.container.image.v1+json")
BLOBS[CONFIG_LAYER["digest"]] = CONFIG
WRONG = "sha256:" + "ab" * 32  # announced by `corrupt`, whose bytes have another digest
ABSENT = "sha256:" + "cd" * 32


def _manifest(layers: list[dict]) -> bytes:
    return json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": CONFIG_LAYER, "layers": layers,
    }).encode()  # fmt: skip


MANIFESTS = {
    "ok": (200, _manifest(LAYERS)),
    "corrupt": (200, _manifest([{**LAYERS[1], "digest": WRONG}])),
    "absent": (200, _manifest([{**LAYERS[1], "digest": ABSENT}])),
    "notjson": (200, b"<html>not a manifest</html>"),
    "broken": (500, b'{"errors":[{"code":"UNKNOWN","message":"boom"}]}'),
    "limited": (429, b"slow down"),
    "teapot": (418, b""),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0].strip("/").split("/")
        if path[0] == "raw":
            return self.blob(path[1])
        if len(path) < 5:
            return self.answer(404)
        name, kind, reference = path[2:5]
        if kind == "manifests":
            return self.manifest(name)
        if reference == "uploads":
            return self.upload(name)
        if self.command == "HEAD":
            size = len(BLOBS.get(reference, LICENSE))
            known = reference in BLOBS or reference == WRONG
            return self.answer(200 if known and name != "push" else 404, b"x" * size)
        if reference == ABSENT:
            return self.answer(404, b"")
        port = self.server.server_address[1]
        return self.answer(307, Location=f"http://localhost:{port}/raw/{reference}")

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = handle_any

    def manifest(self, name: str) -> None:
        if self.command == "PUT":
            return self.answer(201) if name == "push" else self.answer(403, b"read only")
        if name == "denied":
            realm = 'Bearer realm="http://elsewhere.invalid/token",service="s",scope="x"'
            return self.answer(401, b"no", WWW_Authenticate=realm)
        status, body = MANIFESTS.get(name, (404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'))
        return self.answer(status, body, Content_Type=MANIFEST)

    def upload(self, name: str) -> None:
        port = self.server.server_address[1]
        where = f"http://127.0.0.1:{port}/v2/library/{name}/blobs/uploads/1"
        status = {"POST": 202, "PATCH": 202, "PUT": 201}.get(self.command, 405)
        self.answer(status, Location=where)

    def blob(self, digest: str) -> None:
        data, status = BLOBS.get(digest, LICENSE), 200
        if part := self.headers.get("Range"):
            first, _, last = part.removeprefix("bytes=").partition("-")
            data, status = data[int(first) : int(last) + 1], 206
        self.answer(status, data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """Say nothing: some cases talk TLS to this server or hang up on it."""


def start() -> str:
    """Serve on a free port of 127.0.0.1 until the process ends; return host:port."""
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"
