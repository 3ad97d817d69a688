import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.protocol.codec import Value, decode, encode, message
from actorllm.protocol.errors import Refused
from actorllm.protocol.options import Options, kind_of, merge

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
BIASES = st.dictionaries(st.sampled_from(["7", "x", ""]), SCALARS, max_size=2)
KEYS = st.sampled_from([field.name for field in attrs.fields(Options)]) | st.text(max_size=5)


@message
class Asked(Value):
    options: Options


def test_defaults_hold_where_nothing_is_said():
    assert merge(Options(), {}, {}) == (Options(), ())


def test_a_later_layer_wins_and_null_says_nothing():
    options, ignored = merge(
        Options(),
        {"temperature": 0.1, "top_k": 5, "stop": ["a"]},
        {"temperature": None, "top_k": 7},
    )
    assert options == Options(temperature=0.1, top_k=7, stop=("a",))
    assert ignored == ()


def test_unknown_keys_are_reported_once_each():
    _, ignored = merge(Options(), {"tfs_z": 1, "seed": 3}, {"tfs_z": 2, "nope": None})
    assert ignored == ("tfs_z", "nope")


def test_floats_for_integers_are_cut_and_integers_make_floats():
    options, _ = merge(Options(), {"num_predict": 12.9, "top_k": -1.5, "temperature": 1})
    assert (options.num_predict, options.top_k) == (12, -1)
    assert type(options.temperature) is float


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("num_predict", "ten", "type integer"),
        ("num_ctx", "4k", "type integer"),
        ("num_ctx", True, "type integer"),
        ("seed", 2**63, "type integer"),
        ("seed", float("inf"), "type integer"),
        ("num_batch", [], "type integer"),
        ("temperature", "hot", "type float32"),
        ("temperature", False, "type float32"),
        ("top_p", {}, "type float32"),
        ("top_p", float("nan"), "type float32"),
        ("min_p", 10**400, "type float32"),
        ("use_mmap", "yes", "type boolean"),
        ("deterministic", 1, "type boolean"),
        ("stop", "x", "type array"),
        ("stop", [1], "an array of strings"),
        ("logit_bias", [[7, 1]], "type object, with at most 1024 members"),
        (
            "logit_bias",
            dict.fromkeys(map(str, range(1025)), 1),
            "type object, with at most 1024 members",
        ),
        ("logit_bias", {"7": "1"}, "type float32"),
        ("logit_bias", {"7": float("-inf")}, "type float32"),
        ("logit_bias", {"-7": 1}, "type object, with token numbers as keys"),
        ("logit_bias", {"٣": 1}, "type object, with token numbers as keys"),
        ("logit_bias", {"2147483648": 1}, "type object, with token numbers as keys"),
        ("logit_bias", {"9" * 5000: 1}, "type object, with token numbers as keys"),
    ],
)
def test_a_wrong_type_is_refused(key, value, text):
    with pytest.raises(Refused) as refusal:
        merge(Options(), {key: value})
    assert str(refusal.value) == f'option "{key}" must be of {text}'
    assert refusal.value.problem.status == 500


@given(st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=3) | BIASES, max_size=4))
def test_any_json_is_merged_or_refused(layer):
    try:
        options, ignored = merge(Options(), layer)
    except Refused:
        return
    assert not {field.name for field in attrs.fields(Options)} & set(ignored)
    assert merge(options, layer)[0] == options


def test_biases_travel_as_pairs():
    options, _ = merge(Options(), {"logit_bias": {"7": -100, "12": 0.5}})
    assert options.logit_bias == ((7, -100.0), (12, 0.5))
    assert decode(encode(Asked(options))) == Asked(options)


def test_kinds_are_named_as_in_error_texts():
    names = {
        key: kind.name for key in ("seed", "min_p", "use_mmap", "stop") if (kind := kind_of(key))
    }
    assert names == {"seed": "integer", "min_p": "float32", "use_mmap": "boolean", "stop": "array"}
    assert kind_of("nope") is None
