"""Images and sounds that a prompt names by their paths."""

import re
from pathlib import Path

import attrs

from actorllm.cli.errors import Failure
from actorllm.cli.text import one_line

__all__ = ["MAX_MEDIA", "Prompt", "extract_media"]

MAX_MEDIA = 100 * 1000 * 1000
"""Largest file, in bytes."""

_ENDING = r"\.(?:jpe?g|png|webp|wav)"
_PATH = re.compile(
    rf"""(?P<quote>['"])(?P<quoted>[^'"\n]+?{_ENDING})(?P=quote)"""
    rf"""|(?<![\w./~\\])(?P<bare>(?:~|\.{{1,2}})?/(?:\\.|[^\s\\'"])*?{_ENDING})(?![\w/])""",
    re.IGNORECASE,
)
_MAGIC = (
    (0, b"\xff\xd8\xff"),  # JPEG
    (0, b"\x89PNG\r\n\x1a\n"),
    (8, b"WEBP"),
    (8, b"WAVE"),
)


@attrs.frozen
class Prompt:
    """A prompt without the paths of its media."""

    text: str
    media: tuple[bytes, ...] = ()
    names: tuple[str, ...] = ()
    """The paths as they were written."""


def extract_media(text: str) -> Prompt:
    r"""Take the paths of existing images and WAV files out of a prompt.

    A path begins with `/`, `./`, `../` or `~/` and escapes spaces by `\`, or it is quoted.

    Raises:
        Failure: A file cannot be read, is too large or is not what its name says.
    """
    media: list[bytes] = []
    names: list[str] = []

    def take(match: re.Match[str]) -> str:
        name = match["quoted"] or re.sub(r"\\(.)", r"\1", match["bare"])
        path = Path(name).expanduser()
        if not path.is_file():
            return match[0]
        media.append(_read(path))
        names.append(name)
        return ""

    left = _PATH.sub(take, text)
    if not media:
        return Prompt(text)
    return Prompt(left.strip(), tuple(media), tuple(names))


def _read(path: Path) -> bytes:
    shown = one_line(str(path))
    try:
        if path.stat().st_size > MAX_MEDIA:
            raise Failure(f"{shown} is larger than 100 MB; scale it down")
        content = path.read_bytes()
    except OSError as e:
        raise Failure(f"cannot read {shown}: {e.strerror}") from e
    if not any(content.startswith(magic, offset) for offset, magic in _MAGIC):
        raise Failure(f"{shown} is not a JPEG, PNG, WebP or WAV file")
    return content
