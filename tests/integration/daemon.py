"""A real daemon for tests: started, watched from outside, and always reaped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

__all__ = ["Daemon", "eventually"]

START_SECONDS = 30.0
STOP_SECONDS = 10.0
TIMEOUT = 60.0
MODEL = "seedling"

T = TypeVar("T")


def eventually(look: Callable[[], T], *, within: float = 10.0, what: str = "") -> T:
    """Look again and again until something true is seen; it is returned."""
    end = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"not within {within:g} s: {what or look}")
        time.sleep(0.02)


class Daemon:
    """A daemon of its own: state, models and port.

    Args:
        folder: For everything it writes.
        main: The module that is run; it takes the arguments of the command.
        plan: A fault plan.
        environ: Further variables, such as `ACTORLLM_MAX_QUEUE`.
    """

    def __init__(
        self, folder: Path, *, main: str = "actorllm.cli.main", plan: str = "", **environ: str
    ) -> None:
        self.state = folder / "state"
        self.models = folder / "models"
        self.state.mkdir(parents=True, exist_ok=True)
        (self.state / "daemon.json").unlink(missing_ok=True)  # of one that ran here before
        self._log = folder / "log"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ACTORLLM_", "OLLAMA_"))}
        self.environ = clean | {
            "ACTORLLM_HOST": "127.0.0.1:0",
            "ACTORLLM_STATE": str(self.state),
            "ACTORLLM_MODELS": str(self.models),
            **environ,
        }
        command = [sys.executable, "-m", main, "serve"]
        if plan:
            faults = folder / "faults.toml"
            faults.write_text(plan)
            command += ["--faults", str(faults)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pids = {self.process.pid}
        self.url = ""

    def wait(self) -> "Daemon":
        """Wait until it listens; it is stopped if it does not."""
        announced = self.state / "daemon.json"

        def url() -> str:
            assert self.process.poll() is None, self.log
            text = announced.read_text() if announced.exists() else ""
            return json.loads(text)["url"] if text else ""

        try:
            self.url = eventually(url, within=START_SECONDS, what="the daemon listens")
        except BaseException:
            self.stop()
            raise
        self.client = httpx.Client(base_url=self.url, timeout=TIMEOUT)
        return self

    @property
    def log(self) -> str:
        """All that it has written."""
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """End it, and whatever of it is left."""
        if self.url:
            self.client.close()
        everybody = self.family()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for process in everybody:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

    def family(self) -> list[psutil.Process]:
        """The daemon's children, and their children."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    # What it says of itself

    def actors(self) -> dict[str, Any]:
        """All actors by their path."""
        return {a["path"]: a for a in _flat(self._snapshot()["root"])}

    def counters(self) -> dict[str, int]:
        return self._snapshot()["counters"]

    def _snapshot(self) -> dict[str, Any]:
        return self.client.get("/api/actors").json()

    def pinned(self) -> dict[str, tuple[int, int]]:
        """Incarnation and restarts of every actor that is there for good."""
        return {
            path: (a["incarnation"], a["restarts"])
            for path, a in self.actors().items()
            if path.count("/") == 1
        }

    def runners(self, model: str = "") -> list[int]:
        """Process ids of the runners, the oldest first; those of one model."""
        found = [a for p, a in self.actors().items() if p.startswith(f"/scheduler/{model}")]
        return [a["info"]["pid"] for a in found if a["info"].get("pid")]

    def jobs(self) -> list[dict[str, Any]]:
        """What each job says of itself."""
        return [a["info"] for p, a in self.actors().items() if p.startswith("/queue/")]

    def is_idle(self) -> bool:
        """Whether nobody holds or waits for anything."""
        actors = self.actors()
        scheduler = actors["/scheduler"]["info"]
        jobs = [p for p in actors if p.startswith("/queue/")]
        return not (jobs or scheduler["leases"] or scheduler["waiting"])

    def until_idle(self, within: float = 10.0) -> None:
        eventually(self.is_idle, within=within, what="no leases, nobody waits, no jobs")

    # Asking it

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.client.post(path, json=body)

    def ask_capital(self) -> httpx.Response:
        """A question whose answer is known."""
        return self.post(
            "/api/chat",
            model=MODEL,
            stream=False,
            think=False,
            messages=[{"role": "user", "content": "What is the capital of Japan?"}],
            options={"temperature": 0},
        )

    def assert_works(self) -> None:
        """The next request is answered as ever."""
        answer = self.ask_capital()
        assert answer.status_code == 200, answer.text
        assert answer.json()["message"]["content"] == "The capital of Japan is Tokyo."


def _flat(actor: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield actor
    for child in actor["children"]:
        yield from _flat(child)
