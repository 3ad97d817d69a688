"""The degrade ladder in a real daemon: by a fault plan, and by kernels that really crash."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from actorllm.actors.runner.engine.amx import cpu_has_amx
from actorllm.actors.runner.engine.ladder import RUNGS
from tests.integration.daemon import MODEL, Daemon, eventually

CAPITAL = "The capital of Japan is Tokyo."
_CRASH = """
[[rule]]
at = "handle"
do = "crash"
path = "/scheduler/*"
message = "Load"
limit = 1
after = {after}
"""
PLAN = "".join(_CRASH.format(after=after) for after in range(3))
"""Every other load crashes: a rule does not see those for which another one has struck."""


def rungs(daemon: Daemon) -> list[int]:
    (remembered,) = json.loads((daemon.state / "rungs.json").read_bytes()).values()
    return list(remembered.values())


def loads(daemon: Daemon) -> list[dict[str, Any]]:
    """What the log says of those that came to their end."""
    lines = [json.loads(line) for line in daemon.log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "loaded"]


def unload(daemon: Daemon) -> None:
    daemon.post("/api/generate", model=MODEL, keep_alive=0)
    eventually(lambda: not daemon.runners())


def assert_degraded(answer: httpx.Response, rung: int) -> None:
    assert answer.json()["message"]["content"] == CAPITAL
    assert answer.headers["Actorllm-Notice"] == f"degraded to stay alive: {RUNGS[rung].text}"


def test_each_crash_of_a_load_leads_one_rung_down(start: Callable[..., Daemon]):
    daemon = start(plan=PLAN)
    for rung in (1, 2, 3):
        assert_degraded(daemon.ask_capital(), rung)
        assert rungs(daemon) == [rung]
        assert loads(daemon)[-1]["rung"] == rung
        unload(daemon)
    assert [load["slots"] == 1 for load in loads(daemon)] == [False, False, True]
    assert daemon.log.count("stepping down the degrade ladder") == 3


@pytest.mark.skipif(not cpu_has_amx(), reason="this CPU has no AMX")
def test_kernels_that_really_crash_cost_a_rung_and_no_answer(start: Callable[..., Daemon]):
    daemon = start(main="tests.integration.misbehaving", TEST_RUNNER="WithAmx")
    assert_degraded(daemon.ask_capital(), 1)
    assert rungs(daemon) == [1]
    assert "SIGSEGV" in daemon.log
