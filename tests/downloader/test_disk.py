"""A real file system that is too small."""

import os
import shutil
import subprocess

import pytest

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.transfers import Pull
from tests.downloader.conftest import pull, refusal, running

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path):
    """A file system of 100 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    options = ["-t", "tmpfs", "-o", "size=100m", "actorllm", str(folder)]
    if subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run([umount, str(folder)], check=True)


def fill(disk):
    """Take all the room that is left."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        for size in (MIB, 4096):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass


async def pull_and_fill(node, model, disk):
    """Pull, and take all the room as soon as some of the model is there."""
    async with node.ref("/downloader").stream(Pull(model, insecure=True)) as items:
        async for item in items:
            if (item.completed or 0) > 4 * MIB and not (disk / "ballast").exists():
                fill(disk)


async def test_a_disk_that_fills_up_pauses_the_pull_and_loses_nothing(proxy, big, disk, tmp_path):
    catalog = Catalog(BlobStore(disk / "models"), None)
    proxy.rate = 3e6
    model = f"{proxy.host}/library/big"
    async with running(catalog, tmp_path / "state") as node:
        with pytest.raises(Refused) as refused:
            await pull_and_fill(node, model, disk)
        assert refused.value.problem.status == 507
        assert "what has come is kept: make room and pull the model again" in str(refused.value)
        assert not catalog.blobs.has(big.digest)
        (disk / "ballast").unlink()
    proxy.rate, sent = 0, proxy.sent
    async with running(catalog, tmp_path / "state") as node:
        steps = await pull(node, model)
    assert steps[-1].status == "success"
    assert catalog.blobs.path(big.digest).read_bytes() == big.data
    # What was there is not fetched again, up to what was on its way in each connection.
    assert proxy.sent - sent < len(big.data) - 3 * MIB


async def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(
    proxy, big, disk, tmp_path
):
    catalog = Catalog(BlobStore(disk / "models"), None)
    (disk / "ballast").write_bytes(bytes(30 * MIB))
    async with running(catalog, tmp_path / "state") as node:
        problem = await refusal(node, f"{proxy.host}/library/big")
    assert problem.status == 507
    assert "not enough disk space" in problem.text
    assert proxy.count("GET", big.digest) == 0
