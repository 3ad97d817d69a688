"""What a hostile or mistaken client may send: it is refused, and nothing is harmed."""

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.daemon import MODEL, Daemon

MIB = 1 << 20


@pytest.fixture(autouse=True)
def harmless(daemon: Daemon) -> Iterator[None]:
    """Nothing crashed, and nothing half-written lies about."""
    crashes = daemon.counters()["crashes"]
    yield
    assert daemon.counters()["crashes"] == crashes
    files = [p for p in daemon.models.rglob("*") if p.is_file()]
    blobs = [p for p in files if p.parent.name == "blobs"]
    for blob in blobs:
        with blob.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        assert blob.name == f"sha256-{digest}"
    assert not [p for p in files if "partial" in p.name or p.name.startswith((".", "tmp"))]


def refused(daemon: Daemon, answer: httpx.Response, *statuses: int) -> str:
    """The error of a refusal: one line, without a path of the machine or a trace."""
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    text = answer.text
    for secret in (str(daemon.models), str(daemon.state), "/tmp/", "/usr/", "/home/", "Traceback"):
        assert secret not in text
    if not answer.headers["content-type"].startswith("application/json"):
        return text
    error = answer.json()["error"]
    said: str = error["message"] if isinstance(error, dict) else error
    assert said
    assert "\n" not in said.strip()
    return said


def streamed_error(daemon: Daemon, answer: httpx.Response) -> str:
    """The error of a creation: its status, or its last line."""
    if answer.status_code != 200:
        return refused(daemon, answer, 400, 404, 500)
    last = json.loads(answer.text.splitlines()[-1])
    assert "error" in last, last
    assert str(daemon.models) not in answer.text
    error: str = last["error"]
    return error


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"model":1}', b'{"model":"x","options":[]}', b"\xff\xfe",
     b'{"model":"x","messages":"hello"}', b'{"model":"x","prompt":{}}', b"{" * 100_000,
     b'{"model":"seedling","keep_alive":"soon","prompt":"x","messages":[]}'],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", ["/api/generate", "/api/chat", "/v1/chat/completions", "/v1/messages"]
)
def test_a_body_that_is_no_request_is_refused(daemon: Daemon, path: str, body: bytes):
    answer = daemon.client.post(path, content=body)
    if answer.status_code == 200:  # these read a part of the keys only
        assert b"keep_alive" in body
        return
    refused(daemon, answer, 400, 404)


@pytest.mark.parametrize(
    "options",
    [{"temperature": "hot"}, {"stop": 7}, {"seed": [1]}, {"top_k": {}}],
)
def test_options_of_the_wrong_type_are_refused_by_name(daemon: Daemon, options: dict[str, Any]):
    answer = daemon.post("/api/generate", model=MODEL, prompt="x", options=options, stream=False)
    assert next(iter(options)) in refused(daemon, answer, 500)


@pytest.mark.parametrize(
    "options",
    [{"temperature": 1e30}, {"top_k": -(2**31)}, {"top_p": -1}, {"repeat_last_n": -5},
     {"num_predict": 0, "num_keep": -(2**31)}, {"num_ctx": 1}, {"num_ctx": -1}, {"num_batch": -1},
     {"num_batch": 2**30}, {"seed": -(2**60)}, {"num_thread": 10**6}, {"stop": ["", "x" * 100_000]},
     {"temperature": -1, "min_p": 2, "typical_p": 0}, {"num_gpu": 10**6}, {"main_gpu": 99}],
)  # fmt: skip
def test_options_without_sense_break_nothing(daemon: Daemon, options: dict[str, Any]):
    body = {"model": MODEL, "prompt": "x", "stream": False}
    answer = daemon.post("/api/generate", **body, options={"num_predict": 4} | options)
    if answer.status_code != 200:
        refused(daemon, answer, 400, 500)
    daemon.assert_works()


@pytest.mark.parametrize("model", ["absent", "absent:tag", "a/b/c:d"])
def test_an_unknown_model_is_not_found(daemon: Daemon, model: str):
    for path in ("/api/generate", "/api/chat", "/api/show", "/api/embed"):
        assert model in refused(daemon, daemon.post(path, model=model, input="x"), 404)


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "a/../b", "..", "x/..", "a:..", "/etc/passwd", "a\\b", "a\x00b", "é", " ",
     "a" * 400, "a:b:c", "-a", "a//b", "%2e%2e/x", "~/x", "a/b/c/d/e"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(daemon: Daemon, name: str):
    for path in ("/api/generate", "/api/chat", "/api/show"):
        refused(daemon, daemon.post(path, model=name), 400, 404)
    copied = daemon.post("/api/copy", source=MODEL, destination=name)
    refused(daemon, copied, 400, 404)
    deleted = daemon.client.request("DELETE", "/api/delete", json={"model": name})
    refused(daemon, deleted, 400, 404)
    created = daemon.post("/api/create", model=name, stream=False, **{"from": MODEL})
    refused(daemon, created, 400, 404)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize(
    "digest",
    ["sha256:abc", "md5:" + "0" * 32, "sha256:" + "g" * 64, "sha512:" + "0" * 128],
)  # fmt: skip
def test_a_digest_that_is_none_is_refused(daemon: Daemon, digest: str):
    refused(daemon, daemon.client.post(f"/api/blobs/{digest}", content=b"x"), 400, 404)
    assert daemon.client.head(f"/api/blobs/{digest}").status_code in (400, 404)


