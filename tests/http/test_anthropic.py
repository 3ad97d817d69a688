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


async def test_the_form_of_an_answer_is_heeded_or_refused(client, world):
    schema = {"type": "integer"}
    form = {"type": "json_schema", "schema": schema}
    await post(client, "text", output_config={"format": form})
    await post(client, "text", format=schema, grammar="root ::= [0-9]")
    assert [(r.format, r.grammar) for r in world.requests] == [
        (schema, ""),
        (schema, "root ::= [0-9]"),
    ]
    answer = await post(client, "text", output_config={"format": {"type": "json_schema"}})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("output_config.format has the type")


@pytest.mark.parametrize("stream", [False, True])
async def test_an_empty_stop_sequence_ends_nothing(client, stream):
    response = await post(client, "text", stop_sequences=[""], stream=stream)
    told = events(response)[-2][1]["delta"] if stream else response.json()
    assert (told["stop_reason"], told.get("stop_sequence")) == ("end_turn", None)


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


async def test_blocks_that_say_nothing_are_left_out_and_results_stand_where_they_belong(
    client, world
):
    messages = [
        {"role": "user", "content": ""},
        {
            "role": "assistant",
            "content": [
                {
                    "type": "server_tool_use",
                    "id": "s",
                    "name": "web_search",
                    "input": {"query": "q"},
                },
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s",
                    "content": [{"type": "web_search_result", "title": "T", "url": "u"}],
                },
                {"type": "frob"},
            ],
        },
    ]
    system = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    await post(client, "text", messages=messages, system=system)
    first, call, result = world.requests[0].messages
    assert (first.role, first.content) == ("system", "ab")
    assert (call.role, call.tool_calls[0].arguments) == ("assistant", {"query": "q"})
    assert (result.role, result.content, result.tool_call_id) == ("tool", "- T: u\n", "s")


async def test_efforts_are_heeded_however_they_are_written(client, world):
    await post(client, "text", output_config={"effort": " XHigh "})
    await post(client, "text", output_config={"effort": "frob"})
    assert [request.think for request in world.requests] == ["high", None]


async def test_a_tool_that_searches_the_web_is_left_out_and_that_is_said(client, world):
    tools = [{"type": "web_search_20250305", "name": "web_search"}, {"name": "f"}]
    await post(client, "text", tools=tools)
    (request,) = world.requests
    assert [tool["function"]["name"] for tool in request.tools] == ["f"]
    assert "web_search is not offered" in request.notices[0]


@pytest.mark.parametrize(("text", "tokens"), [("x", 1), ("x" * 76, 20)])
async def test_a_stream_begins_with_a_guess_of_the_prompt(text, tokens, client):
    messages = [{"role": "user", "content": text}]
    _, data = events(await post(client, "text", messages=messages, stream=True))[0]
    assert data["message"]["usage"] == {"input_tokens": tokens, "output_tokens": 0}
