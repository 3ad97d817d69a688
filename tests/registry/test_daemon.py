"""The real daemon and the real registry: pushed, deleted, pulled, killed in the midst of it."""

import json
from functools import partial

import trio

from actorllm.actors.library.catalog import BUILTIN_ROOT
from tests.campaigns.pull_kills import STREAMS, pull_and_kill
from tests.integration.daemon import TIMEOUT, Daemon

MIB = 1 << 20


def send(daemon, what, name):
    """Push or pull."""
    return daemon.post(f"/api/{what}", model=name, insecure=True, stream=False).json()


def test_a_model_that_was_pushed_and_deleted_comes_back_byte_for_byte(registry, daemon):
    name = f"{registry.host}/library/copied"
    daemon.post("/api/copy", source="seedling", destination=name).raise_for_status()
    blobs = daemon.models / "blobs"
    before = {path.name: path.read_bytes() for path in blobs.glob("sha256-*")}
    assert send(daemon, "push", name) == {"status": "success"}
    daemon.client.request("DELETE", "/api/delete", json={"model": name}).raise_for_status()
    assert list(blobs.glob("sha256-*")) == []
    assert send(daemon, "pull", name) == {"status": "success"}
    assert {path.name: path.read_bytes() for path in blobs.glob("sha256-*")} == before
    shown = daemon.post("/api/show", model=name).json()
    assert shown["details"]["family"] == "llama"
    manifest = daemon.models / "manifests" / registry.host / "library" / "copied" / "latest"
    [original] = BUILTIN_ROOT.glob("manifests/*/*/*/*")
    assert manifest.read_bytes() == original.read_bytes()


async def test_a_pull_ends_however_often_its_daemon_is_killed(proxy, big, tmp_path):
    proxy.rate = 5e6
    pull = partial(
        pull_and_kill,
        tmp_path,
        f"{proxy.host}/library/big",
        big.digest,
        kills=3,
        seed=5,
        seconds=len(big.data) / proxy.rate / STREAMS,
    )
    # It looks at the visible blobs after each kill, and at where the next pull goes on.
    await trio.to_thread.run_sync(pull)
    blob = tmp_path / "models" / "blobs" / big.digest.replace(":", "-")
    assert blob.read_bytes() == big.data


async def test_a_pull_that_the_daemon_s_end_cuts_says_so_and_goes_on_later(proxy, big, tmp_path):
    proxy.silent_after = 2 * MIB  # of each connection: it does not come to its end
    body = {"model": f"{proxy.host}/library/big", "insecure": True}

    def pull(daemon, *, stop):
        with daemon.client.stream("POST", "/api/pull", json=body, timeout=TIMEOUT) as steps:
            for line in steps.iter_lines():
                step = json.loads(line)
                if stop and step.get("completed", 0) >= MIB:
                    daemon.process.terminate()
        return step

    def start():
        return Daemon(tmp_path, ACTORLLM_STOP_GRACE="0s").wait()

    first = await trio.to_thread.run_sync(start)
    told = await trio.to_thread.run_sync(partial(pull, first, stop=True))
    assert told == {"error": "the server is stopping, please try again in a moment"}
    await trio.to_thread.run_sync(first.process.wait)
    first.stop()
    proxy.silent_after, before = None, proxy.sent
    second = await trio.to_thread.run_sync(start)
    try:
        done = await trio.to_thread.run_sync(partial(pull, second, stop=False))
    finally:
        await trio.to_thread.run_sync(second.stop)
    assert done == {"status": "success"}
    assert proxy.sent - before < len(big.data)


def test_lists_are_right_after_every_change_also_from_outside(registry, daemon):
    def listed():
        tags = {model["name"] for model in daemon.client.get("/api/tags").json()["models"]}
        ids = {model["id"] for model in daemon.client.get("/v1/models").json()["data"]}
        assert tags == ids
        return tags - {"seedling:latest"}

    pulled = f"{registry.host}/library/seedling"
    assert listed() == listed() == set()
    daemon.post("/api/copy", source="seedling", destination="copied").raise_for_status()
    assert listed() == {"copied:latest"}
    daemon.post("/api/create", model="made", **{"from": "seedling"}, system="Be brief.")
    assert listed() == {"copied:latest", "made:latest"}
    assert send(daemon, "pull", pulled) == {"status": "success"}
    assert listed() == {"copied:latest", "made:latest", f"{pulled}:latest"}
    daemon.client.request("DELETE", "/api/delete", json={"model": "made"}).raise_for_status()
    assert listed() == {"copied:latest", f"{pulled}:latest"}
    # Another program that shares the store.
    folder = daemon.models / "manifests/registry.ollama.ai/library"
    folder.joinpath("copied").rename(folder / "renamed")
    assert listed() == {"renamed:latest", f"{pulled}:latest"}
    folder.joinpath("renamed/latest").unlink()
    assert listed() == {f"{pulled}:latest"}
