"""The tokens that `context` has: of the prompt and the answer."""

from types import SimpleNamespace

from actorllm.actors.runner.messages import RunnerArgs
from actorllm.actors.runner.prompting import prepare
from actorllm.actors.runner.simulated import SimulatedRunner


class Counting(SimulatedRunner):
    threads = 0

    async def in_thread(self, work, *args, **how):
        self.threads += 1
        return await super().in_thread(work, *args, **how)


async def test_the_tokens_of_a_long_text_are_found_beside_the_event_loop(desk, generate):
    runner = Counting(RunnerArgs(desk.loaded.settings))
    runner._host = desk.host
    wanted = generate(prompt="hi")
    prepared = prepare(desk.host, desk.loaded, wanted)

    async def context(answer):
        return await runner._context(wanted, prepared, SimpleNamespace(raw=answer))

    text = prepared.text.encode()
    assert await context("yes") == tuple(text + b"yes")
    assert runner.threads == 0
    assert await context("y" * 40_000) == tuple(text + b"y" * 40_000)
    assert runner.threads == 1
