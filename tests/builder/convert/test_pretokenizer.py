import pytest

from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.pretokenizer import pretokenizer

TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    + TAIL
)
QWEN2 = CL100K.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN35 = QWEN2.replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p", r"[^\s\p{L}\p{M}\p")
UPPER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
LOWER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
TEKKEN = rf"{UPPER}|{LOWER}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{TAIL}"
SHORT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = rf"{UPPER}{SHORT}|{LOWER}{SHORT}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{TAIL}"
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}


def split(regex, behavior="Isolated", *, invert=False):
    step = {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}
    return sequence(step, BYTES)


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def named(pre, *, words_first=False, normalizer=None):
    notices = []
    model = {"ignore_merges": words_first}
    found = pretokenizer({"pre_tokenizer": pre, "model": model, "normalizer": normalizer}, notices)
    return found, notices


@pytest.mark.parametrize(
    ("pre", "words_first", "name"),
    [
        (split(CL100K), True, "llama-bpe"),
        (split(CL100K), False, "smaug-bpe"),
        (split(CL100K, "Removed", invert=True), False, "smaug-bpe"),
        (split(QWEN2), False, "qwen2"),
        (split(QWEN35), False, "qwen35"),
        (split(TEKKEN), True, "tekken"),
        (split(O200K), False, "gpt-4o"),
        (GPT2, False, "gpt-2"),
        (sequence({"type": "Digits", "individual_digits": True}, GPT2), False, "smollm"),
        (sequence(split(r"\p{N}")["pretokenizers"][0], GPT2), False, "smollm"),
    ],
)
def test_a_rule_that_llama_cpp_knows_is_named(pre, words_first, name):
    assert named(pre, words_first=words_first) == (name, [])


def test_line_ends_may_be_escaped_or_not():
    assert named(split(QWEN2.replace(r"\r\n", "\r\n")))[0] == "qwen2"


@pytest.mark.parametrize(
    "pre",
    [
        None,
        split(CL100K + "|x"),
        split(CL100K, "MergedWithNext"),
        GPT2 | {"add_prefix_space": True},
        {"type": "Whitespace"},
        sequence({"type": "Digits", "individual_digits": False}, GPT2),
        {"type": "Split", "pattern": {"String": " "}, "behavior": "Isolated"},
        sequence(),
    ],
)
def test_any_other_rule_is_refused(pre):
    with pytest.raises(ConvertError, match=r"by a rule that llama\.cpp lacks"):
        named(pre)


@pytest.mark.parametrize("pre", [5, sequence("x"), {"type": "Sequence", "pretokenizers": 3}])
def test_nonsense_is_refused(pre):
    with pytest.raises(ConvertError, match="malformed"):
        named(pre)


def test_what_llama_cpp_does_in_another_way_is_said():
    assert named(split(QWEN2), normalizer={"type": "NFC"})[1] == (
        ["text is not normalized to NFC before it is tokenized"]
    )
    name, (notice,) = named(split(QWEN2), words_first=True)
    assert name == "qwen2"
    assert "takes whole words before it merges, llama.cpp does not" in notice
    with pytest.raises(ConvertError, match="normalizes text by NFKC"):
        named(GPT2, normalizer={"type": "NFKC"})
