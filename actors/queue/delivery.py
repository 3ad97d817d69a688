"""What a client has got so far, and where a resumed stream goes on."""

from actorllm.actors.runner.messages import Piece, Resume

__all__ = ["Delivery"]


class Delivery:
    """The tokens and texts that a stream has handed on."""

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._content = 0
        self._thinking = 0
        self._calls = 0
        self.whole = False
        """Whether the last piece was handed on."""

    def note(self, piece: Piece) -> None:
        """Count what is handed on now."""
        self._tokens += piece.tokens
        self._content += len(piece.chunk.content)
        self._thinking += len(piece.chunk.thinking)
        self._calls += len(piece.chunk.tool_calls)
        self.whole = piece.chunk.done is not None

    def resume(self) -> Resume:
        """Where another runner goes on."""
        return Resume(tuple(self._tokens), self._content, self._thinking, self._calls)
