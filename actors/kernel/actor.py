"""Actors: classes whose handlers are chosen by the message in their annotation.

    class Counter(Actor):
        async def add(self, m: Add) -> None: ...                    # takes a tell
        async def read(self, m: Read) -> Total: ...                 # answers an ask
        async def watch(self, m: Watch) -> AsyncIterator[Total]:    # answers a stream
            yield ...

Handlers run one at a time, but for streams and for those that are declared `@concurrent`: these
run as children of the actor and end with it. A handler that raises `Refused` answers with a
problem; any other exception ends the actor and goes to its supervisor.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_type_hints

import attrs

from actorllm.actors.kernel.exits import Exit
from actorllm.actors.kernel.mailbox import Envelope, Kind, Signal
from actorllm.protocol.codec import Ask, Message, Stream, Tell

if TYPE_CHECKING:
    from actorllm.actors.kernel.context import Context

__all__ = ["Actor", "Handler", "concurrent", "handlers_of"]

F = TypeVar("F", bound=Callable[..., Any])

_CONCURRENT = "_actor_concurrent"


class Actor:
    """Base of all actors. The kernel sets `ctx` before `started`."""

    ctx: "Context"

    forwards: ClassVar[bool] = False
    """True for the kernel's bridges: envelopes go to `forward` undecoded."""

    async def started(self) -> None:
        """Prepare; messages come after it returns. An exception is a failed start."""

    async def stopped(self) -> None:
        """Clean up after a stop, within the shutdown time of the spec. Not called after a crash."""

    def hurry(self) -> None:
        """Lose no time over the stop: it was asked for again. May come before `stopped`."""

    def ended(self, exit_: Exit) -> None:
        """Let go of what is held outside this process; called last, however it ended."""

    async def on_signal(self, signal: Signal) -> None:
        """Take a signal of the kernel; supervisors do."""

    async def forward(self, envelope: Envelope) -> None:
        """Take an envelope as it is; bridges do."""

    def info(self) -> Mapping[str, Any]:
        """A few facts for the live tree; JSON values only, cheap to make."""
        return {}


def concurrent(method: F) -> F:
    """Let a handler run beside others, as a child of its actor."""
    setattr(method, _CONCURRENT, True)
    return method


@attrs.frozen
class Handler:
    """A method that takes a message class."""

    name: str
    kind: Kind
    concurrent: bool

    def bind(self, actor: Actor) -> Callable[[Message], Awaitable[Message | None]]:
        method: Callable[[Message], Awaitable[Message | None]] = getattr(actor, self.name)
        return method


_KINDS: tuple[tuple[type[Message], Kind], ...] = (
    (Tell, Kind.TELL),
    (Ask, Kind.ASK),
    (Stream, Kind.STREAM),
)


def _kind_of(message_type: Any) -> Kind | None:
    if not isinstance(message_type, type):
        return None
    return next((kind for base, kind in _KINDS if issubclass(message_type, base)), None)


def _handler_of(method: Any) -> tuple[type[Message], Handler] | None:
    parameters = list(inspect.signature(method).parameters)
    if len(parameters) != 2:
        return None
    message_type = get_type_hints(method).get(parameters[1])
    kind = _kind_of(message_type)
    if kind is None or not isinstance(message_type, type):
        return None
    makes_stream = inspect.isasyncgenfunction(method)
    if makes_stream != (kind is Kind.STREAM):
        what = "an async generator" if kind is Kind.STREAM else "a coroutine function"
        raise TypeError(f"{method.__qualname__} takes {message_type.__name__}: it must be {what}")
    is_concurrent = bool(getattr(method, _CONCURRENT, False))
    return message_type, Handler(method.__name__, kind, is_concurrent)


_tables: dict[type[Actor], Mapping[type[Message], Handler]] = {}


def handlers_of(actor_type: type[Actor]) -> Mapping[type[Message], Handler]:
    """The handlers of an actor class, by message class.

    Raises:
        TypeError: Two methods take one message, or a method is not of the kind that its message
            wants.
    """
    known = _tables.get(actor_type)
    if known is not None:
        return known
    table: dict[type[Message], Handler] = {}
    for name, method in inspect.getmembers(actor_type, inspect.isfunction):
        if name.startswith("_"):
            continue
        found = _handler_of(method)
        if found is None:
            continue
        message_type, handler = found
        if message_type in table:
            raise TypeError(f"{actor_type.__name__}: two handlers take {message_type.__name__}")
        table[message_type] = handler
    _tables[actor_type] = table
    return table
