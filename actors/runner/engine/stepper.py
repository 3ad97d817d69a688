"""Continuous batching: takes works, runs passes, gives deltas. Pure but for its backend.

    submit -> queue -> slot (prefill -> decode) -> finish

One prompt is evaluated at a time, in order of arrival, and a work gets its slot only when its turn
comes: so a burst of prompts with one beginning pays for it once, since each finds the cells of
those before it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from math import isfinite

import attrs

from actorllm.actors.runner.engine.backend import Backend
from actorllm.actors.runner.engine.batching import ChunkSizer, Pass, decode_pass, prefill_pass
from actorllm.actors.runner.engine.prefix import place_prompt
from actorllm.actors.runner.engine.slots import Slot
from actorllm.actors.runner.engine.streams import Stream
from actorllm.actors.runner.engine.types import (
    Delta,
    EngineError,
    EngineStats,
    FinishReason,
    SlotStats,
    Work,
)
from actorllm.actors.runner.engine.windows import SMALLEST_WINDOW

__all__ = ["Stepper"]

_SMALLEST_TAIL = 4
"""Cells that a context shift leaves beyond those that are kept."""


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
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._window = window
        self._deterministic = deterministic
        self._slots = tuple(Slot(index) for index in range(slots))
        self._queue: deque[Stream] = deque()
        self._streams: dict[int, Stream] = {}
        self._prefilling: Stream | None = None
        self._chunks = ChunkSizer(num_batch)
        self._num_batch = num_batch
        self._prefill_left = num_batch
        self._tick = 0
        self._news: dict[int, Stream] = {}
        self.fresh = False
        """Whether there is output that should not wait: a stream began or ended."""
        self._prompt_tokens = self._cached_tokens = self._generated_tokens = self._passes = 0
        self._decode_rate = self._last_pass_seconds = 0.0

    def submit(self, work: Work) -> None:
        """Queue a work. What is wrong with it comes out as its finish."""
        if work.id in self._streams:
            raise ValueError(f"work {work.id} is there already")
        work = self._settled(work)
        now = self._clock()
        stream = self._streams[work.id] = Stream(work, now)
        fault = self._fault(work)
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
            stream.backlog = max(0, stream.backlog - characters)

    @property
    def runnable(self) -> bool:
        """Whether a step would do something."""
        return (
            self._prefilling is not None
            or any(s.stream and s.stream.phase == "decode" for s in self._slots)
            or (bool(self._queue) and any(s.stream is None for s in self._slots))
        )

    @property
    def pending(self) -> bool:
        """Whether `collect` would give anything."""
        return bool(self._news)

    def step(self) -> bool:
        """Run one pass; false if there was nothing to do."""
        if self._prefilling is None:
            self._admit()
        due = self._due()
        if due and (self._prefilling is None or self._prefill_left <= 0):
            self._prefill_left = self._num_batch
            self._decode(due)
        elif self._prefilling is not None:
            self._prefill(self._prefilling, alone=not due)
        else:
            return False
        return True

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

    def stats(self) -> EngineStats:
        """Count; may be called from any thread."""
        slots = tuple(
            SlotStats(
                slot.index,
                stream.work.id if stream else None,
                len(slot.tokens),
                stream.phase if stream else "idle",
            )
            for slot in self._slots
            for stream in (slot.stream,)
        )
        return EngineStats(
            slots=slots,
            queued=len(self._queue),
            cells_used=sum(slot.cells for slot in slots),
            cells=self._window * len(slots),
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached_tokens,
            generated_tokens=self._generated_tokens,
            passes=self._passes,
            prefill_rate=self._chunks.rate,
            decode_rate=self._decode_rate,
            last_pass_seconds=self._last_pass_seconds,
        )

    def _settled(self, work: Work) -> Work:
        """Fill in what a work leaves to the engine."""
        window = self._window
        if work.window > 0:
            window = max(SMALLEST_WINDOW, min(work.window, window))
        deterministic = work.deterministic or self._deterministic
        return attrs.evolve(work, window=window, deterministic=deterministic)

    def _fault(self, work: Work) -> str:
        """Say what makes a settled work impossible; empty if nothing does."""
        tokens = (*work.prompt, *work.resume)
        if not work.prompt:
            return "the prompt is empty"
        if len(work.prompt) >= work.window:
            return (
                f"the prompt has {len(work.prompt)} tokens, but the context window holds"
                f" {work.window}; shorten the prompt or raise num_ctx"
            )
        if min(tokens) < 0 or max(tokens) >= self._backend.n_vocab:
            return f"the prompt has tokens outside the vocabulary of {self._backend.n_vocab}"
        if not all(isfinite(v) for v in attrs.astuple(work.sampling) if isinstance(v, float)):
            return "a sampling option is not a finite number"
        return ""

    def _admit(self) -> None:
        while self._queue:
            stream = self._queue[0]
            place = place_prompt(
                self._slots,
                stream.tokens,
                orderly=self._orderly(stream),
                can_cut=self._backend.can_cut,
            )
            if place is None:
                return
            self._queue.popleft()
            now = self._clock()
            slot, keep = place.slot, place.keep
            if place.source is not None:
                self._backend.copy(place.source.index, slot.index)
                slot.copy(place.source)
            keep = self._cut(slot, keep)
            stream.begin(slot, keep, now, guaranteed=self._orderly(stream))
            try:
                stream.sampler = self._backend.sampler(stream.work)
            except EngineError as e:
                self._end(stream, "error", str(e))
                continue
            slot.stream = stream
            self._cached_tokens += stream.cached
            self._prefilling = stream
            return

    def _cut(self, slot: Slot, keep: int) -> int:
        if keep < len(slot.tokens) and not self._backend.cut(slot.index, keep):
            keep = 0
            self._backend.cut(slot.index, 0)
        slot.cut(keep)
        return keep

    def _orderly(self, stream: Stream) -> bool:
        return stream.work.deterministic and self._backend.deterministic

    def _due(self) -> dict[int, Stream]:
        return {
            slot.index: slot.stream
            for slot in self._slots
            if slot.stream is not None and slot.stream.phase == "decode"
        }

    def _decode(self, due: dict[int, Stream]) -> None:
        for stream in due.values():
            self._make_room(stream)
        plan = decode_pass(
            {index: stream.tokens[-1] for index, stream in due.items()},
            self._slots,
            orderly=any(map(self._orderly, due.values())),
            can_cut=self._backend.can_cut,
        )
        seconds = self._run(plan, tuple(due.values()))
        if seconds > 0:
            rate = len(due) / seconds
            self._decode_rate = 0.9 * self._decode_rate + 0.1 * rate if self._decode_rate else rate

    def _prefill(self, stream: Stream, *, alone: bool) -> None:
        assert stream.slot is not None
        self._make_room(stream)
        plan = prefill_pass(
            stream.slot,
            stream.tokens,
            stream.placed,
            room=stream.room,
            limit=self._chunks.limit(alone=alone),
            orderly=self._orderly(stream),
            can_cut=self._backend.can_cut,
        )
        seconds = self._run(plan, (stream,))
        rows = len(plan.runs[0].tokens)
        self._chunks.measured(rows, seconds)
        self._prompt_tokens += rows
        # Prompts share one budget of rows and time between two decode passes.
        share = seconds / ChunkSizer.SHARED_SECONDS
        self._prefill_left -= max(rows, int(self._num_batch * share))

    def _run(self, plan: Pass, streams: Sequence[Stream]) -> float:
        began = self._clock()
        try:
            self._backend.decode(plan)
        except EngineError as e:
            for stream in streams:
                self._end(stream, "error", str(e))
            return 0.0
        now = self._clock()
        row = 0
        for run in plan.runs:
            row += len(run.tokens)
            if run.filler:
                continue
            slot = self._slots[run.slot]
            slot.place(run.tokens, orderly=plan.orderly)
            assert slot.stream is not None
            slot.stream.placed += len(run.tokens)
            if run.output:
                self._sample(slot.stream, row - 1, now)
        self._passes += 1
        self._last_pass_seconds = now - began
        return self._last_pass_seconds

    def _sample(self, stream: Stream, row: int, now: float) -> None:
        assert stream.sampler is not None
        if stream is self._prefilling:
            self._prefilling = None
        try:
            token = stream.pick(row)
        except EngineError as e:
            self._end(stream, "error", str(e))
            return
        wanted = stream.work.sampling.logprobs
        logprob = stream.sampler.logprob(row, token) if wanted else None
        stream.take(token, self._backend.piece(token), logprob, now)
        self._generated_tokens += 1
        if stream.room <= 0 and not self._may_shift(stream):
            stream.end("length", now)
        self._note(stream)

    def _note(self, stream: Stream) -> None:
        """Remember that a stream has news; let go of its slot if it ended."""
        if stream.pending:
            self._news[stream.work.id] = stream
        self.fresh = self.fresh or stream.fresh
        if stream.finish is not None:
            self._release(stream)

    def _end(self, stream: Stream, reason: FinishReason, error: str = "") -> None:
        stream.end(reason, self._clock(), error=error)
        self._note(stream)

    def _may_shift(self, stream: Stream) -> bool:
        return stream.work.shift and self._backend.can_shift

    def _make_room(self, stream: Stream) -> None:
        """Forget half of what is not kept, once the window is full."""
        if stream.room > 0:
            return
        slot = stream.slot
        assert slot is not None
        keep = stream.work.num_keep
        if keep < 0:
            keep = len(stream.work.prompt)
        elif stream.work.prompt[0] == self._backend.bos:
            keep += 1
        keep = max(0, min(keep, len(slot.tokens) - _SMALLEST_TAIL))
        discard = (len(slot.tokens) - keep) // 2
        self._backend.shift(slot.index, keep, discard)
        slot.shift(keep, discard)
        stream.discarded += discard

    def _release(self, stream: Stream) -> None:
        """Give the slot back; its cells stay, for the next prompt that begins alike."""
        if stream is self._prefilling:
            self._prefilling = None
        if stream.sampler is not None:
            stream.sampler.close()
            stream.sampler = None
        if stream.slot is not None and stream.slot.stream is stream:
            self._tick += 1
            stream.slot.last_used = self._tick
            stream.slot.stream = None
