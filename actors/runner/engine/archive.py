"""Prefixes on disk: states of sequences that survive their process.

A file holds one state: a header of fixed size, the tokens, the state. It is found by its tokens, and
fits only what computed it: the key in the header is a digest of the weights, the adapters, the
settings that shape the cells, the build of llama.cpp and the kind of CPU. Nothing of a file reaches
llama.cpp before its length, its digests and its key are right.

Files are written under another name and then renamed. They are not flushed: what a power failure
leaves behind is told by its digest. Several processes may share a folder; they agree by nothing but
the file system, so the quota holds after every write, and a file may be gone when it is read.
"""

import hashlib
import os
import stat
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BufferedReader, BufferedWriter
from pathlib import Path

import attrs

from actorllm.actors.runner.engine.memory import new_state
from actorllm.actors.runner.engine.slots import Kind
from actorllm.actors.runner.engine.store import Saved, State

__all__ = ["FileArchive"]

_MAGIC = b"ALLMKV\r\n"
_VERSION = 2
_HEADER = struct.Struct("<8sII32sIIQd32s32s")
"""Magic, version, kind of the orderly cells, key, tokens, orderly tokens, bytes of the state, its cost in
seconds, digest of the state, digest of all before and of the tokens."""
_DIGESTED = _HEADER.size - 32
_KINDS: tuple[Kind, ...] = ("", "small", "large")
_SUFFIX = ".kv"
_MOST_TOKENS = 1 << 22
_MOST_ENTRIES = 1024
"""Files of a folder: all are looked at when a process starts."""
_WRITE_SECONDS = 2.5
"""What has not been written by then is lost: whoever stops a process waits for it."""
_PART = 1 << 24
"""Bytes that are read or written in one go; some 20 ms."""
_STALE_SECONDS = 3600.0
"""Age of a file that somebody began to write and did not end."""


class FileArchive:
    """States in a folder that only its owner may read. Blocking."""

    def __init__(self, folder: Path, key: bytes, quota: int) -> None:
        """Prepare.

        Args:
            folder: Is made when something is written.
            key: What the states must belong to, of any length.
            quota: Bytes of all files in the folder.
        """
        self._folder = folder
        self._key = _digest(key)
        self._quota = quota

    def entries(self) -> list[Saved]:
        """Give the states that belong to the key, the latest used first."""
        found = []
        for path in self._files()[:_MOST_ENTRIES]:
            if path.name.startswith(self._key.hex()[:16]):
                saved = self._look(path)
                if saved is None:
                    _forget(path)
                else:
                    found.append(saved)
        return found

    def open(self, saved: Saved) -> "FileReading":
        """Begin to read the state of an entry."""
        return FileReading(self._folder / saved.name, saved, self._key)

    def write(self, entries: Sequence[Saved], outgrown: Sequence[Saved] = ()) -> None:
        """Keep states, the first ones first; the files that were not used for longest give way.

        A disk that is full, slow or read-only costs the states and nothing else.

        Args:
            entries: With their data.
            outgrown: Those of the folder that go if a state that begins like them was written.
        """
        deadline = time.monotonic() + _WRITE_SECONDS
        room = self._quota
        for saved in entries:
            if saved.data is None or _length(saved) > room:
                continue
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._write(saved, deadline)
                for old in outgrown:
                    if saved.tokens[: len(old.tokens)] == old.tokens:
                        _forget(self._folder / old.name)
            except OSError:
                break
            room -= _length(saved)
        self._prune()

    def _write(self, saved: Saved, deadline: float) -> None:
        """Write a state.

        Raises:
            OSError: It could not be written, or not in time.
        """
        assert saved.data is not None
        tokens = struct.pack(f"<{len(saved.tokens)}i", *saved.tokens)
        begin = _HEADER.pack(
            *(_MAGIC, _VERSION, _KINDS.index(saved.kind), self._key),
            *(len(saved.tokens), saved.orderly, saved.size, saved.cost),
            *(_digest(saved.data), bytes(32)),
        )[:_DIGESTED]
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".kv-")  # for the owner alone
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(begin + _digest(begin + tokens) + tokens)
                _put(file, saved.data, deadline)
            Path(name).rename(self._folder / self._name(tokens, saved.orderly))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _name(self, tokens: bytes, orderly: int) -> str:
        content = _digest(tokens + struct.pack("<I", orderly)).hex()[:32]
        return f"{self._key.hex()[:16]}-{content}{_SUFFIX}"

    def _look(self, path: Path) -> Saved | None:
        """Read what a file is about; None if it is of no use."""
        try:
            with _open(path) as file:
                header = _parse(file.read(_HEADER.size), os.fstat(file.fileno()).st_size)
                if header is None or header.key != self._key:
                    return None
                tokens = file.read(4 * header.tokens)
        except OSError:
            return None
        if not header.proves(tokens):
            return None
        return Saved(
            tokens=_unpacked(tokens),
            orderly=min(header.orderly, header.tokens),
            size=header.size,
            cost=header.cost,
            kind=header.kind,
            name=path.name,
        )

    def _files(self) -> list[Path]:
        """List the files, the latest used first."""
        try:
            dated = [(p.lstat().st_mtime_ns, p) for p in self._folder.glob(f"*{_SUFFIX}")]
        except OSError:  # another process deletes files
            return []
        return [path for _, path in sorted(dated, reverse=True)]

    def _prune(self) -> None:
        """Delete what is beyond the quota, and what others left half written."""
        total = 0
        for number, path in enumerate(self._files()):
            try:
                total += path.lstat().st_size
                if total > self._quota or number >= _MOST_ENTRIES:
                    path.unlink()
            except OSError:
                continue  # another process was faster
        for path in self._folder.glob(".kv-*"):
            try:
                if time.time() - path.lstat().st_mtime > _STALE_SECONDS:
                    path.unlink()
            except OSError:
                continue


