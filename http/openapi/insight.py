"""The operations that are ours: prompts, actors, metrics and this very document."""

from actorllm.http.ollama.prompts import DetokenizeBody, ParseBody, RenderBody, TokenizeBody
from actorllm.http.openapi.operation import TEXT, Answer, Dialect, Operation, json_answer

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
    operations=(*_PROMPTS, *_INSIDE),
    error="api.Error",
    data="insight.json",
)
