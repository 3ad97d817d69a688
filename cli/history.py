"""The history of the prompt: the last hundred entries, in a file that only its owner reads."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.history import History

__all__ = ["LIMIT", "FileHistory"]

LIMIT = 100
"""Entries that are kept."""

_MAX_FILE = 8 * 1024 * 1024


class FileHistory(History):
    """Keeps each entry as a line; one of several lines as a JSON string.

    A file that cannot be read or written costs the history, never the conversation.
    """

    def __init__(self, path: Path, *, enabled: bool = True) -> None:
        super().__init__()
        self._path = path
        self.enabled = enabled
        """Whether new entries are kept."""

    def load_history_strings(self) -> Iterable[str]:
        """Return the entries, the newest first."""
        return reversed(self._read())

    def append_string(self, string: str) -> None:
        """Add an entry, unless nothing is to be kept."""
        if self.enabled:
            super().append_string(string)

    def store_string(self, string: str) -> None:
        """Write the file anew with one more entry; another prompt sees all of it or none."""
        entries = [*self._read(), string][-LIMIT:]
        lines = "".join(f"{_to_line(entry)}\n" for entry in entries)
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(lines)
            fresh.replace(self._path)
        except OSError:
            self.enabled = False

    def _read(self) -> list[str]:
        try:
            if self._path.stat().st_size > _MAX_FILE:
                return []
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [_from_line(line) for line in text.split("\n") if line][-LIMIT:]


def _to_line(entry: str) -> str:
    plain = "\n" not in entry and not entry.startswith('"')
    return entry if plain else json.dumps(entry, ensure_ascii=False)


def _from_line(line: str) -> str:
    if not line.startswith('"'):
        return line
    try:
        return str(json.loads(line))
    except ValueError:
        return line
