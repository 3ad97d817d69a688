"""A node with a supervisor as its root, for tests of the kernel."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trio

from actorllm.actors.kernel import ChildSpec, Node, Supervisor

Running = Callable[..., AbstractAsyncContextManager[Node]]


@pytest.fixture
def running() -> Running:
    @asynccontextmanager
    async def run(*specs, node: Node | None = None, **kwargs):
        node = node or Node("test", seed=1)
        root = ChildSpec("root", lambda: Supervisor(specs, **kwargs), shutdown=20)
        async with trio.open_nursery() as nursery:
            await nursery.start(node.run, root)
            try:
                yield node
            finally:
                node.stop()

    return run
