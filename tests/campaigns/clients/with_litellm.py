import asyncio
import json

import litellm
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

litellm.suppress_debug_info = True
ASK = [{"role": "user", "content": CAPITAL}]
CHATTING = {"model": f"ollama_chat/{CHAT}", "api_base": URL, "temperature": 0}
OPENAI = {"model": f"openai/{CHAT}", "api_base": f"{URL}/v1", "api_key": "unused"}


def text(answer):
    return answer.choices[0].message.content


def streamed(stream):
    return "".join(part.choices[0].delta.content or "" for part in stream)


@step("ollama_chat")
def _():
    same(text(litellm.completion(messages=ASK, **CHATTING)), TOKYO)


@step("ollama_chat, streamed")
def _():
    same(streamed(litellm.completion(messages=ASK, stream=True, **CHATTING)), TOKYO)


@step("ollama_chat, async")
def _():
    same(text(asyncio.run(litellm.acompletion(messages=ASK, **CHATTING))), TOKYO)


@step("ollama (generate)")
def _():
    own = CHATTING | {"model": f"ollama/{CHAT}"}
    assert text(litellm.completion(messages=ASK, max_tokens=20, **own))
    assert streamed(litellm.completion(messages=ASK, max_tokens=20, stream=True, **own))


@step("tools")
def _():
    ask = [{"role": "user", "content": WEATHER}]
    answer = litellm.completion(messages=ask, tools=[TOOL], **CHATTING)
    call = answer.choices[0].message.tool_calls[0].function
    same((call.name, json.loads(call.arguments)), ("get_weather", {"city": "Toronto"}))


@step("thinking")
def _():
    own = CHATTING | {"model": f"ollama_chat/{THINKER}"}
    hello = [{"role": "user", "content": "Hello!"}]
    answer = litellm.completion(messages=hello, reasoning_effort="high", **own)
    assert answer.choices[0].message.reasoning_content


@step("structured output")
def _():
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
    answer = litellm.completion(messages=ASK, response_format=form, **CHATTING)
    assert set(json.loads(text(answer))) == {"name", "old"}


@step("embeddings")
def _():
    answer = litellm.embedding(model=f"ollama/{EMBEDDER}", input=["a", "b"], api_base=URL)
    same(len(answer.data), 2)


@step("openai")
def _():
    same(text(litellm.completion(messages=ASK, temperature=0, **OPENAI)), TOKYO)
    same(streamed(litellm.completion(messages=ASK, temperature=0, stream=True, **OPENAI)), TOKYO)


@step("anthropic")
def _():
    own = {"model": f"anthropic/{CHAT}", "api_base": URL, "api_key": "unused"}
    same(text(litellm.completion(messages=ASK, temperature=0, max_tokens=50, **own)), TOKYO)


@step("errors")
def _():
    refused(
        litellm.exceptions.NotFoundError,
        lambda: litellm.completion(messages=ASK, **(OPENAI | {"model": "openai/nothing"})),
    )
    refused(
        litellm.exceptions.NotFoundError,
        lambda: litellm.completion(messages=ASK, **(CHATTING | {"model": "ollama_chat/nothing"})),
        "not found",
    )
