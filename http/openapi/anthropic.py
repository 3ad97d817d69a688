"""The operations of Anthropic's dialect."""

from actorllm.http.anthropic.request import MessagesBody
from actorllm.http.openapi.operation import Dialect, Operation, events_answer, json_answer

__all__ = ["ANTHROPIC"]

ANTHROPIC = Dialect(
    name="Anthropic",
    about="The API of Anthropic. Streams are server-sent events that say their type.",
    operations=(
        Operation(
            method="POST",
            path="/v1/messages",
            summary="Answer a conversation",
            body=MessagesBody,
            example={
                "model": "seedling",
                "max_tokens": 100,
                "messages": [{"role": "user", "content": "Hello!"}],
                "thinking": {"type": "disabled"},
            },
            required=("model", "max_tokens", "messages"),
            answers={200: events_answer("anthropic.Message", "anthropic.Event")},
        ),
        Operation(
            method="POST",
            path="/v1/messages/count_tokens",
            summary="Count the tokens of a conversation",
            description="The prompt is made as for an answer, and nothing is generated.",
            body=MessagesBody,
            example={"model": "seedling", "messages": [{"role": "user", "content": "Hello!"}]},
            required=("model", "messages"),
            answers={200: json_answer("anthropic.TokenCount", "How many there are")},
        ),
    ),
    error="anthropic.Error",
    data="anthropic.json",
)
