import datetime as dt
import socket
import ssl

import httpx
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from actorllm.actors.downloader.client import make_client
from actorllm.actors.downloader.handshake import handshake_problem
from actorllm.actors.downloader.origin import Origin
from actorllm.actors.downloader.registry import RegistryError, transport_errors

INSECURE = "--insecure"


async def error_at(host: str) -> RegistryError:
    """What is raised when a registry cannot be reached."""
    async with make_client("127.0.0.1", connections=1, stall=5) as client:
        with pytest.raises(RegistryError) as info, transport_errors(Origin("https", host, "x/y")):
            await client.get(httpx.URL(f"https://{host}/v2/"))
    return info.value


async def failure_at(host: str) -> str:
    return str(await error_at(host))


async def test_a_port_that_refuses_may_be_meant_for_plain_http():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # and nobody listens
        said = await failure_at(f"127.0.0.1:{sock.getsockname()[1]}")
    assert said.endswith(INSECURE)


async def test_a_host_that_nobody_knows_gets_no_hint_at_plain_http():
    said = await failure_at("a..b")
    assert "is no address" in said
    assert INSECURE not in said


# Handshakes


async def serve(nursery, handler, context=None) -> str:
    """Listen, with TLS if there is a context; returns the address."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    host = f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    if context is not None:
        listeners = [trio.SSLListener(plain, context) for plain in listeners]
    nursery.start_soon(trio.serve_listeners, handler, listeners)
    return host


def unknown_authority(folder) -> ssl.SSLContext:
    """A context of a server that has signed its certificate itself."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
    path = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + builder.sign(key, None).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_a_registry_without_tls_is_not_asked_again_and_the_error_says_what_to_do(nursery):
    async def answer(stream):
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    host = await serve(nursery, answer)
    error = await error_at(host)
    assert not error.passes
    assert error.text == (
        f"https://{host}: it answers without TLS; if it speaks plain HTTP, pull or push with "
        "--insecure"
    )


async def test_a_certificate_that_is_not_trusted_is_final_and_named(nursery, tmp_path):
    async def answer(stream):
        with pytest.raises(trio.BrokenResourceError):
            await stream.do_handshake()

    host = await serve(nursery, answer, unknown_authority(tmp_path))
    error = await error_at(host)
    assert not error.passes
    assert error.text.startswith(f"https://{host}: its certificate is refused: self")
    assert error.text.endswith("; name an authority of your own in SSL_CERT_FILE")


async def test_a_connection_that_breaks_in_the_handshake_may_do_better(nursery):
    async def leave(stream):
        await stream.aclose()

    assert (await error_at(await serve(nursery, leave))).passes


def test_a_server_that_takes_its_leave_refuses_nothing():
    error = httpx.ConnectError("closed")
    error.__cause__ = ssl.SSLZeroReturnError(ssl.SSL_ERROR_ZERO_RETURN, "closed")
    assert handshake_problem(error) is None
