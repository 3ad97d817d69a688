"""Pins of actors, and what is tidied up after them, whatever their end is."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from actorllm.actors.blobs.pins import Pin
from actorllm.actors.library.catalog import Catalog

__all__ = ["pinning", "tidied"]

_SECONDS: Final = 10.0
"""For tidying up, before nobody waits for it: it is short, but it waits for the lock of a store that
other programs use."""


@asynccontextmanager
async def pinning(catalog: Catalog, pin: Pin) -> AsyncIterator[Pin]:
    """Hold blobs of a catalog; those that lost their last model meanwhile go at the end."""
    try:
        yield pin
    finally:
        pin.close()
        await tidied(catalog.sweep)


async def tidied(act: Callable[[], object]) -> None:
    """Do what must be done at an end, in a thread, also for somebody who is cancelled."""
    with trio.move_on_after(_SECONDS, shield=True):
        await trio.to_thread.run_sync(act, abandon_on_cancel=True)
