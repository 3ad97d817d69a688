"""Showing an answer while it is generated."""

import sys
from collections.abc import Callable, Iterable
from shutil import get_terminal_size
from typing import TextIO

import attrs
import click

from actorllm.cli.streams import moves_cursor, takes_colour
from actorllm.cli.text import Wrapper, one_line, safe
from actorllm.cli.wire import Json, number

__all__ = ["Answer", "Style", "figures", "show_answer"]

_GREY, _PLAIN = "\x1b[90m", "\x1b[0m"


@attrs.frozen
class Style:
    """How an answer is shown."""

    wordwrap: bool = True
    hide_thinking: bool = False
    verbose: bool = False


@attrs.define
class Answer:
    """What has come of an answer so far."""

    content: str = ""
    thinking: str = ""
    tool_calls: list[Json] = attrs.field(factory=list)
    final: Json = attrs.field(factory=dict)
    """The last item, with the figures; empty if the answer was cut short."""


class _Page:
    """Writes the pieces of an answer: wraps them, frames thinking, flushes each."""

    def __init__(self, out: TextIO, style: Style) -> None:
        self._out = out
        self._style = style
        self._grey, self._plain = (_GREY, _PLAIN) if takes_colour(out) else ("", "")
        self._wrap = style.wordwrap and moves_cursor(out)
        self._wrapper = self._new_wrapper()
        self._thinking = False
        self.ended_line = True

    def _new_wrapper(self) -> Wrapper:
        return Wrapper(get_terminal_size().columns)

    def think(self, text: str) -> None:
        if self._style.hide_thinking:
            return
        if not self._thinking:
            self._thinking = True
            self._write(f"{self._grey}Thinking...\n")
            text = text.lstrip("\n")
        self._text(text)

    def say(self, text: str) -> None:
        self.end_thinking()
        self._text(text)

    def end_thinking(self) -> None:
        if not self._thinking:
            return
        self._thinking = False
        self._write("" if self.ended_line else "\n")
        self.ended_line = True
        self._write(f"...done thinking.{self._plain}\n\n")
        self._wrapper = self._new_wrapper()

    def close(self) -> None:
        """Leave the terminal in order, also in the midst of thinking."""
        if self._thinking:
            self._write(self._plain)
        if not self.ended_line:
            self._write("\n")

    def _text(self, text: str) -> None:
        if text:
            self.ended_line = text.endswith("\n")
            text = safe(text, self._out)
            self._write(self._wrapper.feed(text) if self._wrap else text)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def show_answer(
    items: Iterable[Json],
    style: Style,
    answer: Answer,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Show the items of `/api/chat` or `/api/generate` as they come, and collect them in `answer`.

    An interrupt leaves what came so far in `answer`. `started` is called before each item is shown.
    """
    page = _Page(sys.stdout, style)
    try:
        for item in items:
            started()
            message = item.get("message") or {"content": item.get("response")}
            thinking = str(message.get("thinking") or item.get("thinking") or "")
            content = str(message.get("content") or "")
            answer.thinking += thinking
            answer.content += content
            answer.tool_calls += message.get("tool_calls") or []
            if thinking:
                page.think(thinking)
            if content:
                page.say(content)
            if item.get("done"):
                page.end_thinking()
                answer.final = item
    finally:
        page.close()
    for notice in _notices(answer.final):
        click.echo(f"actorllm: {one_line(notice)}", err=True)
    if style.verbose:
        click.echo(figures(answer.final), nl=False, err=True)


def _notices(final: Json) -> list[str]:
    """What the server had to degrade while it answered: shifted windows, runners that died."""
    said = final.get("actorllm")
    notices = said.get("notices") if isinstance(said, dict) else None
    return [str(notice) for notice in notices] if isinstance(notices, list) else []


def figures(final: Json) -> str:
    """Lay out the figures of a final item; those that are absent or 0 are left out."""
    lines = [
        ("total duration", _duration(final, "total_duration")),
        ("load duration", _duration(final, "load_duration")),
    ]
    for what in ("prompt_eval", "eval"):
        tokens = number(final, f"{what}_count")
        time = number(final, f"{what}_duration")
        name = what.replace("_", " ")
        rate = f"{tokens / time * 1e9:.2f} tokens/s" if tokens and time else ""
        lines += [
            (f"{name} count", f"{tokens} token(s)" if tokens else ""),
            (f"{name} duration", _duration(final, f"{what}_duration")),
            (f"{name} rate", rate),
        ]
    return "".join(f"{name + ':':<22}{text}\n" for name, text in lines if text)


def _duration(final: Json, key: str) -> str:
    value = number(final, key)
    if value <= 0:
        return ""
    from actorllm.protocol.durations import format_duration

    return format_duration(value)
