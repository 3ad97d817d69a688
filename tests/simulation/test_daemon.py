"""Five hundred daemons under random faults: no word is lost, doubled or altered, nothing leaks."""

import itertools
import random
import re
from collections import Counter
from contextlib import contextmanager

import pytest
import trio

from actorllm.actors.kernel import ActorDied, AskTimeout, BadMessage
from actorllm.actors.kernel.simulate import simulate
from actorllm.protocol.errors import Refused
from tests.simulation.clients import Client, raw_request, spoken
from tests.simulation.plans import crashes_of, plan_of
from tests.simulation.system import KEEP_ALIVE, daemon, make_model, make_settings

MODELS = (make_model("ant"), make_model("bee"), make_model("bee-two", weights="bee"))

REFUSALS = {
    503: (
        r"server busy, please try again\.  maximum pending requests exceeded",
        r"a part of the server did not answer, please try again",
    ),
    500: (
        r"the runner of '[\w-]+' died while loading \(.+\).*",
        r"the runner of '[\w-]+' died \d+ times under this request \(.+\)",
        r"this request crashed the runner of '[\w-]+' twice \(.+\); change it",
        r"the runner of '[\w-]+' was killed \d+ times under this request \(.+\)",
        r"the runner of '[\w-]+' does not answer; try again",
    ),
}
"""Status and text of all that a client may read when the daemon cannot serve it."""

LOSSES = ("deliver.drop", "deliver.corrupt", "handle.hang", "transport.corrupt", "transport.stall")
LOST = 60.0
"""Seconds that a lost message may cost its client at most: the longest timeout."""
USUAL = 60.0
"""Seconds within which a request ends from which nothing was lost."""


def clients_of(seed: int, count: int) -> list[Client]:
    chance = random.Random(seed)
    clients = []
    for number in range(count):
        model, most = chance.choice(MODELS).name, chance.randint(1, 24)
        prompt = f"prompt {number} of {seed}"
        clients.append(
            Client(
                name=f"client-{number % 2}",
                request=raw_request(model, prompt, seed + number, options={"num_predict": most}),
                expected=spoken(prompt, seed + number, most),
                begins=chance.choice((0.0, chance.uniform(0.0, 1.5))),
                leaves_after=chance.choice((1e6, 1e6, chance.uniform(0.0, 2.0))),
                pause=chance.choice((0.0, 0.0, 0.05)),
            )
        )
    return clients


def part(sim, path: str):
    return next(c for c in sim.node.snapshot().root.children if c.path == path)


async def drive(sim):
    clients = clients_of(sim.seed, 4)
    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(client.run, sim.node)
    await trio.sleep(2 * KEEP_ALIVE + 12)  # a job that nobody follows, the rest of a hang, idleness
    queue, scheduler = part(sim, "/queue"), part(sim, "/scheduler")
    assert queue.info["jobs"] == 0
    assert (scheduler.info["leases"], scheduler.info["waiting"]) == (0, 0)
    assert scheduler.info["loaded"] == []
    assert scheduler.children == ()
    return clients


def check(client: Client, faults) -> str:
    """Say how it ended; an ending that must not be is an AssertionError."""
    assert len(client.endings) == 1
    ending = client.endings[0]
    lost = sum(faults[fault] for fault in LOSSES)
    assert client.seconds <= USUAL + LOST * lost
    if client.done is not None:
        assert client.text == client.expected
        return "done"
    assert client.expected.startswith(client.text)
    if ending == "left":
        return "left"
    if isinstance(ending, Refused):
        texts = REFUSALS.get(ending.problem.status, ())
        assert any(re.fullmatch(text, ending.problem.text) for text in texts), ending.problem
        assert faults
        return "refused"
    if isinstance(ending, AskTimeout):  # what the client itself said was lost
        assert faults["deliver.drop"]
        return "silence"
    if isinstance(ending, ActorDied):  # it followed so late that its job had ended
        assert ending.path.startswith("/queue/")
        assert ending.exit.kind in ("unborn", "normal")
        assert faults["deliver.delay"] + faults["deliver.reorder"]
        return "late"
    assert isinstance(ending, BadMessage), ending
    assert faults["deliver.corrupt"]
    return "garbled"


@pytest.fixture
def fresh(tmp_path):
    """Makes settings whose daemon remembers nothing of the runs before."""
    states = itertools.count()
    return lambda: make_settings(tmp_path / str(next(states)))


