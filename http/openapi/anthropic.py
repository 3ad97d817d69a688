"""The operations of Anthropic's dialect."""

from actorllm.http.anthropic.request import MessagesBody
from actorllm.http.openapi.operation import Dialect, Operation, events_answer

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
    ),
    error="anthropic.Error",
    data="anthropic.json",
)
