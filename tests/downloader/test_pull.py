"""Pulls from the real registry."""

import errno
import os
import shutil
import threading

import pytest
import trio

from actorllm.actors.downloader.partial import remove_old_partials
from actorllm.actors.library.catalog import BUILTIN_ROOT
from actorllm.protocol.manifest import CONFIG, MODEL, Layer, Manifest, dump_manifest
from actorllm.protocol.messages.transfers import Pull
from actorllm.protocol.names import digest_of, parse_name
from tests.downloader.conftest import partials, pull, refusal, running, words
from tests.registry.fixtures import SEEDLING
from tests.registry.server import PASSWORD, USER, passwords, real_registry
from tests.registry.stub import serve_blob


async def test_a_pulled_model_is_the_one_in_the_registry_byte_for_byte(registry, node, catalog):
    name = f"{registry.host}/library/seedling"
    steps = await pull(node, name)
    model = catalog.find(parse_name(name))
    shorts = [layer.digest[7:19] for layer in model.manifest.blobs()]
    assert words(steps) == [
        "pulling manifest",
        *(f"pulling {short}" for short in shorts),
        "verifying sha256 digest",
        "writing manifest",
        "success",
    ]
    for layer in model.manifest.blobs():
        original = BUILTIN_ROOT / "blobs" / layer.digest.replace(":", "-")
        assert catalog.blobs.path(layer.digest).read_bytes() == original.read_bytes()
    path = catalog.blobs.root / "manifests" / registry.host / "library" / "seedling" / "latest"
    assert path.read_bytes() == SEEDLING.read_bytes()
    assert partials(catalog) == []


async def test_what_is_there_is_not_fetched_again(proxy, node, big):
    await pull(node, f"{proxy.host}/library/big")
    sent = proxy.sent
    steps = await pull(node, f"{proxy.host}/library/big")
    assert [(s.total, s.completed) for s in steps if s.digest == big.digest] == [
        (len(big.data), len(big.data))
    ]
    assert proxy.sent - sent < 10_000


async def test_a_blob_comes_in_parts_over_several_connections(proxy, node, catalog, big):
    await pull(node, f"{proxy.host}/library/big")
    assert catalog.blobs.path(big.digest).read_bytes() == big.data
    assert proxy.count("GET", big.digest) == 5  # one to see that there are ranges, four parts


async def test_progress_grows_up_to_the_size(proxy, node, big):
    proxy.rate = 20e6
    steps = await pull(node, f"{proxy.host}/library/big")
    announced, *seen = [s.completed for s in steps if s.digest == big.digest]
    assert announced is None
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert seen[-1] == len(big.data)


async def test_several_blobs_come_at_once_and_are_named_in_order(stub, node, catalog):
    blobs = [bytes([number]) * 1000 for number in range(6)]
    began, released = [], threading.Event()

    def slowly(blob):
        def answer(request):
            began.append(request.path)
            if len(began) >= 4:
                released.set()
            # The first one shows that the registry gives them; the next ones wait for each other.
            assert len(began) == 1 or released.wait(10)
            return serve_blob(blob)(request)

        return answer

    digests = stub.model("library/many", *blobs, answer=slowly)
    steps = await pull(node, f"{stub.host}/library/many")
    shorts = [digest[7:19] for digest in digests]
    assert words(steps)[1:7] == [f"pulling {short}" for short in shorts]
    last = {step.digest: step.completed for step in steps if step.digest}
    assert last == dict.fromkeys(digests, 1000)
    assert all(catalog.blobs.has(digest) for digest in digests)


async def test_two_pulls_of_one_blob_fetch_it_once(proxy, node, big):
    proxy.rate = 20e6
    results = []

    async def one():
        results.append((await pull(node, f"{proxy.host}/library/big"))[-1].status)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)
    assert results == ["success", "success"]
    assert proxy.sent < 1.1 * len(big.data)


