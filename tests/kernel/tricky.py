"""A producer whose streams end as they are told to, and a consumer that tells what it saw."""

from collections.abc import AsyncIterator

import trio
from counter import Total

from actorllm.actors.kernel import Actor, ActorDied
from actorllm.protocol.codec import Stream, message
from actorllm.protocol.errors import Refused


@message
class Tricky(Stream[Total]):
    items: int
    then: str


class Producer(Actor):
    def __init__(self):
        self.made = self.closed = 0

    async def tricky(self, m: Tricky) -> AsyncIterator[Total]:
        try:
            for n in range(m.items):
                self.made = n + 1
                yield Total(n)
            if m.then == "refuse":
                raise Refused.because(507, "no room")
            if m.then == "crash":
                raise ValueError("boom")
            if m.then == "wait":
                await trio.sleep_forever()
        finally:
            self.closed += 1


async def consume(ref, request, **kwargs):
    seen = []
    try:
        async with ref.stream(request, **kwargs) as items:
            while (item := await anext(items, None)) is not None:
                seen.append(item.n)
    except (Refused, ActorDied) as e:
        return seen, type(e)
    return seen, None
