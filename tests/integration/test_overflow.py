"""Prompts and answers that are longer than their window, on every API: what is lost is said."""

import json
import re

import pytest

from tests.integration.daemon import MODEL, Daemon
from tests.integration.speaking import DIALECTS, Dialect
from tests.integration.test_dialects import create

NUM_CTX = 256
TURNS = [
    {"role": role, "content": f"word {n} of many"}
    for n, role in enumerate(("user", "assistant") * 40 + ("user",))
]
LONG = "word " * 600
ENDLESS = {"temperature": 1.5, "seed": 1, "logit_bias": {"0": -100, "2": -100}}
"""Options of an answer that does not end by itself: tokens 0 and 2 would end it."""
LENGTHS = {
    "/v1/chat/completions": "max_tokens",
    "/v1/responses": "max_output_tokens",
    "/v1/messages": "max_tokens",
}
STREAMED = pytest.mark.parametrize("stream", [False, True])


def small(dialect: Dialect, tokens: int = 4, **options) -> dict:
    """Give the fields for a small window and an answer of so many tokens."""
    if dialect.route == "/api/chat":
        return {"options": {"num_ctx": NUM_CTX, "num_predict": tokens, "temperature": 0} | options}
    own = {"temperature": options["temperature"]} if options else {}
    return {"num_ctx": NUM_CTX, LENGTHS[dialect.route]: tokens, "options": options} | own


def lost(notice: str) -> tuple[int, int]:
    messages = re.search(r"(\d+) messages were dropped", notice)
    tokens = re.search(r"(\d+) tokens were dropped", notice)
    return int(messages[1]) if messages else 0, int(tokens[1]) if tokens else 0


def sizes(answer) -> dict[str, int]:
    """Give the lengths that a refusal tells: with its error, or under `/api` in a header."""
    error = answer.json()["error"]
    if isinstance(error, dict):
        return error
    told = answer.headers["Actorllm-Notice"].split(", ")
    return {name: int(size) for name, size in (each.split(": ") for each in told)}


@STREAMED
def test_messages_that_do_not_fit_are_dropped_and_counted(daemon: Daemon, stream: bool):
    ollama = DIALECTS[0]
    too_long = ollama.body(TURNS, [], None) | small(ollama) | {"truncate": False}
    whole = sizes(daemon.post(ollama.route, **too_long))["n_prompt"]
    said = set()
    for dialect in DIALECTS:
        answer = dialect.ask(daemon, TURNS, stream=stream, **small(dialect))
        said.add(answer.headers["Actorllm-Notice"])
    (notice,) = said
    messages, tokens = lost(notice)
    assert 40 < messages < len(TURNS)
    assert whole - NUM_CTX <= tokens < whole
    events = [json.loads(line) for line in daemon.log.splitlines() if '"cut a prompt"' in line]
    assert (events[-1]["messages"], events[-1]["tokens"]) == (messages, tokens)


@STREAMED
def test_prompts_that_may_not_be_cut_are_refused_with_their_length(daemon: Daemon, stream: bool):
    said = {"truncate": False, "stream": stream}
    refused = [daemon.post(d.route, **d.body(TURNS, [], None) | small(d) | said) for d in DIALECTS]
    text = {"model": MODEL, "prompt": LONG, "truncate": False, "stream": stream}
    refused.append(daemon.post("/v1/completions", **text, num_ctx=NUM_CTX))
    refused.append(daemon.post("/api/generate", **text, options={"num_ctx": NUM_CTX}))
    for answer in refused:
        assert answer.status_code == 400
        n_prompt = sizes(answer)["n_prompt"]
        assert n_prompt > 600
        assert f"(n_prompt: {n_prompt}, n_ctx: {NUM_CTX})" in answer.text
        assert sizes(answer)["n_ctx"] == NUM_CTX
    codes = [
        a.json()["error"]["code"] for a in refused if "/v1/" in a.url.path and "code" in a.text
    ]
    assert codes == ["context_length_exceeded"] * 3


def test_a_single_text_that_is_too_long_is_cut_or_refused(daemon: Daemon):
    text = {"model": MODEL, "prompt": LONG, "stream": False}
    few = {"num_ctx": NUM_CTX, "num_predict": 2}
    for answer in (
        daemon.post("/v1/completions", **text, num_ctx=NUM_CTX, max_tokens=2),
        daemon.post("/api/generate", **text, options=few),
    ):
        assert answer.status_code == 200
        _, tokens = lost(answer.headers["Actorllm-Notice"])
        assert tokens > 600 - NUM_CTX
    answer = daemon.post("/api/generate", **text, options=few, shift=False)
    assert (answer.status_code, sizes(answer)["n_ctx"]) == (400, NUM_CTX)


def test_embeddings_are_cut_or_refused_with_their_length(daemon: Daemon, bert_file):
    name = create(daemon, "overflow-bert", bert_file)
    ask = {"model": name, "input": LONG, "num_ctx": 16}
    cut = daemon.post("/v1/embeddings", **ask)
    assert cut.json()["usage"]["prompt_tokens"] == 16
    dropped = cut.json()["data"][0]["truncated_tokens"]
    assert cut.headers["Actorllm-Notice"] == f"input 0 lost {dropped} tokens"
    whole = daemon.post("/v1/embeddings", **ask, truncate=False)
    error = whole.json()["error"]
    assert (whole.status_code, error["n_ctx"], error["n_prompt"]) == (400, 16, dropped + 16)


def test_a_window_that_is_full_is_shifted_or_ends_the_answer(daemon: Daemon):
    for dialect in DIALECTS:
        body = small(dialect, 60, **ENDLESS)
        nearly = dialect.user("word " * 200)
        shifted = dialect.ask(daemon, nearly, stream=True, **body)
        assert shifted.ours["shifted_tokens"] > 0, dialect.route
        ended = dialect.ask(daemon, nearly, stream=True, shift=False, **body)
        (notice,) = ended.ours["notices"]
        assert notice.startswith(f"the context of {NUM_CTX} tokens was full"), dialect.route
        assert "shifted_tokens" not in ended.ours
        assert ended.reason in ("length", "incomplete", "max_tokens")
