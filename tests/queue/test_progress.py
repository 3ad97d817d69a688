"""How far a request has come."""

import pytest
import trio

from actorllm.actors.kernel import AskTimeout
from actorllm.actors.queue.progress import Progress
from actorllm.actors.runner.messages import Embedded
from actorllm.protocol.messages.generation import Chunk, Done, Embeddings
from actorllm.protocol.messages.scheduling import Lease


async def test_the_last_chunk_tells_what_the_job_alone_knows(autojump_clock):
    progress = Progress()
    await trio.sleep(2)
    progress.note_lease(Lease(1, "/r", 1, 1024, 5_000, notices=("degraded",)))
    progress.failovers = 1
    done = progress.finished(Chunk("x", done=Done("stop", notices=("cut",)))).done
    assert (done.total_duration, done.load_duration, done.failovers) == (2_000_000_000, 5_000, 1)
    assert done.notices == ("cut", "runners that died under the stream, which went on: 1")


async def test_the_load_of_the_first_lease_is_told_and_the_notices_of_the_last(autojump_clock):
    progress = Progress()
    progress.note_lease(Lease(1, "/r", 1, 1024, 5_000, notices=("degraded",)))
    progress.note_lease(Lease(2, "/r", 2, 1024, 7_000))
    assert (progress.load_duration, progress.notices) == (5_000, ())
    embedded = Embedded(((0.5,),), 3, (1,))
    assert progress.embeddings(embedded) == Embeddings(((0.5,),), 0, 5_000, 3, (1,))


async def test_a_message_may_get_lost_twice(autojump_clock):
    progress = Progress()
    for _ in range(2):
        progress.note_lost(AskTimeout("late"))
    with pytest.raises(AskTimeout, match="later"):
        progress.note_lost(AskTimeout("later"))
