"""Thoughts before a structure: where they may begin, and where they end."""

import json

import attrs
import pytest

from actorllm.actors.runner.engine.matching import Matchers
from actorllm.actors.runner.engine.opening import open_model
from actorllm.actors.runner.engine.types import EngineError, EngineSettings, Structure

ANSWER = '{"ok": true}'
BARE = Structure(
    "schema",
    json.dumps({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}),
)
MAY_THINK = attrs.evolve(BARE, opening="<think>", closings=("</think>",))
THINKING = attrs.evolve(BARE, closings=("</think>",))
SPELLED = attrs.evolve(BARE, opening="[THINK]", closings=("[/THINK]", "[DONE]"))


@pytest.fixture(scope="module")
def vocab(seedling):
    opened = open_model(EngineSettings(model_path=seedling, num_ctx=256, slots=1, threads=1))
    yield opened.model.vocab
    opened.free()


@pytest.fixture(scope="module")
def matchers(vocab):
    return Matchers(vocab)


def accepted(matchers, vocab, structure, text, *, special=True):
    """Give the beginning of a text that is allowed, and whether it may end there."""
    matcher = matchers.begin(structure)
    tokens = vocab.tokenize(text, add_special=False, parse_special=special)
    taken = b""
    for token in tokens:
        if not matcher.allows(token):
            break
        matcher.take(token)
        taken += vocab.piece(token)
    return taken.decode("utf-8", "replace"), matcher.allows(vocab.eos)


@pytest.mark.parametrize(
    ("structure", "text"),
    [
        (BARE, ANSWER),
        (MAY_THINK, ANSWER),
        (MAY_THINK, f"<think>\nHm, {{.\n</think>\n\n{ANSWER}"),
        (MAY_THINK, f"<think></think>{ANSWER}"),
        (THINKING, f"Let me see.\n</think>\n\n{ANSWER}"),
        (THINKING, f"</think>{ANSWER}"),
        (SPELLED, ANSWER),
        (SPELLED, f"[THINK]a [b] [/THIN [/THINK]\n{ANSWER}"),
        (SPELLED, f"[THINK]a[DONE]\n{ANSWER}"),
    ],
)
def test_an_answer_may_follow_thoughts_or_nothing(matchers, vocab, structure, text):
    assert accepted(matchers, vocab, structure, text) == (text, True)


@pytest.mark.parametrize(
    ("structure", "text", "begin"),
    [
        (BARE, f"<think>{ANSWER}", ""),
        (BARE, f"\n{ANSWER}", ""),
        (MAY_THINK, "Hm.", ""),
        (MAY_THINK, f"\n\n{ANSWER}", ""),
        (MAY_THINK, f"</think>{ANSWER}", ""),
        (MAY_THINK, "<think>Hm</think>\n\nThe answer", "<think>Hm</think>\n\n"),
        (MAY_THINK, f"<think>Hm</think><think>{ANSWER}", "<think>Hm</think>"),
        (MAY_THINK, f"{ANSWER}<think>", ANSWER),
        (THINKING, "Hm</think><tool_call>", "Hm</think>"),
        (SPELLED, "[THIEF", "[THI"),
        (SPELLED, "[THINK]a[/THINK]" + "\n" * 40, "[THINK]a[/THINK]" + "\n" * 16),
    ],
)
def test_nothing_else_may(matchers, vocab, structure, text, begin):
    taken, may_end = accepted(matchers, vocab, structure, text)
    assert begin.startswith(taken)
    assert len(begin) - len(taken) < 4  # tokens may be longer than a character
    assert may_end == (taken == ANSWER)


def test_nothing_ends_before_the_structure(matchers, vocab):
    assert accepted(matchers, vocab, MAY_THINK, "<think>Hm") == ("<think>Hm", False)
    assert accepted(matchers, vocab, SPELLED, "[THI") == ("[THI", False)
    assert accepted(matchers, vocab, THINKING, "Hm</think>\n") == ("Hm</think>\n", False)


@pytest.mark.parametrize("structure", [BARE, MAY_THINK, THINKING, SPELLED])
def test_from_every_state_the_marked_tokens_lead_to_an_answer(matchers, vocab, structure):
    # The model wants what is not allowed, always: it is led through the tags to a valid answer.
    matcher = matchers.begin(structure)
    if structure is SPELLED:
        matcher.take(vocab.tokenize("[", add_special=False, parse_special=False)[0])
    text = b""
    for _ in range(60):
        marked = matcher.allowed().nonzero()[0]
        token = min(map(int, marked), key=lambda t: (vocab.ends(t), -len(vocab.piece(t)), t))
        assert matcher.allows(token)
        matcher.take(token)
        if vocab.ends(token):
            break
        text += vocab.piece(token)
    assert json.loads(text[text.index(b"{") :]).keys() == {"ok"}


def test_marked_tokens_are_those_that_are_allowed(matchers, vocab):
    matcher = matchers.begin(BARE)
    for token in vocab.tokenize(ANSWER, add_special=False, parse_special=False):
        marked = matcher.allowed()
        assert marked.tolist() == [matcher.allows(t) for t in range(vocab.size)]
        matcher.take(token)


def test_a_replay_leads_to_the_same_state(matchers, vocab):
    text = f"<think>Hm</think>\n{ANSWER}"
    tokens = vocab.tokenize(text, add_special=False, parse_special=True)
    for cut in range(len(tokens)):
        matcher = matchers.begin(MAY_THINK)
        matcher.replay(tokens[:cut])
        matcher.replay(tokens[cut:])
        assert matcher.allows(vocab.eos)
    with pytest.raises(EngineError, match="do not keep to the structure"):
        matchers.begin(BARE).replay(tokens)


def test_a_structure_is_compiled_once_and_those_used_last_are_kept(vocab):
    matchers = Matchers(vocab)
    first = matchers.compile(BARE)
    assert matchers.compile(MAY_THINK) is first
    for number in range(31):
        matchers.compile(Structure("schema", json.dumps({"const": number})))
    assert matchers.compile(BARE) is first
    for number in range(32):
        matchers.compile(Structure("schema", json.dumps({"const": -number})))
    assert matchers.compile(BARE) is not first


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"type": "string", "format": "date"}, "2024-02-29", "2023-02-29"),
        ({"type": "string", "format": "date"}, "0001-01-01", "0000-01-01"),
        ({"type": "string", "format": "date-time"}, "2024-02-29T10:00:00Z", "2023-02-29T10:00:00Z"),
        ({"type": ["string", "null"], "format": "date"}, "2024-02-29", "2023-02-29"),
        ({"format": "date"}, "2024-02-29", "2023-02-29"),
        ({"type": "string", "format": "date", "pattern": "^20"}, "2024-02-29", "2023-02-29"),
        ({"type": "string", "format": "date", "pattern": "^20"}, "2024-02-28", "1924-02-28"),
    ],
)
def test_dates_are_days_that_there_are(matchers, vocab, schema, right, wrong):
    structure = Structure("schema", json.dumps(schema))
    for day, whole in ((right, True), (wrong, False)):
        assert accepted(matchers, vocab, structure, json.dumps(day))[1] is whole


@pytest.mark.parametrize("loop", [{"$ref": "#"}, {"anyOf": [{"$ref": "#"}]}])
def test_a_schema_that_leads_to_itself_only_cannot_be_begun(matchers, loop):
    with pytest.raises(EngineError, match="no answer can begin"):
        matchers.begin(Structure("schema", json.dumps(loop)))
