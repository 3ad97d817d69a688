"""Blobs that are hard links to files of the user, and whether these were written to since.

A blob must never change, but its owner may write to the file that it shares. So each such blob has a
note of the file as it was when its digest was right; once the file is another one, the blob counts as
missing, and whoever needs it says so or brings it again. All of it blocks: call it from a thread.
"""

import json
import os
from pathlib import Path
from typing import Final

from actorllm.actors.blobs.files import write_atomically

__all__ = ["LinkNotes", "stamp_of"]

_MAX_NOTE: Final = 256


def stamp_of(found: os.stat_result) -> list[int]:
    """Return what changes with the content of a file, and what tells files apart."""
    return [found.st_ino, found.st_size, found.st_mtime_ns]


class LinkNotes:
    """The notes of one store.

    Args:
        folder: Where they are; it is made with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._any = folder.is_dir()

    def note(self, name: str, found: os.stat_result) -> None:
        """Remember a file that is right.

        Args:
            name: Of the blob's file.
            found: What is known of it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._any = True
        write_atomically(self._folder / name, json.dumps(stamp_of(found)).encode())

    def forget(self, name: str) -> None:
        """Remove a note, if there is one."""
        if self._any:
            (self._folder / name).unlink(missing_ok=True)

    def is_changed(self, name: str, found: os.stat_result) -> bool:
        """Tell whether a file was written to since it was noted. One without a note is as it was."""
        if not self._any:
            return False
        try:
            with (self._folder / name).open("rb") as file:
                inode, size, modified = json.loads(file.read(_MAX_NOTE))
        except (OSError, ValueError, TypeError):
            return False
        now = stamp_of(found)
        return inode == now[0] and [size, modified] != now[1:]
