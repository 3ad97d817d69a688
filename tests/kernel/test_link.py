"""Frames over a byte stream: whole, undamaged and bounded, or the link is dead."""

import struct
import zlib

import msgpack
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.kernel.link import Link, LinkError, Op
from actorllm.protocol.codec import MAX_FRAME


def frame(payload):
    return struct.pack(">II", len(payload), zlib.crc32(payload)) + payload


PING = frame(msgpack.packb([Op.PING, 1]))


async def received(data, pieces=1):
    ours, theirs = trio.testing.memory_stream_pair()
    size = max(1, len(data) // pieces)
    for at in range(0, len(data), size):
        await theirs.send_all(data[at : at + size])
    await theirs.send_stream.aclose()
    link, frames = Link(ours), []
    while (fields := await link.receive()) is not None:
        frames.append(fields)
    return frames


@pytest.mark.parametrize("pieces", [1, 3, 1000])
async def test_frames_come_whole_however_their_bytes_are_cut(pieces):
    assert await received(PING * 3, pieces) == [[Op.PING, 1]] * 3


async def test_what_is_sent_in_one_turn_leaves_in_one_write_and_in_order(nursery):
    ours, _ = trio.testing.memory_stream_pair()
    writes = []

    class Keeping(trio.abc.SendStream):
        async def send_all(self, data):
            writes.append(data)

        async def wait_send_all_might_not_block(self):
            pass

        async def aclose(self):
            pass

    link = Link(trio.StapledStream(Keeping(), ours.receive_stream))
    nursery.start_soon(link.run_writer)
    for n in range(10):
        link.send(Op.PING, n)
    await trio.testing.wait_all_tasks_blocked()
    assert len(writes) == 1
    assert await received(writes[0]) == [[Op.PING, n] for n in range(10)]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (PING[:-1], "cut within a frame"),
        (PING[:3], "cut within a frame"),
        (PING[:-1] + bytes([PING[-1] ^ 1]), "damaged frame"),
        (struct.pack(">II", MAX_FRAME * 2, 0), "over the limit"),
        (b"\xff" * 100, "over the limit"),
        (frame(b"\xc1"), "not msgpack"),
        (frame(msgpack.packb(7)), "no operation"),
        (frame(msgpack.packb([])), "no operation"),
        (frame(msgpack.packb(["PING"])), "no operation"),
    ],
)
async def test_what_is_no_frame_ends_the_link(data, error):
    with pytest.raises(LinkError, match=error):
        await received(data)


@given(st.integers(0, len(PING) - 1), st.integers(1, 255))
def test_no_single_damaged_byte_goes_unseen(at, flip):
    damaged = bytearray(PING)
    damaged[at] ^= flip

    async def read():
        with pytest.raises(LinkError):
            await received(bytes(damaged))

    trio.run(read)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data):
    async def read():
        try:
            await received(data)
        except LinkError:
            return

    trio.run(read)


async def test_a_peer_that_does_not_read_is_dead(nursery):
    ours, _ = trio.testing.lockstep_stream_pair()
    link = Link(ours)
    for _ in range(4):
        link.send(Op.ITEM, 1, bytes(MAX_FRAME // 2 + 40_000))
    with pytest.raises(LinkError, match="does not read"):
        await link.run_writer()


async def test_a_peer_that_is_gone_is_told():
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.aclose()
    link = Link(ours)
    link.send(Op.PING, 1)
    with pytest.raises(LinkError, match="closed"):
        await link.run_writer()


def sockets():
    ours, theirs = trio.socket.socketpair()
    return trio.SocketStream(ours), trio.SocketStream(theirs)


async def test_a_link_over_sockets_reads_frames_up_to_the_end():
    ours, theirs = sockets()
    await theirs.send_all(PING + PING)
    await theirs.aclose()
    link = Link(ours)
    assert [await link.receive() for _ in range(3)] == [[Op.PING, 1], [Op.PING, 1], None]
    await link.aclose()


async def test_a_link_that_was_closed_at_this_end_is_broken(autojump_clock):
    ours, theirs = sockets()
    link = Link(ours)
    async with trio.open_nursery() as nursery:

        async def read():
            with pytest.raises(LinkError):
                await link.receive()

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        await link.aclose()
    with pytest.raises(LinkError):
        await link.receive()
    await theirs.aclose()
