import socket

import httpx
import pytest

from actorllm.actors.downloader.client import make_client
from actorllm.actors.downloader.origin import Origin
from actorllm.actors.downloader.registry import RegistryError, transport_errors

INSECURE = "--insecure"


async def failure_at(host: str) -> str:
    """What is said when a registry cannot be reached."""
    async with make_client("127.0.0.1", connections=1, stall=5) as client:
        with pytest.raises(RegistryError) as info, transport_errors(Origin("https", host, "x/y")):
            await client.get(httpx.URL(f"https://{host}/v2/"))
    return str(info.value)


async def test_a_port_that_refuses_may_be_meant_for_plain_http():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # and nobody listens
        said = await failure_at(f"127.0.0.1:{sock.getsockname()[1]}")
    assert said.endswith(INSECURE)


async def test_a_host_that_nobody_knows_gets_no_hint_at_plain_http():
    said = await failure_at("a..b")
    assert "is no address" in said
    assert INSECURE not in said
