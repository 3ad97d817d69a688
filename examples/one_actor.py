"""One actor alone: a waiter that asks a runner again when the runner dies under it.

The runner is a probe; it crashes once, and once its answer is dropped on the way.

    python examples/one_actor.py
"""

import trio
import trio.testing

from actorllm.actors.kernel import Actor, KernelError
from actorllm.actors.kernel.testkit import Probe, actor_kit
from actorllm.protocol.codec import Ask, Value, message


@message
class Text(Value):
    text: str


@message
class Generate(Ask[Text]):
    prompt: str


@message
class Serve(Ask[Text]):
    prompt: str


class Waiter(Actor):
    """Brings an answer, however often the runner must be asked for it."""

    async def serve(self, m: Serve) -> Text:
        runner = self.ctx.ref("/scheduler/runner")
        for attempt in range(1, 6):
            try:
                answer = await runner.ask(Generate(m.prompt), timeout=2, again=True)
            except KernelError as e:
                self.ctx.log.info("asking again", because=str(e))
                continue
            return Text(f"{answer.text} (attempt {attempt})")
        raise RuntimeError("the runner never answered")


async def main() -> None:
    runner = Probe().on(Generate, MemoryError("out of memory"), Text("hello to you"))
    async with actor_kit(Waiter, neighbours={"/scheduler/runner": runner}) as kit:
        kit.inject("deliver", "drop", path="/scheduler/*", message="Generate", limit=1)
        answer = await kit.ref.ask(Serve("hello"), timeout=30)
        print(answer.text)
        print("the runner was started", runner.incarnations, "times")
        print("faults put in:", dict(kit.faults))
        print("restarts of the waiter:", kit.restarts)


if __name__ == "__main__":
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
