"""The operations of `/api`."""

from actorllm.http.ollama.create import CreateBody
from actorllm.http.ollama.embeddings import EmbedBody, EmbeddingBody
from actorllm.http.ollama.generation import ChatBody, GenerateBody
from actorllm.http.ollama.models import CopyBody, DeleteBody, ShowBody
from actorllm.http.ollama.transfers import PullBody, PushBody
from actorllm.http.openapi.operation import (
    BINARY,
    JSON,
    OCTETS,
    TEXT,
    WRITES,
    Answer,
    Dialect,
    Operation,
    Parameter,
    empty,
    head_of,
    json_answer,
    lines_answer,
)
from actorllm.http.openapi.ranking import ranking
from actorllm.http.openapi.schema import Json

__all__ = ["OLLAMA"]

_HELLO: Json = {
    "model": "seedling",
    "messages": [{"role": "user", "content": "Hello!"}],
    "stream": False,
    "think": False,
    "options": {"temperature": 0},
}
_DIGEST = {"digest": Parameter("`sha256:` and 64 hex digits", {"type": "string"})}
_QUESTION = {JSON: {"type": "object", "properties": {"query": {"type": "string"}}}}
_STEPS = lines_answer("api.Step")
_VERSION = json_answer("api.Version", "The wire's version, then ours")
_TAGS = json_answer("api.Models", "All models on this machine, newest first")
_RUNNING = Answer("`Ollama is running`: clients look for these words", {TEXT: {"type": "string"}})

_GENERATION = (
    Operation(
        method="POST",
        path="/api/generate",
        summary="Continue a prompt",
        description="An empty prompt loads the model; with `keep_alive` 0 it unloads it.",
        body=GenerateBody,
        example={"model": "seedling", "prompt": "why is the sky blue?", "stream": False},
        required=("model",),
        answers={200: lines_answer("api.Generation", generated=True)},
    ),
    Operation(
        method="POST",
        path="/api/chat",
        summary="Answer a conversation",
        description="Without messages the model is loaded, or unloaded with `keep_alive` 0.",
        body=ChatBody,
        example=_HELLO,
        required=("model",),
        answers={200: lines_answer("api.Chat", generated=True)},
    ),
    Operation(
        method="POST",
        path="/api/embed",
        summary="Turn texts into vectors",
        body=EmbedBody,
        example={"model": "all-minilm", "input": ["a text", "another one"]},
        required=("model",),
        answers={200: json_answer("api.Embeddings", "A vector for each text", generated=True)},
        errors=(501,),
    ),
    Operation(
        method="POST",
        path="/api/embeddings",
        summary="Turn a text into a vector (the older route)",
        body=EmbeddingBody,
        example={"model": "all-minilm", "prompt": "a text"},
        required=("model",),
        answers={200: json_answer("api.Embedding", "The vector", generated=True)},
        errors=(501,),
    ),
    ranking("/api/rerank", "api.Ranking"),
)

_MODELS = (
    Operation(method="GET", path="/api/tags", summary="List the models", answers={200: _TAGS}),
    head_of("/api/tags", "They could be listed"),
    Operation(
        method="GET",
        path="/api/ps",
        summary="List the loaded models",
        answers={200: json_answer("api.Loaded", "Those that are in memory")},
    ),
    Operation(
        method="POST",
        path="/api/show",
        summary="Describe a model",
        body=ShowBody,
        example={"model": "seedling"},
        answers={200: json_answer("api.Shown", "What is known of it")},
    ),
    Operation(
        method="POST",
        path="/api/copy",
        summary="Give a model another name, too",
        body=CopyBody,
        example={"source": "seedling", "destination": "mine"},
        required=("source", "destination"),
        answers={200: empty("It has the name")},
    ),
    Operation(
        method="DELETE",
        path="/api/delete",
        summary="Delete a model",
        body=DeleteBody,
        example={"model": "mine"},
        answers={200: empty("It is gone, with the blobs that nobody uses any more")},
    ),
    Operation(
        method="POST",
        path="/api/create",
        summary="Create a model",
        description="From a model (`from`) or from uploaded files (`files`).",
        body=CreateBody,
        example={"model": "mine", "from": "seedling", "system": "Be brief.", "stream": False},
        answers={200: _STEPS},
        errors=WRITES,
    ),
    Operation(
        method="POST",
        path="/api/pull",
        summary="Fetch a model from a registry",
        body=PullBody,
        example={"model": "llama3.2", "stream": False},
        answers={200: _STEPS},
        errors=WRITES,
    ),
    Operation(
        method="POST",
        path="/api/push",
        summary="Send a model to a registry",
        body=PushBody,
        example={"model": "registry.example/me/mine", "stream": False},
        answers={200: _STEPS},
    ),
    Operation(
        method="HEAD",
        path="/api/blobs/{digest}",
        summary="Ask whether a blob is there",
        parameters=_DIGEST,
        answers={200: empty("It is there")},
    ),
    Operation(
        method="POST",
        path="/api/blobs/{digest}",
        summary="Upload a blob",
        content={OCTETS: BINARY},
        parameters={
            **_DIGEST,
            "adopt": Parameter(
                "in place of a body: a file in the folder of blobs", {"type": "string"}, "query"
            ),
        },
        answers={200: empty("It was there"), 201: empty("It is kept")},
        errors=WRITES,
    ),
)

_SERVER = (
    Operation(method="GET", path="/", summary="Ask who is there", answers={200: _RUNNING}),
    head_of("/", "Somebody is there"),
    Operation(
        method="GET", path="/api/version", summary="Tell the version", answers={200: _VERSION}
    ),
    head_of("/api/version", "It can be told"),
    Operation(
        method="GET",
        path="/api/status",
        summary="Tell whether models on other machines are refused",
        answers={200: json_answer("api.Status", "Whether, and why")},
    ),
    Operation(
        method="POST",
        path="/api/me",
        summary="Tell the account",
        description="There are none: always 503.",
        answers={},
    ),
    Operation(
        method="POST",
        path="/api/signout",
        summary="Leave the account",
        description="There are none: always 401.",
        answers={},
        errors=(401,),
    ),
    Operation(
        method="DELETE",
        path="/api/user/keys/{key}",
        summary="The same (the older route)",
        parameters={"key": Parameter("whatever", {"type": "string", "minLength": 1})},
        answers={},
        errors=(401,),
    ),
    Operation(
        method="GET",
        path="/api/experimental/model-recommendations",
        summary="Recommend models",
        description="None: this server asks nobody which to recommend.",
        answers={200: json_answer("api.Recommendations", "An empty list")},
    ),
    Operation(
        method="POST",
        path="/api/experimental/web_search",
        summary="Search the web",
        description="This server is local: always 403.",
        content=_QUESTION,
        answers={},
    ),
    Operation(
        method="POST",
        path="/api/experimental/web_fetch",
        summary="Fetch a page",
        description="This server is local: always 403.",
        content=_QUESTION,
        answers={},
    ),
)

OLLAMA = Dialect(
    name="Ollama",
    about="The API of Ollama. Streams are NDJSON; an error after the first line is a last line.",
    operations=(*_GENERATION, *_MODELS, *_SERVER),
    error="api.Error",
    data="ollama.json",
)
