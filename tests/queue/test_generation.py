"""A generation, from its model to its last chunk."""

import pytest
import trio

from actorllm.actors.kernel.testkit import SILENCE
from actorllm.actors.runner.messages import Generate, Piece, Resume
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import Chunk, Done, GenerateRequest
from actorllm.protocol.messages.models import ResolveModel
from actorllm.protocol.messages.scheduling import Acquire, Lease, Proven, Unload
from tests.queue.conftest import HELLO, PIECES, RUNNER, refused, text_of
from tests.simulation.system import make_model


async def test_a_request_is_resolved_leased_and_streamed(autojump_clock, world):
    async with world() as w:
        chunks = await w.generate(HELLO)
        assert text_of(chunks) == "hey"
        done = chunks[-1].done
        assert (done.reason, done.load_duration, done.failovers) == ("stop", 5_000, 0)
        assert w.library.received(ResolveModel) == [ResolveModel("m", "generate")]
        [work] = w.runner.received(Generate)
        assert (work.options.seed, work.request.options, work.resume) == (3, {}, Resume())
        await trio.sleep(0.1)
        assert w.jobs == 0


async def test_a_request_keeps_to_the_window_of_its_lease(autojump_clock, world):
    for window, num_ctx in ((0, None), (512, 512)):
        async with world(lease=Lease(8, RUNNER, 1, 1024, 5, window=window)) as w:
            await w.generate(HELLO)
            [work] = w.runner.received(Generate)
            assert work.options.num_ctx == num_ctx


async def test_the_scheduler_hears_of_the_first_token_once(autojump_clock, world):
    async with world() as w:
        await w.generate(HELLO)
        assert w.scheduler.received(Proven) == [Proven(7)]
    async with world(lease=Lease(8, RUNNER, 1, 1024, 5)) as w:
        await w.generate(HELLO)
        assert w.scheduler.received(Proven) == []


async def test_a_scheduler_that_does_not_listen_holds_the_stream_up_for_a_second(
    autojump_clock, world
):
    async with world() as w:
        w.scheduler.on(Proven, SILENCE)
        began = trio.current_time()
        assert text_of(await w.generate(HELLO)) == "hey"
        assert trio.current_time() - began < 1.1


async def test_each_request_without_a_seed_gets_one(autojump_clock, world):
    async with world() as w:
        for _ in range(2):
            await w.generate(GenerateRequest("m", "generate", prompt="p"))
        first, second = (work.options.seed for work in w.runner.received(Generate))
        assert first != second
        assert min(first, second) >= 0


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"raw": True, "system": "s"}, 400, "raw mode does not support template"),
        ({"think": True, "format": 7}, 400, '"m" does not support thinking'),
        ({"format": 7, "options": {"seed": "x"}}, 500, 'option "seed" must be of type integer'),
        ({"format": 7}, 500, "invalid format"),
        ({"options": {"seed": "x"}}, 500, 'option "seed" must be of type integer'),
    ],
)
async def test_what_cannot_be_is_refused_before_a_lease(
    autojump_clock, world, changes, status, text
):
    async with world() as w:
        request = GenerateRequest("m", "generate", prompt="p", **changes)
        problem = await refused(w.generate(request))
        assert problem.status == status
        assert problem.text.startswith(text)
        assert w.scheduler.messages == []


async def test_a_model_that_is_not_there_is_the_first_thing_to_be_said(autojump_clock, world):
    async with world() as w:
        w.library.on(ResolveModel, Refused.because(404, "model 'm' not found"))
        request = GenerateRequest("m", "generate", prompt="p", raw=True, system="s")
        assert (await refused(w.generate(request))).status == 404


async def test_unknown_options_are_told_with_the_first_chunk(autojump_clock, world):
    lease = Lease(7, RUNNER, 1, 1024, 5, notices=("degraded",))
    pieces = (Piece((1,), Chunk("a", notices=("cut",))), *PIECES[1:])
    async with world(lease=lease, pieces=(pieces,)) as w:
        request = GenerateRequest("m", "generate", prompt="p", options={"tfs_z": 1})
        first, *others = await w.generate(request)
        assert first.notices == (
            "option 'tfs_z' is unknown and was ignored",
            "degraded",
            "cut",
        )
        assert not any(chunk.notices for chunk in others)


