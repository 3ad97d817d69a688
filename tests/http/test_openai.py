"""`/v1`: chats, completions, embeddings, models, responses, transcriptions."""

import json
from base64 import b64decode
from struct import unpack

import pytest

USER = [{"role": "user", "content": "x"}]


def events(response):
    assert response.headers["content-type"] == "text/event-stream"
    found = []
    for block in response.text.split("\n\n"):
        if block:
            data = block.rpartition("data: ")[2]
            found.append(data if data == "[DONE]" else json.loads(data))
    return found


async def chat(client, model, **more):
    return await client.post("/v1/chat/completions", json={"model": model, "messages": USER} | more)


async def test_a_chat_is_one_document(client):
    answer = (await chat(client, "thinks")).json()
    assert list(answer) == [
        "id",
        "object",
        "created",
        "model",
        "system_fingerprint",
        "choices",
        "usage",
    ]
    (choice,) = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "yes", "reasoning": "hm"}
    assert answer["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


async def test_a_streamed_chat_says_its_role_once_and_ends_with_done(client):
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, usage, done = events(await chat(client, "text", **options))
    deltas = [c["choices"][0]["delta"] for c in chunks]
    assert deltas[0] == {"role": "assistant", "content": "Hello"}
    assert all("role" not in d for d in deltas[1:])
    assert deltas[-1] == {}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 9
    assert done == "[DONE]"


async def test_a_tool_call_changes_the_reason_for_the_end(client):
    *_, call, final, _ = events(await chat(client, "calls", stream=True))
    (made,) = call["choices"][0]["delta"]["tool_calls"]
    assert made["function"] == {"name": "get_weather", "arguments": '{"city":"Toronto"}'}
    assert final["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_failure_in_the_middle_is_an_error_event_and_done(client):
    *_, error, done = events(await chat(client, "breaks", stream=True))
    assert error["error"]["message"] == "the runner is gone"
    assert done == "[DONE]"


async def test_defaults_are_weaker_than_the_request_and_parts_become_messages(client, world):
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
    ]
    await chat(
        client,
        "text",
        messages=[{"role": "developer", "content": "s"}, {"role": "user", "content": parts}],
        max_tokens=5,
        stop="z",
        reasoning_effort="ultra",
        response_format={"type": "json_object"},
    )
    (request,) = world.requests
    assert [(m.role, m.content, m.images) for m in request.messages] == [
        ("system", "s", ()),
        ("user", "a", ()),
        ("user", "", (b"hi",)),
    ]
    assert request.options == {"num_predict": 5, "stop": ["z"]}
    assert request.default_options == {"temperature": 1.0, "top_p": 1.0}
    assert (request.think, request.format) == ("max", "json")


async def test_a_tools_result_is_told_whose_it_is(client, world):
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    await chat(
        client,
        "text",
        messages=[
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "ok"},
        ],
    )
    assert world.requests[0].messages[1].tool_name == "f"


@pytest.mark.parametrize(
    ("model", "status", "kind"),
    [("absent", 404, "not_found_error"), ("busy", 503, "api_error")],
)
async def test_refusals_have_openais_form(client, model, status, kind):
    answer = await chat(client, model, stream=True)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["type"] == kind


async def test_a_completion_is_streamed_as_text(client):
    body = {"model": "text", "prompt": "x", "stream": True}
    *chunks, done = events(await client.post("/v1/completions", json=body))
    assert "".join(c["choices"][0]["text"] for c in chunks) == "Hello <b> & you"
    assert done == "[DONE]"


async def test_vectors_come_as_numbers_or_as_base64(client):
    body = {"model": "e", "input": "a"}
    plain = (await client.post("/v1/embeddings", json=body)).json()
    packed = (await client.post("/v1/embeddings", json=body | {"encoding_format": "base64"})).json()
    assert plain["data"][0]["embedding"] == [0.25, 0.1]
    assert unpack("<2f", b64decode(packed["data"][0]["embedding"])) == (0.25, 0.10000000149011612)


async def test_models_are_listed_and_shown(client):
    listed = (await client.get("/v1/models")).json()
    assert listed["data"][0] == {
        "id": "text:latest",
        "object": "model",
        "created": 10**9,
        "owned_by": "library",
    }
    assert (await client.get("/v1/models/text")).json()["id"] == "text"
    missing = await client.get("/v1/models/absent")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")


async def test_a_response_lists_thoughts_text_and_calls(client):
    thinks = (await client.post("/v1/responses", json={"model": "thinks", "input": "x"})).json()
    assert [item["type"] for item in thinks["output"]] == ["reasoning", "message"]
    calls = (await client.post("/v1/responses", json={"model": "calls", "input": "x"})).json()
    assert [item["type"] for item in calls["output"]] == ["function_call"]


