"""llama.cpp's log: warnings and errors go to stderr, the latest are kept for reports."""

import ctypes
import os
import sys
from collections import deque

import llama_cpp as cpp

__all__ = ["forget_log", "install_log", "logged_errors", "logged_warnings"]

_WARNING, _ERROR, _CONTINUED = 3, 4, 5
_kept: deque[tuple[int, str]] = deque(maxlen=64)
_debug = bool(os.environ.get("ACTORLLM_DEBUG"))
_last_level = 0


def _log(level: int, text: bytes, _user_data: ctypes.c_void_p) -> None:
    global _last_level  # noqa: PLW0603 -- a continued line has the level of its beginning
    if level == _CONTINUED:
        level = _last_level
    _last_level = level
    if level < _WARNING and not _debug:
        return
    line = text.decode("utf-8", "replace")
    if level >= _WARNING and line.strip():
        _kept.append((level, line.strip()))
    sys.stderr.write(line)
    sys.stderr.flush()


_callback = cpp.llama_log_callback(_log)  # referenced here, for llama.cpp keeps no reference


def install_log() -> None:
    """Take over llama.cpp's log."""
    cpp.llama_log_set(_callback, ctypes.c_void_p(0))


def forget_log() -> None:
    """Drop what was kept."""
    _kept.clear()


def logged_warnings() -> tuple[str, ...]:
    """Give the latest lines at the level of a warning."""
    return tuple(line for level, line in _kept if level == _WARNING)


def logged_errors() -> tuple[str, ...]:
    """Give the latest lines at the level of an error."""
    return tuple(line for level, line in _kept if level == _ERROR)
