# ruff: noqa: T201 -- a script that prints
"""The same bytes for the same request, for all types of weights, in a real daemon.

    python -m tests.campaigns.determinism [--kills N] [--seed N] [TYPE...]

For each type a small random model is made. Its four streams are followed alone; then side by side,
among fifteen others, behind their own cached prefixes, after an unload and after a restart, which
they come back from disk after, and across the kills of their runner at random moments. Each must say
the same, byte for byte, as alone. The tests run the same situations on the engine alone, with
smaller models (`tests/engine/test_kernels.py`). It ends with 1 if something differed.
"""

import argparse
import functools
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from actorllm.actors.runner.engine.log import install_log
from tests.bench.machine import describe
from tests.bench.models import create
from tests.engine.weights import TYPES, Shape, make_model
from tests.integration.daemon import Daemon, eventually
from tests.integration.streams import SEEDS, Answer, follow, follow_all

SHAPE = Shape(layers=4, width=512, inner=1024, heads=8, kv_heads=2, vocabulary=2048)
STREAMS, OTHERS = 16, 12
TOKENS = 120
_PROMPT = 400
"""Words; a short prompt is not worth a file."""
ENVIRON = {"ACTORLLM_NUM_PARALLEL": str(STREAMS), "ACTORLLM_CONTEXT_LENGTH": "1024"}


class Trial:
    """One type of weights.

    Args:
        daemon: Knows the model.
        model: Its name.
        kills: Random moments at which its runner dies.
        chance: Chooses them.
    """

    def __init__(self, daemon: Daemon, model: str, kills: int, chance: random.Random) -> None:
        self._daemon = daemon
        self._kills = kills
        self._chance = chance
        words = (f"w{chance.randrange(1700)}" for _ in range(_PROMPT))
        self._model = model
        self._options = {
            "model": model,
            "prompt": " ".join(words),
            "num_predict": TOKENS,
            "deterministic": True,
        }
        self._alone: list[str] = []

    def situations(self) -> Iterator[tuple[str, bool]]:
        """Go through the situations; gives whether all streams said the same in each."""
        alone = [follow(self._daemon, seed, **self._options) for seed in SEEDS]
        self._alone = [answer.text for answer in alone]
        yield "promised", not any(a.last.get("actorllm", {}).get("notices") for a in alone)
        yield "side by side, behind cached prefixes", self._same(self._all())
        yield f"among {OTHERS} others", self._among_others()
        self._unload()
        yield "after an unload", self._same(self._all())
        for _ in range(self._kills):
            after = self._chance.randint(1, len(SEEDS) * TOKENS // 3)
            answers = self._all(after=after, call=self._kill)
            met = "met" if any(answer.failovers for answer in answers) else "missed"
            yield f"killed after {after} tokens ({met})", self._same(answers)
        self._unload()

    def after_a_restart(self, daemon: Daemon) -> bool:
        """Compare once more, in the next daemon."""
        self._daemon = daemon
        return self._same(self._all())

    def _all(self, *, after: int = 0, call: Callable[[], None] = lambda: None) -> list[Answer]:
        return follow_all(self._daemon, after=after, call=call, **self._options)

    def _same(self, answers: Sequence[Answer]) -> bool:
        for answer in answers:
            answer.assert_sound()
        return [answer.text for answer in answers] == self._alone

    def _among_others(self) -> bool:
        with ThreadPoolExecutor(OTHERS) as pool:
            others = functools.partial(follow, self._daemon, model=self._model, num_predict=TOKENS)
            running = [
                pool.submit(others, number, prompt=f"w{number} " * (20 * number + 1))
                for number in range(OTHERS)
            ]
            same = self._same(self._all())
            for other in running:
                other.result().assert_sound()
        return same

    def _kill(self) -> None:
        for pid in self._daemon.runners(self._model):
            os.kill(pid, signal.SIGKILL)

    def _unload(self) -> None:
        self._daemon.post("/api/generate", model=self._model, keep_alive=0).raise_for_status()
        eventually(lambda: not self._daemon.runners(self._model), within=60)


def try_type(folder: Path, kind: str, kills: int, chance: random.Random) -> bool:
    """Go through all situations with one type; prints them, and gives whether all is well."""
    model = f"random-{kind.lower().replace('_', '-')}"
    daemon = Daemon(folder, **ENVIRON).wait()
    try:
        create(daemon, model, Path(make_model(folder / f"{kind}.gguf", kind, SHAPE)))
        trial = Trial(daemon, model, kills, chance)
        well = [_told(kind, *result) for result in trial.situations()]
    finally:
        daemon.stop()
    daemon = Daemon(folder, **ENVIRON).wait()
    try:
        well.append(_told(kind, "after a restart", trial.after_a_restart(daemon)))
    finally:
        daemon.stop()
    return all(well)


def _told(kind: str, what: str, same: bool) -> bool:
    print(f"{kind:<8}{what:<40}{'same' if same else 'DIFFERS'}", flush=True)
    return same


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.determinism")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("types", nargs="*", metavar="TYPE", default=list(TYPES))
    asked = parser.parse_args()
    print(f"{describe()}; seed {asked.seed}", flush=True)
    install_log()  # llama.cpp, which makes the weights, says only what went wrong
    chance = random.Random(asked.seed)
    well = []
    for kind in asked.types:
        with tempfile.TemporaryDirectory() as folder:
            well.append(try_type(Path(folder), kind, asked.kills, chance))
    print("all the same" if all(well) else "SOMETHING DIFFERED")
    sys.exit(not all(well))


if __name__ == "__main__":
    main()
