"""A real downloader under a real supervisor."""

from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from actorllm.actors.downloader.actor import Downloader
from actorllm.actors.kernel import ChildSpec, Node, Supervisor
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.transfers import Pull
from tests.registry.fixtures import QUICK, big, catalog, other, proxy, registry, stub

__all__ = ["big", "catalog", "other", "proxy", "registry", "stub"]


@asynccontextmanager
async def running(catalog, state, **options):
    """Run a downloader; returns its node."""
    spec = ChildSpec(
        "downloader",
        partial(Downloader, catalog, state, **{"policy": QUICK, "streams": 4} | options),
        kind="supervisor",
    )
    node = Node("test", seed=1)
    async with trio.open_nursery() as nursery:
        await nursery.start(node.run, ChildSpec("root", lambda: Supervisor([spec])))
        try:
            yield node
        finally:
            node.stop()


@pytest.fixture
async def node(catalog, tmp_path):
    async with running(catalog, tmp_path / "state") as node:
        yield node


async def pull(node, model, **fields):
    """Pull; returns the steps."""
    async with node.ref("/downloader").stream(Pull(model, insecure=True, **fields)) as items:
        return [item async for item in items]


def words(steps):
    """What the steps say, without repetitions."""
    return list(dict.fromkeys(step.status for step in steps))


def partials(catalog):
    """Names of the unfinished files."""
    folder = catalog.blobs.folder / ".partial"
    return sorted(path.name for path in folder.glob("*"))


async def refusal(node, model, **fields):
    """Pull what cannot be pulled; returns the problem."""
    with pytest.raises(Refused) as caught:
        await pull(node, model, **fields)
    return caught.value.problem
