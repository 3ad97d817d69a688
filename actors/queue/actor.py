"""The queue: admits requests, gives each a job, and supervises the jobs."""

from collections.abc import Mapping
from typing import Any

from actorllm.actors.kernel import ChildSpec, DynamicSupervisor, Restart, StartFailed
from actorllm.actors.queue.job import Job
from actorllm.actors.queue.refusals import busy
from actorllm.protocol.messages.generation import (
    EmbedRequest,
    GenerateRequest,
    Submit,
    SubmitEmbed,
    Ticket,
)

__all__ = ["Queue"]

_STOP_SECONDS = 0.5


class Queue(DynamicSupervisor):
    """Gives every admitted request a job of its own.

    How many may wait for a slot is the scheduler's to say, who knows the slots; the bound here is
    on all jobs, the running ones included.

    Args:
        max_jobs: Jobs that may live at one time.
    """

    def __init__(self, max_jobs: int) -> None:
        super().__init__()
        self._max_jobs = max_jobs
        self._born = 0
        self._refused = 0

    async def submit(self, m: Submit) -> Ticket:
        """Admit a generation.

        Raises:
            Refused: 503, too many jobs live.
        """
        return await self._admit(m.request, m.client)

    async def submit_embed(self, m: SubmitEmbed) -> Ticket:
        """Admit an embedding.

        Raises:
            Refused: 503, too many jobs live.
        """
        return await self._admit(m.request, m.client)

    async def _admit(self, request: GenerateRequest | EmbedRequest, client: str) -> Ticket:
        if len(self.children) >= self._max_jobs:
            self._refused += 1
            raise busy()
        self._born += 1
        spec = ChildSpec(
            id=str(self._born),
            start=lambda: Job(request, client),
            restart=Restart.TEMPORARY,
            shutdown=_STOP_SECONDS,
            kind="job",
            max_messages=4,
        )
        try:
            ref = await self.start_child(spec)
        except StartFailed as e:
            raise busy() from e
        return Ticket(ref.path)

    def info(self) -> Mapping[str, Any]:
        return {"jobs": len(self.children), "admitted": self._born, "refused": self._refused}
