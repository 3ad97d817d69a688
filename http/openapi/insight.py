"""The operations that are ours: prompts, upkeep, actors, metrics, this document."""

from actorllm.http.ollama.archives import TAR
from actorllm.http.ollama.prompts import DetokenizeBody, ParseBody, RenderBody, TokenizeBody
from actorllm.http.ollama.upkeep import PruneBody
from actorllm.http.openapi.operation import (
    BINARY,
    OCTETS,
    TEXT,
    WRITES,
    Answer,
    Dialect,
    Operation,
    Parameter,
    json_answer,
)

__all__ = ["INSIGHT"]

_PROMPTS = (
    Operation(
        method="POST",
        path="/api/render",
        summary="Show the prompt of a conversation",
        body=RenderBody,
        example={"model": "seedling", "messages": [{"role": "user", "content": "Hello!"}]},
        answers={200: json_answer("api.Rendered", "The prompt, and what made it")},
    ),
    Operation(
        method="POST",
        path="/api/parse",
        summary="Show how an answer is read",
        body=ParseBody,
        example={"parser": "qwen3", "text": "<think>hm</think>yes"},
        answers={200: json_answer("api.Parsed", "Content, thinking and calls")},
    ),
    Operation(
        method="POST",
        path="/api/tokenize",
        summary="Split a text into tokens",
        body=TokenizeBody,
        example={"model": "seedling", "text": "Hello!"},
        required=("model",),
        answers={200: json_answer("api.Tokens", "The tokens")},
    ),
    Operation(
        method="POST",
        path="/api/detokenize",
        summary="Join tokens",
        body=DetokenizeBody,
        example={"model": "seedling", "tokens": [345, 3]},
        required=("model",),
        answers={200: json_answer("api.Detokenized", "The text")},
    ),
)

_NAMES = {"type": "array", "items": {"type": "string"}}

_UPKEEP = (
    Operation(
        method="GET",
        path="/api/partials",
        summary="List unfinished downloads",
        answers={200: json_answer("actorllm.Partials", "Those that can be taken up again")},
    ),
    Operation(
        method="POST",
        path="/api/prune",
        summary="Delete what nobody uses",
        body=PruneBody,
        example={"dry_run": True},
        answers={200: json_answer("actorllm.Pruned", "What is gone")},
    ),
    Operation(
        method="GET",
        path="/api/key",
        summary="Show the public key of this installation",
        answers={200: json_answer("actorllm.Key", "By which registries know it")},
    ),
    Operation(
        method="GET",
        path="/api/export",
        summary="Write models to one file",
        description="One that is shorter than its `Content-Length` is broken off.",
        parameters={"model": Parameter("names of models", _NAMES, "query")},
        answers={200: Answer("The archive", {TAR: BINARY})},
    ),
    Operation(
        method="POST",
        path="/api/import",
        summary="Read models from one file",
        content={OCTETS: BINARY, TAR: BINARY},
        parameters={
            "name": Parameter("in place of that of an only model", {"type": "string"}, "query")
        },
        answers={200: json_answer("actorllm.Imported", "What was read")},
        errors=WRITES,
    ),
)

_INSIDE = (
    Operation(
        method="GET",
        path="/api/actors",
        summary="Show the live actors",
        answers={200: json_answer("actorllm.Snapshot", "The tree, and what was counted")},
    ),
    Operation(
        method="GET",
        path="/metrics",
        summary="Count, for Prometheus",
        answers={200: Answer("Counters and gauges", {TEXT: {"type": "string"}})},
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        summary="Describe this API for programs",
        answers={200: json_answer("actorllm.Document", "An OpenAPI 3.1 document")},
    ),
    Operation(
        method="GET",
        path="/docs",
        summary="Describe this API for people",
        answers={200: Answer("A page", {"text/html": {"type": "string"}})},
    ),
)

INSIGHT = Dialect(
    name="Insight",
    about="Extra: routes that other servers do not have.",
    operations=(*_PROMPTS, *_UPKEEP, *_INSIDE),
    error="api.Error",
    data="insight.json",
)
