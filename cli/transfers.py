"""`actorllm pull` and `push`: models from and to a registry."""

from typing import TYPE_CHECKING

import click

from actorllm.cli.completion import MODEL
from actorllm.cli.daemon import connect
from actorllm.cli.progress import Report
from actorllm.cli.upkeep import show_partials
from actorllm.cli.wire import Json

if TYPE_CHECKING:
    from actorllm.cli.client import Client

__all__ = ["pull", "push", "transfer"]

_INSECURE = click.option("--insecure", is_flag=True, help="Use plain HTTP for the registry.")


def transfer(client: "Client", path: str, model: str, *, insecure: bool) -> None:
    """Let the server pull or push a model, and report the progress.

    Raises:
        Failure: The server refused or broke off; the text is the server's.
    """
    body: Json = {"model": model}
    if insecure:
        body["insecure"] = True
    with client.stream(path, body) as items, Report() as report:
        for item in items:
            report.show(item)


@click.command()
@click.argument("model", default="")
@_INSECURE
@click.option("--list-partial", is_flag=True, help="List the unfinished downloads instead.")
def pull(model: str, insecure: bool, list_partial: bool) -> None:
    """Pull a model, or go on with an unfinished pull.

    MODEL: a name at registry.ollama.ai, such as llama3.2:1b, or one with a host:
    hf.co/USER/REPOSITORY:Q4_K_M, registry.example.org/me/mine.
    """
    if list_partial:
        show_partials(connect())
        return
    if not model:
        raise click.UsageError("Missing argument 'MODEL'.")
    transfer(connect(), "/api/pull", model, insecure=insecure)


@click.command()
@click.argument("model", type=MODEL)
@_INSECURE
def push(model: str, insecure: bool) -> None:
    """Push a model to a registry.

    MODEL: its name says where it goes, as in registry.example.org/me/mine; cp gives it one.
    """
    transfer(connect(), "/api/push", model, insecure=insecure)
