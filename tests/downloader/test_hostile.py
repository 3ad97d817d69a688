"""Registries that are wrong, broken or hostile."""

import base64
import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from actorllm.actors.downloader.keypair import signed_bytes
from actorllm.protocol.manifest import MAX_MANIFEST
from actorllm.protocol.names import digest_of
from tests.downloader.conftest import partials, pull, refusal, words
from tests.registry.stub import Reply, serve_blob

DATA = bytes(range(256)) * 40_000  # three parts of a registry with ranges
MANIFEST_URL = "/v2/library/m/manifests/latest"


def offer_manifest(stub, manifest):
    body = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    stub.on("GET", MANIFEST_URL, Reply(200, body))


async def test_another_content_than_the_digest_promises_is_refused(stub, node, catalog):
    [wanted] = stub.model("library/m", DATA)
    lie = DATA[:-1] + b"!"
    stub.on("GET", f"/v2/library/m/blobs/{wanted}", serve_blob(lie))
    problem = await refusal(node, f"{stub.host}/library/m")
    assert problem.text == (
        f"digest mismatch, file must be downloaded again: want {wanted}, got {digest_of(lie)}"
    )
    assert list(catalog.blobs.entries()) == []
    assert catalog.models() == ([], [])
    assert partials(catalog) == []


@pytest.mark.parametrize("claimed", [len(DATA) - 1, len(DATA) + 1, 1])
async def test_another_size_than_the_manifest_promises_is_refused(stub, node, catalog, claimed):
    stub.model("library/m", DATA, sizes={0: claimed})
    problem = await refusal(node, f"{stub.host}/library/m")
    assert problem.text.startswith("the registry's blob is not the one of")
    assert list(catalog.blobs.entries()) == []


async def test_a_registry_without_ranges_will_do(stub, node, catalog):
    [digest] = stub.model("library/m", DATA, answer=lambda data: Reply(200, data))
    await pull(node, f"{stub.host}/library/m")
    assert catalog.blobs.path(digest).read_bytes() == DATA


async def test_a_registry_without_ranges_that_falls_silent_is_asked_for_all_again(
    stub, node, catalog
):
    data = DATA[:1_000_000]
    [digest] = stub.model("library/m", data)
    tries = []

    def answer(request):
        tries.append(request)
        body = data if len(tries) == 3 else data[: 300_000 * len(tries)]
        return Reply(200, body, {"Content-Length": str(len(data))})

    stub.on("GET", f"/v2/library/m/blobs/{digest}", answer)
    await pull(node, f"{stub.host}/library/m")
    assert catalog.blobs.path(digest).read_bytes() == data
    assert len(tries) == 3


async def test_a_registry_without_sizes_in_its_ranges_will_do(stub, node, catalog):
    def answer(data):
        def ranged(request):
            first, end = request.range()
            return Reply(206, data[first:end])

        return ranged

    [digest] = stub.model("library/m", DATA, answer=answer)
    await pull(node, f"{stub.host}/library/m")
    assert catalog.blobs.path(digest).read_bytes() == DATA


async def test_an_answer_that_goes_on_and_on_is_cut_off(stub, node, catalog):
    def answer(data):
        return lambda request: Reply(206, data[request.range()[0] :] + b"more")

    [digest] = stub.model("library/m", DATA, answer=answer)
    await pull(node, f"{stub.host}/library/m")
    assert catalog.blobs.path(digest).read_bytes() == DATA


async def test_a_server_in_trouble_is_asked_again(stub, node, catalog):
    [digest] = stub.model("library/m", DATA)
    good = serve_blob(DATA)
    tries = []

    def answer(request):
        tries.append(request)
        return Reply(503, b"busy", {"Retry-After": "0"}) if len(tries) % 2 else good(request)

    stub.on("GET", f"/v2/library/m/blobs/{digest}", answer)
    told = words(await pull(node, f"{stub.host}/library/m"))
    assert any(step.startswith("503: busy; trying again in 0 s (1 of ") for step in told)
    assert catalog.blobs.path(digest).read_bytes() == DATA


async def test_a_server_that_stays_in_trouble_is_given_up(stub, node):
    [digest] = stub.model("library/m", DATA)
    stub.on("GET", f"/v2/library/m/blobs/{digest}", Reply(500, b"out\nof order"))
    problem = await refusal(node, f"{stub.host}/library/m")
    assert problem.text == "max retries exceeded: 500: out of order"
    assert len(stub.requests("GET", digest)) == 4


