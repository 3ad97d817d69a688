"""Prompts whose computed beginning outlives the process that computed it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.daemon import MODEL, Daemon, eventually

PROMPT = "Once there was a fox who liked to count the stars. " * 40
"""Some 700 tokens, of a window of 1,024."""


def ask(daemon: Daemon) -> dict[str, Any]:
    answer = daemon.post(
        "/api/generate",
        model=MODEL,
        prompt=PROMPT,
        raw=True,
        stream=False,
        options={"temperature": 0, "num_predict": 24},
    )
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done


def unload(daemon: Daemon) -> None:
    daemon.post("/api/generate", model=MODEL, keep_alive=0).raise_for_status()
    eventually(lambda: not daemon.runners(), what="the runner is gone")


@pytest.fixture
def restart() -> Iterator[Callable[[Daemon], Daemon]]:
    """Ends a daemon with SIGTERM, and starts another one over its files."""
    started: list[Daemon] = []

    def again(daemon: Daemon) -> Daemon:
        daemon.stop()
        started.append(Daemon(daemon.state.parent))
        return started[-1].wait()

    yield again
    for daemon in started:
        daemon.stop()


def test_a_prompt_is_not_computed_again_after_an_unload_and_a_restart(
    start: Callable[..., Daemon], restart: Callable[[Daemon], Daemon]
):
    daemon = start()
    first = ask(daemon)
    assert first["prompt_eval_count"] > 500
    assert "cached_tokens" not in first.get("actorllm", {})
    unload(daemon)
    after_unload = ask(daemon)
    daemon = restart(daemon)
    after_restart = ask(daemon)
    for later in (after_unload, after_restart):
        assert later["response"] == first["response"]
        assert later["prompt_eval_count"] == first["prompt_eval_count"]
        assert later["actorllm"]["cached_tokens"] == first["prompt_eval_count"] - 1
