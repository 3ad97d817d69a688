"""The engine without a model: same batching, invented text. For simulations of actors.

There is no thread: the host calls `step` while the engine is `runnable`, and then lets
`step_seconds` of its own time pass. Each byte is a token. The text is a function of prompt, seed
and position, so a resumed stream goes on as it would have.
"""

import struct
import zlib
from collections.abc import Callable, Sequence

import attrs
from attrs import evolve

from actorllm.actors.runner.engine.arrivals import Archive
from actorllm.actors.runner.engine.backend import Pause
from actorllm.actors.runner.engine.batching import Order, Pass
from actorllm.actors.runner.engine.seeds import position_seed
from actorllm.actors.runner.engine.stepper import Stepper
from actorllm.actors.runner.engine.store import State
from actorllm.actors.runner.engine.types import (
    Delta,
    EngineError,
    EngineSettings,
    EngineStats,
    Loaded,
    Logprob,
    TokenLogprob,
    Work,
)

__all__ = ["FAKE_BOS", "FAKE_EOS", "FakeBackend", "FakeEngine", "Script"]

FAKE_BOS = 256
FAKE_EOS = 257
_VOCABULARY = 258
_DIMENSIONS = 8
_PASS_SECONDS, _ROW_SECONDS = 0.01, 0.0001
"""What a pass costs, and each of its rows."""
_LETTERS = b"eeeetttaaooiinnsshhrrdlu     "

Script = Callable[[Work, int], int]
"""Gives the token at an index of a work's answer: a byte, or `FAKE_EOS`."""


def babble(work: Work, index: int) -> int:
    """Invent letters; the answer has 8 to 71 of them."""
    key = work.sampling.seed ^ zlib.crc32(repr(work.prompt).encode())
    if index >= 8 + position_seed(key, 0) % 64:
        return FAKE_EOS
    return _LETTERS[position_seed(key, index + 1) % len(_LETTERS)]


