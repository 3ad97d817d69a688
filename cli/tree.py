"""`actorllm tree`: the live tree of actors."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from actorllm.cli.daemon import connect
from actorllm.cli.streams import moves_cursor, takes_colour
from actorllm.cli.text import one_line, width
from actorllm.cli.wire import Json

__all__ = ["draw", "tree"]

HEADER = ("ACTOR", "STATE", "QUEUE", "RESTARTS", "HANDLED", "BUSY", "FACTS")

_MAX_DEPTH = 64
_GAP = "  "
_CLEAR = "\x1b[H\x1b[2J"
_COLOURS = {"running": "green", "restarting": "yellow", "starting": "yellow", "dead": "red"}
Row = tuple[str, ...]


def draw(snapshot: Json, *, colour: bool = False) -> str:
    """Draw an answer of `/api/actors`: the actors as a tree, then the counters in one line."""
    root = snapshot.get("root", snapshot)
    rows = [HEADER, *_rows(root, "", "", "")] if isinstance(root, dict) else [HEADER]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths, colour=colour and row is not HEADER) for row in rows]
    return "\n".join([*lines, "", *_summary(snapshot)]) + "\n"


def _rows(actor: Json, above: str, prefix: str, own: str) -> Iterator[Row]:
    path = str(actor.get("path", "?"))
    name = path.removeprefix(above).strip("/") or path
    yield (
        own + one_line(name, 60),
        one_line(str(actor.get("state", "?")), 20),
        _queue(actor),
        str(actor.get("restarts", 0)),
        str(actor.get("handled", 0)),
        f"{_float(actor, 'busy'):.1f} s",
        _facts(actor),
    )
    children = [child for child in actor.get("children") or [] if isinstance(child, dict)]
    if len(prefix) > 3 * _MAX_DEPTH:
        return
    for child in children:
        last = child is children[-1]
        branch, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield from _rows(child, path, prefix + below, prefix + branch)


def _queue(actor: Json) -> str:
    """The number of waiting messages; with the oldest one's age when it is worth a look."""
    age = _float(actor, "oldest_age")
    waiting = str(actor.get("queue", 0))
    return f"{waiting} ({age:.1f} s)" if age >= 1 else waiting


def _facts(actor: Json) -> str:
    info = actor.get("info")
    if not isinstance(info, dict):
        return ""
    told = (f"{k} {_fact(v)}" for k, v in info.items() if v not in ("", None, [], {}))
    return one_line(", ".join(told), 80)


def _fact(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _float(actor: Json, key: str) -> float:
    value: Any = actor.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def _line(row: Row, widths: list[int], *, colour: bool) -> str:
    cells = [cell + " " * (size - width(cell)) for cell, size in zip(row, widths, strict=True)]
    if colour:
        cells[1] = click.style(cells[1], fg=_COLOURS.get(row[1]))
        cells[3] = cells[3] if row[3] == "0" else click.style(cells[3], fg="yellow")
    return _GAP.join(cells).rstrip()


def _summary(snapshot: Json) -> Iterator[str]:
    counters = snapshot.get("counters")
    if isinstance(counters, dict):
        told = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in counters.items() if v)
        uptime = f"up {_float(snapshot, 'uptime'):.0f} s"
        yield one_line(f"{uptime}; {told}" if told else uptime)
    if snapshot.get("faults"):
        yield one_line(f"faults: {snapshot['faults']}")


@click.command()
@click.option("--watch", is_flag=True, help="Draw it anew until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 60),
    default=1.0,
    show_default=True,
    help="Seconds between two drawings.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the snapshot as JSON.")
def tree(watch: bool, interval: float, as_json: bool) -> None:
    """Show the live tree of the server's actors.

    Each line: state, waiting messages, restarts, handled messages, the time spent on them, and
    facts that the actor tells.
    """
    client = connect(start=False)
    clear = _CLEAR if watch and moves_cursor(sys.stdout) else ""
    colour = takes_colour(sys.stdout)
    while True:
        snapshot = client.get("/api/actors")
        drawn = json.dumps(snapshot) + "\n" if as_json else draw(snapshot, colour=colour)
        click.echo(clear + drawn, nl=False)
        if not watch:
            return
        time.sleep(interval)
