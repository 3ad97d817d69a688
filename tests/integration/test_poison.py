"""Requests that kill their runner, and models that do."""

import json
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import pytest

from tests.integration.daemon import MODEL, TIMEOUT, Daemon, eventually
from tests.integration.streams import SEEDS, body_of, follow_all


@pytest.fixture(scope="module")
def daemon_of_its_own(start: Callable[..., Daemon]) -> Daemon:
    return start()


class Poisoned(threading.Thread):
    """A stream whose runner is shot again and again as soon as it has the request.

    It stands for a request that crashes the runner in its first step.
    """

    def __init__(self, daemon: Daemon) -> None:
        super().__init__()
        self._daemon = daemon
        self.frames: list[dict[str, Any]] = []
        self.status = 0

    def run(self) -> None:
        body = body_of(7) | {"prompt": "poison"}
        url = f"{self._daemon.url}/api/generate"
        with httpx.stream("POST", url, json=body, timeout=TIMEOUT) as answer:
            self.status = answer.status_code
            self.frames = [json.loads(line) for line in answer.iter_lines()]
