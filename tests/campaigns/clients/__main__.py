# ruff: noqa: T201 -- a script that prints
"""Clients that people use, each in an environment of its own, against a real daemon.

    python -m tests.campaigns.clients [NAME...]

Without names, or with all of them, docs/reference/clients.md is written anew.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs

from tests.bench.models import create
from tests.campaigns.environments import npm_folder, python_of
from tests.integration.daemon import MODEL, Daemon

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
GOLDENS = ROOT / "tests" / "goldens" / "exchanges"
PAGE = ROOT / "docs" / "reference" / "clients.md"
SECONDS = 400.0
"""For all steps of a client."""
_LONGEST = 500
"""Characters of a problem."""

HEAD = """# Clients

Programs that speak to actorllm without knowing it: each in an environment of its own, against a real
daemon with the built-in model under names that they know (`llama3.2`, `qwen3` with a template that
thinks, a tiny BERT as `all-minilm`). Written by `python -m tests.campaigns.clients`, which needs
`node` and `npm` for the lower half.

| client | version | what was exercised | passed |
| --- | --- | --- | --- |
"""


@attrs.frozen
class Client:
    """A client: its packages, and the script that uses it."""

    name: str
    script: str
    requirements: tuple[str, ...]
    title: str = ""

    @property
    def is_python(self) -> bool:
        return self.script.endswith(".py")

    @property
    def version(self) -> str:
        """The pinned versions of its packages that matter."""
        separator = "==" if self.is_python else "@"
        return ", ".join(r.rpartition(separator)[2] for r in self.requirements)


@attrs.frozen
class Step:
    """What was tried, and what went wrong."""

    name: str
    problem: str


CLIENTS = (
    Client("ollama", "with_ollama.py", ("ollama==0.6.3",)),
    Client("openai", "with_openai.py", ("openai==3.54.0",)),
    Client("anthropic", "with_anthropic.py", ("anthropic==2.12.0",)),
    Client("langchain-ollama", "with_langchain_ollama.py", ("langchain-ollama==1.1.0",)),
    Client("litellm", "with_litellm.py", ("litellm==1.105.0",)),
    Client("pydantic-ai", "with_pydantic_ai.py", ("pydantic-ai-slim[openai]==2.68.0",)),
    Client("instructor", "with_instructor.py", ("instructor==1.17.0",)),
    Client("llm", "with_llm.py", ("llm==0.36", "llm-ollama==0.19.1"), "llm with llm-ollama"),
    Client("npm-ollama", "with_ollama.mjs", ("ollama@0.6.4",), "ollama"),
    Client("npm-openai", "with_openai.mjs", ("openai@7.57.0",), "openai"),
    Client(
        "npm-anthropic", "with_anthropic.mjs", ("@anthropic-ai/sdk@1.12.0",), "@anthropic-ai/sdk"
    ),
    Client(
        "npm-ai-sdk",
        "with_ai_sdk.mjs",
        ("@ai-sdk/openai-compatible@3.0.92", "ai@7.0.173"),
        "@ai-sdk/openai-compatible with ai",
    ),
)


def prepare(daemon: Daemon) -> None:
    """Give the daemon models under names that clients know."""
    template = next(
        model["template"]
        for model in json.loads((GOLDENS / "models.json").read_text())["models"]
        if model["model"] == "gold-tools"
    )
    create(daemon, "all-minilm", GOLDENS / "tiny-bert.gguf")
    thinks = {"model": "qwen3", "from": MODEL, "template": template}
    daemon.post("/api/create", stream=False, **thinks).raise_for_status()
    daemon.post("/api/copy", source=MODEL, destination="llama3.2").raise_for_status()


def command(client: Client) -> list[str | Path]:
    """Return what runs the script of a client, in an environment with its packages."""
    if client.is_python:
        return [python_of(client.name, *client.requirements), HERE / client.script]
    folder = npm_folder(client.name, *client.requirements)
    for name in ("steps.mjs", client.script):  # modules look for packages where they lie
        shutil.copy(HERE / name, folder / name)
    return ["node", folder / client.script]


def use(client: Client, daemon: Daemon) -> Iterator[Step]:
    """Let a client do what its users do."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "ANTHROPIC_"))}
    try:
        done = subprocess.run(
            command(client),
            env=environ | {"ACTORLLM_URL": daemon.url, "OLLAMA_HOST": daemon.url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (RuntimeError, subprocess.SubprocessError) as e:  # no packages, or no end
        yield Step("the script", str(e)[-_LONGEST:])
        return
    steps = [json.loads(s) for s in done.stdout.splitlines() if s.startswith('{"step"')]
    yield from (Step(step["step"], step["problem"]) for step in steps)
    if done.returncode or not steps:
        said = (done.stderr or done.stdout).strip()
        yield Step("the script", said[-_LONGEST:] or "it said nothing")


def row(client: Client, steps: list[Step]) -> str:
    """Write a line of the table."""
    failed = [f"{step.name}: {step.problem.splitlines()[0]}" for step in steps if step.problem]
    passed = f"{len(steps) - len(failed)} of {len(steps)}"
    kind = "Python" if client.is_python else "npm"
    names = "; ".join(step.name for step in steps)
    cells = (
        f"{kind} {client.title or client.name}",
        client.version,
        names,
        ". ".join([passed, *failed]),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main() -> int:
    wanted = [c for c in CLIENTS if not sys.argv[1:] or c.name in sys.argv[1:]]
    rows, failed, count = "", 0, 0
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder) / "daemon").wait()
        try:
            prepare(daemon)
            for client in wanted:
                steps = list(use(client, daemon))
                problems = [step for step in steps if step.problem]
                print(f"{client.name} {client.version}: {len(steps)} steps", flush=True)
                for step in problems:
                    print(f"  {step.name}: {step.problem}", flush=True)
                rows += row(client, steps)
                failed += len(problems)
                count += len(steps)
        finally:
            daemon.stop()
    if len(wanted) == len(CLIENTS):
        PAGE.write_text(HEAD + rows, encoding="utf-8")
    print(f"{len(wanted)} clients, {count} steps, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