def test_a_file_that_is_not_what_its_digest_says_is_not_kept(daemon: Daemon):
    wanted = digest_of(b"this")
    refused(daemon, daemon.client.post(f"/api/blobs/{wanted}", content=b"that"), 400)
    assert daemon.client.head(f"/api/blobs/{wanted}").status_code == 404


def weights(daemon: Daemon) -> bytes:
    """The file of the built-in model."""
    from actorllm.actors.library.catalog import BUILTIN_ROOT

    return max((BUILTIN_ROOT / "blobs").iterdir(), key=lambda p: p.stat().st_size).read_bytes()


def create(daemon: Daemon, name: str, data: bytes) -> httpx.Response:
    digest = digest_of(data)
    assert daemon.client.post(f"/api/blobs/{digest}", content=data).status_code in (200, 201)
    return daemon.post("/api/create", model=name, files={"m.gguf": digest})


def lies(good: bytes) -> dict[str, bytes]:
    """Files that look like GGUF and are not."""
    return {
        "empty": b"",
        "magic": b"GGUF",
        "text": b"hello" * 100,
        "version": good[:4] + struct.pack("<I", 99) + good[8:],
        "tensors": good[:8] + struct.pack("<Q", 2**60) + good[16:],
        "keys": good[:16] + struct.pack("<Q", 2**60) + good[24:],
        "key": good[:24] + struct.pack("<Q", 2**63 - 1) + good[32:],
        "header": good[:1000],
        "half": good[: len(good) // 2],
        "short": good[:-1000],
    }


@pytest.mark.parametrize("kind", list(lies(b"GGUF" + b"\0" * 100)))
def test_a_file_that_lies_about_itself_makes_no_model(daemon: Daemon, kind: str):
    answer = create(daemon, f"liar-{kind}", lies(weights(daemon))[kind])
    assert streamed_error(daemon, answer)
    assert f"liar-{kind}" not in daemon.client.get("/api/tags").text


def test_a_model_that_does_not_fit_is_refused_with_what_it_needs(daemon: Daemon):
    good = weights(daemon)
    key = b"llama.context_length" + struct.pack("<II", 4, 1024)
    assert good.count(key) == 1
    huge = good.replace(key, key[:-4] + struct.pack("<I", 2**31))
    assert create(daemon, "huge", huge).status_code == 200
    body = {"model": "huge", "prompt": "x", "stream": False, "options": {"num_ctx": 10**8}}
    error = refused(daemon, daemon.post("/api/generate", **body), 500)
    assert error.startswith("model requires more system memory (")
    daemon.assert_works()
    assert daemon.client.request("DELETE", "/api/delete", json={"model": "huge"}).is_success


def test_a_prompt_that_does_not_fit_is_cut_or_refused_as_asked(daemon: Daemon):
    body = {"model": MODEL, "prompt": "word " * 5000, "raw": True, "stream": False}
    short = body | {"options": {"num_predict": 2}}
    cut = daemon.post("/api/generate", **short)
    assert cut.status_code == 200
    assert cut.json()["prompt_eval_count"] <= 1024
    error = refused(daemon, daemon.post("/api/generate", **short, truncate=False), 400)
    assert "context" in error


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat", "/v1/chat/completions"])
def test_a_body_that_is_too_large_is_refused_early(daemon: Daemon, path: str):
    body = b'{"model":"seedling","prompt":"' + b"x" * (49 * MIB) + b'"}'
    refused(daemon, daemon.client.post(path, content=body), 413)


def test_a_body_without_a_length_is_bounded_too(daemon: Daemon):
    def endless() -> Iterator[bytes]:
        yield b'{"model":"seedling","prompt":"'
        for _ in range(60):
            yield b"x" * MIB

    try:
        answer = daemon.client.post("/api/generate", content=endless())
    except httpx.WriteError:
        return  # the connection was closed over it
    refused(daemon, answer, 413)


def test_paths_that_lead_elsewhere_are_not_found(daemon: Daemon):
    digest = "sha256:" + "A" * 64
    for path in ("/../etc/passwd", "/api/../../x", "/api/blobs/../../x", "/%2e%2e/%2e%2e/etc",
                 "/api/blobs/..%2f..%2fetc%2fpasswd", "/api/blobs/%2e%2e",
                 f"/api/blobs/{digest}/.."):  # fmt: skip
        for method in ("GET", "HEAD", "POST"):
            answer = daemon.client.request(method, path)
            assert answer.status_code in (301, 404, 405)
            moved = answer.headers.get("location", "/")
            assert ".." not in moved
            assert not moved.startswith("//")


def test_a_page_of_another_origin_is_not_served(daemon: Daemon):
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        assert daemon.client.get("/api/tags", headers=headers).status_code == 403


def test_a_request_is_understood_whatever_its_content_type(daemon: Daemon, tmp_path: Path):
    body = json.dumps(
        {"model": MODEL, "stream": False, "prompt": "x", "options": {"num_predict": 1}}
    )
    headers = {"Content-Type": "text/plain"}
    assert daemon.client.post("/api/generate", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("token", [-1, 2048, 2**31, 2**63 - 1])
def test_a_context_of_no_token_is_refused(daemon, token):
    answer = daemon.post("/api/generate", model=MODEL, prompt="x", context=[token], stream=False)
    assert refused(daemon, answer, 400)