@contextmanager
def named(seed, plan):
    """Let a failure say which run it was."""
    try:
        yield
    except Exception as e:
        e.add_note(f"seed {seed}, {plan}")
        raise


def run(seed, settings, plan):
    report = simulate(seed, lambda: daemon(settings, *MODELS), drive, plan=plan)
    assert report.exit.kind == "stopped"
    assert report.counters.doubled == 0
    assert report.dead_letters == ()
    return report


def test_without_faults_every_client_gets_its_text(fresh):
    for seed in range(5):
        report = run(seed, fresh(), None)
        faults = Counter(report.faults)
        assert {check(client, faults) for client in report.result} <= {"done", "left"}
        assert report.counters.crashes == report.counters.restarts == 0


@pytest.mark.parametrize("block", range(10))
def test_no_word_is_lost_doubled_or_altered_under_random_faults(block, fresh):
    endings, struck = Counter(), Counter()
    for seed in range(block * 50, block * 50 + 50):
        plan = plan_of(seed)
        with named(seed, plan):
            report = run(seed, fresh(), plan)
            faults = Counter(report.faults)
            endings.update(check(client, faults) for client in report.result)
            assert report.counters.restarts == 0  # only runners were faulted: they never are
        struck += faults
    assert struck.total() > 50
    assert endings["done"] > 100


@pytest.mark.parametrize("block", range(2))
def test_the_daemon_survives_crashes_of_its_own_actors(block, fresh):
    died = 0
    for seed in range(block * 50, block * 50 + 50):
        plan = crashes_of(seed)
        with named(seed, plan):
            report = run(seed, fresh(), plan)
            faults = Counter(report.faults)
            crashed = plan.rules[0].path if faults["handle.crash"] else ""
            for client in report.result:
                if crashed.startswith("/queue") and isinstance(client.endings[0], ActorDied):
                    assert client.expected.startswith(client.text)
                    died += 1
                else:
                    check(client, faults)
            assert report.counters.restarts <= faults["handle.crash"]
            assert not report.counters.restarts or crashed in {"/library", "/scheduler", "/queue"}
    assert died


def test_a_seed_is_replayed_event_by_event(fresh):
    for seed in (3, 14, 159):
        plan = plan_of(seed)
        first, second = (run(seed, fresh(), plan) for _ in range(2))
        assert (first.digest, first.events) == (second.digest, second.events)
        assert [c.endings for c in first.result] == [c.endings for c in second.result]
    assert run(160, fresh(), plan).digest != first.digest


class Killer:
    """Kills the runner of one client's request whenever it begins to work on it."""

    def __init__(self, sim, client: str) -> None:
        self.sim = sim
        self.client = client
        self.kills = 0

    async def run(self) -> None:
        while True:
            await self._until(works=True)
            runner = part(self.sim, "/scheduler").children[0]
            self.sim.node.find(runner.path).actor.kill()
            self.kills += 1
            await self._until(works=False)

    async def _until(self, *, works: bool) -> None:
        while works != any(
            job.info["client"] == self.client and job.info["state"] == "running"
            for job in part(self.sim, "/queue").children
        ):
            await trio.sleep(0.001)


@pytest.mark.parametrize("seed", range(5))
def test_a_request_whose_runners_are_all_killed_is_quarantined_and_its_mates_finish(seed, fresh):
    mates = [
        Client(f"mate-{n}", raw_request("ant", f"mate {n}", n), spoken(f"mate {n}", n))
        for n in range(3)
    ]
    poison = Client("poison", raw_request("ant", "poison", 9), spoken("poison", 9), begins=0.6)

    async def drive_poison(sim):
        killer = Killer(sim, "poison")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(killer.run)
            async with trio.open_nursery() as clients:
                for client in (*mates, poison):
                    clients.start_soon(client.run, sim.node)
            nursery.cancel_scope.cancel()
        return killer.kills

    report = simulate(seed, lambda: daemon(fresh(), *MODELS), drive_poison)
    assert report.result == 4
    [refused] = poison.endings
    assert refused.problem.status == 500
    assert re.fullmatch(REFUSALS[500][3], refused.problem.text)
    assert "SIGKILL" in refused.problem.text
    assert poison.text == ""
    for mate in mates:
        assert mate.done is not None
        assert mate.text == mate.expected
    assert any(mate.done.failovers for mate in mates)
