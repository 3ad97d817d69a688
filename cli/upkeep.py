"""`actorllm prune` and `key show`, and the list of unfinished downloads."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from actorllm.cli.daemon import connect
from actorllm.cli.errors import Failure
from actorllm.cli.tables import table
from actorllm.cli.text import one_line
from actorllm.cli.units import ago, byte_size, parse_time
from actorllm.cli.wire import Json, number

if TYPE_CHECKING:
    from actorllm.cli.client import Client

__all__ = ["key", "prune", "show_partials"]

PARTIAL_HEADER = ("MODEL", "DIGEST", "SIZE", "DONE", "MODIFIED")
_KINDS = {"partial": "unfinished download", "blob": "unused blob", "file": "stray file"}


def _partial_rows(partials: list[Json], now: datetime) -> list[tuple[str, ...]]:
    """Return a row for each unfinished download of `/api/partials`."""
    return [
        (
            one_line(str(partial.get("model") or "-"), 100),
            str(partial.get("digest", "")).removeprefix("sha256:")[:12],
            byte_size(total := number(partial, "total")),
            f"{100 * number(partial, 'completed') // max(1, total)}%",
            "now" if partial.get("in_flight") else _ago(partial, now),
        )
        for partial in partials
    ]


def _ago(partial: Json, now: datetime) -> str:
    return ago(parse_time(str(partial.get("modified_at", ""))), now)


def show_partials(client: "Client") -> None:
    """Print the unfinished downloads."""
    partials = [p for p in client.get("/api/partials").get("partials") or [] if isinstance(p, dict)]
    click.echo(table(PARTIAL_HEADER, _partial_rows(partials, datetime.now(UTC))), nl=False)
    if partials:
        click.echo(
            "Pull a model again to go on; `actorllm prune` removes what nobody pulls.", err=True
        )


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
@click.option(
    "--older-than",
    default="1h",
    show_default=True,
    metavar="DURATION",
    help="Leave younger blobs: they may be uploads that wait for their model.",
)
def prune(dry_run: bool, older_than: str) -> None:
    """Remove unfinished downloads and blobs that no model needs.

    What a model refers to, and what is being pulled, pushed, created or imported, stays.
    """
    answer = connect().post("/api/prune", {"dry_run": dry_run, "older_than": older_than})
    if answer.get("skipped"):
        raise Failure(f"nothing was removed: a model cannot be read: {answer['skipped']}")
    for item in answer.get("removed") or []:
        what = _KINDS.get(str(item.get("kind")), "file")
        short = str(item.get("digest") or "").removeprefix("sha256:")[:12]
        click.echo(f"{what} {short} {byte_size(number(item, 'size'))}".replace("  ", " "))
    verb = "would free" if dry_run else "freed"
    click.echo(f"{verb} {byte_size(number(answer, 'freed'))}")


@click.group()
def key() -> None:
    """The key by which registries know this installation."""


@key.command("show")
def show_key() -> None:
    """Print the public key, to be added to an account."""
    click.echo(one_line(str(connect().get("/api/key").get("key", ""))))
