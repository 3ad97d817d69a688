"""A daemon with the model that is measured, and the measuring client beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from actorllm.cli.bench.campaign import Plan, prepare, take_turns
from actorllm.cli.bench.figures import Sample
from actorllm.cli.bench.server import Server, opened
from actorllm.cli.bench.workloads import WORKLOADS
from tests.bench.loop import Times, Work, best
from tests.bench.models import create, half_billion
from tests.integration.daemon import Daemon, eventually

__all__ = ["MODEL", "Stage", "bare", "plan_of"]

MODEL = "random"
_SEED = 1


def plan_of(workload: str, *streams: int, prompt: int = 0, tokens: int = 0) -> Plan:
    """Return the plan of one round, with the workload's defaults."""
    usual = WORKLOADS[workload]
    return Plan(
        workload=workload,
        streams=streams or usual.streams,
        prompt_tokens=prompt or usual.prompt_tokens,
        tokens=tokens or usual.tokens,
        rounds=1,
        seed=_SEED,
    )


async def bare(*, prompt: int, streams: int = 1, shared: int = 0, tokens: int = 1) -> Times:
    """Run the bare loop with the same model."""
    work = Work(path=half_billion(), streams=streams, prompt=prompt, shared=shared, tokens=tokens)
    return await trio.to_thread.run_sync(best, work)


@attrs.define
class Stage:
    """A daemon, which may be stopped and started again over the same files."""

    plan: Plan
    folder: Path
    slots: int
    daemon: Daemon = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._start()
        create(self.daemon, MODEL, half_billion())

    def _start(self) -> None:
        self.daemon = Daemon(self.folder, ACTORLLM_NUM_PARALLEL=str(self.slots)).wait()

    def stop(self) -> None:
        self.daemon.stop()

    def restart(self) -> None:
        """End the daemon and start it anew."""
        self.stop()
        self._start()

    def unload(self) -> None:
        """Unload the model, and wait until its process is gone."""
        self.daemon.post("/api/generate", model=MODEL, keep_alive=0).raise_for_status()
        eventually(lambda: not self.daemon.runners(), what="the runner is gone")

    def load(self, window: int) -> None:
        """Load the model, so that a first token does not wait for it."""
        options = {"num_ctx": window}
        self.daemon.post("/api/generate", model=MODEL, options=options).raise_for_status()

    @asynccontextmanager
    async def server(self) -> AsyncIterator[Server]:
        """Connect to the daemon."""
        async with opened(self.daemon.url, "ollama", MODEL) as server:
            yield server

    @asynccontextmanager
    async def prepared(self) -> AsyncIterator[Server]:
        """Connect to the daemon, load the model and measure its words."""
        async with self.server() as server:
            yield await prepare(self.plan, server)

    async def sample(self, server: Server, streams: int, number: int) -> Sample:
        """Measure one round; its number makes its prompts other ones."""
        plan = attrs.evolve(self.plan, seed=_SEED + number)
        case = await take_turns(plan, streams, [server], lambda _: None)
        return case.samples[0][0]
