from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.ollama import OllamaProvider
from pydantic_ai.settings import ModelSettings
from steps import CAPITAL, CHAT, THINKER, TOKYO, URL, WEATHER, refused, same, step

COLD = ModelSettings(temperature=0)


def model(name=CHAT):
    return OpenAIChatModel(name, provider=OllamaProvider(base_url=f"{URL}/v1"))


class Person(BaseModel):
    old: bool


@step("run")
def _():
    answer = Agent(model(), model_settings=COLD).run_sync(CAPITAL)
    same(answer.output, TOKYO)


@step("conversation")
def _():
    agent = Agent(model(), model_settings=COLD)
    first = agent.run_sync("Hello!")
    assert agent.run_sync(CAPITAL, message_history=first.all_messages()).output


@step("run, streamed")
def _():
    agent = Agent(model(), model_settings=COLD)
    stream = agent.run_stream_sync(CAPITAL)
    same("".join(stream.stream_text(delta=True)), TOKYO)


@step("tools")
def _():
    agent = Agent(model(), model_settings=COLD)
    asked = []

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """Weather of a city"""
        asked.append(city)
        return "11 degrees and sunny"

    answer = agent.run_sync(WEATHER)
    same(asked, ["Toronto"])
    assert "11 degrees" in answer.output, answer.output


@step("structured output")
def _():
    agent = Agent(model(), output_type=NativeOutput(Person), model_settings=COLD)
    assert isinstance(agent.run_sync(CAPITAL).output, Person)


@step("thinking")
def _():
    answer = Agent(model(THINKER), model_settings=COLD).run_sync("Hello!")
    kinds = [part.part_kind for part in answer.all_messages()[-1].parts]
    same(kinds, ["thinking", "text"])


@step("errors")
def _():
    error = refused(ModelHTTPError, lambda: Agent(model("nothing")).run_sync("x"))
    same(error.status_code, 404)
