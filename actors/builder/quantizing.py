"""Running the child process that converts weights. It blocks for moments: call it from a thread."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

from actorllm.actors.blobs.files import create_temp
from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.blobs.writer import Stored
from actorllm.actors.builder.facts import GgufFile
from actorllm.actors.kernel.launch import child_environment
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import CreateStatus

__all__ = ["quantize"]

_STEP: Final = 0.25
"""Seconds between two looks at the process."""
_STALL: Final = 900.0
"""Seconds without a byte written after which the process counts as stuck."""
_LAST_WORDS: Final = 4096
_MAX_REASON: Final = 300
_NO_DIGEST: Final = "0" * 19
"""In place of a digest that is not known yet, as clients expect it."""

_WIDTHS: Final = {"F32": 4, "F16": 2, "BF16": 2, "Q8_0": 1.0625, "Q4_K_S": 0.573, "Q4_K_M": 0.606}
"""Bytes for each weight, about."""


def quantize(
    store: BlobStore, source: Path, file: GgufFile, wanted: str
) -> Generator[CreateStatus, None, Stored]:
    """Convert the weights of a blob and store the result.

    Leave the generator, and the process ends and nothing is kept.

    Args:
        store: Gets the new blob.
        source: The file of the old one.
        file: The weights.
        wanted: Type to convert to, one of `quantize.FILE_TYPES`.

    Yields:
        How far it is.

    Returns:
        The new blob.

    Raises:
        Refused: The conversion failed: 400 or 500; the disk is full: 507.
    """
    status = f"quantizing {file.facts.quantization} model to {wanted}"
    have = _WIDTHS.get(file.facts.quantization, 2)
    total = max(1, int(file.size / have * _WIDTHS[wanted]))
    if shutil.disk_usage(store.folder).free < total:
        raise Refused.because(507, "no space left in the model store; remove a model and try again")
    held, target = create_temp(store.folder)
    try:
        with _running(source, target, wanted) as (process, words):
            yield CreateStatus(status, _NO_DIGEST, total, 0)
            for size in _sizes(process, target):
                yield CreateStatus(status, _NO_DIGEST, total, min(size, total))
            if process.returncode:
                raise _failed(process.returncode, words, store.folder)
        yield CreateStatus(status, _NO_DIGEST, total, total)
        return store.adopt(target)
    finally:
        target.unlink(missing_ok=True)
        held.close()


def _sizes(process: subprocess.Popen[bytes], target: Path) -> Iterator[int]:
    """Tell the bytes written, again and again until the process has ended."""
    size, grown = 0, time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STEP)
            return
        now = target.stat().st_size
        if now != size:
            size, grown = now, time.monotonic()
        elif time.monotonic() - grown > _STALL:
            raise Refused.because(500, f"quantizing is stuck: nothing written for {_STALL:.0f} s")
        yield size


@contextmanager
def _running(
    source: Path, target: Path, wanted: str
) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    command = [sys.executable, "-P", "-m", "actorllm.actors.builder.quantize"]
    with TemporaryFile() as words:
        process = subprocess.Popen(  # noqa: S603 -- our own module, no shell
            [*command, os.fspath(source), os.fspath(target), wanted],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=words,
            start_new_session=True,
            env={**child_environment(os.environ), "GGML_NO_BACKTRACE": "1"},
        )
        try:
            yield process, words
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _failed(code: int, words: BufferedRandom, folder: Path) -> Refused:
    """Return the answer for a process that failed; it names no file."""
    if code < 0:
        ended = f"signal {-code}"
        with suppress(ValueError):
            ended = signal.Signals(-code).name
        return Refused.because(500, f"quantizing failed: the process was ended by {ended}")
    size = words.seek(0, os.SEEK_END)
    words.seek(max(0, size - _LAST_WORDS))
    lines = words.read().decode(errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "no reason was given")
    shown = "".join(c for c in last.replace(f"{folder}{os.sep}", "") if c.isprintable())
    return Refused.because(400, f"quantizing failed: {shown.strip()[:_MAX_REASON]}")
