"""Streams go on when their runner is killed, and in deterministic mode nobody could tell."""

import os
import random
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.integration.daemon import MODEL, Daemon
from tests.integration.streams import SEEDS, TOKENS, Answer, follow, follow_all

KILLS = int(os.environ.get("ACTORLLM_TEST_KILLS", "20"))
"""Random moments at which the runner is killed."""
SEED = int(os.environ.get("ACTORLLM_TEST_SEED", "0")) or random.SystemRandom().getrandbits(32)
_MOST_TOKENS = len(SEEDS) * TOKENS // 4
"""Later than that, the runner may have said all before its client has read it."""


@pytest.fixture(scope="module")
def deterministic(start: Callable[..., Daemon]) -> Daemon:
    return start(ACTORLLM_DETERMINISTIC="1")


@pytest.fixture(scope="module")
def alone(deterministic: Daemon) -> list[str]:
    """What each stream says with nobody beside it."""
    return [follow(deterministic, seed, deterministic=True).text for seed in SEEDS]


@pytest.fixture(autouse=True)
def unharmed(daemon: Daemon, deterministic: Daemon) -> Iterator[None]:
    before = deterministic.pinned()
    yield
    deterministic.until_idle()
    assert deterministic.pinned() == before


def strike(daemon: Daemon, number: signal.Signals) -> Callable[[], None]:
    """Signal the runner that is there when it is called."""

    def call() -> None:
        (pid,) = daemon.runners(MODEL)
        os.kill(pid, number)

    return call


def texts(answers: list[Answer]) -> list[str]:
    for answer in answers:
        answer.assert_sound()
    return [answer.text for answer in answers]


def test_deterministic_streams_side_by_side_say_what_each_says_alone(
    deterministic: Daemon, alone: list[str]
):
    assert texts(follow_all(deterministic, deterministic=True)) == alone


def test_deterministic_streams_are_the_same_at_whatever_moment_the_runner_is_killed(
    deterministic: Daemon, alone: list[str], tell: Callable[[str], None]
):
    tell(f"ACTORLLM_TEST_SEED={SEED}")
    moments = random.Random(SEED)
    noticed = 0
    for _ in range(KILLS):
        after = moments.randint(1, _MOST_TOKENS)
        answers = follow_all(
            deterministic,
            after=after,
            call=strike(deterministic, signal.SIGKILL),
            deterministic=True,
        )
        assert texts(answers) == alone, f"killed after {after} tokens"
        noticed += any(answer.failovers for answer in answers)
    tell(f"{noticed} of {KILLS} kills met a running stream")
    assert noticed > KILLS * 3 // 4


def test_a_runner_that_hangs_is_replaced(deterministic: Daemon, alone: list[str]):
    answers = follow_all(
        deterministic,
        after=200,
        call=strike(deterministic, signal.SIGSTOP),
        deterministic=True,
    )
    assert texts(answers) == alone
    assert [answer.failovers for answer in answers] == [1] * len(SEEDS)
    assert "no heartbeat" in deterministic.log


def test_all_streams_come_to_their_end_without_repetition_in_any_mode(
    daemon: Daemon, tell: Callable[[str], None]
):
    undisturbed = texts(follow_all(daemon))
    same = 0
    for after in (1, 50, 200):
        answers = follow_all(daemon, after=after, call=strike(daemon, signal.SIGKILL))
        same += sum(a == b for a, b in zip(texts(answers), undisturbed, strict=True))
        assert any(answer.failovers for answer in answers)
    tell(f"not deterministic: {same} of {3 * len(SEEDS)} streams were the same")
