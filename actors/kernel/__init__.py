"""The actor system. It knows nothing of models and could be its own library.

actor.py       handlers chosen by the message in their annotation
specs.py       child specs: restart, shutdown, bounds
ref.py         tell, ask, stream
ports.py       promises and pipes: where answers go; relay.py joins two pipes
mailbox.py     bounded queues with a control lane
cell.py        the life of one incarnation
supervisor.py  start, watch, restart, stop
decisions.py   whom to restart: pure functions
node.py        all actors of a process; names, dead letters, the live tree
exits.py       why an actor is no more; monitors' `Down`
errors.py      what can go wrong between actors
process.py     an actor in a process of its own; child.py is that process's main
link.py        frames over a byte stream; sockets.py carries them; launch.py starts processes
context.py     what an actor can do beyond answering
insight.py     the live tree and its counters; trace.py and logs.py follow a request
garbage.py     no collection while a process starts
fault_plan.py  what goes wrong, as data; faults.py does it. Imported on request only, as are
simulate.py    whole systems in virtual time, from a seed, with processes that are in_memory.py, and
testkit.py     one actor alone, among probes
"""

from actorllm.actors.kernel.actor import Actor, concurrent
from actorllm.actors.kernel.context import Context
from actorllm.actors.kernel.errors import (
    ActorDied,
    AskTimeout,
    BadMessage,
    Escalated,
    KernelError,
    MailboxFull,
    StartFailed,
)
from actorllm.actors.kernel.exits import Address, Down, Exit
from actorllm.actors.kernel.insight import ActorSnapshot, Counters, NodeSnapshot
from actorllm.actors.kernel.node import Node
from actorllm.actors.kernel.ports import Outlet
from actorllm.actors.kernel.ref import Items, Ref
from actorllm.actors.kernel.relay import Relay
from actorllm.actors.kernel.specs import Backoff, ChildSpec, Intensity, Restart, Strategy
from actorllm.actors.kernel.supervisor import DynamicSupervisor, Supervisor
from actorllm.actors.kernel.trace import new_trace, trace_id

__all__ = [
    "Actor",
    "ActorDied",
    "ActorSnapshot",
    "Address",
    "AskTimeout",
    "Backoff",
    "BadMessage",
    "ChildSpec",
    "Context",
    "Counters",
    "Down",
    "DynamicSupervisor",
    "Escalated",
    "Exit",
    "Intensity",
    "Items",
    "KernelError",
    "MailboxFull",
    "Node",
    "NodeSnapshot",
    "Outlet",
    "Ref",
    "Relay",
    "Restart",
    "StartFailed",
    "Strategy",
    "Supervisor",
    "concurrent",
    "new_trace",
    "trace_id",
]
