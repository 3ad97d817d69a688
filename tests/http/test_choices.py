"""Several choices, lists of prompts, tokens as prompts, and tools that must be called."""

import json

import pytest
import trio

from actorllm.http.openai.choices import MOST_CHOICES, _Merged, _Numbered
from actorllm.protocol.messages.generation import Chunk
from tests.http.test_openai import USER, chat, events


async def complete(client, model="text", **more):
    return await client.post("/v1/completions", json={"model": model, "prompt": "x"} | more)


async def test_choices_share_a_document_and_their_prompt_is_counted_once(client, world):
    answer = (await chat(client, "text", n=3, seed=7)).json()
    assert [c["index"] for c in answer["choices"]] == [0, 1, 2]
    assert all(c["message"]["content"] == "Hello <b> & you" for c in answer["choices"])
    assert answer["usage"] == {"prompt_tokens": 7, "completion_tokens": 6, "total_tokens": 13}
    assert sorted(r.options["seed"] for r in world.requests) == [7, 8, 9]


async def test_choices_of_a_stream_are_told_apart_by_their_index(client):
    options = {"stream": True, "n": 2, "stream_options": {"include_usage": True}}
    *chunks, usage, done = events(await chat(client, "text", **options))
    assert len({c["id"] for c in chunks}) == 1
    for index in (0, 1):
        own = [c["choices"][0] for c in chunks if c["choices"][0]["index"] == index]
        assert "".join(c["delta"].get("content", "") for c in own) == "Hello <b> & you"
        assert own[0]["delta"]["role"] == "assistant"
        assert [c["finish_reason"] for c in own][-1] == "stop"
    assert usage["usage"]["completion_tokens"] == 4
    assert done == "[DONE]"


class Narrow:
    """An outlet that takes one frame at a time, and is full at first."""

    def __init__(self):
        self.credit, self.taken = 0, []

    async def wait_credit(self):
        await trio.lowlevel.checkpoint()
        self.credit = 1

    def push(self, frame):
        assert self.credit > 0
        self.credit = 0
        self.taken.append(frame)


