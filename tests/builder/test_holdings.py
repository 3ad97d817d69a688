"""The blobs of a creation."""

import pytest

from actorllm.actors.builder.holdings import Holdings
from actorllm.actors.builder.plan import PlannedLayer
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import MODEL, SYSTEM, Layer
from actorllm.protocol.names import digest_of, parse_name

NOWHERE = "sha256:" + "0" * 64


@pytest.fixture
def holdings(catalog: Catalog):
    with catalog.blobs.lock.pin() as pin:
        yield Holdings(catalog, pin)


def refused(call, *args):
    with pytest.raises(Refused) as caught:
        call(*args)
    return caught.value.problem


def test_blobs_of_the_programs_own_store_are_brought_into_the_users(holdings, catalog):
    [weights] = catalog.find(parse_name("seedling")).manifest.of(MODEL)
    assert not holdings.store.has(weights.digest)
    assert holdings.own(weights.digest)
    assert holdings.store.has(weights.digest)
    assert holdings.fresh == {weights.digest}


def test_an_upload_is_the_users_own(holdings, seedling):
    assert holdings.uploaded(seedling.replace(":", "-")) == seedling
    assert holdings.fresh == set()
    assert refused(holdings.uploaded, NOWHERE).status == 400
    assert refused(holdings.uploaded, "nothing").status == 400


def test_what_was_removed_meanwhile_is_told(holdings):
    layer = PlannedLayer(Layer(MODEL, NOWHERE, 1))
    for call in (holdings.path, holdings.gguf, holdings.file):
        assert refused(call, NOWHERE).status == 409
    problem = refused(holdings.put, layer)
    assert (problem.status, problem.text) == (409, f"blob {NOWHERE} was removed; create it again")


def test_a_text_is_stored_once(holdings):
    digest = digest_of(b"Be brief.")
    layer = PlannedLayer(Layer(SYSTEM, digest, 9), b"Be brief.")
    assert [holdings.put(layer) for _ in range(2)] == [False, True]
    assert holdings.fresh == {digest}


def test_what_is_made_of_other_blobs_is_told_as_new(holdings, seedling):
    before = holdings.store.digests() - {seedling}
    stored = holdings.store.put(holdings.store.path(seedling).read_bytes())
    assert holdings.made(stored, before).digest == seedling
    assert not holdings.put(PlannedLayer(Layer(MODEL, seedling, stored.size)))


def test_only_what_begins_as_gguf_is_taken_for_it(holdings, store, seedling):
    assert holdings.is_gguf(seedling)
    text = store.put(b"some words").digest
    assert not any(map(holdings.is_gguf, (text, NOWHERE, "nothing")))
    assert refused(holdings.file, text).status == 400
