import json

import attrs
import pytest

from actorllm.actors.builder.checks import FromRemote
from actorllm.actors.builder.facts import GgufFacts, GgufFile
from actorllm.actors.builder.plan import (
    Base,
    layer_status,
    plan_from,
    plan_of_files,
    plan_remote,
)
from actorllm.protocol import manifest as media
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.layers import dump_params, parse_messages, parse_params
from actorllm.protocol.manifest import Layer, Manifest, ModelConfig, parse_config, parse_manifest
from actorllm.protocol.messages.building import Create
from actorllm.protocol.names import digest_of, parse_name
from actorllm.protocol.version import COMPAT

TOO_NEW = (
    f"model 'a/x:b' requires version 99.1 or newer, and this server is compatible with {COMPAT}; "
    f"upgrade actorllm, or create a copy of the model with REQUIRES {COMPAT} to try it as it is"
)


def blob(letter):
    return "sha256:" + letter * 64


def fine(template):
    return None


LLAMA = GgufFile(blob("1"), 100, GgufFacts("llama", "weights", "8.0B", 2, "Q4_0"))
CLIP = GgufFile(blob("2"), 10, GgufFacts("clip", "projector", "300M", 1, "F16"))
LORA = GgufFile(blob("3"), 5, GgufFacts("llama", "adapter"))
DRAFT = GgufFile(blob("4"), 7, GgufFacts("llama"))
BASE = Base(
    parse_name("base"),
    Manifest(
        (
            Layer(media.MODEL, blob("1"), 100, source="older:latest"),
            Layer(media.TEMPLATE, blob("a"), 1),
            Layer(media.LICENSE, digest_of(b"MIT"), 3),
            Layer(media.PARAMS, blob("c"), 1),
            Layer(media.SYSTEM, blob("d"), 1),
            Layer(media.MESSAGES, blob("e"), 1),
            Layer(media.DRAFT, blob("f"), 1),
        ),
        Layer(media.CONFIG, blob("9"), 1),
    ),
    ModelConfig("gguf", "llama", ("llama",), "8.0B", "Q4_0", renderer="r", requires="0.1.0"),
    {"temperature": 0.1, "stop": ["x"]},
)


def kinds(plan):
    return [planned.layer.media_type.rpartition(".")[2] for planned in plan.layers]


def data_of(plan, media_type):
    return [p.data for p in plan.layers if p.layer.media_type == media_type]


def config_of(plan):
    assert plan.config.data is not None
    assert plan.config.layer.digest == digest_of(plan.config.data)
    return parse_config(plan.config.data)


def test_a_model_of_one_file_has_one_layer_and_a_config():
    plan = plan_of_files(Create("x"), [LLAMA], fine)
    assert [p.layer for p in plan.layers] == [Layer(media.MODEL, blob("1"), 100)]
    assert config_of(plan) == ModelConfig("gguf", "llama", ("llama",), "8.0B", "Q4_0")
    assert json.loads(plan.config.data or b"") == {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "model_type": "8.0B",
        "file_type": "Q4_0",
        "architecture": "amd64",
        "os": "linux",
    }


def test_layers_are_written_in_the_documented_order():
    create = Create(
        "x",
        template="t",
        system="s",
        license=("one", "", "two"),
        parameters={"top_k": 1},
        messages=(ChatMessage("user", "hi"),),
    )
    plan = plan_of_files(create, [CLIP, LLAMA], fine, adapters=[LORA], drafts=[DRAFT])
    assert kinds(plan) == (
        [
            "model",
            "projector",
            "adapter",
            "draft",
            "template",
            "system",
            "license",
            "license",
            "params",
            "messages",
        ]
    )
    assert config_of(plan).model_families == ("llama",)
    for planned in plan.layers:
        if planned.data is not None:
            assert planned.layer.digest == digest_of(planned.data)
            assert planned.layer.size == len(planned.data)


def test_new_layers_have_the_digests_that_the_reference_gives_them():
    create = Create(
        "x",
        template="{{ .System }} {{ .Prompt }}",
        system="Be brief.",
        license=("MIT",),
        parameters={"temperature": 0.5, "stop": ["a", "b"]},
        messages=(ChatMessage("user", "hi"),),
    )
    plan = plan_of_files(create, [LLAMA], fine)
    assert [layer_status(p.layer, existed=p.data is None) for p in plan.layers] == [
        f"using existing layer {blob('1')}",
        "creating new layer sha256:fe7ac77b725cda2ccad03f88a880ecdfd7a33192d6cae08fce2c0ee1455991ed",
        "creating new layer sha256:213c22ed7234eb11116e1e88f314c73cb3a019b5c87fe224b6ce5665bd9ec50e",
        "creating new layer sha256:e5dcffe836b6ec8a58e492419b550e65fb8cbdc308503979e5dacb33ac7ea3b7",
        "creating new layer sha256:7e91c8ceb6d93d477c35f33b1a3c7a4905205763fa39ec908d2b576e5a006449",
        "creating new layer sha256:c8a55c91ab61e4cbd8b7d69c629abb2f800c2735dd0104dd05f6027f61db768f",
    ]


def test_a_model_from_another_keeps_its_layers_and_says_where_they_are_from():
    plan = plan_from(Create("x", source="base"), BASE, fine)
    *kept, params = plan.layers
    its = [x.digest for x in BASE.manifest.layers if x.media_type != media.PARAMS]
    assert [p.layer.digest for p in kept] == its
    assert {p.layer.source for p in kept} == {"base:latest"}
    assert (params.layer.media_type, params.data) == (media.PARAMS, dump_params(BASE.params))
    assert config_of(plan) == BASE.config
    assert parse_manifest(media.dump_manifest(plan.manifest())) == plan.manifest()