async def test_choices_are_poured_under_credit_only():
    send, receive = trio.open_memory_channel(4)
    async with send:
        for index in range(4):
            await send.send(_Numbered(index, Chunk(str(index))))
    outlet = Narrow()
    await _Merged(receive).pour(outlet, lambda item: item.chunk.content.encode())
    assert outlet.taken == [b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize("n", [0, -1, MOST_CHOICES + 1])
async def test_choices_are_bounded(client, n):
    answer = await chat(client, "text", n=n)
    assert (answer.status_code, "between 1 and" in answer.text) == (400, True)


async def test_the_first_refusal_among_choices_has_its_status(client, world):
    for stream in (False, True):
        answer = await chat(client, "absent", n=2, stream=stream)
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")
    await world.until(lambda: world.followed == world.left)


async def test_a_failure_among_choices_is_an_event_and_ends_all(client, world):
    *_, error, done = events(await chat(client, "breaks", n=2, stream=True))
    assert error["error"]["message"] == "the runner is gone"
    assert done == "[DONE]"
    await world.until(lambda: world.followed == world.left)


async def test_leaving_a_stream_of_choices_ends_all_of_them(world):
    body = json.dumps({"model": "endless", "messages": USER, "n": 3, "stream": True})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
    connection = await world.connect()
    await connection.send_all(f"{head}\r\n\r\n{body}".encode())
    assert (await connection.receive_some()).startswith(b"HTTP/1.1 200")
    await connection.aclose()
    await world.until(lambda: world.followed == world.left > 0)


async def test_notices_of_every_choice_are_said(client):
    answer = await chat(client, "warns", n=2)
    assert answer.headers["Actorllm-Notice"] == "slower; ??"
    degraded = (await chat(client, "degrades", n=2)).json()
    assert [c["actorllm"]["notices"] for c in degraded["choices"]] == [["slower"]] * 2


async def test_prompts_of_a_list_are_answered_in_their_order(client, world):
    answer = (await complete(client, prompt=["a", [1, 2]], n=2)).json()
    assert [c["index"] for c in answer["choices"]] == [0, 1, 2, 3]
    assert answer["usage"]["prompt_tokens"] == 14
    asked = [(r.prompt, r.tokens, r.raw) for r in world.requests]
    assert sorted(asked) == [("", (1, 2), True)] * 2 + [("a", (), False)] * 2


async def test_tokens_are_one_prompt(client, world):
    assert len((await complete(client, prompt=[5, 6])).json()["choices"]) == 1
    assert world.requests[0].tokens == (5, 6)


@pytest.mark.parametrize("prompt", [5, {"a": 1}, [True], ["a", 5], [[]], [1.5], [[1, "a"]], [-1]])
async def test_what_is_no_prompt_is_refused(client, prompt):
    answer = await complete(client, prompt=prompt)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_an_echo_comes_before_the_text(client):
    whole = (await complete(client, prompt=["a ", "b "], echo=True)).json()
    assert [c["text"] for c in whole["choices"]] == ["a Hello <b> & you", "b Hello <b> & you"]
    *chunks, _ = events(await complete(client, prompt="a ", echo=True, stream=True))
    assert "".join(c["choices"][0]["text"] for c in chunks) == "a Hello <b> & you"


async def test_completions_tell_log_probabilities_in_their_own_form(client, world):
    answer = (await complete(client, "logprobs", logprobs=1)).json()
    assert answer["choices"][0]["logprobs"] == {
        "tokens": ["a"],
        "token_logprobs": [-0.5],
        "top_logprobs": [{"b": -1.0}],
        "text_offset": [0],
    }
    assert (world.requests[0].logprobs, world.requests[0].top_logprobs) == (True, 1)


@pytest.mark.parametrize(
    ("more", "said"),
    [({"best_of": 2}, "best_of"), ({"echo": True, "logprobs": 1}, "echo"), ({"logprobs": 21}, "0")],
)
async def test_what_cannot_be_done_is_refused(client, more, said):
    answer = await complete(client, **more)
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (400, True)


async def test_the_newer_limit_wins_and_biases_are_options(client, world):
    bias = {"42": -100}
    await chat(client, "text", max_tokens=5, max_completion_tokens=6, logit_bias=bias)
    assert world.requests[0].options == {"num_predict": 6, "logit_bias": bias}


async def test_further_fields_reach_the_request(client, world):
    more = {
        "options": {"top_k": 3, "temperature": 0.5},
        "temperature": 0,
        "num_ctx": 512,
        "deterministic": True,
        "keep_alive": "1s",
        "think": False,
        "truncate": False,
    }
    await chat(client, "text", **more)
    await complete(client, **more)
    for request in world.requests:
        assert request.options == {
            "top_k": 3,
            "temperature": 0.0,
            "num_ctx": 512,
            "deterministic": True,
        }
        assert (request.keep_alive, request.think, request.truncate) == (10**9, False, False)


async def test_variables_of_templates_reach_the_request(client, world):
    more = {"documents": [{"text": "x"}], "enable_thinking": False}
    await chat(client, "text", chat_template_kwargs=more, shift=False)
    await chat(client, "text", chat_template_kwargs={"enable_thinking": True})
    first, second = world.requests
    assert (first.template_variables, first.think, first.shift) == (more, False, False)
    assert second.think is None
    answer = await chat(client, "text", chat_template_kwargs={"messages": []})
    assert (answer.status_code, "cannot set messages" in answer.text) == (400, True)


async def test_the_dialects_own_word_on_thinking_wins(client, world):
    await chat(client, "text", think=True, reasoning_effort="none")
    assert world.requests[0].think is False


async def test_many_cached_tokens_are_told(client):
    few = (await chat(client, "text")).json()
    assert "prompt_tokens_details" not in few["usage"]
    many = (await chat(client, "cached")).json()
    assert many["usage"]["prompt_tokens_details"] == {"cached_tokens": 300}
    assert many["actorllm"] == {"cached_tokens": 300}
