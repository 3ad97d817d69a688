import asyncio
import json

import openai
from pydantic import BaseModel
from steps import (
    CAPITAL,
    CHAT,
    EMBEDDER,
    PERSON,
    THINKER,
    TOKYO,
    TOOL,
    URL,
    WEATHER,
    refused,
    same,
    step,
)

client = openai.OpenAI(base_url=f"{URL}/v1/", api_key="unused")
ASK = [{"role": "user", "content": CAPITAL}]


@step("models")
def _():
    assert f"{CHAT}:latest" in {m.id for m in client.models.list()}
    same(client.models.retrieve(CHAT).object, "model")


@step("chat")
def _():
    answer = client.chat.completions.create(model=CHAT, messages=ASK, temperature=0, seed=1)
    same(answer.choices[0].message.content, TOKYO)
    assert answer.usage.total_tokens > answer.usage.prompt_tokens > 0


@step("chat, streamed")
def _():
    stream = client.chat.completions.create(
        model=CHAT,
        messages=ASK,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    parts = list(stream)
    same("".join(p.choices[0].delta.content or "" for p in parts if p.choices), TOKYO)
    assert parts[-1].usage.completion_tokens > 0


@step("chat, async")
def _():
    async def ask():
        own = openai.AsyncOpenAI(base_url=f"{URL}/v1/", api_key="unused")
        stream = await own.chat.completions.create(
            model=CHAT, messages=ASK, temperature=0, stream=True
        )
        return "".join([p.choices[0].delta.content or "" async for p in stream])

    same(asyncio.run(ask()), TOKYO)


@step("tools")
def _():
    ask = [{"role": "user", "content": WEATHER}]
    answer = client.chat.completions.create(model=CHAT, messages=ask, tools=[TOOL], temperature=0)
    same(answer.choices[0].finish_reason, "tool_calls")
    message = answer.choices[0].message
    call = message.tool_calls[0]
    same(json.loads(call.function.arguments), {"city": "Toronto"})
    told = {"role": "tool", "tool_call_id": call.id, "content": "11 degrees and sunny"}
    answer = client.chat.completions.create(
        model=CHAT, messages=[*ask, message, told], tools=[TOOL], temperature=0
    )
    assert "11 degrees" in answer.choices[0].message.content, answer


@step("tools, streamed")
def _():
    with client.chat.completions.stream(
        model=CHAT, messages=[{"role": "user", "content": WEATHER}], tools=[TOOL], temperature=0
    ) as stream:
        for _event in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    same(json.loads(message.tool_calls[0].function.arguments), {"city": "Toronto"})


@step("thinking")
def _():
    hello = [{"role": "user", "content": "Hello!"}]
    answer = client.chat.completions.create(
        model=THINKER, messages=hello, reasoning_effort="high", temperature=0
    )
    assert answer.choices[0].message.reasoning
    quiet = client.chat.completions.create(
        model=THINKER, messages=hello, reasoning_effort="none", temperature=0
    )
    assert not getattr(quiet.choices[0].message, "reasoning", None)


@step("structured output")
def _():
    class Person(BaseModel):
        name: str
        old: bool

    answer = client.chat.completions.parse(
        model=CHAT, messages=ASK, response_format=Person, temperature=0, max_tokens=200
    )
    assert isinstance(answer.choices[0].message.parsed, Person)
    format_ = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
    answer = client.chat.completions.create(model=CHAT, messages=ASK, response_format=format_)
    assert set(json.loads(answer.choices[0].message.content)) == {"name", "old"}


@step("log probabilities")
def _():
    answer = client.chat.completions.create(
        model=CHAT, messages=ASK, temperature=0, logprobs=True, top_logprobs=2, max_tokens=3
    )
    assert len(answer.choices[0].logprobs.content[0].top_logprobs) == 2
    same(answer.choices[0].finish_reason, "length")


@step("completions")
def _():
    answer = client.completions.create(model=CHAT, prompt="The sky is", max_tokens=5, temperature=0)
    assert answer.choices[0].text
    stream = client.completions.create(
        model=CHAT, prompt="The sky", max_tokens=5, temperature=0, stream=True
    )
    assert "".join(p.choices[0].text for p in stream)


@step("responses")
def _():
    answer = client.responses.create(model=CHAT, input=CAPITAL, temperature=0)
    same(answer.output_text, TOKYO)
    with client.responses.stream(model=CHAT, input=CAPITAL, temperature=0) as stream:
        kinds = [event.type for event in stream]
        same(stream.get_final_response().output_text, TOKYO)
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


@step("responses: tools")
def _():
    tool = {"type": "function", **TOOL["function"], "strict": False}
    answer = client.responses.create(model=CHAT, input=WEATHER, tools=[tool], temperature=0)
    call = next(item for item in answer.output if item.type == "function_call")
    same(json.loads(call.arguments), {"city": "Toronto"})


@step("responses: conversation")
def _():
    first = client.responses.create(model=CHAT, input="Hello!", temperature=0)
    second = client.responses.create(
        model=CHAT, input=CAPITAL, previous_response_id=first.id, temperature=0
    )
    same(second.previous_response_id, first.id)
    assert second.output_text


@step("embeddings")
def _():
    plain = client.embeddings.create(model=EMBEDDER, input=["a", "b"], encoding_format="float")
    coded = client.embeddings.create(model=EMBEDDER, input="a")  # base64 on the wire
    assert abs(plain.data[0].embedding[0] - coded.data[0].embedding[0]) < 1e-6


@step("errors")
def _():
    error = refused(
        openai.NotFoundError,
        lambda: client.chat.completions.create(model="nothing", messages=ASK),
    )
    same(error.status_code, 404)
    refused(openai.BadRequestError, lambda: client.chat.completions.create(model=CHAT, messages=[]))
