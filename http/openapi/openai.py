"""The operations of OpenAI's dialect."""

from actorllm.http.openai.chat_body import ChatCompletionBody
from actorllm.http.openai.completions import CompletionBody
from actorllm.http.openai.embeddings import EmbedBody
from actorllm.http.openai.responses_body import ResponsesBody
from actorllm.http.openapi.operation import (
    JSON,
    TEXT,
    Answer,
    Dialect,
    Operation,
    Parameter,
    events_answer,
    json_answer,
)
from actorllm.http.openapi.ranking import ranking
from actorllm.http.openapi.schema import reference

__all__ = ["OPENAI"]

_TEXT = (
    Operation(
        method="POST",
        path="/v1/chat/completions",
        summary="Answer a conversation",
        body=ChatCompletionBody,
        example={
            "model": "seedling",
            "messages": [{"role": "user", "content": "Hello!"}],
            "reasoning_effort": "none",
        },
        required=("model", "messages"),
        answers={
            200: events_answer(
                "openai.ChatCompletion", "openai.ChatCompletionChunk", "openai.Error", done=True
            ),
        },
    ),
    Operation(
        method="POST",
        path="/v1/completions",
        summary="Continue a prompt",
        body=CompletionBody,
        example={"model": "seedling", "prompt": "The sky is", "max_tokens": 20},
        required=("model",),
        answers={
            200: events_answer("openai.Completion", "openai.Completion", "openai.Error", done=True),
        },
    ),
    Operation(
        method="POST",
        path="/v1/responses",
        summary="Answer a conversation, as a response with items",
        body=ResponsesBody,
        example={"model": "seedling", "input": "Hello!"},
        required=("model",),
        answers={200: events_answer("openai.Response", "openai.ResponseEvent")},
    ),
)

_ID = {"id": Parameter("`resp_` and 32 hex digits", {"type": "string"})}

_KEPT = (
    Operation(
        method="GET",
        path="/v1/responses/{id}",
        summary="Show a response that is kept",
        parameters=_ID,
        answers={200: json_answer("openai.Response", "The response")},
    ),
    Operation(
        method="DELETE",
        path="/v1/responses/{id}",
        summary="Forget a response",
        parameters=_ID,
        answers={200: json_answer("openai.ResponseDeleted", "It is forgotten")},
    ),
)

_OTHERS = (
    Operation(
        method="POST",
        path="/v1/embeddings",
        summary="Turn texts into vectors",
        body=EmbedBody,
        example={"model": "all-minilm", "input": "a text"},
        required=("model", "input"),
        answers={
            200: json_answer("openai.EmbeddingList", "A vector for each text", generated=True)
        },
        errors=(501,),
    ),
    ranking("/v1/rerank", "openai.Ranking", "The form is that of Jina and Cohere."),
    Operation(
        method="POST",
        path="/v1/audio/transcriptions",
        summary="Write down what is said in a recording",
        content={"multipart/form-data": reference("openai.TranscriptionForm")},
        answers={
            200: Answer(
                "The text",
                {JSON: reference("openai.Transcription"), TEXT: {"type": "string"}},
            ),
        },
    ),
    Operation(
        method="GET",
        path="/v1/models",
        summary="List the models",
        answers={200: json_answer("openai.ModelList", "All models on this machine")},
    ),
    Operation(
        method="GET",
        path="/v1/models/{name}",
        summary="Describe a model",
        parameters={"name": Parameter("name of the model", {"type": "string", "minLength": 1})},
        answers={200: json_answer("openai.Model", "When it was made, and by whom")},
    ),
)

OPENAI = Dialect(
    name="OpenAI",
    about="The API of OpenAI. Streams are server-sent events that end with `[DONE]`.",
    operations=(*_TEXT, *_KEPT, *_OTHERS),
    error="openai.Error",
    data="openai.json",
)
