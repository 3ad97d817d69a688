import asyncio

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
from ollama import ResponseError
from pydantic import BaseModel
from steps import CAPITAL, CHAT, EMBEDDER, THINKER, TOKYO, URL, WEATHER, refused, same, step

chat = ChatOllama(model=CHAT, base_url=URL, temperature=0)


@tool
def get_weather(city: str) -> str:
    """Weather of a city"""
    return "11 degrees and sunny"


class Person(BaseModel):
    """Somebody."""

    old: bool


@step("invoke")
def _():
    answer = chat.invoke(CAPITAL)
    same(answer.content, TOKYO)
    assert answer.usage_metadata["output_tokens"] > 3


@step("stream")
def _():
    same("".join(str(part.content) for part in chat.stream(CAPITAL)), TOKYO)


@step("ainvoke")
def _():
    same(asyncio.run(chat.ainvoke(CAPITAL)).content, TOKYO)


@step("batch")
def _():
    same([a.content for a in chat.batch([CAPITAL] * 4)], [TOKYO] * 4)


@step("tools")
def _():
    bound = chat.bind_tools([get_weather])
    ask = [HumanMessage(WEATHER)]
    answer = bound.invoke(ask)
    call = answer.tool_calls[0]
    same((call["name"], call["args"]), ("get_weather", {"city": "Toronto"}))
    told = ToolMessage("11 degrees and sunny", tool_call_id=call["id"])
    assert "11 degrees" in bound.invoke([*ask, answer, told]).content


@step("structured output")
def _():
    found = chat.with_structured_output(Person, method="json_schema").invoke(CAPITAL)
    assert isinstance(found, Person)


@step("thinking")
def _():
    thinker = ChatOllama(model=THINKER, base_url=URL, temperature=0, reasoning=True)
    assert thinker.invoke("Hello!").additional_kwargs["reasoning_content"]


@step("generate")
def _():
    same(OllamaLLM(model=CHAT, base_url=URL, temperature=0).invoke(CAPITAL), TOKYO)


@step("embeddings")
def _():
    embeddings = OllamaEmbeddings(model=EMBEDDER, base_url=URL)
    same(len(embeddings.embed_documents(["a", "b"])), 2)
    assert embeddings.embed_query("a")


@step("errors")
def _():
    refused(ResponseError, lambda: ChatOllama(model="nothing", base_url=URL).invoke("x"))
    refused(
        Exception,
        lambda: ChatOllama(model="nothing", base_url=URL, validate_model_on_init=True),
    )
