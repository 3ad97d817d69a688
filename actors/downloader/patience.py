"""Trying again."""

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

from actorllm.actors.downloader.registry import RegistryError
from actorllm.actors.downloader.retry import Policy
from actorllm.protocol.errors import Refused

__all__ = ["patiently"]

R = TypeVar("R")

_PROGRESS: Final = 64 * 1024
"""Bytes that must have been carried for a failure to count as the first one again."""


async def patiently(
    policy: Policy,
    act: Callable[[], Awaitable[R]],
    progress: Callable[[], int] = lambda: 0,
    *,
    told: Callable[[str], None],
) -> R:
    """Try until it works, or has failed too often in a row.

    Args:
        policy: How often, and the waits between.
        act: Raises `RegistryError` where it fails.
        progress: Bytes that were carried so far.
        told: Called before each further try with what went wrong, and when that will be.

    Raises:
        Refused: It does not work.
    """
    tries, before = 0, progress()
    while True:
        try:
            return await act()
        except RegistryError as e:
            if not e.passes:
                raise e.refused() from e
            if progress() - before >= _PROGRESS:
                tries, before = 0, progress()
            tries += 1
            if tries >= policy.tries:
                raise Refused.because(500, f"max retries exceeded: {e.text}") from e
            text = e.text
            wait = policy.wait(tries, random.random(), e.retry_after)  # noqa: S311 -- jitter
        told(f"{text}; trying again in {wait:.0f} s ({tries} of {policy.tries - 1})")
        await trio.sleep(wait)