async def test_a_pull_goes_on_when_the_one_that_began_it_leaves(proxy, node, big):
    proxy.rate = 20e6
    ref, wanted = node.ref("/downloader"), Pull(f"{proxy.host}/library/big", insecure=True)
    async with ref.stream(wanted) as second:
        async with ref.stream(wanted) as first:
            async for step in first:
                if step.completed:
                    break
        assert [step async for step in second][-1].status == "success"
    assert proxy.sent < 1.1 * len(big.data)


async def test_a_pull_that_was_left_is_resumed(proxy, catalog, tmp_path, big):
    proxy.rate = 10e6
    async with running(catalog, tmp_path) as node:
        wanted = Pull(f"{proxy.host}/library/big", insecure=True)
        async with node.ref("/downloader").stream(wanted) as items:
            async for step in items:
                if (step.completed or 0) > len(big.data) / 2:
                    break
    assert len(partials(catalog)) == 2  # the file and its state
    assert not catalog.blobs.has(big.digest)
    proxy.rate, sent = 0, proxy.sent
    async with running(catalog, tmp_path) as node:
        steps = await pull(node, f"{proxy.host}/library/big")
    seen = [s.completed for s in steps if s.digest == big.digest and s.completed]
    assert seen[0] > len(big.data) / 2
    assert proxy.sent - sent < 0.6 * len(big.data)
    assert catalog.blobs.path(big.digest).read_bytes() == big.data
    assert partials(catalog) == []


async def test_only_what_the_disk_has_lost_is_fetched_again(proxy, catalog, tmp_path, big):
    proxy.rate = 10e6
    async with running(catalog, tmp_path) as node:
        wanted = Pull(f"{proxy.host}/library/big", insecure=True)
        async with node.ref("/downloader").stream(wanted) as items:
            async for step in items:
                if (step.completed or 0) > len(big.data) / 2:
                    break
    with (catalog.blobs.folder / ".partial" / partials(catalog)[0]).open("r+b") as file:
        file.write(b"torn")  # the first part is no longer what was written
    proxy.rate, sent = 0, proxy.sent
    async with running(catalog, tmp_path) as node:
        await pull(node, f"{proxy.host}/library/big")
    assert proxy.sent - sent < 0.75 * len(big.data)
    assert catalog.blobs.path(big.digest).read_bytes() == big.data


async def test_connections_that_break_are_made_again(proxy, node, catalog, big):
    proxy.cut_after = 1_500_000
    await pull(node, f"{proxy.host}/library/big")
    assert catalog.blobs.path(big.digest).read_bytes() == big.data
    assert proxy.sent < 1.1 * len(big.data)


async def test_connections_that_fall_silent_are_given_up(proxy, node, catalog, big):
    proxy.silent_after = 3_500_000
    await pull(node, f"{proxy.host}/library/big")
    assert catalog.blobs.path(big.digest).read_bytes() == big.data
    assert proxy.sent < 1.1 * len(big.data)


async def test_a_fetch_that_crashes_is_begun_again_where_it_was(proxy, node, catalog, big):
    proxy.rate = 10e6
    crashed = False
    wanted = Pull(f"{proxy.host}/library/big", insecure=True)
    async with node.ref("/downloader").stream(wanted) as items:
        async for step in items:
            if (step.completed or 0) > len(big.data) / 2 and not crashed:
                crashed = True
                proxy.rate = 0
                fetch = node.find(f"/downloader/{big.digest[7:]}")
                fetch.scope.cancel()
    assert crashed
    assert catalog.blobs.path(big.digest).read_bytes() == big.data
    assert proxy.sent < 1.2 * len(big.data)


async def test_a_damaged_blob_is_replaced(registry, node, catalog, big):
    await pull(node, f"{registry.host}/library/big")
    os.truncate(catalog.blobs.path(big.digest), 1000)
    await pull(node, f"{registry.host}/library/big")
    assert catalog.blobs.path(big.digest).read_bytes() == big.data


