"""Fault plans, and what each fault does to a running system."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from counter import Add, Count, Counter, Nothing, Read, Total
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from actorllm.actors.kernel import (
    ActorDied,
    AskTimeout,
    BadMessage,
    ChildSpec,
    Node,
    StartFailed,
    Supervisor,
)
from actorllm.actors.kernel.fault_plan import ACTIONS, FaultPlan, FaultPlanError, Rule, random_plan
from actorllm.actors.kernel.faults import FaultInjector
from actorllm.actors.kernel.in_memory import MemoryLauncher
from actorllm.actors.kernel.process import ProcessActor
from actorllm.actors.kernel.testkit import actor_kit
from actorllm.protocol.codec import CodecError, decode, encode

EXAMPLES = Path(__file__).parents[2] / "examples"


# Plans


def test_a_plan_is_read_from_toml():
    plan = FaultPlan.parse(
        'seed = 7\n[[rule]]\nat = "deliver"\ndo = "delay"\npath = "/queue/*"\n'
        'message = "Submit"\nprobability = 1\nlimit = 2\nafter = 3\nseconds = 0.5\n'
        '[[rule]]\nat = "spawn"\ndo = "fail"\n'
    )
    delay = Rule("deliver", "delay", "/queue/*", "Submit", 1.0, 2, 3, 0.5)
    assert plan == FaultPlan((delay, Rule("spawn", "fail")), 7)


def test_the_example_plan_is_valid():
    assert FaultPlan.load(EXAMPLES / "faults.toml").rules


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("seed = 1.5", "seed must be of type int"),
        ("sed = 1", "unknown key 'sed'; known are seed, rule"),
        ("rule = 3", "rule must be of type list"),
        ("rule = [3]", "rule 1: expected a table"),
        ("[[rule]]\nat = 'deliver'", "rule 1: no fault 'deliver' ''"),
        ("[[rule]]\nat = 'spawn'\ndo = 'drop'", "rule 1: no fault 'spawn' 'drop'"),
        ("[[rule]]\nat='deliver'\ndo='drop'\npobability=1", "rule 1: unknown key 'pobability'"),
        ("[[rule]]\nat='deliver'\ndo='drop'\nlimit=true", "limit must be of type int"),
        ("[[rule]]\nat='deliver'\ndo='drop'\nlimit=0", "limit 1 or more"),
        ("[[rule]]\nat='deliver'\ndo='drop'\nprobability=0", "probability must be above 0"),
        ("[[rule]]\nat='deliver'\ndo='drop'\nprobability=nan", "probability must be above 0"),
        ("[[rule]]\nat='deliver'\ndo='drop'\nseconds=1", "'drop' takes no time"),
        ("[[rule]]\nat='deliver'\ndo='delay'\nseconds=nan", "seconds must be 0 or more"),
        ("[[rule]]\nat='spawn'\ndo='fail'\nmessage='A'", "spawn faults see no messages"),
        (f"[[rule]]\nat='deliver'\ndo='drop'\npath='{'a' * 300}'", "256 characters at most"),
        ("[[rule]]\nat='spawn'\ndo='fail'\n" * 257, "more than 256 rules"),
        ("seed = ", "not TOML"),
        ("rule = " + "[" * 5000, "not TOML"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_in_one_line(tmp_path, text, error):
    file = tmp_path / "plan.toml"
    file.write_text(text)
    with pytest.raises(FaultPlanError, match=error) as refused:
        FaultPlan.load(file)
    told = str(refused.value)
    assert "\n" not in told
    assert told.startswith("fault plan 'plan.toml': ")
    assert str(tmp_path) not in told


def test_a_plan_that_cannot_be_read_is_told_without_its_folder(tmp_path):
    with pytest.raises(FaultPlanError, match=r"cannot read fault plan 'no\.toml': No such file"):
        FaultPlan.load(tmp_path / "no.toml")
    (tmp_path / "big").write_bytes(b"#" * 300_000)
    with pytest.raises(FaultPlanError, match="larger than"):
        FaultPlan.load(tmp_path / "big")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(FaultPlanError, match="fault plan 'binary'"):
        FaultPlan.load(tmp_path / "binary")


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader_of_plans(text):
    try:
        FaultPlan.parse(text)
    except FaultPlanError:
        return


def test_random_plans_are_made_from_their_seed_and_cover_all_faults():
    assert random_plan(3) == random_plan(3)
    made = {(rule.at, rule.do) for seed in range(300) for rule in random_plan(seed).rules}
    assert made == {(at, do) for at, does in ACTIONS.items() for do in does}


# Deliveries


async def test_a_dropped_message_is_counted_and_its_asker_hears_nothing(autojump_clock):
    plan = FaultPlan((Rule("deliver", "drop", message="Read", limit=1),))
    async with actor_kit(Counter, faults=plan) as kit:
        with capture_logs() as logs, pytest.raises(AskTimeout):
            await kit.ref.ask(Read(), timeout=1)
        assert await kit.ref.ask(Read(), timeout=1) == Total(0)
        assert kit.faults == {"deliver.drop": 1}
        assert kit.dead_letters == ()
        assert {
            "event": "fault injected",
            "log_level": "warning",
            "fault": "deliver.drop",
            "actor": "/subject",
            "message": "Read",
        } in logs


async def test_a_delayed_message_comes_later(autojump_clock):
    async with actor_kit(Counter) as kit:
        kit.inject("deliver", "delay", seconds=2.0, limit=1)
        began = trio.current_time()
        assert await kit.ref.ask(Read(), timeout=3) == Total(0)
        assert trio.current_time() - began == pytest.approx(2.0)


async def test_a_delay_beyond_the_deadline_is_dropped_unhandled(autojump_clock):
    async with actor_kit(Counter) as kit:
        kit.inject("deliver", "delay", seconds=2.0, limit=1)
        with pytest.raises(AskTimeout):
            await kit.ref.ask(Read(), timeout=1)
        await trio.sleep(2)
        assert kit.counters.expired == 1
        assert kit.counters.handled == 0


@pytest.mark.parametrize("seconds", [0.0, 1.0])
async def test_a_duplicate_is_handled_once(autojump_clock, seconds):
    async with actor_kit(Counter) as kit:
        kit.inject("deliver", "duplicate", message="Add", limit=3, seconds=seconds)
        for _ in range(3):
            kit.ref.tell(Add(1))
        await trio.sleep(2)
        assert await kit.ref.ask(Read(), timeout=1) == Total(3)
        assert kit.counters.duplicates == 3


async def test_a_reordered_message_is_overtaken_by_the_next(autojump_clock):
    async with actor_kit(Counter) as kit:
        kit.inject("deliver", "reorder", message="Add", limit=1, seconds=5.0)
        kit.ref.tell(Add(1))
        assert await kit.ref.ask(Read(), timeout=1) == Total(0)
        assert await kit.ref.ask(Read(), timeout=1) == Total(1)


async def test_a_reordered_message_that_nothing_follows_still_arrives(autojump_clock):
    async with actor_kit(Counter) as kit:
        kit.inject("deliver", "reorder", message="Read", limit=1, seconds=0.5)
        assert await kit.ref.ask(Read(), timeout=1) == Total(0)


async def test_a_corrupt_message_is_a_bad_message_and_the_actor_lives_on():
    async with actor_kit(Counter) as kit:
        kit.inject("deliver", "corrupt", message="Read", limit=1)
        with pytest.raises(BadMessage, match="not a message"):
            await kit.ref.ask(Read(), timeout=1)
        assert await kit.ref.ask(Read(), timeout=1) == Total(0)
        assert kit.restarts == 0


@given(st.integers(), st.integers(1, 255))
def test_damage_to_the_head_of_a_frame_is_always_found(n, flip):
    frame = bytearray(encode(Total(n % 2**63)))
    frame[0] ^= flip
    with pytest.raises(CodecError):
        decode(bytes(frame))


# Actors and their starts


async def test_a_crash_strikes_after_so_many_and_no_more_than_its_limit(autojump_clock):
    plan = FaultPlan((Rule("handle", "crash", path="/subject", message="Read", after=2, limit=1),))
    async with actor_kit(Counter, faults=plan) as kit:
        assert await kit.ref.ask(Read(), timeout=1) == Total(0)
        assert await kit.ref.ask(Read(), timeout=1) == Total(0)
        with pytest.raises(ActorDied, match="crash before Read, by the fault plan"):
            await kit.ref.ask(Read(), timeout=1)
        assert await kit.ref.ask(Read(), timeout=1, again=True) == Total(0)
        assert kit.restarts == 1


async def test_a_hang_holds_the_mailbox_up(autojump_clock):
    async with actor_kit(Counter) as kit:
        kit.inject("handle", "hang", message="Add", seconds=3.0)
        kit.ref.tell(Add(1))
        with pytest.raises(AskTimeout):
            await kit.ref.ask(Read(), timeout=2)
        assert await kit.ref.ask(Read(), timeout=2) == Total(1)


async def test_a_kill_ends_the_actor_as_a_signal_would(autojump_clock):
    async with actor_kit(Counter) as kit:
        kit.inject("handle", "kill", limit=1)
        with pytest.raises(ActorDied) as died:
            await kit.ref.ask(Read(), timeout=1)
        assert died.value.exit.kind == "killed"
        assert died.value.exit.signal == 9


async def test_a_failed_start_is_tried_again(autojump_clock):
    async with actor_kit(Counter) as kit:
        kit.inject("spawn", "fail", limit=2)
        kit.inject("handle", "crash", limit=1)
        with pytest.raises(ActorDied):
            await kit.ref.ask(Read(), timeout=1)
        assert await kit.ref.ask(Read(), timeout=5, again=True) == Total(0)
        assert kit.restarts == 3
    with pytest.raises(StartFailed, match="failed start, by the fault plan"):
        async with actor_kit(Counter, faults=FaultPlan((Rule("spawn", "fail", path="/subject"),))):
            pass


async def test_a_slow_start_is_bounded_by_the_start_timeout(autojump_clock):
    slow = FaultPlan((Rule("spawn", "slow", path="/subject", seconds=2.0),))
    began = trio.current_time()
    async with actor_kit(Counter, faults=slow):
        assert trio.current_time() - began == pytest.approx(2.0)
    with pytest.raises(StartFailed, match="TooSlowError"):
        async with actor_kit(ChildSpec("subject", Counter, start_timeout=1.0), faults=slow):
            pass


# Transports


@pytest.fixture
async def remote(nursery):
    """A kit around a process actor whose process is a task."""
    spec = ChildSpec("child", lambda: ProcessActor("counter:Counter", Nothing()), kind="process")
    plan = FaultPlan((Rule("transport", "stall", path="/nobody"),))  # so that links are wrapped
    async with actor_kit(spec, launcher=MemoryLauncher(nursery), faults=plan) as kit:
        yield kit


@pytest.mark.parametrize(("do", "text"), [("cut", "transport"), ("corrupt", "frame|heartbeat")])
async def test_a_broken_transport_is_the_death_of_its_process(autojump_clock, remote, do, text):
    assert await remote.ref.ask(Read(), timeout=1) == Total(0)
    remote.inject("transport", do, limit=1)
    with pytest.raises(ActorDied, match=text):
        await remote.ref.ask(Read(), timeout=60)
    assert await remote.ref.ask(Read(), timeout=5, again=True) == Total(0)
    assert remote.restarts == 1


async def test_a_short_stall_is_waited_out_and_a_long_one_is_death(autojump_clock, remote):
    remote.inject("transport", "stall", seconds=2.0, limit=1)
    assert await remote.ref.ask(Read(), timeout=10) == Total(0)
    assert remote.restarts == 0
    remote.inject("transport", "stall", seconds=math.inf, limit=1)
    with pytest.raises(ActorDied, match="no heartbeat"):
        await remote.ref.ask(Read(), timeout=60)


async def test_a_stream_that_breaks_tells_its_consumer(autojump_clock, remote):
    async with remote.ref.stream(Count(10**6), window=2) as items:
        assert (await anext(items)).n == 0
        remote.inject("transport", "cut", limit=1)
        with pytest.raises(ActorDied):
            async for _ in items:
                pass


# The injector in its node


async def test_an_active_plan_shows_in_the_snapshot(nursery):
    injector = FaultInjector(FaultPlan((Rule("deliver", "drop", message="None"),), seed=4))
    node = Node("test", faults=injector)
    await nursery.start(node.run, ChildSpec("root", Supervisor))
    assert node.snapshot().faults == "1 fault rules, seed 4, 0 faults so far"
    node.stop()


@pytest.mark.parametrize("module", ["actorllm.actors.kernel", "actorllm.actors.daemon"])
def test_faults_are_not_imported_unless_asked_for(module):
    code = f"import sys, {module}; print(*[m for m in sys.modules if 'fault' in m or 'simul' in m])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "actorllm" not in done.stdout


async def test_a_parent_that_was_held_up_does_not_blame_its_child(autojump_clock, remote):
    assert await remote.ref.ask(Read(), timeout=1) == Total(0)
    autojump_clock.jump(60)
    assert await remote.ref.ask(Read(), timeout=1) == Total(0)
    assert remote.restarts == 0
