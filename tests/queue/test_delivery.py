"""What was delivered."""

from actorllm.actors.queue.delivery import Delivery
from actorllm.actors.runner.messages import Piece, Resume
from actorllm.protocol.chat import ToolCall
from actorllm.protocol.messages.generation import Chunk


def test_a_resumed_stream_goes_on_behind_what_was_delivered():
    delivery = Delivery()
    assert delivery.resume() == Resume()
    delivery.note(Piece((1, 2), Chunk("ab", thinking="hmm")))
    delivery.note(Piece((3,), Chunk("é", tool_calls=(ToolCall("f", {}, "id"),))))
    assert delivery.resume() == Resume((1, 2, 3), 3, 3, 1)
