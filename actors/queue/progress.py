"""How far a request has come, over all runners that it had: bookkeeping, without actors."""

import attrs
import trio

from actorllm.actors.kernel import KernelError
from actorllm.actors.runner.messages import Embedded
from actorllm.protocol.codec import evolve
from actorllm.protocol.messages.generation import Chunk, Embeddings
from actorllm.protocol.messages.scheduling import Lease

__all__ = ["Progress"]

_MAX_LOST = 2
"""Times that a request is said again to a scheduler or a runner that did not take it up."""
_NS = 1_000_000_000


@attrs.define
class Progress:
    """What a job knows of its request beside what is delivered."""

    state: str = "admitted"
    began: float = attrs.field(factory=trio.current_time)
    failovers: int = 0
    """Runners that died under it."""
    lost: int = 0
    load_duration: int = 0
    """Nanoseconds, of the first lease that came with a load."""
    notices: tuple[str, ...] = ()
    """Of the lease that it has."""

    @property
    def elapsed(self) -> int:
        """Nanoseconds since it was admitted."""
        return int((trio.current_time() - self.began) * _NS)

    def note_lease(self, lease: Lease) -> None:
        """Count a lease."""
        if not self.load_duration:
            self.load_duration = lease.load_duration
        self.notices = lease.notices

    def note_lost(self, error: KernelError) -> None:
        """Count a message that was not taken up.

        Raises:
            KernelError: The error, once there were too many.
        """
        self.lost += 1
        if self.lost > _MAX_LOST:
            raise error

    def finished(self, chunk: Chunk) -> Chunk:
        """Add to the last chunk what the job alone knows."""
        assert chunk.done is not None
        notices = chunk.done.notices
        if self.failovers:
            notices += (f"runners that died under the stream, which went on: {self.failovers}",)
        done = evolve(
            chunk.done,
            total_duration=self.elapsed,
            load_duration=self.load_duration,
            failovers=self.failovers,
            notices=notices,
        )
        return evolve(chunk, done=done)

    def embeddings(self, embedded: Embedded) -> Embeddings:
        """Give vectors as the client gets them."""
        return Embeddings(
            embedded.vectors,
            self.elapsed,
            self.load_duration,
            embedded.prompt_tokens,
            embedded.truncated,
        )
