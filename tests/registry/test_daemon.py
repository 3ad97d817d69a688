"""The real daemon and the real registry: pushed, deleted, pulled, killed in the midst of it."""

import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager

import httpx
import trio

from actorllm.actors.library.catalog import BUILTIN_ROOT

SECONDS = 30


class Daemon:
    """A daemon process and a client for it."""

    def __init__(self, child, client) -> None:
        self._child = child
        self.client = client

    async def post(self, path, **body):
        answer = await self.client.post(path, json=body)
        return answer.status_code, answer.json() if answer.content else None

    @asynccontextmanager
    async def pulling(self, model):
        """Frames of a pull as they come."""
        body = {"model": model, "insecure": True}
        async with self.client.stream("POST", "/api/pull", json=body) as answer:
            yield (json.loads(line) async for line in answer.aiter_lines())

    async def kill(self):
        self._child.kill()
        await trio.to_thread.run_sync(self._child.wait)


def serve(state, environ):
    with (state / "output").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "actorllm.cli.main", "serve"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


@asynccontextmanager
async def daemon(state, **settings):
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("ACTORLLM_", "OLLAMA_"))}
    environ |= {"ACTORLLM_STATE": str(state), "ACTORLLM_HOST": "127.0.0.1:0"} | settings
    announced = state / "daemon.json"
    announced.unlink(missing_ok=True)
    child = serve(state, environ)
    try:
        with trio.fail_after(SECONDS):
            while not announced.exists() or not announced.read_text():
                assert child.poll() is None, (state / "output").read_text()
                await trio.sleep(0.02)
        url = json.loads(announced.read_text())["url"]
        async with httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
            yield Daemon(child, client)
    finally:
        child.terminate()
        await trio.to_thread.run_sync(child.wait, SECONDS)


async def test_a_model_that_was_pushed_and_deleted_comes_back_byte_for_byte(registry, tmp_path):
    name = f"{registry.host}/library/copied"
    async with daemon(tmp_path) as served:
        assert await served.post("/api/copy", source="seedling", destination=name) == (200, None)
        blobs = tmp_path / "models" / "blobs"
        before = {path.name: path.read_bytes() for path in blobs.iterdir()}
        pushed = await served.post("/api/push", model=name, insecure=True, stream=False)
        assert pushed == (200, {"status": "success"})
        request = served.client.build_request("DELETE", "/api/delete", json={"model": name})
        assert (await served.client.send(request)).status_code == 200
        assert list(blobs.iterdir()) == []
        pulled = await served.post("/api/pull", model=name, insecure=True, stream=False)
        assert pulled == (200, {"status": "success"})
        assert {path.name: path.read_bytes() for path in blobs.iterdir()} == before
        status, shown = await served.post("/api/show", model=name)
        assert (status, shown["details"]["family"]) == (200, "llama")
    manifest = tmp_path / "models" / "manifests" / registry.host / "library" / "copied" / "latest"
    [original] = BUILTIN_ROOT.glob("manifests/*/*/*/*")
    assert manifest.read_bytes() == original.read_bytes()


def saved(models):
    """Bytes that would outlive a kill now."""
    states = list((models / "blobs" / ".partial").glob("*.json"))
    return sum(done for state in states for _, done, _ in json.loads(state.read_bytes())["parts"])


async def test_a_pull_goes_on_where_a_killed_daemon_has_left_it(proxy, big, tmp_path):
    name, size = f"{proxy.host}/library/big", len(big.data)
    settings = {"ACTORLLM_MAX_TRANSFER_STREAMS": "4"}
    proxy.rate = 5e6
    async with daemon(tmp_path, **settings) as served, served.pulling(name) as frames:
        try:
            async for _ in frames:
                if saved(tmp_path / "models") > 0.4 * size:
                    await served.kill()
        except httpx.RemoteProtocolError:
            pass  # that was the daemon
    proxy.rate, sent = 0, proxy.sent
    async with daemon(tmp_path, **settings) as served, served.pulling(name) as frames:
        seen = [frame async for frame in frames]
    assert seen[-1] == {"status": "success"}
    resumed = [f for f in seen if f.get("digest") == big.digest and "completed" in f]
    assert resumed[0]["completed"] > 0.4 * size
    assert proxy.sent - sent < 0.7 * size
    blob = tmp_path / "models" / "blobs" / big.digest.replace(":", "-")
    assert blob.read_bytes() == big.data
