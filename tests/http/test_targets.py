"""What may stand in a request line."""

import pytest

from tests.http.test_connections import receive_until


async def asked(world, line, *, host="localhost"):
    stream = await world.connect()
    request = f"{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    await stream.send_all(request.encode())
    got = await receive_until(stream, b"\r\n\r\n")
    await stream.aclose()
    return got.split(b"\r\n")


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:1/api/version", "HTTPS://localhost/api/version?x=1", "http://a.local/"],
)
async def test_a_whole_address_asks_for_its_path(world, target):
    lines = await asked(world, f"GET {target}", host="example.com")
    assert lines[0].startswith(b"HTTP/1.1 200")


async def test_the_host_of_a_whole_address_counts(world):
    lines = await asked(world, "GET http://example.com/api/version")
    assert lines[0].startswith(b"HTTP/1.1 403")


async def test_an_address_without_a_path_asks_for_the_root(world):
    lines = await asked(world, "HEAD http://localhost")
    assert lines[0].startswith(b"HTTP/1.1 200")


async def test_the_server_as_a_whole_has_no_options(world):
    lines = await asked(world, "OPTIONS *")
    assert lines[0].startswith(b"HTTP/1.1 200")
    assert b"content-length: 0" in lines


@pytest.mark.parametrize("line", ["CONNECT example.com:443", "GET *", "GET ftp://localhost/"])
async def test_what_is_no_path_is_refused(world, line):
    lines = await asked(world, line)
    assert lines[0].startswith(b"HTTP/1.1 400")
    assert not any(line.startswith(b"location") for line in lines)
