"""Fault plans by chance: runners die, messages get lost, starts fail, transports break."""

import random

from actorllm.actors.kernel.fault_plan import FaultPlan, Rule

RUNNERS = "/scheduler/*"
ANYWHERE = ("/library", "/scheduler", "/queue", "/queue/*", RUNNERS)

_ON_RUNNERS = (
    ("handle", "kill", 0.3),
    ("handle", "crash", 0.3),
    ("handle", "hang", 0.2),
    ("spawn", "fail", 0.5),
    ("spawn", "slow", 0.7),
    ("transport", "cut", 0.05),
    ("transport", "stall", 0.05),
    ("transport", "corrupt", 0.05),
)
_ANYWHERE = (
    ("deliver", "drop", 0.15),
    ("deliver", "delay", 0.5),
    ("deliver", "duplicate", 0.5),
    ("deliver", "reorder", 0.5),
    ("deliver", "corrupt", 0.15),
)
_TIMED = {"delay": 2.0, "duplicate": 2.0, "reorder": 2.0, "hang": 40.0, "slow": 2.0, "stall": 9.0}
"""Longest waits, seconds: a hang may outlast the patience of a stream, a stall that of a bridge."""


def plan_of(seed: int, *, most: int = 5) -> FaultPlan:
    """One to `most` rules; the actors themselves, runners excepted, stay alive."""
    chance = random.Random(seed)
    rules = []
    for _ in range(chance.randint(1, most)):
        at, do, most_likely = chance.choice(_ON_RUNNERS + _ANYWHERE)
        wait = chance.choice((0.0, round(chance.uniform(0.0, _TIMED.get(do, 0.0)), 3)))
        rules.append(
            Rule(
                at,
                do,
                path=chance.choice(ANYWHERE) if at == "deliver" else RUNNERS,
                probability=chance.uniform(0.2, 1.0) * most_likely,
                limit=chance.randint(1, 4),
                after=chance.randrange(4),
                seconds=wait if do in _TIMED else None,
            )
        )
    return FaultPlan(tuple(rules), seed)


def crashes_of(seed: int) -> FaultPlan:
    """A plan under which the daemon's own actors crash, too."""
    chance = random.Random(seed)
    crash = Rule(
        "handle",
        "crash",
        path=chance.choice(("/library", "/scheduler", "/queue", "/queue/*")),
        probability=chance.uniform(0.1, 0.5),
        limit=chance.randint(1, 3),
        after=chance.randrange(6),
    )
    return FaultPlan((crash, *plan_of(seed, most=2).rules), seed)
