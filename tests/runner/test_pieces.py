"""Deltas to chunks, and streams that go on behind what was delivered."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.runner.engine.types import Delta, Finish, Logprob, TokenLogprob
from actorllm.actors.runner.messages import Resume
from actorllm.actors.runner.parse import TemplateFacts, make_parser
from actorllm.actors.runner.pieces import Pieces, call_id

START = Resume()
FINISH = Finish(reason="stop")
CALL = '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>'
ANSWER = f"<think>hm, é</think>It is 🙂 so.{CALL}{CALL}"
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}},
        },
    },
)


def parser():
    facts = TemplateFacts(
        kind="jinja",
        text="<tool_call> <think> </tool_call>",
        think_open="<think>",
        think_close="</think>",
        tool_tag="<tool_call>",
    )
    return make_parser("", template=facts, tools=TOOLS, think=True)


def pieces(resume=START, *, make=parser, stops=(), **options):
    numbers = iter(range(100))
    return Pieces(make(), bytes, resume, stops, lambda: f"id-{next(numbers)}", **options)


def delta(data: bytes, text: str | None = None, finish=None):
    return Delta(1, tuple(data), data.decode() if text is None else text, finish=finish)


def feed_all(made, cuts):
    """Feed whole characters, cut into deltas; returns the chunks with their tokens."""
    out = [made.feed([delta(part.encode())])[:2] for part in cuts]
    chunk, tokens, finish = made.feed([delta(b"", finish=FINISH)])
    assert finish is FINISH
    return [*out, (chunk, tokens)]


def joined(chunks):
    return (
        "".join(c.thinking for c in chunks),
        "".join(c.content for c in chunks),
        [(c.function.name if hasattr(c, "function") else c.name, c.arguments)
         for chunk in chunks for c in chunk.tool_calls],
    )  # fmt: skip


WHOLE = joined([chunk for chunk, _ in feed_all(pieces(), [ANSWER])])


def test_an_answer_becomes_thoughts_text_and_calls():
    assert WHOLE == ("hm, é", "It is 🙂 so.", [("f", {"x": 1})] * 2)


@given(st.lists(st.integers(0, len(ANSWER)), max_size=12), st.integers(0, 12))
def test_a_stream_that_died_anywhere_goes_on_without_loss(cuts, delivered):
    """The text up to the death came from one runner, the rest from another."""
    edges = [0, *sorted(cuts), len(ANSWER)]
    parts = [ANSWER[a:b] for a, b in itertools.pairwise(edges)]
    first = pieces()
    before = [first.feed([delta(part.encode())])[:2] for part in parts[:delivered]]
    chunks = [chunk for chunk, _ in before]
    resume = Resume(
        tuple(token for _, tokens in before for token in tokens),
        sum(len(c.content) for c in chunks),
        sum(len(c.thinking) for c in chunks),
        sum(len(c.tool_calls) for c in chunks),
    )
    chunks += [chunk for chunk, _ in feed_all(pieces(resume), parts[delivered:])]
    assert joined(chunks) == WHOLE


def test_tokens_are_handed_on_with_the_text_they_came_with():
    made = pieces(make=lambda: make_parser("passthrough"))
    chunk, tokens, finish = made.feed([delta(b"a"), Delta(1, (0xC3,), ""), Delta(1, (0xA9,), "é")])
    assert (chunk.content, tokens, finish) == ("aé", (97, 0xC3, 0xA9), None)
    assert made.raw == "aé"


def test_half_a_character_that_was_delivered_as_a_token_is_completed():
    resume = Resume((97, 0xC3), content=1)
    made = pieces(resume, make=lambda: make_parser("passthrough"))
    chunk, _, _ = made.feed([Delta(1, (0xA9,), "é", finish=FINISH)])
    assert chunk.content == "é"


def test_each_call_gets_an_id_and_one_that_was_delivered_does_not_come_again():
    chunks = [chunk for chunk, _ in feed_all(pieces(), [ANSWER])]
    assert [call.id for c in chunks for call in c.tool_calls] == ["id-0", "id-1"]
    resume = Resume(tuple(ANSWER.encode()), len("It is 🙂 so."), len("hm, é"), 1)
    late = [chunk for chunk, _ in feed_all(pieces(resume), [])]
    assert sum(len(c.tool_calls) for c in late) == 1
    assert joined(late)[:2] == ("", "")


def test_calls_can_be_held_back_until_the_end():
    chunks = [chunk for chunk, _ in feed_all(pieces(hold_calls=True), [*ANSWER, "!"])]
    assert [len(c.tool_calls) for c in chunks if c.tool_calls] == [2]
    assert len(chunks[-1].tool_calls) == 2


def test_probabilities_keep_their_bytes():
    likely = Logprob(1, b"\xc3", -0.5)
    report = TokenLogprob(likely, (likely,))
    made = pieces(make=lambda: make_parser("passthrough"))
    chunk, _, _ = made.feed([Delta(1, (1,), "", logprobs=(report,))])
    [logprob] = chunk.logprobs
    assert (logprob.token, logprob.bytes, logprob.logprob) == ("\ufffd", (0xC3,), -0.5)
    assert logprob.top[0].bytes == (0xC3,)


@pytest.mark.parametrize(("native", "shape"), [(True, (32, "")), (False, (13, "call_"))])
def test_ids_look_as_clients_know_them(native, shape):
    made = {call_id(native=native) for _ in range(50)}
    assert len(made) == 50
    assert {(len(i), i[: len(shape[1])]) for i in made} == {shape}


@pytest.mark.parametrize("delivered", [0, 1])
def test_one_call_at_a_time_is_the_first_one_whatever_the_grammar(delivered):
    resume = Resume(tokens=tuple(f"<think>hm</think>{CALL}".encode()), thinking=2, tool_calls=1)
    made = pieces(resume if delivered else START, one_call=True)
    text = f"{CALL}{CALL}" if delivered else ANSWER
    chunks = [chunk for chunk, _ in feed_all(made, [text])]
    assert sum(len(chunk.tool_calls) for chunk in chunks) == 1 - delivered
    assert made.calls_left_out == 1 + delivered
