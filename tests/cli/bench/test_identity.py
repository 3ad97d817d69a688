import attrs
import pytest

from actorllm.cli.bench.identity import Identity, choose, of_listed, of_ollama, sameness
from actorllm.cli.errors import Failure

WEIGHTS = "5" * 64
OURS = Identity(name="m", digest="a" * 64, weights=WEIGHTS, quantization="Q8_0", parameters="8.0B")


def test_the_weights_are_read_from_the_modelfile():
    shown = {
        "modelfile": f"# FROM m\n\nFROM /some/blobs/sha256-{WEIGHTS}\nTEMPLATE x\n",
        "details": {"quantization_level": "Q8_0", "parameter_size": "8.0B"},
    }
    assert of_ollama({"name": "m", "digest": "a" * 64}, shown) == OURS
    assert str(OURS) == "m, 555555555555, Q8_0, 8.0B"


def test_what_is_missing_or_of_a_wrong_type_is_empty():
    assert of_ollama({"name": "m"}, {"details": 7, "modelfile": None}) == Identity(name="m")
    assert of_listed({"id": "m", "meta": 7}) == Identity(name="m")
    assert of_listed({"id": "m", "meta": {"n_params": "8"}}) == Identity(name="m")


@pytest.mark.parametrize(
    ("count", "text"), [(8030261248, "8.0B"), (494032768, "494.03M"), (1500, "1.50K"), (7, "7")]
)
def test_a_number_of_parameters_is_written_as_by_ollama(count, text):
    assert of_listed({"id": "m", "meta": {"n_params": count}}).parameters == text


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "same"),
        ({"name": "other", "digest": "b" * 64}, "same"),  # other parameters, the same weights
        ({"weights": "6" * 64}, "different"),
        ({"weights": ""}, "same"),  # by the manifest
        ({"weights": "", "digest": "b" * 64}, "unknown"),
        ({"weights": "", "digest": "", "quantization": "q4_0"}, "different"),
        ({"weights": "", "digest": "", "quantization": "q8_0"}, "unknown"),
        ({"weights": "", "digest": "", "quantization": "", "parameters": "70B"}, "different"),
        ({"weights": "", "digest": "", "quantization": "", "parameters": ""}, "unknown"),
    ],
)
def test_weights_decide_then_manifests_then_descriptions(changes, verdict):
    assert sameness(OURS, attrs.evolve(OURS, **changes)) == verdict


LISTED = [{"name": "Mine:latest"}, {"name": "mine:q4"}]


def test_a_model_is_found_with_and_without_its_tag():
    assert choose("mine", LISTED, "name", "u") is LISTED[0]
    assert choose("mine:latest", LISTED, "name", "u") is LISTED[0]
    assert choose("mine:q4", LISTED, "name", "u") is LISTED[1]
    assert choose("", LISTED[1:], "name", "u") is LISTED[1]


def test_a_model_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(Failure, match="no model 'yours' at u; it has: Mine:latest, mine:q4"):
        choose("yours", LISTED, "name", "u")
    with pytest.raises(Failure, match="name a model of u; it has: Mine:latest, mine:q4"):
        choose("", LISTED, "name", "u")
    with pytest.raises(Failure, match="it has: none"):
        choose("", [], "name", "u")
    with pytest.raises(Failure, match="m9 and 5 more"):
        choose("", [{"name": f"m{n}"} for n in range(15)], "name", "u")
