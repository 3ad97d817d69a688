"""Seeded streams that are long, and what has come of them."""

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import httpx

from tests.integration.daemon import MODEL, TIMEOUT, Daemon

__all__ = ["SEEDS", "Answer", "follow", "follow_all"]

SEEDS = (43, 50, 60, 85)
TOKENS = 300
_ENDS = {"0": -100, "2": -100}
"""The tokens that end a text: without them streams are as long as they are asked to be."""


@attrs.frozen
class Answer:
    """A stream that came to its end."""

    text: str
    spelled: bytes
    """The bytes of the tokens that were reported one by one."""
    tokens: int
    last: dict[str, Any]

    def assert_sound(self) -> None:
        """Nothing was repeated, lost or altered: text and tokens agree, and all were counted."""
        assert self.last["done"], self.last
        assert self.text == self.spelled.decode("utf-8", "replace")
        assert self.last["eval_count"] >= self.tokens >= self.last["eval_count"] - 1

    @property
    def failovers(self) -> int:
        return int(self.last.get("actorllm", {}).get("failovers", 0))


def body_of(
    seed: int, *, model: str = MODEL, prompt: str = "Once upon a time", **options: Any
) -> dict[str, Any]:
    return {
        "model": model,
        "prompt": prompt,
        "raw": True,
        "logprobs": True,
        "options": {
            "temperature": 4,
            "top_k": 0,
            "top_p": 1,
            "num_predict": TOKENS,
            "logit_bias": _ENDS,
        }
        | {"seed": seed, **options},
    }


def follow(
    daemon: Daemon, seed: int, heard: Callable[[int], None] = lambda _: None, **options: Any
) -> Answer:
    """Follow one stream to its end; `heard` is told how many tokens each frame brings."""
    text, spelled, tokens = [], bytearray(), 0
    body = body_of(seed, **options)
    with httpx.stream("POST", f"{daemon.url}/api/generate", json=body, timeout=TIMEOUT) as stream:
        for line in stream.iter_lines():
            frame = json.loads(line)
            assert "error" not in frame, frame
            text.append(frame["response"])
            brought = frame.get("logprobs", ())
            for token in brought:
                spelled += bytes(token["bytes"])
            tokens += len(brought)
            heard(len(brought))
    return Answer("".join(text), bytes(spelled), tokens, frame)


class Trigger:
    """Calls once, after so many tokens of all streams together."""

    def __init__(self, after: int, call: Callable[[], None]) -> None:
        self._left = after
        self._call = call
        self._lock = threading.Lock()

    def __call__(self, tokens: int) -> None:
        with self._lock:
            due = 0 < self._left <= tokens
            self._left -= tokens
        if due:
            self._call()


def follow_all(
    daemon: Daemon,
    seeds: Sequence[int] = SEEDS,
    *,
    after: int = 0,
    call: Callable[[], None] = lambda: None,
    **options: Any,
) -> list[Answer]:
    """Follow streams side by side; after so many tokens, call."""
    heard = Trigger(after, call)
    with ThreadPoolExecutor(len(seeds)) as pool:
        return list(pool.map(lambda seed: follow(daemon, seed, heard, **options), seeds))
