import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.protocol.manifest import (
    CONFIG,
    LICENSE,
    MANIFEST,
    MAX_MANIFEST,
    MODEL,
    Layer,
    Manifest,
    ManifestError,
    ModelConfig,
    dump_config,
    dump_manifest,
    model_id,
    parse_config,
    parse_manifest,
)

ONE = "sha256:" + "1" * 64
TWO = "sha256:" + "2" * 64
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["schemaVersion", "config", "layers", "mediaType", "digest", "size", "from", "name"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


def manifest_of(layers: Any, **fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "layers": layers, **fields}).encode()


def test_a_manifest_is_written_with_the_documented_keys_in_order():
    manifest = Manifest(
        (Layer(MODEL, ONE, 7, source="a:latest"), Layer(LICENSE, TWO, 1, name="n")),
        Layer(CONFIG, TWO, 3),
    )
    data = dump_manifest(manifest)
    assert (
        data
        == (
            f'{{"schemaVersion":2,"mediaType":"{MANIFEST}",'
            f'"config":{{"mediaType":"{CONFIG}","digest":"{TWO}","size":3}},'
            f'"layers":[{{"mediaType":"{MODEL}","digest":"{ONE}","size":7,"from":"a:latest"}},'
            f'{{"mediaType":"{LICENSE}","digest":"{TWO}","size":1,"name":"n"}}]}}\n'
        ).encode()
    )
    assert parse_manifest(data) == manifest
    assert manifest.size == 11
    assert manifest.of(LICENSE) == (manifest.layers[1],)
    assert [blob.media_type for blob in manifest.blobs()] == [MODEL, LICENSE, CONFIG]


def test_the_id_of_a_model_is_the_hash_of_its_file():
    assert model_id(b"x") == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


def test_unknown_keys_are_ignored_and_digests_are_normalised():
    layer = {"mediaType": MODEL, "digest": "sha256-" + "A" * 64, "size": 1, "annotations": {"x": 1}}
    read = parse_manifest(manifest_of([layer], annotations=None))
    assert read.layers == (Layer(MODEL, "sha256:" + "a" * 64, 1),)
    assert read.config is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"<html>", "manifest is not valid JSON"),
        (b"", "manifest is not valid JSON"),
        (b"[" * 100_000, "manifest is not valid JSON"),
        (b'{"schemaVersion":1e999}', "manifest is not valid JSON"),
        (b"[]", "manifest must be an object"),
        (b"null", "manifest must be an object"),
        (b'{"schemaVersion":1}', "unsupported manifest: schemaVersion 1"),
        (b'{"schemaVersion":"2"}', "schemaVersion must be an integer that is not negative"),
        (manifest_of({}), "layers must be an array"),
        (manifest_of([1]), "layer must be an object"),
        (manifest_of([{}]), "layer: invalid digest format"),
        (manifest_of([{"digest": "../../x"}]), "layer: invalid digest format"),
        (manifest_of([{"digest": 5}]), "digest must be a string"),
        (manifest_of([{"digest": ONE, "size": -1}]), "size must be an integer"),
        (manifest_of([{"digest": ONE, "size": 2**63}]), "size must be an integer"),
        (manifest_of([{"digest": ONE, "size": True}]), "size must be an integer"),
        (manifest_of([], config=[]), "config must be an object"),
        (b" " * (MAX_MANIFEST + 1), "manifest of 4194305 bytes is larger than 4194304"),
    ],
)
def test_what_is_no_manifest_says_why(data, problem):
    with pytest.raises(ManifestError) as error:
        parse_manifest(data)
    assert str(error.value).startswith(problem)


@given(JUNK)
def test_any_json_is_a_manifest_or_an_error(value):
    try:
        manifest = parse_manifest(json.dumps(value).encode())
    except ManifestError:
        return
    assert parse_manifest(dump_manifest(manifest)) == manifest


@given(st.binary(max_size=200))
def test_any_bytes_are_a_config_or_an_error(data):
    try:
        parse_config(data)
    except ManifestError:
        return


def test_a_config_has_its_first_and_last_keys_always():
    assert dump_config(ModelConfig()) == (
        b'{"model_format":"","model_family":"","model_families":null,"model_type":"",'
        b'"file_type":"","architecture":"amd64","os":"linux"}\n'
    )


def test_a_config_reads_back():
    config = ModelConfig(
        model_format="gguf",
        model_family="llama",
        model_families=("llama", "clip"),
        model_type="8.0B",
        file_type="Q4_0",
        renderer="r",
        capabilities=("tools",),
        context_length=4096,
        draft={"architecture": "x"},
    )
    data = dump_config(config)
    assert parse_config(data) == config
    assert list(json.loads(data))[5:-2] == ["renderer", "capabilities", "context_length", "draft"]


def test_a_config_of_a_registry_may_have_nulls_and_more():
    data = b'{"model_format":null,"model_families":null,"rootfs":{"type":"layers"},"os":"linux"}'
    assert parse_config(data) == ModelConfig()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"model_family":5}', "model_family must be a string"),
        (b'{"model_families":"llama"}', "model_families must be an array of strings"),
        (b'{"model_families":[1]}', "model_families must be a string"),
        (b'{"context_length":1.5}', "context_length must be an integer"),
        (b"7", "config must be an object"),
    ],
)
def test_a_config_of_wrong_types_says_why(data, problem):
    with pytest.raises(ManifestError, match=problem):
        parse_config(data)
