"""What ends a command with one line.

    Failure          something did not work; exit status 1
    ├── NotFound     the server does not have what was asked for (404)
    └── NoApi        what listens there speaks no API that we know

Wrong usage is `click.UsageError` (exit status 2), an interrupt is `KeyboardInterrupt` (130).
"""

__all__ = ["Failure", "NoApi", "NotFound"]


class Failure(Exception):  # noqa: N818 -- the noun that its reader thinks of
    """A command cannot go on; the text is one line: what happened, what to do next."""


class NotFound(Failure):
    """The server answered 404."""


class NoApi(Failure):
    """What listens there is no server of ours, or one of another version; the text ends so."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; is it an actorllm server? ACTORLLM_HOST chooses another one")
