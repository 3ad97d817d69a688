"""Pushes to the real registry, and to stubs for what it does not do."""

import hashlib
import socket
from urllib.parse import parse_qs, urlsplit

import pytest
import trio

from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import CONFIG, MODEL, Layer, Manifest, dump_manifest
from actorllm.protocol.messages.transfers import Push
from actorllm.protocol.names import parse_name
from tests.registry.fixtures import SEEDLING
from tests.registry.server import PASSWORD, USER, passwords, real_registry
from tests.registry.stub import Reply
from tests.uploader.conftest import CHUNK, push


def words(steps):
    return list(dict.fromkeys(step.status for step in steps))


async def test_a_pushed_model_is_in_the_registry_byte_for_byte(registry, node, catalog, seedling):
    model = seedling(registry.host, "library/whole")
    steps = await push(node, model.name.full())
    assert words(steps) == [
        "retrieving manifest",
        *(f"pushing {layer.digest[7:19]}" for layer in model.manifest.blobs()),
        "pushing manifest",
        "success",
    ]
    assert registry.get("library/whole/manifests/latest") == SEEDLING.read_bytes()
    for layer in model.manifest.blobs():
        blob = registry.get(f"library/whole/blobs/{layer.digest}")
        assert blob == catalog.blobs.path(layer.digest).read_bytes()


async def test_a_big_blob_goes_in_chunks(proxy, node, seedling):
    model = seedling(proxy.host, "library/chunks")
    steps = await push(node, model.name.full())
    weights = model.manifest.layers[0]
    assert proxy.count("PATCH", "") == -(-weights.size // CHUNK) + 1  # and one for the config
    announced, *seen = [step.completed for step in steps if step.digest == weights.digest]
    assert announced is None
    assert seen == sorted(seen)
    assert seen[-1] == weights.size


async def test_what_is_there_is_not_sent_again(proxy, node, seedling):
    model = seedling(proxy.host, "library/twice")
    await push(node, model.name.full())
    proxy.requests.clear()
    assert words(await push(node, model.name.full()))[-1] == "success"
    assert proxy.count("POST", "") == proxy.count("PATCH", "") == 0


async def test_two_pushes_of_one_model_send_it_once(proxy, node, seedling):
    model = seedling(proxy.host, "library/both")
    last = []

    async def one():
        last.append((await push(node, model.name.full()))[-1].status)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)
    assert last == ["success", "success"]
    assert proxy.count("POST", "") == 2


async def test_a_model_that_is_deleted_while_it_is_pushed_arrives_and_leaves_nothing(
    registry, node, catalog, seedling
):
    model = seedling(registry.host, "library/gone")
    said = ""
    wanted = Push(model.name.full(), insecure=True)
    async with node.ref("/uploader").stream(wanted, window=1) as items:
        async for step in items:
            if step.status.startswith("pushing") and catalog.delete(model.name) is not None:
                assert catalog.blobs.digests()
            said = step.status
    assert said == "success"
    assert registry.get("library/gone/manifests/latest") == SEEDLING.read_bytes()
    assert catalog.blobs.digests() == frozenset()


async def test_an_upload_goes_on_where_a_broken_connection_has_ended_it(
    proxy, registry, node, seedling
):
    model = seedling(proxy.host, "library/broken")
    proxy.cut_upward_after = 2_500_000
    await push(node, model.name.full())
    assert proxy.received < 1.6 * model.manifest.layers[0].size
    for layer in model.manifest.blobs():
        assert registry.has("library/broken", layer.digest)


async def test_a_blob_is_mounted_from_the_repository_that_it_came_from(
    registry, proxy, node, catalog
):
    weights, config = b"weights of a base" * 1000, b"{}"
    for repository in ("library/base", "library/derived"):
        layers = [catalog.blobs.put(data) for data in (weights, config)]
        made = Manifest(
            (Layer(MODEL, layers[0].digest, layers[0].size, source=f"{proxy.host}/library/base"),),
            Layer(CONFIG, layers[1].digest, layers[1].size),
        )
        catalog.write(parse_name(f"{proxy.host}/{repository}"), dump_manifest(made))
        proxy.requests.clear()
        await push(node, f"{proxy.host}/{repository}")
    assert proxy.count("POST", "mount=") == 1
    assert proxy.count("PATCH", "") == 1  # the config
    assert registry.has("library/derived", layers[0].digest)


async def test_name_and_password_open_a_registry(tmp_path, node, seedling):
    with real_registry(tmp_path, auth=passwords(tmp_path)) as closed:
        model = seedling(closed.host)
        with pytest.raises(Refused, match="unauthorized: access denied"):
            await push(node, model.name.full())
        steps = await push(node, model.name.full(), username=USER, password=PASSWORD)
    assert words(steps)[-1] == "success"


