"""Requests at the same time."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import trio

from actorllm.cli.errors import Failure

__all__ = ["side_by_side"]

T = TypeVar("T")


async def side_by_side(jobs: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Run jobs at the same time and return what they give, in their order.

    Raises:
        Failure: The first one that failed; the other jobs are cancelled.
    """
    results: dict[int, T] = {}
    failures: list[Failure] = []

    async def run(number: int, job: Callable[[], Awaitable[T]]) -> None:
        try:
            results[number] = await job()
        except Failure as e:
            failures.append(e)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for number, job in enumerate(jobs):
            nursery.start_soon(run, number, job)
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(jobs))]
