"""The edge on a real node, whose actors give canned answers, on a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import httpx
import pytest
import structlog
import trio

from actorllm.actors.edge.server import listen, serve
from actorllm.actors.kernel import (
    Actor,
    ChildSpec,
    DynamicSupervisor,
    Node,
    Restart,
    Supervisor,
    concurrent,
)
from actorllm.actors.responses.actor import Responses
from actorllm.http.app import create_app
from actorllm.protocol.chat import ToolCall
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.messages.blobs import (
    BlobStat,
    BlobStored,
    CommitBlob,
    FindBlob,
    UploadBlob,
    UploadOpened,
    WriteBlob,
    Written,
)
from actorllm.protocol.messages.building import Create, CreateStatus
from actorllm.protocol.messages.generation import (
    Chunk,
    Done,
    Embeddings,
    Follow,
    FollowEmbed,
    Logprob,
    Submit,
    SubmitEmbed,
    Ticket,
    TopLogprob,
)
from actorllm.protocol.messages.models import (
    CopyModel,
    DeleteModel,
    ListModels,
    ModelCopied,
    ModelDeleted,
    ModelDetails,
    ModelInfo,
    ModelList,
    ModelRow,
    ShowModel,
    TensorInfo,
)
from actorllm.protocol.messages.scheduling import ListLoaded, LoadedList, LoadedModel
from actorllm.protocol.messages.transfers import Pull, Push
from actorllm.protocol.names import parse_digest
from actorllm.protocol.settings import Settings

DONE = Done(
    "stop",
    context=(1, 2),
    total_duration=9,
    load_duration=1,
    prompt_eval_count=7,
    prompt_eval_duration=3,
    eval_count=2,
    eval_duration=4,
)
INFO = ModelInfo("", "gguf", "llama", ("llama",), "4.46M", "Q8_0", 1024, 256)
TEXT = ("Hello", " <b>", " & you")

ANSWERS = {
    "text": [*(Chunk(content=t) for t in TEXT), Chunk(done=DONE)],
    "thinks": [Chunk(thinking="hm"), Chunk(content="yes"), Chunk(done=DONE)],
    "calls": [
        Chunk(
            tool_calls=(ToolCall("get_weather", {"city": "Toronto"}, "call_1"),),
            done=attrs.evolve(DONE, context=()),
        )
    ],
    "thought": [
        Chunk(thinking="hm"),
        Chunk("yes", done=attrs.evolve(DONE, thinking_count=50)),
    ],
    "cached": [Chunk("x", done=attrs.evolve(DONE, prompt_eval_count=310, prompt_cached_count=300))],
    "cut": [Chunk("half"), Chunk(done=attrs.evolve(DONE, reason="length"))],
    "huge": [Chunk("x" * (9 << 20), done=DONE)],
    "silent": [Chunk(done=DONE)],
    "loads": [Chunk(done=Done("load"))],
    "renders": [Chunk(done=Done("", rendered="<s>", image_count=1))],
    "degrades": [
        Chunk(content="x", done=attrs.evolve(DONE, notices=("slower",), shifted_tokens=4))
    ],
    "warns": [Chunk(notices=("slower",)), Chunk("x", notices=("é\n",)), Chunk(done=DONE)],
    "logprobs": [
        Chunk("a", logprobs=(Logprob("a", -0.5, (97,), (TopLogprob("b", -1.0, (98,)),)),)),
        Chunk(done=DONE),
    ],
    "long": [*(Chunk(content=f"{i} ") for i in range(500)), Chunk(done=DONE)],
}


class Job(Actor):
    """Answers by the name of the model."""

    def __init__(self, world: "World", model: str, request) -> None:
        self._world = world
        self._model = model
        self._request = request

    async def follow(self, m: Follow) -> AsyncIterator[Chunk]:
        world, model = self._world, self._model
        world.followed += 1
        world.changed()
        try:
            if model.startswith("absent") or not model:
                raise Refused.because(404, f"model '{model}' not found")
            if model in {"breaks", "crashes"}:
                yield Chunk(content="half")
                if model == "crashes":
                    raise RuntimeError("secret")
                raise Refused.because(500, "the runner is gone")
            if model == "too-long":
                raise Refused(Problem(400, "too long", n_prompt=9, n_ctx=4))
            if model == "crashes-early":
                raise RuntimeError("secret")
            if model == "waits":
                await trio.sleep_forever()
            while model == "endless":
                yield Chunk(content="x" * 500)
            if model == "pauses":
                yield Chunk(content="half")
                await world.goes_on.wait()
                model = "text"
            for chunk in ANSWERS.get(model, ()):
                yield chunk
        finally:
            world.left += 1
            world.changed()
            self.ctx.end()

    async def follow_embed(self, m: FollowEmbed) -> AsyncIterator[Embeddings]:
        try:
            if self._model.startswith("absent"):
                raise Refused.because(404, f'model "{self._model}" not found, try pulling it first')
            vectors = tuple((0.25, 0.10000000149011612) for _ in self._request.inputs)
            yield Embeddings(vectors, 5, 1, 3)
        finally:
            self.ctx.end()


class Queue(DynamicSupervisor):
    """Gives each request a canned job."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    async def submit(self, m: Submit) -> Ticket:
        return await self._admit(m)

    async def submit_embed(self, m: SubmitEmbed) -> Ticket:
        return await self._admit(m)

    async def _admit(self, m) -> Ticket:
        world = self._world
        world.requests.append(m.request)
        world.clients.append(m.client)
        if m.request.model == "busy":
            raise Refused.because(503, "server busy", retry_after=2)
        spec = ChildSpec(
            str(len(world.requests)),
            lambda: Job(world, m.request.model, m.request),
            restart=Restart.TEMPORARY,
            shutdown=0.2,
        )
        return Ticket((await self.start_child(spec)).path)


