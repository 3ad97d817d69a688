"""One actor alone, with probes for its neighbours."""

import pytest
import trio

from actorllm.actors.kernel import (
    Actor,
    ActorDied,
    AskTimeout,
    ChildSpec,
    Intensity,
    MailboxFull,
    StartFailed,
)
from actorllm.actors.kernel.testkit import SILENCE, Probe, actor_kit
from actorllm.protocol.codec import Ask, Stream, Tell, Value, message
from actorllm.protocol.errors import Refused


@message
class Stock(Value):
    pieces: int


@message
class HowMany(Ask[Stock]):
    what: str


@message
class Watch(Stream[Stock]):
    pass


@message
class Sold(Tell):
    what: str


@message
class Receipt(Value):
    text: str


@message
class Buy(Ask[Receipt]):
    what: str


@message
class Tour(Ask[Receipt]):
    pass


class Shop(Actor):
    """Asks a store at `/back/store` and tells a ledger at `/ledger`."""

    async def buy(self, m: Buy) -> Receipt:
        stock = await self.ctx.ref("/back/store").ask(HowMany(m.what), timeout=2)
        if stock.pieces == 0:
            raise Refused.because(404, f"{m.what} is sold out")
        self.ctx.ref("/ledger").tell(Sold(m.what))
        return Receipt(f"1 of {stock.pieces}")

    async def tour(self, m: Tour) -> Receipt:
        async with self.ctx.ref("/back/store").stream(Watch(), window=2) as items:
            return Receipt(" ".join([str(item.pieces) async for item in items]))


def neighbours(store=None):
    return {"/back/store": store or Probe().on(HowMany, Stock(3)), "/ledger": Probe()}


async def test_a_probe_answers_by_script_and_keeps_what_it_took():
    around = neighbours(Probe().on(HowMany, Stock(2), Stock(1)))
    async with actor_kit(Shop, neighbours=around) as kit:
        assert await kit.ref.ask(Buy("tea"), timeout=1) == Receipt("1 of 2")
        assert await kit.ref.ask(Buy("tea"), timeout=1) == Receipt("1 of 1")
        assert await kit.ref.ask(Buy("jam"), timeout=1) == Receipt("1 of 1")
        assert await around["/ledger"].wait_for(Sold, 3) == Sold("jam")
        assert around["/back/store"].received(HowMany)[0] == HowMany("tea")
        assert kit.restarts == 0
        assert kit.dead_letters == ()


async def test_a_probe_answers_by_functions_of_the_message(autojump_clock):
    async def later(m):
        await trio.sleep(1)
        return Stock(len(m.what))

    store = Probe().on(HowMany, lambda _: Stock(0), later)
    async with actor_kit(Shop, neighbours=neighbours(store)) as kit:
        with pytest.raises(Refused, match="tea is sold out"):
            await kit.ref.ask(Buy("tea"), timeout=1)
        assert await kit.ref.ask(Buy("tea"), timeout=2) == Receipt("1 of 3")


async def test_a_probe_streams_a_sequence_or_an_async_iterator():
    async def forever(_):
        n = 0
        while True:
            yield Stock(n)
            n += 1

    store = Probe().on(Watch, [Stock(n) for n in range(5)], forever)
    async with actor_kit(Shop, neighbours=neighbours(store)) as kit:
        assert await kit.ref.ask(Tour(), timeout=1) == Receipt("0 1 2 3 4")
        async with kit.node.ref("/back/store").stream(Watch(), window=1) as items:
            assert [(await anext(items)).pieces for _ in range(3)] == [0, 1, 2]


async def test_a_probe_refuses_crashes_is_silent_and_is_late(autojump_clock):
    store = Probe().on(HowMany, Refused.because(503, "closed"), OSError("fire"), SILENCE, Stock(1))
    async with actor_kit(Shop, neighbours=neighbours(store)) as kit:
        ref = kit.node.ref("/back/store")
        with pytest.raises(Refused, match="closed"):
            await ref.ask(HowMany("tea"), timeout=1)
        with pytest.raises(ActorDied, match="fire"):
            await ref.ask(HowMany("tea"), timeout=1)
        with pytest.raises(AskTimeout):
            await ref.ask(HowMany("tea"), timeout=1, again=True)
        store.on(HowMany, Stock(1), delay=3)
        with pytest.raises(AskTimeout):
            await ref.ask(HowMany("tea"), timeout=1)
        assert store.incarnations == 2


async def test_a_failure_of_a_neighbour_crashes_the_actor_and_it_is_restarted(autojump_clock):
    store = Probe().on(HowMany, SILENCE, Stock(1))
    async with actor_kit(Shop, neighbours=neighbours(store)) as kit:
        with pytest.raises(ActorDied, match="AskTimeout"):
            await kit.ref.ask(Buy("tea"), timeout=5)
        assert await kit.ref.ask(Buy("tea"), timeout=5, again=True) == Receipt("1 of 1")
        assert kit.restarts == 1
        assert kit.counters.crashes == 1


async def test_faults_are_aimed_by_path_and_message(autojump_clock):
    store = Probe().on(HowMany, Stock(1))
    async with actor_kit(Shop, neighbours=neighbours(store)) as kit:
        kit.inject("deliver", "drop", path="/back/*", message="HowMany", limit=1)
        kit.inject("handle", "crash", message="Tour", limit=1)
        with pytest.raises(ActorDied, match="AskTimeout"):
            await kit.ref.ask(Buy("tea"), timeout=5)
        with pytest.raises(ActorDied, match="by the fault plan"):
            await kit.ref.ask(Tour(), timeout=5, again=False) if kit.ref.alive else await retry(kit)
        assert kit.faults == {"deliver.drop": 1, "handle.crash": 1}


async def retry(kit):
    while not kit.ref.alive:
        await trio.sleep(0.01)
    await kit.ref.ask(Tour(), timeout=5)


async def test_an_actor_that_fails_too_often_is_gone_for_good(autojump_clock):
    kwargs = {"neighbours": neighbours(), "intensity": Intensity(restarts=1, seconds=60)}
    async with actor_kit(ChildSpec("shop", Shop), **kwargs) as kit:
        kit.inject("handle", "crash")
        for _ in range(2):
            with pytest.raises(ActorDied):
                await kit.ref.ask(Buy("tea"), timeout=5)
            await trio.sleep(1)
        assert not kit.ref.alive
        with pytest.raises(LookupError, match="/shop has ended for good"):
            kit.restarts  # noqa: B018


async def test_the_failure_of_a_test_is_raised_bare():
    with pytest.raises(MailboxFull):
        async with actor_kit(Shop, neighbours=neighbours()):
            raise MailboxFull


async def test_paths_that_clash_are_told():
    with pytest.raises(ValueError, match="own path"):
        async with actor_kit(Shop, neighbours={"/subject": Probe()}):
            pass
    with pytest.raises(ValueError, match="actors below it"):
        async with actor_kit(Shop, neighbours={"/a": Probe(), "/a/b": Probe()}):
            pass


async def test_an_actor_that_cannot_start_is_told():
    class Broken(Actor):
        async def started(self) -> None:
            raise OSError("no disk")

    with pytest.raises(StartFailed, match=r"/ did not start: .*no disk"):
        async with actor_kit(Broken):
            pass
