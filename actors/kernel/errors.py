"""What can go wrong between actors.

    KernelError
    ├── MailboxFull     the target's mailbox, or its room for streams, is full; said at once
    ├── AskTimeout      no answer before the deadline; the request may or may not have been done
    ├── ActorDied       the target is dead, or died before it answered; carries its `Exit`
    ├── BadMessage      the target does not take this message, or the frame was broken
    └── StartFailed     a child could not be started
        └── Escalated   a supervisor gave up: more restarts than its intensity allows

A handler that refuses a request does not raise one of these: `protocol.errors.Refused` travels as
an answer. Sending a `Tell` to a dead actor does not raise either: it is a dead letter.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actorllm.actors.kernel.exits import Exit

__all__ = [
    "ActorDied",
    "AskTimeout",
    "BadMessage",
    "Escalated",
    "KernelError",
    "MailboxFull",
    "StartFailed",
]


class KernelError(Exception):
    """Base of all errors between actors."""


class MailboxFull(KernelError):  # noqa: N818 -- names say what happened, as trio's do
    """A bounded mailbox, or an actor's room for streams, has no place."""


class AskTimeout(KernelError):  # noqa: N818
    """No answer came before the deadline."""


class BadMessage(KernelError):  # noqa: N818
    """The target does not take this message, or the frame was broken on its way."""


class ActorDied(KernelError):  # noqa: N818
    """The target is dead or died before it answered."""

    def __init__(self, path: str, exit_: "Exit") -> None:
        super().__init__(f"{path} {exit_}")
        self.path = path
        self.exit = exit_


class StartFailed(KernelError):  # noqa: N818
    """A child could not be started."""

    def __init__(self, path: str, exit_: "Exit") -> None:
        super().__init__(f"{path} did not start: {exit_}")
        self.path = path
        self.exit = exit_


class Escalated(StartFailed):
    """A supervisor saw more restarts than its intensity allows."""
