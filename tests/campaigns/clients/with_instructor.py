import instructor
from openai import OpenAI
from pydantic import BaseModel
from steps import CAPITAL, CHAT, URL, refused, step

ASK = [{"role": "user", "content": CAPITAL}]


class Person(BaseModel):
    """Somebody."""

    old: bool


def client(mode):
    return instructor.from_openai(OpenAI(base_url=f"{URL}/v1", api_key="unused"), mode=mode)


def create(mode, **more):
    return client(mode).chat.completions.create(
        model=CHAT,
        messages=ASK,
        temperature=0,
        max_tokens=200,
        response_model=Person,
        max_retries=1,
        **more,
    )


@step("JSON schema")
def _():
    assert isinstance(create(instructor.Mode.JSON_SCHEMA), Person)


@step("from_provider")
def _():
    own = instructor.from_provider(
        f"ollama/{CHAT}", base_url=f"{URL}/v1", mode=instructor.Mode.JSON_SCHEMA
    )
    assert isinstance(own.create(messages=ASK, response_model=Person, max_retries=1), Person)


@step("tools")
def _():
    assert isinstance(create(instructor.Mode.TOOLS), Person)


@step("partial objects, streamed")
def _():
    stream = client(instructor.Mode.JSON_SCHEMA).chat.completions.create_partial(
        model=CHAT, messages=ASK, temperature=0, response_model=Person
    )
    assert list(stream)[-1].old in {True, False}


@step("errors")
def _():
    own = client(instructor.Mode.JSON_SCHEMA)
    refused(
        Exception,
        lambda: own.chat.completions.create(
            model="nothing", messages=ASK, response_model=Person, max_retries=1
        ),
        "not found",
    )
