"""What goes wrong with templates.

    Refused (protocol)
      TemplateError        a template is broken, or refuses a conversation
        LimitExceeded      a template wants more time or memory than it may have

A template comes with a model, so it is as hostile as the rest of the file. Every failure of one,
whatever its cause, ends as one of these: a reply to the client, never a crash of the runner.
"""

from actorllm.protocol.errors import Problem, Refused

__all__ = ["LimitExceeded", "TemplateError", "one_line"]

_LONGEST = 300


def one_line(text: str) -> str:
    """Cut `text`, which a template may have written, to one printable line."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST]).split())
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"


class TemplateError(Refused):
    """A prompt template is broken, or refuses the conversation.

    Args:
        text: what happened; cut to one line.
        status: 400 when the client can mend it, 500 when the model's template is at fault.
    """

    def __init__(self, text: str, *, status: int = 500) -> None:
        super().__init__(Problem(status, one_line(text)))


class LimitExceeded(TemplateError):  # noqa: N818 -- a TemplateError, named by its cause
    """A template was stopped because it used too much time or memory."""
