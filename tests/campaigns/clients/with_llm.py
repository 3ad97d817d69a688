import os
import tempfile

os.environ["LLM_USER_PATH"] = tempfile.mkdtemp()

import llm
from pydantic import BaseModel
from steps import CAPITAL, CHAT, EMBEDDER, TOKYO, URL, WEATHER, refused, same, step

os.environ["OLLAMA_HOST"] = URL
NAME = f"ollama/{CHAT}:latest"


class Person(BaseModel):
    old: bool


@step("models")
def _():
    names = {model.model_id for model in llm.get_models()}
    assert NAME in names, names


@step("prompt")
def _():
    same(llm.get_model(NAME).prompt(CAPITAL, stream=False, temperature=0).text(), TOKYO)


@step("prompt, streamed")
def _():
    same("".join(llm.get_model(NAME).prompt(CAPITAL, stream=True, temperature=0)), TOKYO)


@step("conversation")
def _():
    talk = llm.get_model(NAME).conversation()
    assert talk.prompt("Hello!", temperature=0).text()
    assert talk.prompt(CAPITAL, temperature=0).text()


@step("tools")
def _():
    asked = []

    def get_weather(city: str) -> str:
        """Weather of a city"""
        asked.append(city)
        return "11 degrees and sunny"

    model = llm.get_model("ollama/qwen3:latest")
    answer = model.chain(WEATHER, tools=[get_weather], options={"temperature": 0, "think": False})
    assert answer.text() is not None
    same(asked, ["Toronto"])


@step("structured output")
def _():
    answer = llm.get_model(NAME).prompt(CAPITAL, schema=Person, temperature=0).text()
    Person.model_validate_json(answer)


@step("embeddings")
def _():
    model = llm.get_embedding_model(f"ollama/{EMBEDDER}:latest")
    assert len(model.embed("a")) > 3


@step("errors")
def _():
    refused(llm.UnknownModelError, lambda: llm.get_model("nothing"))
