"""The engine: one thread that alone owns a model's context.

host thread                    engine thread
submit, cancel, drained ---->  inbox -> stepper (one pass at a time)
deliver(deltas)         <----  every 32 milliseconds at most, all streams together
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import attrs

from actorllm.actors.runner.engine.embed import Embedder, Vectors
from actorllm.actors.runner.engine.model import Progress
from actorllm.actors.runner.engine.opening import Opened, open_model
from actorllm.actors.runner.engine.pairing import Pairing
from actorllm.actors.runner.engine.pinning import name_thread
from actorllm.actors.runner.engine.stepper import Stepper
from actorllm.actors.runner.engine.types import (
    Delta,
    EngineError,
    EngineSettings,
    EngineStats,
    Loaded,
    Structure,
    Work,
)
from actorllm.actors.runner.engine.vocab import Vocab

__all__ = ["Engine"]

_COALESCE_SECONDS = 0.032
"""Shortest time between two deliveries, unless a stream begins or ends: two frames of a display."""
_EACH_SECONDS = 0.004
"""The same for each stream that has news: to pass them on costs time that computing wants, too."""
_MOST_SECONDS = 0.064
"""Nobody sees text come more smoothly than that."""

_Command = Callable[[], None]


class Engine:
    """A model, loaded and generating in a thread of its own.

    All methods may be called from any thread. `deliver` and `stopped` are called in the engine's
    thread and must return at once; one `deliver` call has the news of all streams.
    """

    def __init__(
        self,
        settings: EngineSettings,
        deliver: Callable[[list[Delta]], None],
        *,
        stopped: Callable[[BaseException | None], None] | None = None,
    ) -> None:
        """Prepare; nothing runs before `load`.

        Args:
            settings: How to load the model.
            deliver: Gets what is new.
            stopped: Told when the thread ended after a load: None if it was closed, else the
                error that broke it. After an error the process should exit.
        """
        self._settings = settings
        self._deliver = deliver
        self._stopped = stopped
        self._inbox: queue.SimpleQueue[_Command] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._accepting = False
        self._closing = threading.Event()
        self._loaded: Future[Loaded] = Future()
        self._thread: threading.Thread | None = None
        self._opened: Opened | None = None
        self._stepper: Stepper | None = None
        self._delivered = 0.0
        """When there was news last."""

    def load(self, progress: Progress | None = None) -> Loaded:
        """Load the model and wait until it is ready. Call it once.

        Args:
            progress: Told the part that is loaded (0 to 1), in the engine's thread; returns
                false to abort. `close` aborts, too.

        Raises:
            EngineError: The model cannot be loaded; the thread is gone.
        """
        self._thread = threading.Thread(
            target=self._main, args=(progress,), name="engine", daemon=True
        )
        self._thread.start()
        return self._loaded.result()

    def submit(self, work: Work) -> None:
        """Queue a work. Whatever becomes of it ends with a delta that has a `finish`."""
        stepper = self._generating
        self._send(lambda: stepper.submit(work))

    def cancel(self, work_id: int) -> None:
        """End a work with `cancelled`, unless it has ended already."""
        stepper = self._generating
        self._send(lambda: stepper.cancel(work_id))

    def drained(self, work_id: int, characters: int) -> None:
        """Say that delivered text was passed on.

        A stream with `streams.OUTPUT_BOUND` characters that were not is parked: it keeps its
        slot and computes nothing until they are.
        """
        stepper = self._generating
        self._send(lambda: stepper.drained(work_id, characters))

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Split a text into tokens (see `Vocab.tokenize`)."""
        return self._vocab.tokenize(text, add_special=add_special, parse_special=parse_special)

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        """Join the bytes of tokens; special tokens are spelled out."""
        return self._vocab.detokenize(tokens)

    def compile(self, structure: Structure) -> None:
        """Prepare a structure for works that will have it; it blocks, but no stream.

        Raises:
            EngineError: It cannot be kept to with this model's vocabulary.
        """
        context = None if self._opened is None else self._opened.context
        if context is None:
            raise EngineError("this model does not support generate")
        context.matchers.compile(structure)

    def embed(
        self, inputs: Sequence[Sequence[int]], *, normalize: bool = True
    ) -> "Future[Vectors]":
        """Compute one vector for each input; cancelling the future gives up those that are left.

        Raises:
            EngineError: The model was not loaded for embeddings, or an input does not fit.
        """
        embedder = self._embedding
        result = embedder.submit(inputs, normalize=normalize)
        self._send(self._embed)
        return result

    def pairing(self) -> Pairing:
        """How a reranker reads a query and a document."""
        return self._embedding.pairing

    def _embed(self) -> None:
        """Compute a batch of embeddings, and come back for the next one."""
        embedder = self._embedding
        if self._closing.is_set():
            embedder.fail(EngineError("the engine was closed"))
        elif embedder.step():
            self._inbox.put(self._embed)

    def stats(self) -> EngineStats:
        """Report what the slots do and how fast."""
        opened = self._opened
        if opened is not None and opened.embedder is not None:
            return opened.embedder.stats()
        stats = self._generating.stats()
        context = None if opened is None else opened.context
        return stats if context is None else attrs.evolve(stats, threads=context.threads)

    def close(self) -> None:
        """Stop and free everything; streams that run end with `cancelled`."""
        self._closing.set()
        self._inbox.put(lambda: None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    @property
    def _vocab(self) -> Vocab:
        if self._opened is None:
            raise EngineError("no model is loaded")
        return self._opened.model.vocab

    @property
    def _embedding(self) -> Embedder:
        embedder = None if self._opened is None else self._opened.embedder
        if embedder is None:
            raise EngineError("this model does not support embeddings")
        return embedder

    @property
    def _generating(self) -> Stepper:
        if self._stepper is None:
            raise EngineError("this model does not support generate")
        return self._stepper

    def _send(self, command: _Command) -> None:
        with self._gate:
            if not self._accepting:
                raise EngineError("the engine is not running")
            self._inbox.put(command)

    def _main(self, progress: Progress | None) -> None:
        name_thread()
        try:
            self._open(progress)
        except BaseException as e:  # noqa: BLE001 -- it is raised again where `load` waits
            self._loaded.set_exception(e)
            return
        error: BaseException | None = None
        try:
            self._serve()
        except BaseException as e:  # noqa: BLE001 -- it is told to the host, which exits
            error = e
        try:
            self._shut(error)
        finally:
            if self._stopped is not None:
                self._stopped(error)

    def _open(self, progress: Progress | None) -> None:
        def go_on(part: float) -> bool:
            return not self._closing.is_set() and (progress is None or progress(part))

        self._opened = opened = open_model(self._settings, go_on)
        used = opened.loaded.settings
        if opened.context is not None:
            self._stepper = Stepper(
                opened.context,
                slots=used.slots,
                window=used.num_ctx,
                num_batch=used.num_batch,
                clock=time.perf_counter,
                deterministic=used.deterministic,
                memory=used.saved_bytes,
                archive=opened.archive,
                meanwhile=self._go_on,
            )
        self._accepting = True
        self._loaded.set_result(opened.loaded)

    def _serve(self) -> None:
        idle = True
        while not self._closing.is_set():
            self._obey(wait=idle)
            idle = self._stepper is None or not self._step(self._stepper)

    def _go_on(self) -> bool:
        """Do what is due while a step takes long; false if that is nothing."""
        stepper = self._stepper
        assert stepper is not None
        self._obey(wait=False)
        if self._closing.is_set():
            stepper.end_all("")
        return self._step(stepper)

    def _step(self, stepper: Stepper) -> bool:
        """Run a pass, and deliver what is new; false if there was nothing to do."""
        went_on = stepper.step()
        now = time.perf_counter()
        late = not went_on or now - self._delivered >= _pause(stepper.pending)
        if stepper.fresh or (stepper.pending and late):
            self._delivered = now
            self._deliver(stepper.collect())
        return went_on

    def _obey(self, *, wait: bool) -> None:
        """Run the commands that came in; if there is nothing else to do, wait for one."""
        if wait:
            self._inbox.get()()
        while not self._inbox.empty():
            self._inbox.get_nowait()()

    def _shut(self, error: BaseException | None) -> None:
        """Answer all that is open, and free the model."""
        with self._gate:
            self._accepting = False
        opened, stepper = self._opened, self._stepper
        assert opened is not None
        self._closing.set()
        self._obey(wait=False)
        if opened.embedder is not None:
            opened.embedder.fail(EngineError("the engine is not running"))
        if stepper is not None:
            stepper.end_all("" if error is None else "the engine broke down")
            deltas = stepper.collect()
            if deltas:
                self._deliver(deltas)
            if error is None:
                stepper.archive()
        opened.free()


def _pause(streams: int) -> float:
    """Give the seconds between two deliveries with news of so many streams."""
    return max(_COALESCE_SECONDS, min(_EACH_SECONDS * streams, _MOST_SECONDS))
