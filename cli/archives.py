"""`actorllm export` and `import`: models as one file, for machines without a network."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from actorllm.cli.completion import MODEL
from actorllm.cli.daemon import connect
from actorllm.cli.errors import Failure
from actorllm.cli.progress import Report
from actorllm.cli.text import one_line
from actorllm.cli.units import byte_size

__all__ = ["export", "import_"]

_CHUNK = 512 * 1024


@click.command()
@click.argument("models", nargs=-1, required=True, type=MODEL, metavar="MODEL...")
@click.argument("file")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def export(models: tuple[str, ...], file: str, force: bool) -> None:
    """Write models into one file, to be imported elsewhere.

    FILE: the archive, an OCI image layout in a tar file; - for standard output. Blobs that several
    models share are in it once, and all are verified.
    """
    client = connect()
    with (
        client.download("/api/export", {"model": list(models)}) as (total, pieces),
        _target(file, force) as target,
    ):
        with Report() as report:
            done = 0
            for piece in pieces:
                target.write(piece)
                done += len(piece)
                report.step("exporting", total, done)
        if done != total:
            raise Failure("the archive is incomplete: the server broke off; its log says more")
    click.echo(f"exported {byte_size(total)}", err=True)


@click.command("import")
@click.argument("file")
@click.option("--name", default="", help="Name of the model, in place of the archive's.")
def import_(file: str, name: str) -> None:
    """Bring the models of a file that export wrote.

    FILE: the archive; - for standard input. Blobs that are here already are not written again.
    """
    client = connect()
    params: dict[str, str | list[str]] = {"name": name} if name else {}
    with _source(file) as (source, size), Report() as report:
        answer = client.send("/api/import", params, _chunks(source, size, report), size)
    for model in answer.get("models") or []:
        click.echo(f"imported {one_line(str(model.get('name', '')))!r}")
    stored, reused = answer.get("stored"), answer.get("reused")
    if isinstance(stored, int) and isinstance(reused, int):
        click.echo(f"wrote {byte_size(stored)}, {byte_size(reused)} were here", err=True)


@contextmanager
def _target(file: str, force: bool) -> Iterator[IO[bytes]]:
    """Open the file; it is there when it is complete, and not before."""
    if file == "-":
        if sys.stdout.isatty():
            raise Failure("an archive is nothing for a terminal; name a file")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(file)
    if path.exists() and not force:
        raise Failure(f"{one_line(file)} is there already; --force overwrites it")
    temp = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temp.open("wb") as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        temp.replace(path)
    except OSError as e:
        raise Failure(f"cannot write {one_line(file)}: {e.strerror}") from e
    finally:
        temp.unlink(missing_ok=True)


@contextmanager
def _source(file: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """Open the file; its size is None where it is not known."""
    if file == "-":
        yield sys.stdin.buffer, None
        return
    try:
        with Path(file).open("rb") as opened:
            yield opened, os.fstat(opened.fileno()).st_size
    except OSError as e:
        raise Failure(f"cannot read {one_line(file)}: {e.strerror}") from e


def _chunks(source: IO[bytes], size: int | None, report: Report) -> Iterator[bytes]:
    done = 0
    while chunk := source.read(_CHUNK if size is None else min(_CHUNK, size - done)):
        yield chunk
        done += len(chunk)
        report.step("importing", size or 0, done)