@pytest.mark.parametrize(
    "request_",
    [GenerateRequest("m", "generate"), GenerateRequest("m", "chat", keep_alive=60)],
)
async def test_a_request_without_words_loads_the_model(autojump_clock, world, request_):
    async with world() as w:
        assert await w.generate(request_) == [Chunk(done=Done("load"))]
        [acquire] = w.scheduler.received(Acquire)
        assert acquire.keep_alive == request_.keep_alive
        assert w.runner.messages == []


async def test_a_request_without_words_and_time_unloads_the_model(autojump_clock, world):
    async with world() as w:
        request = GenerateRequest("m", "chat", keep_alive=0)
        assert await w.generate(request) == [Chunk(done=Done("unload"))]
        assert w.scheduler.messages == [Unload("sha256:m")]


async def test_a_thinking_model_is_told_to_think(autojump_clock, world):
    async with world(model=make_model("m", capabilities=("completion", "thinking"))) as w:
        await w.generate(GenerateRequest("m", "chat", messages=(ChatMessage("user", "hi"),)))
        assert w.runner.received(Generate)[0].request.think is True


async def half(_):
    """One token, then the runner dies."""
    yield PIECES[0]
    raise RuntimeError("the runner broke down")


async def test_a_stream_goes_on_behind_the_tokens_that_were_delivered(autojump_clock, world):
    async with world(pieces=(half, PIECES[1:])) as w:
        w.scheduler.on(Acquire, *(lambda _, n=n: _leases(n) for n in (1, 2)))
        chunks = await w.generate(HELLO)
        assert text_of(chunks) == "hey"
        assert chunks[-1].done.failovers == 1
        assert chunks[-1].done.notices == ("runners that died under the stream, which went on: 1",)
        first, second = w.runner.received(Generate)
        assert (first.options, first.now) == (second.options, second.now)
        assert second.resume == Resume((1,), 2)
        assert [a.suspect for a in w.scheduler.received(Acquire)] == [False, False]


@pytest.mark.parametrize("pieces", [PIECES, PIECES[2:], (evolve(PIECES[2], tokens=(1,)),)])
async def test_a_runner_that_dies_after_the_last_piece_is_not_missed(autojump_clock, world, pieces):
    async def whole(_):
        for piece in pieces:
            yield piece
        raise RuntimeError("the runner broke down")

    async with world(pieces=(whole, PIECES)) as w:
        w.scheduler.on(Acquire, *(lambda _, n=n: _leases(n) for n in (1, 2)))
        chunks = await w.generate(HELLO)
        assert [chunk.done is not None for chunk in chunks] == [*[False] * (len(pieces) - 1), True]
        assert chunks[-1].done.failovers == 0
        assert len(w.runner.received(Generate)) == 1


async def _leases(incarnation):
    await trio.sleep(0.5)  # the probe is restarted meanwhile
    yield Lease(incarnation, RUNNER, incarnation, 1024, 5)
    await trio.sleep_forever()


async def test_a_request_that_kills_its_runner_twice_gets_a_problem(autojump_clock, world):
    async with world(pieces=(RuntimeError("boom"),)) as w:
        w.scheduler.on(Acquire, *(lambda _, n=n: _leases(n) for n in (1, 2, 3)))
        problem = await refused(w.generate(HELLO))
        assert problem.status == 500
        assert problem.text == (
            "this request crashed the runner of 'm' twice (RuntimeError: boom); change it"
        )
        assert [a.suspect for a in w.scheduler.received(Acquire)] == [False, True]


async def test_what_got_lost_is_said_again(autojump_clock, world):
    async with world() as w:
        for path, message in (
            ("/library", "ResolveModel"),
            ("/scheduler", "Acquire"),
        ):
            w.kit.inject("deliver", "drop", path=path, message=message, limit=1)
        began = trio.current_time()
        assert text_of(await w.generate(HELLO)) == "hey"
        assert trio.current_time() - began == pytest.approx(60, abs=1)  # a timeout for each
