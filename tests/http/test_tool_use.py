"""What requests say of tools and of thoughts, in every dialect."""

import pytest

from actorllm.http.facts import thinking_tokens
from actorllm.protocol.chat import ToolChoice
from actorllm.protocol.messages.generation import Done

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("get_weather", "other")
]
RESPONSES_TOOLS = [{"type": "function", **tool["function"]} for tool in TOOLS]
ANTHROPIC_TOOLS = [{"name": "get_weather", "input_schema": {}}, {"name": "other"}]
USER = [{"role": "user", "content": "x"}]
ROUTES = ("/api/chat", "/v1/chat/completions", "/v1/responses", "/v1/messages")
ONE = ToolChoice("required", ("get_weather",), parallel=False)


def body(route, model="text", **more):
    if route == "/v1/responses":
        return {"model": model, "input": "x", "tools": RESPONSES_TOOLS} | more
    if route == "/v1/messages":
        return {"model": model, "max_tokens": 9, "messages": USER, "tools": ANTHROPIC_TOOLS} | more
    return {"model": model, "messages": USER, "tools": TOOLS, "stream": False} | more


@pytest.mark.parametrize("route", ROUTES[:3])
@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({}, None),
        ({"tool_choice": None}, None),
        ({"tool_choice": "auto"}, ToolChoice()),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, ToolChoice(parallel=False)),
        ({"tool_choice": "none"}, ToolChoice("none")),
        ({"tool_choice": "required"}, ToolChoice("required")),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            ToolChoice("required", parallel=False),
        ),
        ({"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}, ONE),
        ({"tool_choice": {"type": "function", "name": "get_weather"}}, ONE),
    ],
)
async def test_a_choice_of_tools_reaches_the_request(client, world, route, said, meant):
    assert (await client.post(route, json=body(route, **said))).status_code == 200
    assert world.requests[0].tool_choice == meant
    assert len(world.requests[0].tools) == 2


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"type": "auto"}, ToolChoice()),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(parallel=False)),
        ({"type": "any"}, ToolChoice("required")),
        (
            {"type": "any", "disable_parallel_tool_use": True},
            ToolChoice("required", parallel=False),
        ),
        ({"type": "tool", "name": "get_weather"}, ONE),
        ({"type": "none"}, ToolChoice("none")),
    ],
)
async def test_anthropics_words_mean_the_same(client, world, said, meant):
    route = "/v1/messages"
    assert (await client.post(route, json=body(route, tool_choice=said))).status_code == 200
    assert world.requests[0].tool_choice == meant


@pytest.mark.parametrize("route", ROUTES[:3])
@pytest.mark.parametrize(
    "choice",
    ["always", 5, [], {"type": "function"}, {"type": "function", "function": {"name": "no"}}],
)
async def test_a_choice_of_no_tool_is_refused(client, route, choice):
    answer = await client.post(route, json=body(route, tool_choice=choice))
    assert (answer.status_code, "tool_choice" in answer.text) == (400, True)


@pytest.mark.parametrize("choice", [{"type": "tool"}, {"type": "x"}, {"type": "tool", "name": "n"}])
async def test_anthropic_choices_of_no_tool_are_refused(client, choice):
    answer = await client.post("/v1/messages", json=body("/v1/messages", tool_choice=choice))
    assert (answer.status_code, "tool_choice" in answer.text) == (400, True)


@pytest.mark.parametrize("route", ROUTES[:3])
async def test_a_call_cannot_be_required_without_tools(client, world, route):
    answer = await client.post(route, json=body(route, tools=[], tool_choice="required"))
    assert (answer.status_code, "tool_choice" in answer.text) == (400, True)
    await client.post(route, json=body(route, tools=[], tool_choice="none"))
    assert world.requests[-1].tool_choice is None


@pytest.mark.parametrize(
    ("route", "said", "budget"),
    [
        ("/api/chat", {"think_budget": 5}, 5),
        ("/api/chat", {"think_budget": 0}, 0),
        ("/api/chat", {}, None),
        ("/api/generate", {"think_budget": 5}, 5),
        ("/v1/chat/completions", {"think_budget": 5}, 5),
        ("/v1/chat/completions", {"reasoning": {"max_tokens": 7}}, 7),
        ("/v1/completions", {"think_budget": 5}, 5),
        ("/v1/responses", {"think_budget": 5}, 5),
        ("/v1/messages", {"thinking": {"type": "enabled", "budget_tokens": 5}}, 5),
        ("/v1/messages", {"thinking": {"type": "disabled", "budget_tokens": 5}}, None),
    ],
)
async def test_a_budget_of_thoughts_reaches_the_request(client, world, route, said, budget):
    text = {"model": "text", "prompt": "x", "stream": False} | said
    sent = text if route in {"/api/generate", "/v1/completions"} else body(route, **said)
    assert (await client.post(route, json=sent)).status_code == 200
    assert world.requests[0].think_budget == budget


async def test_a_budget_below_zero_is_refused(client):
    for route in ("/api/chat", "/v1/chat/completions", "/v1/responses"):
        answer = await client.post(route, json=body(route, think_budget=-1))
        assert (answer.status_code, "0 or more" in answer.text) == (400, True)


async def test_tokens_of_thoughts_are_counted_apart_everywhere(client):
    said = {}
    for route in ROUTES:
        answer = (await client.post(route, json=body(route, "thought"))).json()
        assert answer["actorllm"] == {"thinking_count": 50}, route
        said[route] = answer.get("usage", {})
    assert said["/v1/chat/completions"]["completion_tokens_details"] == {"reasoning_tokens": 50}
    assert said["/v1/responses"]["output_tokens_details"] == {"reasoning_tokens": 50}


@pytest.mark.parametrize(
    ("count", "budget", "told"),
    [(15, None, 0), (16, None, 16), (5, 100, 5), (4, 100, 0), (5, 4, 5), (12, 1024, 0), (0, 0, 0)],
)
def test_few_tokens_of_thoughts_are_told_only_of_a_small_budget(count, budget, told):
    assert thinking_tokens(Done("stop", thinking_count=count, think_budget=budget)) == told
