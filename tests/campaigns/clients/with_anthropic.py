import anthropic
from steps import CAPITAL, CHAT, PARAMETERS, THINKER, TOKYO, URL, WEATHER, refused, same, step

client = anthropic.Anthropic(base_url=URL, api_key="unused")
ASK = [{"role": "user", "content": CAPITAL}]
OFF = {"type": "disabled"}
TOOLS = [{"name": "get_weather", "description": "Weather of a city", "input_schema": PARAMETERS}]
COLD = {"temperature": 0}  # some models of the vendor take none, so the client has no such argument


@step("messages")
def _():
    answer = client.messages.create(model=CHAT, max_tokens=50, messages=ASK, extra_body=COLD)
    same(answer.content[0].text, TOKYO)
    same(answer.stop_reason, "end_turn")
    assert answer.usage.input_tokens
    assert answer.usage.output_tokens


@step("messages, streamed")
def _():
    with client.messages.stream(model=CHAT, max_tokens=50, messages=ASK, extra_body=COLD) as stream:
        same("".join(stream.text_stream), TOKYO)
        same(stream.get_final_message().stop_reason, "end_turn")


@step("system, blocks and stop sequences")
def _():
    answer = client.messages.create(
        model=CHAT,
        max_tokens=50,
        system=[{"type": "text", "text": "Be brief."}],
        messages=[{"role": "user", "content": [{"type": "text", "text": CAPITAL}]}],
        stop_sequences=["Japan"],
        extra_body=COLD,
    )
    assert "Japan" not in answer.content[0].text


@step("tools")
def _():
    ask = [{"role": "user", "content": WEATHER}]
    answer = client.messages.create(
        model=CHAT, max_tokens=100, messages=ask, tools=TOOLS, extra_body=COLD
    )
    same(answer.stop_reason, "tool_use")
    call = next(block for block in answer.content if block.type == "tool_use")
    same((call.name, call.input), ("get_weather", {"city": "Toronto"}))
    told = {"type": "tool_result", "tool_use_id": call.id, "content": "11 degrees and sunny"}
    said = [*ask, {"role": "assistant", "content": answer.content}]
    answer = client.messages.create(
        model=CHAT,
        max_tokens=100,
        messages=[*said, {"role": "user", "content": [told]}],
        tools=TOOLS,
        extra_body=COLD,
    )
    assert "11 degrees" in answer.content[0].text, answer


@step("tools, streamed")
def _():
    with client.messages.stream(
        model=CHAT,
        max_tokens=100,
        messages=[{"role": "user", "content": WEATHER}],
        tools=TOOLS,
        extra_body=COLD,
    ) as stream:
        message = stream.get_final_message()
    same(message.content[-1].input, {"city": "Toronto"})


@step("thinking")
def _():
    hello = [{"role": "user", "content": "Hello!"}]
    on = {"type": "enabled", "budget_tokens": 1024}
    answer = client.messages.create(
        model=THINKER, max_tokens=2000, messages=hello, thinking=on, extra_body=COLD
    )
    same([block.type for block in answer.content], ["thinking", "text"])
    quiet = client.messages.create(
        model=THINKER, max_tokens=100, messages=hello, thinking=OFF, extra_body=COLD
    )
    same([block.type for block in quiet.content], ["text"])


@step("length")
def _():
    answer = client.messages.create(model=CHAT, max_tokens=2, messages=ASK)
    same(answer.stop_reason, "max_tokens")


@step("count_tokens")
def _():
    assert client.messages.count_tokens(model=CHAT, messages=ASK).input_tokens > 3


@step("models")
def _():
    assert any(model.id.startswith(CHAT) for model in client.models.list())


@step("errors")
def _():
    error = refused(
        anthropic.NotFoundError,
        lambda: client.messages.create(model="nothing", max_tokens=5, messages=ASK),
    )
    same(error.body["error"]["type"], "not_found_error")
    refused(
        anthropic.BadRequestError,
        lambda: client.messages.create(model=CHAT, max_tokens=0, messages=ASK),
    )
