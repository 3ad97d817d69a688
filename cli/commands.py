"""The commands at the prompt: all that begins with a slash."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import click

from actorllm.cli import help_texts
from actorllm.cli.errors import Failure, NotFound
from actorllm.cli.manage import LIST_HEADER, list_rows
from actorllm.cli.parameters import parameter_value
from actorllm.cli.progress import waiting
from actorllm.cli.prompt import Reader
from actorllm.cli.session import Session, parse_think
from actorllm.cli.show import describe
from actorllm.cli.tables import table
from actorllm.cli.text import one_line, printable
from actorllm.cli.wire import Json

if TYPE_CHECKING:
    from actorllm.cli.client import Client

__all__ = ["Commands"]

_PARTS = ("license", "modelfile", "template")
_Words = list[str]


class Commands:
    """Carries out commands on a session."""

    def __init__(self, client: "Client", session: Session) -> None:
        self._client = client
        self._session = session
        # The first one that the line begins with is meant.
        self._table: tuple[tuple[str, Callable[[str, _Words], None]], ...] = (
            ("/list", self._list),
            ("/load", self._load),
            ("/save", self._save),
            ("/clear", self._clear),
            ("/set", self._set),
            ("/show", self._show),
            ("/help", self._help),
            ("/?", self._help),
        )
        self._reader: Reader

    def take(self, line: str, reader: Reader) -> bool:
        """Carry out a command; return whether the conversation goes on.

        Raises:
            Failure: The server refused it.
        """
        self._reader = reader
        if line.startswith(("/bye", "/exit")):
            return False
        words = line.split()
        for name, do in self._table:
            if words[0].startswith(name):
                do(line, words[1:])
                return True
        _unknown(words[0])
        return True

    def load(self, info: Json) -> None:
        """Load the session's model, and show the messages that it begins with."""
        self._session.adopt(info)
        with waiting():
            self._client.post("/api/generate", self._session.load_request())
        for message in info.get("messages") or []:
            mark = ">>> " if message.get("role") == "user" else ""
            click.echo(f"{mark}{printable(str(message.get('content', '')))}")

    def _list(self, _: str, __: _Words) -> None:
        models = self._client.get("/api/tags").get("models") or []
        click.echo(table(LIST_HEADER, list_rows(models, datetime.now(UTC))), nl=False)

    def _load(self, _: str, words: _Words) -> None:
        if len(words) != 1:
            click.echo("Usage:\n  /load <model>")
            return
        name = words[0]
        click.echo(f"Loading model '{one_line(name)}'")
        try:
            info = self._client.show(name)
        except NotFound as e:
            raise Failure(f"{e}; the conversation stays with {self._session.model!r}") from e
        self._session.model = name
        self._session.messages.clear()
        self.load(info)

    def _save(self, _: str, words: _Words) -> None:
        if len(words) != 1:
            click.echo("Usage:\n  /save <model>")
            return
        request = self._session.create_request(words[0])
        with self._client.stream("/api/create", request) as items:
            for _item in items:  # an error among them is raised
                pass
        click.echo(f"Created new model '{one_line(words[0])}'")

    def _clear(self, _: str, __: _Words) -> None:
        self._session.messages.clear()
        click.echo("Cleared session context")

    def _help(self, _: str, words: _Words) -> None:
        click.echo(help_texts.BY_TOPIC.get(words[0] if words else "", help_texts.OVERVIEW))

    def _set(self, line: str, words: _Words) -> None:
        if not words:
            click.echo(help_texts.SET)
            return
        what, values = words[0], words[1:]
        if what == "parameter":
            self._set_parameter(values)
        elif what == "system":
            self._set_system(line)
        elif what == "format":
            self._set_format(values)
        elif what == "think":
            self._session.think = parse_think(values[0] if values else "true")
            click.echo(f"Set 'think' mode to '{values[0]}'." if values else "Set 'think' mode.")
        elif not self._switch(what):
            _unknown(f"/set {what}")

    def _switch(self, what: str) -> bool:
        """Flip a switch without a value; return whether there is one of this name."""
        session, text = self._session, f"Set '{what}' mode."
        if what in ("history", "nohistory"):
            self._reader.keep_history(what == "history")
        elif what in ("wordwrap", "nowordwrap"):
            session.style = attrs.evolve(session.style, wordwrap=what == "wordwrap")
        elif what in ("verbose", "quiet"):
            session.style = attrs.evolve(session.style, verbose=what == "verbose")
        elif what == "nothink":
            session.think = False
        elif what == "noformat":
            session.format, text = "", "Disabled format."
        else:
            return False
        click.echo(text)
        return True

    def _set_parameter(self, words: _Words) -> None:
        if len(words) < 2:
            click.echo(help_texts.PARAMETERS)
            return
        name, values = words[0], words[1:]
        self._session.options[name] = parameter_value(name, values)
        click.echo(f"Set parameter '{one_line(name)}' to '{one_line(', '.join(values))}'")

    def _set_system(self, line: str) -> None:
        text = line.partition("system")[2].strip()
        if not text:
            click.echo("Usage:\n  /set system <message>")
            return
        self._session.system = text
        click.echo("Set system message.")

    def _set_format(self, words: _Words) -> None:
        if words != ["json"]:
            click.echo("Usage:\n  /set format json")
            return
        self._session.format = "json"
        click.echo("Set format to 'json' mode.")

    def _show(self, _: str, words: _Words) -> None:
        what = words[0] if words else ""
        info = self._client.show(self._session.model)
        if what == "info":
            click.echo(describe(info), nl=False)
        elif what == "system":
            _echo_or(self._session.system or info.get("system"), "There is no system message.")
        elif what == "parameters":
            self._show_parameters(str(info.get("parameters") or ""))
        elif what in _PARTS:
            _echo_or(info.get(what), f"The model has no {what}.")
        elif what:
            _unknown(f"/show {what}")
        else:
            click.echo(help_texts.SHOW)

    def _show_parameters(self, of_model: str) -> None:
        if of_model:
            click.echo(f"Of the model:\n{printable(of_model)}\n")
        click.echo("Of this conversation:")
        for name, value in self._session.options.items():
            click.echo(f"{name:<30} {value}")
        if not self._session.options:
            click.echo("none; set them by /set parameter")


def _unknown(what: str) -> None:
    click.echo(f"Unknown command '{one_line(what, 200)}'. Type /? for help")


def _echo_or(text: object, otherwise: str) -> None:
    click.echo(printable(str(text)) if text else otherwise)
