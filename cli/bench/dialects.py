"""The two APIs: how they are asked, and what of their answers is read."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import attrs

from actorllm.cli.bench.traces import Counts, Recording, Trace
from actorllm.cli.errors import Failure
from actorllm.cli.text import one_line
from actorllm.cli.wire import Json, error_text, json_object

__all__ = ["DIALECTS", "Api", "Call", "Dialect", "Question", "read"]

Api = Literal["ollama", "openai"]


@attrs.frozen
class Call:
    """A request to be posted."""

    path: str
    body: Json


@attrs.frozen(kw_only=True)
class Question:
    """What a workload asks."""

    text: str
    system: str = ""
    tokens: int
    """Most tokens of the answer."""
    seed: int
    window: int
    """Tokens of context that all requests of a run get by with, where the API can say so."""


@attrs.frozen
class _Line:
    """What one line of a stream says."""

    has_text: bool = False
    counts: Counts | None = None
    last: bool = False


class Dialect(Protocol):
    """One of the APIs."""

    api: Api

    def chat(self, model: str, question: Question) -> Call:
        """Ask for a streamed answer."""

    def embed(self, model: str, texts: Sequence[str]) -> Call:
        """Ask for vectors."""

    def line(self, line: bytes) -> _Line:
        """Read a line of a stream.

        Raises:
            Failure: The server says that it failed, or the line is not of this API.
        """

    def vectors(self, answer: Json) -> list[list[float]]:
        """Read the vectors of an answer.

        Raises:
            Failure: There are none in it.
        """

    def embed_counts(self, answer: Json) -> Counts:
        """Read how many tokens the texts had."""


def read(dialect: Dialect, recording: Recording, *, broken_off: bool = False) -> Trace:
    """Parse a recorded stream.

    Args:
        dialect: Whose stream it is.
        recording: All that came.
        broken_off: It was left before its end, so what is counted last is missing.

    Raises:
        Failure: It holds an error, is of another API, or ended without its last line.
    """
    pieces: list[float] = []
    counts, complete = Counts(), broken_off
    for time, line in recording.lines():
        told = dialect.line(line)
        if told.has_text:
            pieces.append(time)
        if told.counts is not None:
            counts = told.counts
        complete = complete or told.last
    if not complete:
        raise Failure("the server ended a stream before its last line; see its log")
    return Trace(sent=recording.sent, pieces=tuple(pieces), ended=recording.ended, counts=counts)


class _Ollama:
    """`/api/chat` and `/api/embed`: a JSON object in each line."""

    api: Api = "ollama"

    def chat(self, model: str, question: Question) -> Call:
        options = {
            "num_predict": question.tokens,
            "seed": question.seed,
            "num_ctx": question.window,
        }
        # A prompt that does not fit must be an error: cut, it would look fast.
        body = {"model": model, "messages": _messages(question), "options": options}
        return Call("/api/chat", body | {"truncate": False})

    def embed(self, model: str, texts: Sequence[str]) -> Call:
        return Call("/api/embed", {"model": model, "input": list(texts), "truncate": False})

    def line(self, line: bytes) -> _Line:
        frame = json_object(line)
        _check(frame)
        message = frame.get("message")
        has_text = isinstance(message, dict) and _has_text(message)
        if not frame.get("done"):
            return _Line(has_text)
        extra = frame.get("actorllm")  # Ollama tells nothing of its cache
        counts = Counts(
            prompt=_count(frame, "prompt_eval_count"),
            cached=_count(extra, "cached_tokens") if isinstance(extra, dict) else None,
            generated=_count(frame, "eval_count"),
        )
        return _Line(has_text, counts, last=True)

    def vectors(self, answer: Json) -> list[list[float]]:
        return _vectors(answer.get("embeddings"))

    def embed_counts(self, answer: Json) -> Counts:
        return Counts(prompt=_count(answer, "prompt_eval_count"))


class _OpenAI:
    """`/v1/chat/completions` and `/v1/embeddings`: server-sent events."""

    api: Api = "openai"

    def chat(self, model: str, question: Question) -> Call:
        body = {
            "model": model,
            "messages": _messages(question),
            "max_tokens": question.tokens,
            "seed": question.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return Call("/v1/chat/completions", body)

    def embed(self, model: str, texts: Sequence[str]) -> Call:
        return Call("/v1/embeddings", {"model": model, "input": list(texts)})

    def line(self, line: bytes) -> _Line:
        field, _, value = line.partition(b":")
        if field != b"data":  # comments and names of events
            return _Line()
        if value.strip() == b"[DONE]":
            return _Line(last=True)
        frame = json_object(value)
        _check(frame)
        choices = frame.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else {}
        delta = choice.get("delta") if isinstance(choice, dict) else None
        has_text = isinstance(delta, dict) and _has_text(delta)
        usage = frame.get("usage")
        return _Line(has_text, _usage(usage) if isinstance(usage, dict) else None)

    def vectors(self, answer: Json) -> list[list[float]]:
        items = answer.get("data")
        rows = items if isinstance(items, list) else []
        return _vectors([row.get("embedding") for row in rows if isinstance(row, dict)])

    def embed_counts(self, answer: Json) -> Counts:
        usage = answer.get("usage")
        return _usage(usage) if isinstance(usage, dict) else Counts()


DIALECTS: dict[Api, Dialect] = {"ollama": _Ollama(), "openai": _OpenAI()}


def _messages(question: Question) -> list[Json]:
    system = [{"role": "system", "content": question.system}] if question.system else []
    return [*system, {"role": "user", "content": question.text}]


def _has_text(message: Json) -> bool:
    """Say whether tokens came, be it thoughts, which servers name differently, or calls."""
    names = ("content", "thinking", "reasoning_content", "reasoning", "tool_calls")
    return any(message.get(name) for name in names)


def _usage(usage: Json) -> Counts:
    details = usage.get("prompt_tokens_details")
    return Counts(
        prompt=_count(usage, "prompt_tokens"),
        cached=_count(details, "cached_tokens") if isinstance(details, dict) else None,
        generated=_count(usage, "completion_tokens"),
    )


def _count(frame: Json, key: str) -> int | None:
    value = frame.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _check(frame: Json) -> None:
    error = frame.get("error")
    if error:
        raise Failure(one_line(error_text(error)))


def _vectors(rows: Any) -> list[list[float]]:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise Failure("the server's answer holds no vectors; is this an embedding model?")
    return rows