class Library(Actor):
    """One model."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def list(self, m: ListModels) -> ModelList:
        return ModelList(
            (ModelRow("text:latest", "ab" * 32, 10**18 + 5, 17, INFO, ("completion",)),)
        )

    async def show(self, m: ShowModel) -> ModelDetails:
        if m.model != "text":
            raise Refused.because(404, f"model '{m.model}:latest' not found")
        return ModelDetails(
            name="text:latest",
            license="",
            modelfile="FROM x",
            parameters="",
            template="{{ .Prompt }}",
            system=m.system,
            details=INFO,
            messages=(),
            model_info={"general.architecture": "llama", "x": None, "eps": 1e-5},
            projector_info={},
            tensors=(TensorInfo("t", "F32", (2, 3)),),
            capabilities=("completion",),
            modified_at=10**18,
        )

    async def copy(self, m: CopyModel) -> ModelCopied:
        self._world.requests.append(m)
        return ModelCopied(m.destination)

    async def delete(self, m: DeleteModel) -> ModelDeleted:
        self._world.requests.append(m)
        return ModelDeleted(0)


class Scheduler(Actor):
    """One loaded model."""

    async def loaded(self, m: ListLoaded) -> LoadedList:
        return LoadedList((LoadedModel("text:latest", "ab" * 32, 5, 0, 10**18, 1024, INFO),))


class Blobs(Actor):
    """Takes parts, as slowly as a test wants, and keeps their number alone."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def find(self, m: FindBlob) -> BlobStat:
        parse_digest(m.digest)
        return BlobStat(m.digest.endswith("1"))

    async def upload(self, m: UploadBlob) -> AsyncIterator[UploadOpened]:
        self._world.uploads += 1
        try:
            yield UploadOpened(1)
            await trio.sleep_forever()
        finally:
            self._world.uploads -= 1
            self._world.changed()

    @concurrent
    async def write(self, m: WriteBlob) -> Written:
        world = self._world
        world.parts.append(len(m.data))
        world.changed()
        await world.disk()
        return Written(sum(world.parts))

    async def commit(self, m: CommitBlob) -> BlobStored:
        return BlobStored("sha256:" + "0" * 64, sum(self._world.parts))


