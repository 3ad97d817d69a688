"""A conversation with a model: what the user has set, what was said, the requests made of it."""

import base64
import json
from typing import Any

import attrs

from actorllm.cli.answer import Answer, Style
from actorllm.cli.errors import Failure
from actorllm.cli.media import Prompt
from actorllm.cli.wire import Json, Think

__all__ = ["Session", "keep_alive", "parse_format", "parse_think"]

_THINK = {"true": True, "false": False}
_LEVELS = ("low", "medium", "high", "max")


def parse_think(text: str) -> Think:
    """Read the value of `--think` or `/set think`.

    Raises:
        Failure: It is none of the levels.
    """
    if text in _THINK:
        return _THINK[text]
    if text not in _LEVELS:
        raise Failure(f"think is true, false, {', '.join(_LEVELS)}; not {text!r}")
    return text


def parse_format(text: str) -> Any:
    """Read the value of `--format`: `json`, or the text of a JSON schema.

    Raises:
        Failure: It is neither.
    """
    if text in ("", "json"):
        return text
    try:
        return json.loads(text)
    except ValueError as e:
        raise Failure(f'use "json" or the text of a JSON schema: {e}') from e


@attrs.define(kw_only=True)
class Session:
    """The state behind one `run`."""

    model: str
    system: str = ""
    options: Json = attrs.field(factory=dict)
    format: Any = ""
    think: Think = None
    keep_alive: str = ""
    style: Style = attrs.field(factory=Style)
    capabilities: frozenset[str] = frozenset()
    """What the model can do, as `/api/show` says."""
    messages: list[Json] = attrs.field(factory=list)

    @property
    def takes_media(self) -> bool:
        """Whether paths in a prompt are read as images or sounds."""
        return bool(self.capabilities & {"vision", "audio"})

    def adopt(self, model: Json) -> None:
        """Take over what `/api/show` says that the model can do."""
        self.capabilities = frozenset(map(str, model.get("capabilities") or []))

    def ask(self, prompt: Prompt) -> None:
        """Add a message of the user."""
        message: Json = {"role": "user", "content": prompt.text}
        if prompt.media:
            message["images"] = _base64(prompt)
        self.messages.append(message)

    def hear(self, answer: Answer) -> None:
        """Add the model's answer, also one that was broken off; without any, forget the question."""
        if not (answer.content or answer.thinking or answer.tool_calls):
            self.messages.pop()
            return
        message: Json = {"role": "assistant", "content": answer.content}
        optional = {"thinking": answer.thinking, "tool_calls": answer.tool_calls}
        self.messages.append(message | {key: value for key, value in optional.items() if value})

    def chat_request(self) -> Json:
        """Return the body for `/api/chat`."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return self._common() | {"messages": system + self.messages}

    def generate_request(self, prompt: Prompt) -> Json:
        """Return the body for `/api/generate`; an empty prompt loads the model."""
        body = self._common() | {"prompt": prompt.text}
        return body | {"images": _base64(prompt)} if prompt.media else body

    def load_request(self) -> Json:
        """Return the body for `/api/generate` that only loads the model."""
        body: Json = {"model": self.model, "prompt": "", "stream": False}
        optional = {"keep_alive": keep_alive(self.keep_alive), "options": self.options}
        return body | {key: value for key, value in optional.items() if value not in ("", {})}

    def create_request(self, name: str) -> Json:
        """Return the body for `/api/create` that saves the session as a model."""
        body: Json = {"model": name, "from": self.model}
        optional = {
            "system": self.system,
            "parameters": self.options,
            "messages": self.messages,
        }
        return body | {key: value for key, value in optional.items() if value}

    def _common(self) -> Json:
        optional = {
            "options": self.options,
            "format": self.format,
            "keep_alive": keep_alive(self.keep_alive),
        }
        body: Json = {"model": self.model}
        body |= {key: value for key, value in optional.items() if value not in ("", {})}
        think = self.think
        if think is None and "thinking" in self.capabilities:
            think = True
        return body if think is None else body | {"think": think}


def keep_alive(text: str) -> str | int:
    """Return the wire's form: bare numbers are seconds, all else goes as it was written."""
    try:
        return int(text)
    except ValueError:
        return text


def _base64(prompt: Prompt) -> list[str]:
    return [base64.b64encode(content).decode() for content in prompt.media]
