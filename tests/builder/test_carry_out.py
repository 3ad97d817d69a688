"""Creations, step by step."""

import pytest

from actorllm.actors.library.content import read_config, read_content
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.manifest import MODEL
from actorllm.protocol.messages.building import Create, CreateStatus
from actorllm.protocol.names import digest_of, parse_name

NOWHERE = "sha256:" + "0" * 64
ALL = Create(
    "mine",
    source="seedling",
    system="Be brief.",
    template="{{ .System }} {{ .Prompt }}",
    parameters={"temperature": 0.5, "stop": ["a", "b"]},
    messages=(ChatMessage("user", "hi"),),
    license=("MIT", "Second"),
)


def short(statuses):
    return [status.partition(" sha256:")[0] for status in statuses]


def test_an_uploaded_file_becomes_a_model(said, seedling, model, catalog, leftovers):
    words, problem = said(Create("x", files={"a.gguf": seedling}))
    assert problem is None
    assert words == [
        "parsing GGUF",
        "verifying conversion",
        f"using existing layer {seedling}",
        "writing manifest",
        "success",
    ]
    found = model("x")
    assert [(layer.media_type, layer.digest) for layer in found.manifest.layers] == [
        (MODEL, seedling)
    ]
    assert read_config(catalog, found).file_type == "Q8_0"
    assert leftovers() == []


def test_a_file_needs_no_extension_and_its_digest_may_be_spelled_as_a_file_name(said, seedling):
    upper = seedling.replace(":", "-").upper().replace("SHA256", "sha256")
    assert said(Create("x", files={"weights": upper}))[1] is None


def test_a_model_is_built_on_the_one_of_the_program(said, model, catalog, store, leftovers):
    words, problem = said(ALL)
    assert problem is None
    assert short(words) == [
        "using existing layer",
        *["creating new layer"] * 6,
        "writing manifest",
        "success",
    ]
    found = model("mine")
    content = read_content(catalog, found)
    assert (content.system, content.template) == (ALL.system, ALL.template)
    assert content.params == {"temperature": 0.5, "stop": ["a", "b"]}
    assert (content.licenses, content.messages) == (ALL.license, ALL.messages)
    assert found.manifest.layers[0].source == "seedling:latest"
    assert all(store.has(layer.digest) for layer in found.manifest.blobs())
    assert leftovers() == []


def test_what_only_the_old_model_of_the_name_had_is_removed(said, store, leftovers):
    said(ALL)
    assert store.has(digest_of(b"Be brief."))
    words, _ = said(Create("mine", source="seedling", system="Be long."))
    assert short(words)[:2] == ["using existing layer", "creating new layer"]
    assert store.has(digest_of(b"Be long."))
    assert not store.has(digest_of(b"Be brief."))
    assert leftovers() == []


def test_a_model_may_be_built_on_itself_in_another_case(said, catalog):
    said(ALL)
    assert said(Create("MINE", source="Mine", system="Other."))[1] is None
    assert [m.name.model for m in catalog.models()[0]] == ["mine", "seedling"]


def test_a_truncated_file_is_refused_and_kept_for_another_try(said, store, seedling, leftovers):
    cut = store.put(store.path(seedling).read_bytes()[:3000]).digest
    words, problem = said(Create("x", files={"a.gguf": cut}))
    assert words == ["parsing GGUF"]
    assert problem.status == 400
    assert store.has(cut)
    assert leftovers(cut, seedling) == []


@pytest.mark.parametrize(
    ("digest", "text"),
    [("abc", "invalid digest format"), (NOWHERE, f"blob {NOWHERE} was not found; upload it first")],
)
def test_a_blob_that_is_not_there_is_a_refusal_inside_the_stream(said, digest, text):
    words, problem = said(Create("x", files={"a.gguf": digest}))
    assert words == ["parsing GGUF"]
    assert (problem.status, problem.text) == (400, text)


def test_what_is_no_gguf_is_refused(said, store):
    text = store.put(b"some words").digest
    assert said(Create("x", files={"a.gguf": text}))[1].text == (
        "supplied file was not in GGUF format"
    )
    words, problem = said(Create("x", files={"a.txt": text}))
    assert (words, problem.status) == ([], 400)
    assert problem.text == "unknown type: 'a.txt' is neither a GGUF file nor safetensors"


def test_a_missing_model_cannot_be_built_on(said):
    words, problem = said(Create("x", source="nothing"))
    assert words == ["pulling manifest"]
    assert (problem.status, problem.text) == (404, "pull model manifest: file does not exist")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ .Prompt", "template error: template: :1: unclosed action"),
        ("{{ end }}", "template error: template: :1: unexpected {{end}}"),
    ],
)
def test_a_broken_template_is_refused_before_anything_is_said(said, leftovers, template, text):
    words, problem = said(Create("x", source="seedling", template=template))
    assert (words, problem.status, problem.text) == ([], 400, text)
    assert leftovers() == []