async def test_an_unknown_model_cannot_be_pushed(node):
    async with node.ref("/uploader").stream(Push("h/a/b", insecure=True)) as items:
        seen = [(await anext(items)).status for _ in range(2)]
        with pytest.raises(Refused) as caught:
            await anext(items)
    assert seen == ["retrieving manifest", "couldn't retrieve manifest"]
    problem = caught.value.problem
    assert (problem.status, problem.text) == (404, "model 'h/a/b:latest' not found")


async def test_a_registry_that_only_reads_says_so(stub, node, seedling):
    stub.on("POST", "/v2/library/pushed/blobs/uploads/", Reply(405, b"read only"))
    with pytest.raises(Refused, match="405: read only"):
        await push(node, seedling(stub.host).name.full())


async def test_a_registry_that_is_not_there_is_told_at_once(node, seedling):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # and nobody listens
        name = seedling(f"127.0.0.1:{sock.getsockname()[1]}").name.full()
        with pytest.raises(Refused) as caught:
            await push(node, name)
    assert caught.value.problem.text.startswith("http://127.0.0.1:")
    assert "max retries exceeded" not in caught.value.problem.text


async def test_a_registry_without_tls_is_told_at_once(stub, node, seedling):
    name = seedling(stub.host).name.full()
    async with node.ref("/uploader").stream(Push(name)) as items:
        with pytest.raises(Refused) as caught:
            _ = [item async for item in items]
    assert caught.value.problem.text == (
        f"https://{stub.host}: it answers without TLS; if it speaks plain HTTP, pull or push with "
        "--insecure"
    )


# A registry that lets chunks go to a storage, as Ollama's does


class Redirecting:
    """Sends each chunk elsewhere."""

    def __init__(self, stub, other):
        self.committed = {}
        """Query of the commit, and the chunks, by digest."""
        self._uploads = []
        self._stub, self._other = stub, other
        base = "/v2/library/pushed"
        stub.on("POST", f"{base}/blobs/uploads/", self.begin)
        stub.on("PATCH", "/upload", self.patch)
        stub.on("PUT", "/upload", self.commit)
        stub.on("PUT", f"{base}/manifests/latest", Reply(201))
        other.on("PUT", "/storage", self.store)

    def begin(self, request):
        self._uploads.append({})
        where = f"{self._stub.url}/upload?n={len(self._uploads) - 1}"
        return Reply(202, headers={"Docker-Upload-Location": where})

    def patch(self, request):
        span = request.headers["content-range"]
        assert request.headers["x-redirect-uploads"] == "1"
        number = query_of(request)["n"][0]
        return Reply(
            307,
            headers={
                "Docker-Upload-Location": f"{self._stub.url}/upload?n={number}",
                "Location": f"{self._other.url}/storage?n={number}&part={span}",
            },
        )

    def store(self, request):
        query = query_of(request)
        self._uploads[int(query["n"][0])][int(query["part"][0].split("-")[0])] = request.body
        return Reply(200)

    def commit(self, request):
        query = query_of(request)
        parts = self._uploads[int(query["n"][0])]
        self.committed[query["digest"][0]] = query, [parts[first] for first in sorted(parts)]
        return Reply(201)


def query_of(request):
    return parse_qs(urlsplit(request.url).query)


async def test_chunks_go_where_the_registry_sends_them(stub, other, node, catalog, seedling):
    there = Redirecting(stub, other)
    model = seedling(stub.host)
    await push(node, model.name.full(), username="me", password="secret")
    assert there.committed.keys() == {layer.digest for layer in model.manifest.blobs()}
    for digest, (query, parts) in there.committed.items():
        assert b"".join(parts) == catalog.blobs.path(digest).read_bytes()
        sums = b"".join(hashlib.md5(part).digest() for part in parts)
        assert query["etag"] == [f"{hashlib.md5(sums).hexdigest()}-{len(parts)}"]
    assert all("authorization" not in request.headers for request in other.asked)


async def test_a_storage_in_trouble_gets_its_chunk_again(stub, other, node, catalog, seedling):
    there = Redirecting(stub, other)
    tries = []

    def sometimes(request):
        tries.append(request)
        return Reply(503) if len(tries) in {2, 3} else there.store(request)

    other.on("PUT", "/storage", sometimes)
    model = seedling(stub.host)
    steps = await push(node, model.name.full())
    assert any("; trying again in " in step.status for step in steps)
    digest = model.manifest.layers[0].digest
    _, parts = there.committed[digest]
    assert b"".join(parts) == catalog.blobs.path(digest).read_bytes()
