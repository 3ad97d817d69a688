"""A real model for the engine's tests: the one that ships with the library."""

import queue
from pathlib import Path

import pytest

from actorllm.actors.runner.engine.engine import Engine
from actorllm.actors.runner.engine.types import EngineSettings, Finish, Work

ROOT = Path(__file__).parents[2]


def seedling_path() -> str:
    blobs = sorted((ROOT / "actors/library/builtin/blobs").glob("sha256-*"))
    models = [blob for blob in blobs if blob.read_bytes()[:4] == b"GGUF"]
    assert models, "the builtin model is missing from actors/library/builtin/blobs"
    return str(models[0])


class Host:
    """An engine and what it delivered."""

    def __init__(self, path: str, **settings) -> None:
        self.deltas = queue.Queue()
        self.deliveries = queue.Queue()
        self.stopped = queue.Queue()
        self.engine = Engine(
            EngineSettings(model_path=path, **settings),
            self._deliver,
            stopped=self.stopped.put,
        )
        self.loaded = self.engine.load()

    def _deliver(self, deltas) -> None:
        self.deliveries.put(deltas)
        for delta in deltas:
            self.deltas.put(delta)

    def run(self, *works: Work) -> dict[int, tuple[tuple[int, ...], str, Finish]]:
        """Submit works and wait for all: tokens, text and finish of each."""
        for work in works:
            self.engine.submit(work)
        return self.wait({work.id for work in works})

    def wait(self, ids: set[int]) -> dict[int, tuple[tuple[int, ...], str, Finish]]:
        """Wait for works; what others deliver meanwhile is lost."""
        tokens = dict.fromkeys(ids, ())
        texts = dict.fromkeys(ids, "")
        done = {}
        while len(done) < len(ids):
            delta = self.deltas.get(timeout=60)
            if delta.id not in ids:
                continue
            tokens[delta.id] += delta.tokens
            texts[delta.id] += delta.text
            if delta.finish is not None:
                done[delta.id] = (tokens[delta.id], texts[delta.id], delta.finish)
        return done

    def chat(self, text: str) -> tuple[int, ...]:
        """Render a question for the seedling, with thinking off."""
        prompt = (
            f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        )
        return tuple(self.engine.tokenize(prompt, add_special=True, parse_special=True))


@pytest.fixture(scope="session")
def seedling() -> str:
    return seedling_path()


@pytest.fixture(scope="session")
def tiny_bert() -> str:
    return str(Path(__file__).parent / "tiny-bert.gguf")


@pytest.fixture
def make_host():
    """Make hosts that are closed after the test."""
    hosts = []

    def make(path: str, **settings) -> Host:
        hosts.append(Host(path, **settings))
        return hosts[-1]

    yield make
    for host in hosts:
        host.engine.close()


@pytest.fixture(scope="module")
def host(seedling):
    """Give one engine on the seedling for all tests of a module."""
    made = Host(seedling, num_ctx=1024, threads=1)
    yield made
    made.engine.close()


@pytest.fixture(scope="module")
def make_module_host(seedling):
    """Make hosts on the seedling that are closed after the module."""
    hosts = []

    def make(**settings) -> Host:
        hosts.append(Host(seedling, num_ctx=640, **settings))
        return hosts[-1]

    yield make
    for host in hosts:
        host.engine.close()
