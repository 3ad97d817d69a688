"""Continuous batching: takes works, runs passes, gives deltas. Pure but for its backend.

    submit -> queue -> slot (prefill -> decode) -> finish

A burst of prompts with one beginning pays for it once: prompts are evaluated together, but one that
begins like another waits until their common part is there. Where passes can be orderly, one prompt
is evaluated at a time, so that each finds the cells of those before it.

In a shared cache the slots have a common budget of cells. If it is used up, what is idle is put
aside, and after that the stream that came last: it goes back to the queue, and on when there is
room again.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence

from actorllm.actors.runner.engine.admission import Admission
from actorllm.actors.runner.engine.arrivals import Archive
from actorllm.actors.runner.engine.backend import Backend
from actorllm.actors.runner.engine.batching import ChunkSizer
from actorllm.actors.runner.engine.costs import Costs
from actorllm.actors.runner.engine.pace import Pace
from actorllm.actors.runner.engine.passes import Passes
from actorllm.actors.runner.engine.prefixes import Prefixes
from actorllm.actors.runner.engine.slots import Kind, Slot, cells_of
from actorllm.actors.runner.engine.streams import Stream
from actorllm.actors.runner.engine.types import (
    Delta,
    EngineError,
    EngineStats,
    FinishReason,
    Work,
)
from actorllm.actors.runner.engine.works import fault_of, settled

__all__ = ["Stepper"]


class Stepper:
    """The engine without its thread: each `step` is one pass."""

    def __init__(
        self,
        backend: Backend,
        *,
        slots: int,
        window: int,
        num_batch: int,
        clock: Callable[[], float],
        deterministic: bool = False,
        memory: int = 0,
        archive: Archive | None = None,
        meanwhile: Callable[[], bool] | None = None,
    ) -> None:
        """Prepare.

        Args:
            backend: Evaluates.
            slots: Sequences at a time.
            window: Tokens of context of each.
            num_batch: Most rows of a pass.
            clock: Monotonic seconds.
            deterministic: Hold all works to orderly passes.
            memory: Bytes for prefixes that are put aside.
            archive: Prefixes that survived an earlier process.
            meanwhile: Calls `step`, and does what else is to be done between two of them, while
                one takes long; returns what it gave. None: `step` itself.
        """
        self._backend = backend
        self._clock = clock
        self._window = window
        self._deterministic = deterministic
        self._slots = tuple(Slot(index, numbered=backend.unified) for index in range(slots))
        self._queue: deque[Stream] = deque()
        self._streams: dict[int, Stream] = {}
        self._order = backend.order
        self._pace = Pace(num_batch, tiles=backend.tiles)
        costs = Costs(lambda: self._pace.chunks.rate)
        self._prefixes = Prefixes(
            backend,
            self._slots,
            memory=memory,
            archive=archive,
            costs=costs,
            patience=self._patience,
            clock=clock,
        )
        self._passes = Passes(
            backend,
            self._slots,
            self._prefixes,
            self._pace,
            costs,
            num_batch=num_batch,
            clock=clock,
            results=self,
            meanwhile=meanwhile or self.step,
        )
        self._admission = Admission(backend, self._slots, self._passes.prompts, self._prefixes)
        self._tick = 0
        self._news: dict[int, Stream] = {}
        self.fresh = False
        """Whether there is output that should not wait: a stream began or ended."""
        self._cached_tokens = self._generated_tokens = 0

    def submit(self, work: Work) -> None:
        """Queue a work. What is wrong with it comes out as its finish."""
        if work.id in self._streams:
            raise ValueError(f"work {work.id} is there already")
        work = settled(work, self._window, deterministic=self._deterministic)
        now = self._clock()
        stream = self._streams[work.id] = Stream(work, now)
        fault = fault_of(work, self._backend.n_vocab)
        if fault:
            self._end(stream, "error", fault)
        else:
            stream.replay([self._backend.piece(t) or b"" for t in work.resume], now)
            self._note(stream)
        if stream.finish is None:
            self._queue.append(stream)

    def cancel(self, work_id: int) -> None:
        """End a work, wherever it is; one that has ended already is left alone."""
        stream = self._streams.get(work_id)
        if stream is not None and stream.finish is None:
            if stream.slot is None:
                self._queue.remove(stream)
            self._end(stream, "cancelled")

    def drained(self, work_id: int, characters: int) -> None:
        """Note that the consumer took delivered text, so that its stream may go on."""
        stream = self._streams.get(work_id)
        if stream is not None:
            if stream.parked:
                self._passes.regroup()
            stream.backlog = max(0, stream.backlog - characters)

    @property
    def runnable(self) -> bool:
        """Whether a step would do something."""
        return self._passes.runnable or (
            bool(self._queue) and self._admission.has_room(self._queue[0])
        )

    @property
    def pending(self) -> int:
        """Count the streams of which `collect` would give something."""
        return len(self._news)

    def step(self) -> bool:
        """Run one pass; false if there was nothing to do."""
        if self._queue:
            self._admit()
        read = self._prefixes.read_on()
        return self._passes.run() or read

    def collect(self) -> list[Delta]:
        """Give what is new in all streams, and let go of those that ended."""
        news, self._news, self.fresh = self._news, {}, False
        for number, stream in news.items():
            if stream.finish is not None:
                del self._streams[number]
        return [stream.collect() for stream in news.values()]

    def end_all(self, error: str) -> None:
        """End every stream: with an error, or as cancelled if there is none."""
        for stream in self._streams.values():
            if stream.finish is None:
                self._end(stream, "error" if error else "cancelled", error)
        self._queue.clear()

    def archive(self) -> None:
        """Keep for the next process what would be dear to compute again."""
        self._prefixes.archive_all()

    def stats(self) -> EngineStats:
        """Count; may be called from any thread."""
        return EngineStats(
            slots=tuple(slot.stats() for slot in self._slots),
            queued=len(self._queue),
            cells_used=cells_of(self._slots, 0),
            cells=self._backend.cells,
            prompt_tokens=self._passes.prompt_tokens,
            cached_tokens=self._cached_tokens,
            generated_tokens=self._generated_tokens,
            passes=self._passes.count,
            prefill_rate=self._pace.chunks.rate,
            decode_rate=self._pace.decode_rate,
            last_pass_seconds=self._passes.last_seconds,
            saved_bytes=self._prefixes.bytes_used,
            saved=self._prefixes.saved,
            restored=self._prefixes.restored,
            lost=self._prefixes.lost,
        )

    # Admission

    def _admit(self) -> None:
        """Give slots to those whose turn it is, as long as the running streams can wait."""
        began = self._clock()
        for stream in tuple(self._queue):
            if not self._admission.has_room(stream) or self._clock() - began > self._patience():
                return
            read = self._prefixes.awaits(self._sought(stream), self._kind(stream))
            if not read and not self._admission.waits(stream):
                self._queue.remove(stream)
                self._begin(stream)

    def _patience(self) -> float:
        """Seconds that something beside passes may take."""
        if any(s.stream and s.stream.due for s in self._slots):
            return max(ChunkSizer.SHARED_SECONDS / 2, self._pace.step_seconds)
        return math.inf

    def _begin(self, stream: Stream) -> None:
        claim = self._prefixes.begin(self._sought(stream), self._kind(stream))
        assert claim is not None
        slot, keep = claim
        again = stream.sampler is not None
        stream.begin(slot, keep, self._clock(), guaranteed=self._passes.orderly(stream))
        if not again:
            try:
                stream.sampler = self._backend.sampler(stream.work)
            except EngineError as e:
                self._end(stream, "error", str(e))
                return
            self._cached_tokens += stream.cached
        slot.stream = stream
        self._passes.begin(stream)

    def _sought(self, stream: Stream) -> Sequence[int]:
        return self._order.sought(self._kind(stream), stream.tokens, len(stream.work.prompt))

    def _kind(self, stream: Stream) -> Kind:
        """The kind of cells that a stream needs; empty: any."""
        return self._order.kind(len(stream.work.prompt)) if self._passes.orderly(stream) else ""

    def send_back(self) -> None:
        """Put the stream that came last back to the queue, and its cells aside."""
        streams = [slot.stream for slot in self._slots if slot.stream is not None]
        last = max(streams, key=lambda stream: (stream.phase == "parked", stream.work.id))
        assert last.slot is not None
        slot = last.slot
        self._leave(last)
        last.slot = None
        self._prefixes.put_aside(slot)
        self._queue.appendleft(last)

    # Results

    def sample(self, stream: Stream, row: int, now: float) -> None:
        """Choose the next token of a stream from an output row of the last pass."""
        assert stream.sampler is not None
        try:
            token = stream.pick(row)
        except EngineError as e:
            self._end(stream, "error", str(e))
            return
        wanted = stream.work.sampling.logprobs
        logprob = stream.sampler.logprob(row, token) if wanted else None
        stream.take(token, self._backend.piece(token), logprob, now)
        self._generated_tokens += 1
        if stream.room <= 0 and not self._passes.may_shift(stream):
            stream.end("length", now, window_full=True)
        self._note(stream)

    def _note(self, stream: Stream) -> None:
        """Remember that a stream has news; let go of its slot if it ended."""
        if stream.pending:
            self._news[stream.work.id] = stream
        self.fresh = self.fresh or stream.fresh
        if stream.finish is not None:
            self._release(stream)

    def fail(self, stream: Stream, error: str) -> None:
        """End a stream with an error."""
        self._end(stream, "error", error)

    def _end(self, stream: Stream, reason: FinishReason, error: str = "") -> None:
        stream.end(reason, self._clock(), error=error)
        self._note(stream)

    def _release(self, stream: Stream) -> None:
        """Give the slot back; its cells stay, for the next prompt that begins alike."""
        if stream.sampler is not None:
            stream.sampler.close()
            stream.sampler = None
        self._leave(stream)

    def _leave(self, stream: Stream) -> None:
        if stream in self._passes.prompts:
            self._passes.prompts.remove(stream)
        if stream.slot is not None and stream.slot.stream is stream:
            self._tick += 1
            stream.slot.last_used = self._tick
            stream.slot.stream = None
            self._prefixes.note(stream.slot)
