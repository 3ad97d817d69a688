"""Unfinished downloads and unused blobs: listed, and removed unless somebody needs them."""

import pytest

from actorllm.actors.downloader.leftovers import list_partials, prune
from actorllm.actors.downloader.partial import Partial
from actorllm.protocol.manifest import LICENSE
from actorllm.protocol.messages.transfers import ListPartials, Prune, Pull, ShowKey
from tests.downloader.conftest import partials, running
from tests.library.conftest import add_model, layer

DIGEST = "sha256:" + "a" * 64
MIB = 1 << 20


@pytest.fixture
def unfinished(catalog):
    """A download of 8 MiB of which one is there."""
    with Partial(catalog.blobs, DIGEST, 8 * MIB, 2, "registry.ollama.ai/library/m:latest") as file:
        file.write(0, bytes(MIB))


async def ask(node, m):
    return await node.ref("/downloader").ask(m, timeout=10)


def all_of(catalog, **options):
    return prune(catalog, **{"older_than": 0, "dry_run": False} | options)


def test_an_unfinished_download_is_listed_with_its_model(catalog, unfinished):
    [row] = list_partials(catalog.blobs)
    assert (row.digest, row.model) == (DIGEST, "registry.ollama.ai/library/m:latest")
    assert (row.completed, row.total, row.in_flight) == (MIB, 8 * MIB, False)


def test_one_that_somebody_goes_on_with_is_in_flight_and_stays(catalog, unfinished):
    with Partial(catalog.blobs, DIGEST, 8 * MIB, 2):
        assert list_partials(catalog.blobs)[0].in_flight
        assert all_of(catalog).removed == ()
    assert len(partials(catalog)) == 2


def test_one_that_is_pinned_for_a_model_stays(catalog, unfinished):
    with catalog.blobs.lock.pin() as pin:
        pin.add(DIGEST)
        assert all_of(catalog).removed == ()
    [gone] = all_of(catalog).removed
    assert (gone.kind, gone.digest) == ("partial", DIGEST)
    assert gone.size >= MIB
    assert partials(catalog) == []


def test_blobs_of_models_and_pinned_ones_stay(catalog):
    add_model(catalog, "m", layer(catalog.blobs, LICENSE, "used"))
    pinned, unused = catalog.blobs.put(b"pinned"), catalog.blobs.put(b"unused")
    (catalog.blobs.folder / "stray").write_bytes(b"1")
    with catalog.blobs.lock.pin() as pin:
        pin.add(pinned.digest)
        pruned = all_of(catalog)
    assert {(r.kind, r.digest) for r in pruned.removed} == {("blob", unused.digest), ("file", "")}
    assert pruned.freed == 7
    assert catalog.blobs.has(pinned.digest)


def test_a_dry_run_removes_nothing(catalog, unfinished):
    unused = catalog.blobs.put(b"unused")
    assert all_of(catalog, dry_run=True).count == 2
    assert catalog.blobs.has(unused.digest)
    assert len(partials(catalog)) == 2


def test_young_blobs_stay_since_their_model_may_be_about_to_come(catalog):
    unused = catalog.blobs.put(b"unused")
    assert all_of(catalog, older_than=3600).count == 0
    assert catalog.blobs.has(unused.digest)


def test_nothing_is_removed_while_a_model_cannot_be_read(catalog, unfinished):
    path = catalog.blobs.root / "manifests/registry.ollama.ai/library/bad/latest"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<html>")
    pruned = all_of(catalog)
    assert (pruned.count, len(partials(catalog))) == (0, 2)
    assert pruned.skipped.startswith("bad:latest: ")


async def test_a_pull_that_was_left_is_listed_and_pruned(proxy, catalog, tmp_path, big):
    proxy.rate = 5e6
    name = f"{proxy.host}/library/big"
    async with (
        running(catalog, tmp_path / "state") as node,
        node.ref("/downloader").stream(Pull(name, insecure=True)) as items,
    ):
        async for item in items:
            if (item.completed or 0) > MIB:
                rows = (await ask(node, ListPartials())).partials
                assert [row.in_flight for row in rows if row.digest == big.digest] == [True]
                assert (await ask(node, Prune(0))).count == 0
                break
    async with running(catalog, tmp_path / "state") as node:
        rows = (await ask(node, ListPartials())).partials
        [row] = [row for row in rows if row.digest == big.digest]
        assert (row.model, row.in_flight) == (f"{name}:latest", False)
        assert row.completed > MIB
        pruned = await ask(node, Prune(0))
        # The config came beside it: it is a blob that no model needs, or unfinished, too.
        assert ("partial", big.digest) in {(r.kind, r.digest) for r in pruned.removed}
        assert len(pruned.removed) == 2
        assert (await ask(node, ListPartials())).partials == ()


async def test_the_key_is_made_when_it_is_first_asked_for(node, tmp_path):
    assert not (tmp_path / "state" / "id_ed25519").exists()
    shown = await ask(node, ShowKey())
    assert shown.key.startswith("ssh-ed25519 ")
    assert (tmp_path / "state" / "id_ed25519.pub").read_text() == f"{shown.key}\n"
