"""The daemon: the one place where all actors are listed.

    /                 one_for_one
    ├── blobs         content-addressed files: uploads
    ├── library       names, manifests, show, copy, delete
    ├── downloader    pull; its children are the blobs on their way here
    │   └── DIGEST    a fetch: one blob, for all pulls that want it
    ├── uploader      push; its children are the blobs on their way out
    │   └── ID        a send: one blob to one repository
    ├── builder       create
    ├── archives      export and import
    ├── scheduler     leases, memory, keep-alive; its children are the runners
    │   └── NAME-N    a runner: one process for each set of weights
    ├── queue         admission; its children are the jobs
    │   └── N         a job: one request
    ├── prompts       prompts, parsed answers and tokens for those who look at them
    ├── responses     answers of /v1/responses that can be gone on from
    └── edge          the HTTP server

A failure of one is a matter of that one: who asks it meanwhile asks again, runners are replaced
under their streams, and the edge keeps its socket.

They are stopped from the last to the first: the edge refuses whoever comes now, lets answers end or
tells their clients that they will not, and only then goes what works for them.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import structlog
import trio

from actorllm.actors.archives.actor import ArchivesActor
from actorllm.actors.blobs.actor import BlobsActor
from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.builder.actor import BuilderActor
from actorllm.actors.claim import PATIENCE, Claim
from actorllm.actors.downloader.actor import Downloader
from actorllm.actors.downloader.retry import Policy
from actorllm.actors.kernel import ChildSpec, Exit, Intensity, Node, Supervisor
from actorllm.actors.kernel.garbage import resume_collection
from actorllm.actors.kernel.launch import ProcessLauncher
from actorllm.actors.kernel.logs import configure_logs
from actorllm.actors.kernel.node import FaultHook
from actorllm.actors.library.actor import LibraryActor
from actorllm.actors.library.catalog import BUILTIN_ROOT, Catalog
from actorllm.actors.library.library import Library
from actorllm.actors.prompts.actor import Prompts
from actorllm.actors.queue.actor import Queue
from actorllm.actors.responses.actor import Responses
from actorllm.actors.runner.analysis import ANALYSIS
from actorllm.actors.scheduler.actor import Scheduler
from actorllm.actors.uploader.actor import Uploader
from actorllm.protocol.settings import Settings, SettingsError
from actorllm.protocol.version import package_version

__all__ = ["AppFactory", "main", "tree"]

AppFactory = Callable[[Node, Settings, Any], Any]
"""Makes the ASGI application from a node, the settings and a logger."""

_RUNNING_JOBS = 1024
"""Jobs that may run beside those that may wait."""
_LOOKERS = 64
"""Prompts, answers and texts that are looked at, at one time."""

_OTHER_MODELS = (
    "set ACTORLLM_MODELS to a folder of your own, and ACTORLLM_MODELS_READONLY to one that you "
    "can only read"
)
_OTHER_ADDRESS = "is a daemon running already? ACTORLLM_HOST chooses another address"


def tree(settings: Settings, *more: ChildSpec, **scheduler: Any) -> ChildSpec:
    """The specification of the whole daemon.

    Args:
        settings: Read once, at the start.
        more: Children that come last: the edge.
        scheduler: Further arguments of the scheduler, for simulations.
    """
    store = BlobStore(settings.models)
    builtin = BUILTIN_ROOT if settings.builtin else None
    catalog = Catalog(store, builtin, shared=settings.models_readonly)
    children = [
        ChildSpec("blobs", lambda: BlobsActor(store, settings.max_blob_bytes)),
        ChildSpec(
            "library", lambda: LibraryActor(_library(catalog, settings), prune=not settings.noprune)
        ),
        ChildSpec("downloader", lambda: _downloader(catalog, settings), kind="supervisor"),
        ChildSpec("uploader", lambda: _uploader(catalog, settings), kind="supervisor"),
        ChildSpec("builder", lambda: BuilderActor(catalog)),
        ChildSpec("archives", lambda: ArchivesActor(catalog, settings.max_blob_bytes)),
        ChildSpec(
            "scheduler",
            lambda: Scheduler(settings, **scheduler),
            kind="supervisor",
            shutdown=15.0,
            max_running=settings.max_queue + _RUNNING_JOBS,
        ),
        ChildSpec(
            "queue",
            lambda: Queue(settings.max_queue + _RUNNING_JOBS),
            kind="supervisor",
            shutdown=3.0,
        ),
        ChildSpec("prompts", Prompts, max_running=_LOOKERS),
        ChildSpec("responses", Responses),
        *more,
    ]
    return ChildSpec(
        "root",
        lambda: Supervisor(children, intensity=Intensity(restarts=20, seconds=60)),
        kind="supervisor",
        start_timeout=120.0,
    )


def _library(catalog: Catalog, settings: Settings) -> Library:
    own = catalog.blobs.own_folder
    return Library(catalog, ANALYSIS, go_template=settings.go_template, cache=own / "facts.json")


def _downloader(catalog: Catalog, settings: Settings) -> Downloader:
    return Downloader(
        catalog,
        settings.state,
        streams=settings.max_transfer_streams,
        at_once=settings.pull_concurrency,
        bandwidth=settings.pull_bandwidth,
        mirrors=settings.registry_mirror,
        max_blob=settings.max_blob_bytes,
        prune=not settings.noprune,
        policy=Policy(first=settings.transfer_retry_wait),
    )


def _uploader(catalog: Catalog, settings: Settings) -> Uploader:
    return Uploader(
        catalog,
        settings.state,
        streams=settings.max_transfer_streams,
        policy=Policy(first=settings.transfer_retry_wait),
    )


def main(
    make_app: AppFactory,
    *,
    host: str | None = None,
    faults: str | None = None,
    quiet: bool = False,
) -> int:
    """Run the daemon until it is told to end; returns the exit status.

    Args:
        make_app: Makes the HTTP application.
        host: Listens here in place of `settings.host`.
        faults: Path of a fault plan; things will break on purpose.
        quiet: Log to the file in the state folder alone.

    Raises:
        SettingsError: The environment has a value that cannot be used: also a folder that cannot
            be written to, and an address where something listens already.
    """
    environ = dict(os.environ)
    if host is not None:
        environ["ACTORLLM_HOST"] = host
    settings = Settings.read(environ)
    try:
        injector = _injector(faults)
    except ValueError as e:  # a FaultPlanError, whose module is only loaded on request
        sys.stderr.write(f"Error: {e}\n")
        return 1
    with ExitStack() as stack:
        with _usable("write the log", "set ACTORLLM_STATE to another folder"):
            # Whoever runs here already may be letting its answers end.
            patience = PATIENCE + min(settings.stop_grace, PATIENCE)
            claim = stack.enter_context(Claim(settings.state, patience=patience))
            configure_logs(debug=settings.debug, quiet=quiet, file=settings.state / "actorllm.log")
        with _usable(f"write to the models in {settings.models}", _OTHER_MODELS):
            BlobStore(settings.models)
        with _usable(f"listen on {settings.host.bind}", _OTHER_ADDRESS):
            sock = _listen(settings)
        return trio.run(_run, settings, make_app, sock, injector, claim)


def _listen(settings: Settings) -> socket.socket:
    from actorllm.actors.edge.server import listen

    return listen(settings.host.host, settings.host.port)


@contextmanager
def _usable(purpose: str, remedy: str) -> Iterator[None]:
    """Say in one line what the operating system refuses, and which setting to change."""
    try:
        yield
    except OSError as e:
        raise SettingsError(f"cannot {purpose}: {e.strerror}; {remedy}") from e


def _injector(path: str | None) -> FaultHook | None:
    if path is None:
        return None
    from actorllm.actors.kernel.faults import FaultInjector, FaultPlan

    return FaultInjector(FaultPlan.load(Path(path)))


async def _run(
    settings: Settings,
    make_app: AppFactory,
    sock: socket.socket,
    faults: FaultHook | None,
    claim: Claim,
) -> int:
    from actorllm.actors.edge.actor import TAIL, Edge

    log = structlog.get_logger("actorllm")
    if faults is not None:
        log.warning("FAULTS ARE ON: things break on purpose", plan=faults.title)
    node = Node("daemon", launcher=ProcessLauncher(), faults=faults)
    edge = ChildSpec(
        "edge",
        lambda: Edge(lambda: make_app(node, settings, log), [sock], grace=settings.stop_grace),
        shutdown=settings.stop_grace + TAIL,
    )
    host, port = sock.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    exit_ = Exit("normal")
    claim.announce(url)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, node, claim, log)
        ended = _Ended()
        nursery.start_soon(ended.run, node, tree(settings, edge))
        await ended.up.wait()
        resume_collection()
        log.info("listening", url=url, version=package_version(), models=str(settings.models))
        await ended.over.wait()
        exit_ = ended.exit
        nursery.cancel_scope.cancel()
    log.info("ended", exit=str(exit_))
    return 1 if exit_.is_failure else 0


class _Ended:
    """Runs the tree and keeps how it ended."""

    def __init__(self) -> None:
        self.up = trio.Event()
        self.over = trio.Event()
        self.exit = Exit("normal")

    async def run(self, node: Node, spec: ChildSpec) -> None:
        async def run_node(*, task_status: trio.TaskStatus[Any]) -> None:
            self.exit = await node.run(spec, task_status=task_status)
            self.over.set()

        async with trio.open_nursery() as nursery:
            await nursery.start(run_node)
            self.up.set()


async def _stop_on_signal(node: Node, claim: Claim, log: Any) -> None:
    """Let the node end; a second signal makes it hurry."""
    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # which nohup has set
        wanted.append(signal.SIGHUP)
    with trio.open_signal_receiver(*wanted) as signals:
        async for number in signals:
            log.info("stopping", signal=signal.Signals(number).name)
            claim.withdraw()
            node.stop()
