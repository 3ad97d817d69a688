"""What the scheduler knows of a runner, and of those who want one."""

import math
from typing import Literal

import attrs
import trio

from actorllm.actors.kernel import Ref
from actorllm.actors.scheduler.room import Candidate
from actorllm.actors.scheduler.terms import Terms, suits
from actorllm.protocol.errors import Problem
from actorllm.protocol.messages.models import ResolvedModel
from actorllm.protocol.messages.scheduling import Acquire, Lease

__all__ = ["Runner", "Waiter"]

_NS = 1_000_000_000


@attrs.define(eq=False)
class Waiter:
    """A request that wants a slot."""

    request: Acquire
    terms: Terms
    since: float
    answered: trio.Event = attrs.field(factory=trio.Event)
    lease: Lease | None = None
    problem: Problem | None = None
    runner: "Runner | None" = None

    @property
    def key(self) -> str:
        return self.request.model.weights.digest

    def grant(self, lease: Lease, runner: "Runner") -> None:
        self.lease = lease
        self.runner = runner
        self.answered.set()

    def refuse(self, problem: Problem) -> None:
        self.problem = problem
        self.answered.set()


@attrs.define(eq=False)
class Runner:
    """A model that is loaded, or is being loaded."""

    model: ResolvedModel
    """As the first request named it; another name of the same weights shares the runner."""
    terms: Terms
    rung: int
    size: int
    """Bytes that it takes, predicted."""
    keep_alive: float
    """Seconds; infinity for ever."""
    state: Literal["loading", "ready", "stopping"] = "loading"
    child: str = ""
    ref: Ref | None = None
    slots: int = 0
    num_ctx: int = 0
    load_seconds: float = 0.0
    load_reported: bool = False
    proven: bool = False
    """Whether a token has come of it."""
    notices: tuple[str, ...] = ()
    leases: dict[int, Waiter] = attrs.field(factory=dict)
    trial: int | None = None
    """The lease of a suspect that is under observation."""
    idle_since: float | None = None
    draining: bool = False
    """It makes way for another model: no further leases, and it goes when it is idle."""
    gone: trio.Event = attrs.field(factory=trio.Event)

    @property
    def key(self) -> str:
        return self.model.weights.digest

    @property
    def expires_at(self) -> float:
        """When it is to be unloaded; infinity while it works."""
        if self.state != "ready" or self.idle_since is None:
            return math.inf
        return self.idle_since + (0.0 if self.draining else self.keep_alive)

    def serves(self, waiter: Waiter) -> bool:
        """Whether it has a slot for a request now."""
        return (
            self.state == "ready"
            and not self.draining
            and len(self.leases) < self.slots
            and suits(self.terms, waiter.terms)
            and not (waiter.request.suspect and self.trial is not None)
        )

    def misfits(self, waiter: Waiter) -> bool:
        """Whether it is loaded on terms that will not do for a request."""
        return self.state == "ready" and not suits(self.terms, waiter.terms)

    def lend(self, number: int, waiter: Waiter) -> None:
        """Give a request a slot.

        Args:
            number: Of the lease.
            waiter: The request.
        """
        request = waiter.request
        assert self.ref is not None
        assert self.ref.incarnation is not None
        if request.keep_alive is not None:
            self.keep_alive = _seconds(request.keep_alive)
        if request.suspect:
            self.trial = number
        took = 0.0 if self.load_reported else self.load_seconds
        self.load_reported = True
        self.idle_since = None
        self.leases[number] = waiter
        lease = Lease(
            id=number,
            runner=self.ref.path,
            incarnation=self.ref.incarnation,
            num_ctx=self.num_ctx,
            load_duration=max(int(took * _NS), 1_000),
            unproven=not self.proven or request.suspect,
            notices=self.notices,
            window=waiter.terms.window(self.num_ctx),
        )
        waiter.grant(lease, self)

    def take_back(self, lease: Lease, now: float) -> None:
        """End a lease; `now` is when."""
        self.leases.pop(lease.id, None)
        if self.trial == lease.id:
            self.trial = None
        if not self.leases:
            self.idle_since = now

    def candidate(self) -> Candidate:
        return Candidate(self.key, self.keep_alive, bool(self.leases))


def _seconds(keep_alive: int) -> float:
    return math.inf if keep_alive < 0 else keep_alive / _NS
