"""What a request asks the other actors for, again where that may help: its model, and runners."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from actorllm.actors.kernel import ActorDied, AskTimeout, BadMessage, KernelError, Ref
from actorllm.actors.kernel.context import Context
from actorllm.actors.queue.progress import Progress
from actorllm.actors.queue.verdict import judge
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import EmbedRequest, GenerateRequest
from actorllm.protocol.messages.models import Purpose, ResolvedModel, ResolveModel
from actorllm.protocol.messages.scheduling import Acquire, Lease, Proven, Unload
from actorllm.protocol.options import Options

__all__ = ["Attempts"]

_ASK_TIMEOUT = 30.0
_REPORT_TIMEOUT = 1.0
"""Short: the first token waits for it, so that a short stream does not end before it is sent."""
_RETRY_PAUSE = 0.05


class Attempts:
    """The attempts of one request.

    Args:
        ctx: Of its job.
        request: What the client wants.
        client: Who it is, for fairness.
        progress: Gets what they come to.
    """

    def __init__(
        self,
        ctx: Context,
        request: GenerateRequest | EmbedRequest,
        client: str,
        progress: Progress,
    ) -> None:
        self._ctx = ctx
        self._request = request
        self._client = client
        self.progress = progress

    async def resolve(self, purpose: Purpose) -> ResolvedModel:
        """Ask the library for everything that a run of the model needs."""
        self.progress.state = "resolving"
        library = self._ctx.ref("/library")
        question = ResolveModel(self._request.model, purpose)
        while True:
            try:
                return await library.ask(question, timeout=_ASK_TIMEOUT, again=True)
            except (AskTimeout, BadMessage) as e:
                self.note_lost(e)

    async def unload(self, model: ResolvedModel) -> None:
        """Let a model go as soon as it is idle."""
        await self._scheduler.ask(Unload(model.weights.digest), timeout=_ASK_TIMEOUT)

    @asynccontextmanager
    async def lease(
        self, model: ResolvedModel, options: Options, *, suspect: bool = False
    ) -> AsyncIterator[Lease]:
        """Wait for a slot; hold it until the block is left.

        Args:
            model: To be loaded.
            options: How.
            suspect: Whether the request may be what killed a runner.
        """
        self.progress.state = "queued"
        keep_alive = self._request.keep_alive
        acquire = Acquire(model, options, self._client, keep_alive, suspect=suspect)
        async with self._scheduler.stream(acquire) as leases:
            try:
                lease = await anext(leases)
            except StopAsyncIteration:
                raise Refused.because(500, "the scheduler gave no runner; try again") from None
            self.progress.note_lease(lease)
            self.progress.state = "running"
            yield lease

    def runner(self, lease: Lease) -> Ref:
        """The one of a lease, and no other that comes after it."""
        return Ref(self._ctx.node, lease.runner, lease.incarnation)

    async def report(self, lease: Lease) -> None:
        """Tell the scheduler that the runner works, if it wants to hear."""
        if not lease.unproven:
            return
        try:
            await self._scheduler.ask(Proven(lease.id), timeout=_REPORT_TIMEOUT)
        except KernelError as e:  # the answer matters more than the report
            self._ctx.log.warning("could not report progress", error=str(e))

    def note_death(self, error: ActorDied, *, observed: bool, advanced: bool) -> bool:
        """Count a runner that died.

        Args:
            error: Tells of it.
            observed: As `judge` has it.
            advanced: As `judge` has it.

        Returns:
            Whether the request itself may be what kills.

        Raises:
            Refused: The request goes on no more.
        """
        self.progress.failovers += 1
        failovers = self.progress.failovers
        verdict = judge(
            self._request.model, error.exit, failovers, observed=observed, advanced=advanced
        )
        self._ctx.log.warning(
            "runner died under a request",
            runner=error.path,
            exit=str(error.exit),
            failovers=failovers,
            quarantined=verdict.problem is not None,
        )
        if verdict.problem is not None:
            raise Refused(verdict.problem) from None
        return verdict.suspect

    def note_lost(self, error: KernelError) -> None:
        """Count a message that was not taken up.

        Raises:
            KernelError: The error, once there were too many.
        """
        self.progress.note_lost(error)
        self._ctx.log.warning("asking again", error=str(error))

    async def pause(self) -> None:
        """Leave the others a moment before the next attempt."""
        await trio.sleep(_RETRY_PAUSE)

    @property
    def _scheduler(self) -> Ref:
        return self._ctx.ref("/scheduler")
