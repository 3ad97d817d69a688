# ruff: noqa: T201 -- a script that prints
"""What determinism costs: the speed of deterministic loads over that of ordinary ones.

    python -m tests.bench.determinism [ROUNDS] [TYPE...]

Random models of a quarter of a billion parameters. Both kinds of loads take turns, each in a process
of its own, on one thread; what counts is the processor time that this process took, so that other
programs matter little. Each figure is the best of the rounds. A table for docs/explanation comes
out.
"""

import json
import subprocess
import sys
import time

from actorllm.actors.runner.engine.log import install_log
from actorllm.actors.runner.engine.types import Sampling, Work
from tests.bench.machine import describe
from tests.bench.models import FOLDER
from tests.engine.conftest import Host
from tests.engine.weights import Shape, make_model

KINDS = ("F16", "Q8_0", "Q4_0", "Q4_K_M", "Q6_K")
SHAPE = Shape(layers=12, width=1024, inner=4096, heads=16, kv_heads=4, vocabulary=32_000)
WINDOW, PROMPT, TOKENS, SLOTS = 1024, 512, 32, 16
STREAMS = (1, 4, 16)
_FREE = Sampling(temperature=0, logit_bias=((2, float("-inf")),))


def measure(path: str, *, deterministic: bool) -> dict[str, float]:
    """Give the tokens for each second of processor time, by what is done."""
    mode = {"deterministic": True} if deterministic else {"unordered": True}
    host = Host(path, slots=SLOTS, num_ctx=WINDOW, threads=1, **mode)
    speeds = {}
    try:
        host.run(_work(0, 64, 2))
        assert host.loaded.deterministic == deterministic
        speeds["prompts"] = PROMPT / _seconds(host, [_work(1, PROMPT, 1)])
        for count in STREAMS:
            base = 100 * count
            prompts = _seconds(host, [_work(base + n, 8, 1) for n in range(count)])
            both = _seconds(host, [_work(base + 50 + n, 8, TOKENS) for n in range(count)])
            speeds[f"answers, {count}"] = count * (TOKENS - 1) / (both - prompts)
    finally:
        host.engine.close()
    return speeds


def _work(number: int, prompt: int, tokens: int) -> Work:
    """Make a work whose prompt begins like no other one."""
    begin = 300 + 31 * number
    return Work(
        id=number + 1,
        prompt=tuple(300 + (begin + 7 * n) % 30_000 for n in range(prompt)),
        sampling=_FREE,
        max_tokens=tokens,
    )


def _seconds(host: Host, works: list[Work]) -> float:
    began = time.process_time()
    host.run(*works)
    return time.process_time() - began


def _apart(path: str, mode: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.determinism", path, mode]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    speeds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return speeds


def main() -> None:
    if sys.argv[2:] in (["ordinary"], ["deterministic"]):
        print(json.dumps(measure(sys.argv[1], deterministic=sys.argv[2] == "deterministic")))
        return
    rounds = int(sys.argv[1]) if sys.argv[1:] else 3
    install_log()  # llama.cpp, which makes the weights, says only what went wrong
    FOLDER.mkdir(exist_ok=True)
    print(f"{describe()}; best of {rounds}\n")
    what = ["prompts", *(f"answers, {count}" for count in STREAMS)]
    print(f"| weights | {' | '.join(what)} |")
    print(f"| --- |{' --- |' * len(what)}")
    for kind in sys.argv[2:] or KINDS:
        path = make_model(FOLDER / f"random-0.25b-{kind}.gguf", kind, SHAPE)
        best: dict[str, dict[str, float]] = {"ordinary": {}, "deterministic": {}}
        for _ in range(rounds):
            for mode, speeds in best.items():
                for name, speed in _apart(path, mode).items():
                    speeds[name] = max(speed, speeds.get(name, 0.0))
        cells = (
            f"{best['deterministic'][name] / best['ordinary'][name]:.2f} "
            f"({best['deterministic'][name]:.0f} of {best['ordinary'][name]:.0f})"
            for name in what
        )
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