class FakeEngine:
    """An engine that is stepped by its host. Not thread-safe."""

    def __init__(
        self,
        settings: EngineSettings,
        *,
        clock: Callable[[], float],
        script: Script = babble,
        archive: Archive | None = None,
    ) -> None:
        """Prepare.

        Args:
            settings: Only window, slots, batch and `embedding` matter.
            clock: The host's time in seconds, such as `trio.current_time`.
            script: Writes the answers.
            archive: What is left of earlier engines.
        """
        self._settings = settings
        self._backend = FakeBackend(settings, script)
        self._stepper = Stepper(
            self._backend,
            slots=settings.slots,
            window=settings.num_ctx,
            num_batch=settings.num_batch,
            clock=clock,
            deterministic=settings.deterministic,
            memory=settings.saved_bytes,
            archive=archive,
        )

    def load(self, progress: Callable[[float], bool] | None = None) -> Loaded:
        """Say what a real engine would.

        Raises:
            EngineError: `progress` aborted.
        """
        for part in (0.0, 0.5, 1.0):
            if progress is not None and not progress(part):
                raise EngineError("loading was aborted")
        embedding = self._settings.embedding
        return Loaded(
            description="fake",
            architecture="fake",
            n_ctx=self._settings.num_ctx,
            n_ctx_train=self._settings.num_ctx,
            n_vocab=_VOCABULARY,
            n_embd=_DIMENSIONS,
            n_layer=1,
            n_params=0,
            size=0,
            bos=FAKE_BOS,
            eos=FAKE_EOS,
            add_bos=False,
            add_eos=False,
            has_chat_template=False,
            pooling="mean" if embedding else "none",
            can_embed=embedding,
            can_shift=True,
            recurrent=False,
            deterministic=True,
            why_not_deterministic="",
            flash_attention="on",
            threads=1,
            amx="absent",
            settings=self._settings,
            seconds=0.0,
            warnings=(),
        )

    def submit(self, work: Work) -> None:
        """Queue a work."""
        self._stepper.submit(work)

    def cancel(self, work_id: int) -> None:
        """End a work with `cancelled`, unless it has ended already."""
        self._stepper.cancel(work_id)

    def drained(self, work_id: int, characters: int) -> None:
        """Say that delivered text was passed on."""
        self._stepper.drained(work_id, characters)

    @property
    def runnable(self) -> bool:
        """Whether `step` has something to do or to give."""
        return self._stepper.runnable or self._stepper.pending > 0

    @property
    def step_seconds(self) -> float:
        """What the last step costs of the host's time; 0 if it ran no pass."""
        return self._backend.cost

    def step(self) -> list[Delta]:
        """Run one pass and give what is new."""
        self._backend.cost = 0.0
        self._stepper.step()
        return self._stepper.collect()

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Give one token for each byte, behind a BOS if special tokens are wanted."""
        return [FAKE_BOS] * add_special + list(text.encode("utf-8", "replace"))

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        """Join bytes; special tokens have no text."""
        return bytes(token for token in tokens if token < FAKE_BOS)

    def embed(
        self, inputs: Sequence[Sequence[int]], *, normalize: bool = True
    ) -> tuple[tuple[float, ...], ...]:
        """Hash each input to a vector.

        Raises:
            EngineError: The settings are not for embeddings.
        """
        if not self._settings.embedding:
            raise EngineError("this model does not support embeddings")
        return tuple(_vector(tokens, normalize=normalize) for tokens in inputs)

    def stats(self) -> EngineStats:
        """Report what the slots do."""
        return self._stepper.stats()

    def close(self) -> list[Delta]:
        """End all streams and give their last deltas."""
        self._stepper.end_all("")
        self._stepper.archive()
        return self._stepper.collect()


@attrs.define(eq=False)
class _Cell:
    token: int
    position: int


class FakeBackend:
    """Keeps the cells as a KV cache would, and checks that it is asked for sensible things."""

    can_cut = can_cut_saved = can_shift = True
    order = Order()
    tiles = False
    reads_apart = False
    cell_bytes = 4
    bos = FAKE_BOS
    n_vocab = _VOCABULARY

    def __init__(self, settings: EngineSettings, script: Script) -> None:
        self.unified = settings.unified
        self.deterministic = not (settings.unified or settings.unordered)
        whole = settings.num_ctx * settings.slots
        self.cells = (settings.cells or whole) if settings.unified else whole
        self.cost = 0.0
        self._plan = Pass("decode", ())
        self._cells: list[list[_Cell]] = [[] for _ in range(settings.slots)]
        self._script = script

    def decode(self, plan: Pass) -> None:
        self._plan = plan
        self.cost = _PASS_SECONDS + _ROW_SECONDS * plan.rows
        for run in plan.runs:
            cells = self._cells[run.slot]
            if [cell.position for cell in cells] != list(range(run.position)):
                raise RuntimeError(f"rows at {run.position} do not follow the cells of a slot")
            cells += [_Cell(token, run.position + i) for i, token in enumerate(run.tokens)]
        for run in plan.runs:
            if run.filler:
                del self._cells[run.slot][run.position :]
        if len({id(cell) for cells in self._cells for cell in cells}) > self.cells:
            raise RuntimeError("there are not so many cells")

    def decode_on(self, tokens: Sequence[int]) -> None:
        given = iter(tokens)
        runs = tuple(
            run
            if run.filler
            else evolve(run, position=run.position + 1, tokens=(next(given),), output=True)
            for run in self._plan.runs
        )
        self.decode(evolve(self._plan, runs=runs))

    def tokens(self, slot: int) -> list[int]:
        """What a slot holds."""
        return [cell.token for cell in self._cells[slot]]

    def cut(self, slot: int, length: int) -> bool:
        del self._cells[slot][length:]
        return True

    def copy(self, source: int, target: int, length: int) -> None:
        cells = self._cells[source][:length]
        self._cells[target] = cells if self.unified else [evolve(cell) for cell in cells]

    def state_size(self, slot: int) -> int:
        return self.cell_bytes * len(self._cells[slot])

    def save(self, slot: int) -> State | None:
        return memoryview(struct.pack(f"{len(self._cells[slot])}i", *self.tokens(slot)))

    def restore(self, slot: int, data: State) -> bool:
        if self._cells[slot]:
            raise RuntimeError("a state is restored into a slot that is not empty")
        tokens = struct.unpack(f"{len(data) // 4}i", data)
        self._cells[slot] = [_Cell(token, i) for i, token in enumerate(tokens)]
        return True

    def prepare_apart(self) -> bool:
        return False

    def read_apart(self, slot: int, tokens: Sequence[int], position: int, pause: Pause) -> bool:
        raise EngineError("a fake reads nothing apart")

    def shift(self, slot: int, keep: int, discard: int) -> None:
        del self._cells[slot][keep : keep + discard]
        for cell in self._cells[slot][keep:]:
            cell.position -= discard

    def sampler(self, work: Work) -> "_FakeSampler":
        return _FakeSampler(work, self._script)

    def piece(self, token: int) -> bytes | None:
        return None if token == FAKE_EOS else bytes((token,)) if token < FAKE_BOS else b""


class _FakeSampler:
    def __init__(self, work: Work, script: Script) -> None:
        self._work = work
        self._script = script

    def pick(self, row: int, position: int) -> int:
        return self._script(self._work, position - len(self._work.prompt))

    def force(self, token: int) -> None:
        pass

    def logprob(self, row: int, token: int) -> TokenLogprob:
        piece = bytes((token,)) if token < FAKE_BOS else b""
        chosen = Logprob(token, piece, 0.0)
        return TokenLogprob(chosen, (chosen,) * min(1, self._work.sampling.top_logprobs))

    def close(self) -> None:
        pass


def _vector(tokens: Sequence[int], *, normalize: bool) -> tuple[float, ...]:
    key = zlib.crc32(repr(tuple(tokens)).encode())
    values = [position_seed(key, i) / 2**31 - 1 for i in range(_DIMENSIONS)]
    norm = sum(value * value for value in values) ** 0.5 if normalize else 1.0
    return tuple(value / norm for value in values)
