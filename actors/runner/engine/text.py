"""Tokens' bytes to text that may be shown: whole characters, and nothing of a stop sequence."""

import codecs
from collections.abc import Iterable

__all__ = ["TextAssembler"]


class TextAssembler:
    """Turns the bytes of tokens into text, whatever way the bytes are split.

    Bytes that begin a character wait for its end, and text that may begin a stop sequence waits
    until it does not. The joined output depends on the joined input only.
    """

    def __init__(self, stops: Iterable[str] = ()) -> None:
        self._stops = tuple(dict.fromkeys(stop for stop in stops if stop))
        self._longest = max(map(len, self._stops), default=0)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stop: str | None = None
        """The stop sequence that was met; nothing is shown from there on."""

    def feed(self, piece: bytes) -> str:
        """Take the next bytes and return the text that is safe to show now."""
        return self._release(self._decoder.decode(piece))

    def finish(self) -> str:
        """Return what was held back, now that nothing follows."""
        rest = self._release(self._decoder.decode(b"", final=True))
        held, self._held = self._held, ""
        return rest + held

    def _release(self, text: str) -> str:
        if self.stop is not None:
            return ""
        if not self._stops:
            return text
        text = self._held + text
        found = self._first_stop(text)
        if found is not None:
            start, self.stop = found
            self._held = ""
            return text[:start]
        safe = self._safe_length(text)
        self._held = text[safe:]
        return text[:safe]

    def _first_stop(self, text: str) -> tuple[int, str] | None:
        # The stop that is complete first, and of those that end together the longest: what a
        # reader of single characters would see, so that the split of the bytes does not matter.
        found = (
            (start + len(stop), start, stop)
            for stop in self._stops
            if (start := text.find(stop)) >= 0
        )
        first = min(found, default=None)
        return None if first is None else first[1:]

    def _safe_length(self, text: str) -> int:
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            tail = text[start:]
            if any(stop.startswith(tail) for stop in self._stops):
                return start
        return len(text)