async def test_a_blob_that_is_missing_is_said_to_be_missing(stub, node):
    [digest] = stub.model("library/m", DATA)
    stub.on("GET", f"/v2/library/m/blobs/{digest}", Reply(404))
    problem = await refusal(node, f"{stub.host}/library/m")
    assert (problem.status, problem.text) == (404, "file does not exist")
    assert len(stub.requests("GET", digest)) == 1


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (b"<html>", "invalid character '<' looking for beginning of value"),
        ({"schemaVersion": 2, "layers": []}, "manifest without layers"),
        ({"schemaVersion": 1, "layers": []}, "unsupported manifest: schemaVersion 1"),
        (
            {"layers": [{"digest": "sha256:../../etc/passwd", "size": 1}]},
            "layer: invalid digest format",
        ),
        ({"layers": [{"digest": "sha256:" + "0" * 64, "size": -1}]}, "size must be an integer"),
        ({"layers": [{"digest": "sha256:" + "0" * 64, "size": 1 << 50}]}, "at most 1099511627776"),
        (
            {"layers": [{"digest": "sha256:" + "0" * 64, "size": n} for n in (1, 2)]},
            "two sizes for sha256:0000",
        ),
        (
            {"layers": [{"digest": f"sha256:{n:064x}", "size": 1} for n in range(20_000)]},
            "manifest with more than 16384 layers",
        ),
        (b" " * (MAX_MANIFEST + 1), f"more than {MAX_MANIFEST} bytes"),
    ],
    ids=["html", "empty", "old", "digest", "negative", "huge", "sizes", "layers", "bytes"],
)
async def test_a_manifest_that_makes_no_sense_is_refused(stub, node, catalog, manifest, reason):
    offer_manifest(stub, manifest)
    problem = await refusal(node, f"{stub.host}/library/m")
    assert problem.text.startswith("pull model manifest: ")
    assert reason in problem.text
    assert len(stub.asked) == 1
    assert catalog.models() == ([], [])


async def test_redirected_parts_are_fetched_there_at_once(stub, other, node, catalog):
    [digest] = stub.model("library/m", DATA)
    other.on("GET", "/storage", serve_blob(DATA))
    to_storage = Reply(307, headers={"Location": f"{other.url}/storage?signature=x"})
    stub.on("GET", f"/v2/library/m/blobs/{digest}", to_storage)
    await pull(node, f"{stub.host}/library/m")
    assert catalog.blobs.path(digest).read_bytes() == DATA
    assert len(stub.requests("GET", digest)) == 1
    assert len(other.requests("GET")) == 4


async def test_a_redirect_that_has_expired_is_asked_for_again(stub, other, node, catalog):
    [digest] = stub.model("library/m", DATA)
    good = serve_blob(DATA)

    def redirect(request):
        number = len(stub.requests("GET", digest))
        return Reply(307, headers={"Location": f"{other.url}/storage?signature={number}"})

    def storage(request):
        # The first signature serves once: for the question whether there are ranges.
        is_old = len(other.requests("GET", "signature=1")) > 1
        return Reply(403) if is_old and request.url.endswith("signature=1") else good(request)

    other.on("GET", "/storage", storage)
    stub.on("GET", f"/v2/library/m/blobs/{digest}", redirect)
    await pull(node, f"{stub.host}/library/m")
    assert catalog.blobs.path(digest).read_bytes() == DATA
    assert len(stub.requests("GET", digest)) > 1


@pytest.mark.parametrize(
    "location",
    ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://me:secret@127.0.0.1/"],
)
async def test_redirects_to_nowhere_are_not_followed(stub, node, location):
    stub.on("GET", MANIFEST_URL, Reply(307, headers={"Location": location}))
    problem = await refusal(node, f"{stub.host}/library/m")
    assert problem.text.endswith("redirects to where it must not")


async def test_redirects_in_a_circle_end(stub, node):
    stub.on("GET", MANIFEST_URL, Reply(302, headers={"Location": MANIFEST_URL}))
    problem = await refusal(node, f"{stub.host}/library/m")
    assert problem.text.endswith("more than 10 redirects")
    assert len(stub.asked) == 11


# Authorization


def guarded(stub, token, *, challenge):
    """Let nobody in without the token."""
    for (method, path), answer in list(stub.routes.items()):

        def guard(request, answer=answer):
            if request.headers.get("authorization") != f"Bearer {token}":
                return Reply(401, b"who?", {"WWW-Authenticate": challenge})
            return answer(request) if callable(answer) else answer

        stub.on(method, path, guard)


async def test_a_token_is_asked_for_with_a_signature(stub, node, catalog, tmp_path):
    [digest] = stub.model("library/m", DATA)
    challenge = f'Bearer realm="{stub.url}/token",service="here",scope="a:b:pull c"'
    guarded(stub, "letmein", challenge=challenge)
    stub.on("GET", "/token", Reply(200, b'{"token":"letmein"}'))
    await pull(node, f"{stub.host}/library/m")
    assert catalog.blobs.path(digest).read_bytes() == DATA
    [request] = stub.requests("GET", "/token")
    query = parse_qsl(urlsplit(request.url).query)
    assert [name for name, _ in query] == ["nonce", "scope", "scope", "service", "ts"]
    assert [v for k, v in query if k == "scope"] == ["a:b:pull", "c"]
    public, _, signature = request.headers["authorization"].partition(":")
    key = load_ssh_public_key(f"ssh-ed25519 {public}".encode())
    key.verify(base64.b64decode(signature), signed_bytes("GET", f"{stub.url}{request.url}"))
    assert (tmp_path / "state" / "id_ed25519").stat().st_mode & 0o777 == 0o600


