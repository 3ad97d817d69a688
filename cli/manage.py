"""The commands about models as files and in memory: list, ps, stop, cp, rm."""

from contextlib import suppress
from datetime import UTC, datetime

import click

from actorllm.cli.completion import MODEL
from actorllm.cli.daemon import connect
from actorllm.cli.errors import Failure, NotFound
from actorllm.cli.tables import table
from actorllm.cli.text import one_line
from actorllm.cli.units import ago, byte_size, parse_time, until
from actorllm.cli.wire import Json, number

__all__ = [
    "LIST_HEADER",
    "PS_HEADER",
    "cp",
    "list_models",
    "list_rows",
    "processor",
    "ps",
    "ps_rows",
    "rm",
    "stop",
]

LIST_HEADER = ("NAME", "ID", "SIZE", "MODIFIED")
PS_HEADER = ("NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL")


def list_rows(models: list[Json], now: datetime) -> list[tuple[str, ...]]:
    """Return a row for each model of `/api/tags`."""
    return [
        (
            str(model.get("name", "")),
            str(model.get("digest", ""))[:12],
            "-" if model.get("remote_model") else byte_size(number(model, "size")),
            ago(parse_time(str(model.get("modified_at", ""))), now),
        )
        for model in models
    ]


def ps_rows(models: list[Json], now: datetime) -> list[tuple[str, ...]]:
    """Return a row for each model of `/api/ps`."""
    return [
        (
            str(model.get("name", "")),
            str(model.get("digest", ""))[:12],
            byte_size(number(model, "size")),
            processor(number(model, "size"), number(model, "size_vram")),
            str(number(model, "context_length")),
            until(parse_time(str(model.get("expires_at", ""))), now),
        )
        for model in models
    ]


def processor(size: int, size_vram: int) -> str:
    """Say where a loaded model lies, from its bytes in all and those in GPU memory."""
    if size_vram == 0:
        return "100% CPU"
    if size_vram == size:
        return "100% GPU"
    if size_vram > size or size <= 0:
        return "Unknown"
    cpu = round((size - size_vram) / size * 100)
    return f"{cpu}%/{100 - cpu}% CPU/GPU"


def _models(answer: Json, prefix: str) -> list[Json]:
    models = [m for m in answer.get("models") or [] if isinstance(m, dict)]
    return [m for m in models if str(m.get("name", "")).lower().startswith(prefix.lower())]


def _unload(model: str) -> Json:
    return {"model": model, "keep_alive": 0, "stream": False}


@click.command("list")
@click.argument("prefix", default="", type=MODEL)
def list_models(prefix: str) -> None:
    """List the models that are here (alias: ls).

    PREFIX: only those whose names begin with it.
    """
    models = _models(connect().get("/api/tags"), prefix)
    click.echo(table(LIST_HEADER, list_rows(models, datetime.now(UTC))), nl=False)


@click.command()
@click.argument("prefix", default="", type=MODEL)
def ps(prefix: str) -> None:
    """List the models that are loaded.

    PREFIX: only those whose names begin with it.
    """
    models = _models(connect().get("/api/ps"), prefix)
    click.echo(table(PS_HEADER, ps_rows(models, datetime.now(UTC))), nl=False)


@click.command()
@click.argument("model", type=MODEL)
def stop(model: str) -> None:
    """Unload a model."""
    try:
        connect(start=False).post("/api/generate", _unload(model))
    except NotFound as e:
        raise Failure(f"couldn't find model {one_line(model)!r} to stop") from e


@click.command()
@click.argument("source", type=MODEL)
@click.argument("destination")
def cp(source: str, destination: str) -> None:
    """Copy a model to another name."""
    connect().post("/api/copy", {"source": source, "destination": destination})
    click.echo(f"copied {one_line(source)!r} to {one_line(destination)!r}")


@click.command()
@click.argument("models", nargs=-1, required=True, type=MODEL, metavar="MODEL...")
def rm(models: tuple[str, ...]) -> None:
    """Remove models."""
    client = connect()
    for model in models:
        with suppress(Failure):  # nothing to unload; whether it can be removed is said below
            client.post("/api/generate", _unload(model))
        client.delete("/api/delete", {"model": model})
        click.echo(f"deleted {one_line(model)!r}")
