"""Supervisors under crashes by chance: what must hold when the dust has settled."""

import random
from collections import Counter

import trio
from counter import Counter as Tally
from counter import Fail, Read, Total

from actorllm.actors.kernel import (
    ActorDied,
    AskTimeout,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    Restart,
    StartFailed,
    Strategy,
    Supervisor,
)
from actorllm.actors.kernel.fault_plan import FaultPlan, Rule
from actorllm.actors.kernel.simulate import simulate


class World:
    """Who is alive and when each was started last."""

    def __init__(self, strategy, kinds, slowness):
        self.kinds = kinds
        self.alive = set()
        self.started = {}
        self.starts = 0
        self.sup = None
        self._strategy = strategy
        self._slowness = slowness

    def member(self, id_):
        world = self

        class Member(Tally):
            async def started(self):
                assert id_ not in world.alive, f"{id_} lives twice"
                world.alive.add(id_)
                world.starts += 1
                world.started[id_] = world.starts
                await trio.sleep(world._slowness * world.chance())

            async def read(self, m: Read) -> Total:
                self.ctx.end()
                return Total(0)

            def ended(self, exit_):
                world.alive.discard(id_)

        return ChildSpec(id_, Member, restart=self.kinds[id_])

    def tree(self):
        def make():
            self.sup = Supervisor(
                [self.member(id_) for id_ in self.kinds],
                strategy=self._strategy,
                intensity=Intensity(restarts=10_000, seconds=60),
                backoff=Backoff(first=0.05, cap=0.5),
            )
            return self.sup

        return ChildSpec("root", make)

    def chance(self):
        return self.sup.ctx.node.random.random()


async def storm(sim, world):
    """Crash and end members by chance, then wait until nothing more happens."""
    for _ in range(15):
        await trio.sleep(sim.random.choice((0.0, sim.random.uniform(0, 0.3))))
        ref = sim.node.ref(f"/{sim.random.choice(list(world.kinds))}")
        try:
            await ref.ask(sim.random.choice((Fail("crash"), Read())), timeout=0.1)
        except (ActorDied, AskTimeout):
            continue
    await trio.sleep(60)
    children = world.sup.children
    assert world.alive == set(children), "all who are kept live, and nobody else"
    assert all(child.cell.state == "running" for child in children.values())
    assert all(sim.node.find(f"/{id_}") is children[id_].cell for id_ in children)
    permanent = {id_ for id_, kind in world.kinds.items() if kind is Restart.PERMANENT}
    assert permanent <= set(children)
    return [world.started[id_] for id_ in children]


def test_families_come_back_whole_and_in_order():
    for seed in range(200):
        chance = random.Random(seed)
        strategy = chance.choice(list(Strategy))
        kinds = {f"m{n}": chance.choice(list(Restart)) for n in range(chance.randint(2, 6))}
        world = World(strategy, kinds, slowness=chance.choice((0, 0.05, 0.2, 0.5)))
        plan = FaultPlan((Rule("spawn", "fail", path="/m*", probability=0.2, limit=8),), seed)
        report = simulate(seed, world.tree, lambda sim, w=world: storm(sim, w), plan=plan)
        if strategy is not Strategy.ONE_FOR_ONE:
            order = report.result
            assert order == sorted(order), f"seed {seed}: an elder was started after a younger"
        assert not world.alive, f"seed {seed}: somebody outlived the tree"
        assert report.counters.doubled == 0


class Crowd:
    """Children of a dynamic supervisor that come, crash and go, all at once."""

    def __init__(self, slowness):
        self.alive = Counter()
        self.twice = []
        self.sup = DynamicSupervisor(intensity=Intensity(restarts=10_000, seconds=60))
        self._slowness = slowness

    def tree(self):
        return ChildSpec("root", lambda: self.sup)

    def member(self, id_, restart):
        crowd = self

        class Member(Tally):
            lives = False

            async def started(self):
                self.lives = True
                crowd.alive[id_] += 1
                if crowd.alive[id_] > 1:
                    crowd.twice.append(id_)
                await trio.sleep(crowd._slowness * self.ctx.node.random.random())

            async def stopped(self):
                await trio.sleep(crowd._slowness * self.ctx.node.random.random())

            def ended(self, exit_):
                crowd.alive[id_] -= self.lives

        return ChildSpec(id_, Member, restart=restart, shutdown=0.2)

    async def visit(self, sim):
        """One after the other, things that may come to anybody at any time."""
        chance = sim.random
        for _ in range(12):
            await trio.sleep(chance.choice((0.0, chance.uniform(0, 0.2))))
            id_ = f"x{chance.randrange(3)}"
            try:
                with trio.move_on_after(chance.choice((0.0, 0.05, 5.0))):
                    match chance.randrange(3):
                        case 0:
                            spec = self.member(id_, chance.choice(list(Restart)))
                            await self.sup.start_child(spec)
                        case 1:
                            await self.sup.stop_child(id_)
                        case 2:
                            await sim.node.ref(f"/{id_}").ask(Fail("crash"), timeout=0.1)
            except (ActorDied, AskTimeout, StartFailed, ValueError):
                continue

    async def meet(self, sim):
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(self.visit, sim)
        await trio.sleep(60)
        assert {id_ for id_, count in self.alive.items() if count} == set(self.sup.children)
        assert all(child.cell is not None for child in self.sup.children.values())
        assert not self.twice


def test_a_dynamic_supervisor_stands_overlapping_requests():
    for seed in range(200):
        crowd = Crowd(slowness=(0, 0.1, 0.3)[seed % 3])
        plan = FaultPlan((Rule("spawn", "fail", path="/x*", probability=0.2, limit=8),), seed)
        report = simulate(seed, crowd.tree, crowd.meet, plan=plan)
        assert report.exit.kind == "stopped", f"seed {seed}: {report.exit}"
        assert not any(crowd.alive.values()), f"seed {seed}: somebody outlived the tree"
