import llama_cpp
import pytest

from actorllm.actors.builder.checks import (
    CLOUD_HOST,
    FromFiles,
    FromModel,
    FromRemote,
    check_adapters,
    check_format,
    check_info,
    check_weights,
    checked_requires,
    origin_of,
    quantization_of,
)
from actorllm.actors.builder.facts import GgufFacts, GgufFile
from actorllm.actors.builder.quantizations import QUANTIZATIONS
from actorllm.protocol.creation import check_create
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import Create
from actorllm.protocol.names import parse_name

DIGEST = "sha256:" + "0" * 64
WEIGHTS = GgufFile(DIGEST, 1, GgufFacts("llama"))
PROJECTOR = GgufFile(DIGEST, 1, GgufFacts("clip", "projector"))


def refusal(function, *args):
    with pytest.raises(Refused) as caught:
        function(*args)
    assert caught.value.problem.status == 400
    return caught.value.problem.text


@pytest.mark.parametrize("model", ["", "a b", "../x"])
def test_the_name_is_checked_last(model):
    create = Create(model, files={"/a": ""})
    assert refusal(check_create, create) == "file path must be relative"
    create = Create(model, files={"a": DIGEST})
    assert refusal(check_create, create) == "invalid model name"


def test_a_valid_request_gives_the_name():
    assert check_create(Create("me/x:local")) == parse_name("me/x:local")
    assert check_create(Create("x", files={"a/b.gguf": "abc"})) == parse_name("x")


def test_a_draft_type_needs_a_draft():
    create = Create("x", source="y", draft_quantize="q4_0", adapters={"/a": ""})
    assert refusal(check_create, create) == "--draft-quantize requires a DRAFT model"
    check_create(Create("x", source="y", draft_quantize="q4_0", drafts={"d.gguf": DIGEST}))


@pytest.mark.parametrize(
    "path",
    ["/a.gguf", "../a.gguf", "a/../b", "a//b", "", ".", "./a", "a/", "\\\\host\\x", "C:/x", "a\\b"],
)
def test_a_path_must_stay_inside(path):
    for create in (
        Create("x", files={path: DIGEST}),
        Create("x", adapters={path: DIGEST}),
        Create("x", drafts={path: DIGEST}),
    ):
        assert refusal(check_create, create) == "file path must be relative"


def test_an_empty_digest_is_refused_at_once():
    assert refusal(check_create, Create("x", files={"a": ""})) == "invalid digest format"
    assert refusal(check_create, Create("x", adapters={"a": ""})) == "invalid digest format"


def test_from_comes_before_files():
    assert origin_of(Create("x", source="y", files={})) == FromModel(parse_name("y"))
    assert origin_of(Create("x", source="y:local")) == FromModel(parse_name("y"))
    assert origin_of(Create("x", files={})) == FromFiles({})
    problem = refusal(origin_of, Create("x"))
    assert problem == "neither 'from' or 'files' was specified"
    assert refusal(origin_of, Create("x", source="a b")) == "invalid model name"


@pytest.mark.parametrize(
    ("create", "origin"),
    [
        (Create("x", source="gpt-oss:cloud"), FromRemote(CLOUD_HOST, "gpt-oss")),
        (Create("x", source="gpt-oss:20b-cloud"), FromRemote(CLOUD_HOST, "gpt-oss:20b")),
        (
            Create("x", source="o", remote_host="http://127.0.0.1:9"),
            FromRemote("http://127.0.0.1:9", "o"),
        ),
        (
            Create("x", source="o", remote_host="example.com"),
            FromRemote("https://example.com", "o"),
        ),
    ],
)
def test_a_remote_model_has_a_stand_in(create, origin):
    assert origin_of(create) == origin


@pytest.mark.parametrize(
    "host", ["ftp://x", "http://", "http://a:x", "http://[", "a b", "é.com", "x\n"]
)
def test_a_bad_remote_host_is_refused(host):
    assert "remote_host" in refusal(origin_of, Create("x", source="y", remote_host=host))


def test_the_kind_of_files_is_told_by_name_or_by_content():
    check_format({"a.gguf": "abc"}, set())
    check_format({"weights": DIGEST}, {DIGEST})
    assert refusal(check_format, {}, set()) == "unknown type"
    said = refusal(check_format, {"we\nights": DIGEST}, set())
    assert said == "unknown type: 'we\\nights' is neither a GGUF file nor safetensors"
    assert len(refusal(check_format, {"x" * 9999: DIGEST}, set())) < 150


