"""What is said when something cannot be done.

    Problem   the message: a status and one line for the client
    Refused   the exception that carries it

A `Refused` raised in a handler is an answer: the asker gets it, the actor lives on. Any other
exception of a handler is a crash and goes to the supervisor. Broken frames are not of this kind
(`codec.CodecError`), nor are dead or silent actors (`actors.kernel.errors`).
"""

from actorllm.protocol.codec import Value, message

__all__ = ["Problem", "Refused"]


@message
class Problem(Value):
    """Why a request was refused."""

    status: int
    """The HTTP status that says it best."""
    text: str
    """One line: what happened and, where there is something, what to do next."""
    retry_after: int | None = None
    """Seconds after which a retry makes sense."""
    by_runner: bool = False
    """Whether the runner said it, with the model loaded: the reference sends such answers to
    streams without a charset."""
    n_prompt: int = 0
    """Tokens of a prompt that does not fit; 0: this is not why."""
    n_ctx: int = 0
    """Tokens of the context into which it does not fit."""


class Refused(Exception):  # noqa: N818 -- an answer, not an error of the program
    """A request was refused for the reason in `problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem

    @classmethod
    def because(cls, status: int, text: str, *, retry_after: int | None = None) -> "Refused":
        return cls(Problem(status, text, retry_after))
