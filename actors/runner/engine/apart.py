"""A long prompt is read apart, and running streams go on meanwhile. Pure but for its backend.

Where streams and prompts take turns, a prompt is cut into parts that are over when the streams are
due: small ones, which take longer for each token. What is read apart is interrupted instead. Only
one prompt is, until its end; whatever else the engine has to do is done in the pauses. Without
streams it pays where passes have the plain attention: what is read apart has the flash one.
"""

from collections.abc import Callable, Sequence

from actorllm.actors.runner.engine.backend import Backend
from actorllm.actors.runner.engine.batching import ChunkSizer
from actorllm.actors.runner.engine.costs import Costs
from actorllm.actors.runner.engine.pace import Pace
from actorllm.actors.runner.engine.slots import Slot
from actorllm.actors.runner.engine.streams import Stream
from actorllm.actors.runner.engine.types import EngineError

__all__ = ["LONG_SECONDS", "Apart"]

LONG_SECONDS = 1.0
"""A prompt that takes so long by itself is read apart beside streams."""
ALONE_SECONDS = 4.0
"""One that takes so long is when there is no stream, where passes have the plain attention."""
_SAVED, _SAVED_ALONE = 0.25, 0.1
"""The part of that time which it saves, and copies should not take: 0.3 and 0.13 were measured."""
_TURNS = 4
"""Most steps of the engine in a pause: what is read apart goes on whatever else there is."""


class Apart:
    """Reads one prompt at a time.

    Args:
        backend: Evaluates.
        slots: All slots.
        prompts: The streams whose prompts are evaluated now, in the order of their coming.
        pace: Says how long streams may wait.
        costs: Of copies, and of computing.
        clock: Monotonic seconds.
        meanwhile: Takes a step of the engine; false if there was nothing to do.
        spent: Told the seconds of each part.
    """

    def __init__(
        self,
        backend: Backend,
        slots: Sequence[Slot],
        prompts: Sequence[Stream],
        pace: Pace,
        costs: Costs,
        *,
        clock: Callable[[], float],
        meanwhile: Callable[[], bool],
        spent: Callable[[float], None],
    ) -> None:
        self._backend = backend
        self._slots = slots
        self._prompts = prompts
        self._pace = pace
        self._costs = costs
        self._clock = clock
        self._meanwhile = meanwhile
        self._spent = spent
        useful = backend.reads_apart and len(slots) > 1
        self._ready: bool | None = None if useful else False
        """None: it was not tried yet."""
        self._stream: Stream | None = None
        """That is read."""
        self._since = self._until = 0.0
        """Of the part that is evaluated: its begin, and when it should be over."""

    def prepare(self) -> None:
        """Get ready while nothing else is to be done, if there can be prompts that are worth it."""
        if self._ready is not None:
            return
        window = self._backend.cells // len(self._slots)
        if self._pace.chunks.rate and self._costs.computing(window) > LONG_SECONDS:
            self._ready = self._backend.prepare_apart()

    @property
    def others(self) -> Sequence[Stream]:
        """The prompts that are read in passes: who has more left than this one waits for its end."""
        this = self._stream
        if this is None:
            return self._prompts
        left = _left(this) - this.apart
        return [other for other in self._prompts if other is not this and _left(other) < left]

    def choose(self, *, alone: bool) -> Stream | None:
        """Choose a prompt that should be read apart now.

        Args:
            alone: Whether there is no stream that it would keep waiting.
        """
        if not self._ready or self._stream is not None or (alone and self._backend.tiles):
            return None
        least, saved = (ALONE_SECONDS, _SAVED_ALONE) if alone else (LONG_SECONDS, _SAVED)
        return next((s for s in self._prompts if self._is_long(s, least, saved)), None)

    def _is_long(self, stream: Stream, least: float, saved: float) -> bool:
        """Whether a prompt takes long, beside which it takes little to copy its cells in and out."""
        assert stream.slot is not None
        left, there = _left(stream), stream.placed
        if left <= 1 or len(stream.slot.tokens) != there:  # it has forgotten cells in its middle
            return False
        seconds = self._costs.computing(left)
        copied = 2 * (there + there + left) * self._backend.cell_bytes
        return seconds > least and self._costs.copying(copied) < saved * seconds

    def read(self, stream: Stream) -> int:
        """Read a prompt but for its last token, which has an output row in a pass.

        If that cannot be, no other will be either, and this one begins anew, in passes.

        Returns:
            How many of its tokens have cells now that had none; 0 if it has ended meanwhile.
        """
        slot, begin = stream.slot, stream.placed
        assert slot is not None
        tokens = stream.tokens[begin : begin + _left(stream) - 1]
        self._stream = stream
        self._begin()
        try:
            if not self._backend.read_apart(slot.index, tokens, begin, self._pause):
                return 0
        except EngineError:
            self._ready = False
            self._backend.cut(slot.index, 0)
            slot.cut(0)
            stream.placed = 0
            return 0
        finally:
            self._stream, stream.apart = None, 0
        stream.place(tokens, "")
        return len(tokens)

    def _begin(self) -> None:
        """Begin a part: a short one if other prompts get the other half of the time."""
        self._since = self._clock()
        seconds = ChunkSizer.SHARED_SECONDS
        if self._is_awaited():
            step = self._pace.step_seconds
            seconds = max(seconds, ChunkSizer.STEPS * step) - step
        self._until = self._since + seconds / (2 if self.others else 1)

    def _is_awaited(self) -> bool:
        return any(slot.stream and slot.stream.due for slot in self._slots)

    def _pause(self, done: int, seconds: float) -> bool:
        stream = self._stream
        assert stream is not None
        now = self._clock()
        if now + seconds >= self._until:
            stream.apart = done
            self._spent(now - self._since)
            self._let_others()
            self._begin()
        return stream.finish is None

    def _let_others(self) -> None:
        """Let prompts have their part of the time, and streams their pass."""
        for _ in range(_TURNS):
            if not self._meanwhile() or not self._is_awaited() or self._pace.renewed:
                return


def _left(stream: Stream) -> int:
    return stream.left(can_cut=True)
