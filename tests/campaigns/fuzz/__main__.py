# ruff: noqa: T201 -- a script that prints
"""schemathesis against a real daemon: cases made from its own OpenAPI document.

    python -m tests.campaigns.fuzz [CASES [SEED]]

CASES is the most that are made up for each operation, beside those that the schema's limits give.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.models import create
from tests.campaigns.environments import python_of
from tests.integration.daemon import Daemon

HERE = Path(__file__).parent
BERT = HERE.parents[1] / "goldens" / "exchanges" / "tiny-bert.gguf"
REQUIREMENTS = ("schemathesis==4.32.5", "openapi-spec-validator==0.9.0")
CASES, SEED = 30, 1
REQUEST_SECONDS = 60
FINISHED = {0, 1}
"""How schemathesis ends when it came to its end: nothing, or something, was found."""


def validate(python: Path, daemon: Daemon) -> int:
    """Check the document by itself."""
    command = [python, "-m", "openapi_spec_validator", "-"]
    document = daemon.client.get("/openapi.json").content
    return subprocess.run(command, input=document, check=False).returncode


def attack(python: Path, daemon: Daemon, cases: int, seed: int, report: Path) -> int:
    """Run all cases; failures are printed with a command that repeats them."""
    command = [
        *(python.with_name("st"), "--config-file", HERE / "schemathesis.toml"),
        *("run", f"{daemon.url}/openapi.json"),
        *("--max-examples", str(cases), "--seed", str(seed), "--continue-on-failure"),
        *("--request-timeout", str(REQUEST_SECONDS), "--no-color", "--warnings", "off"),
        *("--report", "json", "--report-json-path", str(report)),
    ]
    environ = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)}
    # It keeps what failed in its folder, and would begin with it the next time.
    return subprocess.run(command, cwd=report.parent, env=environ, check=False).returncode


def judge(ended: int, report: Path) -> tuple[bool, str]:
    """Say whether all is well, and the figures in one line.

    Args:
        ended: The exit status of schemathesis; negative: the signal that killed it.
        report: What it wrote, if it came so far.
    """
    how = f"it was killed by {signal.Signals(-ended).name}" if ended < 0 else f"it returned {ended}"
    if ended not in FINISHED:
        return False, f"schemathesis did not finish: {how}"
    try:
        made = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        return False, f"schemathesis left no report ({e}): {how}"
    cases, operations = made["test_cases"], made["operations"] or {"total": 0, "tested": 0}
    errors = sum(error["count"] for error in made["errors"])
    figures = (
        f"schemathesis {made['schemathesis_version']}, seed {made['seed']}: "
        f"{operations['tested']} of {operations['total']} operations, "
        f"{cases['generated']} cases, {cases['with_failures']} failed, {errors} errors"
    )
    whole = made["complete"] and 0 < operations["tested"] == operations["total"]
    if not whole:
        figures += "; not all of it was run"
    return whole and cases["generated"] > 0 and not (
        ended or cases["with_failures"] or errors
    ), figures


def main() -> int:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    python = python_of("schemathesis", *REQUIREMENTS)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        daemon = Daemon(Path(folder) / "daemon").wait()
        try:
            create(daemon, "bert", BERT)  # it embeds; the other one talks
            if validate(python, daemon):
                return 1
            ended = attack(python, daemon, cases, seed, report)
            daemon.assert_works()
        finally:
            daemon.stop()
        clean, said = judge(ended, report)
    print(said)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
