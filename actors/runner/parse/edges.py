"""White space at the edges of a text that arrives in pieces."""

from collections.abc import Callable

__all__ = ["Edges"]


class Edges:
    """Passes text on, but for white space at the edges that are to be trimmed."""

    def __init__(self, say: Callable[[str], None], *, hold: bool) -> None:
        self._say = say
        self._hold = hold
        self._held: list[str] = []
        self._skip = False
        self._hold_next = False

    def skip_spaces(self) -> None:
        """Leave out the white space that comes next."""
        self._skip = True

    def keep_spaces(self) -> None:
        """Pass on the white space that comes next."""
        self._skip = False

    def hold_spaces(self) -> None:
        """Hold the white space that comes next until it is known what follows."""
        self._hold_next = True

    def write(self, text: str) -> None:
        if self._skip:
            text = text.lstrip()
            self._skip = not text
        if self._hold_next and text:
            self._hold_next = text.isspace()
            if self._hold_next:
                self._held.append(text)
                return
        body = text.rstrip() if self._hold else text
        if body:
            self.flush()
            self._say(body)
        if len(body) < len(text):
            self._held.append(text[len(body) :])

    def flush(self) -> None:
        """Pass held white space on: it turned out to be inside."""
        if self._held:
            self._say("".join(self._held))
            self._held = []

    def drop(self) -> None:
        """Forget held white space: it turned out to be an edge."""
        self._held = []
