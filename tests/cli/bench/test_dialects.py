"""What is read of answers that were recorded from servers, and of those that are wrong."""

import json

import pytest

from actorllm.cli.bench.dialects import DIALECTS, Question, read
from actorllm.cli.bench.traces import Counts, Recording
from actorllm.cli.errors import Failure

OLLAMA, OPENAI = DIALECTS["ollama"], DIALECTS["openai"]
QUESTION = Question(text="why?", system="be brief", tokens=5, seed=3, window=2048)


def recording(*lines, ended=9.0):
    made = Recording(sent=0.5)
    for number, line in enumerate(lines, 1):
        data = line if isinstance(line, bytes) else json.dumps(line).encode()
        made.add(float(number), data + b"\n")
    made.ended = ended
    return made


def event(**frame):
    return b"data: " + json.dumps(frame).encode() + b"\n"


def delta(**delta):
    return event(choices=[{"index": 0, "delta": delta}])


def test_pieces_and_counts_of_ollama():
    told = read(
        OLLAMA,
        recording(
            {"message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": False},
            {"message": {"content": "a"}, "done": False},
            {"message": {"content": ""}, "done": False},
            {"message": {"content": ""}, "done": True, "prompt_eval_count": 9, "eval_count": 4},
        ),
    )
    assert told.pieces == (1.0, 2.0)
    assert told.counts == Counts(prompt=9, generated=4)


def test_pieces_and_counts_of_openai():
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 6},
    }
    told = read(
        OPENAI,
        recording(
            b": comment",
            delta(role="assistant", content=""),
            delta(reasoning_content="hm"),
            delta(reasoning="hm"),
            delta(content="a"),
            event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
            event(choices=[], usage=usage),
            b"data: [DONE]",
        ),
    )
    assert told.pieces == (3.0, 4.0, 5.0)
    assert told.counts == Counts(prompt=9, cached=6, generated=4)


@pytest.mark.parametrize(("extra", "cached"), [({"cached_tokens": 7}, 7), ({}, None), (7, None)])
def test_cached_tokens_are_read_from_the_key_of_our_own(extra, cached):
    frame = {"message": {}, "done": True, "prompt_eval_count": 9, "actorllm": extra}
    assert read(OLLAMA, recording(frame)).counts == Counts(prompt=9, cached=cached)


@pytest.mark.parametrize(
    ("dialect", "lines", "text"),
    [
        (OLLAMA, [{"error": "no\nmemory"}], "no memory"),
        (OPENAI, [event(error={"message": "no memory", "type": "x"})], "no memory"),
        (OLLAMA, [{"message": {"content": "a"}}], "ended a stream before its last line"),
        (OPENAI, [delta(content="a")], "ended a stream before its last line"),
        (OLLAMA, [b"<html>"], "not JSON"),
        (OPENAI, [b"data: <html>"], "not JSON"),
        (OLLAMA, [b"[" * 100_000], "not JSON"),
        (OLLAMA, [[1]], "not a JSON object"),
    ],
)
def test_what_went_wrong_is_said_in_one_line(dialect, lines, text):
    with pytest.raises(Failure, match=text):
        read(dialect, recording(*lines))


@pytest.mark.parametrize(
    "frame",
    [
        {"message": 7, "done": False},
        {"done": True, "eval_count": "4", "prompt_eval_count": True, "prompt_eval_duration": -1},
    ],
)
def test_fields_of_a_wrong_type_are_not_there(frame):
    told = read(OLLAMA, recording(frame), broken_off=True)
    assert told.pieces == ()
    assert told.counts == Counts()


@pytest.mark.parametrize("choices", [None, [], [7], [{"delta": 7}], {"0": {}}])
def test_choices_of_a_wrong_type_are_not_there(choices):
    assert read(OPENAI, recording(event(choices=choices)), broken_off=True).pieces == ()


def test_a_stream_that_was_broken_off_need_not_end():
    told = read(OLLAMA, recording({"message": {"content": "a"}}, ended=0.0), broken_off=True)
    assert told.pieces == (1.0,)


def test_an_answer_is_asked_for_in_both_apis():
    asked = OLLAMA.chat("m", QUESTION)
    assert asked.path == "/api/chat"
    assert asked.body["options"] == {"num_predict": 5, "seed": 3, "num_ctx": 2048}
    assert asked.body["truncate"] is False
    asked = OPENAI.chat("m", QUESTION)
    assert asked.path == "/v1/chat/completions"
    assert (asked.body["max_tokens"], asked.body["seed"]) == (5, 3)
    assert [m["role"] for m in asked.body["messages"]] == ["system", "user"]


def test_vectors_are_read_in_both_apis():
    assert OLLAMA.vectors({"embeddings": [[1.0, 2.0]]}) == [[1.0, 2.0]]
    assert OPENAI.vectors({"data": [{"embedding": [1.0]}, {"embedding": [2.0]}]}) == [[1.0], [2.0]]
    assert OLLAMA.embed_counts({"prompt_eval_count": 3}) == Counts(prompt=3)
    assert OPENAI.embed_counts({"usage": {"prompt_tokens": 3}}) == Counts(prompt=3)
    for dialect in (OLLAMA, OPENAI):
        for answer in ({}, {"embeddings": [], "data": []}, {"embeddings": [7], "data": [7]}):
            with pytest.raises(Failure, match="no vectors"):
                dialect.vectors(answer)
