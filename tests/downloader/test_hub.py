"""Split weights on the Hub, whose registry refuses them."""

import json

import pytest

from actorllm.actors.downloader.hub import (
    HubFile,
    hub_model,
    read_listing,
    refuses_splits,
)
from actorllm.actors.library.library import Library
from actorllm.actors.runner.analysis import ANALYSIS
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import MODEL, PROJECTOR, parse_manifest
from actorllm.protocol.messages.models import ResolveModel
from actorllm.protocol.names import digest_of
from tests.downloader.conftest import pull, refusal, words
from tests.library.conftest import SEEDLING
from tests.library.splits import split
from tests.registry.stub import Reply, serve_blob

REFUSAL = b'{"error":"The specified tag is a sharded GGUF. Ollama does not support this yet."}'
REVISION = "ab" * 20


def file(path, number=0):
    return HubFile(path, digest_of(f"{path}{number}".encode()), 7)


def shards(stem, count):
    return [file(f"{stem}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]


def chosen(files, tag):
    """Paths of the layers that a tag stands for."""
    made = hub_model("https://hub", "user/repo", tag, REVISION, files)
    paths = {f.digest: f.path for f in files}
    layers = parse_manifest(made.manifest).layers
    assert {layer.digest for layer in layers} == set(made.urls)
    return [paths[layer.digest] for layer in layers]


def offer(stub, repository, tag, files):
    """Offer a repository of the Hub that has these files; names and bytes."""
    stub.on("GET", f"/v2/{repository}/manifests/{tag}", Reply(400, REFUSAL))
    siblings = [{"rfilename": "README.md", "size": 3, "blobId": "0"}]
    for name, data in files.items():
        lfs = {"sha256": digest_of(data).removeprefix("sha256:"), "size": len(data)}
        siblings.append({"rfilename": name, "size": len(data), "lfs": lfs})
        stub.on("GET", f"/{repository}/resolve/{REVISION}/{name}", serve_blob(data))
    listing = json.dumps({"sha": REVISION, "siblings": siblings}).encode()
    stub.on("GET", f"/api/models/{repository}/revision/main", Reply(200, listing))


async def test_split_weights_that_the_registry_refuses_are_pulled(stub, node, catalog, tmp_path):
    parts = split(SEEDLING, tmp_path, 3)
    names = [f"Q8_0/tiny-Q8_0-{i:05}-of-00003.gguf" for i in (1, 2, 3)]
    files = {name: part.read_bytes() for name, part in zip(names, parts, strict=True)}
    offer(stub, "user/tiny-GGUF", "Q8_0", dict(reversed(files.items())))
    model = f"{stub.host}/user/tiny-GGUF:Q8_0"
    steps = await pull(node, model)
    said = words(steps)
    assert "the registry refuses split weights; taking their files one by one" in said
    assert said[-1] == "success"
    resolved = Library(catalog, ANALYSIS).resolve(ResolveModel(model, "chat"))
    digests = [resolved.weights.digest, *(blob.digest for blob in resolved.splits)]
    assert digests == [digest_of(data) for data in files.values()]
    assert len(stub.requests("GET", "/resolve/")) >= 3


async def test_a_tag_that_is_not_there_is_told_with_those_that_are(stub, node):
    names = ("a-Q8_0-00001-of-00002.gguf", "a-Q8_0-00002-of-00002.gguf")
    offer(stub, "user/a", "Q4_0", {name: name.encode() for name in names})
    problem = await refusal(node, f"{stub.host}/user/a:Q4_0")
    assert problem.status == 404
    assert problem.text.endswith("have the tag Q4_0; there are: a-Q8_0")


@pytest.mark.parametrize("listing", [b"", b"[]", b'{"sha": 5}', b'{"sha": "x", "siblings": []}'])
async def test_a_list_that_is_none_is_an_answer(stub, node, listing):
    offer(stub, "user/a", "Q4_0", {})
    stub.on("GET", "/api/models/user/a/revision/main", Reply(200, listing))
    problem = await refusal(node, f"{stub.host}/user/a:Q4_0")
    assert problem.text == "pull model manifest: the Hub's list of files cannot be read"


async def test_other_refusals_are_not_taken_for_split_weights(stub, node):
    stub.on("GET", "/v2/user/a/manifests/x", Reply(400, b"not a valid quantization scheme"))
    problem = await refusal(node, f"{stub.host}/user/a:x")
    assert "not a valid quantization scheme" in problem.text
    assert stub.requests("GET", "/api/") == []


@pytest.mark.parametrize(
    ("tag", "stem"),
    [
        ("Q4_K_M", "model-Q4_K_M"),
        ("q4_k_m", "model-Q4_K_M"),
        ("UD-Q4_K_M", "UD/model-UD-Q4_K_M"),
        ("BF16", "BF16/model"),
        ("latest", "model-Q4_K_M"),
        ("model-BF16-00001-of-00002.gguf", None),
    ],
)
def test_a_tag_names_its_files(tag, stem):
    stems = ("UD/model-UD-Q4_K_M", "model-Q4_K_M", "BF16/model", "model-Q8_0")
    files = [one for name in stems for one in reversed(shards(name, 2))]
    if stem is None:
        with pytest.raises(Refused):
            chosen(files, tag)
    else:
        assert chosen(files, tag) == [one.path for one in shards(stem, 2)]


def test_what_is_there_alone_is_the_latest():
    assert len(chosen(shards("model-Q8_0", 4), "latest")) == 4


def test_a_projector_comes_along_in_half_precision():
    seeing = [file("mmproj-BF16.gguf"), file("mmproj-F16.gguf"), file("mmproj-F32.gguf")]
    made = hub_model("https://hub", "u/r", "Q8_0", REVISION, [*shards("m-Q8_0", 2), *seeing])
    layers = parse_manifest(made.manifest).layers
    assert [layer.media_type for layer in layers] == [MODEL, MODEL, PROJECTOR]
    assert made.urls[layers[-1].digest] == f"https://hub/u/r/resolve/{REVISION}/mmproj-F16.gguf"


def test_a_repository_that_lacks_a_file_is_refused():
    with pytest.raises(Refused, match="2 of the 3 files"):
        chosen(shards("m-Q8_0", 3)[:2], "Q8_0")


def test_files_without_digests_are_left_out():
    siblings = [
        {"rfilename": "README.md"},
        {"rfilename": "a.gguf", "lfs": {"sha256": "0" * 64, "size": 5}},
    ]
    listing = json.dumps({"sha": REVISION, "siblings": siblings}).encode()
    assert read_listing(listing) == (REVISION, (HubFile("a.gguf", f"sha256:{'0' * 64}", 5),))


@pytest.mark.parametrize(
    "lfs", [5, {"sha256": "xyz", "size": 5}, {"sha256": "0" * 64, "size": True}, {"size": 5}]
)
def test_a_file_that_makes_no_sense_is_an_error(lfs):
    siblings = [{"rfilename": "a.gguf", "lfs": lfs}]
    with pytest.raises(ValueError, match="cannot be read"):
        read_listing(json.dumps({"sha": REVISION, "siblings": siblings}).encode())


def test_the_words_of_the_hub_are_known():
    assert refuses_splits(400, "400: The specified repository contains sharded GGUF.")
    assert not refuses_splits(404, "sharded GGUF")
