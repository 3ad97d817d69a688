"""AMX is refused in a process of its own, for it is asked for once per process."""

import signal
import subprocess
import sys

import pytest

from actorllm.actors.runner.engine.amx import cpu_has_amx

GENERATE = """
import sys
from actorllm.actors.runner.engine.context import Context
from actorllm.actors.runner.engine.batching import Pass, Run
from actorllm.actors.runner.engine.opening import open_model
from actorllm.actors.runner.engine.types import EngineSettings

path, allow, slots = sys.argv[1], sys.argv[2] == "allow", int(sys.argv[3])
opened = open_model(EngineSettings(model_path=path, allow_amx=allow, slots=slots, num_ctx=256))
runs = tuple(Run(slot, 0, (5,), output=True) for slot in range(slots))
opened.context.decode(Pass("decode", runs))
print("computed with AMX", opened.loaded.amx)
"""


def generate(path: str, amx: str, slots: int) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", GENERATE, path, amx, str(slots)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("slots", [1, 8])
def test_a_quantised_model_computes_while_amx_is_refused(seedling, slots):
    done = generate(seedling, "refuse", slots)
    assert done.returncode == 0, done.stderr
    assert ("refused" if cpu_has_amx() else "absent") in done.stdout


@pytest.mark.skipif(not cpu_has_amx(), reason="this CPU has no AMX")
def test_the_guard_is_needed_where_the_cpu_has_amx(seedling):
    assert generate(seedling, "allow", 8).returncode == -signal.SIGSEGV
