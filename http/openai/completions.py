"""`/v1/completions`."""

import time
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from quart import Blueprint
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.edge import Edge
from actorllm.http.facts import likelihood
from actorllm.http.frames import respond
from actorllm.http.generation import client_of_request
from actorllm.http.metrics import Metrics
from actorllm.http.openai.chat_body import DEFAULTS
from actorllm.http.openai.choices import ChoiceFrames, repeated, respond_with_choices
from actorllm.http.openai.parts import (
    FINGERPRINT,
    StreamOptionsBody,
    biases,
    event,
    go_type,
    identifier,
    sampling,
    usage,
)
from actorllm.http.openai.refusals import refusal
from actorllm.http.v1 import PLAIN_JSON, install, read
from actorllm.http.wire.binding import body, given
from actorllm.http.wire.extras import ExtrasBody, with_extras
from actorllm.http.wire.kinds import token_ids
from actorllm.http.wire.mismatch import Mismatch, found
from actorllm.http.wire.values import FLOAT32, INT, Custom
from actorllm.protocol.chat import JsonObject
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import Chunk, GenerateRequest, Logprob
from actorllm.protocol.messages.prompts import DetokenizeText

__all__ = ["CompletionBody", "blueprint"]

Json = dict[str, Any]


Prompt = str | tuple[int, ...]
"""A text, or tokens as they are."""


