"""What is wrong with a TLS handshake, and what to do: pure logic over exceptions."""

import ssl
from typing import Final

import httpx

__all__ = ["handshake_problem"]

_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
)
"""What OpenSSL calls the first bytes of an answer that are no TLS record, by its release."""

_BROKEN: Final = (ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError)
"""The server has gone, with a farewell or without."""

_LINKS: Final = 8
"""Causes that are looked at."""


def handshake_problem(error: httpx.TransportError) -> str | None:
    """Tell why a server and this program cannot agree on TLS, and what the user can do.

    None: it was something else, or the connection broke, and another try may go better.
    """
    found = _tls_error(error) if isinstance(error, httpx.ConnectError) else None
    if found is None or isinstance(found, _BROKEN) or not found.reason:
        return None
    if isinstance(found, ssl.SSLCertVerificationError):
        reason = found.verify_message
        return (
            f"its certificate is refused: {reason}; name an authority of your own in SSL_CERT_FILE"
        )
    if found.reason in _NO_TLS:
        return "it answers without TLS; if it speaks plain HTTP, pull or push with --insecure"
    return f"it refuses TLS: {found.reason.replace('_', ' ').lower()}"


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    link: BaseException | None = error
    for _ in range(_LINKS):
        if link is None or isinstance(link, ssl.SSLError):
            return link
        link = link.__cause__ or link.__context__
    return None
