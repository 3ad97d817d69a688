"""Mirrors, caps, and what passes through a line that is not honest."""

import math

import trio

from actorllm.actors.downloader.origin import Origin
from actorllm.actors.downloader.throttle import Throttle
from actorllm.protocol.names import parse_name
from tests.downloader.conftest import partials, pull, refusal, running, words
from tests.registry.stub import Reply

HERE = "library/thing"
DATA = b"weights" * 1000


def test_a_mirror_stands_for_its_registry_and_keeps_the_repository():
    mirrors = (("hf.co", "http://hub:1"), ("", "https://mirror"))
    model = Origin.of(parse_name("llama3.2:1b"), insecure=False)
    assert model.mirrored(mirrors).manifest("1b") == (
        "https://mirror/v2/library/llama3.2/manifests/1b"
    )
    named = Origin.of(parse_name("hf.co/a/b"), insecure=False)
    assert named.mirrored(mirrors).manifest("x") == "http://hub:1/v2/a/b/manifests/x"
    assert Origin.of(parse_name("other.example/a/b"), insecure=False).mirrored(mirrors) is None


async def mirrored(catalog, tmp_path, registry, mirror, **fields):
    """Pull from a registry that has a mirror; returns the steps."""
    mirrors = ((registry.host, mirror.url),)
    async with running(catalog, tmp_path / "state", mirrors=mirrors) as node:
        return await pull(node, f"{registry.host}/{HERE}", **fields)


async def test_the_mirror_is_asked_in_place_of_the_registry(stub, other, catalog, tmp_path):
    [digest] = other.model(HERE, DATA)
    assert words(await mirrored(catalog, tmp_path, stub, other))[-1] == "success"
    assert catalog.blobs.path(digest).read_bytes() == DATA
    assert stub.asked == []


async def test_a_mirror_without_the_model_is_passed_over_and_the_answer_says_so(
    stub, other, catalog, tmp_path
):
    stub.model(HERE, DATA)
    said = words(await mirrored(catalog, tmp_path, stub, other))
    assert said[-1] == "success"
    assert said[1] == (
        f"mirror {other.host} failed: pull model manifest: file does not exist; "
        f"pulling from {stub.host}"
    )


async def test_what_a_broken_mirror_sent_is_verified(stub, other, catalog, tmp_path):
    [digest] = stub.model(HERE, DATA)
    other.model(HERE, DATA)
    other.on("GET", f"/v2/{HERE}/blobs/{digest}", Reply(200, DATA[::-1]))
    said = words(await mirrored(catalog, tmp_path, stub, other))
    assert said[-1] == "success"
    assert [text for text in said if "digest mismatch" in text]
    assert catalog.blobs.path(digest).read_bytes() == DATA


async def test_the_mirror_gets_no_password(stub, other, catalog, tmp_path):
    challenge = {"WWW-Authenticate": 'Basic realm="here"'}
    other.on("GET", f"/v2/{HERE}/manifests/latest", Reply(401, headers=challenge))
    stub.model(HERE, DATA)
    await mirrored(catalog, tmp_path, stub, other, username="alice", password="secret")
    assert [request for request in other.asked if "authorization" in request.headers] == []


async def test_pulls_beyond_the_cap_wait_and_say_so(proxy, catalog, tmp_path, big):
    proxy.rate = 40e6
    name = f"{proxy.host}/library/big"
    said = []
    async with running(catalog, tmp_path / "state", at_once=1) as node:

        async def one():
            said.append(words(await pull(node, name)))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(one)
    assert [words[-1] for words in said] == ["success"] * 3
    assert sum(words[0] == "waiting for other pulls" for words in said) == 2


async def test_a_throttle_lets_so_many_bytes_through_whoever_takes_them(autojump_clock):
    throttle = Throttle(1e6)

    async def take():
        for _ in range(50):
            await throttle.take(20_000)

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(take)
    assert math.isclose(trio.current_time() - began, 4.0, abs_tol=0.3)


async def test_without_a_rate_nobody_waits(autojump_clock):
    began = trio.current_time()
    await Throttle().take(1 << 40)
    assert trio.current_time() == began


async def test_a_pull_keeps_to_its_bandwidth(registry, catalog, tmp_path, big):
    began = trio.current_time()
    async with running(catalog, tmp_path / "state", bandwidth=20e6) as node:
        await pull(node, f"{registry.host}/library/big")
    assert trio.current_time() - began > 0.7 * len(big.data) / 20e6


async def test_a_line_that_changes_bytes_is_noticed_and_nothing_is_kept(proxy, node, catalog, big):
    proxy.corrupt_at = 2_000_000
    problem = await refusal(node, f"{proxy.host}/library/big")
    assert "digest mismatch" in problem.text
    assert partials(catalog) == []
    proxy.corrupt_at = None
    await pull(node, f"{proxy.host}/library/big")
    assert catalog.blobs.path(big.digest).read_bytes() == big.data
