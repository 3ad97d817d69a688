"""OpenAI's and Anthropic's dialects on the real daemon: choices, tokens, rankings, responses."""

import hashlib
import json
from pathlib import Path

import httpx
import pytest
import zstandard

from tests.engine.berts import write
from tests.integration.daemon import MODEL, Daemon

JAPAN = [{"role": "user", "content": "What is the capital of Japan?"}]
TOKYO = "The capital of Japan is Tokyo."


def ok(answer: httpx.Response) -> dict:
    assert answer.status_code == 200, answer.text
    return answer.json()


def create(daemon: Daemon, name: str, file: Path) -> str:
    data = file.read_bytes()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    daemon.client.post(f"/api/blobs/{digest}", content=data)
    ok(daemon.post("/api/create", model=name, files={"w.gguf": digest}, stream=False))
    return name


@pytest.fixture(scope="module")
def reranker(shared_daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("rank") / "rank.gguf"
    write(path)
    return create(shared_daemon, "ranker", path)


@pytest.fixture(scope="module")
def embedder(shared_daemon: Daemon) -> str:
    file = Path(__file__).parents[1] / "goldens" / "exchanges" / "tiny-bert.gguf"
    return create(shared_daemon, "dialects-bert", file)


def test_choices_differ_and_can_be_had_again(daemon: Daemon):
    body = {"model": MODEL, "messages": JAPAN, "reasoning_effort": "none", "max_tokens": 12}
    path, more = "/v1/chat/completions", {"temperature": 2.0, "deterministic": True}
    first = ok(daemon.post(path, **body, **more, n=3, seed=1))
    texts = [c["message"]["content"] for c in first["choices"]]
    assert len(set(texts)) > 1
    alone = ok(daemon.post(path, **body, **more, seed=2))
    assert alone["choices"][0]["message"]["content"] == texts[1]
    greedy = ok(daemon.post(path, **body, n=2, temperature=0))
    assert [c["message"]["content"] for c in greedy["choices"]] == [TOKYO, TOKYO]
    assert greedy["usage"]["completion_tokens"] == 20


def test_a_bias_forbids_a_token(daemon: Daemon):
    tokens = ok(daemon.post("/api/tokenize", model=MODEL, text=" Tokyo"))["tokens"]
    body = {"model": MODEL, "messages": JAPAN, "reasoning_effort": "none", "temperature": 0}
    said = ok(daemon.post("/v1/chat/completions", **body, logit_bias={str(tokens[0]): -100}))
    assert "Tokyo" not in said["choices"][0]["message"]["content"]


def test_tokens_are_a_prompt_and_can_be_echoed(daemon: Daemon):
    prompt = ok(daemon.post("/api/render", model=MODEL, messages=JAPAN, think=False))
    body = {"model": MODEL, "temperature": 0, "echo": True}
    said = ok(daemon.post("/v1/completions", **body, prompt=[prompt["tokens"]] * 2))
    for choice in said["choices"]:
        assert choice["text"] == prompt["prompt"] + TOKYO
    assert said["usage"]["prompt_tokens"] == 2 * len(prompt["tokens"])
    bad = daemon.post("/v1/completions", model=MODEL, prompt=[10**6])
    assert (bad.status_code, "not in the vocabulary" in bad.text) == (400, True)


def test_log_probabilities_of_completions(daemon: Daemon):
    body = {"model": MODEL, "prompt": JAPAN[0]["content"], "think": False, "temperature": 0}
    (choice,) = ok(daemon.post("/v1/completions", **body, logprobs=2))["choices"]
    found = choice["logprobs"]
    assert "".join(found["tokens"]) == choice["text"]
    assert all(len(top) == 2 for top in found["top_logprobs"])
    assert max(found["token_logprobs"]) <= 0


def test_counted_tokens_are_those_of_the_answer(daemon: Daemon):
    body = {
        "model": MODEL,
        "messages": JAPAN,
        "system": "Be brief.",
        "thinking": {"type": "disabled"},
    }
    counted = ok(daemon.post("/v1/messages/count_tokens", **body))
    said = daemon.post("/v1/messages", **body, max_tokens=5)
    assert counted == {"input_tokens": ok(said)["usage"]["input_tokens"]}
    assert said.headers["Request-Id"].startswith("req_")


def test_the_stop_sequence_is_named(daemon: Daemon):
    body = {"model": MODEL, "messages": JAPAN, "thinking": {"type": "disabled"}, "temperature": 0}
    said = ok(daemon.post("/v1/messages", **body, max_tokens=50, stop_sequences=["Tokyo"]))
    assert (said["stop_reason"], said["stop_sequence"]) == ("stop_sequence", "Tokyo")


def test_a_response_goes_on_and_is_forgotten(daemon: Daemon):
    body = {"model": MODEL, "reasoning": {"effort": "none"}, "temperature": 0}
    first = ok(daemon.post("/v1/responses", **body, input=JAPAN[0]["content"]))
    assert first["output"][0]["content"][0]["text"] == TOKYO
    second = ok(daemon.post("/v1/responses", **body, input="x", previous_response_id=first["id"]))
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"] + 10
    assert ok(daemon.client.get(f"/v1/responses/{first['id']}")) == first
    assert ok(daemon.client.delete(f"/v1/responses/{first['id']}"))["deleted"]
    assert daemon.client.get(f"/v1/responses/{first['id']}").status_code == 404


def test_a_compressed_body_is_read(daemon: Daemon):
    body = {"model": MODEL, "messages": JAPAN, "reasoning_effort": "none", "temperature": 0}
    packed = zstandard.ZstdCompressor().compress(json.dumps(body).encode())
    headers = {"Content-Encoding": "zstd"}
    said = daemon.client.post("/v1/chat/completions", content=packed, headers=headers)
    assert ok(said)["choices"][0]["message"]["content"] == TOKYO


def test_documents_are_ranked(daemon: Daemon, reranker: str):
    documents = ["hello world", {"text": "the sky is blue"}, "cat dog", "x " * 200]
    body = {"model": reranker, "query": "why is the sky blue", "documents": documents}
    answer = daemon.post("/v1/rerank", **body, return_documents=True)
    ranked = ok(answer)["results"]
    scores = [r["relevance_score"] for r in ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)
    assert {r["index"] for r in ranked} == {0, 1, 2, 3}
    (cut,) = (r for r in ranked if r["index"] == 3)
    assert cut["truncated_tokens"] > 0
    assert "input 3 lost" in answer.headers["Actorllm-Notice"]
    two = ok(daemon.post("/api/rerank", **body, top_n=2))["results"]
    assert [r["index"] for r in two] == [r["index"] for r in ranked[:2]]
    assert daemon.post("/api/rerank", **body, truncate=False).status_code == 400


def test_only_rerankers_rank_and_they_do_nothing_else(daemon: Daemon, reranker: str):
    refused = daemon.post("/v1/rerank", model=MODEL, query="a", documents=["b"])
    assert (refused.status_code, "rank pooling" in refused.text) == (400, True)
    refused = daemon.post("/api/embed", model=reranker, input="a")
    assert (refused.status_code, "use /api/rerank" in refused.text) == (400, True)


def test_tokens_are_embedded_and_losses_are_said(daemon: Daemon, embedder: str):
    text = "why is the sky blue"
    tokens = ok(daemon.post("/api/tokenize", model=embedder, text=text, add_special=True))["tokens"]
    body = {"model": embedder, "input": [tokens, tokens]}
    of_tokens = ok(daemon.post("/v1/embeddings", **body))["data"]
    of_text = ok(daemon.post("/v1/embeddings", model=embedder, input=text))["data"][0]
    assert of_tokens[1]["embedding"] == pytest.approx(of_text["embedding"], abs=1e-4)
    long = daemon.post("/v1/embeddings", model=embedder, input=["a", "hello " * 90])
    assert ok(long)["data"][1]["truncated_tokens"] > 0
    assert long.headers["Actorllm-Notice"].startswith("input 1 lost")
