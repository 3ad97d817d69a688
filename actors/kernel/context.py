"""What an actor can do beyond answering: find others, watch them, run tasks of its own."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog

from actorllm.actors.kernel.exits import Address
from actorllm.actors.kernel.mailbox import Signal
from actorllm.actors.kernel.ref import Ref

if TYPE_CHECKING:
    from actorllm.actors.kernel.cell import Cell
    from actorllm.actors.kernel.node import Node

__all__ = ["Context"]


class Context:
    """An actor's view of the system. One for each incarnation."""

    def __init__(self, node: "Node", cell: "Cell") -> None:
        self.node = node
        self._cell = cell
        self.log: structlog.stdlib.BoundLogger = structlog.get_logger("actorllm").bind(
            actor=cell.path
        )

    @property
    def path(self) -> str:
        return self._cell.path

    @property
    def address(self) -> Address:
        return Address(self._cell.path, self._cell.incarnation)

    def ref(self, path: str) -> Ref:
        """A reference by name: whoever lives there."""
        return Ref(self.node, path)

    def monitor(self, ref: Ref) -> None:
        """Ask for one `Down` on the control lane when the actor ends; at once if it is dead."""
        self.node.monitor(ref, self._cell)

    def run(self, task: Callable[..., Awaitable[Any]], *args: Any, name: str | None = None) -> None:
        """Run a task beside the handlers; it ends with the actor, and an exception ends the actor."""
        self._cell.run_task(task, *args, name=name)

    async def start_cell(self, cell: "Cell") -> None:
        """Run a child's cell beside the handlers; returns when it takes messages or has failed."""
        await self._cell.start_task(cell.run)

    def signal(self, signal: Signal) -> None:
        """Put a signal into the control lane of this actor."""
        self._cell.mailbox.put_control(signal)

    def end(self) -> None:
        """End this actor, normally, after the messages that it has already taken up."""
        self._cell.end()
