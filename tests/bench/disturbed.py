# ruff: noqa: T201 -- a script that prints
"""The gaps of streams while other programs come and go, with and without pinned threads.

    python -m tests.bench.disturbed [ROUNDS [PROGRAMS [STREAMS]]]

Each program computes for two seconds and rests for three. Both daemons run all the time and take
turns; in one of them OpenMP is told to leave its threads alone, and so the engine does.
"""

import selectors
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.machine import describe
from tests.bench.models import create, half_billion
from tests.bench.throughput import asked, through_http
from tests.integration.daemon import Daemon

_TOKENS = 200
_PROGRAM = """
import time
while True:
    end = time.perf_counter() + 2
    while time.perf_counter() < end:
        pass
    time.sleep(3)
"""


def gaps(daemon: Daemon, streams: int) -> tuple[list[float], float]:
    """Read some streams; give the seconds between their chunks in order, and tokens per second."""
    found: list[float] = []
    last: dict[int, float] = {}
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for seed in range(streams):
            selector.register(asked(daemon, "m", seed, _TOKENS), selectors.EVENT_READ, seed)
        while selector.get_map():
            for key, _ in selector.select():
                data = key.fileobj.recv(1 << 16)
                now = time.perf_counter()
                if not data:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    continue
                if key.data in last:
                    found.append(now - last[key.data])
                last[key.data] = now
    return sorted(found), streams * _TOKENS / (time.perf_counter() - began)


def line(name: str, found: list[float], rate: float) -> str:
    """Tell of one round."""
    median, late = (round(1000 * found[int(len(found) * part)]) for part in (0.5, 0.99))
    longest = round(1000 * found[-1])
    return (
        f"{name}: {rate:.1f} tok/s; gaps: median {median} ms, p99 {late} ms, longest {longest} ms"
    )


def main() -> None:
    given = [int(number) for number in sys.argv[1:4]]
    rounds, programs, streams = given + [3, 1, 1][len(given) :]
    print(describe(), flush=True)
    others: list[subprocess.Popen[bytes]] = []
    daemons: dict[str, Daemon] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name, environ in (("pinned", {}), ("not pinned", {"OMP_PROC_BIND": "false"})):
                place = Path(folder) / name
                daemon = Daemon(place, ACTORLLM_NUM_PARALLEL=str(streams), **environ).wait()
                daemons[name] = daemon
                create(daemon, "m", half_billion())
                through_http(daemon, "m", streams, 16)  # loads
            for _ in range(programs):  # in sessions of their own, as those of a desktop are
                command = [sys.executable, "-c", _PROGRAM]
                others.append(subprocess.Popen(command, start_new_session=True))
            for _ in range(rounds):
                for name, daemon in daemons.items():
                    print(line(name, *gaps(daemon, streams)), flush=True)
        finally:
            for other in others:
                other.kill()
                other.wait()
            for daemon in daemons.values():
                daemon.stop()


if __name__ == "__main__":
    main()