@pytest.mark.parametrize(
    ("model", "kinds"),
    [("thinks", ["reasoning", "message"]), ("calls", ["function_call"]), ("loads", ["message"])],
)
async def test_the_events_of_a_response_are_numbered_and_sorted(client, model, kinds):
    body = {"model": model, "input": "x", "stream": True}
    found = events(await client.post("/v1/responses", json=body))
    assert [e["sequence_number"] for e in found] == list(range(len(found)))
    assert all(list(e) == sorted(e) for e in found)
    assert found[-1]["type"] == "response.completed"
    assert [item["type"] for item in found[-1]["response"]["output"]] == kinds


async def test_a_response_that_fails_says_so(client):
    body = {"model": "breaks", "input": "x", "stream": True}
    found = events(await client.post("/v1/responses", json=body))
    assert found[-1]["type"] == "response.failed"
    assert found[-1]["response"]["error"]["message"] == "the runner is gone"


async def test_items_of_a_response_become_messages(client, world):
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
        {"type": "reasoning", "encrypted_content": "hm", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call", "call_id": "d", "name": "g", "arguments": ""},
        {"type": "function_call_output", "call_id": "c", "output": "ok"},
    ]
    body = {"model": "text", "input": items, "instructions": "be kind"}
    await client.post("/v1/responses", json=body)
    system, user, assistant, tool = world.requests[0].messages
    assert (system.role, system.content, user.content) == ("system", "be kind", "a")
    assert (assistant.thinking, [c.name for c in assistant.tool_calls]) == ("hm", ["f", "g"])
    assert (tool.role, tool.tool_name, tool.tool_call_id) == ("tool", "f", "c")


async def test_a_transcription_is_a_chat_with_audio(client, world):
    files = {"file": ("a.wav", b"RIFF", "audio/wav")}
    answer = await client.post(
        "/v1/audio/transcriptions", data={"model": "text", "language": "en"}, files=files
    )
    assert answer.json() == {"text": "Hello <b> & you"}
    assert world.requests[0].messages[0].images == (b"RIFF",)


@pytest.mark.parametrize(
    ("wanted", "kind", "text"),
    [("text", "text/plain", "Hello <b> & you"), ("srt", "application/json", "{")],
)
async def test_a_transcription_comes_as_text_or_as_json(wanted, kind, text, client, world):
    data = {"model": "text", "response_format": wanted}
    answer = await client.post("/v1/audio/transcriptions", data=data, files={"file": b"RIFF"})
    assert answer.headers["content-type"] == kind
    assert answer.text.startswith(text)
    assert len(world.requests[0].notices) == (wanted == "srt")


async def test_with_a_list_of_calls_there_need_be_no_content(client, world):
    messages = [*USER, {"role": "assistant", "content": None, "tool_calls": []}]
    await chat(client, "text", messages=messages)
    assert world.requests[0].messages[1].content == ""


async def test_a_format_is_heeded_however_it_is_written(client, world):
    await chat(client, "text", response_format={"type": " JSON_Object "})
    assert world.requests[0].format == "json"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"type": "grammar"}, ".type must be text, json_object or json_schema, not 'grammar'"),
        ({"type": "json_schema"}, " has the type json_schema, but no schema"),
    ],
)
async def test_a_format_that_cannot_be_kept_to_is_not_taken_for_none(client, world, wanted, said):
    answer = await chat(client, "text", response_format=wanted)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        f"response_format{said}",
    )
    body = {"model": "text", "input": "x", "text": {"format": wanted}}
    answer = await client.post("/v1/responses", json=body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, f"text.format{said}")
    assert world.requests == []


async def test_a_stream_without_text_opens_with_a_role(client):
    first, last, done = events(await chat(client, "silent", stream=True))
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert (last["choices"][0]["delta"], done) == ({}, "[DONE]")


async def test_log_probabilities_without_rivals_are_those_of_the_tokens(client, world):
    body = {"model": "text", "prompt": "x", "logprobs": 0}
    await client.post("/v1/completions", json=body)
    assert (world.requests[0].logprobs, world.requests[0].top_logprobs) == (True, 0)
    assert (await client.post("/v1/completions", json=body | {"echo": True})).status_code == 400


async def test_less_than_no_log_probabilities_are_none(client, world):
    await client.post("/v1/completions", json={"model": "text", "prompt": "x", "logprobs": -1})
    assert (world.requests[0].logprobs, world.requests[0].top_logprobs) == (False, 0)
