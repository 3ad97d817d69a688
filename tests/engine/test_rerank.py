"""Rank pooling: pairs of a query and a document to one number."""

import gguf
import pytest

from actorllm.actors.runner.engine.pairing import Pairing
from tests.engine.berts import CLS, SEP, Bert, score, write


@pytest.fixture(scope="module")
def reranker(tmp_path_factory):
    path = tmp_path_factory.mktemp("rank") / "rank.gguf"
    return str(path), write(path)


@pytest.fixture
def host(make_host, reranker):
    return make_host(reranker[0], embedding=True, threads=1, slots=16)


def tokens(host, text):
    return host.engine.tokenize(text, add_special=False, parse_special=False)


def pairs(host, query, documents):
    return [[CLS, *tokens(host, query), SEP, *tokens(host, d), SEP] for d in documents]


def test_a_score_is_what_another_computation_gives(host, reranker):
    assert (host.loaded.pooling, host.loaded.can_embed) == ("rank", True)
    made = pairs(host, "why is the sky blue", ["hello world", "the sky", "green grass one two"])
    found = host.engine.embed(made, normalize=False).result()
    for (logit,), pair in zip(found, made, strict=True):
        assert logit == pytest.approx(score(reranker[1], pair), abs=2e-3)
    assert len({round(logit, 3) for (logit,) in found}) == 3


def test_pairs_share_batches_and_are_never_made_unit_vectors(host):
    made = pairs(host, "cat", ["dog", "king queen", "one two three four", "x"] * 5)
    together = host.engine.embed(made, normalize=True).result()
    for pair, (logit,) in zip(made, together, strict=True):
        assert host.engine.embed([pair]).result()[0] == pytest.approx((logit,), abs=1e-3)


def test_bert_has_one_separator_between_its_parts(host):
    assert host.engine.pairing() == Pairing()


def test_other_poolings_have_no_pairs(make_host, tmp_path):
    path = tmp_path / "mean.gguf"
    write(path, Bert(pooling=gguf.PoolingType.MEAN))
    host = make_host(str(path), embedding=True, threads=1)
    assert (host.loaded.pooling, host.loaded.n_embd) == ("mean", 16)


@pytest.mark.parametrize(
    ("template", "usable", "parts"),
    [
        ("a {query} b {document} c", True, ("a ", " b ", " c")),
        ("a {document} b {query}", False, None),
        ("", False, None),
    ],
)
def test_a_template_must_name_query_and_document(template, usable, parts):
    pairing = Pairing(template)
    assert pairing.usable is usable
    if parts:
        assert pairing.parts() == parts
