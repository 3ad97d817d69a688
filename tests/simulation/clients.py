"""Clients of the simulated daemon: they submit and follow as the edge does."""

from functools import cache

import attrs
import trio

from actorllm.actors.kernel import KernelError
from actorllm.actors.runner.engine.fake import FAKE_BOS, FAKE_EOS, babble
from actorllm.actors.runner.engine.types import Sampling, Work
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import Done, Follow, GenerateRequest, Submit

ASK_TIMEOUT = 60.0
WINDOW = 64


@cache
def spoken(prompt: str, seed: int, most: int = 1000) -> str:
    """What the fake engine says to a raw prompt, if nothing disturbs it."""
    work = Work(
        id=0, prompt=(FAKE_BOS, *prompt.encode()), sampling=Sampling(seed=seed), max_tokens=most
    )
    said = bytearray()
    while len(said) < most and (token := babble(work, len(said))) != FAKE_EOS:
        said.append(token)
    return said.decode()


def raw_request(model: str, prompt: str, seed: int, **changes) -> GenerateRequest:
    """A request whose prompt gets to the engine as it is."""
    options = {"seed": seed} | changes.pop("options", {})
    return GenerateRequest(model, "generate", prompt=prompt, raw=True, options=options, **changes)


@attrs.define
class Client:
    """One request, and what became of it."""

    name: str
    request: GenerateRequest
    expected: str
    begins: float = 0.0
    """Seconds to wait first."""
    leaves_after: float = float("inf")
    """Seconds after which it goes away."""
    pause: float = 0.0
    """Seconds that it takes to read a chunk."""
    text: str = ""
    endings: list[object] = attrs.field(factory=list)
    """Exactly one: a `Done`, a refusal or an error of the kernel; "left" if it went away."""
    seconds: float = 0.0
    notices: tuple[str, ...] = ()

    async def run(self, node) -> None:
        await trio.sleep(self.begins)
        began = trio.current_time()
        with trio.move_on_after(self.leaves_after) as scope:
            await self._talk(node)
        if scope.cancelled_caught and not self.endings:
            self.endings.append("left")
        self.seconds = trio.current_time() - began

    async def _talk(self, node) -> None:
        try:
            submit = Submit(self.request, self.name)
            ticket = await node.ref("/queue").ask(submit, timeout=ASK_TIMEOUT)
            async with node.ref(ticket.job).stream(Follow(), window=WINDOW) as items:
                async for chunk in items:
                    self._take(chunk)
                    if self.pause:
                        await trio.sleep(self.pause)
        except (Refused, KernelError) as e:
            self.endings.append(e)

    def _take(self, chunk) -> None:
        self.text += chunk.content
        self.notices += chunk.notices
        if chunk.done is not None:
            self.endings.append(chunk.done)

    @property
    def done(self) -> Done | None:
        ending = self.endings[0] if self.endings else None
        return ending if isinstance(ending, Done) else None