async def test_layers_that_nobody_needs_any_more_are_removed(registry, node, catalog):
    for content in (b"first", b"second"):
        registry.put(*simple_model("library/changing", content))
        steps = await pull(node, f"{registry.host}/library/changing")
    assert words(steps)[-3:] == ["writing manifest", "removing unused layers", "success"]
    assert [e.path.read_bytes() for e in catalog.blobs.entries()] == [b"second"]


def simple_model(repository, content):
    layer = Layer(MODEL, digest_of(content), len(content))
    config = Layer(CONFIG, layer.digest, layer.size)
    return repository, {layer.digest: content}, dump_manifest(Manifest((layer,), config))


async def test_an_unknown_model_is_said_to_be_unknown(registry, node):
    problem = await refusal(node, f"{registry.host}/library/nothing")
    assert (problem.status, problem.text) == (404, "pull model manifest: file does not exist")


async def test_a_full_disk_is_said_before_anything_is_fetched(registry, catalog, node, monkeypatch):
    full = shutil._ntuple_diskusage(1000, 1000, 70_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: full)
    problem = await refusal(node, f"{registry.host}/library/seedling")
    assert problem.status == 507
    assert problem.text.startswith("not enough disk space: the model needs 0.0 GB more")
    assert list(catalog.blobs.entries()) == []


@pytest.mark.parametrize("name", ["a b", "a/b/c/d/e", "-/x/y"])
async def test_a_name_that_is_none_is_refused_at_once(node, name):
    problem = await refusal(node, name)
    assert (problem.status, problem.text) == (400, "invalid model name")


async def test_name_and_password_open_a_registry(tmp_path, catalog, node):
    with real_registry(tmp_path, auth=passwords(tmp_path)) as closed:
        name = f"{closed.host}/library/nothing"
        assert (await refusal(node, name)).text.endswith("unauthorized: access denied")
        wrong = await refusal(node, name, username=USER, password="guess")
        assert wrong.text.endswith("unauthorized: access denied")
        problem = await refusal(node, name, username=USER, password=PASSWORD)
        assert problem.text == "pull model manifest: file does not exist"


async def test_old_unfinished_downloads_are_given_up(catalog):
    folder = catalog.blobs.folder / ".partial"
    folder.mkdir()
    for name in ("sha256-" + "a" * 64, "sha256-" + "a" * 64 + ".json", "sha256-" + "b" * 64):
        (folder / name).write_bytes(b"x")
    os.utime(folder / ("sha256-" + "a" * 64), (0, 0))
    assert remove_old_partials(catalog.blobs, 1000) == 1
    assert partials(catalog) == ["sha256-" + "b" * 64]
    catalog.collect_garbage(older_than=-1)
    assert partials(catalog) == ["sha256-" + "b" * 64]


async def test_a_disk_that_fills_up_meanwhile_loses_nothing(proxy, node, catalog, big, monkeypatch):
    pwrite, room = os.pwrite, 12 * 1024 * 1024

    def limited(fd, data, at):
        nonlocal room
        room -= len(data)
        if room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(fd, data, at)

    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", limited)
        problem = await refusal(node, f"{proxy.host}/library/big")
    assert problem.status == 507
    assert problem.text.startswith("no space left in the model store")
    sent = proxy.sent
    await pull(node, f"{proxy.host}/library/big")
    assert catalog.blobs.path(big.digest).read_bytes() == big.data
    assert proxy.sent - sent < 0.6 * len(big.data)


async def test_a_store_that_cannot_be_written_is_an_answer_and_no_crash(registry, node, catalog):
    (catalog.blobs.folder / ".partial").write_bytes(b"in the way")
    problem = await refusal(node, f"{registry.host}/library/seedling")
    assert problem.status == 500
    assert problem.text.startswith("the model store cannot be used: ")
    (catalog.blobs.root / "manifests").write_bytes(b"in the way")
    (catalog.blobs.folder / ".partial").unlink()
    problem = await refusal(node, f"{registry.host}/library/seedling")
    assert problem.text.startswith("the model store cannot be used: ")
    assert node.counters().crashes == 0