async def test_a_token_server_that_does_not_know_us_is_asked_anonymously(stub, node):
    stub.model("library/m", DATA)
    guarded(stub, "guest", challenge=f'Bearer realm="{stub.url}/token"')

    def token(request):
        known = "authorization" not in request.headers
        return Reply(200, b'{"access_token":"guest"}') if known else Reply(401)

    stub.on("GET", "/token", token)
    assert words(await pull(node, f"{stub.host}/library/m"))[-1] == "success"
    first, second = stub.requests("GET", "/token")
    assert first.url != second.url  # a nonce is good for one time


async def test_name_and_password_buy_a_token(stub, node):
    stub.model("library/m", DATA)
    guarded(stub, "t", challenge=f'Basic realm="x", Bearer realm="{stub.url}/token"')
    stub.on("GET", "/token", Reply(200, b'{"token":"t"}'))
    await pull(node, f"{stub.host}/library/m", username="me", password="pw")
    [request] = stub.requests("GET", "/token")
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"me:pw").decode()


async def test_a_token_that_expires_is_renewed(stub, node, catalog):
    [digest] = stub.model("library/m", DATA)
    url = f"/v2/library/m/blobs/{digest}"
    good = serve_blob(DATA)
    fresh = []

    def blob(request):
        if request.headers.get("authorization") == "Bearer 2":
            return good(request)
        return Reply(401, headers={"WWW-Authenticate": f'Bearer realm="{stub.url}/token"'})

    def token(request):
        fresh.append(request)
        return Reply(200, json.dumps({"token": str(len(fresh))}).encode())

    guarded(stub, "1", challenge=f'Bearer realm="{stub.url}/token"')
    stub.on("GET", url, blob)
    stub.on("GET", "/token", token)
    await pull(node, f"{stub.host}/library/m")
    assert catalog.blobs.path(digest).read_bytes() == DATA
    assert len(fresh) == 2


async def test_a_storage_that_breaks_down_is_left_for_another(stub, other, node, catalog):
    [digest] = stub.model("library/m", DATA)
    good, asked = serve_blob(DATA), []

    def locate(request):
        asked.append(request)
        where = "http://127.0.0.1:1/gone" if len(asked) == 2 else f"{other.url}/storage"
        return Reply(307, headers={"Location": where})

    def breaking(request):
        return Reply(403) if len(asked) == 1 and request.range()[0] else good(request)

    stub.on("GET", f"/v2/library/m/blobs/{digest}", locate)
    other.on("GET", "/storage", breaking)
    await pull(node, f"{stub.host}/library/m")
    assert catalog.blobs.path(digest).read_bytes() == DATA


async def test_nobody_else_gets_our_authorization(stub, other, node, capfd):
    [digest] = stub.model("library/m", DATA)
    to_storage = Reply(307, headers={"Location": f"{other.url}/storage"})
    stub.on("GET", f"/v2/library/m/blobs/{digest}", to_storage)
    other.on("GET", "/storage", serve_blob(DATA))
    guarded(stub, "secret-token", challenge=f'Bearer realm="{stub.url}/token"')
    stub.on("GET", "/token", Reply(200, b'{"token":"secret-token"}'))
    await pull(node, f"{stub.host}/library/m", username="me", password="secret-word")
    assert other.asked
    assert all("authorization" not in request.headers for request in other.asked)
    logged = "".join(capfd.readouterr())
    assert "pulled" in logged
    assert "secret" not in logged


async def test_a_stranger_is_not_asked_for_a_token(stub, other, node):
    stub.model("library/m", DATA)
    guarded(stub, "t", challenge=f'Bearer realm="{other.url}/token"')
    problem = await refusal(node, f"{stub.host}/library/m", username="me", password="pw")
    assert problem.text == (
        f'pull model manifest: realm host "{other.host}" does not match original host "{stub.host}"'
    )
    assert other.asked == []


async def test_a_stranger_who_wants_authorization_gets_none(stub, other, node):
    [digest] = stub.model("library/m", DATA)
    to_storage = Reply(307, headers={"Location": f"{other.url}/storage"})
    stub.on("GET", f"/v2/library/m/blobs/{digest}", to_storage)
    other.on("GET", "/storage", Reply(401, headers={"WWW-Authenticate": "Basic"}))
    problem = await refusal(node, f"{stub.host}/library/m", username="me", password="pw")
    assert problem.text == "unauthorized: access denied"
    assert all("authorization" not in request.headers for request in other.asked)
