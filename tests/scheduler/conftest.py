"""A scheduler alone, with simulated runners, in virtual time."""

from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from actorllm.actors.kernel import ChildSpec
from actorllm.actors.kernel.in_memory import MemoryLauncher
from actorllm.actors.kernel.testkit import ActorKit, actor_kit
from actorllm.actors.scheduler.actor import Scheduler
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.messages.models import ResolvedModel
from actorllm.protocol.messages.scheduling import Acquire, Lease, ListLoaded, Proven
from actorllm.protocol.options import Options
from tests.simulation.system import ENTRY, in_place, make_settings


@attrs.define(eq=False)
class Holder:
    """Somebody who wants a lease, and holds it until it lets go."""

    lease: Lease | None = None
    problem: Problem | None = None
    answered: trio.Event = attrs.field(factory=trio.Event)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    over: trio.Event = attrs.field(factory=trio.Event)

    async def let_go(self) -> None:
        self.scope.cancel()
        await self.over.wait()
        await settle()


async def settle() -> None:
    """Let everything happen that happens at this moment."""
    for _ in range(30):
        await trio.lowlevel.checkpoint()


@attrs.define
class Desk:
    """The scheduler's counter."""

    kit: ActorKit
    nursery: trio.Nursery

    async def wait(self, model: ResolvedModel, client: str = "c", **options) -> Holder:
        """Get into the queue; options that are those of `Acquire` go there."""
        holder = self._begin(model, client, options)
        await settle()
        return holder

    def _begin(self, model: ResolvedModel, client: str, options: dict[str, Any]) -> Holder:
        terms = {k: options.pop(k) for k in ("keep_alive", "suspect") if k in options}
        holder = Holder()
        self.nursery.start_soon(
            self._hold, holder, Acquire(model, Options(**options), client, **terms)
        )
        return holder

    async def get(self, model: ResolvedModel, client: str = "c", **options) -> Holder:
        """Wait for a lease.

        Raises:
            Refused: There is none.
        """
        holder = self._begin(model, client, options)
        await holder.answered.wait()
        if holder.problem is not None:
            raise Refused(holder.problem)
        return holder

    async def _hold(self, holder: Holder, acquire: Acquire) -> None:
        try:
            with holder.scope:
                async with self.kit.ref.stream(acquire) as leases:
                    holder.lease = await anext(leases)
                    holder.answered.set()
                    await trio.sleep_forever()
        except Refused as e:
            holder.problem = e.problem
            holder.answered.set()
        finally:
            holder.over.set()

    async def prove(self, holder: Holder) -> None:
        await self.kit.ref.ask(Proven(holder.lease.id), timeout=1)

    async def loaded(self) -> list[str]:
        reply = await self.kit.ref.ask(ListLoaded(), timeout=1)
        return [row.name for row in reply.models]

    @property
    def processes(self) -> list[str]:
        return [child.path.rpartition("/")[2] for child in self.kit.snapshot.children]


@pytest.fixture
def desk(tmp_path):
    @asynccontextmanager
    async def open_desk(*, entry=ENTRY, memory=lambda: 1 << 30, **settings):
        made = make_settings(tmp_path, **settings)
        spec = ChildSpec(
            "scheduler",
            lambda: Scheduler(made, entry=entry, memory=memory, in_thread=in_place),
            kind="supervisor",
            shutdown=15.0,
        )
        async with trio.open_nursery() as processes, trio.open_nursery() as holders:
            async with actor_kit(spec, launcher=MemoryLauncher(processes)) as kit:
                yield Desk(kit, holders)
                holders.cancel_scope.cancel()
            assert kit.dead_letters == ()
            processes.cancel_scope.cancel()

    return open_desk
