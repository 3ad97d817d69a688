"""The conversation at the prompt of `run`."""

from typing import TYPE_CHECKING

import click

from actorllm.cli.answer import Answer, show_answer
from actorllm.cli.commands import Commands
from actorllm.cli.errors import Failure
from actorllm.cli.media import Prompt as Message
from actorllm.cli.media import extract_media
from actorllm.cli.progress import waiting
from actorllm.cli.prompt import Prompt, Reader
from actorllm.cli.session import Session
from actorllm.cli.text import one_line
from actorllm.cli.wire import Json
from actorllm.protocol.settings import Settings

if TYPE_CHECKING:
    from actorllm.cli.client import Client

__all__ = ["Repl", "converse"]

MAX_MESSAGE = 16 * 1024 * 1024
"""Longest message that is read line by line, in characters."""

_QUOTE = '"""'
_OPENERS = (_QUOTE, f"/set system {_QUOTE}")
_HOW_TO_LEAVE = "Use Ctrl + d or /bye to exit."


def converse(client: "Client", session: Session, info: Json, settings: Settings) -> None:
    """Load the model and talk with it until the user leaves.

    `info` is what `/api/show` says about the model.
    """
    commands, prompt = Commands(client, session), Prompt(settings)
    with prompt.answering():
        commands.load(info)
    Repl(client, session, commands, prompt).run()


class Repl:
    """Reads messages and commands, and shows answers."""

    def __init__(
        self, client: "Client", session: Session, commands: Commands, reader: Reader
    ) -> None:
        self._client = client
        self._session = session
        self._commands = commands
        self._reader = reader

    def run(self) -> None:
        """Go on until the user leaves."""
        while True:
            try:
                text = self._read()
            except KeyboardInterrupt:
                click.echo(f"\n{_HOW_TO_LEAVE}")
                continue
            except EOFError:
                return
            try:
                with self._reader.answering():
                    if not self._take(text):
                        return
            except KeyboardInterrupt:
                click.echo()
            except Failure as e:
                click.echo(f"Error: {e}", err=True)

    def _read(self) -> str:
        """Read a message, which goes on to a line that ends in three quotes if three open it."""
        line = self._reader.read()
        opener = next((o for o in reversed(_OPENERS) if line.startswith(o)), None)
        if opener is None:
            return line
        head, lines, size = opener.removesuffix(_QUOTE), [], 0
        line = line.removeprefix(opener)
        while not line.rstrip().endswith(_QUOTE):
            size += len(line) + 1
            if size > MAX_MESSAGE:
                raise EOFError
            lines.append(line)
            line = self._reader.read(more=True)
        lines.append(line.rstrip().removesuffix(_QUOTE))
        return head + "\n".join(lines).strip("\n")

    def _take(self, text: str) -> bool:
        """Do what a message says; return whether to go on."""
        if not text.strip():
            return True
        message = extract_media(text) if self._session.takes_media else Message(text)
        if text.startswith("/") and not message.media:
            return self._commands.take(text.strip(), self._reader)
        for name in message.names:
            click.echo(f"Added image '{one_line(name)}'")
        self._ask(message)
        return True

    def _ask(self, message: Message) -> None:
        session, answer = self._session, Answer()
        session.ask(message)
        request = session.chat_request()
        try:
            with waiting() as stop, self._client.stream("/api/chat", request) as items:
                show_answer(items, session.style, answer, started=stop)
                click.echo()
        finally:
            session.hear(answer)