class FileReading:
    """Reads the state of an entry in parts. If the file is not what it was, it goes."""

    def __init__(self, path: Path, saved: Saved, key: bytes) -> None:
        self._path = path
        self._parts = self._read(saved, key)
        self.data: State | None = None

    def go_on(self) -> bool:
        """Read a part; false if there is none left."""
        try:
            for _ in self._parts:
                return True
        except OSError:
            pass
        if self.data is None:
            _forget(self._path)
        return False

    def _read(self, saved: Saved, key: bytes) -> Iterator[None]:
        with _open(self._path) as file:
            header = _parse(file.read(_HEADER.size), os.fstat(file.fileno()).st_size)
            if header is None or header.key != key or header.size != saved.size:
                return
            tokens = file.read(4 * header.tokens)
            if not header.proves(tokens) or _unpacked(tokens) != saved.tokens:
                return
            data, digest = new_state(header.size), hashlib.sha256()
            for at in range(0, header.size, _PART):
                part = data[at : at + _PART]
                if file.readinto(part) != len(part):
                    return
                digest.update(part)
                yield
        if digest.digest() == header.data_digest:
            self.data = data
            os.utime(self._path)


@attrs.frozen
class _Header:
    key: bytes
    tokens: int
    orderly: int
    kind: Kind
    size: int
    cost: float
    data_digest: bytes
    digest: bytes
    begin: bytes

    def proves(self, tokens: bytes) -> bool:
        """Whether these are the tokens that were written with this header."""
        return len(tokens) == 4 * self.tokens and _digest(self.begin + tokens) == self.digest


def _parse(raw: bytes, length: int) -> _Header | None:
    """Read a header; None if it is none, or speaks of a file of another length."""
    if len(raw) != _HEADER.size:
        return None
    magic, version, kind, key, tokens, orderly, size, cost, data, digest = _HEADER.unpack(raw)
    if magic != _MAGIC or version != _VERSION or not 0 < tokens <= _MOST_TOKENS or not size:
        return None
    if length != _HEADER.size + 4 * tokens + size or not 0 <= cost < float("inf"):
        return None
    if kind >= len(_KINDS):
        return None
    return _Header(key, tokens, orderly, _KINDS[kind], size, cost, data, digest, raw[:_DIGESTED])


def _open(path: Path) -> BufferedReader:
    """Open a file for reading that is ours and no link.

    Raises:
        OSError: It is not, or not there.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        os.close(handle)
        raise PermissionError(path.name)
    return os.fdopen(handle, "rb")


def _forget(path: Path) -> None:
    """Delete a file that is of no use, if the folder lets us."""
    with suppress(OSError):
        path.unlink()


def _put(file: BufferedWriter, data: State, deadline: float) -> None:
    for at in range(0, len(data), _PART):
        if time.monotonic() > deadline:
            raise TimeoutError(file.name)
        file.write(data[at : at + _PART])


def _unpacked(tokens: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(tokens) // 4}i", tokens)


def _digest(data: bytes | State) -> bytes:
    return hashlib.sha256(data).digest()


def _length(saved: Saved) -> int:
    return _HEADER.size + 4 * len(saved.tokens) + saved.size