class Builder(Actor):
    """Builds nothing."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def create(self, m: Create) -> AsyncIterator[CreateStatus]:
        self._world.requests.append(m)
        if not m.source and m.files is None:
            raise Refused.because(400, "neither 'from' or 'files' was specified")
        yield CreateStatus("writing manifest")
        if m.source == "broken":
            raise Refused.because(500, "the disk is full")
        if m.source == "pauses":
            await self._world.goes_on.wait()
        yield CreateStatus("success")


class Registry(Actor):
    """Pulls and pushes nothing."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def pull(self, m: Pull) -> AsyncIterator[CreateStatus]:
        self._world.requests.append(m)
        yield CreateStatus("pulling manifest")
        if m.model == "pauses":
            await self._world.goes_on.wait()
        yield CreateStatus("pulling abc", "sha256:abc", 9, 0)
        yield CreateStatus("success")

    async def push(self, m: Push) -> AsyncIterator[CreateStatus]:
        self._world.requests.append(m)
        yield CreateStatus("retrieving manifest")
        raise Refused.because(404, "model not found")


async def _at_once() -> None:
    await trio.lowlevel.checkpoint()


class World:
    """What happened inside, and the address outside."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.requests: list = []
        self.clients: list[str] = []
        self.parts: list[int] = []
        self.followed = self.left = self.uploads = 0
        self.disk = _at_once
        self.shutdown = trio.Event()
        self.ended = trio.Event()
        self.goes_on = trio.Event()
        """What pauses waits for it."""
        self.port = 0
        self._change = trio.Event()
        self._streams: list[trio.SocketStream] = []

    def changed(self) -> None:
        self._change.set()

    async def until(self, condition, seconds: float = 5) -> None:
        """Wait until something inside has happened."""
        with trio.fail_after(seconds):
            while not condition():
                self._change = trio.Event()
                await self._change.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def connect(self) -> trio.SocketStream:
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        self._streams.append(stream)
        return stream

    def tree(self) -> list[ChildSpec]:
        return [
            ChildSpec("queue", lambda: Queue(self)),
            ChildSpec("library", lambda: Library(self)),
            ChildSpec("scheduler", Scheduler),
            ChildSpec("blobs", lambda: Blobs(self)),
            ChildSpec("builder", lambda: Builder(self)),
            ChildSpec("downloader", lambda: Registry(self)),
            ChildSpec("uploader", lambda: Registry(self)),
            ChildSpec("responses", Responses),
        ]

    @asynccontextmanager
    async def running(self):
        node = Node("test", seed=1)
        root = ChildSpec("root", lambda: Supervisor(self.tree()))
        log = structlog.get_logger("actorllm")
        with listen("127.0.0.1", 0) as sock:
            self.port = sock.getsockname()[1]
            async with trio.open_nursery() as nursery:
                await nursery.start(node.run, root)
                app = create_app(node, self.settings, log)

                async def run(task_status=trio.TASK_STATUS_IGNORED):
                    await serve(
                        app, [sock], shutdown=self.shutdown, log=log, task_status=task_status
                    )
                    self.ended.set()

                await nursery.start(run)
                try:
                    yield self
                finally:
                    for stream in self._streams:
                        stream.socket.close()
                    self.shutdown.set()
                    with trio.CancelScope(shield=True), trio.fail_after(5):
                        await self.ended.wait()
                    node.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models=tmp_path / "models", state=tmp_path, no_cloud=True)


@pytest.fixture
def make_world(settings):
    return lambda: World(settings)


@pytest.fixture
async def world(make_world, nursery):
    async with make_world().running() as made:
        yield made


@pytest.fixture
async def client(world):
    async with httpx.AsyncClient(base_url=world.url, timeout=10, trust_env=False) as http:
        yield http
