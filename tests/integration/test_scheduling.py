"""What is loaded, for how long, and what a request can change about it."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import ollama
import pytest

from tests.integration.daemon import MODEL, Daemon, eventually


@pytest.fixture(scope="module")
def one(start: Callable[..., Daemon], bert_file: Path) -> Daemon:
    """A daemon that has one model loaded at a time."""
    daemon = start(ACTORLLM_MAX_LOADED_MODELS="1")
    client = ollama.Client(daemon.url)
    client.create("bert", files={"m.gguf": client.create_blob(bert_file)})
    client._client.close()
    return daemon


@pytest.fixture
def fresh(one: Daemon) -> Iterator[Daemon]:
    """Nothing is loaded, at the begin and at the end."""
    yield one
    for row in loaded(one):
        path, key = ("embed", "input") if row["model"].startswith("bert") else ("generate", "x")
        one.post(f"/api/{path}", model=row["model"], keep_alive=0, **{key: ""})
    eventually(lambda: not one.runners())


def loaded(daemon: Daemon) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = daemon.client.get("/api/ps").json()["models"]
    return rows


def load(daemon: Daemon, model: str = MODEL, **body: Any) -> dict[str, Any]:
    answer = daemon.post("/api/generate", model=model, stream=False, **body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def test_a_request_without_a_prompt_loads_and_with_a_keep_alive_of_zero_unloads(fresh: Daemon):
    assert load(fresh)["done_reason"] == "load"
    (row,) = loaded(fresh)
    assert row["name"] == row["model"] == "seedling:latest"
    assert row["size"] > 1_000_000
    assert row["size_vram"] == 0
    assert row["context_length"] == 1024
    assert len(row["digest"]) == 64
    assert row["details"]["format"] == "gguf"
    assert load(fresh, keep_alive=0)["done_reason"] == "unload"
    eventually(lambda: not loaded(fresh))
    eventually(lambda: not fresh.runners())


def test_a_prompt_with_a_keep_alive_of_zero_unloads_after_its_answer(fresh: Daemon):
    answer = load(fresh, prompt="hello", keep_alive=0, options={"num_predict": 5})
    assert answer["done_reason"] == "length"
    eventually(lambda: not loaded(fresh))


def test_a_keep_alive_says_when_the_model_goes(fresh: Daemon):
    load(fresh, keep_alive="1h")
    (row,) = loaded(fresh)
    left = datetime.fromisoformat(row["expires_at"]) - datetime.now().astimezone()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    load(fresh, keep_alive=-1)
    (row,) = loaded(fresh)
    left = datetime.fromisoformat(row["expires_at"]) - datetime.now().astimezone()
    assert left > timedelta(days=365)
    load(fresh, keep_alive="300ms")
    eventually(lambda: not loaded(fresh), within=5)


def test_a_smaller_context_does_not_reload_and_a_larger_one_does(fresh: Daemon):
    load(fresh, options={"num_ctx": 512})
    (pid,) = fresh.runners()
    for options in ({"num_ctx": 256}, {}, {"temperature": 0}, {"num_ctx": 500}):
        load(fresh, options=options)
        assert fresh.runners() == [pid]
    load(fresh, options={"num_ctx": 1024})
    assert fresh.runners() != [pid]
    (row,) = loaded(fresh)
    assert row["context_length"] == 1024


def test_deterministic_bytes_do_not_depend_on_who_has_loaded_the_model(fresh: Daemon):
    def ask() -> tuple[str, Any]:
        options = {"deterministic": True, "seed": 1, "temperature": 1, "num_predict": 8}
        prompt = "Once there was a fox who liked to count the stars. " * 40
        said = load(fresh, prompt=prompt, raw=True, logprobs=True, options=options)
        return said["response"], [entry["logprob"] for entry in said["logprobs"]]

    alone = ask()
    for shape in ({"num_ctx": 512}, {"num_batch": 32}):
        load(fresh, keep_alive=0)
        eventually(lambda: not fresh.runners())
        load(fresh, prompt="x", options={"num_predict": 1, "deterministic": True, **shape})
        assert ask() == alone


def test_a_model_makes_way_for_another(fresh: Daemon):
    load(fresh)
    assert fresh.post("/api/embed", model="bert", input="hello").status_code == 200
    assert [row["model"] for row in loaded(fresh)] == ["bert:latest"]
    fresh.assert_works()
    assert [row["model"] for row in loaded(fresh)] == ["seedling:latest"]


def test_two_names_of_the_same_weights_share_a_runner(fresh: Daemon):
    assert fresh.post("/api/copy", source=MODEL, destination="twin").status_code == 200
    pirate = fresh.post(
        "/api/create", model="pirate", system="Arr", stream=False, **{"from": MODEL}
    )
    assert pirate.status_code == 200, pirate.text
    load(fresh)
    runners = fresh.runners()
    for name in ("twin", "pirate"):
        load(fresh, name, prompt="hello", options={"num_predict": 2})
        assert fresh.runners() == runners
        assert fresh.client.request("DELETE", "/api/delete", json={"model": name}).is_success
    fresh.assert_works()
