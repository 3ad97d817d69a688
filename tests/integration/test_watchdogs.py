"""The watchdogs in a real daemon: each fault is told in the log, and none costs an answer."""

import json
import re
from collections.abc import Callable

from tests.integration.daemon import Daemon
from tests.integration.misbehaving import HANGS
from tests.integration.streams import follow

TOKENS = 2 * HANGS

_LOAD_HANGS = """
[[rule]]
at = "handle"
do = "hang"
path = "/scheduler/*"
message = "Load"
limit = 1
seconds = 2
"""


def faults(daemon: Daemon) -> list[tuple[str, str]]:
    """What the log tells of faults: kind and text."""
    lines = [json.loads(line) for line in daemon.log.splitlines() if '"fault"' in line]
    return [(line["fault"], line["event"]) for line in lines]


def test_an_engine_that_hangs_is_replaced_and_its_other_faults_are_told(
    start: Callable[..., Daemon],
):
    daemon = start(main="tests.integration.misbehaving", TEST_RUNNER="Faulty")
    answer = follow(daemon, 43, num_predict=TOKENS)
    answer.assert_sound()
    assert answer.tokens == TOKENS
    assert answer.failovers == 1
    told = faults(daemon)
    for kind, text in {
        "slow": r"a pass takes [\d.]+ s already; usual are [\d.]+ s",
        "busy": r"\d+ of \d+ threads compute: the machine is busy",
        "memory": r"\d+ MiB of memory are used, 0 were planned",
        "hung": r"the engine has computed nothing for \d+ s",
    }.items():
        assert any(seen == kind and re.fullmatch(text, said) for seen, said in told), kind
    daemon.until_idle()
    daemon.assert_works()


def test_a_load_without_progress_is_given_up_and_the_next_one_works(start: Callable[..., Daemon]):
    daemon = start(plan=_LOAD_HANGS, ACTORLLM_LOAD_TIMEOUT="1s")
    refused = daemon.ask_capital()
    assert refused.status_code == 500
    assert "made no progress for 1 s; set ACTORLLM_LOAD_TIMEOUT" in refused.json()["error"]
    assert ("stalled", "a load makes no progress") in faults(daemon)
    daemon.assert_works()
    assert daemon.counters()["dead_letters"] == 0
