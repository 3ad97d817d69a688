"""Whole systems in virtual time, and five hundred of them under random faults."""

from collections import Counter

import echoes
import pytest
import trio
from echoes import Say, Spell

from actorllm.actors.kernel import ActorDied, AskTimeout, BadMessage, MailboxFull
from actorllm.actors.kernel.fault_plan import FaultPlan, Rule, random_plan
from actorllm.actors.kernel.simulate import Stuck, simulate

BROKEN = (ActorDied, AskTimeout, BadMessage, MailboxFull)
"""What a client that asks again must expect, and nothing else."""

TARGETS = ("/echoes/a", "/echoes/b", "/relay")
ROUNDS = 2
LETTERS = 6


class Client:
    """Asks until it has all its answers; each attempt has an id of its own."""

    def __init__(self, sim, name):
        self.sim = sim
        self.name = name
        self.attempts = 0
        self.answers = []

    async def until_answered(self, once):
        while True:
            self.attempts += 1
            attempt = f"{self.name}.{self.attempts}"
            try:
                return await once(attempt)
            except BROKEN:
                await trio.sleep(self.sim.random.uniform(0.05, 0.2))

    async def run(self, path):
        ref = self.sim.node.ref(path)

        async def say(attempt):
            with trio.fail_after(4):  # no answer and no error by the deadline: a lost reply
                said = await ref.ask(Say(attempt), timeout=3)
            assert said.text.rstrip("+") == attempt

        async def spell(attempt):
            texts = []
            with trio.fail_after(60):
                async with ref.stream(Spell(attempt, LETTERS), window=4, open_timeout=3) as items:
                    async for item in items:
                        texts.append(item.text.replace("+", ""))
                        assert texts[-1] == f"{attempt}:{len(texts) - 1}"
            assert len(texts) == LETTERS

        for _ in range(ROUNDS):
            await self.until_answered(say)
            await self.until_answered(spell)
            self.answers.append(path)


async def drive(sim):
    echoes.handled.clear()
    clients = [Client(sim, f"{path}#{n}") for n, path in enumerate((*TARGETS, "/relay"))]
    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(client.run, client.name.partition("#")[0])
    assert all(len(client.answers) == ROUNDS for client in clients)
    twice = [attempt for attempt, times in Counter(echoes.handled).items() if times > 1]
    assert not twice
    return sum(client.attempts for client in clients)


@pytest.mark.parametrize("block", range(10))
def test_no_answer_is_lost_or_doubled_under_random_faults(block):
    struck = Counter()
    for seed in range(block * 50, block * 50 + 50):
        plan = random_plan(seed, paths=("*", *TARGETS))
        report = simulate(seed, echoes.system, drive, plan=plan)
        seen = f"seed {seed}: {report}"
        assert report.exit.kind == "stopped", seen
        assert report.counters.doubled == 0, seen
        assert report.dead_letters == (), seen
        struck.update(report.faults)
    assert struck.total() > 50


def test_a_seed_is_replayed_event_by_event():
    for seed in (5, 11):
        plan = random_plan(seed)
        first, second = (simulate(seed, echoes.system, drive, plan=plan) for _ in range(2))
        assert first == second
        assert first.faults
    assert simulate(12, echoes.system, drive, plan=plan).digest != first.digest


def test_virtual_time_costs_nothing():
    async def wait_ten_minutes(sim):
        await trio.sleep(600)

    report = simulate(1, echoes.system, wait_ten_minutes)
    assert report.seconds >= 600


def test_a_failing_run_names_its_seed_and_its_plan():
    async def fail(sim):
        await sim.node.ref("/relay").ask(Say("x"), timeout=1)
        raise LookupError("not what I wanted")

    with pytest.raises(LookupError, match="not what I wanted") as failed:
        simulate(77, echoes.system, fail, plan=FaultPlan((Rule("deliver", "delay"),)))
    notes = "\n".join(failed.value.__notes__)
    assert "simulation seed 77, 1 fault rules" in notes
    assert "do='delay'" in notes
    assert "handle /relay Say" in notes
    assert "fault injected" in notes


def test_a_run_that_does_not_end_is_stuck():
    async def wait(sim):
        await trio.sleep_forever()

    async def ask_for_ever(sim):
        while True:
            await sim.node.ref("/relay").ask(Say("x"), timeout=1)

    with pytest.raises(Stuck, match="not done after 10 s"):
        simulate(1, echoes.system, wait, limit=10)
    with pytest.raises(Stuck, match="or 500 events"):
        simulate(1, echoes.system, ask_for_ever, max_events=500)


def test_simulated_processes_are_killed_like_real_ones():
    async def kill(sim):
        plan = Rule("handle", "kill", path="/echoes/a", limit=1)
        sim.injector.add(plan)
        ref = sim.node.ref("/echoes/a")
        with pytest.raises(ActorDied) as died:
            await ref.ask(Say("1"), timeout=1)
        assert await ref.ask(Say("2"), timeout=1, again=True) == echoes.Said("2")
        return died.value.exit

    exit_ = simulate(1, echoes.system, kill).result
    assert (exit_.kind, exit_.signal) == ("killed", 9)