def test_files_must_make_one_model():
    check_weights([WEIGHTS, PROJECTOR])
    assert refusal(check_weights, []) == "no files provided to convert"
    assert refusal(check_weights, [PROJECTOR]).startswith("none of the files")
    assert refusal(check_weights, [WEIGHTS, WEIGHTS]).startswith("more than one of the files")
    split = GgufFile(DIGEST, 1, GgufFacts("llama", parts=2))
    assert "00002 is missing" in refusal(check_weights, [split])
    adapter = GgufFile(DIGEST, 1, GgufFacts("llama", "adapter"))
    assert "an adapter" in refusal(check_weights, [WEIGHTS, adapter])


def test_one_adapter_is_enough():
    check_adapters([])
    check_adapters([WEIGHTS])
    problem = refusal(check_adapters, [WEIGHTS, WEIGHTS])
    assert problem == "only one adapter is currently supported"


@pytest.mark.parametrize(
    ("requested", "file_type", "wanted"),
    [
        ("", 7, None),
        ("q4_K_M", 1, "Q4_K_M"),
        ("Q4_K", 0, "Q4_K_M"),
        ("mxfp4", 1, "MXFP4_MOE"),
        ("iq4_nl", 1, "IQ4_NL"),
        ("q8_0", 32, "Q8_0"),
        ("bf16", 1, "BF16"),
        ("f16", 1, None),
    ],
)
def test_weights_are_converted_to_the_type_that_was_asked_for(requested, file_type, wanted):
    assert quantization_of(requested, GgufFacts("llama", file_type=file_type)) == wanted


def test_an_unknown_type_is_refused_before_quantized_weights():
    quantized = GgufFacts("llama", file_type=7)
    problem = refusal(quantization_of, "q9_X", quantized)
    assert problem.startswith(
        "unsupported quantization type Q9_X - supported types are F32, F16, BF16, Q8_0, Q6_K, "
    )
    assert "IQ1_S" not in problem
    problem = "quantization is only supported for F16, BF16 and F32 models"
    assert refusal(quantization_of, "q4_K_M", quantized) == problem
    assert refusal(quantization_of, "q4_K_M", GgufFacts("llama")) == problem


def test_a_type_that_needs_an_importance_matrix_is_refused_with_that_reason():
    problem = refusal(quantization_of, "iq2_xxs", GgufFacts("llama", file_type=1))
    assert problem.startswith("IQ2_XXS needs an importance matrix: ")


def test_the_types_are_those_of_llama_cpp():
    offered = {
        name.removeprefix("LLAMA_FTYPE_").removeprefix("MOSTLY_").removeprefix("ALL_"): number
        for name, number in vars(llama_cpp).items()
        if name.startswith("LLAMA_FTYPE_") and number < llama_cpp.LLAMA_FTYPE_GUESSED
    }
    del offered["NVFP4"]  # read, but not made: llama_model_quantize knows no such output type
    assert {name: kind.number for name, kind in QUANTIZATIONS.items()} == offered


@pytest.mark.parametrize(
    ("info", "kind"),
    [
        ({"model_family": 5}, 'info field "model_family" must be a string'),
        ({"parameter_size": []}, None),
        ({"parameter_size": [1]}, 'info field "parameter_size" must be a string'),
        ({"context_length": "x"}, 'info field "context_length" must be a number'),
        ({"context_length": True}, 'info field "context_length" must be a number'),
        ({"embedding_length": -1}, 'info field "embedding_length" must be a non-negative integer'),
        ({"embedding_length": 1.5}, 'info field "embedding_length" must be a non-negative integer'),
        ({"context_length": 1e300}, 'info field "context_length" must be a non-negative integer'),
        ({"capabilities": "tools"}, 'info field "capabilities" must be an array of strings'),
        ({"context_length": None, "other": object()}, None),
    ],
)
def test_info_has_types(info, kind):
    if kind is None:
        check_info(info)
    else:
        assert refusal(check_info, info) == kind


def test_a_required_version_is_a_version():
    assert checked_requires("") == ""
    assert checked_requires("v0.14.0") == "0.14.0"
    assert "valid semver" in refusal(checked_requires, "new")
