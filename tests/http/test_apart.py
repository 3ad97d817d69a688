"""Chunks as streams show them."""

import pytest

from actorllm.http.generation import apart, join
from actorllm.protocol.chat import ToolCall
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import Chunk, Done, Logprob

DONE = Done("stop")
CALLS = (ToolCall("f", {}),)
A, B = Logprob("a", -1.0, (97,)), Logprob("b", -2.0, (98,))


@pytest.mark.parametrize(
    ("chunk", "shown"),
    [
        (Chunk(), []),
        (Chunk("x"), [Chunk("x")]),
        (Chunk("x", tool_calls=CALLS), [Chunk("x", tool_calls=CALLS)]),
        (Chunk("x", "t"), [Chunk(thinking="t"), Chunk("x")]),
        (Chunk("x", done=DONE), [Chunk("x"), Chunk(done=DONE)]),
        (Chunk("", "t", done=DONE), [Chunk(thinking="t"), Chunk(done=DONE)]),
        (Chunk(tool_calls=CALLS, done=DONE), [Chunk(tool_calls=CALLS, done=DONE)]),
        (Chunk("ab", logprobs=(A, B)), [Chunk("a", logprobs=(A,)), Chunk("b", logprobs=(B,))]),
        (Chunk("é", logprobs=(A, B)), [Chunk("é", logprobs=(A, B))]),
        (
            Chunk("b", "a", logprobs=(A, B)),
            [Chunk("", "a", logprobs=(A,)), Chunk("b", logprobs=(B,))],
        ),
        (Chunk("x", "a", logprobs=(A,)), [Chunk("", "a", logprobs=(A,)), Chunk("x")]),
        (
            Chunk("", "a", logprobs=(A, B)),
            [Chunk("", "a", logprobs=(A,)), Chunk("", logprobs=(B,))],
        ),
        (Chunk("", "t", logprobs=(A,)), [Chunk("", "t"), Chunk("", logprobs=(A,))]),
    ],
)
def test_thoughts_text_and_the_end_come_apart(chunk, shown):
    assert list(apart(chunk)) == shown


def test_a_generation_is_put_together_again():
    chunks = [
        Chunk("a", "t", logprobs=(A,), notices=("slow",)),
        Chunk("b", tool_calls=CALLS),
        Chunk(done=DONE),
    ]
    assert join(chunks) == Chunk("ab", "t", CALLS, (A,), ("slow",), DONE)


@pytest.mark.parametrize("chunks", [[], [Chunk("a")]])
def test_a_generation_without_an_end_is_refused(chunks):
    with pytest.raises(Refused, match="early"):
        join(chunks)