def _read_prompts(value: Any) -> tuple[Prompt, ...]:
    """Read a text, tokens, or a list of either."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and value:
        if all(isinstance(item, int | float) for item in value):
            return (_read_tokens(value),)
        return tuple(v if isinstance(v, str) else _read_tokens(v) for v in value)
    raise Mismatch(found(value), "string")


def _read_tokens(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise Mismatch(found(value), "string")
    return token_ids([INT.read(item) for item in value])


_PROMPT = Custom(
    _read_prompts, "string", {"type": ["string", "array", "null"], "items": {}, "minItems": 1}
)


@body("openai.CompletionRequest")
class CompletionBody(ExtrasBody):
    """Body of `/v1/completions`."""

    model: str = ""
    prompt: tuple[Prompt, ...] = given(default=("",), kind=_PROMPT)
    frequency_penalty: float | None = given(default=None, kind=FLOAT32)
    max_tokens: int | None = None
    presence_penalty: float | None = given(default=None, kind=FLOAT32)
    seed: int | None = None
    stop: Any = None
    stream: bool = False
    stream_options: StreamOptionsBody | None = None
    temperature: float | None = given(default=None, kind=FLOAT32)
    top_p: float = given(default=0.0, kind=FLOAT32)
    suffix: str = ""
    n: int | None = None
    best_of: int | None = None
    echo: bool = False
    logit_bias: JsonObject | None = None
    logprobs: int | None = None
    render_only: bool = given(default=False, key="_debug_render_only")


def _stop(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return None
    for item in value:
        if not isinstance(item, str):
            raise Refused.because(400, f"invalid type for 'stop' field: {go_type(item)}")
    return value


def completion_requests(body: CompletionBody) -> tuple[GenerateRequest, ...]:
    """Translate a body: a request for each choice of each prompt.

    Raises:
        Refused: 400, something in it makes no sense.
    """
    n = 1 if body.n is None else body.n
    if body.best_of is not None and body.best_of > n:
        raise Refused.because(
            400, "best_of cannot be greater than n: ask for n choices and choose among them"
        )
    if body.echo and _likeliest(body) is not None:
        raise Refused.because(
            400, "echo with logprobs is not supported: prompts have no log probabilities here"
        )
    return repeated([_request(body, prompt) for prompt in body.prompt], n)


def _request(body: CompletionBody, prompt: Prompt) -> GenerateRequest:
    is_text, likeliest = isinstance(prompt, str), _likeliest(body)
    request = GenerateRequest(
        model=body.model,
        kind="generate",
        prompt=prompt if isinstance(prompt, str) else "",
        tokens=() if isinstance(prompt, str) else prompt,
        raw=not is_text,
        suffix=body.suffix if is_text else "",
        options=sampling(
            num_predict=body.max_tokens,
            seed=body.seed,
            stop=_stop(body.stop),
            temperature=body.temperature,
            frequency_penalty=body.frequency_penalty,
            presence_penalty=body.presence_penalty,
            logit_bias=biases(body.logit_bias),
            top_p=body.top_p or None,
        ),
        default_options=DEFAULTS | {"frequency_penalty": 0.0, "presence_penalty": 0.0},
        logprobs=likeliest is not None,
        top_logprobs=likeliest or 0,
        render_only=body.render_only,
    )
    return with_extras(body, request)


def _likeliest(body: CompletionBody) -> int | None:
    """How many rivals of each token are told; None: not even its own probability is."""
    return body.logprobs if body.logprobs is not None and body.logprobs >= 0 else None


class CompletionFrames(ChoiceFrames):
    """A completion as OpenAI's clients read it.

    Args:
        head: Of all documents of the answer, and
        tail: their end.
        metrics: Told when the generation has ended.
        with_usage: A stream ends with a count of tokens.
        echo: What the text begins with.
        index: Of the choice; None: there is one alone, which ends the stream.
    """

    def __init__(
        self,
        head: Json,
        tail: Json,
        metrics: Metrics,
        *,
        with_usage: bool,
        echo: str = "",
        index: int | None = None,
    ) -> None:
        super().__init__(metrics)
        self._head, self._tail = head, tail
        self._with_usage = with_usage
        self._echo = echo
        self._alone = index is None
        self._index = index or 0
        self._offset = 0
        """Characters of the generated text so far."""

    def document(self, chunk: Chunk) -> TrioResponse:
        """Answer with a whole generation."""
        assert chunk.done is not None
        answer = self.envelope([self.choice(chunk)], usage(chunk.done))
        return self.answer(answer | self.finish(chunk.done), chunk, PLAIN_JSON)

    def choice(self, chunk: Chunk) -> Json:
        reason = chunk.done.reason if chunk.done is not None else None
        said: Json = {"text": self._echo + chunk.content, "index": self._index}
        self._echo = ""
        if chunk.logprobs:
            said["logprobs"] = self._logprobs(chunk.logprobs)
        self._offset += len(chunk.content)
        return said | {"finish_reason": reason or None}

    def _logprobs(self, items: Sequence[Logprob]) -> Json:
        ends = list(accumulate((len(item.token) for item in items), initial=self._offset))
        return {
            "tokens": [item.token for item in items],
            "token_logprobs": [likelihood(item) for item in items],
            "top_logprobs": [{top.token: likelihood(top) for top in item.top} for item in items],
            "text_offset": ends[:-1],
        }

    def envelope(self, choices: Sequence[Json], counted: Json) -> Json:
        return self._head | self._tail | {"choices": choices, "usage": counted}

    def usage_event(self, counted: Json) -> bytes:
        if not self._with_usage:
            return b""
        return event(self._head | {"choices": [], **self._tail, "usage": counted})

    def write_chunk(self, chunk: Chunk) -> bytes:
        done = chunk.done
        zeros = {"usage": usage(None)} if self._with_usage else {}
        said = self.finish(done) if done is not None else {}
        written = event(self._head | {"choices": [self.choice(chunk)]} | self._tail | zeros | said)
        if done is not None and self._alone:
            written += self.usage_event(usage(done))
        return written


async def _echoes(edge: Edge, body: CompletionBody, client: str) -> list[str]:
    """The texts that answers begin with, one for each prompt."""
    if not body.echo:
        return [""] * len(body.prompt)
    return [
        prompt if isinstance(prompt, str) else await _text(edge, body, prompt, client)
        for prompt in body.prompt
    ]


async def _text(edge: Edge, body: CompletionBody, tokens: tuple[int, ...], client: str) -> str:
    question = DetokenizeText(client, body.model, tokens, body.keep_alive)
    return (await edge.only("/prompts", question)).text


def blueprint(edge: Edge) -> Blueprint:
    """Make the route."""
    api = Blueprint("openai_completions", __name__)
    install(api, edge, refusal)

    @api.post("/v1/completions")
    async def completions() -> Response:
        body, requests = await read(
            CompletionBody, completion_requests, edge.settings.max_request_bytes
        )
        head: Json = {
            "id": identifier("cmpl"),
            "object": "text_completion",
            "created": int(time.time()),
        }
        tail: Json = {"model": body.model, "system_fingerprint": FINGERPRINT}
        with_usage = body.stream_options is not None and body.stream_options.include_usage
        make = partial(CompletionFrames, head, tail, edge.metrics, with_usage=with_usage)
        echoes = await _echoes(edge, body, client_of_request())
        if len(requests) == 1:
            return await respond(edge, requests[0], make(echo=echoes[0]), stream=body.stream)
        n = len(requests) // len(body.prompt)
        parts = [make(echo=echoes[i // n], index=i) for i in range(len(requests))]
        return await respond_with_choices(edge, requests, parts, per_prompt=n, stream=body.stream)

    return api
