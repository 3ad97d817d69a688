"""Five hundred daemons under random faults: no word is lost, doubled or altered, nothing leaks."""

import itertools
import random
import re
from collections import Counter

import pytest
import trio

from actorllm.actors.kernel import ActorDied, AskTimeout, BadMessage
from actorllm.actors.kernel.simulate import simulate
from actorllm.protocol.errors import Refused
from tests.simulation.clients import Client, raw_request, spoken
from tests.simulation.plans import plan_of
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
        r"loading '[\w-]+' failed: .+",
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
        assert (ending.path.rpartition("/")[0], ending.exit.kind) == ("/queue", "unborn")
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
        try:
            report = run(seed, fresh(), plan)
            faults = Counter(report.faults)
            endings.update(check(client, faults) for client in report.result)
            assert report.counters.restarts == 0, (
                "only runners were faulted; they are never restarted"
            )
        except BaseException as e:
            e.add_note(f"seed {seed}, {plan}")
            raise
        struck += faults
    assert struck.total() > 50
    assert endings["done"] > 100
