"""Why an actor is no more."""

from typing import Literal

from actorllm.protocol.codec import Tell, Value, message

__all__ = ["Address", "Down", "Exit", "innermost"]


@message
class Exit(Value):
    """The end of an incarnation of an actor."""

    kind: Literal["normal", "stopped", "crashed", "killed", "unborn"]
    """`normal`: it ended itself; `stopped`: its supervisor asked for it; `crashed`: an exception;
    `killed`: its process died by a signal, or was killed; `unborn`: there is no such actor."""
    text: str = ""
    """One line: the exception, or what the process's end looked like."""
    signal: int | None = None
    last_words: tuple[str, ...] = ()
    """The last lines that a dead process wrote to its standard error."""

    @property
    def is_failure(self) -> bool:
        return self.kind in ("crashed", "killed")

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}" if self.text else self.kind


@message
class Address(Value):
    """An incarnation of an actor, as it travels in messages."""

    path: str
    incarnation: int


@message
class Down(Tell):
    """A monitored actor is no more. Sent exactly once for each monitor, at once if it was dead."""

    who: Address
    exit: Exit


def innermost(error: BaseException) -> BaseException:
    """Return the first reason in a group of exceptions, however deep; else the exception itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
