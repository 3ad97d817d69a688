"""Recorded pulls and pushes, replayed against the real daemon and a stub that fails as theirs did.

Lines of progress come as often as they like; everything else must be as it was recorded.
"""

import json
from pathlib import Path

from tests.registry.stub import Reply, serve_blob, stub_registry

GOLDENS = Path(__file__).parents[1] / "goldens" / "transfers" / "pull_push.json"
LICENSE = b"Permission is granted to test."
WRONG, ABSENT = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32


def offer(stub):
    """Offer the models of the recording."""
    stub.model("library/ok", b"GGUF and more", LICENSE)
    answers = {
        "broken": Reply(500, b'{"errors":[{"code":"UNKNOWN","message":"boom"}]}'),
        "notjson": Reply(200, b"<html>not a manifest</html>"),
        "limited": Reply(429, b"slow down"),
        "denied": Reply(
            401,
            headers={"WWW-Authenticate": 'Bearer realm="http://elsewhere.invalid/token"'},
        ),
        "corrupt": manifest(WRONG),
        "absent": manifest(ABSENT),
    }
    for name, answer in answers.items():
        stub.on("GET", f"/v2/library/{name}/manifests/latest", answer)
    stub.on("GET", f"/v2/library/corrupt/blobs/{WRONG}", serve_blob(LICENSE))


def manifest(digest):
    layer = {"mediaType": "application/vnd.ollama.image.license", "digest": digest}
    layers = [layer | {"size": len(LICENSE)}]
    return Reply(200, json.dumps({"schemaVersion": 2, "layers": layers}).encode())


def frames_of(text):
    frames = [json.loads(line) for line in text.splitlines()]
    return [frame for frame in frames if "digest" not in frame]


def differences(case, answer, wanted):
    """What is another than it was; the texts of errors may be where the recording says so."""
    if answer.status_code != wanted["status"] and "reference_bug" not in case:
        yield f"status {answer.status_code}"
    if answer.headers["content-type"] != wanted["headers"]["content-type"]:
        yield answer.headers["content-type"]
    got, recorded = (
        (frames_of(answer.text), wanted["frames"])
        if "frames" in wanted
        else ([answer.json()], [wanted["body"]])
    )
    if "volatile" in case or "reference_bug" in case:
        got, recorded = (
            [x | dict.fromkeys(x.keys() & {"error"}) for x in y] for y in (got, recorded)
        )
    if got != recorded:
        yield got


def test_the_answers_are_the_recorded_ones(daemon):
    wrong = {}
    with stub_registry() as stub:
        offer(stub)
        text = GOLDENS.read_text().replace("${stub}", stub.host)
        for case in json.loads(text):
            request = case["request"]
            answer = daemon.client.post(request["path"], json=request["body"])
            found = list(differences(case, answer, case["response"]))
            if found:
                wrong[case["id"]] = found
    assert wrong == {}
