"""The progress of long work: bars on a terminal, one line for each step elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from actorllm.cli.text import one_line
from actorllm.cli.wire import Json, number

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Report", "waiting"]


class Report:
    """Reports steps on standard error; a context manager."""

    def __init__(self) -> None:
        self._bars = _bars() if sys.stderr.isatty() else None
        self._tasks: dict[str, TaskID] = {}
        self._last = ""
        self._moving: set[str] = set()
        """Steps that were said and have a size: several go on at once, in turns."""

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars:
            self._bars.stop()

    def show(self, item: Json) -> None:
        """Report one line of a stream: `status`, and `total` and `completed` in bytes if known."""
        self.step(
            str(item.get("status", "")),
            max(0, number(item, "total")),
            max(0, number(item, "completed")),
        )

    def step(self, status: str, total: int = 0, completed: int = 0) -> None:
        """Report a step of the work, or how far it has come."""
        status = one_line(status, limit=200)
        if self._bars is None or not total:
            if status != self._last and status not in self._moving:
                self._say(status)
            self._last = status
            if total:
                self._moving.add(status)
            return
        task = self._tasks.get(status)
        if task is None:
            task = self._tasks[status] = self._bars.add_task(status, total=total)
        self._bars.update(task, total=total, completed=completed)

    def _say(self, status: str) -> None:
        if self._bars:
            self._bars.console.print(status, markup=False, highlight=False)
        else:
            click.echo(status, err=True)


def _bars() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        TaskProgressColumn(),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def waiting() -> Iterator[Callable[[], None]]:
    """Turn a spinner on a terminal until the block ends or the yielded function is called."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner

    # Not redirected: what follows writes to the terminal as it comes, not line by line.
    with Live(
        Spinner("dots"),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:
        yield live.stop
