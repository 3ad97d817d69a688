"""Fault plans: what goes wrong in a run, as data. `faults.py` carries them out."""

import math
import random
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

__all__ = ["ACTIONS", "FaultPlan", "FaultPlanError", "Rule", "random_plan"]

ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "deliver": ("drop", "delay", "duplicate", "reorder", "corrupt"),
    "handle": ("crash", "hang", "kill"),
    "spawn": ("fail", "slow"),
    "transport": ("cut", "stall", "corrupt"),
}
"""What can be done, by seam."""

_SECONDS: Final[Mapping[str, float]] = {
    "delay": 0.1,
    "duplicate": 0.0,
    "reorder": 0.1,
    "hang": math.inf,
    "slow": 1.0,
    "stall": 1.0,
}
"""How long a fault that takes time lasts if its rule does not say."""

_BY_CHANCE: Final[Sequence[tuple[str, str, float]]] = (
    ("deliver", "drop", 0.1),
    ("deliver", "delay", 0.3),
    ("deliver", "duplicate", 0.3),
    ("deliver", "reorder", 0.3),
    ("deliver", "corrupt", 0.1),
    ("handle", "crash", 0.05),
    ("handle", "hang", 0.05),
    ("handle", "kill", 0.05),
    ("spawn", "fail", 0.3),
    ("spawn", "slow", 0.5),
    ("transport", "cut", 0.05),
    ("transport", "stall", 0.05),
    ("transport", "corrupt", 0.05),
)
"""Seam, fault and its highest probability."""

_MOST_BY_CHANCE = 6
"""Rules."""

_MAX_RULES = 256
_MAX_PLAN = 256 * 1024
_MAX_PATTERN = 256


class FaultPlanError(ValueError):
    """A fault plan that makes no sense; one line."""


@attrs.frozen
class Rule:
    """One kind of fault, and where it strikes.

    Raises:
        FaultPlanError: A value makes no sense.
    """

    at: str
    """The seam: a key of `ACTIONS`."""
    do: str
    """What to do there."""
    path: str = "*"
    """Glob of the actor's path; `*` matches any text, slashes too."""
    message: str = "*"
    """Glob of the message's class name; deliver and handle only."""
    probability: float = 1.0
    """Of striking when it could, in (0, 1]."""
    limit: int | None = None
    """Strikes at most so often; None: no limit."""
    after: int = 0
    """Lets so many pass that it matches."""
    seconds: float | None = None
    """How long, for faults that take time; None: the usual time of that fault."""

    def __attrs_post_init__(self) -> None:
        if self.do not in ACTIONS.get(self.at, ()):
            known = "; ".join(f"{at}: {', '.join(does)}" for at, does in ACTIONS.items())
            raise FaultPlanError(f"no fault {self.at!r} {self.do!r}; there are {known}")
        if self.message != "*" and self.at not in ("deliver", "handle"):
            raise FaultPlanError(f"{self.at} faults see no messages: leave out 'message'")
        if max(len(self.path), len(self.message)) > _MAX_PATTERN:
            raise FaultPlanError(f"a pattern may have {_MAX_PATTERN} characters at most")
        if not 0 < self.probability <= 1:
            raise FaultPlanError("probability must be above 0 and at most 1")
        if self.after < 0 or (self.limit is not None and self.limit < 1):
            raise FaultPlanError("after must be 0 or more, limit 1 or more")
        if self.seconds is not None and self.do not in _SECONDS:
            raise FaultPlanError(f"{self.do!r} takes no time: leave out 'seconds'")
        if self.seconds is not None and not self.seconds >= 0:
            raise FaultPlanError("seconds must be 0 or more")

    @property
    def title(self) -> str:
        """For counts and logs, e.g. `deliver.drop`."""
        return f"{self.at}.{self.do}"

    @property
    def duration(self) -> float:
        """Seconds; the usual ones if the rule does not say."""
        return _SECONDS.get(self.do, 0.0) if self.seconds is None else self.seconds


@attrs.frozen
class FaultPlan:
    """What goes wrong in a run. The same plan in the same run strikes at the same places."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0

    @classmethod
    def load(cls, path: str | Path) -> "FaultPlan":
        """Read a plan from a TOML file.

        Raises:
            FaultPlanError: The file cannot be read or is no plan.
        """
        name = Path(path).name
        try:
            with Path(path).open("rb") as file:
                data = file.read(_MAX_PLAN + 1)
        except OSError as e:
            raise FaultPlanError(f"cannot read fault plan {name!r}: {e.strerror}") from e
        if len(data) > _MAX_PLAN:
            raise FaultPlanError(f"fault plan {name!r} is larger than {_MAX_PLAN} bytes")
        try:
            return cls.parse(data.decode())
        except ValueError as e:
            raise FaultPlanError(f"fault plan {name!r}: {e}") from e

    @classmethod
    def parse(cls, text: str) -> "FaultPlan":
        """Read a plan from TOML: a `seed` and any number of `[[rule]]` tables.

        Raises:
            FaultPlanError: It is no plan.
        """
        try:
            plan = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as e:
            raise FaultPlanError(f"not TOML: {e}") from e
        _check(plan, {"seed": int, "rule": list})
        tables = plan.get("rule", [])
        if len(tables) > _MAX_RULES:
            raise FaultPlanError(f"more than {_MAX_RULES} rules")
        rules = tuple(_rule_of(number, table) for number, table in enumerate(tables, 1))
        return cls(rules, plan.get("seed", 0))


_RULE_KEYS: Final[Mapping[str, type]] = {
    "at": str,
    "do": str,
    "path": str,
    "message": str,
    "probability": float,
    "limit": int,
    "after": int,
    "seconds": float,
}


def _check(table: Any, keys: Mapping[str, type]) -> None:
    """Refuse unknown keys and values of other types; a float may be written as an integer."""
    if not isinstance(table, dict):
        raise FaultPlanError("expected a table")
    for key, value in table.items():
        kind = keys.get(key)
        if kind is None:
            raise FaultPlanError(f"unknown key {key!r}; known are {', '.join(keys)}")
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise FaultPlanError(f"{key} must be of type {kind.__name__}")


def _rule_of(number: int, table: Any) -> Rule:
    try:
        _check(table, _RULE_KEYS)
        return Rule(**{"at": "", "do": "", **table})
    except FaultPlanError as e:
        raise FaultPlanError(f"rule {number}: {e}") from None


def random_plan(seed: int, *, paths: Sequence[str] = ("*",)) -> FaultPlan:
    """A plan by chance: a few rules of any kind, each striking a few times at most.

    Args:
        seed: Of the plan.
        paths: Globs to aim at; spare what has no supervisor that may restart it.
    """
    chance = random.Random(seed)  # noqa: S311 -- replayed from the seed on purpose
    rules = []
    for _ in range(chance.randint(1, _MOST_BY_CHANCE)):
        at, do, probability = chance.choice(_BY_CHANCE)
        # Virtual time stands still while work is done: only a wait of 0 falls into the midst of it.
        wait = chance.choice((0.0, round(chance.uniform(0.0, 2.0), 3)))
        rules.append(
            Rule(
                at,
                do,
                path=chance.choice(paths),
                probability=chance.uniform(0.2, 1.0) * probability,
                limit=chance.randint(1, 4),
                after=chance.randrange(8),
                seconds=wait if do in _SECONDS else None,
            )
        )
    return FaultPlan(tuple(rules), seed)
