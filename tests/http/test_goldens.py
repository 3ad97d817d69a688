"""Recorded exchanges that need no model: decoding errors, methods, redirects, CORS, hosts."""

import base64
import json
from pathlib import Path

import pytest

GOLDENS = Path(__file__).parents[1] / "goldens" / "exchanges"
COMPARED = ("content-type", "allow", "location", "retry-after", "vary")
NEEDS_MORE = {  # of the canned actors
    "invalid-utf8",  # the library refuses the name
    "type-model-null",
    "empty-model",
    "method-get-blob",
}


def cases():
    for path in (GOLDENS / f"{name}.json" for name in ("decode", "http", "root")):
        for case in json.loads(path.read_text()):
            if case["id"] not in NEEDS_MORE:
                yield pytest.param(case, id=f"{path.stem}-{case['id']}")


def fill(value):
    if isinstance(value, str):
        return value.replace("${sha256:bert}", "sha256:" + "1" * 64)
    return value


def content(request):
    if "body" in request:
        return json.dumps(request["body"]).encode()
    if "body_b64" in request:
        return base64.b64decode(request["body_b64"])
    return request.get("body_raw", "").encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("case", list(cases()))
async def test_the_answer_is_the_recorded_one(case, client):
    request, wanted = case["request"], case["response"]
    answer = await client.request(
        request["method"],
        fill(request["path"]),
        content=content(request),
        headers=request.get("headers", {}),
    )
    assert answer.status_code == wanted["status"], answer.text
    got = {
        name: value
        for name, value in sorted(answer.headers.items())
        if name in COMPARED or name.startswith("access-control-")
    }
    if request["method"] == "HEAD":
        got["content-length"] = answer.headers["content-length"]
    skipped = {v.removeprefix("headers.") for v in case.get("volatile", ())}
    assert {k: v for k, v in got.items() if k not in skipped} == {
        k: v for k, v in wanted["headers"].items() if k not in skipped
    }
    body = wanted.get("body")
    if body is None:
        assert answer.text == wanted.get("text", "")
    elif "version" in body:
        assert answer.json()["version"].startswith("0.33.0+actorllm.")
    elif "request_id" in body:
        assert list(answer.json()) == list(body)
        assert answer.json()["error"] == body["error"]
    else:
        assert answer.json() == body
