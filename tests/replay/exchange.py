"""Send recorded requests to a server, prepare its models and capture its answers."""

import base64
import hashlib
import json
import re
import time
from pathlib import Path

import httpx

GOLDENS = Path(__file__).resolve().parents[1] / "goldens" / "exchanges"
HEADERS = ("content-type", "allow", "location", "retry-after", "vary", "www-authenticate")
PLACEHOLDER = re.compile(r"\$\{(sha256:[\w-]+|stub)\}")
STORE_PATH = re.compile(r"(?<![\w:/.}])(?:/[^\s\"'/:]+)+/(blobs|manifests)/")


class Server:
    """One server under test: base URL, model files by name, address of the stub registry."""

    def __init__(self, base: str, stub: str = "127.0.0.1:1") -> None:
        self.http = httpx.Client(base_url=base, timeout=120, trust_env=False)
        spec = json.loads((GOLDENS / "models.json").read_text())
        self.models = spec["models"]
        self.files = {name: self._load(f) for name, f in spec["files"].items()}
        self.values = {f"sha256:{n}": _sha256(b) for n, b in self.files.items()} | {"stub": stub}

    @staticmethod
    def _load(spec: dict) -> bytes:
        if "text" in spec:
            return spec["text"].encode()
        data = (GOLDENS / spec["path"]).read_bytes()
        for old, new in spec.get("replace", []):
            if len(old) != len(new) or data.count(old.encode()) != 1:
                raise ValueError(f"cannot patch {old!r}")
            data = data.replace(old.encode(), new.encode())
        return data[: spec.get("truncate", len(data))]

    def fill(self, value):
        """Replace `${sha256:FILE}` and `${stub}` in every string of a JSON value."""
        if isinstance(value, str):
            return PLACEHOLDER.sub(lambda m: self.values[m[1]], value)
        if isinstance(value, list):
            return [self.fill(v) for v in value]
        if isinstance(value, dict):
            return {self.fill(k): self.fill(v) for k, v in value.items()}
        return value

    def blank(self, text: str) -> str:
        """Replace what depends on the machine in an answer by placeholders."""
        for name, value in self.values.items():
            text = text.replace(value, f"${{{name}}}")
            if name.startswith("sha256:"):
                text = text.replace(value[7:], f"${{{name}}}")
        return STORE_PATH.sub(r"${models}/\1/", text)

    def prepare(self) -> None:
        """Upload the model files and create the models that the server lacks."""
        for name, data in self.files.items():
            url = f"/api/blobs/{self.values['sha256:' + name]}"
            if self.http.head(url).status_code == 404:
                self.http.post(url, content=data).raise_for_status()
        have = {m["name"] for m in self.http.get("/api/tags").json()["models"]}
        for body in self.models:
            if f"{body['model']}:latest" not in have:
                r = self.http.post("/api/create", json=self.fill(body) | {"stream": False})
                r.raise_for_status()
                time.sleep(1.1)  # lists are ordered by modification time, in whole seconds

    def unload_all(self) -> None:
        """Unload every loaded model and wait until the server says that none is left."""
        for _ in range(100):
            loaded = self.http.get("/api/ps").json()["models"]
            if not loaded:
                return
            for m in loaded:
                self.http.post("/api/generate", json={"model": m["name"], "keep_alive": 0})
            time.sleep(0.1)

    def step(self, step: dict) -> None:
        """Perform one step of preparation or of cleaning; its answer is not looked at."""
        if step.get("unload_all"):
            self.unload_all()
        elif "sleep" in step:
            time.sleep(step["sleep"])
        else:
            self.send(step).read()

    def send(self, req: dict) -> httpx.Response:
        """Send one recorded request; the body may be JSON, raw text, base64 or a file's name."""
        headers = dict(req.get("headers", {}))
        if "body" in req:
            content = json.dumps(self.fill(req["body"]), ensure_ascii=False).encode()
            headers.setdefault("Content-Type", "application/json")
        elif "body_raw" in req:
            content = self.fill(req["body_raw"]).encode("utf-8", "surrogateescape")
        elif "body_b64" in req:
            content = base64.b64decode(req["body_b64"])
        elif "body_file" in req:
            content = self.files[req["body_file"]]
        else:
            content = b""
        return self.http.request(
            req["method"], self.fill(req["path"]), content=content, headers=self.fill(headers)
        )

    def exchange(self, case: dict) -> dict:
        """Perform one case with its steps before and after; return the captured answer."""
        try:
            for step in case.get("before", []):
                self.step(step)
            return self.capture(self.send(case["request"]))
        finally:
            for step in case.get("after", []):
                self.step(step)

    def capture(self, r: httpx.Response) -> dict:
        """Turn an answer into the form that goldens store."""
        out: dict = {"status": r.status_code, "headers": {}}
        for name, value in sorted(r.headers.items()):
            if name in HEADERS or name.startswith("access-control-"):
                out["headers"][name] = value
        if r.request.method == "HEAD" and "content-length" in r.headers:
            out["headers"]["content-length"] = r.headers["content-length"]
        raw = r.content.decode("utf-8", "replace")
        if re.search(r"\\u00(3c|3e|26)", raw) and not re.search(r"[<>&]", raw):
            out["html_escaped"] = True
        text = self.blank(raw)
        kind = r.headers.get("content-type", "").partition(";")[0]
        if kind == "application/x-ndjson":
            out["frames"] = [_parse(line) for line in text.split("\n") if line]
        elif kind == "text/event-stream":
            out["events"] = [_event(e) for e in text.split("\n\n") if e.strip()]
        elif text:
            body = _parse(text)
            out["text" if isinstance(body, str) else "body"] = body
        return out


def _sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _parse(text: str):
    try:
        return json.loads(text)
    except ValueError:
        return text


def _event(block: str) -> dict:
    event = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        event[name] = _parse(value[1:]) if name == "data" else value.removeprefix(" ")
    return event
