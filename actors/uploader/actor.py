"""The uploader: a supervisor of sends, and the pushes that follow them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from actorllm.actors.downloader.retry import DEFAULT, Policy
from actorllm.actors.downloader.sharing import Transfers
from actorllm.actors.downloader.transfer import storage_problem
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.uploader.chunks import chunk_size
from actorllm.actors.uploader.local import LocalModel, find_model
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import CreateStatus
from actorllm.protocol.messages.transfers import Push

if TYPE_CHECKING:
    from actorllm.actors.uploader.target import Target

__all__ = ["Uploader"]

_MAX_PUSHES: Final = 64
_THREADS: Final = 8


class Uploader(Transfers):
    """Pushes models. Each blob on its way is a child; pushes to one repository share it.

    Args:
        catalog: Has the models.
        state: Folder of the key of this installation.
        streams: Connections for one blob at a time.
        chunk: Says how many bytes a request has at most, by the size of a blob.
        policy: How patient.
    """

    def __init__(
        self,
        catalog: Catalog,
        state: Path,
        *,
        streams: int = 16,
        chunk: Callable[[int], int] = chunk_size,
        policy: Policy = DEFAULT,
    ) -> None:
        super().__init__()
        self.catalog = catalog
        self.state = state
        self.streams = streams
        self.chunk = chunk
        self.policy = policy
        self._pushes = 0
        self.threads = trio.CapacityLimiter(_THREADS)

    async def push(self, m: Push) -> AsyncIterator[CreateStatus]:
        """Refused with 503 while there are too many; else see `find_model` and `Target`."""
        if self._pushes >= _MAX_PUSHES:
            raise Refused.because(
                503, f"{_MAX_PUSHES} models are being pushed already; try again", retry_after=5
            )
        self._pushes += 1
        try:
            yield CreateStatus("retrieving manifest")
            try:
                model = await trio.to_thread.run_sync(
                    find_model, self.catalog, m.model, limiter=self.threads
                )
            except Refused:
                yield CreateStatus("couldn't retrieve manifest")
                raise
            target = await trio.to_thread.run_sync(_target, self, m, model)
            async with aclosing(target.steps()) as steps:
                async for step in steps:
                    yield step
            self.ctx.log.info("pushed", model=model.name.full())
        except OSError as e:
            raise Refused(storage_problem(e)) from e
        finally:
            self._pushes -= 1

    def troubled(self, text: str) -> None:
        """Log why the registry gets something again."""
        self.ctx.log.warning("trying again", reason=text)

    def info(self) -> Mapping[str, Any]:
        return {"pushes": self._pushes}


def _target(uploader: Uploader, m: Push, model: LocalModel) -> "Target":
    """Return where a push brings its model. In a thread: the first one imports much."""
    from actorllm.actors.uploader.target import Target

    return Target(uploader, m, model)
