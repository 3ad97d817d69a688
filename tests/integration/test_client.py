"""The official Python client against the daemon."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest

from tests.integration.daemon import MODEL, Daemon

QUESTION = [{"role": "user", "content": "What is the capital of Japan?"}]
ANSWER = "The capital of Japan is Tokyo."
COLD = {"temperature": 0}


@pytest.fixture
def client(daemon: Daemon) -> Iterator[ollama.Client]:
    client = ollama.Client(daemon.url)
    yield client
    client._client.close()


@pytest.fixture
def bert(client: ollama.Client, bert_file: Path) -> Iterator[str]:
    """An embedding model, made from a file."""
    digest = client.create_blob(bert_file)
    statuses = [p.status for p in client.create("bert", files={"m.gguf": digest}, stream=True)]
    assert statuses[-1] == "success"
    yield "bert"
    client.delete("bert")


def test_lists_and_shows_the_model_that_comes_with_the_package(client: ollama.Client):
    (model,) = client.list().models
    assert model.model == "seedling:latest"
    shown = client.show(MODEL)
    assert shown.details is not None
    assert shown.details.format == "gguf"
    assert "completion" in (shown.capabilities or ())
    assert shown.modelinfo


def test_chats_whole_and_in_parts(client: ollama.Client):
    whole = client.chat(MODEL, QUESTION, think=False, options=COLD)
    assert whole.message.content == ANSWER
    assert whole.done_reason == "stop"
    assert whole.eval_count
    assert whole.prompt_eval_count
    assert whole.total_duration
    parts = list(client.chat(MODEL, QUESTION, think=False, options=COLD, stream=True))
    assert "".join(part.message.content or "" for part in parts) == ANSWER
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count == whole.eval_count


def test_generates_whole_and_in_parts(client: ollama.Client):
    question = QUESTION[0]["content"]
    whole = client.generate(MODEL, question, think=False, options=COLD)
    assert whole.response == ANSWER
    assert whole.context
    parts = list(client.generate(MODEL, question, think=False, options=COLD, stream=True))
    assert "".join(part.response for part in parts) == ANSWER
    assert parts[-1].context == whole.context


def test_answers_in_json_when_asked_to(client: ollama.Client):
    answer = client.generate(MODEL, "Say it.", format="json", options=COLD | {"num_predict": 200})
    if answer.done_reason == "stop":
        json.loads(answer.response)
    else:
        assert answer.response.lstrip().startswith(("{", "["))


def test_embeds(client: ollama.Client, bert: str):
    answer = client.embed(bert, ["hello world", "hello"])
    assert len(answer.embeddings) == 2
    for vector in answer.embeddings:
        assert len(vector) == 16
        assert math.isclose(math.hypot(*vector), 1, abs_tol=1e-5)
    assert answer.prompt_eval_count
    with pytest.raises(ollama.ResponseError, match="does not support"):
        client.generate(bert, "hello")


def test_copies_lists_and_deletes(client: ollama.Client):
    client.copy(MODEL, "twin")
    assert {m.model for m in client.list().models} == {"seedling:latest", "twin:latest"}
    assert client.chat("twin", QUESTION, think=False, options=COLD).message.content == ANSWER
    client.delete("twin")
    assert {m.model for m in client.list().models} == {"seedling:latest"}
    with pytest.raises(ollama.ResponseError) as refused:
        client.delete("twin")
    assert refused.value.status_code == 404


def test_creates_a_model_with_a_system_message(client: ollama.Client):
    client.create("pirate", from_=MODEL, system="You are a pirate.", parameters={"num_predict": 3})
    try:
        assert "You are a pirate." in (client.show("pirate").modelfile or "")
        assert client.generate("pirate", "Ahoy", think=False).eval_count == 3
    finally:
        client.delete("pirate")


def test_lists_what_is_loaded(client: ollama.Client, bert: str):
    client.generate(MODEL, keep_alive=-1)
    client.embed(bert, "hello", keep_alive="10m")
    loaded = {m.model: m for m in client.ps().models}
    assert set(loaded) >= {"seedling:latest", "bert:latest"}
    assert loaded["bert:latest"].context_length == 32
    assert loaded["seedling:latest"].size
    assert loaded["seedling:latest"].expires_at > loaded["bert:latest"].expires_at
    client.generate(MODEL, keep_alive="5m")
