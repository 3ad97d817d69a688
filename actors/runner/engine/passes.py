"""Runs one pass after the other: whose turn it is, which rows, and what they leave in the slots."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import attrs

from actorllm.actors.runner.engine.apart import Apart
from actorllm.actors.runner.engine.backend import Backend
from actorllm.actors.runner.engine.batching import (
    Pass,
    decode_pass,
    mixed_pass,
    prefill_pass,
    share_rows,
    side_by_side,
)
from actorllm.actors.runner.engine.costs import Costs
from actorllm.actors.runner.engine.pace import Pace
from actorllm.actors.runner.engine.prefixes import Prefixes
from actorllm.actors.runner.engine.slots import Kind, Slot
from actorllm.actors.runner.engine.streams import Stream
from actorllm.actors.runner.engine.types import EngineError
from actorllm.actors.runner.engine.works import shift_of

__all__ = ["HOLD_SECONDS", "Passes", "Results"]

HOLD_SECONDS = 3.0
"""For so long, at most, the first streams of a burst wait for the prompts of the others."""


class Results(Protocol):
    """Who hears what becomes of streams."""

    def sample(self, stream: Stream, row: int, now: float) -> None:
        """Take an output row of the last pass."""

    def fail(self, stream: Stream, error: str) -> None:
        """End a stream whose pass has failed."""

    def send_back(self) -> None:
        """Make room at the cost of the stream that came last."""


@attrs.frozen
class _Line:
    """A pass that was nothing but a row of each stream that was due."""

    streams: Sequence[Stream]
    rows: Sequence[int]
    """Of each stream."""
    orderly: Kind

    @classmethod
    def of(cls, plan: Pass, streams: Sequence[Stream]) -> "_Line":
        """Remember a pass, with its streams in the order of their slots."""
        rows = [row for row, run in enumerate(plan.runs) if not run.filler]
        return cls(streams, rows, plan.orderly)


class Passes:
    """The passes of one engine.

    Args:
        backend: Evaluates.
        slots: All slots.
        prefixes: Makes room, and lets others have what a prompt has come to.
        pace: Says how much may be read at a time.
        costs: Of copies, and of computing.
        num_batch: Most rows of a pass.
        clock: Monotonic seconds.
        results: Hears of rows and failures.
        meanwhile: Takes a step of the engine while a prompt is read apart; false if there was
            nothing to do.
    """

    def __init__(
        self,
        backend: Backend,
        slots: Sequence[Slot],
        prefixes: Prefixes,
        pace: Pace,
        costs: Costs,
        *,
        num_batch: int,
        clock: Callable[[], float],
        results: Results,
        meanwhile: Callable[[], bool],
    ) -> None:
        self._backend = backend
        self._slots = slots
        self._prefixes = prefixes
        self._pace = pace
        self._num_batch = num_batch
        self._clock = clock
        self._results = results
        self._order = backend.order
        self._orders = backend.deterministic
        self.prompts: list[Stream] = []
        """Those that are evaluated, in the order of their coming."""
        self.count = 0
        self.prompt_tokens = 0
        """Rows of prompts, of all passes."""
        self.last_seconds = 0.0
        """Of the last pass."""
        self._line: _Line | None = None
        self._apart = Apart(
            backend,
            slots,
            self.prompts,
            pace,
            costs,
            clock=clock,
            meanwhile=meanwhile,
            spent=self._spent,
        )

    @property
    def runnable(self) -> bool:
        """Whether there are rows for a pass."""
        return bool(self.prompts) or any(s.stream and s.stream.due for s in self._slots)

    def orderly(self, stream: Stream) -> bool:
        """Whether a stream is held to orderly passes."""
        return self._orders and stream.work.deterministic

    def begin(self, stream: Stream) -> None:
        """Take a stream that got a slot."""
        self.regroup()
        if stream.phase == "prefill":
            self.prompts.append(stream)

    def regroup(self) -> None:
        """Look, before the next pass, which streams are due."""
        self._line = None

    def run(self) -> bool:
        """Run the pass, or the passes, whose turn it is; false if there are no rows."""
        prompts, line, self._line = self._apart.others, self._line, None
        if line is not None and not prompts and self._goes_on(line):
            self._step_on(line)
            return True
        # One that was sent back may have a single token left to read, as if it generated.
        due = {
            slot.index: stream
            for slot in self._slots
            if (stream := slot.stream) is not None and stream.due and stream not in prompts
        }
        held = self._are_held(due)
        alone = held or not due
        if self._backend.unified:
            return self._mixed(due, prompts, alone=alone)
        if prompts and not held and (long := self._apart.choose(alone=alone)):
            self.prompt_tokens += self._apart.read(long)
            self._tell(long)
        elif due and not held and (not prompts or self._pace.streams_turn):
            self._decode(due)
        elif not prompts:
            self._apart.prepare()
            return False
        elif self._orders:
            self._prefill(prompts[0], alone=alone)
        else:
            self._mixed({}, prompts, alone=alone)
        return True

    def _goes_on(self, line: "_Line") -> bool:
        """Tell whether the same streams can have the same pass again, one position further.

        The cells of idle slots, where fillers are, change with the begin of a stream only.
        """
        streams = line.streams
        return all(stream.steady for stream in streams) and (
            not self._backend.unified or self._prefixes.room(len(streams))
        )

    def _step_on(self, line: "_Line") -> None:
        """Run a pass like the last one: most are, and plans take longer than a small model."""
        streams = line.streams
        began = self._clock()
        try:
            self._backend.decode_on([stream.tokens[-1] for stream in streams])
        except EngineError as e:
            self._fail(streams, e)
            return
        self._line = line
        now = self._clock()
        for stream, row in zip(streams, line.rows, strict=True):
            stream.place(stream.tokens[-1:], line.orderly)
            self._results.sample(stream, row, now)
        self._count(now - began)
        self._pace.stepped(self.last_seconds, len(streams))

    def _are_held(self, due: Mapping[int, Stream]) -> bool:
        """Tell whether streams wait, at their first token, for prompts that come with them.

        A pass costs little more with all streams of a burst than with a few. Where a stream has gone
        on already none of them waits, nor for a prompt that takes longer than they would.
        """
        if not (due and self.prompts and all(stream.begins for stream in due.values())):
            return False
        rate = self._pace.chunks.rate
        if rate and max(map(self._left, self.prompts)) > HOLD_SECONDS * rate:
            return False
        began = min(stream.first_at for stream in due.values())
        return self._clock() - began < HOLD_SECONDS

    def _left(self, stream: Stream) -> int:
        return stream.left(can_cut=self._backend.can_cut)

    def may_shift(self, stream: Stream) -> bool:
        """Whether a stream goes on, with less before it, once its window is full."""
        return stream.work.shift and self._backend.can_shift

    def _mixed(self, due: Mapping[int, Stream], prompts: Sequence[Stream], *, alone: bool) -> bool:
        """Run a pass over a row of each stream that is due, and parts of prompts.

        Args:
            due: The streams; in a shared cache only.
            prompts: Those that are read in passes.
            alone: Whether no stream waits for the pass.
        """
        if not due and not prompts:
            return False
        streams = (*due.values(), *prompts)
        shares = self._shares(due, prompts, alone=alone)
        if shares is None:
            self._results.send_back()
            return True
        plan = mixed_pass(
            {index: stream.tokens[-1] for index, stream in due.items()},
            self._slots,
            [stream.part(rows) for stream, rows in zip(prompts, shares, strict=True)],
        )
        seconds = self._run(plan, streams)
        if plan.kind == "prefill":
            self._pace.read(plan.rows, seconds)
            if due:
                self._pace.renew()
            self.prompt_tokens += plan.rows - len(due)
        else:
            self._pace.stepped(seconds, len(due))
            self._line = _Line.of(plan, tuple(due.values()))
        return True

    def _shares(
        self, due: Mapping[int, Stream], prompts: Sequence[Stream], *, alone: bool
    ) -> list[int] | None:
        """Divide the rows of a mixed pass among the prompts; None: there is no room for one."""
        if not all(map(self._make_room, (*due.values(), *prompts))):
            return None
        limit = self._pace.limit(
            alone=alone,
            turns=not self._backend.unified,
            behind=max((stream.placed for stream in prompts), default=0),
        )
        limit = max(1, min(limit, self._num_batch - len(due)))
        left = list(map(self._left, prompts))
        shares = share_rows(left, limit)
        if self._prefixes.room(len(due) + sum(shares)):
            return shares
        free = self._prefixes.free - len(due)
        return None if free < bool(prompts) else share_rows(left, free)

    def _decode(self, due: Mapping[int, Stream]) -> None:
        for stream in due.values():
            self._make_room(stream)
        orderly = self._orders and any(map(self.orderly, due.values()))
        most = self._order.answers.most if orderly else len(self._slots)
        seconds = 0.0
        for indices in side_by_side(sorted(due), most):
            plan = decode_pass(
                {index: due[index].tokens[-1] for index in indices},
                self._slots,
                order=self._order if self._orders else None,
                orderly=orderly,
                can_cut=self._backend.can_cut,
            )
            seconds += self._run(plan, [due[index] for index in indices])
        self._pace.stepped(seconds, len(due))
        if not orderly:  # then there was one pass
            self._line = _Line.of(plan, [due[index] for index in sorted(due)])

    def _prefill(self, stream: Stream, *, alone: bool) -> None:
        assert stream.slot is not None
        self._make_room(stream)
        plan = prefill_pass(
            stream.slot,
            stream.tokens,
            stream.placed,
            prompt=len(stream.work.prompt),
            room=stream.room,
            limit=min(
                self._pace.limit(alone=alone, turns=True, behind=stream.placed),
                self._left(stream),
            ),
            order=self._order,
            orderly=self.orderly(stream),
            can_cut=self._backend.can_cut,
        )
        seconds = self._run(plan, (stream,))
        rows = len(plan.runs[0].tokens)
        self._pace.read(rows, seconds)
        self.prompt_tokens += rows

    def _spent(self, seconds: float) -> None:
        """Note that a part of a prompt was read apart."""
        self._count(seconds)
        self._pace.spend(seconds)

    def _run(self, plan: Pass, streams: Sequence[Stream]) -> float:
        """Run a pass and hand its output rows on; return the seconds it took."""
        began = self._clock()
        try:
            self._backend.decode(plan)
        except EngineError as e:
            self._fail(streams, e)
            return 0.0
        now = self._clock()
        row = 0
        for run in plan.runs:
            row += len(run.tokens)
            if run.filler:
                continue
            stream = self._slots[run.slot].stream
            assert stream is not None
            stream.place(run.tokens, plan.orderly)
            if stream in self.prompts:
                self._tell(stream)
                if run.output:
                    self.prompts.remove(stream)
            if run.output:
                self._results.sample(stream, row - 1, now)
        self._count(now - began)
        return self.last_seconds

    def _count(self, seconds: float) -> None:
        self.count += 1
        self.last_seconds = seconds

    def _fail(self, streams: Iterable[Stream], error: EngineError) -> None:
        for stream in streams:
            self._results.fail(stream, str(error))

    def _tell(self, stream: Stream) -> None:
        """Let others have what a prompt has come to."""
        slot = stream.slot
        if slot is None or slot.stream is not stream:  # it has ended
            return
        self._prefixes.note(slot)
        if not self._backend.can_cut and len(stream.tokens) - stream.placed == 1:
            self._prefixes.checkpoint(slot)

    def _make_room(self, stream: Stream) -> bool:
        """Forget half of what is not kept, once the window is full; false if that cannot be."""
        if stream.room > 0:
            return True
        slot = stream.slot
        assert slot is not None
        keep, discard = shift_of(stream.work, len(slot.tokens), self._backend.bos)
        if not self._prefixes.shift(slot, keep, discard):
            return False
        stream.discarded += discard
        return True
