"""The standard streams: there in any case, lenient with what is no text, coloured where wanted."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Literal, TextIO

__all__ = ["abandon_output", "moves_cursor", "prepare_streams", "takes_colour"]


def prepare_streams() -> None:
    """Open what the caller has closed, and let no byte that is no text end the program."""
    # In the order of the descriptors, each of which becomes the lowest free one: the next file or
    # socket must not take its place.
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    sys.stderr = sys.stderr or _nowhere("w")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _nowhere(mode: Literal["r", "w"]) -> TextIOWrapper:
    return Path(os.devnull).open(mode)


def abandon_output() -> None:
    """Send what cannot be written to nowhere, so that the interpreter's end does not try again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def moves_cursor(stream: TextIO) -> bool:
    """Say whether a stream is a terminal on which text can be erased again."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def takes_colour(stream: TextIO) -> bool:
    """Say whether a stream is a terminal that shows colours, and whose user wants them.

    See https://no-color.org.
    """
    return moves_cursor(stream) and not os.environ.get("NO_COLOR")
