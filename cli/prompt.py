"""The prompt: reads lines with editing, history, an editor and pasted text."""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from actorllm.cli.history import FileHistory
from actorllm.protocol.settings import Settings

__all__ = ["Prompt", "Reader"]

_FIRST = (">>> ", "Send a message (/? for help)")
_MORE = ("... ", "Press Enter to send")


class Reader(Protocol):
    """Where lines come from."""

    def read(self, *, more: bool = False) -> str:
        """Return the next line; `more` of a message that was begun.

        Raises:
            EOFError: There are no more.
            KeyboardInterrupt: The user broke off.
        """

    def keep_history(self, keep: bool) -> None:
        """Keep the lines to come in the history, or not."""

    def answering(self) -> AbstractContextManager[None]:
        """Return a block in which an answer is shown."""


class Prompt:
    """Reads from the terminal."""

    def __init__(self, settings: Settings) -> None:
        if settings.editor:
            os.environ["VISUAL"] = settings.editor  # where prompt_toolkit looks first
        self._history = FileHistory(settings.state / "history", enabled=not settings.nohistory)
        self._session: PromptSession[str] = PromptSession(
            history=self._history,
            key_bindings=_keys(),
            multiline=True,  # for pasted text and Ctrl-j; Enter sends all the same
            enable_suspend=True,
            prompt_continuation=_MORE[0],
        )

    def read(self, *, more: bool = False) -> str:
        """Return the next line, as `Reader` says."""
        prompt, hint = _MORE if more else _FIRST
        placeholder: AnyFormattedText = [("fg:ansibrightblack", hint)]
        return self._session.prompt(prompt, placeholder=placeholder)

    def keep_history(self, keep: bool) -> None:
        """Keep the lines to come in the history, or not."""
        self._history.enabled = keep

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Keep what is typed during the block for the next line, without showing it."""
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        quiet = [*before]
        quiet[0] &= ~termios.ICRNL  # else Enter would come as Ctrl-j
        quiet[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSADRAIN, quiet)
        try:
            yield
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _keys() -> KeyBindings:
    """Bind what differs from the usual keys of Emacs."""
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("c-j")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-g")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.open_in_editor()

    return keys
