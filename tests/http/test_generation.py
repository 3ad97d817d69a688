"""`/api/generate` and `/api/chat`: frames, documents, refusals and failures."""

import json

import pytest
import structlog


def frames(response):
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


async def test_text_is_streamed_frame_by_frame(client):
    answer = frames(await client.post("/api/generate", json={"model": "text", "prompt": "x"}))
    assert [list(f) for f in answer[:3]] == [["model", "created_at", "response", "done"]] * 3
    assert "".join(f["response"] for f in answer) == "Hello <b> & you"
    assert list(answer[-1]) == [
        "model",
        "created_at",
        "response",
        "done",
        "done_reason",
        "context",
        "total_duration",
        "load_duration",
        "prompt_eval_count",
        "prompt_eval_duration",
        "eval_count",
        "eval_duration",
    ]


async def test_angle_brackets_are_escaped_as_go_does(client):
    answer = await client.post("/api/generate", json={"model": "text", "prompt": "x"})
    assert r"\u003cb\u003e" in answer.text
    assert r"\u0026" in answer.text


async def test_a_chat_is_streamed_as_messages(client):
    answer = frames(await client.post("/api/chat", json={"model": "thinks", "messages": []}))
    assert [f["message"] for f in answer] == [
        {"role": "assistant", "content": "", "thinking": "hm"},
        {"role": "assistant", "content": "yes"},
        {"role": "assistant", "content": ""},
    ]
    assert [f["done"] for f in answer] == [False, False, True]


async def test_without_streaming_the_answer_is_one_document(client):
    answer = await client.post("/api/chat", json={"model": "text", "stream": False})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json()["message"] == {"role": "assistant", "content": "Hello <b> & you"}


async def test_a_tool_call_comes_in_the_final_frame(client):
    (frame,) = frames(await client.post("/api/chat", json={"model": "calls"}))
    call = {"index": 0, "name": "get_weather", "arguments": {"city": "Toronto"}}
    assert frame["message"]["tool_calls"] == [{"id": "call_1", "function": call}]
    assert frame["done"]


async def test_a_load_is_answered_with_one_document_even_when_streaming(client):
    answer = await client.post("/api/chat", json={"model": "loads"})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert list(answer.json()) == ["model", "created_at", "message", "done", "done_reason"]


async def test_a_rendered_prompt_has_no_role_and_is_not_done(client):
    answer = (await client.post("/api/chat", json={"model": "renders"})).json()
    assert answer["message"] == {"role": "", "content": ""}
    assert answer["done"] is False
    assert answer["_debug_info"] == {"rendered_template": "<s>", "image_count": 1}


async def test_log_probabilities_are_written_with_their_alternatives(client):
    answer = await client.post("/api/generate", json={"model": "logprobs", "stream": False})
    assert answer.json()["logprobs"] == [
        {
            "token": "a",
            "logprob": -0.5,
            "bytes": [97],
            "top_logprobs": [{"token": "b", "logprob": -1, "bytes": [98]}],
        }
    ]


async def test_what_was_degraded_is_said_in_a_last_key(client):
    answer = (await client.post("/api/chat", json={"model": "degrades", "stream": False})).json()
    assert list(answer)[-1] == "actorllm"
    assert answer["actorllm"] == {"notices": ["slower"], "shifted_tokens": 4}


@pytest.mark.parametrize(("stream", "said"), [(True, "slower"), (False, "slower; ??")])
async def test_what_is_known_at_the_start_is_said_in_a_header(client, stream, said):
    for path in ("/api/chat", "/v1/chat/completions", "/v1/messages", "/v1/responses"):
        body = {"model": "warns", "stream": stream, "max_tokens": 5, "input": "x"}
        body["messages"] = [{"role": "user", "content": "x"}]
        answer = await client.post(path, json=body)
        assert answer.headers["actorllm-notice"] == said
        assert "slower" not in answer.text


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_before_the_first_item_is_a_real_status(client, stream):
    answer = await client.post("/api/chat", json={"model": "absent", "stream": stream})
    assert answer.status_code == 404
    assert answer.json() == {"error": "model 'absent' not found"}


async def test_a_full_queue_says_when_to_come_back(client):
    answer = await client.post("/api/chat", json={"model": "busy"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_a_failure_in_the_middle_is_a_last_line_and_a_line_of_the_log(client):
    with structlog.testing.capture_logs() as logged:
        answer = frames(await client.post("/api/generate", json={"model": "breaks"}))
    assert answer[0]["response"] == "half"
    assert answer[1:] == [{"error": "the runner is gone"}]
    (told,) = [line for line in logged if line["event"] == "an answer ended early"]
    assert told["log_level"] == "warning"
    assert told["reason"] == "the runner is gone"


@pytest.mark.parametrize("model", ["crashes", "crashes-early"])
async def test_a_crash_says_nothing_of_the_inside(client, model):
    answer = await client.post("/api/generate", json={"model": model})
    assert answer.status_code == (200 if model == "crashes" else 500)
    assert "secret" not in answer.text
    assert '"error"' in answer.text


async def test_a_stream_without_an_end_says_so(client):
    answer = await client.post("/api/generate", json={"model": "nothing-canned"})
    assert answer.status_code == 500


async def test_the_request_arrives_as_it_was_meant(client, world):
    body = {
        "MODEL": "text",
        "messages": [
            {"role": "USER", "content": "x", "images": ["aGk="], "unknown": 1},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c", "function": {"name": "f", "arguments": {"b": 1, "a": 2}}}
                ],
            },
            {"role": "tool", "content": "ok", "tool_name": "f", "tool_call_id": "c"},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}, None],
        "options": {"seed": 1, "temperature": 0.5},
        "keep_alive": "1m",
        "think": "high",
        "format": {"type": "object"},
    }
    await client.post("/api/chat", json=body, headers={"Authorization": "Bearer k"})
    (request,) = world.requests
    assert request.messages[0].role == "user"
    assert request.messages[0].images == (b"hi",)
    assert list(request.messages[1].tool_calls[0].arguments) == ["b", "a"]
    assert request.messages[2].tool_name == "f"
    assert request.tools == ({"type": "function", "function": {"name": "f"}},)
    assert request.options == {"seed": 1, "temperature": 0.5}
    assert request.keep_alive == 60_000_000_000
    assert request.think == "high"
    assert request.format == {"type": "object"}
    assert world.clients[0].startswith("127.0.0.1#")
