import asyncio
import json

import ollama
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

client = ollama.Client(host=URL)
ASK = [{"role": "user", "content": CAPITAL}]
COLD = {"temperature": 0}


@step("list")
def _():
    names = {m.model for m in client.list().models}
    assert {f"{CHAT}:latest", f"{THINKER}:latest"} <= names, names


@step("show")
def _():
    shown = client.show(THINKER)
    assert {"completion", "tools", "thinking"} <= set(shown.capabilities), shown.capabilities


@step("generate")
def _():
    answer = client.generate(CHAT, CAPITAL, options=COLD)
    same(answer.response, TOKYO)
    assert answer.done
    assert answer.eval_count > 3
    assert answer.context


@step("generate, streamed")
def _():
    parts = list(client.generate(CHAT, CAPITAL, options=COLD, stream=True))
    same("".join(p.response for p in parts), TOKYO)
    same([p.done for p in parts], [False] * (len(parts) - 1) + [True])
    assert parts[-1].done_reason == "stop"


@step("chat")
def _():
    same(client.chat(CHAT, messages=ASK, options=COLD).message.content, TOKYO)


@step("chat, streamed")
def _():
    parts = client.chat(CHAT, messages=ASK, options=COLD, stream=True)
    same("".join(p.message.content for p in parts), TOKYO)


@step("chat, async")
def _():
    async def ask():
        stream = await ollama.AsyncClient(host=URL).chat(
            CHAT, messages=ASK, options=COLD, stream=True
        )
        return "".join([p.message.content async for p in stream])

    same(asyncio.run(ask()), TOKYO)


@step("tools")
def _():
    def get_weather(city: str) -> str:
        """Weather of a city.

        Args:
            city: the city
        """
        return "11 degrees and sunny"

    ask = [{"role": "user", "content": WEATHER}]
    message = client.chat(CHAT, messages=ask, tools=[TOOL], options=COLD).message
    call = message.tool_calls[0].function
    same((call.name, call.arguments), ("get_weather", {"city": "Toronto"}))
    told = {"role": "tool", "content": get_weather(**call.arguments), "tool_name": call.name}
    answer = client.chat(CHAT, messages=[*ask, message, told], tools=[get_weather], options=COLD)
    assert "11 degrees" in answer.message.content, answer.message.content


@step("thinking")
def _():
    hello = [{"role": "user", "content": "Hello!"}]
    message = client.chat(THINKER, messages=hello, think=True, options=COLD).message
    assert message.thinking
    assert "<think>" not in message.content


@step("structured output")
def _():
    answer = client.chat(CHAT, messages=ASK, format=PERSON, options=COLD)
    assert set(json.loads(answer.message.content)) == {"name", "old"}


@step("embeddings")
def _():
    vectors = client.embed(EMBEDDER, ["a", "b"]).embeddings
    same(len(vectors), 2)
    assert len(client.embeddings(EMBEDDER, "a").embedding) == len(vectors[0])


@step("create, copy, delete")
def _():
    client.create("mine", from_=CHAT, system="Be brief.")
    client.copy("mine", "yours")
    same(client.show("yours").modelfile.count("Be brief."), 1)
    client.delete("mine")
    client.delete("yours")


@step("ps")
def _():
    assert client.ps().models[0].size > 0


@step("errors")
def _():
    error = refused(ollama.ResponseError, lambda: client.chat("nothing", messages=ASK))
    same(error.status_code, 404)
    refused(ollama.ResponseError, lambda: client.pull("127.0.0.1:9/library/nothing"))
