"""`actorllm run`: one answer, or a conversation at a prompt."""

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from actorllm.cli.answer import Answer, Style, show_answer
from actorllm.cli.completion import MODEL
from actorllm.cli.daemon import connect, read_settings
from actorllm.cli.errors import Failure, NotFound
from actorllm.cli.media import Prompt, extract_media
from actorllm.cli.progress import waiting
from actorllm.cli.session import Session, keep_alive, parse_format, parse_think
from actorllm.cli.text import one_line
from actorllm.cli.transfers import transfer
from actorllm.cli.wire import Json, Think

if TYPE_CHECKING:
    from actorllm.cli.client import Client

__all__ = ["run"]

T = TypeVar("T")

_LIKENESS = 0.75
"""Of two names, from 0 to 1, as difflib has it: from here on, one may be meant for the other."""

MAX_PIPED = 64 * 1024 * 1024
"""Longest standard input that is taken into a prompt, in characters."""


class _RunCommand(click.Command):
    """Takes `--think` with and without `=value`: a bare one never swallows the next word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        told = ["--think=true" if arg == "--think" else arg for arg in args[:end]]
        return super().parse_args(ctx, told + args[end:])


def _parsed_by(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Make a callback that turns the text of an option into its value."""

    def callback(_: click.Context, __: click.Parameter, text: str | None) -> T | None:
        try:
            return None if text is None else parse(text)
        except Failure as e:
            raise click.BadParameter(str(e)) from e

    return callback


@click.command(cls=_RunCommand)
@click.argument("model", type=MODEL)
@click.argument("prompt", nargs=-1)
@click.option("--keepalive", default="", metavar="TIME", help="Keep the model loaded: 5m, 1h, -1.")
@click.option("--verbose", is_flag=True, help="Print times and rates after each answer.")
@click.option("--insecure", is_flag=True, help="If it must be pulled, use plain HTTP.")
@click.option("--nowordwrap", is_flag=True, help="Do not wrap words at the end of a line.")
@click.option(
    "--format",
    "output_format",
    default="",
    metavar="FORMAT",
    callback=_parsed_by(parse_format),
    help="json, or a JSON schema.",
)
@click.option(
    "--think",
    metavar="[=LEVEL]",
    callback=_parsed_by(parse_think),
    help="Think before answering: --think, or --think=true|false|low|medium|high|max.",
)
@click.option("--hidethinking", is_flag=True, help="Do not show the thinking.")
@click.option(
    "--truncate",
    type=bool,
    default=None,
    metavar="true|false",
    help="Embedding models: cut an input that is too long (default), or refuse it.",
)
@click.option(
    "--dimensions",
    type=click.IntRange(min=1),
    help="Embedding models: cut the vector to this length.",
)
def run(
    *,
    model: str,
    prompt: tuple[str, ...],
    keepalive: str,
    verbose: bool,
    insecure: bool,
    nowordwrap: bool,
    output_format: Any,
    think: Think,
    hidethinking: bool,
    truncate: bool | None,
    dimensions: int | None,
) -> None:
    """Run a model: answer PROMPT, or hold a conversation.

    A model that is not here is pulled first. What is piped in stands before PROMPT; without either
    there is a prompt to talk at. Embedding models print their vector.
    """
    session = Session(
        model=model,
        format=output_format,
        think=think,
        keep_alive=keepalive,
        style=Style(wordwrap=not nowordwrap, hide_thinking=hidethinking, verbose=verbose),
    )
    words, interactive = _prompt(prompt)
    client = connect()
    info = _find(client, model, insecure=insecure)
    session.adopt(info)
    if "embedding" in session.capabilities and "completion" not in session.capabilities:
        _embed(client, session, words, truncate, dimensions)
    elif interactive:
        from actorllm.cli.repl import converse

        converse(client, session, info, read_settings())
    else:
        _answer(client, session, words)


def _prompt(words: tuple[str, ...]) -> tuple[str, bool]:
    """Return the prompt, and whether to ask for more at a prompt of ours."""
    piped = "" if sys.stdin.isatty() else sys.stdin.read(MAX_PIPED + 1)
    if len(piped) > MAX_PIPED:
        raise Failure(f"standard input is longer than {MAX_PIPED} characters")
    parts = [piped, *words] if piped else list(words)
    return " ".join(parts), not words and sys.stdin.isatty() and sys.stdout.isatty()


def _find(client: "Client", model: str, *, insecure: bool) -> Json:
    """Return what `/api/show` says about a model; pull it if it is not here."""
    try:
        return client.show(model)
    except NotFound:
        try:
            transfer(client, "/api/pull", model, insecure=insecure)
        except Failure as e:
            name, near = one_line(model), _nearest(client, model)
            hint = f"; did you mean {one_line(near)}?" if near else ""
            raise Failure(f"model {name!r} is not here, and pulling it failed: {e}{hint}") from e
    return client.show(model)


def _nearest(client: "Client", model: str) -> str:
    """Return the model that is here whose name is most like another one; empty: none is."""
    from difflib import get_close_matches

    try:
        rows = client.get("/api/tags").get("models") or []
    except Failure:
        return ""  # what is said of the pull matters more
    names = [str(row.get("name", "")).removesuffix(":latest") for row in rows]
    return next(iter(get_close_matches(model, names, 1, _LIKENESS)), "")


def _answer(client: "Client", session: Session, words: str) -> None:
    prompt = extract_media(words) if session.takes_media else Prompt(words)
    for name in prompt.names:
        click.echo(f"Added image '{one_line(name)}'", err=True)
    request = session.generate_request(prompt)
    with waiting() as stop, client.stream("/api/generate", request) as items:
        show_answer(items, session.style, Answer(), started=stop)


def _embed(
    client: "Client", session: Session, words: str, truncate: bool | None, dimensions: int | None
) -> None:
    if not words:
        raise Failure("an embedding model needs a text: give a prompt, or pipe one in")
    optional = {
        "keep_alive": keep_alive(session.keep_alive),
        "truncate": truncate,
        "dimensions": dimensions,
    }
    body: Json = {"model": session.model, "input": words}
    body |= {key: value for key, value in optional.items() if value not in ("", None)}
    vectors = client.post("/api/embed", body).get("embeddings") or [[]]
    click.echo(json.dumps(vectors[0], separators=(",", ":")))