def test_what_the_request_says_replaces_merges_or_adds():
    create = Create(
        "x",
        source="base",
        template="t",
        system="s",
        license=("MIT", "Third"),
        parameters={"temperature": 1.5, "min_p": 0.1},
        messages=(ChatMessage("system", "S"),),
        parser="p",
        requires="v0.2.0",
    )
    plan = plan_from(create, BASE, fine, adapters=[LORA], drafts=[DRAFT])
    assert kinds(plan) == (
        [
            "model",
            "license",
            "adapter",
            "draft",
            "template",
            "system",
            "license",
            "params",
            "messages",
        ]
    )
    assert data_of(plan, media.LICENSE) == [None, b"Third"]
    assert data_of(plan, media.SYSTEM) == [b"s"]
    params = data_of(plan, media.PARAMS)[0]
    assert parse_params(params) == {"min_p": 0.1, "stop": ["x"], "temperature": 1.5}
    assert parse_messages(data_of(plan, media.MESSAGES)[0]) == create.messages
    config = config_of(plan)
    assert (config.renderer, config.parser, config.requires) == ("r", "p", "0.2.0")


def test_quantized_weights_take_the_place_of_the_base():
    small = GgufFile(blob("7"), 50, GgufFacts("llama", "weights", "8.0B", 15, "Q4_K_M"))
    plan = plan_from(Create("x", source="base"), BASE, fine, weights=small)
    assert plan.layers[0].layer == Layer(media.MODEL, blob("7"), 50, "base:latest")
    assert config_of(plan).file_type == "Q4_K_M"


@pytest.mark.parametrize(
    ("architecture", "renderer"),
    [("gemma4", "gemma4"), ("laguna", "laguna"), ("nemotron_h_moe", "nemotron-3-nano"), ("x", "")],
)
def test_some_families_have_a_renderer_and_a_parser(architecture, renderer):
    file = GgufFile(blob("1"), 1, GgufFacts(architecture))
    config = config_of(plan_of_files(Create("x"), [file], fine))
    assert (config.renderer, config.parser) == (renderer, renderer)
    own = config_of(plan_of_files(Create("x", renderer="mine"), [file], fine))
    assert own.renderer == "mine"
    with_template = config_of(plan_of_files(Create("x", template="t"), [file], fine))
    assert with_template.renderer == ""


def test_gemma_stops_at_the_end_of_a_turn_unless_told_otherwise():
    file = GgufFile(blob("1"), 1, GgufFacts("gemma4"))
    plan = plan_of_files(Create("x", parameters={"top_k": 1}), [file], fine)
    assert parse_params(data_of(plan, media.PARAMS)[0]) == {"stop": ["<turn|>"], "top_k": 1}
    plan = plan_of_files(Create("x", parameters={"stop": ["."]}), [file], fine)
    assert parse_params(data_of(plan, media.PARAMS)[0]) == {"stop": ["."]}


def test_a_stand_in_has_no_weights_but_says_what_they_are():
    info = {
        "model_family": "llama",
        "context_length": 77,
        "embedding_length": 9.0,
        "capabilities": ["completion"],
    }
    create = Create("x", source="other", info=info, system="s")
    plan = plan_remote(create, FromRemote("http://h:9", "other"), fine)
    assert kinds(plan) == ["system"]
    assert config_of(plan) == ModelConfig(
        model_family="llama",
        model_families=("llama",),
        remote_host="http://h:9",
        remote_model="other",
        capabilities=("completion",),
        context_length=77,
        embedding_length=9,
    )


def test_a_family_that_is_told_stands_before_that_of_the_weights():
    create = Create("x", info={"model_family": "mine"})
    for plan in (plan_of_files(create, [LLAMA], fine), plan_from(create, BASE, fine)):
        config = config_of(plan)
        assert (config.model_family, config.model_families) == ("mine", ("mine", "llama"))


def test_a_base_that_requires_a_newer_server_is_refused_unless_the_request_lowers_that():
    base = attrs.evolve(BASE, config=evolve(BASE.config, requires="99.1"))
    with pytest.raises(Refused) as refusal:
        plan_from(Create("a/x:b"), base, fine)
    assert refusal.value.problem.text == TOO_NEW
    assert config_of(plan_from(Create("x", requires=COMPAT), base, fine)).requires == COMPAT


@pytest.mark.parametrize(
    ("create", "problem"),
    [
        (Create("x", template="{{"), "template error: template: :1: unclosed action"),
        (Create("x", info={"model_family": 5}), 'info field "model_family" must be a string'),
        (Create("x", requires="?"), "requires must be a valid semver (e.g. 0.14.0)"),
        (Create("a/x:b", requires="v99.1"), TOO_NEW),
    ],
)
def test_errors_of_the_request_are_refused(create, problem):
    with pytest.raises(Refused) as refusal:
        plan_from(create, BASE, lambda _: "template: :1: unclosed action")
    assert refusal.value.problem.text == problem
    assert refusal.value.problem.status == 400


def test_empty_fields_add_no_layer():
    create = Create("x", license=("",), parameters={}, messages=())
    assert kinds(plan_of_files(create, [LLAMA], fine)) == ["model"]
