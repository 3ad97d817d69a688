"""What the death of a runner means for a request."""

import re
import signal

import attrs

from actorllm.actors.kernel import Exit
from actorllm.protocol.errors import Problem

__all__ = ["MAX_FAILOVERS", "Verdict", "ending", "judge"]

MAX_FAILOVERS = 8
"""Runners that may die under one stream before it gives up."""

_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM})
"""Signals that a process does not send itself: they come from people, and from the system when
there is no memory left."""
_MOST_KILLS = 3
"""Such ends that a request survives without a token: people stop, but a request that asks for too
much memory does so each time."""

_LONGEST_WORDS = 300
_FOLDERS = re.compile(r"(?<![\w.])(?:/[\w.@+~-]+)*/(?=[\w.@+~-])")
"""The folders before the name of a file."""


def ending(exit_: Exit) -> str:
    """How a process ended, with its last words, for a client: without folders of this machine."""
    words = f"; its last words: {exit_.last_words[-1][:_LONGEST_WORDS]}" if exit_.last_words else ""
    return _FOLDERS.sub("", f"{exit_.text or exit_.kind}{words}")


@attrs.frozen
class Verdict:
    """What follows from the death of a runner under a request."""

    problem: Problem | None
    """The request ends with it; None: another runner goes on."""
    suspect: bool = False
    """Whether the request itself may be what kills: it goes on, but under observation."""


def judge(model: str, exit_: Exit, failovers: int, *, observed: bool, advanced: bool) -> Verdict:
    """Decide how a request goes on after its runner has died.

    A request is observed after a death in company: no other suspect runs beside it until it has
    got a token. If the runner dies then, the request is what kills it; where the runner was
    killed from outside, only if that goes on.

    Args:
        model: Its name, for the text.
        exit_: How the runner ended.
        failovers: Runners that died under the request, this one included.
        observed: Whether the request was under observation.
        advanced: Whether it got a token from the runner that died.
    """
    reached = exit_.kind != "unborn"  # else it was dead before the request came to it
    how = ending(exit_)
    if observed and reached and not advanced:
        if exit_.signal not in _OUTSIDE:
            text = f"this request crashed the runner of {model!r} twice ({how}); change it"
            return Verdict(Problem(500, text))
        if failovers > _MOST_KILLS:
            text = (
                f"the runner of {model!r} was killed {failovers} times under this request ({how})"
            )
            return Verdict(Problem(500, text))
    if failovers > MAX_FAILOVERS:
        text = f"the runner of {model!r} died {failovers} times under this request ({how})"
        return Verdict(Problem(500, text))
    return Verdict(None, suspect=reached and not advanced)
