"""The rung of the degrade ladder that worked, for each model on this machine, kept on disk."""

import hashlib
import json
import platform
from pathlib import Path

from actorllm.actors.blobs.files import write_atomically
from actorllm.actors.runner.engine.ladder import RUNGS

__all__ = ["Rungs", "machine_id"]

_MAX_BYTES = 1024 * 1024
_MAX_MODELS = 1000


def machine_id(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """A name for the kind of CPU: 12 hex digits. A moved disk must not carry its rungs along."""
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as file:
            lines = [line for line in file if line.startswith(("model name", "flags"))][:2]
    except OSError:
        lines = [platform.machine(), platform.processor()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


class Rungs:
    """Remembers rungs in a small JSON file. Blocking; a damaged file counts as empty."""

    def __init__(self, path: Path, machine: str) -> None:
        self._path = path
        self._machine = machine
        self._rungs = self._read()

    def _read(self) -> dict[str, int]:
        try:
            if self._path.stat().st_size > _MAX_BYTES:
                return {}
            data = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        mine = data.get(self._machine) if isinstance(data, dict) else None
        if not isinstance(mine, dict):
            return {}
        return {k: v for k, v in mine.items() if type(v) is int and 0 < v < len(RUNGS)}

    def get(self, weights: str) -> int:
        """The rung for the weights of a digest; 0 if none is remembered."""
        return self._rungs.get(weights, 0)

    def remember(self, weights: str, rung: int) -> None:
        """Keep a rung; atomic.

        Raises:
            OSError: It could not be written.
            Refused: The disk is full.
        """
        if self._rungs.get(weights, 0) == rung:
            return
        self._rungs.pop(weights, None)
        if rung:
            self._rungs[weights] = rung
        while len(self._rungs) > _MAX_MODELS:
            del self._rungs[next(iter(self._rungs))]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, json.dumps({self._machine: self._rungs}).encode())
