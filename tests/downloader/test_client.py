import httpx
import pytest

from actorllm.actors.downloader.addresses import is_public, may_connect
from actorllm.actors.downloader.client import make_client
from actorllm.protocol.errors import Refused
from tests.registry.stub import Reply

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0",
    "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1%eth0",
    "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "localhost", "",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_told(address):
    assert not is_public(address)
    assert not may_connect(address, registry_is_public=True)
    assert may_connect(address, registry_is_public=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_told(address):
    assert is_public(address)
    assert may_connect(address, registry_is_public=True)


async def test_a_stranger_leads_to_no_private_address(stub):
    stub.on("GET", "/", Reply(200, b"internal"))
    async with make_client("registry.example", connections=1, stall=1) as client:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1"):
            with pytest.raises(Refused, match="is a private address"):
                await client.get(f"http://{host}:{stub.server_port}/")
    assert stub.asked == []


@pytest.mark.parametrize("url", ["http://a..b/", f"http://{'a' * 64}.c/", "http://h:99999/"])
async def test_a_host_that_cannot_be_is_an_error_like_others(url):
    async with make_client("registry.example", connections=1, stall=1) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)


async def test_a_private_registry_may_lead_to_private_addresses(stub, other):
    stub.on("GET", "/", Reply(200, b"home"))
    other.on("GET", "/", Reply(200, b"storage"))
    async with make_client("127.0.0.1", connections=2, stall=1) as client:
        assert (await client.get(f"{stub.url}/")).text == "home"
        assert (await client.get(f"http://localhost:{other.server_port}/")).text == "storage"


async def test_a_proxy_of_the_environment_is_used(stub, monkeypatch):
    stub.on("GET", "/x", Reply(200, b"by proxy"))
    monkeypatch.setenv("http_proxy", stub.url)
    monkeypatch.setenv("no_proxy", "direct.example")
    async with make_client("registry.example", connections=1, stall=1) as client:
        await client.get("http://registry.example/x")
        assert [r.url for r in stub.asked] == ["http://registry.example/x"]
        with pytest.raises(httpx.ConnectError):
            await client.get("http://direct.example/x")
        with pytest.raises(Refused, match="is a private address"):
            await client.get("http://169.254.169.254/x")
    assert len(stub.asked) == 1