def test_a_base_with_a_missing_blob_is_named(said, store, seedling):
    said(Create("x", files={"a.gguf": seedling}))
    said(Create("y", source="x", system="S"))
    store.path(digest_of(b"S")).unlink()
    _, problem = said(Create("z", source="y"))
    assert problem.status == 500
    assert problem.text.startswith("model 'y:latest' is damaged (its system is missing)")


def test_a_stand_in_for_a_remote_model_has_a_config_only(said, model, catalog):
    words, _ = said(Create("x", source="other", remote_host="https://ollama.com"))
    assert words == ["writing manifest", "success"]
    config = read_config(catalog, model("x"))
    assert (config.remote_host, config.remote_model) == ("https://ollama.com", "other")


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_creation_that_is_left_after_any_step_leaves_nothing(
    creation, model, catalog, leftovers, steps
):
    going = creation(ALL).steps()
    for _ in range(steps):
        next(going)
    going.close()
    assert model("mine") is None
    assert leftovers() == []


def test_a_name_that_was_there_stays_as_it_was_when_its_successor_is_left(
    said, creation, model, leftovers
):
    said(ALL)
    before = model("mine").digest
    going = creation(Create("mine", source="seedling", system="New.")).steps()
    while next(going).status != "writing manifest":
        pass
    going.close()
    assert model("mine").digest == before
    assert leftovers() == []


def test_what_is_deleted_while_a_creation_holds_it_goes_when_that_is_left(
    said, creation, catalog, leftovers
):
    said(Create("other", source="seedling", system="Be brief."))
    going = creation(Create("mine", source="other", system="Be brief.")).steps()
    while next(going).status != "writing manifest":
        pass
    catalog.delete(parse_name("other"))
    assert leftovers()
    going.close()
    assert leftovers() == []


@pytest.mark.parametrize("wanted", ["Q8_0", "bf16", "iq4_xs"])
def test_weights_are_quantized(said, f16, model, catalog, leftovers, wanted):
    words, problem = said(Create("x", files={"a.gguf": f16}, quantize=wanted))
    assert problem is None
    assert words[:3] == [
        "parsing GGUF",
        "verifying conversion",
        f"quantizing F16 model to {wanted.upper()}",
    ]
    assert "creating new layer" in short(words)
    assert read_config(catalog, model("x")).file_type == wanted.upper()
    assert leftovers(f16) == []


def test_the_weights_of_a_model_are_quantized(said, creation, f16, model, catalog, leftovers):
    said(Create("base", files={"a.gguf": f16}, system="S"))
    steps = list(creation(Create("small", source="base", quantize="Q4_K_S")).steps())
    progress = [step for step in steps if step.total]
    assert progress[0] == CreateStatus(
        "quantizing F16 model to Q4_K_S", "0" * 19, progress[0].total, 0
    )
    assert progress[-1].completed == progress[-1].total
    weights = model("small").manifest.of(MODEL)[0]
    assert weights.size < 4_000_000
    assert read_config(catalog, model("small")).file_type == "Q4_K_S"
    assert read_content(catalog, model("small")).system == "S"
    assert leftovers() == []


def test_what_is_quantized_is_not_quantized_again(said, seedling):
    _, problem = said(Create("x", files={"a.gguf": seedling}, quantize="Q4_K_M"))
    assert problem.text == "quantization is only supported for F16, BF16 and F32 models"


def test_bad_weights_end_the_child_and_not_us(said, store, f16, leftovers):
    # Another architecture than any that llama.cpp knows, with a header that is fine.
    odd = store.put(store.path(f16).read_bytes().replace(b"llama", b"lxama")).digest
    words, problem = said(Create("x", files={"a.gguf": odd}, quantize="Q8_0"))
    assert words[-1] == "quantizing F16 model to Q8_0"
    assert problem.status == 400
    assert problem.text.startswith("quantizing failed: ")
    assert "lxama" in problem.text
    assert str(store.root) not in problem.text
    assert leftovers(f16, odd) == []


def test_leaving_while_weights_are_converted_ends_the_process(creation, f16, leftovers):
    going = creation(Create("x", files={"a.gguf": f16}, quantize="Q4_K_M")).steps()
    while next(going).completed is None:
        pass
    going.close()
    assert leftovers(f16) == []


def test_names_with_nothing_in_common_stay(said, catalog):
    said(ALL)
    said(Create("other", source="mine"))
    catalog.delete(parse_name("mine"))
    assert said(Create("third", source="other"))[1] is None
