"""`/v1/responses` that go on from earlier ones, that were cut, and that are not kept."""

import pytest

from tests.http.test_openai import events


async def respond(client, model="text", **more):
    return await client.post("/v1/responses", json={"model": model, "input": "x"} | more)


def said(request):
    return [(m.role, m.content) for m in request.messages]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_goes_on_from_an_earlier_one(client, world, stream):
    first = await respond(client, input="one", instructions="be kind", stream=stream)
    made = events(first)[-1]["response"] if stream else first.json()
    second = await respond(client, input="two", previous_response_id=made["id"])
    third = await respond(client, previous_response_id=second.json()["id"])
    assert second.json()["previous_response_id"] == made["id"]
    text = "Hello <b> & you"
    earlier = [("user", "one"), ("assistant", text), ("user", "two")]
    assert said(world.requests[1]) == earlier
    assert said(world.requests[2]) == [*earlier, ("assistant", text), ("user", "x")]
    kept = (await client.get(f"/v1/responses/{third.json()['id']}")).json()
    assert kept == third.json()


async def test_results_of_calls_find_their_call_in_the_earlier_response(client, world):
    first = (await respond(client, "calls")).json()
    result = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}
    await respond(client, input=[result], previous_response_id=first["id"])
    assert world.requests[1].messages[-1].tool_name == "get_weather"


async def test_a_response_can_be_forgotten(client):
    url = f"/v1/responses/{(await respond(client)).json()['id']}"
    gone = await client.delete(url)
    assert gone.json() == {"id": url.rpartition("/")[2], "object": "response", "deleted": True}
    for answer in (await client.get(url), await client.delete(url)):
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize("wanted", [{"store": False}, {"model": "breaks", "stream": True}])
async def test_what_is_not_wanted_or_failed_is_not_kept(client, wanted):
    answer = await respond(client, **wanted)
    last = events(answer)[-1]["response"] if wanted.get("stream") else answer.json()
    assert (await client.get(f"/v1/responses/{last['id']}")).status_code == 404


async def test_an_unknown_response_cannot_be_gone_on_from(client, world):
    answer = await respond(client, previous_response_id="resp_" + "0" * 32)
    assert answer.status_code == 400
    assert "send the conversation as input" in answer.json()["error"]["message"]
    assert world.requests == []


async def test_names_that_no_response_has_are_no_routes(client):
    answer = await client.get("/v1/responses/resp_1")
    assert (answer.status_code, answer.text) == (404, "404 page not found")


async def test_what_is_too_large_is_answered_and_said_not_to_be_kept(client):
    for stream in (False, True):
        answer = await respond(client, "huge", stream=stream)
        made = events(answer)[-1]["response"] if stream else answer.json()
        assert made["actorllm"]["notices"][0].startswith("the response is not stored")
        assert (await client.get(f"/v1/responses/{made['id']}")).status_code == 404


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_that_was_cut_is_incomplete(client, stream):
    answer = await respond(client, "cut", stream=stream)
    if stream:
        last = events(answer)[-1]
        assert last["type"] == "response.incomplete"
        made = last["response"]
    else:
        made = answer.json()
    assert (made["status"], made["incomplete_details"]) == (
        "incomplete",
        {"reason": "max_output_tokens"},
    )
    assert [item["status"] for item in made["output"]] == ["incomplete"]


async def test_settings_are_shown_again(client, world):
    choice = {"type": "function", "name": "f"}
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    more = {"metadata": {"a": "b"}, "parallel_tool_calls": False, "store": True}
    made = (await respond(client, tools=[tool], tool_choice=choice, **more)).json()
    assert {key: made[key] for key in (*more, "tool_choice")} == more | {"tool_choice": choice}
    assert world.requests[0].tool_choice.names == ("f",)


async def test_a_json_object_can_be_asked_for(client, world):
    await respond(client, text={"format": {"type": "json_object"}})
    assert world.requests[0].format == "json"


async def test_work_in_the_background_is_refused(client):
    answer = await respond(client, background=True)
    assert (answer.status_code, "background" in answer.text) == (400, True)


async def test_tools_of_a_namespace_have_its_name(client, world):
    def member(name):
        return {"type": "function", "name": name, "description": "d"}

    inner = {"type": "namespace", "name": "in", "tools": [member("g")]}
    outer = {"type": "namespace", "name": "out", "tools": [member("f"), member("out.h"), inner]}
    made = (await respond(client, tools=[outer, {"type": "web_search"}])).json()
    (request,) = world.requests
    names = [tool["function"]["name"] for tool in request.tools]
    assert names == ["out.f", "out.h", "out.in.g"]
    assert request.notices == ("tools of type 'web_search' are not offered to the model",)
    assert made["tools"][0]["tools"][0]["name"] == "f"


async def test_an_empty_input_says_nothing(client, world):
    await respond(client, input="")
    assert world.requests[0].messages == ()


async def test_what_was_said_between_a_call_and_its_result_joins_the_call(client, world):
    items = [
        {"type": "reasoning", "encrypted_content": "hm"},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "wait"}]},
        {
            "type": "function_call_output",
            "call_id": "a",
            "output": [{"type": "input_text", "text": "ok"}],
        },
        {"type": "web_search_call", "id": "w"},
    ]
    await respond(client, input=items)
    call, result = world.requests[0].messages
    assert (call.thinking, call.content, call.tool_calls[0].id) == ("hm", "wait", "a")
    assert (result.role, result.content, result.tool_name) == ("tool", "ok", "f")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_wish_for_a_summary_is_shown_again(client, stream):
    answer = await respond(client, reasoning={"summary": "auto"}, stream=stream)
    shown = events(answer)[-1]["response"] if stream else answer.json()
    assert shown["reasoning"] == ({"effort": None} if stream else {}) | {"summary": "auto"}
