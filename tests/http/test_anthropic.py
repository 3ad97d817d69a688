"""`/v1/messages`."""

import json

import pytest

USER = [{"role": "user", "content": "x"}]


async def post(client, model, **more):
    body = {"model": model, "max_tokens": 9, "messages": USER} | more
    return await client.post("/v1/messages", json=body)


def events(response):
    found = []
    for block in response.text.split("\n\n"):
        if block:
            name, _, data = block.partition("\ndata: ")
            found.append((name.removeprefix("event: "), json.loads(data)))
    return found


async def test_a_message_has_a_block_for_thoughts_and_one_for_text(client):
    answer = (await post(client, "thinks")).json()
    assert answer["content"] == [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "yes"},
    ]
    assert (answer["stop_reason"], answer["usage"]) == (
        "end_turn",
        {"input_tokens": 7, "output_tokens": 2},
    )


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("text", ["start", "delta", "delta", "delta", "stop"]),
        ("thinks", ["start", "delta", "stop", "start", "delta", "stop"]),
        ("calls", ["start", "delta", "stop"]),
    ],
)
async def test_blocks_start_grow_and_stop(client, model, names):
    found = events(await post(client, model, stream=True))
    assert [name for name, _ in found] == [
        "message_start",
        *(f"content_block_{name}" for name in names),
        "message_delta",
        "message_stop",
    ]
    assert all(name == data["type"] for name, data in found)


async def test_a_call_stops_the_message_for_tool_use(client):
    found = dict(events(await post(client, "calls", stream=True)))
    assert found["message_delta"]["delta"] == {"stop_reason": "tool_use"}
    assert found["content_block_delta"]["delta"]["partial_json"] == '{"city":"Toronto"}'


async def test_a_failure_in_the_middle_is_an_error_event(client):
    name, data = events(await post(client, "breaks", stream=True))[-1]
    assert (name, data["error"]["message"]) == ("error", "the runner is gone")


async def test_a_full_queue_is_overload(client):
    answer = await post(client, "busy")
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "overloaded_error")
    assert answer.headers["retry-after"] == "2"


async def test_blocks_become_messages(client, world):
    messages = [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "a"},
                {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "and"},
                {
                    "type": "tool_result",
                    "tool_use_id": "t",
                    "content": [{"type": "text", "text": "ok"}],
                },
                {"type": "image", "source": {"type": "base64", "data": "aGk="}},
            ],
        },
    ]
    await post(client, "text", messages=messages, system=[{"type": "text", "text": "s"}])
    (request,) = world.requests
    system, assistant, tool, user = request.messages
    assert (system.role, system.content) == ("system", "s")
    assert (assistant.thinking, assistant.content) == ("hm", "a")
    assert assistant.tool_calls[0].arguments == {"a": 1}
    assert (tool.role, tool.content, tool.tool_call_id) == ("tool", "ok", "t")
    assert (user.content, user.images) == ("and", (b"hi",))
    assert request.drop_unsupported_thinking
    assert request.options == {"num_predict": 9}
