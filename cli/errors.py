"""What ends a command with one line.

    Failure          something did not work; exit status 1
    └── NotFound     the server does not have what was asked for (404)

Wrong usage is `click.UsageError` (exit status 2), an interrupt is `KeyboardInterrupt` (130).
"""

__all__ = ["Failure", "NotFound"]


class Failure(Exception):  # noqa: N818 -- the noun that its reader thinks of
    """A command cannot go on; the text is one line: what happened, what to do next."""


class NotFound(Failure):
    """The server answered 404."""
